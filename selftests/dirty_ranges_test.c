// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty state of a range, asked of iommufd, is right whatever entries of the
 * IOMMU's table the range's ends lie in:
 *
 * 1. A dirty entry that begins before the range is reported, and nothing else.
 * 2. One that ends after it sets no bit behind the bitmap.
 * 3. An entry that the range covers in part stays dirty for who asks about the
 *    rest; one that it covers is clean afterwards, unless that is not wanted.
 * 4. Of contiguous entries that are one page all bits are set, the last too.
 * 5. Registers (a dma-buf's range) have no dirty state; memory beside them has.
 *
 * On iommufd's mock, whose table generic_pt walks, as AMD's and VT-d's. An entry
 * without a write is clean beside the dirty one in each case.
 *
 * bench: --append kvm.share_iommu_tdp=0
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/iommufd.h>

#include "guest_mem.h"
#include "iommufd.h"
#include "mock_iommu.h"
#include "tap.h"

#define PAGES		(MOCK_HUGE_PAGE / SIZE_4K)	/* of 4K, in a huge page */
#define CANARY		0x5a
#define CANARY_LEN	256

struct tracked {
	int iommufd;
	__u32 ioas, dev, hwpt;
	void *mem;
	size_t size;
};

/* Memory of huge pages at MOCK_IOVA, which are two huge pages of the mock. */
static void setup(struct tracked *t, bool huge)
{
	t->iommufd = iommufd_open();
	t->ioas = iommufd_ioas_alloc(t->iommufd);
	if (!mock_iommu_add_device(t->iommufd, t->ioas, &t->dev))
		tap_skip_case("needs CONFIG_IOMMUFD_TEST");
	t->size = SIZE_2M;
	t->mem = mmap(NULL, t->size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE,
		      -1, 0);
	if (t->mem == MAP_FAILED)
		tap_skip_case("no hugepage is left");
	iommufd_map(t->iommufd, t->ioas, MOCK_IOVA, t->mem, t->size);
	t->hwpt = mock_iommu_dirty_hwpt(t->iommufd, t->dev, t->ioas, huge);
}

static void end(struct tracked *t)
{
	close(t->iommufd);
	munmap(t->mem, t->size);
}

/*
 * Asks about @len bytes at @iova, a bit for each @page bytes, and counts the bits
 * that are set. None may be set behind the bitmap.
 */
static unsigned int dirty_bits(struct tracked *t, __u64 iova, size_t len,
			       size_t page, __u32 flags)
{
	size_t bytes = len / page / 8, i;
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = t->hwpt,
		.flags = flags,
		.iova = iova,
		.length = len,
		.page_size = page,
	};
	unsigned int n = 0;
	__u8 *bits;

	TEST_ASSERT(bytes * 8 * page == len, "no whole byte of a bitmap");
	bits = aligned_alloc(SIZE_4K, SIZE_4K);
	TEST_ASSERT(bits && bytes + CANARY_LEN <= SIZE_4K, "bitmap");
	memset(bits, 0, bytes);
	memset(bits + bytes, CANARY, CANARY_LEN);
	cmd.data = (unsigned long)bits;
	TEST_ASSERT(!ioctl(t->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd),
		    "GET_DIRTY_BITMAP of %#llx+%#lx", iova, len);
	for (i = 0; i < bytes; i++)
		n += __builtin_popcount(bits[i]);
	for (i = 0; i < CANARY_LEN; i++)
		TEST_ASSERT(bits[bytes + i] == CANARY,
			    "byte %lu behind the bitmap is %#x", i,
			    bits[bytes + i]);
	free(bits);
	return n;
}

static unsigned int dirty_pages(struct tracked *t, __u64 iova, size_t len)
{
	return dirty_bits(t, iova, len, SIZE_4K, 0);
}

static void begins_within(void)
{
	struct tracked t;

	setup(&t, true);
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA);

	/* To the end of the memory, where the second huge page is clean. */
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA + MOCK_HUGE_PAGE / 2,
				   MOCK_HUGE_PAGE / 2 + MOCK_HUGE_PAGE),
		       PAGES / 2);
	end(&t);
}

static void ends_within(void)
{
	struct tracked t;

	setup(&t, true);
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA + MOCK_HUGE_PAGE);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA,
				   MOCK_HUGE_PAGE + MOCK_HUGE_PAGE / 2),
		       PAGES / 2);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, MOCK_HUGE_PAGE), 0);
	end(&t);
}

static void asked_in_pieces(void)
{
	const size_t piece = 64 * 1024;
	struct tracked t;
	size_t at;

	setup(&t, true);
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA);
	for (at = 0; at < MOCK_HUGE_PAGE; at += piece)
		TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA + at, piece),
			       piece / SIZE_4K);
	for (; at < t.size; at += piece)
		TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA + at, piece), 0);

	/* A range that covers it makes it clean. */
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, MOCK_HUGE_PAGE), PAGES);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, piece), 0);
	end(&t);
}

static void covered_entries_are_cleaned(void)
{
	struct tracked t;

	setup(&t, true);
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA);
	TEST_ASSERT_EQ(dirty_bits(&t, MOCK_IOVA, t.size, SIZE_4K,
				  IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR), PAGES);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, t.size), PAGES);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, t.size), 0);

	/* And can be dirty again. */
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, t.size), PAGES);
	end(&t);
}

/* 64K of the mock's 2K entries, of which one is written through. */
static void contiguous_entries(void)
{
	const size_t len = 64 * 1024, nr = len / MOCK_PAGE;
	struct tracked t;
	size_t i;

	setup(&t, false);
	iommufd_unmap(t.iommufd, t.ioas, MOCK_IOVA, t.size);
	iommufd_map(t.iommufd, t.ioas, MOCK_IOVA, t.mem, len);
	iommufd_map(t.iommufd, t.ioas, MOCK_IOVA + len, t.mem + 2 * len, len);
	for (i = 0; i < nr; i++) {
		mock_iommu_make_dirty(t.iommufd, t.hwpt,
				      MOCK_IOVA + i * MOCK_PAGE);
		TEST_ASSERT_EQ(dirty_bits(&t, MOCK_IOVA, 2 * len, MOCK_PAGE, 0),
			       nr);
		TEST_ASSERT_EQ(dirty_bits(&t, MOCK_IOVA, 2 * len, MOCK_PAGE, 0),
			       0);
	}
	end(&t);
}

static void registers_beside_memory(void)
{
	const size_t len = 64 * 1024;
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOAS_MAP_RW,
		.length = len,
	};
	struct tracked t;

	setup(&t, true);
	cmd.ioas_id = t.ioas;
	cmd.iova = MOCK_IOVA + t.size;
	cmd.fd = mock_iommu_dma_buf(t.iommufd, len);
	TEST_ASSERT(!ioctl(t.iommufd, IOMMU_IOAS_MAP_FILE, &cmd), "MAP_FILE");
	mock_iommu_make_dirty(t.iommufd, t.hwpt, MOCK_IOVA);
	mock_iommu_make_dirty(t.iommufd, t.hwpt, cmd.iova);
	TEST_ASSERT_EQ(dirty_pages(&t, MOCK_IOVA, t.size + len), PAGES);
	TEST_ASSERT_EQ(dirty_pages(&t, cmd.iova, len), 0);
	iommufd_unmap(t.iommufd, t.ioas, cmd.iova, len);
	close(cmd.fd);
	end(&t);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a range that begins within a dirty entry", begins_within },
		{ "a range that ends within a dirty entry", ends_within },
		{ "a dirty entry, asked about in pieces", asked_in_pieces },
		{ "covered entries are cleaned, unless that is not wanted",
		  covered_entries_are_cleaned },
		{ "contiguous entries that are one page", contiguous_entries },
		{ "registers beside memory", registers_beside_memory },
	};

	__TEST_REQUIRE(!access("/dev/iommu", R_OK | W_OK), "no /dev/iommu");
	return tap_run(cases, ARRAY_SIZE(cases));
}
