/* SPDX-License-Identifier: GPL-2.0-only */
/* A device whose first level is a guest's (AMD's v2 format) over an iommufd HWPT. */
#ifndef TDP_SELFTEST_NESTED_IOMMU_H
#define TDP_SELFTEST_NESTED_IOMMU_H

#include "vfio_dev.h"

/* The guest's memory, and where its tables begin; data lie behind NI_DATA. */
#define NI_GPA		0x80000000ULL
#define NI_SIZE		0x1000000ULL
#define NI_GCR3		(NI_GPA + 0x10000)
#define NI_TABLES	(NI_GPA + 0x20000)
#define NI_DATA		(NI_GPA + 0x800000)

#define GPTE_P		0x01ULL
#define GPTE_RW		0x02ULL
#define GPTE_US		0x04ULL
#define GPTE_A		0x20ULL
#define GPTE_D		0x40ULL
#define GPTE_PS		0x80ULL
#define GPTE_RWU	(GPTE_P | GPTE_RW | GPTE_US)

struct nested_iommu {
	int iommufd;
	__u32 ioas;
	__u32 parent;		/* HWPT, NEST_PARENT and dirty tracking */
	__u32 viommu;
	__u32 nested;		/* HWPT, 0 before nested_iommu_attach() */
	struct vfio_dev dev;
	void *mem;		/* NI_SIZE bytes at NI_GPA, 4K leaves */
	__u64 next_table;
};

/* Opens the device and attaches it to the parent. */
void nested_iommu_create(struct nested_iommu *ni);
void nested_iommu_destroy(struct nested_iommu *ni);

/* The 64-bit word of guest memory at @gpa. */
__u64 *nested_iommu_word(struct nested_iommu *ni, __u64 gpa);

/* An empty table page. */
__u64 nested_iommu_new_table(struct nested_iommu *ni);

/* Enters the root of @pasid in one-level GCR3 table @gcr3. */
void nested_iommu_set_root(struct nested_iommu *ni, __u64 gcr3, __u32 pasid,
			   __u64 root);

/*
 * Has @root map @va to @entry (address and bits) with a leaf of @level: 0 is 4K,
 * 1 is 2M, 2 is 1G. Returns the GPA of the leaf.
 */
__u64 nested_iommu_map(struct nested_iommu *ni, __u64 root, __u64 va, int level,
		       __u64 entry);

/*
 * Allocates a HWPT of the guest's GCR3 table, of @levels levels, and attaches the
 * device. Requests without a PASID use PASID 0's. Returns 0 or -errno of what it
 * allocates, the viommu included.
 */
int nested_iommu_attach(struct nested_iommu *ni, __u64 gcr3, unsigned int levels);

/* Back to the parent; the nested HWPT goes. */
void nested_iommu_detach(struct nested_iommu *ni);

#endif
