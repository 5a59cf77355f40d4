// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd's dirty tracking with an IOMMU that sets D bits, on the stock kernel:
 *
 * 1. GET_DIRTY_BITMAP names the pages that a device wrote since it was last
 *    cleared, each of them and no other: random writes of three devices, reads,
 *    NO_CLEAR, tracking off and on, against a model.
 * 2. A read of a page by the device does not make it dirty, not even when the
 *    IOTLB has it; a write after that does.
 * 3. A 2M leaf is dirty as a whole, and its neighbour is not; likewise a series of
 *    entries that make 64K, whichever of them the device came by.
 * 4. Nothing is lost while the bitmap is read and cleared under DMA.
 *
 * The control, an IOMMU without D bits, is dirty_unsupported_test.
 *
 * bench: --kernel stock --bench amd-full
 */
#include "dma_test.h"
#include "edu.h"
#include "guest_mem.h"
#include "iommufd_dirty.h"
#include "tap.h"
#include "testdev.h"
#include "tracked.h"

#define SIZE		(256 * SIZE_4K)
#define STEPS		400

static __u64 seed;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

/* Reads and writes of @len bytes at @offset, which must go well. */
static void dma_write(struct tracked *t, size_t offset, size_t len)
{
	static const __u8 pattern[DMA_TEST_MAX_LEN] = { 0x5a };
	int r = dma_test_write(t->dev.bar, NO_PASID, t->iova + offset, pattern,
			       len);

	TEST_ASSERT(!r, "write of %zu at %#zx: %d", len, offset, r);
	tracked_wrote(t, offset, len);
}

static void dma_read(struct tracked *t, size_t offset, size_t len)
{
	__u8 buf[DMA_TEST_MAX_LEN];
	int r = dma_test_read(t->dev.bar, NO_PASID, t->iova + offset, buf, len);

	TEST_ASSERT(!r, "read of %zu at %#zx: %d", len, offset, r);
	TEST_ASSERT(!memcmp(buf, t->mem + offset, len), "read other bytes");
}

static void random_steps(size_t leaf, size_t size)
{
	struct tracked t;
	unsigned int i;
	size_t offset, len;

	seed = time(NULL);
	ksft_print_msg("seed %llu\n", seed);
	tracked_create(&t, DMA_TEST_VENDOR, DMA_TEST_DEVICE, leaf, size);
	tracked_switch(&t, true);
	for (i = 0; i < STEPS; i++) {
		len = pick(256) + 1;
		offset = pick(size - len);
		switch (pick(10)) {
		case 0 ... 4:
			dma_write(&t, offset, len);
			break;
		case 5 ... 7:
			dma_read(&t, offset, len);
			break;
		case 8:
			if (t.on)
				tracked_compare(&t, pick(2));
			break;
		default:
			if (!pick(4))
				tracked_switch(&t, !t.on);
		}
	}
	tracked_switch(&t, true);
	dma_write(&t, 0, 1);
	tracked_compare(&t, false);
	tracked_destroy(&t);
}

static void random_4k(void)
{
	random_steps(SIZE_4K, SIZE);
}

static void random_64k(void)
{
	random_steps(SIZE_64K, SIZE_2M);
}

/* What the IOTLB holds must not keep a write from setting D. */
static void read_then_write(void)
{
	struct tracked t;

	tracked_create(&t, DMA_TEST_VENDOR, DMA_TEST_DEVICE, SIZE_4K, SIZE);
	tracked_switch(&t, true);
	dma_read(&t, 5 * SIZE_4K, 8);
	tracked_compare(&t, true);
	dma_write(&t, 5 * SIZE_4K, 8);
	tracked_compare(&t, true);
	dma_write(&t, 6 * SIZE_4K - 4, 8);	/* over a page's end */
	tracked_compare(&t, false);
	tracked_compare(&t, true);		/* clear */
	dma_write(&t, 5 * SIZE_4K, 8);		/* and flushed when cleared */
	tracked_compare(&t, false);
	tracked_destroy(&t);
}

static void large_leaf(void)
{
	struct tracked t;

	tracked_create(&t, DMA_TEST_VENDOR, DMA_TEST_DEVICE, SIZE_2M,
		       4 * SIZE_2M);
	tracked_switch(&t, true);
	memset(t.mem + SIZE_2M + 0x123450, 0xa5, 64);
	dma_read(&t, SIZE_2M + 0x123450, 64);
	tracked_compare(&t, true);
	dma_write(&t, 2 * SIZE_2M + 0x1ff7f0, 1);
	TEST_ASSERT_EQ(*(__u8 *)(t.mem + 2 * SIZE_2M + 0x1ff7f0), 0x5a);
	tracked_compare(&t, false);
	dma_write(&t, 3 * SIZE_2M - 1, 2);	/* over a leaf's end */
	tracked_compare(&t, false);
	tracked_destroy(&t);
}

static void other_devices(void)
{
	struct tracked t;

	tracked_create(&t, EDU_VENDOR, EDU_DEVICE, SIZE_4K, SIZE);
	tracked_switch(&t, true);
	memset(t.mem, 0x77, SIZE_4K);
	edu_load(&t.dev, TRACKED_IOVA, SIZE_4K);
	tracked_compare(&t, true);
	edu_store(&t.dev, TRACKED_IOVA + 7 * SIZE_4K + 100, SIZE_4K - 96);
	TEST_ASSERT_EQ(*(__u8 *)(t.mem + 7 * SIZE_4K + 100), 0x77);
	tracked_wrote(&t, 7 * SIZE_4K + 100, SIZE_4K - 96);
	tracked_compare(&t, false);
	tracked_destroy(&t);

	tracked_create(&t, TESTDEV_VENDOR, TESTDEV_DEVICE, SIZE_4K, SIZE);
	tracked_switch(&t, true);
	TEST_ASSERT(testdev_write(&t.dev, TRACKED_IOVA + SIZE_4K, 10 * SIZE_4K),
		    "iommu-testdev was blocked");
	tracked_wrote(&t, SIZE_4K, 10 * SIZE_4K);
	tracked_compare(&t, false);
	tracked_destroy(&t);
}

struct writer {
	struct tracked *t;
	bool done;
};

/* Each page once: an odd stride meets them all. */
static void *write_each_page_once(void *arg)
{
	struct writer *w = arg;
	size_t i, pages = SIZE / SIZE_4K;

	for (i = 0; i < pages; i++)
		if (!testdev_write(&w->t->dev, TRACKED_IOVA +
				   i * 37 % pages * SIZE_4K, 64))
			break;
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return (void *)i;
}

/* A page is written once: a bitmap that loses it loses it for good. */
static void cleared_under_dma(void)
{
	struct tracked t;
	struct writer w = { .t = &t };
	size_t i, words = SIZE / SIZE_4K / 64;
	__u64 seen[SIZE / SIZE_4K / 64] = { 0 };
	unsigned int reads = 0;
	pthread_t thread;
	void *written;
	bool done;

	tracked_create(&t, TESTDEV_VENDOR, TESTDEV_DEVICE, SIZE_4K, SIZE);
	tracked_switch(&t, true);
	TEST_ASSERT(!pthread_create(&thread, NULL, write_each_page_once, &w),
		    "pthread_create");
	do {
		done = __atomic_load_n(&w.done, __ATOMIC_ACQUIRE);
		TEST_ASSERT(!iommufd_dirty_bitmap(t.iommufd, t.hwpt,
						  TRACKED_IOVA, SIZE, SIZE_4K,
						  false, t.got),
			    "GET_DIRTY_BITMAP");
		reads++;
		for (i = 0; i < words; i++) {
			TEST_ASSERT(!(seen[i] & t.got[i]), "dirty again: %llx",
				    seen[i] & t.got[i]);
			seen[i] |= t.got[i];
		}
	} while (!done);
	pthread_join(thread, &written);
	TEST_ASSERT_EQ((size_t)written, SIZE / SIZE_4K);
	ksft_print_msg("%u bitmaps while %zu pages were written\n", reads,
		       (size_t)written);
	for (i = 0; i < words; i++)
		TEST_ASSERT_EQ(seen[i], ~0ULL);
	tracked_destroy(&t);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K leaves, random steps: the bitmap is as the model says",
		  random_4k },
		{ "64K leaves, of series of entries: likewise", random_64k },
		{ "reads do not make dirty, a write after one does",
		  read_then_write },
		{ "a 2M leaf is dirty as a whole, its neighbours are not",
		  large_leaf },
		{ "edu and iommu-testdev", other_devices },
		{ "nothing is lost while it is read and cleared under DMA",
		  cleared_under_dma },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
