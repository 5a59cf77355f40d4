/* SPDX-License-Identifier: GPL-2.0-only */
/* Small reads and writes of /proc, sysfs and debugfs files. */
#ifndef TDP_SELFTEST_SYSFILE_H
#define TDP_SELFTEST_SYSFILE_H

#include <stdbool.h>
#include <linux/types.h>

#define DEBUGFS "/sys/kernel/debug"

/* Mounts debugfs if nobody has. */
void debugfs_mount(void);

/* Reads up to @size - 1 bytes. Returns false when there is no such file. */
bool sysfile_read(const char *path, char *buf, size_t size);
bool sysfile_write(const char *path, const char *text);

/*
 * Finds the line that begins with @key, then ':' or blanks, and parses the
 * number behind it. Returns false when there is no such line.
 */
bool text_get(const char *text, const char *key, int base, __u64 *value);

#endif
