/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what the kernel logs from a point in time on. */
#ifndef TDP_SELFTEST_KMSG_H
#define TDP_SELFTEST_KMSG_H

#include <stdbool.h>

#define KMSG_LINE 512

int kmsg_open_at_end(void);

/*
 * Reads all records since the last call on @fd, and returns whether one of
 * them contains one of @needles (NULL-terminated), with the first such message
 * in @line (KMSG_LINE bytes).
 */
bool kmsg_find(int fd, const char * const *needles, char *line);

#endif
