// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device with ATS on an ordinary HWPT, on the stock kernel:
 *
 * 1. The device gets translations, with the permissions that it is due, and its
 *    DMA by them reaches memory. What is not mapped, or not writable, it does not
 *    get.
 * 2. A translation that permits writes has made the page dirty.
 * 3. Unmap, and clearing the bitmap, make the kernel invalidate the device's
 *    IOTLB, in the range that they are about: the translation is gone.
 * 4. With the invalidation dropped by the device the translation stays, and DMA by
 *    it goes where nothing is mapped any more: what 3. is the control of.
 *
 * bench: --kernel stock --bench amd-full
 */
#include <errno.h>

#include "dma_test.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "tap.h"
#include "tracked.h"

#define SIZE	(64 * SIZE_4K)
#define PAGE	(TRACKED_IOVA + 3 * SIZE_4K)

static void create(struct tracked *t)
{
	tracked_create(t, DMA_TEST_VENDOR, DMA_TEST_DEVICE, SIZE_4K, SIZE);
	tracked_switch(t, true);
}

static void translations(void)
{
	struct dma_test_translation tr;
	struct tracked t;
	__u64 value = 0;
	void *ro;

	create(&t);
	memset(t.mem + 2 * SIZE_4K, 0x22, SIZE_4K);
	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID,
					  TRACKED_IOVA + 2 * SIZE_4K, false,
					  &tr), 0);
	TEST_ASSERT(tr.read && !tr.write && tr.size == SIZE_4K,
		    "read %d write %d size %#llx", tr.read, tr.write, tr.size);
	TEST_ASSERT_EQ(dma_test_read_translated(t.dev.bar, TRACKED_IOVA +
						2 * SIZE_4K + 16, &value, 8),
		       0);
	TEST_ASSERT_EQ(value, 0x2222222222222222ULL);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, TRACKED_IOVA +
						 2 * SIZE_4K, &value, 8),
		       EACCES);
	tracked_compare(&t, true);

	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID, PAGE, true, &tr),
		       0);
	TEST_ASSERT(tr.read && tr.write, "read %d write %d", tr.read, tr.write);
	tracked_wrote(&t, PAGE - TRACKED_IOVA, 1);
	tracked_compare(&t, true);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, PAGE, &value, 8), 0);
	TEST_ASSERT_EQ(*(__u64 *)(t.mem + 3 * SIZE_4K), value);

	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID,
					  TRACKED_IOVA + SIZE, true, &tr),
		       EFAULT);
	ro = mmap(NULL, SIZE_4K, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(ro != MAP_FAILED, "mmap");
	TEST_ASSERT(!__iommufd_map(t.iommufd, t.ioas, IOMMU_IOAS_MAP_READABLE,
				   TRACKED_IOVA + SIZE, ro, SIZE_4K), "map");
	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID,
					  TRACKED_IOVA + SIZE, true, &tr), 0);
	TEST_ASSERT(tr.read && !tr.write, "read %d write %d of a page that is read-only",
		    tr.read, tr.write);
	tracked_destroy(&t);
}

/* Whether what the kernel said last has @addr in it. */
static void expect_invalidated(struct tracked *t, __u64 before, __u64 addr)
{
	struct dma_test_invalidations inv;
	bool all;

	dma_test_read_invalidations(t->dev.bar, &inv);
	TEST_ASSERT(inv.count > before, "no invalidation");
	all = !inv.size && !inv.addr;
	TEST_ASSERT(all || (inv.addr <= addr && addr < inv.addr + inv.size),
		    "%#llx+%#llx does not have %#llx", inv.addr, inv.size, addr);
	TEST_ASSERT_EQ(inv.pasid, ~0ULL);
}

static void invalidated(void)
{
	struct dma_test_invalidations inv;
	struct dma_test_translation tr;
	struct tracked t;
	__u64 value = 1;

	create(&t);
	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID, PAGE, true, &tr),
		       0);
	tracked_wrote(&t, PAGE - TRACKED_IOVA, 1);
	dma_test_read_invalidations(t.dev.bar, &inv);
	tracked_compare(&t, false);
	expect_invalidated(&t, inv.count, PAGE);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, PAGE, &value, 8),
		       EACCES);

	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID, PAGE, true, &tr),
		       0);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, PAGE, &value, 8), 0);
	dma_test_read_invalidations(t.dev.bar, &inv);
	iommufd_unmap(t.iommufd, t.ioas, TRACKED_IOVA, SIZE);
	expect_invalidated(&t, inv.count, PAGE);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, PAGE, &value, 8),
		       EACCES);
	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID, PAGE, true, &tr),
		       EFAULT);
	tracked_destroy(&t);
}

/* The memory stays with this process, so that nobody else's is written. */
static void stale_when_dropped(void)
{
	struct dma_test_translation tr;
	struct tracked t;
	__u64 value = 0xbad;

	create(&t);
	TEST_ASSERT_EQ(dma_test_translate(t.dev.bar, NO_PASID, PAGE, true, &tr),
		       0);
	dma_test_drop_invalidations(t.dev.bar, true);
	iommufd_unmap(t.iommufd, t.ioas, TRACKED_IOVA, SIZE);
	TEST_ASSERT_EQ(dma_test_write_translated(t.dev.bar, PAGE, &value, 8), 0);
	TEST_ASSERT_EQ(*(__u64 *)(t.mem + 3 * SIZE_4K), 0xbad);
	/* Without the translation the IOMMU stops it. */
	TEST_ASSERT(dma_test_write(t.dev.bar, NO_PASID, PAGE, &value, 8),
		    "DMA is not blocked");
	dma_test_drop_invalidations(t.dev.bar, false);
	tracked_destroy(&t);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "translations, what is in them, and DMA by them",
		  translations },
		{ "unmap and the bitmap's clearing invalidate them",
		  invalidated },
		{ "stale when the device drops invalidations",
		  stale_when_dropped },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
