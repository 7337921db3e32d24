/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/in_pod.h"

#include "command/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

static char certhup[PATH_MAX];

#define INIT(...) IN_POD("init", __VA_ARGS__)

/* The base64 of the key's middle: it may be nowhere in what was said. */
static void assert_no_key(struct program *p, const struct pki_pair *pair)
{
	char line[65];

	snprintf(line, sizeof(line), "%.64s", strchr(pair->tls_key, '\n') + 1);
	assert_null(strstr(program_err(p), line));
	assert_null(strstr(program_out(p), line));
}

static void init_writes_the_secret_into_the_directory(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	size_t entries;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container, INIT("--log-level=debug")), 0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
	assert_true(in_pod_holds(&pod, "tls.key", pair.tls_key, 0));
	assert_true(in_pod_holds(&pod, "ca.crt", pair.ca_crt, 0));
	assert_int_equal(in_pod_generations(&pod, &entries), 1);
	assert_int_equal(entries, 5);
	assert_no_key(&p, &pair);
}

static void same_content_is_not_written_again(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_program_ struct program again = {0};
	_cleanup_pair_ struct pki_pair pair;
	struct stat before;
	struct stat after;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=20s")), 0);
	assert_int_equal(stat(pod.tls, &before), 0);
	assert_int_equal(program_run(&again, &as_container, INIT("--timeout=20s")), 0);
	assert_int_equal(stat(pod.tls, &after), 0);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void F6_secret_that_is_late_is_delivered(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;

	program_start(&p, &as_container, INIT("--timeout=30s"));
	assert_true(program_says(&p, "\"secret.absent\"", 15000));
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_wait(&p, 20000), 0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
}

static void F6_secret_that_never_comes_ends_with_four(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=4s")), 4);
	assert_non_null(strstr(program_err(&p), "Secret web-tls is not there"));
	assert_non_null(strstr(program_err(&p), "create it, or correct --secret"));
}

static void F6_secret_that_may_not_be_read_ends_with_five(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char kubeconfig[128];

	standin_token(&pod.api, "nobody-token", "system:serviceaccount:default:nobody");
	in_pod_kubeconfig(&pod, "nobody-token", kubeconfig);
	assert_int_equal(
	    program_run(&p, &as_container, INIT("--timeout=2s", "--kubeconfig", kubeconfig)), 5);
	assert_non_null(strstr(program_err(&p), "the time is over: "));
	assert_non_null(strstr(program_err(&p), "web-tls"));
	assert_null(strstr(program_err(&p), "nobody-token\""));
}

static void F6_pair_that_is_unfit_ends_with_six_and_is_not_written(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	_cleanup_pair_ struct pki_pair other;
	size_t entries;

	in_pod_rotate(&pod, NULL, &other);
	pki_issue(&pod.pki, NULL, PKI_P256, &pair);
	standin_put_tls(&pod.api, "default", "web-tls", pair.tls_crt, other.tls_key, NULL);
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=2s")), 6);
	assert_non_null(strstr(program_err(&p), "rejected (key_mismatch)"));
	assert_int_equal(in_pod_generations(&pod, &entries), 0);
	assert_int_equal(entries, 0);
}

static void F6_secret_that_is_mended_in_time_is_delivered(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;

	standin_put_tls(&pod.api, "default", "web-tls", "", "", NULL);
	program_start(&p, &as_container, INIT("--timeout=30s"));
	assert_true(program_says(&p, "\"certificate.rejected\"", 15000));
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_wait(&p, 20000), 0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
}

static void server_that_is_away_ends_with_one(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char kubeconfig[128];
	struct in_pod away = pod;

	snprintf(away.api.url, sizeof(away.api.url), "https://127.0.0.1:1");
	in_pod_kubeconfig(&away, "away", kubeconfig);
	assert_int_equal(
	    program_run(&p, &as_container, INIT("--timeout=2s", "--kubeconfig", kubeconfig)), 1);
	assert_non_null(strstr(program_err(&p), "the time is over: "));
}

static void kubeconfig_may_name_its_files_by_relative_paths(void **state _unused_)
{
	static const char script[] = "cd \"$1\" && sed 's#/.*/ca.crt#ca.crt#' \"$2\" > relative && "
				     "exec \"$0\" init --kubeconfig relative --secret web-tls "
				     "--dir volume --timeout 10s";
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(
	    program_run(&p, NULL, WORDS("/bin/sh", "-c", script, certhup, pod.dir, pod.kubeconfig)),
	    0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
}

static void ca_file_that_may_not_be_read_is_no_denied_secret(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	struct in_pod locked = pod;
	char kubeconfig[128];
	char path[PATH_MAX];

	snprintf(locked.dir, sizeof(locked.dir), "%.40s/locked", pod.dir);
	assert_int_equal(mkdir(locked.dir, 0755), 0);
	in_pod_kubeconfig(&locked, "web-token", kubeconfig);
	snprintf(path, sizeof(path), "%s/ca.crt", locked.dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(
	    program_run(&p, &as_container, INIT("--timeout=2s", "--kubeconfig", kubeconfig)), 1);
	assert_non_null(strstr(program_err(&p), "ca.crt: Permission denied"));
}

static void right_to_get_without_watch_is_enough(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char kubeconfig[128];

	standin_token(&pod.api, "get-token", "system:serviceaccount:default:get");
	standin_allow(&pod.api, "{\"user\": \"system:serviceaccount:default:get\", \"verbs\": "
				"[\"get\"], \"resources\": [\"secrets\"]}");
	in_pod_kubeconfig(&pod, "get-token", kubeconfig);
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(
	    program_run(&p, &as_container, INIT("--timeout=10s", "--kubeconfig", kubeconfig)), 0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
}

static void F6_right_that_comes_late_is_noticed(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char kubeconfig[128];

	standin_token(&pod.api, "late-token", "system:serviceaccount:default:late");
	in_pod_kubeconfig(&pod, "late-token", kubeconfig);
	in_pod_rotate(&pod, NULL, &pair);
	program_start(&p, &as_container, INIT("--timeout=60s", "--kubeconfig", kubeconfig));
	assert_true(program_says(&p, "\"secret.unreadable\"", 10000));
	standin_allow(&pod.api, "{\"user\": \"system:serviceaccount:default:late\", \"verbs\": "
				"[\"get\", \"watch\"], \"resources\": [\"secrets\"]}");
	assert_int_equal(program_wait(&p, 30000), 0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
}

/* An emptyDir of a pod without fsGroup: sticky, everybody may write, links of others are not followed. */
static void reader_of_another_uid_follows_our_links_in_a_sticky_directory(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	struct stat st;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=20s")), 0);
	assert_int_equal(stat(pod.tls, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_true(in_pod_reads(&pod, "tls.crt", IN_POD_OTHER, IN_POD_OTHER, pair.tls_crt));
	assert_true(in_pod_reads(&pod, "tls.key", IN_POD_OTHER, IN_POD_OTHER, pair.tls_key));
}

static bool links_are_protected(void)
{
	char c = '0';
	int fd = open("/proc/sys/fs/protected_symlinks", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = '0';
	closep(&fd);
	return c == '1';
}

/* Why there is a subdirectory at all. */
static void without_a_subdirectory_the_kernel_refuses_other_readers(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	struct in_pod flat = pod;

	if (!links_are_protected()) {
		fprintf(stderr, "SKIP: fs.protected_symlinks is not 1\n");
		skip();
	}
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container, INIT("--subdir=.")), 0);
	snprintf(flat.tls, sizeof(flat.tls), "%s", pod.volume);
	assert_true(in_pod_reads(&flat, "tls.crt", IN_POD_UID, IN_POD_UID, pair.tls_crt));
	assert_false(in_pod_reads(&flat, "tls.crt", IN_POD_OTHER, IN_POD_OTHER, pair.tls_crt));
}

static void setgid_directory_gives_the_files_to_the_group(void **state _unused_)
{
	const struct program_options options = {.uid = IN_POD_UID, .group = IN_POD_GROUP};
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char path[PATH_MAX];
	struct stat st;

	in_pod_volume(&pod, 02777, IN_POD_GROUP);
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &options, INIT("--timeout=20s")), 0);
	snprintf(path, sizeof(path), "%s/tls.key", pod.tls);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	assert_int_equal(st.st_gid, IN_POD_GROUP);
	assert_int_equal(st.st_uid, IN_POD_UID);
	assert_true(in_pod_reads(&pod, "tls.key", IN_POD_OTHER, IN_POD_GROUP, pair.tls_key));
	assert_false(in_pod_reads(&pod, "tls.key", IN_POD_OTHER, IN_POD_OTHER, pair.tls_key));
}

static void file_mode_is_what_the_flag_says(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char path[PATH_MAX];
	struct stat st;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container, INIT("--file-mode=0400")), 0);
	snprintf(path, sizeof(path), "%s/tls.key", pod.tls);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
}

static void items_bundle_and_combined_shape_the_files(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	_cleanup_free_ char *bundle = NULL;
	_cleanup_free_ char *combined = NULL;
	size_t entries;

	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(program_run(&p, &as_container,
				     INIT("--items=tls.crt=cert.pem,tls.key=key.pem",
					  "--bundle=bundle.pem", "--combined=combined.pem")),
			 0);
	bundle = pki_join((const char *const[]){pair.tls_key, pair.tls_crt, NULL});
	combined = pki_join((const char *const[]){pair.tls_key, "\n", pair.tls_crt, NULL});
	assert_true(in_pod_holds(&pod, "cert.pem", pair.tls_crt, 0));
	assert_true(in_pod_holds(&pod, "key.pem", pair.tls_key, 0));
	assert_true(in_pod_holds(&pod, "bundle.pem", bundle, 0));
	assert_true(in_pod_holds(&pod, "combined.pem", combined, 0));
	assert_int_equal(in_pod_generations(&pod, &entries), 1);
	assert_int_equal(entries, 6);
}

static void directory_that_cannot_be_used_fails_at_once_and_says_why(void **state _unused_)
{
	static const struct {
		const char *flag;
		const char *message;
	} rows[] = {
	    {"--dir=/nonexistent", "--dir /nonexistent: No such file or directory"},
	    {"--dir=/proc/1", "make certhup"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_program_ struct program p = {0};

		assert_int_equal(program_run(&p, &as_container, INIT(rows[i].flag)), 1);
		if (!strstr(program_err(&p), rows[i].message))
			fail_msg("no \"%s\" in %s", rows[i].message, program_err(&p));
	}
}

static void subdirectory_of_another_uid_is_refused(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};

	assert_int_equal(mkdir(pod.tls, 0777), 0);
	assert_int_equal(chown(pod.tls, IN_POD_OTHER, IN_POD_OTHER), 0);
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=2s")), 1);
	assert_non_null(strstr(program_err(&p), "belongs to uid 1234, we are uid 65532"));
}

static void link_in_place_of_the_subdirectory_is_not_followed(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char other[PATH_MAX];

	snprintf(other, sizeof(other), "%s/elsewhere", pod.volume);
	assert_int_equal(mkdir(other, 0777), 0);
	assert_int_equal(symlink("elsewhere", pod.tls), 0);
	assert_int_equal(program_run(&p, &as_container, INIT("--timeout=2s")), 1);
	assert_non_null(strstr(program_err(&p), "certhup is no directory of ours"));
	assert_int_equal(rmdir(other), 0);
}

static void last_sentence_goes_to_the_termination_log(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char path[PATH_MAX];
	char text[512] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/termination-log", pod.dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
	assert_int_equal(
	    program_run(&p, &as_container, INIT("--timeout=3s", "--termination-log", path)), 4);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_non_null(strstr(text, "the time is over: Secret web-tls is not there"));
}

static void usage_is_checked_before_anything_is_touched(void **state _unused_)
{
	static const struct {
		const char *flags[2];
		const char *message;
	} rows[] = {
	    {{"--secret=web-tls", "--timeout=1s"}, "error: --dir is required"},
	    {{"--dir=/tmp", "--timeout=1s"}, "error: --secret is required"},
	    {{"--secret=web-tls", "--file-mode=9"}, "error: --file-mode: "},
	};
	_cleanup_program_ struct program items = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_program_ struct program p = {0};

		assert_int_equal(
		    program_run(&p, &as_container,
				WORDS("certhup", "init", rows[i].flags[0], rows[i].flags[1])),
		    2);
		assert_memory_equal(program_err(&p), rows[i].message, strlen(rows[i].message));
	}
	assert_int_equal(program_run(&items, &as_container, INIT("--items=../x=y")), 2);
	assert_non_null(strstr(program_err(&items), "--items"));
}

/* ---- in a pod ---- */

/* Mounts a token where kubelet does. */
static bool mount_service_account(void)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "d=/run/secrets/kubernetes.io/serviceaccount; mount --make-rprivate / && "
		 "mount -t tmpfs -o mode=755 none /run && mkdir -p -m 755 $d && "
		 "install -m 644 %s/ca.crt $d/ca.crt && printf web-token > $d/token && "
		 "printf default > $d/namespace && chmod 644 $d/*",
		 pod.dir);
	if (unshare(CLONE_NEWNS) < 0)
		return false;
	switch (fork()) {
	case -1:
		return false;
	case 0:
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	default:
		break;
	}
	int status = -1;

	return wait(&status) > 0 && status == 0;
}

static void init_in_a_pod_uses_its_service_account(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	_cleanup_pair_ struct pki_pair pair;
	char port[64];
	const char *const env[] = {"KUBERNETES_SERVICE_HOST=127.0.0.1", port,
				   "CERTHUP_SECRET=web-tls", NULL};
	const struct program_options options = {
	    .uid = IN_POD_UID, .env = env, .before = mount_service_account};

	snprintf(port, sizeof(port), "KUBERNETES_SERVICE_PORT=%u", pod.api.port);
	in_pod_rotate(&pod, NULL, &pair);
	assert_int_equal(
	    program_run(&p, &options,
			WORDS("certhup", "init", "--dir", pod.volume, "--timeout=10s")),
	    0);
	assert_true(in_pod_holds(&pod, "tls.crt", pair.tls_crt, 0));
	assert_null(strstr(program_err(&p), "web-token"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(init_writes_the_secret_into_the_directory, in_pod_setup),
	    cmocka_unit_test_setup(init_in_a_pod_uses_its_service_account, in_pod_setup),
	    cmocka_unit_test_setup(same_content_is_not_written_again, in_pod_setup),
	    cmocka_unit_test_setup(F6_secret_that_is_late_is_delivered, in_pod_setup),
	    cmocka_unit_test_setup(F6_secret_that_never_comes_ends_with_four, in_pod_setup),
	    cmocka_unit_test_setup(F6_secret_that_may_not_be_read_ends_with_five, in_pod_setup),
	    cmocka_unit_test_setup(F6_pair_that_is_unfit_ends_with_six_and_is_not_written,
				   in_pod_setup),
	    cmocka_unit_test_setup(F6_secret_that_is_mended_in_time_is_delivered, in_pod_setup),
	    cmocka_unit_test_setup(server_that_is_away_ends_with_one, in_pod_setup),
	    cmocka_unit_test_setup(kubeconfig_may_name_its_files_by_relative_paths, in_pod_setup),
	    cmocka_unit_test_setup(ca_file_that_may_not_be_read_is_no_denied_secret, in_pod_setup),
	    cmocka_unit_test_setup(right_to_get_without_watch_is_enough, in_pod_setup),
	    cmocka_unit_test_setup(F6_right_that_comes_late_is_noticed, in_pod_setup),
	    cmocka_unit_test_setup(reader_of_another_uid_follows_our_links_in_a_sticky_directory,
				   in_pod_setup),
	    cmocka_unit_test_setup(without_a_subdirectory_the_kernel_refuses_other_readers,
				   in_pod_setup),
	    cmocka_unit_test_setup(setgid_directory_gives_the_files_to_the_group, in_pod_setup),
	    cmocka_unit_test_setup(file_mode_is_what_the_flag_says, in_pod_setup),
	    cmocka_unit_test_setup(items_bundle_and_combined_shape_the_files, in_pod_setup),
	    cmocka_unit_test_setup(directory_that_cannot_be_used_fails_at_once_and_says_why,
				   in_pod_setup),
	    cmocka_unit_test_setup(subdirectory_of_another_uid_is_refused, in_pod_setup),
	    cmocka_unit_test_setup(link_in_place_of_the_subdirectory_is_not_followed, in_pod_setup),
	    cmocka_unit_test_setup(last_sentence_goes_to_the_termination_log, in_pod_setup),
	    cmocka_unit_test_setup(usage_is_checked_before_anything_is_touched, in_pod_setup),
	};

	program_path("certhup", certhup, sizeof(certhup));
	return cmocka_run_group_tests(tests, in_pod_setup_group, in_pod_teardown_group);
}
