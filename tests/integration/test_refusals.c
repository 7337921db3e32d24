/* SPDX-License-Identifier: Apache-2.0 */

/* What somebody meets who starts certhup wrongly: the exit code, and a sentence with the next step. */

#include "tests/lib/in_pod.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define INIT(...) IN_POD("init", __VA_ARGS__)

#define ROOM 256
#define NOBODY 1234

static const struct program_options as_nobody = {.uid = NOBODY};

/* Ends with the code; what is said begins with the text, and all of it is one line. */
static void refused(const struct program_options *options, int code, const char *text,
		    const char *const *words)
{
	_cleanup_program_ struct program p = {0};
	int seen = program_run(&p, options, words);
	const char *said = program_err(&p);

	if (seen != code || strncmp(said, text, strlen(text)) != 0 ||
	    strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("%s %s ended with %d: %s", words[0], words[1], seen, said);
}

static void usage_errors_are_said_before_anything_starts(void **state _unused_)
{
	static const struct {
		const char *words[7];
		const char *message;
	} rows[] = {
	    {{"node", "--node-name=Bad Name"},
	     "error: --node-name: \"Bad Name\" is not a name of lower-case letters, digits, - and "
	     "."},
	    {{"node", "--node-name="}, "error: --node-name: \"\" is not a name of"},
	    {{"node"}, "error: the node's name is not known: set --node-name or NODE_NAME; see "},
	    {{"node", "--node-name=a", "--metrics-listen=foo"},
	     "error: --metrics-listen: \"foo\" is not a numeric address with a port, like"},
	    {{"node", "--node-name=a", "--driver=../x"},
	     "error: --driver: \"../x\" is not the name of a CSI driver"},
	    {{"node", "--node-name=a", "--policy-san-suffixes=a,,b"},
	     "error: --policy-san-suffixes: \"a,,b\" is not names with commas, such as corp."},
	    {{"node", "--node-name=a", "--policy-skew=0"},
	     "error: --policy-skew: \"0\" is not a duration such as 90s or 1h30m, from 1s to 24h"},
	    {{"sidecar", "--secret=a", "--dir=/tmp", "--metrics-listen=localhost:9402"},
	     "error: --metrics-listen: \"localhost:9402\" is not a numeric address"},
	    {{"init", "--secret=a", "--dir=/tmp", "--subdir=../x"},
	     "error: --subdir: \"../x\" is not the plain name of one directory, nor"},
	    {{"init", "--secret=a", "--dir=/tmp", "--namespace=A b"},
	     "error: --namespace: \"A b\" is not a name of lower-case letters"},
	    {{"init", "--secret=a", "--dir=/tmp", "--file-mode=0777"},
	     "error: --file-mode: \"0777\" is not one of 0400, 0440, 0444, 0600, 0640, 0644: "},
	    {{"init", "--secret=a", "--dir=/tmp", "--file-mode=0460"},
	     "error: --file-mode: \"0460\" is not one of"},
	    {{"init", "--secret=a", "--dir=/tmp", "--file-mode=0500"},
	     "error: --file-mode: \"0500\" is not one of"},
	    {{"init", "--secret=a", "--dir=/tmp", "--file-mode=4440"},
	     "error: --file-mode: \"4440\" is not one of"},
	    {{"init", "--secret=a", "--dir=/tmp", "--items=a=/b"},
	     "error: --items: 'a=/b' is not key=path,key=path with plain file names; see certhup "},
	    {{"init", "--secret=A b", "--dir=/tmp"}, "error: --secret: 'A b' is not the name of a"},
	    {{"sidecar", "--secret=a", "--dir=/tmp", "--reload=signal:KILL"},
	     "error: --reload: 'signal:KILL' is not none, signal:HUP"},
	    {{"sidecar", "--secret=a", "--dir=/tmp", "--splay=x"}, "error: --splay: 'x' is not a"},
	    {{"probe", "localhost"}, "error: localhost is not HOST:PORT; see certhup probe --help"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *words[8] = {"certhup"};

		memcpy(words + 1, rows[i].words, sizeof(rows[i].words));
		refused(NULL, 2, rows[i].message, words);
	}
}

static void node_without_root_says_who_needs_it_and_the_next_step(void **state _unused_)
{
	refused(&as_nobody, 1,
		"error: certhup-hand, which writes into the pods' volumes, needs root, and we are "
		"user 1234; start certhup node as root, as by sudo",
		WORDS("certhup", "node", "--node-name=a", "--kubeconfig=/nowhere"));
}

/* One cause is said once: the hand, which would complain too, is not started before. */
static void node_without_a_kubeconfig_speaks_of_that_alone(void **state _unused_)
{
	refused(NULL, 1, "error: kubeconfig: open /nowhere: No such file or directory",
		WORDS("certhup", "node", "--node-name=a", "--kubeconfig=/nowhere",
		      "--kubelet-root=/nowhere"));
}

static void write_private(const char *name, const char *text, char ret_path[static ROOM])
{
	int fd;

	snprintf(ret_path, ROOM, "%s/%s", pod.dir, name);
	fd = open(ret_path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void kubeconfig_that_may_not_be_read_names_the_user_and_the_remedy(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char path[ROOM];
	char hint[2 * ROOM + 256];

	write_private("private-config", "{}", path);
	assert_int_equal(program_run(&p, &as_container, INIT("--kubeconfig", path)), 1);
	snprintf(hint, sizeof(hint),
		 "Permission denied; we are user %d, who may not read it: give it to that user "
		 "(chown %d), and let the user through the directories above",
		 IN_POD_UID, IN_POD_UID);
	assert_non_null(strstr(program_err(&p), hint));
}

/* The head has become another user when it reads the token, and goes on trying. */
static void token_that_the_agents_user_may_not_read_names_both(void **state _unused_)
{
	_cleanup_program_ struct program p = {0};
	char token[ROOM];
	char config[ROOM];
	char root[ROOM];
	char hint[2 * ROOM + 256];
	char text[2 * ROOM + 512];

	write_private("private-token", "abc", token);
	snprintf(
	    text, sizeof(text),
	    "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], "
	    "users: [{name: a, user: {tokenFile: %s}}], "
	    "clusters: [{name: a, cluster: {server: '%s', certificate-authority: %s/ca.crt}}]}",
	    token, pod.api.url, pod.dir);
	write_private("token-config", text, config);
	snprintf(root, sizeof(root), "%s/kubelet/pods", pod.dir);
	assert_int_equal(program_run(&p, NULL, WORDS("/bin/mkdir", "-p", root)), 0);
	*strrchr(root, '/') = '\0';
	program_done(&p);
	p = (struct program){0};
	program_start(&p, NULL,
		      WORDS("certhup", "node", "--node-name=a", "--kubeconfig", config,
			    "--kubelet-root", root, "--status-socket=", "--metrics-listen="));
	snprintf(hint, sizeof(hint),
		 "token file: open %s: Permission denied; we are user 64402, who may not read it: "
		 "give it to that user (chown 64402), and",
		 token);
	assert_true(program_says(&p, hint, 15000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(usage_errors_are_said_before_anything_starts, in_pod_setup),
	    cmocka_unit_test_setup(node_without_root_says_who_needs_it_and_the_next_step,
				   in_pod_setup),
	    cmocka_unit_test_setup(node_without_a_kubeconfig_speaks_of_that_alone, in_pod_setup),
	    cmocka_unit_test_setup(kubeconfig_that_may_not_be_read_names_the_user_and_the_remedy,
				   in_pod_setup),
	    cmocka_unit_test_setup(token_that_the_agents_user_may_not_read_names_both,
				   in_pod_setup),
	};

	return cmocka_run_group_tests(tests, in_pod_setup_group, in_pod_teardown_group);
}
