/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The exit codes of every command, with the words that --help and docs/reference.md have for them.
 * A code never changes its meaning.
 */

/* id, code, meaning */
#define EXIT_CODES(X)                                                                              \
	X(DONE, 0, "Done, also when it came late")                                                 \
	X(FAILURE, 1, "Failed: the last line says why")                                            \
	X(USAGE, 2, "A flag or argument is wrong")                                                 \
	X(DEGRADED, 3, "It works, but somebody should look: about to expire, or not adopted")      \
	X(NO_SECRET, 4, "There was no such Secret when the time was over")                         \
	X(FORBIDDEN, 5, "The Secret may not be read by this account")                              \
	X(UNFIT, 6, "The pair is not fit to be used")                                              \
	X(NEVER, 124, "The time was over and nothing had come")

enum exit_code {
#define EXIT_CODE_ID(id, code, meaning) CODE_##id = (code),
	EXIT_CODES(EXIT_CODE_ID)
#undef EXIT_CODE_ID
};
