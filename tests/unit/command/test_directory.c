/* SPDX-License-Identifier: Apache-2.0 */
#include "command/directory.h"

#include "tests/lib/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct pki pki;
static struct pki_pair pair;

static int setup(void **state _unused_)
{
	pki_init(&pki);
	pki_issue(&pki, NULL, PKI_P256, &pair);
	return 0;
}

static int teardown(void **state _unused_)
{
	pki_pair_done(&pair);
	pki_done(&pki);
	return 0;
}

static void add(struct content *c, const char *name, const char *text)
{
	struct err e;

	assert_int_equal(content_add(c, name, text, strlen(text), &e), 0);
}

static void assert_file(const struct content *c, const char *name, const char *text)
{
	const struct content_file *f = content_find(c, name);

	assert_non_null(f);
	assert_int_equal(f->bytes.len, strlen(text));
	assert_memory_equal(f->bytes.data, text, f->bytes.len);
}

static void files_of_the_usual_names_are_the_pair(void **state _unused_)
{
	_cleanup_content_ struct content files = {0};
	_cleanup_content_ struct content found = {0};
	struct err e;

	add(&files, "other.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
	pki_content(&files, pair.tls_crt, pair.tls_key, pair.ca_crt);
	assert_int_equal(pair_find(&files, &found, &e), 0);
	assert_int_equal(found.count, 3);
	assert_file(&found, "tls.crt", pair.tls_crt);
	assert_file(&found, "tls.key", pair.tls_key);
	assert_file(&found, "ca.crt", pair.ca_crt);
}

static void renamed_files_are_known_by_what_is_in_them(void **state _unused_)
{
	_cleanup_content_ struct content files = {0};
	_cleanup_content_ struct content found = {0};
	struct err e;

	add(&files, "ca.crt", pair.ca_crt);
	add(&files, "server.key", pair.tls_key);
	add(&files, "server.pem", pair.tls_crt);
	assert_int_equal(pair_find(&files, &found, &e), 0);
	assert_file(&found, "tls.crt", pair.tls_crt);
	assert_file(&found, "tls.key", pair.tls_key);
}

static void a_bundle_is_both(void **state _unused_)
{
	_cleanup_free_ char *bundle =
	    pki_join((const char *const[]){pair.tls_key, "\n", pair.tls_crt, NULL});
	_cleanup_content_ struct content files = {0};
	_cleanup_content_ struct content found = {0};
	struct err e;

	add(&files, "bundle.pem", bundle);
	assert_int_equal(pair_find(&files, &found, &e), 0);
	assert_file(&found, "tls.crt", pair.tls_crt);
	assert_file(&found, "tls.key", pair.tls_key);
}

static void what_is_missing_is_named(void **state _unused_)
{
	static const char *const texts[] = {"", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN ",
					    "-----BEGIN CERTIFICATE-----END"};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_content_ struct content files = {0};
		_cleanup_content_ struct content found = {0};

		add(&files, "a.pem", texts[i]);
		assert_int_equal(pair_find(&files, &found, &e), -1);
		assert_string_equal(e.message, "no file with a CERTIFICATE in PEM");
	}
	_cleanup_content_ struct content files = {0};
	_cleanup_content_ struct content found = {0};

	add(&files, "tls.crt", pair.tls_crt);
	assert_int_equal(pair_find(&files, &found, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(e.message, "no file with a PRIVATE KEY in PEM");
}

static void directory_without_any_is_not_found(void **state _unused_)
{
	_cleanup_directory_ struct directory d = {0};
	struct err e;

	assert_int_equal(directory_read("/proc/self/ns", &d, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	directory_done(&d);
	assert_int_equal(directory_read("/nonexistent", &d, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

static void directory_that_may_not_be_searched_is_denied(void **state _unused_)
{
	char path[] = "/tmp/directory-XXXXXX";
	_cleanup_directory_ struct directory d = {0};
	uid_t user = geteuid();
	struct err e;

	assert_non_null(mkdtemp(path));
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(user == 0 ? seteuid(65534) : 0, 0);
	assert_int_equal(directory_read(path, &d, &e), -1);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(e.kind, ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_of_the_usual_names_are_the_pair),
	    cmocka_unit_test(renamed_files_are_known_by_what_is_in_them),
	    cmocka_unit_test(a_bundle_is_both),
	    cmocka_unit_test(what_is_missing_is_named),
	    cmocka_unit_test(directory_without_any_is_not_found),
	    cmocka_unit_test(directory_that_may_not_be_searched_is_denied),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
