/* SPDX-License-Identifier: GPL-2.0-only */
/* Counts what must be the same before and after: objects, pins, table pages. */
#ifndef TDP_SELFTEST_LEAKS_H
#define TDP_SELFTEST_LEAKS_H

#include <stdbool.h>
#include <linux/types.h>

struct leak_counts {
	__u64 domains;		/* the bridge's, with its KVM tables */
	__u64 shares;		/* KVM's share objects */
	__u64 pins;		/* pages held by pin_user_pages(), machine-wide */
	__u64 locked_kb;	/* of this process: VmPin */
	__u64 tables;		/* bytes of TDP and IOMMU tables, machine-wide */
	bool any_tables;	/* not compared: a live VM may keep some */
};

void leak_counts_read(struct leak_counts *c);

/*
 * Reads until the counts equal @before or two seconds have passed: the last
 * put of a file or an RCU callback may come after the process is gone.
 */
bool leak_counts_settle(const struct leak_counts *before,
			struct leak_counts *after);
void leak_counts_print_diff(const struct leak_counts *before,
			    const struct leak_counts *after);

#endif
