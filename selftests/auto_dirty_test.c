// SPDX-License-Identifier: GPL-2.0-only
/*
 * An HWPT with dirty tracking shares while that is off, and loses nothing of what
 * user space may ask for.
 *
 * 1. To switch tracking off while it is off, and shared, is no error.
 * 2. Switched on it has a table of its own, and the bitmap names the page that the
 *    device wrote and no other: the control.
 * 3. Switched off, and shared again, the bitmap still has the page that was written
 *    meanwhile. Switched on again it is exact again.
 *
 * bench: --bench amd-full --share
 */
#include "auto_vm.h"
#include "dma_test.h"
#include "iommufd_dirty.h"
#include "tap.h"

#define PAGES		(2 * SIZE_2M / SIZE_4K)

struct dirty {
	struct auto_vm a;
	__u64 bits[PAGES / 64];
};

static void create(struct dirty *d)
{
	struct auto_vm *a = &d->a;

	auto_vm_create_detached(a);
	TEST_ASSERT(!__iommufd_hwpt_alloc(a->s.iommufd, a->s.edu.dev_id,
					  a->s.ioas,
					  IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
					  &a->s.hwpt), "HWPT with tracking");
	vfio_dev_attach(&a->s.edu, a->s.hwpt);
	vfio_dev_attach(&a->testdev, a->s.hwpt);
	auto_vm_map_slot0(a);
	share_vm_map(&a->s, &a->mem);
	auto_vm_wait_shared(a);
}

static void track(struct dirty *d, bool on)
{
	TEST_ASSERT_EQ(iommufd_dirty_tracking(d->a.s.iommufd, d->a.s.hwpt, on),
		       0);
}

static void write_page(struct dirty *d, unsigned int page)
{
	TEST_ASSERT(testdev_write(&d->a.testdev, d->a.mem.gpa + page * SIZE_4K,
				  64), "DMA to page %u", page);
}

/* How many pages are said to be dirty; @page must be among them. */
static unsigned int read_bits(struct dirty *d, unsigned int page)
{
	unsigned int i, nr = 0;

	memset(d->bits, 0, sizeof(d->bits));
	TEST_ASSERT_EQ(iommufd_dirty_bitmap(d->a.s.iommufd, d->a.s.hwpt,
					    d->a.mem.gpa, d->a.mem.size,
					    SIZE_4K, false, d->bits), 0);
	for (i = 0; i < PAGES; i++)
		nr += d->bits[i / 64] >> i % 64 & 1;
	TEST_ASSERT(d->bits[page / 64] >> page % 64 & 1,
		    "page %u is not among %u", page, nr);
	return nr;
}

static void nothing_is_lost(void)
{
	struct dirty d = { 0 };

	create(&d);
	track(&d, false);
	auto_vm_expect_shared(&d.a);

	track(&d, true);
	TEST_ASSERT(!auto_vm_status().shared, "shared while tracking is on");
	write_page(&d, 5);
	TEST_ASSERT_EQ(read_bits(&d, 5), 1);

	write_page(&d, 77);
	track(&d, false);
	auto_vm_wait_shared(&d.a);
	read_bits(&d, 77);

	track(&d, true);
	write_page(&d, 99);
	TEST_ASSERT_EQ(read_bits(&d, 99), 1);
	track(&d, false);
	auto_vm_wait_shared(&d.a);
	auto_vm_destroy(&d.a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "no dirty page is lost as tracking ends", nothing_is_lost },
	};
	char bdf[BDF_LEN];

	share_vm_require(true);
	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
