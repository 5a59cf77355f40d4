// SPDX-License-Identifier: GPL-2.0-only
/* Wraps iommufd's ioctls: IOAS, map, unmap, HWPT. */
#include <sys/ioctl.h>

#include "iommufd.h"
#include "test_util.h"

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, "open /dev/iommu");
	return fd;
}

__u32 iommufd_ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	TEST_ASSERT(!ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd), "IOAS_ALLOC");
	return cmd.out_ioas_id;
}

void iommufd_destroy(int iommufd, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	TEST_ASSERT(!ioctl(iommufd, IOMMU_DESTROY, &cmd), "DESTROY %u", id);
}

int __iommufd_map(int iommufd, __u32 ioas, __u32 prot, __u64 iova, void *va,
		  size_t len)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | prot,
		.ioas_id = ioas,
		.user_va = (unsigned long)va,
		.length = len,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP, &cmd) ? -errno : 0;
}

void iommufd_map(int iommufd, __u32 ioas, __u64 iova, void *va, size_t len)
{
	int r = __iommufd_map(iommufd, ioas, IOAS_MAP_RW, iova, va, len);

	TEST_ASSERT(!r, "IOAS_MAP %#llx+%#lx: %s", iova, len, strerror(-r));
}

int __iommufd_unmap(int iommufd, __u32 ioas, __u64 iova, size_t len)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = len,
	};

	return ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd) ? -errno : 0;
}

void iommufd_unmap(int iommufd, __u32 ioas, __u64 iova, size_t len)
{
	int r = __iommufd_unmap(iommufd, ioas, iova, len);

	TEST_ASSERT(!r, "IOAS_UNMAP %#llx+%#lx: %s", iova, len, strerror(-r));
}

int __iommufd_hwpt_alloc(int iommufd, __u32 dev_id, __u32 ioas, __u32 flags,
			 int kvm_fd, __u32 *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = ioas,
		.kvm_fd = kvm_fd,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &cmd))
		return -errno;
	*hwpt = cmd.out_hwpt_id;
	return 0;
}

__u32 iommufd_hwpt_alloc(int iommufd, __u32 dev_id, __u32 ioas,
			 enum hwpt_kind kind, int vm_fd)
{
	__u32 flags = kind == HWPT_SHARED ? IOMMU_HWPT_ALLOC_KVM_TDP : 0;
	int kvm_fd = kind == HWPT_SHARED ? vm_fd : 0;
	__u32 hwpt = 0;
	int r;

	r = __iommufd_hwpt_alloc(iommufd, dev_id, ioas, flags, kvm_fd, &hwpt);
	TEST_ASSERT(!r, "HWPT_ALLOC of %s HWPT: %s",
		    kind == HWPT_SHARED ? "a shared" : "an ordinary",
		    strerror(-r));
	return hwpt;
}
