/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The admin socket: one JSON object a line in, and out "ok LENGTH" or "error LENGTH" on a line,
 * followed by so many bytes. The README beside this file lists the commands.
 */

#include "tests/apiserver/api.h"

struct admin;

/* Listens on the path, which is removed first. */
int admin_new(struct api *api, const char *path, struct admin **ret, struct err *e);
struct admin *admin_free(struct admin *a);

/* admin_commands.c: runs one command; what it says goes to out. */
int admin_command(struct api *api, struct json_object *command, struct evbuffer *out,
		  struct err *e);
/* The filter of "log", "count" and "await". Strings are borrowed from the command. */
struct journal_filter admin_filter(struct json_object *command);
