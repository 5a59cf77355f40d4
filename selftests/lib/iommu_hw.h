/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks into the IOMMU itself, AMD's or Intel's: a device's entry, and faults. */
#ifndef TDP_SELFTEST_IOMMU_HW_H
#define TDP_SELFTEST_IOMMU_HW_H

#include <stdbool.h>
#include <linux/types.h>

/*
 * What a device's DMA goes by: AMD's device-table entry, Intel's context entry,
 * or in scalable mode the PASID-table entry of requests without PASID.
 */
struct iommu_entry {
	bool translates;	/* by a table; else the rest is 0 */
	unsigned int levels;	/* of that table */
	__u64 root;		/* its physical address */
	unsigned int domain;	/* the id by which its caches are flushed */
};

enum iommu_hw {
	IOMMU_HW_NONE,		/* or the kernel shows none */
	IOMMU_HW_AMD,
	IOMMU_HW_INTEL,
};

enum iommu_hw iommu_hw(void);

/*
 * Whether CPUs and devices have one write permission in an entry of a shared
 * table, and not one each. Then neither has the page where their rights differ.
 */
bool iommu_hw_rights_are_one(void);

/* Functions of its driver, for kprobes. */
struct iommu_driver {
	const char *sync;	/* drops a range: of the domain %di, the gather %si */
	const char *flush_all;	/* drops all of the domain %di */
	const char *flush;	/* either, each time once for each IOMMU */
};

const struct iommu_driver *iommu_driver(void);

void iommu_entry_read(const char *bdf, struct iommu_entry *entry);

/* How many accesses the IOMMU has stopped so far, modulo what it can count. */
__u64 iommu_events_mark(void);

/* How many since @mark; waits a little for the first if they are told late. */
unsigned int iommu_events_since(__u64 mark);

#endif
