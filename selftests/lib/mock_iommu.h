/* SPDX-License-Identifier: GPL-2.0-only */
/* iommufd's mock device, whose IOMMU is none that can share. */
#ifndef TDP_SELFTEST_MOCK_IOMMU_H
#define TDP_SELFTEST_MOCK_IOMMU_H

#include <stdbool.h>
#include <linux/types.h>

/* False when the kernel has no CONFIG_IOMMUFD_TEST. */
bool mock_iommu_add_device(int iommufd, __u32 ioas, __u32 *dev_id);

#endif
