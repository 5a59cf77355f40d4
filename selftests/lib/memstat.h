/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads page-table memory and page frame numbers. */
#ifndef TDP_SELFTEST_MEMSTAT_H
#define TDP_SELFTEST_MEMSTAT_H

#include <linux/types.h>

/* Memory of all KVM and IOMMU page tables of the machine. */
__u64 memstat_second_level_bytes(void);

/* Physical address of the page mapped at @va. */
__u64 memstat_phys(const void *va);

#endif
