// SPDX-License-Identifier: GPL-2.0-only
/* A device whose first level is a guest's (AMD's v2 format) over an iommufd HWPT. */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "dma_test.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "iommufd_dirty.h"
#include "nested_iommu.h"
#include "tap.h"

/* A guest's device-table entry, as far as the kernel takes it over. */
#define DTE0_V		BIT_ULL(0)
#define DTE0_TV		BIT_ULL(1)
#define DTE0_GIOV	BIT_ULL(54)
#define DTE0_GV		BIT_ULL(55)
#define DTE0_GLX_SHIFT	56
#define DTE0_GCR3_SHIFT	58	/* bits 14:12 of the address */
#define DTE1_GCR3_LO_SHIFT 16	/* 30:15 */
#define DTE1_GCR3_HI_SHIFT 43	/* 51:31 */
#define GUEST_DOMAIN	5

/* AMD's driver takes any type but the default, and has none of its own. */
#define VIOMMU_TYPE_ANY	1

#define ADDR_MASK	0x000ffffffffff000ULL

void nested_iommu_create(struct nested_iommu *ni)
{
	char bdf[BDF_LEN];
	int r;

	memset(ni, 0, sizeof(*ni));
	vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0);
	ni->next_table = NI_TABLES;
	ni->mem = mmap(NULL, NI_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(ni->mem != MAP_FAILED, "mmap");
	madvise(ni->mem, NI_SIZE, MADV_NOHUGEPAGE);
	fault_in_scattered(ni->mem, NI_SIZE);

	ni->iommufd = iommufd_open();
	ni->ioas = iommufd_ioas_alloc(ni->iommufd);
	vfio_dev_open(&ni->dev, bdf, ni->iommufd);
	r = __iommufd_hwpt_alloc(ni->iommufd, ni->dev.dev_id, ni->ioas,
				 IOMMU_HWPT_ALLOC_NEST_PARENT |
				 IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
				 &ni->parent);
	TEST_ASSERT(!r, "HWPT_ALLOC of a nest parent: %s", strerror(-r));
	iommufd_map(ni->iommufd, ni->ioas, NI_GPA, ni->mem, NI_SIZE);
	vfio_dev_attach(&ni->dev, ni->parent);
}

void nested_iommu_destroy(struct nested_iommu *ni)
{
	if (ni->nested)
		nested_iommu_detach(ni);
	vfio_dev_detach(&ni->dev);
	vfio_dev_close(&ni->dev);
	close(ni->iommufd);
	munmap(ni->mem, NI_SIZE);
}

__u64 *nested_iommu_word(struct nested_iommu *ni, __u64 gpa)
{
	TEST_ASSERT(gpa >= NI_GPA && gpa < NI_GPA + NI_SIZE, "gpa %#llx", gpa);
	return ni->mem + (gpa - NI_GPA);
}

__u64 nested_iommu_new_table(struct nested_iommu *ni)
{
	__u64 gpa = ni->next_table;

	ni->next_table += SIZE_4K;
	TEST_ASSERT(ni->next_table <= NI_DATA, "out of tables");
	return gpa;
}

void nested_iommu_set_root(struct nested_iommu *ni, __u64 gcr3, __u32 pasid,
			   __u64 root)
{
	*nested_iommu_word(ni, gcr3 + pasid * sizeof(__u64)) = root | GPTE_P;
}

__u64 nested_iommu_map(struct nested_iommu *ni, __u64 root, __u64 va, int level,
		       __u64 entry)
{
	__u64 gpa, *word;
	int l;

	for (l = 3; ; l--) {
		gpa = root + ((va >> (12 + 9 * l)) & 511) * sizeof(__u64);
		if (l == level)
			break;
		word = nested_iommu_word(ni, gpa);
		if (!*word)
			*word = nested_iommu_new_table(ni) | GPTE_RWU;
		root = *word & ADDR_MASK;
	}
	*nested_iommu_word(ni, gpa) = entry | (level ? GPTE_PS : 0);
	return gpa;
}

static int alloc_viommu(struct nested_iommu *ni)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = VIOMMU_TYPE_ANY,
		.dev_id = ni->dev.dev_id,
		.hwpt_id = ni->parent,
	};

	if (ioctl(ni->iommufd, IOMMU_VIOMMU_ALLOC, &cmd))
		return -errno;
	ni->viommu = cmd.out_viommu_id;
	return 0;
}

int nested_iommu_attach(struct nested_iommu *ni, __u64 gcr3, unsigned int levels)
{
	struct iommu_hwpt_amd_guest guest = {
		.dte = {
			DTE0_V | DTE0_TV | DTE0_GIOV | DTE0_GV |
			(__u64)(levels - 1) << DTE0_GLX_SHIFT |
			((gcr3 >> 12) & 7) << DTE0_GCR3_SHIFT,
			GUEST_DOMAIN |
			((gcr3 >> 15) & 0xffff) << DTE1_GCR3_LO_SHIFT |
			(gcr3 >> 31) << DTE1_GCR3_HI_SHIFT,
		},
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = ni->dev.dev_id,
		.data_type = IOMMU_HWPT_DATA_AMD_GUEST,
		.data_len = sizeof(guest),
		.data_uptr = (unsigned long)&guest,
	};

	int r = ni->viommu ? 0 : alloc_viommu(ni);

	if (r)
		return r;
	cmd.pt_id = ni->viommu;
	if (ioctl(ni->iommufd, IOMMU_HWPT_ALLOC, &cmd))
		return -errno;
	ni->nested = cmd.out_hwpt_id;
	vfio_dev_attach(&ni->dev, ni->nested);
	return 0;
}

void nested_iommu_detach(struct nested_iommu *ni)
{
	vfio_dev_attach(&ni->dev, ni->parent);
	iommufd_destroy(ni->iommufd, ni->nested);
	ni->nested = 0;
}
