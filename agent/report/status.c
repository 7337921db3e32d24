/* SPDX-License-Identifier: Apache-2.0 */
#include "report/status.h"

#include "base/limits.h"
#include "event/http.h"

#include <string.h>

struct status_server {
	struct http_server *server;
	int (*write_status)(void *arg, struct buf *body, struct err *e);
	void *arg;
};

static int answer(void *arg, const char *path, struct buf *body, const char **ret_content_type)
{
	struct status_server *s = arg;
	struct err ignored;
	struct err e;

	if (strcmp(path, "/status") != 0)
		return buf_add_str(body, "try /status\n", &ignored) < 0 ? 500 : 404;
	if (s->write_status(s->arg, body, &e) < 0) {
		buf_reset(body);
		(void)!buf_printf(body, &ignored, "%s\n", e.message);
		return 500;
	}
	*ret_content_type = "application/json";
	return 200;
}

int status_server_new(struct loop *loop, const char *path,
		      int (*write_status)(void *arg, struct buf *body, struct err *e), void *arg,
		      struct status_server **ret, struct err *e)
{
	struct status_server *s = calloc(1, sizeof(*s));
	struct http_options options = {.max_connections = LIMIT_STATUS_CONNECTIONS,
				       .same_uid_only = true,
				       .handler = answer,
				       .arg = s};
	_cleanup_buf_ struct buf listen;

	buf_init(&listen, LIMIT_HTTP_SMALL);
	if (!s)
		return err_sys(e, "status socket");
	s->write_status = write_status;
	s->arg = arg;
	if (buf_printf(&listen, e, "unix:%s", path) == 0)
		options.listen = buf_str(&listen);
	if (!options.listen || http_server_new(loop, &options, &s->server, e) < 0) {
		free(s);
		return err_add(e, "status socket");
	}
	*ret = s;
	return 0;
}

struct status_server *status_server_free(struct status_server *s)
{
	if (s)
		http_server_free(s->server);
	free(s);
	return NULL;
}
