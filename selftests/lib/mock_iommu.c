// SPDX-License-Identifier: GPL-2.0-only
/* iommufd's mock device, whose IOMMU is none that can share. */
#include <sys/ioctl.h>
#include <linux/iommufd.h>

#include "mock_iommu.h"
#include "test_util.h"

/* From drivers/iommu/iommufd/iommufd_test.h, which is no installed header. */
#define MOCK_CMD		_IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)
#define MOCK_OP_MOCK_DOMAIN	2
#define MOCK_OP_DIRTY		13
#define MOCK_OP_DMABUF_GET	22
#define MOCK_HWPT_DATA		0xdead

enum mock_table {
	MOCK_TABLE_ANY_SIZE,
	MOCK_TABLE_HUGE,
};

struct mock_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 reserved;
	union {
		struct {
			__u32 out_stdev_id;
			__u32 out_hwpt_id;
			__u32 out_dev_id;
		} domain;
		struct {
			__u32 flags;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 page_size;
			__aligned_u64 bits;
			__aligned_u64 out_nr;
		} dirty;
		struct {
			__u32 length;
			__u32 open_flags;
		} dma_buf;
		/* The kernel wants no less than its union's size. */
		__u32 all[32];
	};
	__u32 last;
};

struct mock_hwpt_data {
	__u32 iotlb;
	__u32 table;
};

bool mock_iommu_add_device(int iommufd, __u32 ioas, __u32 *dev_id)
{
	struct mock_cmd cmd = {
		.size = sizeof(cmd),
		.op = MOCK_OP_MOCK_DOMAIN,
		.id = ioas,
	};

	if (ioctl(iommufd, MOCK_CMD, &cmd)) {
		TEST_ASSERT(errno == ENOTTY || errno == EOPNOTSUPP,
			    "mock device");
		return false;
	}
	*dev_id = cmd.domain.out_dev_id;
	return true;
}

__u32 mock_iommu_dirty_hwpt(int iommufd, __u32 dev_id, __u32 ioas, bool huge)
{
	struct mock_hwpt_data data = {
		.table = huge ? MOCK_TABLE_HUGE : MOCK_TABLE_ANY_SIZE,
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		.dev_id = dev_id,
		.pt_id = ioas,
		.data_type = MOCK_HWPT_DATA,
		.data_len = sizeof(data),
		.data_uptr = (unsigned long)&data,
	};
	struct iommu_hwpt_set_dirty_tracking on = {
		.size = sizeof(on),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
	};

	TEST_ASSERT(!ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd), "HWPT_ALLOC");
	on.hwpt_id = cmd.out_hwpt_id;
	TEST_ASSERT(!ioctl(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &on),
		    "HWPT_SET_DIRTY_TRACKING");
	return cmd.out_hwpt_id;
}

void mock_iommu_make_dirty(int iommufd, __u32 hwpt, __u64 iova)
{
	__u64 bits = 1;
	struct mock_cmd cmd = {
		.size = sizeof(cmd),
		.op = MOCK_OP_DIRTY,
		.id = hwpt,
		.dirty = {
			.iova = iova,
			.length = MOCK_PAGE,
			.page_size = MOCK_PAGE,
			.bits = (unsigned long)&bits,
		},
	};

	TEST_ASSERT(!ioctl(iommufd, MOCK_CMD, &cmd), "make %#llx dirty", iova);
	TEST_ASSERT_EQ(cmd.dirty.out_nr, 1);
}

int mock_iommu_dma_buf(int iommufd, size_t len)
{
	struct mock_cmd cmd = {
		.size = sizeof(cmd),
		.op = MOCK_OP_DMABUF_GET,
		.dma_buf = { .length = len, .open_flags = O_CLOEXEC },
	};
	int fd = ioctl(iommufd, MOCK_CMD, &cmd);

	TEST_ASSERT(fd > 0, "the mock's dma-buf: %d", fd);
	return fd;
}
