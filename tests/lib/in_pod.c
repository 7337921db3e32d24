/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/in_pod.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

struct in_pod pod;

const struct program_options as_container = {.uid = IN_POD_UID};

#define ACCOUNT "system:serviceaccount:default:web"

static void run_shell(const char *command)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void in_pod_kubeconfig(const struct in_pod *p, const char *token, char *ret_path)
{
	FILE *f;

	snprintf(ret_path, 128, "%s/kubeconfig-%s", p->dir, token);
	f = fopen(ret_path, "we");
	assert_non_null(f);
	fprintf(f,
		"apiVersion: v1\nkind: Config\ncurrent-context: c\n"
		"clusters:\n- name: c\n  cluster:\n    server: %s\n"
		"    certificate-authority: %s/ca.crt\n"
		"users:\n- name: u\n  user:\n    token: %s\n"
		"contexts:\n- name: c\n  context:\n    cluster: c\n    user: u\n",
		p->api.url, p->dir, token);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(ret_path, 0644), 0);
}

void in_pod_start(struct in_pod *p)
{
	char command[512];

	*p = (struct in_pod){0};
	standin_start(&p->api, NULL);
	pki_init(&p->pki);
	snprintf(p->dir, sizeof(p->dir), "/tmp/in_pod.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(chmod(p->dir, 0755), 0);
	snprintf(command, sizeof(command), "install -m 644 %s/ca.crt %s/ca.crt", p->api.dir,
		 p->dir);
	run_shell(command);
	standin_token(&p->api, "web-token", ACCOUNT);
	standin_allow(&p->api, "{\"user\": \"" ACCOUNT "\", \"verbs\": [\"get\", \"watch\"], "
			       "\"resources\": [\"secrets\"], \"namespace\": \"default\"}");
	in_pod_kubeconfig(p, "web-token", p->kubeconfig);
	snprintf(p->volume, sizeof(p->volume), "%s/volume", p->dir);
	snprintf(p->tls, sizeof(p->tls), "%s/certhup", p->volume);
	in_pod_volume(p, 01777, 0);
}

void in_pod_stop(struct in_pod *p)
{
	char command[128];

	standin_stop(&p->api);
	pki_done(&p->pki);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	run_shell(command);
}

void in_pod_volume(struct in_pod *p, unsigned mode, unsigned group)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s", p->volume);
	run_shell(command);
	assert_int_equal(mkdir(p->volume, 0755), 0);
	assert_int_equal(chown(p->volume, 0, group), 0);
	assert_int_equal(chmod(p->volume, mode), 0);
}

void in_pod_rotate(struct in_pod *p, const struct pki_cert *what, struct pki_pair *ret)
{
	pki_issue(&p->pki, what, PKI_P256, ret);
	standin_put_tls(&p->api, "default", "web-tls", ret->tls_crt, ret->tls_key, ret->ca_crt);
}

void in_pod_forget(struct in_pod *p)
{
	_cleanup_free_ char *secret = standin_get(&p->api, "secrets", "default", "web-tls");

	if (secret)
		standin_delete(&p->api, "secrets", "default", "web-tls");
}

static bool file_is(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b;
	struct err e;

	buf_init(&b, MIB);
	return file_read(AT_FDCWD, path, &b, &e) == 0 && strcmp(buf_str(&b), text) == 0;
}

bool in_pod_reads(const struct in_pod *p, const char *name, unsigned uid, unsigned group,
		  const char *text)
{
	char path[PATH_MAX];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", p->tls, name);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(2);
		_exit(file_is(path, text) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

bool in_pod_holds(const struct in_pod *p, const char *name, const char *text, int timeout_ms)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	int64_t end = clock_mono_ms(clock_system()) + timeout_ms;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->tls, name);
	while (!file_is(path, text)) {
		if (clock_mono_ms(clock_system()) > end)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

size_t in_pod_generations(const struct in_pod *p, size_t *ret_entries)
{
	DIR *d = opendir(p->tls);
	const struct dirent *entry;
	size_t generations = 0;

	*ret_entries = 0;
	while (d && (entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		++*ret_entries;
		generations += entry->d_type == DT_DIR;
	}
	if (d)
		closedir(d);
	return generations;
}

int in_pod_setup_group(void **state _unused_)
{
	in_pod_start(&pod);
	return 0;
}

int in_pod_teardown_group(void **state _unused_)
{
	in_pod_stop(&pod);
	return 0;
}

int in_pod_setup(void **state _unused_)
{
	in_pod_volume(&pod, 01777, 0);
	in_pod_forget(&pod);
	return 0;
}
