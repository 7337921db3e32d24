/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/apiserver.h"
#include "tests/lib/standin_call.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define COMMAND_MAX (16 * MIB)

static const char usage[] =
    "Usage: apiserver --dir DIR [--listen ADDRESS:PORT] [--name NAME] [--rules FILE]\n"
    "                 [--window CHANGES] [--with-parent]\n"
    "       apiserver ctl DIR COMMAND\n"
    "\n"
    "A stand-in Kubernetes API server for tests. Writes DIR/kubeconfig and prints READY\n"
    "and its URL. It ends on SIGTERM, and with --with-parent when its parent ends.\n"
    "ctl sends one admin command, a JSON object, and prints what the server says:\n"
    "\n"
    "  apiserver ctl /tmp/k '{\"do\": \"state\"}'\n"
    "  apiserver ctl /tmp/k '{\"do\": \"fault\", \"verb\": \"watch\", \"status\": 503}'\n"
    "\n"
    "tests/apiserver/README.md lists the commands.\n";

enum {
	EXIT_USAGE = 2
};

static int fail(const struct err *e)
{
	fprintf(stderr, "apiserver: %s\n", e->message);
	return EXIT_FAILURE;
}

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static int control(int argc, char **argv)
{
	struct err e;
	struct standin_answer answer;
	char path[600];
	_cleanup_buf_ struct buf input;
	buf_init(&input, COMMAND_MAX);
	if (argc != 4)
		return wrong_usage();
	const char *command = argv[3];
	if (!strcmp(command, "-")) {
		if (file_read(AT_FDCWD, "/dev/stdin", &input, &e) < 0)
			return fail(&e);
		command = buf_str(&input);
	}
	snprintf(path, sizeof(path), "%s/admin.sock", argv[2]);
	_cleanup_close_ int fd = standin_connect(path, &e);
	if (fd < 0 || standin_call(fd, command, &answer, &e) < 0)
		return fail(&e);
	fputs(answer.text, answer.ok ? stdout : stderr);
	if (!answer.ok || (answer.len && answer.text[answer.len - 1] != '\n'))
		fputs("\n", answer.ok ? stdout : stderr);
	free(answer.text);
	return answer.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
	(void)signal;
	(void)what;
	event_base_loopbreak(arg);
}

static int serve(const struct apiserver_options *options)
{
	struct err e;
	struct apiserver *server = NULL;
	struct event_base *base = event_base_new();
	if (!base)
		return EXIT_FAILURE;
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
	int code = EXIT_SUCCESS;
	if (!term || !interrupt || event_add(term, NULL) < 0 || event_add(interrupt, NULL) < 0) {
		code = EXIT_FAILURE;
	} else if (apiserver_new(base, options, &server, &e) < 0) {
		code = fail(&e);
	} else {
		printf("READY https://%s:%u\n", options->address, apiserver_port(server));
		fflush(stdout);
		event_base_dispatch(base);
	}
	apiserver_free(server);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	event_base_free(base);
	return code;
}

/* "127.0.0.1:0"; the text is cut at the colon. */
static int read_address(char *text, struct apiserver_options *o)
{
	uint64_t port = 0;
	char *colon = strrchr(text, ':');
	if (!colon || text_parse_u64(colon + 1, 0, UINT16_MAX, &port) < 0)
		return -1;
	*colon = '\0';
	o->address = text;
	o->port = (uint16_t)port;
	return 0;
}

static int read_arguments(int argc, char **argv, struct apiserver_options *o)
{
	static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
						{"listen", required_argument, NULL, 'l'},
						{"name", required_argument, NULL, 'n'},
						{"rules", required_argument, NULL, 'r'},
						{"window", required_argument, NULL, 'w'},
						{"with-parent", no_argument, NULL, 'p'},
						{NULL, 0, NULL, 0}};
	uint64_t window = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'd')
			o->dir = optarg;
		else if (option == 'n')
			o->extra_name = optarg;
		else if (option == 'r')
			o->rules = optarg;
		else if (option == 'p')
			prctl(PR_SET_PDEATHSIG, SIGTERM);
		else if (option == 'w' && text_parse_u64(optarg, 1, 1000000, &window) == 0)
			o->window = window;
		else if (option != 'l' || read_address(optarg, o) < 0)
			return -1;
	}
	return o->dir && optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct apiserver_options options = {.address = "127.0.0.1"};
	struct err e;
	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return control(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (read_arguments(argc, argv, &options) < 0)
		return wrong_usage();
	if (mkdir(options.dir, 0700) < 0 && errno != EEXIST) {
		err_sys(&e, "make %s", options.dir);
		return fail(&e);
	}
	signal(SIGPIPE, SIG_IGN);
	return serve(&options);
}
