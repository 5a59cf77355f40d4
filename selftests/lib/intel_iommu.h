/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks into an Intel IOMMU: context and PASID-table entries, faults. */
#ifndef TDP_SELFTEST_INTEL_IOMMU_H
#define TDP_SELFTEST_INTEL_IOMMU_H

#include "iommu_hw.h"

bool intel_iommu_exists(void);

void intel_entry_read(const char *bdf, struct iommu_entry *entry);

/*
 * The Intel bench's VT-d counts each fault, where its own registers keep a few.
 * The count is read from edu 0, which need not be open.
 */
__u64 intel_faults(void);

#endif
