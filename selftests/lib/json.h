/* SPDX-License-Identifier: GPL-2.0-only */
/* A strict reader of JSON: a test must not accept what other parsers refuse. */
#ifndef TDP_SELFTEST_JSON_H
#define TDP_SELFTEST_JSON_H

#include <stddef.h>

enum json_kind {
	JSON_ABSENT,
	JSON_STRING,
	JSON_NUMBER,
	JSON_LITERAL,	/* true, false, null */
	JSON_OBJECT,
	JSON_ARRAY,
};

/* NULL if @text is one valid value, or where it stops to be. */
const char *json_error(const char *text);

/*
 * What is at @path, for example "[1].triggers.map", of a valid text. A string
 * is decoded to @value, which all else is copied to as it stands there.
 */
enum json_kind json_get(const char *text, const char *path, char *value,
			size_t size);

#endif
