// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that is attached to a guest's first-level table (AMD's nested domain) is
 * its parent's as well, however it came there:
 *
 * 1. From a HWPT of another IOAS straight to the nested one: it goes by the guest's
 *    table, an unmap of the parent's IOAS blocks it, and the HWPT that it left can be
 *    destroyed.
 * 2. Back at the parent the same addresses are the guest's physical ones.
 * 3. When the parent's table grows a level the guest's table stays.
 *
 * Control: in each case the device reads through the guest's table before.
 *
 * bench: --bench amd-full
 */
#include "dma_test.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "nested_iommu.h"
#include "tap.h"

#define VA		0x123456000ULL
#define WORD		0x1234567890ULL

/* A table of three levels ends there. */
#define BEYOND_512G	BIT_ULL(40)

static void expect_reads(struct nested_iommu *ni, __u64 addr, bool reads,
			 const char *when)
{
	__u64 word = 0;
	int r = dma_test_read(ni->dev.bar, NO_PASID, addr, &word, sizeof(word));

	TEST_ASSERT(reads ? !r && word == WORD : r,
		    "%s: a read at %#llx gives %d and %#llx", when, addr, r,
		    word);
}

static void setup(struct nested_iommu *ni)
{
	__u64 root;

	nested_iommu_create(ni);
	root = nested_iommu_new_table(ni);
	nested_iommu_set_root(ni, NI_GCR3, 0, root);
	nested_iommu_map(ni, root, VA, 0, NI_DATA | GPTE_RWU);
	*nested_iommu_word(ni, NI_DATA) = WORD;
}

static void nest(struct nested_iommu *ni)
{
	int r = nested_iommu_attach(ni, NI_GCR3, 1);

	if (r == -EOPNOTSUPP)
		tap_skip_case("this kernel has no nesting on AMD");
	TEST_ASSERT(!r, "attach: %s", strerror(-r));
	expect_reads(ni, VA, true, "nested");
	expect_reads(ni, NI_DATA, false, "nested");
}

static void from_another_ioas(void)
{
	struct nested_iommu ni;
	__u32 ioas, hwpt;

	setup(&ni);
	ioas = iommufd_ioas_alloc(ni.iommufd);
	hwpt = iommufd_hwpt_alloc(ni.iommufd, ni.dev.dev_id, ioas,
				  HWPT_ORDINARY, 0);
	vfio_dev_attach(&ni.dev, hwpt);
	expect_reads(&ni, NI_DATA, false, "in the other IOAS");
	nest(&ni);
	iommufd_destroy(ni.iommufd, hwpt);
	expect_reads(&ni, VA, true, "the other HWPT is gone");

	iommufd_unmap(ni.iommufd, ni.ioas, NI_GPA, NI_SIZE);
	expect_reads(&ni, VA, false, "unmapped");
	nested_iommu_destroy(&ni);
}

static void back_to_the_parent(void)
{
	struct nested_iommu ni;

	setup(&ni);
	nest(&ni);
	nested_iommu_detach(&ni);
	expect_reads(&ni, VA, false, "at the parent");
	expect_reads(&ni, NI_DATA, true, "at the parent");
	nested_iommu_destroy(&ni);
}

static void parent_grows(void)
{
	struct nested_iommu ni;
	void *mem;

	setup(&ni);
	nest(&ni);
	mem = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	iommufd_map(ni.iommufd, ni.ioas, BEYOND_512G, mem, SIZE_4K);
	expect_reads(&ni, VA, true, "the parent has grown");
	expect_reads(&ni, NI_DATA, false, "the parent has grown");
	nested_iommu_destroy(&ni);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "from another IOAS straight to the nested domain",
		  from_another_ioas },
		{ "back to the parent", back_to_the_parent },
		{ "the parent's table grows a level", parent_grows },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
