/* SPDX-License-Identifier: GPL-2.0-only */
/* Wraps iommufd's dirty tracking. */
#ifndef TDP_SELFTEST_IOMMUFD_DIRTY_H
#define TDP_SELFTEST_IOMMUFD_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* Each returns 0 or -errno. */
int iommufd_dirty_tracking(int iommufd, __u32 hwpt, bool on);

/*
 * One bit for each @page_size of @iova+@len goes to @bitmap, which begins as
 * zeroes; @keep leaves the bits set in the table.
 */
int iommufd_dirty_bitmap(int iommufd, __u32 hwpt, __u64 iova, size_t len,
			 size_t page_size, bool keep, __u64 *bitmap);

/* Whether IOMMU_GET_HW_INFO says that the device's IOMMU tracks. */
bool iommufd_can_track(int iommufd, __u32 dev_id);

#endif
