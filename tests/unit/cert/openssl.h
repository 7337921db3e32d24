/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the openssl program says of a pair. It takes a pair when
 *   - tls.crt is read to its end as PEM with at least one certificate, and ca.crt too unless empty;
 *   - pkey -check finds the key valid, and its public part is that of tls.crt's first certificate;
 *   - verify -partial_chain, with the last certificate of tls.crt trusted, builds a chain of all
 *     certificates of tls.crt in their order, all valid at this moment.
 */

#include "base/defs.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define OPENSSL_OUTPUT (1 << 20)
#define OPENSSL_CHAIN 64

struct openssl {
	char dir[64];
	char output[OPENSSL_OUTPUT]; /* of the last command */
};

static inline void openssl_init(struct openssl *o)
{
	snprintf(o->dir, sizeof(o->dir), "/tmp/openssl.XXXXXX");
	assert_non_null(mkdtemp(o->dir));
	assert_int_equal(chdir(o->dir), 0);
}

static inline int openssl_remove(const char *path, const struct stat *st _unused_,
				 int type _unused_, struct FTW *at _unused_)
{
	return remove(path);
}

static inline void openssl_done(struct openssl *o)
{
	assert_int_equal(chdir("/"), 0);
	nftw(o->dir, openssl_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void openssl_write(const char *name, const char *text, size_t len)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, len) == (ssize_t)len);
}

static inline void openssl_read(struct openssl *o, const char *name)
{
	_cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, o->output, sizeof(o->output) - 1) : 0;

	o->output[n > 0 ? n : 0] = '\0';
}

/* Runs `openssl ARGUMENTS`, words parted by spaces, and takes its output. True when it exits 0. */
static inline bool openssl_run(struct openssl *o, const char *arguments)
{
	char words[512];
	char *argv[32];
	size_t argc = 0;
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t pid;

	snprintf(words, sizeof(words), "openssl %s", arguments);
	for (char *rest = words; rest && argc < ARRAY_LEN(argv) - 1;)
		argv[argc++] = strsep(&rest, " ");
	argv[argc] = NULL;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawnp(&pid, "openssl", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	openssl_read(o, "output");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The subjects of the certificates in a file, in order; writes the last one to last.pem. Returns how
 * many there are, 0 when the file is not PEM to its end. */
static inline size_t openssl_list(struct openssl *o, const char *file,
				  char subjects[OPENSSL_CHAIN][128])
{
	char command[128];
	size_t count = 0;

	snprintf(command, sizeof(command), "crl2pkcs7 -nocrl -certfile %s -out p7", file);
	if (!openssl_run(o, command) || !openssl_run(o, "pkcs7 -in p7 -print_certs"))
		return 0;
	for (const char *p = o->output; (p = strstr(p, "subject=")) != NULL;) {
		p += strlen("subject=");
		if (count < OPENSSL_CHAIN)
			snprintf(subjects[count], 128, "%.*s", (int)strcspn(p, "\n"), p);
		count++;
	}
	for (const char *p = o->output; (p = strstr(p, "-----BEGIN")) != NULL;) {
		const char *end = strstr(p, "-----END CERTIFICATE-----\n");
		size_t len = (size_t)(end - p) + strlen("-----END CERTIFICATE-----\n");

		openssl_write("last.pem", p, len);
		p += len;
	}
	return count;
}

static inline bool openssl_takes_key(struct openssl *o)
{
	_cleanup_free_ char *public = NULL;
	const char *begin;

	/* It says that a key is invalid, and ends well. */
	if (!openssl_run(o, "pkey -in tls.key -passin pass: -check -pubout") ||
	    !strstr(o->output, "Key is valid"))
		return false;
	begin = strstr(o->output, "-----BEGIN PUBLIC KEY-----");
	assert_non_null(begin);
	public = strdup(begin);
	return openssl_run(o, "x509 -in tls.crt -noout -pubkey") && strcmp(o->output, public) == 0;
}

static inline bool openssl_takes_chain(struct openssl *o)
{
	static char subjects[OPENSSL_CHAIN][128];
	size_t count = openssl_list(o, "tls.crt", subjects);
	const char *p;

	if (count == 0 || count > OPENSSL_CHAIN ||
	    !openssl_run(o,
			 "verify -partial_chain -trusted last.pem -untrusted tls.crt -show_chain "
			 "tls.crt"))
		return false;
	p = o->output;
	for (size_t i = 0; i < count; i++) {
		p = strstr(p, "\ndepth=");
		if (!p)
			return false;
		p = strchr(p, ' ') + 1;
		if (strncmp(p, subjects[i], strlen(subjects[i])) != 0)
			return false;
	}
	return strstr(p, "\ndepth=") == NULL;
}

/* Is the pair taken? ca may be NULL. */
static inline bool openssl_takes(struct openssl *o, const char *crt, const char *key,
				 const char *ca)
{
	static char subjects[OPENSSL_CHAIN][128];

	openssl_write("tls.crt", crt, strlen(crt));
	openssl_write("tls.key", key, strlen(key));
	if (ca && *ca) {
		openssl_write("ca.crt", ca, strlen(ca));
		if (openssl_list(o, "ca.crt", subjects) == 0)
			return false;
	}
	return openssl_takes_chain(o) && openssl_takes_key(o);
}
