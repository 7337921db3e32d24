/* SPDX-License-Identifier: Apache-2.0 */
#include "command/words.h"

#include "base/content.h"
#include "base/limits.h"
#include "base/text.h"
#include "event/listen.h"

#include <string.h>

bool word_is_name(const char *text)
{
	return strlen(text) <= LIMIT_OBJECT_NAME && text_is_dns(text);
}

bool word_is_listen(const char *text)
{
	return !*text || listening_is_address(text);
}

bool word_is_subdir(const char *text)
{
	return !*text || strcmp(text, ".") == 0 || content_name_ok(text);
}

bool word_is_driver(const char *text)
{
	return text[0] && text[0] != '.' && !strchr(text, '/');
}
