/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/pki.h"
#include "tests/lib/program.h"
#include "tests/lib/tls_server.h"

#include "k8s/json.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/x509.h>

/* A directory with a good pair, and one with a pair that does not match. */
struct scene {
	char dir[64];
	char good[128];
	char mixed[128];
	char expiring[128];
	char expired[128];
	char laid_out[128]; /* as certhup lays it out */
	char bundle[128];
	char key[256]; /* one line of the good key's base64: it may never be seen */
	struct pki pki;
};

static struct scene scene;

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void make_dir(const char *name, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/%s", scene.dir, name);
	assert_int_equal(mkdir(ret_path, 0755), 0);
}

static void write_pair(const char *dir, const char *crt, const char *key, const char *ca)
{
	write_file(dir, "tls.crt", crt);
	write_file(dir, "tls.key", key);
	write_file(dir, "ca.crt", ca);
}

static void issue_dates(int64_t from_s, int64_t to_s, const char *dir)
{
	const struct pki_cert what = {.not_before_s = time(NULL) + from_s,
				      .not_after_s = time(NULL) + to_s};
	_cleanup_pair_ struct pki_pair pair;

	pki_issue(&scene.pki, &what, PKI_P256, &pair);
	write_pair(dir, pair.tls_crt, pair.tls_key, pair.ca_crt);
}

static void lay_out(const struct pki_pair *pair)
{
	static const char generation[] = "..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef";
	char path[PATH_MAX];
	char data[PATH_MAX];

	make_dir("laid-out", scene.laid_out, sizeof(scene.laid_out));
	snprintf(path, sizeof(path), "%s/%s", scene.laid_out, generation);
	assert_int_equal(mkdir(path, 0755), 0);
	write_pair(path, pair->tls_crt, pair->tls_key, pair->ca_crt);
	snprintf(data, sizeof(data), "%s/..data", scene.laid_out);
	assert_int_equal(symlink(generation, data), 0);
}

static int setup_scene(void **state _unused_)
{
	_cleanup_pair_ struct pki_pair pair;
	_cleanup_pair_ struct pki_pair other;
	_cleanup_free_ char *bundle = NULL;

	snprintf(scene.dir, sizeof(scene.dir), "/tmp/test_commands.XXXXXX");
	assert_non_null(mkdtemp(scene.dir));
	pki_init(&scene.pki);
	pki_issue(&scene.pki, &(struct pki_cert){.subject = "CN=web.example"}, PKI_P256, &pair);
	pki_issue(&scene.pki, NULL, PKI_P256, &other);
	make_dir("good", scene.good, sizeof(scene.good));
	write_pair(scene.good, pair.tls_crt, pair.tls_key, pair.ca_crt);
	make_dir("mixed", scene.mixed, sizeof(scene.mixed));
	write_pair(scene.mixed, pair.tls_crt, other.tls_key, pair.ca_crt);
	make_dir("expiring", scene.expiring, sizeof(scene.expiring));
	issue_dates(-90 * 86400, 2 * 86400, scene.expiring);
	make_dir("expired", scene.expired, sizeof(scene.expired));
	issue_dates(-90 * 86400, -60, scene.expired);
	make_dir("bundle", scene.bundle, sizeof(scene.bundle));
	bundle = pki_join((const char *const[]){pair.tls_key, pair.tls_crt, NULL});
	write_file(scene.bundle, "credentials.pem", bundle);
	lay_out(&pair);
	snprintf(scene.key, sizeof(scene.key), "%.64s", strchr(pair.tls_key, '\n') + 1);
	return 0;
}

static int teardown_scene(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	pki_done(&scene.pki);
	return program_run(&p, NULL, WORDS("/bin/rm", "-rf", scene.dir));
}

/* Runs, expects the exit code, and that no key comes out. */
static void expect(struct program *p, int code, const char *const *words)
{
	int seen = program_run(p, NULL, words);

	if (seen != code)
		fprintf(stderr, "%s %s: %s%s", words[0], words[1], program_err(p), program_out(p));
	assert_int_equal(seen, code);
	assert_null(strstr(program_out(p), scene.key));
	assert_null(strstr(program_err(p), scene.key));
	assert_null(strstr(program_out(p), "PRIVATE KEY"));
}

/* The commands, as the overview lists them. */
static size_t list_commands(char names[16][32])
{
	_cleanup_program_ struct program p = {0};
	const char *line;
	size_t count = 0;

	expect(&p, 0, WORDS("certhup", "help"));
	line = strstr(program_out(&p), "Commands:\n");
	assert_non_null(line);
	for (line = strchr(line, '\n') + 1; line[0] == ' ' && count < 16;
	     line = strchr(line, '\n') + 1)
		snprintf(names[count++], 32, "%.*s", (int)strcspn(line + 2, " "), line + 2);
	return count;
}

static void every_command_has_help_with_examples_flags_and_exit_codes(void **state _unused_)
{
	char names[16][32];
	size_t count = list_commands(names);

	assert_in_range(count, 4, 16);
	for (size_t i = 0; i < count; i++) {
		_cleanup_program_ struct program p = {0};
		_cleanup_program_ struct program other = {0};
		char example[600];

		expect(&p, 0, WORDS("certhup", names[i], "--help"));
		snprintf(example, sizeof(example), "\nExamples:\n  # ");
		assert_non_null(strstr(program_out(&p), example));
		snprintf(example, sizeof(example), "\n  certhup %s", names[i]);
		assert_non_null(strstr(program_out(&p), example));
		assert_non_null(strstr(program_out(&p), "      --config=FILE\n"));
		assert_non_null(strstr(program_out(&p), "\nExit codes:\n  0  "));
		expect(&other, 0, WORDS("certhup", "help", names[i]));
		assert_string_equal(program_out(&p), program_out(&other));
		assert_string_equal(program_err(&p), "");
	}
}

static char *read_reference(void)
{
	char certhup[PATH_MAX];
	char path[PATH_MAX + 64];
	char *text = NULL;
	size_t room = 0;
	FILE *f;

	program_path("certhup", certhup, sizeof(certhup));
	*strrchr(certhup, '/') = '\0';
	snprintf(path, sizeof(path), "%s/../../docs/reference.md", certhup);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(getdelim(&text, &room, '\0', f) > 0);
	fclose(f);
	return text;
}

static void the_reference_says_what_help_says(void **state _unused_)
{
	_cleanup_free_ char *reference = read_reference();
	char names[16][32];
	size_t count = list_commands(names);

	for (size_t i = 0; i < count; i++) {
		_cleanup_program_ struct program p = {0};

		expect(&p, 0, WORDS("certhup", names[i], "--help"));
		if (!strstr(reference, program_out(&p)))
			fail_msg("certhup %s --help is not in docs/reference.md: run "
				 "tests/reference --write",
				 names[i]);
	}
}

static void usage_errors_end_with_two_and_name_the_nearest(void **state _unused_)
{
	static const struct {
		const char *words[5];
		const char *message;
	} rows[] = {
	    {{"certhup", "stauts"},
	     "error: unknown command stauts; did you mean status?; see certhup --help\n"},
	    {{"certhup", "verify"}, "error: DIR is missing; see certhup verify --help\n"},
	    {{"certhup", "verify", "a", "b"},
	     "error: unexpected argument b; see certhup verify --help\n"},
	    {{"certhup", "status", "--namspace=x"},
	     "error: unknown flag --namspace; did you mean --namespace?; see certhup status "
	     "--help\n"},
	    {{"certhup", "version", "-o", "yaml"},
	     "error: --output: \"yaml\" is not one of text|json; see certhup version --help\n"},
	    {{"certhup", "help", "x\033[2J"},
	     "error: unknown command x\\x1b[2J; see certhup --help\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_program_ struct program p = {0};

		expect(&p, 2, rows[i].words);
		assert_string_equal(program_err(&p), rows[i].message);
		assert_string_equal(program_out(&p), "");
	}
}

static void no_command_at_all_shows_the_overview_and_ends_with_two(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(program_run(&p, NULL, WORDS("certhup")), 2);
	assert_non_null(strstr(program_out(&p), "Commands:\n"));
}

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err e;

	if (json_parse(text, strlen(text), &j, &e) < 0)
		fail_msg("%s: %s", e.message, text);
	return j;
}

static void version_is_text_or_json(void **state _unused_)
{
	_cleanup_program_ struct program text = {0};
	_cleanup_program_ struct program flag = {0};
	_cleanup_program_ struct program p = {0};
	_cleanup_json_ struct json *j = NULL;

	expect(&text, 0, WORDS("certhup", "version"));
	assert_string_equal(program_out(&text), "certhup " CERTHUP_VERSION "\n");
	expect(&flag, 0, WORDS("certhup", "--version"));
	assert_string_equal(program_out(&flag), "certhup " CERTHUP_VERSION "\n");
	expect(&p, 0, WORDS("certhup", "version", "--output=json"));
	j = parse(program_out(&p));
	assert_string_equal(json_text(j, "version", NULL), CERTHUP_VERSION);
}

static void a_full_disk_behind_standard_output_is_a_failure(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(program_run(&p, NULL,
				     WORDS("/bin/sh", "-c", "\"$0\" version > /dev/full",
					   getenv("CERTHUP_UNDER_TEST"))),
			 1);
	assert_non_null(strstr(program_err(&p), "standard output"));
}

static void verify_tells_fit_expiring_and_unfit_apart(void **state _unused_)
{
	_cleanup_program_ struct program good = {0};
	_cleanup_program_ struct program laid_out = {0};
	_cleanup_program_ struct program bundle = {0};
	_cleanup_program_ struct program expiring = {0};
	_cleanup_program_ struct program asked = {0};
	_cleanup_program_ struct program expired = {0};
	_cleanup_program_ struct program mixed = {0};
	_cleanup_program_ struct program missing = {0};

	expect(&good, 0, WORDS("certhup", "verify", scene.good));
	assert_non_null(strstr(program_out(&good), ": fit: CN=web.example, ECDSA P-256, "));
	expect(&laid_out, 0, WORDS("certhup", "verify", scene.laid_out));
	expect(&bundle, 0, WORDS("certhup", "verify", scene.bundle));
	expect(&expiring, 3, WORDS("certhup", "verify", scene.expiring));
	expect(&asked, 0, WORDS("certhup", "verify", scene.expiring, "--expires-within=24h"));
	expect(&expired, 6, WORDS("certhup", "verify", scene.expired));
	assert_non_null(strstr(program_out(&expired), "unfit (expired)"));
	expect(&mixed, 6, WORDS("certhup", "verify", scene.mixed));
	assert_non_null(strstr(program_out(&mixed), "unfit (key_mismatch)"));
	expect(&missing, 1, WORDS("certhup", "verify", scene.dir));
	assert_non_null(strstr(program_err(&missing), "no ..data"));
}

static void verify_speaks_json(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_json_ struct json *j = NULL;

	expect(&p, 6, WORDS("certhup", "verify", scene.mixed, "-o", "json"));
	j = parse(program_out(&p));
	assert_false(json_bool(json_at(j, "fit", NULL), true));
	assert_string_equal(json_text(j, "reason", NULL), "key_mismatch");
}

static void inspect_shows_a_directory_and_never_a_key(void **state _unused_)
{
	static const char *const lines[] = {
	    "Generation:     ..2026_01_02_03_04_05.0123456789abcdef0123456789abcdef\n",
	    "\nSubject:        CN=web.example\n", "\nSANs:           DNS:localhost, IP:127.0.0.1\n",
	    "\ntls.key   0644   0:0 ", "\nChain:          2 certificates\n"};
	_cleanup_program_ struct program p = {0};
	_cleanup_program_ struct program as_json = {0};
	_cleanup_program_ struct program bundle = {0};
	_cleanup_json_ struct json *j = NULL;

	expect(&p, 0, WORDS("certhup", "inspect", scene.laid_out));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(program_out(&p), lines[i]))
			fail_msg("no \"%s\" in %s", lines[i], program_out(&p));
	expect(&as_json, 0, WORDS("certhup", "inspect", scene.laid_out, "-o=json"));
	j = parse(program_out(&as_json));
	assert_int_equal(json_length(json_at(j, "files", NULL)), 3);
	assert_int_equal(json_length(json_at(j, "certificates", NULL)), 2);
	expect(&bundle, 0, WORDS("certhup", "inspect", scene.bundle));
	assert_non_null(strstr(program_out(&bundle), "\nSubject:        CN=web.example\n"));
}

/* ---- probe, against a server that wants a client certificate ---- */

/* A server with a leaf of its own; dir gets its pair. */
static void serve_leaf(struct tls_server *s, const char *dir)
{
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *leaf = pki_sign(&(struct pki_cert){0}, key, scene.pki.intermediate,
			      scene.pki.intermediate_key);
	X509 *const chain[] = {leaf, scene.pki.intermediate, NULL};
	const struct tls_behaviour behaviour = {.identity = {.chain = chain, .key = key},
						.client_ca = scene.pki.root};
	_cleanup_free_ char *crt = pki_cert_pem(leaf);
	_cleanup_free_ char *key_pem = pki_key_pem(key, PKI_PKCS8);
	_cleanup_free_ char *both =
	    pki_join((const char *const[]){crt, scene.pki.intermediate_pem, NULL});

	write_pair(dir, both, key_pem, scene.pki.root_pem);
	tls_server_start(s, "127.0.0.1", tls_serve, &behaviour);
	X509_free(leaf);
}

static void probe_tells_whether_the_expected_leaf_is_served(void **state _unused_)
{
	_cleanup_tls_server_ struct tls_server s;
	_cleanup_program_ struct program plain = {0};
	_cleanup_program_ struct program same = {0};
	_cleanup_program_ struct program other = {0};
	_cleanup_json_ struct json *j = NULL;
	char dir[128];
	char where[64];

	make_dir("served", dir, sizeof(dir));
	serve_leaf(&s, dir);
	snprintf(where, sizeof(where), "127.0.0.1:%u", s.port);
	expect(&plain, 0, WORDS("certhup", "probe", where));
	assert_non_null(strstr(program_out(&plain), "\nProtocol:       TLSv1.3\n"));
	expect(&same, 0,
	       WORDS("certhup", "probe", where, "--expect-dir", dir, "--client-dir", dir, "-o",
		     "json"));
	j = parse(program_out(&same));
	assert_true(json_bool(json_at(j, "match", NULL), false));
	assert_false(json_bool(json_at(j, "clientRefused", NULL), true));
	assert_string_equal(json_text(j, "fingerprint", NULL), json_text(j, "expected", NULL));
	expect(&other, 3, WORDS("certhup", "probe", where, "--expect-dir", scene.good));
	assert_non_null(strstr(program_out(&other), "another certificate is served"));
}

/* The kernel takes the connection, and nobody ever reads from it. */
static void probe_of_a_port_that_never_answers_says_so(void **state _unused_)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_program_ struct program p = {0};
	socklen_t len = sizeof(at);
	char where[32];

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(at.sin_port));
	expect(&p, 1, WORDS("certhup", "probe", where, "--timeout=300ms"));
	assert_non_null(strstr(program_err(&p),
			       ": connected, but the TLS handshake timed out: no answer in "
			       "time; does it speak TLS at once, for this name?\n"));
}

/* The volume of a pod with init or sidecar, of which one is meant that they made below. */
static void directory_above_the_pair_is_answered_with_the_one_below(void **state _unused_)
{
	static const char *const commands[] = {"verify", "inspect"};
	char above[128];
	char below[160];
	char hint[256];

	make_dir("above", above, sizeof(above));
	snprintf(below, sizeof(below), "%s/certhup", above);
	assert_int_equal(symlink(scene.laid_out, below), 0);
	snprintf(hint, sizeof(hint), "; did you mean %s, where init and sidecar write?\n", below);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		_cleanup_program_ struct program p = {0};
		_cleanup_program_ struct program meant = {0};
		_cleanup_program_ struct program other = {0};

		expect(&p, 1, WORDS("certhup", commands[i], above));
		assert_non_null(strstr(program_err(&p), hint));
		expect(&meant, 0, WORDS("certhup", commands[i], below));
		expect(&other, 1, WORDS("certhup", commands[i], "/"));
		assert_null(strstr(program_err(&other), "did you mean"));
	}
}

static void probe_says_what_went_wrong(void **state _unused_)
{
	static const struct {
		const char *where;
		int code;
		const char *message;
	} rows[] = {
	    {"127.0.0.1:1", 1, "127.0.0.1:1: no connection: "},
	    {"[::1]:1", 1, "[::1]:1: no connection: "},
	    {"localhost", 2, "localhost is not HOST:PORT"},
	    {"localhost:0", 2, "localhost:0 is not HOST:PORT"},
	    {":443", 2, ":443 is not HOST:PORT"},
	    {"https://localhost:443", 2, "https://localhost:443 is not HOST:PORT"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_program_ struct program p = {0};

		expect(&p, rows[i].code, WORDS("certhup", "probe", rows[i].where));
		if (!strstr(program_err(&p), rows[i].message))
			fail_msg("no \"%s\" in %s", rows[i].message, program_err(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_command_has_help_with_examples_flags_and_exit_codes),
	    cmocka_unit_test(the_reference_says_what_help_says),
	    cmocka_unit_test(usage_errors_end_with_two_and_name_the_nearest),
	    cmocka_unit_test(no_command_at_all_shows_the_overview_and_ends_with_two),
	    cmocka_unit_test(version_is_text_or_json),
	    cmocka_unit_test(a_full_disk_behind_standard_output_is_a_failure),
	    cmocka_unit_test(verify_tells_fit_expiring_and_unfit_apart),
	    cmocka_unit_test(verify_speaks_json),
	    cmocka_unit_test(inspect_shows_a_directory_and_never_a_key),
	    cmocka_unit_test(probe_tells_whether_the_expected_leaf_is_served),
	    cmocka_unit_test(probe_says_what_went_wrong),
	    cmocka_unit_test(probe_of_a_port_that_never_answers_says_so),
	    cmocka_unit_test(directory_above_the_pair_is_answered_with_the_one_below),
	};
	char certhup[PATH_MAX];

	program_path("certhup", certhup, sizeof(certhup));
	setenv("CERTHUP_UNDER_TEST", certhup, 1);
	return cmocka_run_group_tests(tests, setup_scene, teardown_scene);
}
