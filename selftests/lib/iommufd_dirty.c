// SPDX-License-Identifier: GPL-2.0-only
/* Wraps iommufd's dirty tracking. */
#include <sys/ioctl.h>
#include <linux/iommufd.h>
#include <linux/kernel.h>

#include "iommufd_dirty.h"
#include "test_util.h"

int iommufd_dirty_tracking(int iommufd, __u32 hwpt, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = hwpt,
	};

	return ioctl(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd) ? -errno : 0;
}

int iommufd_dirty_bitmap(int iommufd, __u32 hwpt, __u64 iova, size_t len,
			 size_t page_size, bool keep, __u64 *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = iova,
		.length = len,
		.page_size = page_size,
		.data = (unsigned long)bitmap,
	};

	memset(bitmap, 0, DIV_ROUND_UP(len / page_size, 64) * sizeof(*bitmap));
	return ioctl(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd) ? -errno : 0;
}

bool iommufd_can_track(int iommufd, __u32 dev_id)
{
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .dev_id = dev_id };

	TEST_ASSERT(!ioctl(iommufd, IOMMU_GET_HW_INFO, &cmd), "GET_HW_INFO");
	return cmd.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING;
}
