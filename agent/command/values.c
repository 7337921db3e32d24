/* SPDX-License-Identifier: Apache-2.0 */
#include "command/values.h"

#include "base/text.h"

#include <string.h>

static int store_choice(const struct option *o, const char *text, int *ret)
{
	size_t len = strlen(text);
	int place = 0;

	for (const char *c = o->choices; *c; place++) {
		size_t n = strcspn(c, "|");

		if (n == len && memcmp(c, text, n) == 0) {
			*ret = place;
			return 0;
		}
		c += n + (c[n] == '|');
	}
	return -1;
}

static int store_bool(const char *text, bool *ret)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -1;
	*ret = text[0] == 't';
	return 0;
}

int value_store(const struct option *o, const char *text, void *settings)
{
	void *at = (char *)settings + o->at;
	uint64_t number;

	switch (o->type) {
	case OPTION_TEXT:
		if (o->accepts && !o->accepts(text))
			return -1;
		*(const char **)at = text;
		return 0;
	case OPTION_BOOL:
		return store_bool(text, at);
	case OPTION_NUMBER:
		if (text_parse_u64(text, (uint64_t)o->min, (uint64_t)o->max, &number) < 0)
			return -1;
		*(int64_t *)at = (int64_t)number;
		return 0;
	case OPTION_DURATION:
		if (text_parse_duration(text, o->max, at) < 0)
			return -1;
		return *(int64_t *)at < o->min ? -1 : 0;
	case OPTION_MODE:
		return text_parse_mode(text, at);
	case OPTION_CHOICE:
		return store_choice(o, text, at);
	}
	return -1;
}

void value_describe(const struct option *o, char *to, size_t size)
{
	char low[TEXT_DURATION];
	char high[TEXT_DURATION];

	switch (o->type) {
	case OPTION_BOOL:
		snprintf(to, size, "true or false");
		break;
	case OPTION_NUMBER:
		snprintf(to, size, "a number from %lld to %lld", (long long)o->min,
			 (long long)o->max);
		break;
	case OPTION_DURATION:
		text_duration(o->min, low);
		text_duration(o->max, high);
		snprintf(to, size, "a duration such as 90s or 1h30m, from %s to %s", low, high);
		break;
	case OPTION_MODE:
		snprintf(to, size,
			 "one of " TEXT_MODES ": only the owner may write, and nobody runs a key");
		break;
	case OPTION_CHOICE:
		snprintf(to, size, "one of %s", o->choices);
		break;
	case OPTION_TEXT:
		snprintf(to, size, "%s", o->right ? o->right : "text");
		break;
	}
}
