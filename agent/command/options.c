/* SPDX-License-Identifier: Apache-2.0 */
#include "command/options.h"

#include "base/file.h"
#include "base/text.h"
#include "command/nearest.h"
#include "command/values.h"

#include <fcntl.h>
#include <string.h>

/* What was said of each option, and where. */
struct said {
	const char *flag[OPTIONS_SIZE];
	const char *config[OPTIONS_SIZE];
	unsigned line[OPTIONS_SIZE]; /* of the configuration file */
	const char *config_path;
};

struct parse {
	const struct option *options;
	size_t count;
	int argc;
	char *const *argv;
	int next; /* word of argv to be looked at */
	struct said said;
	struct arguments *out;
};

void arguments_done(struct arguments *a)
{
	buf_done(&a->config);
}

void option_env(const char *name, char ret_env[static OPTION_ENV])
{
	size_t n = (size_t)snprintf(ret_env, OPTION_ENV, "CERTHUP_%s", name);

	for (size_t i = 0; i < n && i < OPTION_ENV - 1; i++)
		if (ret_env[i] == '-')
			ret_env[i] = '_';
		else if (ret_env[i] >= 'a' && ret_env[i] <= 'z')
			ret_env[i] = (char)(ret_env[i] - 'a' + 'A');
}

static const struct option *find(const struct parse *p, const char *name, size_t len)
{
	for (size_t i = 0; i < p->count; i++)
		if (strlen(p->options[i].name) == len && memcmp(p->options[i].name, name, len) == 0)
			return &p->options[i];
	return NULL;
}

static const char *near_flag(const struct parse *p, const char *name)
{
	const char *names[OPTIONS_SIZE];

	for (size_t i = 0; i < p->count; i++)
		names[i] = p->options[i].name;
	return nearest(name, names, p->count);
}

static int unknown(const struct parse *p, const char *name, const char *dashes, struct err *e)
{
	const char *meant = near_flag(p, name);

	err_set(e, ERR_INVALID, "unknown flag %s%s", dashes, name);
	if (meant)
		err_tail(e, "did you mean %s%s?", dashes, meant);
	return -1;
}

/* The value of the flag at p->next - 1: behind "=", or the next word. */
static int take_value(struct parse *p, const struct option *o, const char *attached, struct err *e)
{
	const char **place = &p->said.flag[o - p->options];

	if (attached)
		*place = attached;
	else if (o->type == OPTION_BOOL)
		*place = "true";
	else if (p->next < p->argc)
		*place = p->argv[p->next++];
	else
		return err_set(e, ERR_INVALID, "--%s needs a value: %s", o->name, o->value);
	return 0;
}

static int take_long(struct parse *p, const char *word, struct err *e)
{
	size_t len = strcspn(word, "=");
	const struct option *o = find(p, word, len);
	char name[OPTION_ENV];

	if (o)
		return take_value(p, o, word[len] ? word + len + 1 : NULL, e);
	snprintf(name, sizeof(name), "%.*s", (int)(len < OPTION_ENV ? len : OPTION_ENV - 1), word);
	if (strcmp(name, "help") == 0) {
		p->out->help = true;
		return 0;
	}
	return unknown(p, name, "--", e);
}

/* "-n", "-nx", "-n=x" or "-n x". */
static int take_short(struct parse *p, const char *word, struct err *e)
{
	const char *attached = word[1] ? word + 1 + (word[1] == '=') : NULL;

	if (strcmp(word, "h") == 0) {
		p->out->help = true;
		return 0;
	}
	for (size_t i = 0; i < p->count; i++)
		if (p->options[i].letter == word[0])
			return take_value(p, &p->options[i], attached, e);
	return unknown(p, word, "-", e);
}

static int take_operand(struct parse *p, const char *word, struct err *e)
{
	if (p->out->operand_count == LIMIT_OPERANDS)
		return err_set(e, ERR_INVALID, "more than %d arguments", LIMIT_OPERANDS);
	p->out->operands[p->out->operand_count++] = word;
	return 0;
}

static int take_words(struct parse *p, struct err *e)
{
	bool flags = true;
	int r = 0;

	while (p->next < p->argc && r == 0) {
		const char *word = p->argv[p->next++];

		if (!flags || word[0] != '-' || word[1] == '\0')
			r = take_operand(p, word, e);
		else if (strcmp(word, "--") == 0)
			flags = false;
		else if (word[1] == '-')
			r = take_long(p, word + 2, e);
		else
			r = take_short(p, word + 1, e);
	}
	return r;
}

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return s + strspn(s, " \t");
}

/* One line of the configuration file, which it may change. */
static int take_line(struct parse *p, char *line, unsigned number, struct err *e)
{
	const struct option *o;
	char *text = trim(line);
	char *equals = strchr(text, '=');
	char *name;
	size_t i;

	if (*text == '\0' || *text == '#')
		return 0;
	if (!equals)
		return err_set(e, ERR_INVALID, "expected flag = value");
	*equals = '\0';
	name = trim(text);
	o = find(p, name, strlen(name));
	if (!o)
		return unknown(p, name, "", e);
	if (strcmp(name, "config") == 0)
		return err_set(e, ERR_INVALID, "one file cannot name another");
	i = (size_t)(o - p->options);
	if (p->said.config[i])
		return err_set(e, ERR_INVALID, "%s stands in line %u already", name,
			       p->said.line[i]);
	p->said.config[i] = trim(equals + 1);
	p->said.line[i] = number;
	return 0;
}

static int take_config(struct parse *p, const char *path, struct err *e)
{
	unsigned number = 1;
	char *next;

	p->said.config_path = path;
	if (file_read(AT_FDCWD, path, &p->out->config, e) < 0)
		return err_add(e, "--config");
	if (!text_is_utf8(buf_str(&p->out->config), p->out->config.len))
		return err_set(e, ERR_INVALID, "%s: not UTF-8 text", path);
	for (char *line = p->out->config.data; line; line = next, number++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (take_line(p, line, number, e) < 0)
			return err_add(e, "%s:%u", path, number);
	}
	return 0;
}

static const char *from_env(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* Where a value came from, in front of a complaint. */
struct origin {
	char where[512];
};

/* The text of one option by precedence, or NULL. */
static const char *resolve(const struct parse *p, size_t i, struct origin *ret)
{
	const struct option *o = &p->options[i];
	char env[OPTION_ENV];
	const char *text = p->said.flag[i];

	snprintf(ret->where, sizeof(ret->where), "--%s", o->name);
	if (text)
		return text;
	option_env(o->name, env);
	text = from_env(env);
	if (!text && o->env) {
		text = from_env(o->env);
		snprintf(env, sizeof(env), "%s", o->env);
	}
	if (text) {
		snprintf(ret->where, sizeof(ret->where), "%s in the environment", env);
		return text;
	}
	text = p->said.config[i];
	if (text)
		snprintf(ret->where, sizeof(ret->where), "%s:%u: %s", p->said.config_path,
			 p->said.line[i], o->name);
	return text ? text : o->otherwise;
}

static int store_all(const struct parse *p, void *settings, struct err *e)
{
	for (size_t i = 0; i < p->count; i++) {
		struct origin origin;
		const char *text = resolve(p, i, &origin);
		char right[256];

		if (!text || value_store(&p->options[i], text, settings) == 0)
			continue;
		value_describe(&p->options[i], right, sizeof(right));
		return err_set(e, ERR_INVALID, "%s: \"%.64s\" is not %s", origin.where, text,
			       right);
	}
	return 0;
}

int options_parse(const struct option *options, size_t count, int argc, char *const *argv,
		  void *settings, struct arguments *ret, struct err *e)
{
	struct parse p = {
	    .options = options, .count = count, .argc = argc, .argv = argv, .out = ret};
	const struct option *config;
	struct origin origin;

	*ret = (struct arguments){0};
	buf_init(&ret->config, LIMIT_CONFIG);
	if (count > OPTIONS_SIZE)
		return err_set(e, ERR_INTERNAL, "more than %d flags", OPTIONS_SIZE);
	if (take_words(&p, e) < 0)
		return -1;
	if (ret->help)
		return 0;
	config = find(&p, "config", strlen("config"));
	if (config) {
		const char *path = resolve(&p, (size_t)(config - options), &origin);

		if (path && take_config(&p, path, e) < 0)
			return -1;
	}
	return store_all(&p, settings, e);
}
