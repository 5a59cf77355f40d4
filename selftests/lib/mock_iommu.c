// SPDX-License-Identifier: GPL-2.0-only
/* iommufd's mock device, whose IOMMU is none that can share. */
#include <sys/ioctl.h>
#include <linux/iommufd.h>

#include "mock_iommu.h"
#include "test_util.h"

/* From drivers/iommu/iommufd/iommufd_test.h, which is no installed header. */
#define MOCK_CMD		_IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)
#define MOCK_OP_MOCK_DOMAIN	2

struct mock_cmd {
	__u32 size;
	__u32 op;
	__u32 pt_id;
	__u32 reserved;
	__u32 out_stdev_id;
	__u32 out_hwpt_id;
	__u32 out_dev_id;

	/* The kernel wants no less than its union's size, here all zero. */
	__u32 rest[32];
};

bool mock_iommu_add_device(int iommufd, __u32 ioas, __u32 *dev_id)
{
	struct mock_cmd cmd = {
		.size = sizeof(cmd),
		.op = MOCK_OP_MOCK_DOMAIN,
		.pt_id = ioas,
	};

	if (ioctl(iommufd, MOCK_CMD, &cmd)) {
		TEST_ASSERT(errno == ENOTTY || errno == EOPNOTSUPP,
			    "mock device");
		return false;
	}
	*dev_id = cmd.out_dev_id;
	return true;
}
