/* SPDX-License-Identifier: GPL-2.0-only */
/* iommufd's mock device, whose IOMMU is none that can share. */
#ifndef TDP_SELFTEST_MOCK_IOMMU_H
#define TDP_SELFTEST_MOCK_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* Its page, and its huge page; and where its address space begins. */
#define MOCK_PAGE	2048UL
#define MOCK_HUGE_PAGE	(512 * MOCK_PAGE)
#define MOCK_IOVA	0x1000000UL

/* False when the kernel has no CONFIG_IOMMUFD_TEST. */
bool mock_iommu_add_device(int iommufd, __u32 ioas, __u32 *dev_id);

/*
 * A HWPT with dirty tracking, switched on. With @huge its table has huge pages
 * and 4K pages only, else every power of two from its page on.
 */
__u32 mock_iommu_dirty_hwpt(int iommufd, __u32 dev_id, __u32 ioas, bool huge);

/* As if a device had written there. */
void mock_iommu_make_dirty(int iommufd, __u32 hwpt, __u64 iova);

/* A dma-buf of the mock's; @len is at most 2M. */
int mock_iommu_dma_buf(int iommufd, size_t len);

#endif
