/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM: its line in the kernel's list, parsed and printed. */
#ifndef TDPSHARE_VM_LINE_H
#define TDPSHARE_VM_LINE_H

#include <stdbool.h>

#define MAX_FIELDS	64

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Keys that we do not know are kept as they are: a newer kernel may add some. */
struct vm {
	unsigned int nr;
	struct field {
		const char *key;
		char *value;
	} fields[MAX_FIELDS];
};

/* Splits @line in place; it must live as long as @vm. */
void vm_parse(struct vm *vm, char *line);
bool vm_is(const struct vm *vm, const char *key, const char *value);

/* Either may be used once: the values are taken apart in place. */
void vm_print_json(const struct vm *vm);
void vm_print_text(const struct vm *vm);
void vm_print_text_header(void);

bool is_number(const char *text);

#endif
