// SPDX-License-Identifier: GPL-2.0-only
/* A device on an ordinary HWPT with dirty tracking, and a model of the bitmap. */
#include <sys/mman.h>

#include "guest_mem.h"
#include "iommufd.h"
#include "iommufd_dirty.h"
#include "tap.h"
#include "tracked.h"

static void *alloc_mem(size_t leaf, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *mem;

	if (leaf != SIZE_4K)
		flags |= MAP_HUGETLB;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (mem == MAP_FAILED)
		tap_skip_case("no huge pages");
	if (leaf == SIZE_4K) {
		madvise(mem, size, MADV_NOHUGEPAGE);
		fault_in_scattered(mem, size);
	} else {
		memset(mem, 0, size);
	}
	return mem;
}

/* One after the other: huge pages that are neighbours would become one 4M leaf. */
static void map_mem(struct tracked *t)
{
	size_t at, step = t->leaf == SIZE_2M ? SIZE_2M : t->size;

	for (at = 0; at < t->size; at += step)
		iommufd_map(t->iommufd, t->ioas, t->iova + at, t->mem + at,
			    step);
}

void tracked_create(struct tracked *t, __u16 vendor, __u16 device, size_t leaf,
		    size_t size)
{
	char bdf[BDF_LEN];
	int r;

	memset(t, 0, sizeof(*t));
	TEST_ASSERT(vfio_dev_find(bdf, vendor, device, 0), "no device %x:%x",
		    vendor, device);
	t->size = size;
	t->leaf = leaf;
	t->iova = TRACKED_IOVA + leaf % SIZE_2M / SIZE_64K * SIZE_64K;
	t->mem = alloc_mem(leaf, size);
	t->model = calloc(size / SIZE_4K / 64, sizeof(__u64));
	t->got = calloc(size / SIZE_4K / 64, sizeof(__u64));
	TEST_ASSERT(t->model && t->got, "calloc");
	t->iommufd = iommufd_open();
	t->ioas = iommufd_ioas_alloc(t->iommufd);
	vfio_dev_open(&t->dev, bdf, t->iommufd);
	r = __iommufd_hwpt_alloc(t->iommufd, t->dev.dev_id, t->ioas,
				 IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0, &t->hwpt);
	TEST_ASSERT(!r, "HWPT_ALLOC with DIRTY_TRACKING: %s", strerror(-r));
	map_mem(t);
	vfio_dev_attach(&t->dev, t->hwpt);
}

void tracked_destroy(struct tracked *t)
{
	vfio_dev_detach(&t->dev);
	vfio_dev_close(&t->dev);
	close(t->iommufd);
	munmap(t->mem, t->size);
	free(t->model);
	free(t->got);
}

/* iommufd clears the table's D bits when tracking begins. */
void tracked_switch(struct tracked *t, bool on)
{
	int r = iommufd_dirty_tracking(t->iommufd, t->hwpt, on);

	TEST_ASSERT(!r, "tracking %s: %s", on ? "on" : "off", strerror(-r));
	if (on)
		memset(t->model, 0, t->size / SIZE_4K / 8);
	t->on = on;
}

void tracked_wrote(struct tracked *t, size_t offset, size_t len)
{
	size_t page, first, end;

	if (!t->on || !len)
		return;
	first = offset / t->leaf * t->leaf;
	end = roundup(offset + len, t->leaf);
	for (page = first / SIZE_4K; page < end / SIZE_4K; page++)
		t->model[page / 64] |= 1ULL << (page % 64);
}

void tracked_compare(struct tracked *t, bool keep)
{
	size_t i, words = t->size / SIZE_4K / 64;
	int r;

	r = iommufd_dirty_bitmap(t->iommufd, t->hwpt, t->iova, t->size, SIZE_4K,
				 keep, t->got);
	TEST_ASSERT(!r, "GET_DIRTY_BITMAP: %s", strerror(-r));
	for (i = 0; i < words; i++)
		TEST_ASSERT(t->got[i] == t->model[i],
			    "pages %zu to %zu: %016llx, model %016llx", i * 64,
			    i * 64 + 63, t->got[i], t->model[i]);
	if (!keep)
		memset(t->model, 0, words * sizeof(__u64));
}
