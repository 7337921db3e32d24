/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the program certhup-hand is made of, seen from outside while it works. */
#include "tests/lib/one_hand.h"

#include <string.h>

/* What the hand has mapped: /proc/PID/maps as one text. */
static char *maps_of(pid_t pid)
{
	static char text[256 * 1024];
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	assert_true(len > 0 && len < sizeof(text) - 1);
	text[len] = '\0';
	return text;
}

static void the_running_hand_has_mapped_no_parser_and_no_network_library(void **state _unused_)
{
	static const char *const foreign[] = {"libssl",    "libcrypto",  "libcurl", "libjson-c",
					      "libevent",  "libnghttp2", "libyaml", "libprotobuf",
					      "libgnutls", "libnss_",    "libz.so"};
	static const char *const own[] = {"libinotifytools", "libmd", "libseccomp"};
	struct volume_ref ref = hands_volume(&h, 1, "size=1m");
	const char *maps;

	hands_start(&h, NULL);
	assert_int_equal(hands_publish(&h, &ref, 1, 10), ERR_NONE);
	assert_int_equal(hands_publish(&h, &ref, 2, 11), ERR_NONE);
	assert_int_equal(hands_ask(&h, HAND_VERIFY, &ref), ERR_NONE);
	maps = maps_of(h.pid);
	assert_non_null(strstr(maps, "certhup-hand"));
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_non_null(strstr(maps, own[i]));
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (strstr(maps, foreign[i]))
			fail_msg("the hand has mapped %s", foreign[i]);
	assert_int_equal(hands_stop(&h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		the_running_hand_has_mapped_no_parser_and_no_network_library, set_up, tear_down),
	};

	pods_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
