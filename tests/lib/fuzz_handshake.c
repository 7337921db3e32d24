/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fuzz_handshake.h"

#include "prove/handshake.h"

int fuzz_handshake(const uint8_t *data, size_t len)
{
	static const struct probe_target target = {.sni = "a.example", .alpn = "h2,http/1.1"};
	struct probe_report report = {0};
	struct handshake *h;
	const void *out;
	struct err e;
	size_t piece;

	if (len == 0 || handshake_new(&target, &h, &e) < 0)
		return 0;
	piece = data[0] ? data[0] : len;
	handshake_step(h);
	for (size_t at = 1; at < len; at += piece) {
		if (handshake_feed(h, data + at, len - at < piece ? len - at : piece, &e) < 0 ||
		    handshake_step(h))
			break;
		handshake_sent(h, handshake_pending(h, &out));
	}
	handshake_close(h);
	handshake_step(h);
	handshake_report(h, &report);
	if (report.result == PROBE_SEEN || report.e.kind == ERR_NONE)
		abort();
	handshake_free(h);
	return 0;
}
