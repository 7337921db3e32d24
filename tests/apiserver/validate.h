/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a real API server refuses in an object, in its words. Decoding faults are 400, invalid
 * values 422 with one cause each.
 * Source: kubernetes pkg/apis/core/validation, apimachinery field.Error.
 */

#include "tests/apiserver/failure.h"
#include "tests/apiserver/resource.h"

#define VALIDATE_SECRET_BYTES 1048576
#define VALIDATE_BODY_BYTES 3145728

/* input has been through shape_input. previous: what is stored, or NULL for a create. */
int validate_object(const struct resource *r, struct json_object *input,
		    struct json_object *previous, struct failure *f);
