/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks into the AMD IOMMU itself: device-table entries and its event log. */
#ifndef TDP_SELFTEST_AMD_IOMMU_H
#define TDP_SELFTEST_AMD_IOMMU_H

#include <stdbool.h>
#include <linux/types.h>

struct amd_dte {
	bool translates;	/* V and TV are set */
	unsigned int mode;	/* levels of the host table */
	__u64 root;		/* physical address of the host table */
	__u64 q[4];		/* the entry itself */
};

#define DTE_ROOT_MASK	0x000ffffffffff000ULL	/* in q[0] */
#define DTE_DOMAIN_MASK	0xffffULL		/* in q[1] */

void amd_dte_read(const char *bdf, struct amd_dte *dte);

/*
 * The log's tail pointer as a mark. It counts each event, where the kernel's
 * log lines are rate-limited. (QEMU sets the event's interrupt bit, so the
 * kernel gives no io_page_fault tracepoint for it.)
 */
__u64 iommu_events_mark(void);

/* How many events came since @mark; waits a little for the first. */
unsigned int iommu_events_since(__u64 mark);

#endif
