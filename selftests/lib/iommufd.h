/* SPDX-License-Identifier: GPL-2.0-only */
/* Wraps iommufd's ioctls: IOAS, map, unmap, HWPT. */
#ifndef TDP_SELFTEST_IOMMUFD_H
#define TDP_SELFTEST_IOMMUFD_H

#include <stddef.h>
#include <linux/iommufd.h>
#include <linux/types.h>

#define IOAS_MAP_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

enum hwpt_kind {
	HWPT_ORDINARY,	/* the IOMMU driver's own table */
	HWPT_SHARED,	/* KVM's */
};

int iommufd_open(void);
__u32 iommufd_ioas_alloc(int iommufd);
void iommufd_destroy(int iommufd, __u32 id);

/* The functions that begin with "__" return 0 or -errno, the others assert. */
int __iommufd_map(int iommufd, __u32 ioas, __u32 prot, __u64 iova, void *va,
		  size_t len);
void iommufd_map(int iommufd, __u32 ioas, __u64 iova, void *va, size_t len);
int __iommufd_unmap(int iommufd, __u32 ioas, __u64 iova, size_t len);
void iommufd_unmap(int iommufd, __u32 ioas, __u64 iova, size_t len);

int __iommufd_hwpt_alloc(int iommufd, __u32 dev_id, __u32 ioas, __u32 flags,
			 int kvm_fd, __u32 *hwpt);
__u32 iommufd_hwpt_alloc(int iommufd, __u32 dev_id, __u32 ioas,
			 enum hwpt_kind kind, int vm_fd);

#endif
