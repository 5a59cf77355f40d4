/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages that nobody but the process may change: next owners of freed memory. */
#ifndef TDP_SELFTEST_CANARY_H
#define TDP_SELFTEST_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* Guest memory that the host takes back is likely to be handed out here. */
struct canary {
	__u64 *va;		/* NULL: none */
	size_t len;
	__u64 value;
};

/* @huge: in 2 MiB hugepages. False when there are none left. */
bool canary_start(struct canary *c, size_t len, bool huge, __u64 value);
void canary_check(struct canary *c);

/* Checks it once more, and gives the memory back. */
void canary_end(struct canary *c);

#endif
