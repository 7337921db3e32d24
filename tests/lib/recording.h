/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One recorded exchange with a real API server (tests/apiserver/transcripts), and how it is
 * compared with what the stand-in answers: what differs from run to run is masked first.
 */

#include "tests/lib/https.h"

struct recording {
	char *method; /* all owned */
	char *target;
	char *request_headers[HTTPS_HEADERS]; /* "Name: value", NULL after the last */
	char *request_body;                   /* NULL: none */
	int code;
	char *answer_headers; /* lines */
	char *answer_body;    /* "" when none was recorded */
};

/* Reads tests/apiserver/transcripts/NAME.txt, found from the program's own place. */
void recording_read(const char *name, struct recording *ret);
void recording_done(struct recording *r);

/* Fails the test unless status, headers and body are those of the recording. */
void recording_compare(const struct recording *r, const struct https_answer *a);
