/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks into an AMD IOMMU: device-table entries and its event log. */
#ifndef TDP_SELFTEST_AMD_IOMMU_H
#define TDP_SELFTEST_AMD_IOMMU_H

#include "iommu_hw.h"

/* A device-table entry. */
struct amd_dte {
	__u64 q[4];
};

#define DTE_ROOT_MASK	0x000ffffffffff000ULL	/* in q[0] */
#define DTE_DOMAIN_MASK	0xffffULL		/* in q[1] */

bool amd_iommu_exists(void);

void amd_dte_read(const char *bdf, struct amd_dte *dte);
void amd_entry_read(const char *bdf, struct iommu_entry *entry);

/*
 * The log's tail pointer as a mark. It counts each event, where the kernel's
 * log lines are rate-limited. (QEMU sets the event's interrupt bit, so the
 * kernel gives no io_page_fault tracepoint for it.)
 */
__u64 amd_events_mark(void);
unsigned int amd_events_since(__u64 mark);

#endif
