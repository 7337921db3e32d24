/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of event/ share; nobody else includes it. */

struct event_base;
struct loop;

struct event_base *loop_base(struct loop *l);
