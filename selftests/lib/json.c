// SPDX-License-Identifier: GPL-2.0-only
/* A strict reader of JSON (RFC 8259): objects, arrays, strings, numbers. */
#include <linux/types.h>

#include "json.h"
#include "test_util.h"

#define MAX_DEPTH	16
#define MAX_PATH	512
#define MAX_STRING	4096

struct reader {
	const char *p;
	const char *wanted;
	char *value;
	size_t size;
	enum json_kind found;
};

struct text {
	char *to;
	size_t left;
};

static bool read_value(struct reader *r, const char *path, int depth);

static void blanks(struct reader *r)
{
	r->p += strspn(r->p, " \t\r\n");
}

static bool one(struct reader *r, char c)
{
	if (*r->p != c)
		return false;
	r->p++;
	return true;
}

static void add(struct text *t, char c)
{
	if (t->left < 2)
		return;
	*t->to++ = c;
	*t->to = '\0';
	t->left--;
}

static void add_utf8(struct text *t, __u32 c)
{
	int shift = c < 0x80 ? 0 : c < 0x800 ? 6 : c < 0x10000 ? 12 : 18;
	static const __u8 first[] = { 0x00, 0xc0, 0xe0, 0xf0 };

	add(t, first[shift / 6] | c >> shift);
	while (shift) {
		shift -= 6;
		add(t, 0x80 | ((c >> shift) & 0x3f));
	}
}

static bool hex4(struct reader *r, __u32 *c)
{
	char digits[5];

	snprintf(digits, sizeof(digits), "%.4s", r->p);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return false;
	*c = strtoul(digits, NULL, 16);
	r->p += 4;
	return true;
}

static bool read_escape(struct reader *r, struct text *t)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *simple;
	__u32 c, low;

	if (!one(r, 'u')) {
		simple = *r->p ? strchr(from, *r->p) : NULL;
		if (!simple)
			return false;
		r->p++;
		add(t, to[simple - from]);
		return true;
	}
	if (!hex4(r, &c) || (c >= 0xdc00 && c <= 0xdfff))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (!one(r, '\\') || !one(r, 'u') || !hex4(r, &low) ||
		    low < 0xdc00 || low > 0xdfff)
			return false;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(t, c);
	return true;
}

/* A character beyond ASCII must be UTF-8, in as few bytes as it takes. */
static bool read_utf8(struct reader *r, struct text *t)
{
	static const __u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	__u8 first = *r->p++;
	int len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, i;
	__u32 c = first & (0x7f >> len);

	if (first < 0xc0 || first > 0xf7)
		return false;
	for (i = 1; i < len; i++, r->p++) {
		if ((*r->p & 0xc0) != 0x80)
			return false;
		c = c << 6 | (*r->p & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return false;
	add_utf8(t, c);
	return true;
}

static bool read_string(struct reader *r, char *value, size_t size)
{
	struct text t = { value, size };

	*value = '\0';
	if (!one(r, '"'))
		return false;
	while (*r->p != '"') {
		bool good = true;

		if (one(r, '\\'))
			good = read_escape(r, &t);
		else if (*r->p & 0x80)
			good = read_utf8(r, &t);
		else if (*r->p < ' ')
			good = false;
		else
			add(&t, *r->p++);
		if (!good)
			return false;
	}
	return one(r, '"');
}

static bool digits(struct reader *r)
{
	size_t n = strspn(r->p, "0123456789");

	r->p += n;
	return n;
}

static bool read_number(struct reader *r)
{
	one(r, '-');
	if (!one(r, '0') && !digits(r))
		return false;
	if (one(r, '.') && !digits(r))
		return false;
	if (one(r, 'e') || one(r, 'E')) {
		if (!one(r, '+'))
			one(r, '-');
		return digits(r);
	}
	return true;
}

static bool read_literal(struct reader *r)
{
	static const char * const words[] = { "true", "false", "null" };
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		len = strlen(words[i]);
		if (!strncmp(r->p, words[i], len)) {
			r->p += len;
			return true;
		}
	}
	return false;
}

static bool read_members(struct reader *r, const char *path, int depth,
			 char close)
{
	char key[MAX_PATH / 4], member[MAX_PATH];
	unsigned int i = 0;

	r->p++;
	blanks(r);
	if (one(r, close))
		return true;
	do {
		blanks(r);
		if (close == ']') {
			snprintf(member, sizeof(member), "%s[%u]", path, i++);
		} else {
			if (!read_string(r, key, sizeof(key)))
				return false;
			blanks(r);
			if (!one(r, ':'))
				return false;
			snprintf(member, sizeof(member), "%s%s%s", path,
				 *path ? "." : "", key);
		}
		if (!read_value(r, member, depth + 1))
			return false;
		blanks(r);
	} while (one(r, ','));
	return one(r, close);
}

static bool read_value(struct reader *r, const char *path, int depth)
{
	bool wanted = r->wanted && !strcmp(path, r->wanted);
	char text[MAX_STRING];
	enum json_kind kind;
	const char *start;
	bool good;

	blanks(r);
	start = r->p;
	if (depth > MAX_DEPTH) {
		return false;
	} else if (*start == '{') {
		kind = JSON_OBJECT;
		good = read_members(r, path, depth, '}');
	} else if (*start == '[') {
		kind = JSON_ARRAY;
		good = read_members(r, path, depth, ']');
	} else if (*start == '"') {
		kind = JSON_STRING;
		good = read_string(r, text, sizeof(text));
	} else if (*start == '-' || (*start >= '0' && *start <= '9')) {
		kind = JSON_NUMBER;
		good = read_number(r);
	} else {
		kind = JSON_LITERAL;
		good = read_literal(r);
	}
	if (!good || !wanted)
		return good;

	/* Twice the same key: other readers would take either. */
	if (r->found != JSON_ABSENT)
		return false;
	r->found = kind;
	if (kind == JSON_STRING)
		snprintf(r->value, r->size, "%s", text);
	else
		snprintf(r->value, r->size, "%.*s", (int)(r->p - start), start);
	return true;
}

static const char *read_text(struct reader *r, const char *text)
{
	r->p = text;
	if (!read_value(r, "", 0))
		return r->p;
	blanks(r);
	return *r->p ? r->p : NULL;
}

const char *json_error(const char *text)
{
	struct reader r = { 0 };

	return read_text(&r, text);
}

enum json_kind json_get(const char *text, const char *path, char *value,
			size_t size)
{
	struct reader r = { .wanted = path, .value = value, .size = size };
	const char *error = read_text(&r, text);

	TEST_ASSERT(!error, "not JSON from here on: \"%.60s\"", error);
	return r.found;
}
