/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of text to and from a socket, with time limits. */
#ifndef TDP_SELFTEST_VMM_TEXT_H
#define TDP_SELFTEST_VMM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct vmm_text {
	int fd;
	char *buf;	/* what was received and not taken, ends with NUL */
	size_t len;
};

void vmm_text_open(struct vmm_text *t, int fd);
void vmm_text_close(struct vmm_text *t);

/* False: the other end is closed. */
bool vmm_text_send(struct vmm_text *t, const char *text);

/* Adds text as if it had been received. */
void vmm_text_add(struct vmm_text *t, const char *text, size_t len);

/*
 * Receives more, waiting a hundredth of a second at most. False: the other end
 * is closed. Count calls rather than read a clock: an emulated host may stand
 * still for a minute.
 */
bool vmm_text_receive(struct vmm_text *t);
#define VMM_TEXT_PER_SECOND 100

/* Takes the first line, without its end; the caller frees it. NULL: none. */
char *vmm_text_line(struct vmm_text *t);

#endif
