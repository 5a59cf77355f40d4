// SPDX-License-Identifier: GPL-2.0-only
/* One VM: its line in the kernel's list, parsed and printed. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_line.h"

/* The reasons of the kernel's list, for people. */
static const struct reason {
	const char *name;
	const char *why;
	const char *advice;
} reasons[] = {
	{ "settling",
	  "its memory or its IOAS changed a moment ago",
	  "wait: it is shared once nothing changed for iommufd.tdp_quiet_ms" },
	{ "no-hwpt",
	  "no device of it is attached",
	  "nothing: it is shared once a device is attached" },
	{ "kind",
	  "its HWPT is a nesting parent, for PASIDs or faults, or the VMM shares it itself",
	  "start the VMM without what asks for such a HWPT" },
	{ "no-mirror",
	  "its IOAS and a memslot map different pages at one address",
	  "discard no memory of it (balloon); if the guest has a vIOMMU, boot it with iommu=pt" },
	{ "refused",
	  "KVM or the IOMMU refused",
	  "dmesg says why and what to do: look for mmu_share, tdp_bridge" },
	{ "foreign",
	  "a device of another VM, or of none, is attached to its HWPT",
	  "give that device an IOAS of its own" },
	{ "off",
	  "sharing is switched off for it",
	  "tdpshare auto PID" },
	{ "forced",
	  "an operator made it private",
	  "wait until it is quiet, or tdpshare share PID" },
	{ "split",
	  "a device can't be moved to the other table, as while it is being reset",
	  "wait: it is tried again" },
	{ "busy",
	  "it is in the middle of something for more than a second",
	  "if that stays so the VMM does not answer, see its threads' stacks" },
};

static const struct reason unknown_reason = {
	.why = "a reason that this tdpshare does not know",
	.advice = "use the tdpshare that belongs to this kernel",
};

void vm_parse(struct vm *vm, char *line)
{
	char *word, *equals;

	vm->nr = 0;
	while ((word = strsep(&line, "\n "))) {
		equals = strchr(word, '=');
		if (!equals || equals == word || vm->nr == MAX_FIELDS)
			continue;
		*equals = '\0';
		vm->fields[vm->nr].key = word;
		vm->fields[vm->nr++].value = equals + 1;
	}
}

/* "-" when the kernel does not say. */
static const char *vm_get(const struct vm *vm, const char *key)
{
	unsigned int i;

	for (i = 0; i < vm->nr; i++)
		if (!strcmp(vm->fields[i].key, key))
			return vm->fields[i].value;
	return "-";
}

bool vm_is(const struct vm *vm, const char *key, const char *value)
{
	return !strcmp(vm_get(vm, key), value);
}

static const struct reason *vm_reason(const struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (vm_is(vm, "reason", reasons[i].name))
			return &reasons[i];
	return &unknown_reason;
}

bool is_number(const char *text)
{
	text += *text == '-';
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* The kernel writes what would break a line into words as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && strchr("0123", text[1]) && text[1] &&
		    strchr("01234567", text[2]) && text[2] &&
		    strchr("01234567", text[3]) && text[3]) {
			*to++ = (text[1] - '0') << 6 | (text[2] - '0') << 3 |
				(text[3] - '0');
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Bytes of the UTF-8 character at @s, 0 if it is none. */
static unsigned int utf8_length(const unsigned char *s)
{
	unsigned int i, len;
	unsigned int c;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	c = s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* Too long for what it says, a surrogate, beyond Unicode. */
	if (len == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	if (len == 4 && (c < 0x10000 || c > 0x10ffff))
		return 0;
	return len;
}

static void json_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int len;

	putchar('"');
	for (; *s; s += len) {
		len = utf8_length(s);
		if (!len) {
			fputs("\\ufffd", stdout);
			len = 1;
		} else if (*s < 0x20 || *s == 0x7f) {
			printf("\\u%04x", *s);
		} else {
			if (*s == '"' || *s == '\\')
				putchar('\\');
			fwrite(s, 1, len, stdout);
		}
	}
	putchar('"');
}

/* JSON has no leading zeros. */
static void json_number(const char *text)
{
	if (*text == '-')
		putchar(*text++);
	while (text[0] == '0' && text[1])
		text++;
	fputs(text, stdout);
}

/* "map:2,conflict:1" */
static void json_counts(char *text)
{
	const char *before = "";
	char *word, *colon;

	putchar('{');
	while ((word = strsep(&text, ","))) {
		colon = strchr(word, ':');
		if (!colon || !is_number(colon + 1))
			continue;
		*colon = '\0';
		fputs(before, stdout);
		json_string(word);
		fputs(": ", stdout);
		json_number(colon + 1);
		before = ", ";
	}
	putchar('}');
}

static void json_field(const struct field *field)
{
	/* Strings, even if somebody calls his program 7. */
	static const char * const strings[] = {
		"comm", "mode", "state", "reason", "last"
	};
	unsigned int i;

	json_string(field->key);
	fputs(": ", stdout);
	for (i = 0; i < ARRAY_SIZE(strings); i++)
		if (!strcmp(field->key, strings[i]))
			break;
	if (!strcmp(field->key, "triggers")) {
		json_counts(field->value);
	} else if (i == ARRAY_SIZE(strings) && is_number(field->value)) {
		json_number(field->value);
	} else {
		unescape(field->value);
		json_string(field->value);
	}
}

void vm_print_json(const struct vm *vm)
{
	bool private = vm_is(vm, "state", "private");
	const struct reason *reason = vm_reason(vm);
	unsigned int i;

	fputs("  {", stdout);
	for (i = 0; i < vm->nr; i++) {
		json_field(&vm->fields[i]);
		fputs(", ", stdout);
	}
	fputs("\"why\": ", stdout);
	json_string(private ? reason->why : "");
	fputs(", \"advice\": ", stdout);
	json_string(private ? reason->advice : "");
	putchar('}');
}

/* A name may hold what a terminal obeys: show that, and the rest, as \ooo. */
static void print_name(const char *name)
{
	for (; *name; name++) {
		if (*name == '\\')
			fputs("\\\\", stdout);
		else if (isascii(*name) && isprint(*name))
			putchar(*name);
		else
			printf("\\%03o", (unsigned char)*name);
	}
}

static const char *duration(const struct vm *vm, const char *key, char *buf,
			    size_t size)
{
	const char *text = vm_get(vm, key);
	unsigned long long ns = strtoull(text, NULL, 10);
	unsigned long long s = ns / 1000000000;

	if (!is_number(text))
		snprintf(buf, size, "-");
	else if (!ns)
		snprintf(buf, size, "0 s");
	else if (ns < 1000000)
		snprintf(buf, size, "%.1f us", ns / 1e3);
	else if (!s)
		snprintf(buf, size, "%.1f ms", ns / 1e6);
	else if (s < 60)
		snprintf(buf, size, "%.1f s", ns / 1e9);
	else if (s < 3600)
		snprintf(buf, size, "%llu m %02llu s", s / 60, s % 60);
	else
		snprintf(buf, size, "%llu h %02llu m", s / 3600, s / 60 % 60);
	return buf;
}

void vm_print_text_header(void)
{
	printf("%7s  %-7s  %-4s  %4s  %7s  %9s  %10s  %6s  %11s  %12s  %8s  %s\n",
	       "PID", "STATE", "MODE", "HWPT", "DEVICES", "TO SHARED",
	       "TO PRIVATE", "FAILED", "TIME SHARED", "TIME PRIVATE",
	       "LONGEST", "COMMAND");
}

/* What never happened is left out. */
static void text_triggers(const struct vm *vm, char *counts)
{
	char *word, *colon;
	bool any = false;

	while ((word = strsep(&counts, ","))) {
		colon = strchr(word, ':');
		if (!colon || !strtoull(colon + 1, NULL, 10))
			continue;
		*colon = ' ';
		printf("%s%s", any ? ", " : "         to private by: ", word);
		any = true;
	}
	if (any)
		printf("; last: %s\n", vm_get(vm, "last"));
}

static void text_reason(const struct vm *vm)
{
	const struct reason *reason = vm_reason(vm);
	int error = atoi(vm_get(vm, "error"));

	printf("         private now (%s): %s", vm_get(vm, "reason"),
	       reason->why);
	if (error)
		printf("; errno %d, %s", error, strerror(error));
	printf("\n         what to do: %s\n", reason->advice);
}

void vm_print_text(const struct vm *vm)
{
	char shared[32], private[32], longest[32];
	unsigned int i;

	printf("%7s  %-7s  %-4s  %4s  %7s  %9s  %10s  %6s  %11s  %12s  %8s  ",
	       vm_get(vm, "pid"), vm_get(vm, "state"), vm_get(vm, "mode"),
	       vm_get(vm, "hwpt"), vm_get(vm, "devices"),
	       vm_get(vm, "to_shared"), vm_get(vm, "to_private"),
	       vm_get(vm, "failed"),
	       duration(vm, "shared_ns", shared, sizeof(shared)),
	       duration(vm, "private_ns", private, sizeof(private)),
	       duration(vm, "longest_ns", longest, sizeof(longest)));
	for (i = 0; i < vm->nr; i++) {
		if (!strcmp(vm->fields[i].key, "comm")) {
			unescape(vm->fields[i].value);
			print_name(vm->fields[i].value);
		}
	}
	putchar('\n');
	for (i = 0; i < vm->nr; i++)
		if (!strcmp(vm->fields[i].key, "triggers"))
			text_triggers(vm, vm->fields[i].value);
	if (vm_is(vm, "state", "private"))
		text_reason(vm);
}
