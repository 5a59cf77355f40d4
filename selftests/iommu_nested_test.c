// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's first level (AMD's v2 tables, one for each PASID) over an ordinary
 * HWPT of iommufd. It needs the patch that wires AMD's nested domains up, which the
 * stock kernel lacks (docs/errata.rst).
 *
 * 1. A request with a PASID is translated by that PASID's table, one without by
 *    PASID 0's, and the result by the parent. PASIDs without a table are blocked.
 * 2. The IOMMU sets A and D in the guest's entries, and D in the parent for the
 *    pages that it writes: data, and the guest's tables when it sets bits there. The
 *    bitmap is exact.
 * 3. What either level does not permit is blocked: read-only in the guest or in the
 *    host, supervisor's, not mapped in the guest or in the host.
 * 4. GCR3 tables of one to three levels; 2M and 1G leaves in the guest. Four: EINVAL.
 * 5. IOAS_UNMAP blocks what went through the nested table a moment before.
 *
 * bench: --bench amd-full
 */
#include "dma_test.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "iommufd_dirty.h"
#include "nested_iommu.h"
#include "tap.h"

#define VA0		0x123456000ULL
#define VA3		0x7f1234567000ULL
#define PASID		3

static int read_word(struct nested_iommu *ni, __u32 pasid, __u64 va, __u64 *word)
{
	*word = 0;
	return dma_test_read(ni->dev.bar, pasid, va, word, sizeof(*word));
}

static int write_word(struct nested_iommu *ni, __u32 pasid, __u64 va, __u64 word)
{
	return dma_test_write(ni->dev.bar, pasid, va, &word, sizeof(word));
}

/* One table for PASID 3, which maps VA3 to the first page of data. */
static __u64 one_page(struct nested_iommu *ni, __u64 *leaf)
{
	__u64 root = nested_iommu_new_table(ni);

	nested_iommu_set_root(ni, NI_GCR3, PASID, root);
	*leaf = nested_iommu_map(ni, root, VA3, 0, NI_DATA | GPTE_RWU);
	*nested_iommu_word(ni, NI_DATA) = 0x3333;
	return root;
}

static void by_pasid(void)
{
	struct nested_iommu ni;
	__u64 root0, leaf, word;

	nested_iommu_create(&ni);
	one_page(&ni, &leaf);
	root0 = nested_iommu_new_table(&ni);
	nested_iommu_set_root(&ni, NI_GCR3, 0, root0);
	nested_iommu_map(&ni, root0, VA0, 0, (NI_DATA + SIZE_4K) | GPTE_RWU);
	*nested_iommu_word(&ni, NI_DATA + SIZE_4K) = 0x1111;
	TEST_ASSERT_EQ(nested_iommu_attach(&ni, NI_GCR3, 1), 0);

	TEST_ASSERT_EQ(read_word(&ni, NO_PASID, VA0, &word), 0);
	TEST_ASSERT_EQ(word, 0x1111);
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3, &word), 0);
	TEST_ASSERT_EQ(word, 0x3333);
	TEST_ASSERT_EQ(write_word(&ni, PASID, VA3, 0x4444), 0);
	TEST_ASSERT_EQ(*nested_iommu_word(&ni, NI_DATA), 0x4444);
	TEST_ASSERT(read_word(&ni, NO_PASID, VA3, &word),
		    "PASID 3's address without a PASID");
	TEST_ASSERT(read_word(&ni, PASID, VA0, &word),
		    "PASID 0's address with PASID 3");
	TEST_ASSERT(read_word(&ni, PASID + 1, VA3, &word),
		    "a PASID without a table");

	/* Control: on the parent the address is the guest's physical one. */
	nested_iommu_detach(&ni);
	TEST_ASSERT(read_word(&ni, NO_PASID, VA0, &word), "VA0 on the parent");
	TEST_ASSERT_EQ(read_word(&ni, NO_PASID, NI_DATA, &word), 0);
	TEST_ASSERT_EQ(word, 0x4444);
	nested_iommu_destroy(&ni);
}

/* The bitmap must be @expected, which is cleared. */
static void compare(struct nested_iommu *ni, __u64 *expected)
{
	static __u64 got[NI_SIZE / SIZE_4K / 64];
	size_t i;

	TEST_ASSERT(!iommufd_dirty_bitmap(ni->iommufd, ni->parent, NI_GPA,
					  NI_SIZE, SIZE_4K, false, got),
		    "GET_DIRTY_BITMAP");
	for (i = 0; i < ARRAY_SIZE(got); i++) {
		TEST_ASSERT(got[i] == expected[i],
			    "pages %zu on: %016llx, expected %016llx", i * 64,
			    got[i], expected[i]);
		expected[i] = 0;
	}
}

static void expect_dirty(__u64 *expected, __u64 gpa)
{
	size_t page = (gpa - NI_GPA) / SIZE_4K;

	expected[page / 64] |= 1ULL << (page % 64);
}

static void accessed_and_dirty(void)
{
	static __u64 expected[NI_SIZE / SIZE_4K / 64];
	struct nested_iommu ni;
	__u64 root, leaf, word, gpa;

	nested_iommu_create(&ni);
	root = one_page(&ni, &leaf);
	TEST_ASSERT_EQ(iommufd_dirty_tracking(ni.iommufd, ni.parent, true), 0);
	TEST_ASSERT_EQ(nested_iommu_attach(&ni, NI_GCR3, 1), 0);
	compare(&ni, expected);

	/* A read sets A in an entry of each of the four tables, and no D. */
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3, &word), 0);
	TEST_ASSERT_EQ(*nested_iommu_word(&ni, leaf) & (GPTE_A | GPTE_D),
		       GPTE_A);
	for (gpa = root; gpa < ni.next_table; gpa += SIZE_4K)
		expect_dirty(expected, gpa);
	compare(&ni, expected);
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3, &word), 0);
	compare(&ni, expected);

	/* A write sets D in the leaf. */
	TEST_ASSERT_EQ(write_word(&ni, PASID, VA3, 0x5555), 0);
	TEST_ASSERT_EQ(*nested_iommu_word(&ni, leaf) & (GPTE_A | GPTE_D),
		       GPTE_A | GPTE_D);
	expect_dirty(expected, leaf);
	expect_dirty(expected, NI_DATA);
	compare(&ni, expected);

	/* One more writes data alone. */
	TEST_ASSERT_EQ(write_word(&ni, PASID, VA3, 0x6666), 0);
	expect_dirty(expected, NI_DATA);
	compare(&ni, expected);
	nested_iommu_destroy(&ni);
}

static void permissions(void)
{
	__u64 leaf, root, word, ro_gpa = NI_GPA + NI_SIZE;
	struct nested_iommu ni;
	__u64 *ro;

	nested_iommu_create(&ni);
	root = one_page(&ni, &leaf);
	ro = mmap(NULL, SIZE_4K, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(ro != MAP_FAILED, "mmap");
	*ro = 0x7777;
	TEST_ASSERT(!__iommufd_map(ni.iommufd, ni.ioas, IOMMU_IOAS_MAP_READABLE,
				   ro_gpa, ro, SIZE_4K), "map");
	nested_iommu_map(&ni, root, VA3 + SIZE_4K, 0, NI_DATA | GPTE_P | GPTE_US);
	nested_iommu_map(&ni, root, VA3 + 2 * SIZE_4K, 0, ro_gpa | GPTE_RWU);
	nested_iommu_map(&ni, root, VA3 + 3 * SIZE_4K, 0,
			 NI_DATA | GPTE_P | GPTE_RW);
	nested_iommu_map(&ni, root, VA3 + 4 * SIZE_4K, 0,
			 (ro_gpa + SIZE_4K) | GPTE_RWU);
	TEST_ASSERT_EQ(nested_iommu_attach(&ni, NI_GCR3, 1), 0);

	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3 + SIZE_4K, &word), 0);
	TEST_ASSERT_EQ(word, 0x3333);
	TEST_ASSERT(write_word(&ni, PASID, VA3 + SIZE_4K, 1),
		    "read-only in the guest");
	TEST_ASSERT_EQ(*nested_iommu_word(&ni, NI_DATA), 0x3333);
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3 + 2 * SIZE_4K, &word), 0);
	TEST_ASSERT_EQ(word, 0x7777);
	TEST_ASSERT(write_word(&ni, PASID, VA3 + 2 * SIZE_4K, 1),
		    "read-only in the host");
	TEST_ASSERT_EQ(*ro, 0x7777);
	TEST_ASSERT(read_word(&ni, PASID, VA3 + 3 * SIZE_4K, &word),
		    "supervisor's");
	TEST_ASSERT(read_word(&ni, PASID, VA3 + 4 * SIZE_4K, &word),
		    "not mapped in the host");
	TEST_ASSERT(read_word(&ni, PASID, VA3 + 5 * SIZE_4K, &word),
		    "not mapped in the guest");
	/* Control: the same table still works. */
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3, &word), 0);
	TEST_ASSERT_EQ(word, 0x3333);
	nested_iommu_destroy(&ni);
}

/* GCR3 tables above the one with the roots; all PASIDs here are below 512. */
static void gcr3_levels(void)
{
	__u64 root, gcr3 = NI_GCR3, word;
	struct nested_iommu ni;
	unsigned int levels;

	nested_iommu_create(&ni);
	root = nested_iommu_new_table(&ni);
	nested_iommu_set_root(&ni, NI_GCR3, 255, root);
	nested_iommu_map(&ni, root, 0x600000, 1, (NI_GPA + 0xa00000) | GPTE_RWU);
	nested_iommu_map(&ni, root, SIZE_1G, 2, NI_GPA | GPTE_RWU);
	*nested_iommu_word(&ni, NI_GPA + 0xa77008) = 0x8888;
	*nested_iommu_word(&ni, NI_GPA + 0xf00010) = 0x9999;
	for (levels = 1; levels <= 3; levels++) {
		TEST_ASSERT_EQ(nested_iommu_attach(&ni, gcr3, levels), 0);
		TEST_ASSERT_EQ(read_word(&ni, 255, 0x677008, &word), 0);
		TEST_ASSERT_EQ(word, 0x8888);
		TEST_ASSERT_EQ(read_word(&ni, 255, SIZE_1G + 0xf00010, &word), 0);
		TEST_ASSERT_EQ(word, 0x9999);
		TEST_ASSERT(read_word(&ni, 255, SIZE_1G + NI_SIZE, &word),
			    "in a 1G leaf, beyond what the host maps");
		TEST_ASSERT(read_word(&ni, 254, 0x677008, &word),
			    "another PASID");
		nested_iommu_detach(&ni);
		word = gcr3;
		gcr3 = nested_iommu_new_table(&ni);
		nested_iommu_set_root(&ni, gcr3, 0, word);
	}
	TEST_ASSERT_EQ(nested_iommu_attach(&ni, gcr3, 4), -EINVAL);
	nested_iommu_destroy(&ni);
}

static void unmap(void)
{
	struct nested_iommu ni;
	__u64 leaf, word;

	nested_iommu_create(&ni);
	one_page(&ni, &leaf);
	TEST_ASSERT_EQ(nested_iommu_attach(&ni, NI_GCR3, 1), 0);
	TEST_ASSERT_EQ(write_word(&ni, PASID, VA3, 0xaaaa), 0);
	iommufd_unmap(ni.iommufd, ni.ioas, NI_GPA, NI_SIZE);
	TEST_ASSERT(write_word(&ni, PASID, VA3, 0xbbbb), "not blocked");
	TEST_ASSERT_EQ(*nested_iommu_word(&ni, NI_DATA), 0xaaaa);
	iommufd_map(ni.iommufd, ni.ioas, NI_GPA, ni.mem, NI_SIZE);
	TEST_ASSERT_EQ(read_word(&ni, PASID, VA3, &word), 0);
	TEST_ASSERT_EQ(word, 0xaaaa);
	nested_iommu_destroy(&ni);
}

static bool kernel_nests(void)
{
	struct nested_iommu ni;
	int r;

	nested_iommu_create(&ni);
	r = nested_iommu_attach(&ni, NI_GCR3, 1);
	nested_iommu_destroy(&ni);
	return !r;
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "each PASID has its own table, none has PASID 0's", by_pasid },
		{ "A and D in the guest's tables, D in the parent",
		  accessed_and_dirty },
		{ "what either level does not permit is blocked", permissions },
		{ "GCR3 tables of 1 to 3 levels, 2M and 1G leaves", gcr3_levels },
		{ "unmap in the parent blocks what the guest's table maps",
		  unmap },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	__TEST_REQUIRE(kernel_nests(),
		       "AMD's nested domains are wired up nowhere in this kernel");
	return tap_run(cases, ARRAY_SIZE(cases));
}
