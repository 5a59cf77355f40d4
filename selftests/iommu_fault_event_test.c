// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the stock kernel says of a device's fault is what the device did:
 *
 * 1. A write where nothing is mapped: its address, its domain, a write (RW).
 * 2. A read there: no RW. Control: what is mapped makes no event.
 * 3. A write where only reads are permitted: an entry was present (PR).
 *
 * Debian's QEMU gives neither address nor flags (docs/testing.rst, trap 5).
 *
 * bench: --kernel stock --bench amd-full
 */
#include "dma_test.h"
#include "guest_mem.h"
#include "iommu_hw.h"
#include "iommufd.h"
#include "kmsg.h"
#include "tap.h"
#include "tracked.h"

#define FLAG_PR		0x10u
#define FLAG_RW		0x20u

#define POLLS		100
#define POLL_US		10000

/* The kernel's line for the next fault, if there is one. */
static bool next_fault(int log, char *line)
{
	static const char * const needles[] = { "IO_PAGE_FAULT", NULL };
	int i;

	for (i = 0; i < POLLS; i++) {
		if (kmsg_find(log, needles, line))
			return true;
		usleep(POLL_US);
	}
	return false;
}

static void expect_fault(struct tracked *t, int log, __u64 iova,
			 unsigned int flags)
{
	unsigned int domain, said_flags;
	unsigned long long said_iova;
	char line[KMSG_LINE], *fault;
	struct iommu_entry entry;

	TEST_ASSERT(next_fault(log, line), "no event for %#llx", iova);
	fault = strstr(line, "IO_PAGE_FAULT");
	TEST_ASSERT(strstr(line, t->dev.bdf) &&
		    sscanf(fault, "IO_PAGE_FAULT domain=%x address=%llx flags=%x",
			   &domain, &said_iova, &said_flags) == 3,
		    "cannot parse: %s", line);
	iommu_entry_read(t->dev.bdf, &entry);
	TEST_ASSERT(said_iova == iova && said_flags == flags &&
		    domain == entry.domain,
		    "%s, and not %#llx with flags %#x in domain %#x", line,
		    iova, flags, entry.domain);
}

/* One access of 4 bytes at most, which makes one event. */
static void faults(void)
{
	__u64 hole = TRACKED_IOVA + 16 * SIZE_4K + 0x124, ro = 0x40000000;
	__u32 word = 0;
	struct tracked t;
	void *page;
	int log;

	tracked_create(&t, DMA_TEST_VENDOR, DMA_TEST_DEVICE, SIZE_4K,
		       64 * SIZE_4K);
	iommufd_unmap(t.iommufd, t.ioas, TRACKED_IOVA, t.size);
	page = t.mem;
	TEST_ASSERT(!__iommufd_map(t.iommufd, t.ioas, IOMMU_IOAS_MAP_READABLE,
				   ro, page, SIZE_4K), "map");
	log = kmsg_open_at_end();

	TEST_ASSERT_EQ(dma_test_read(t.dev.bar, NO_PASID, ro, &word, 4), 0);
	TEST_ASSERT(dma_test_write(t.dev.bar, NO_PASID, hole, &word, 4),
		    "a hole is not blocked");
	expect_fault(&t, log, hole, FLAG_RW);
	TEST_ASSERT(dma_test_read(t.dev.bar, NO_PASID, hole + SIZE_4K, &word, 4),
		    "a hole is not blocked");
	expect_fault(&t, log, hole + SIZE_4K, 0);
	TEST_ASSERT(dma_test_write(t.dev.bar, NO_PASID, ro + 8, &word, 4),
		    "a read-only page is not blocked");
	expect_fault(&t, log, ro + 8, FLAG_RW | FLAG_PR);
	close(log);
	tracked_destroy(&t);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "events have the address, the domain and the flags", faults },
	};
	char bdf[BDF_LEN];

	__TEST_REQUIRE(vfio_dev_find(bdf, DMA_TEST_VENDOR, DMA_TEST_DEVICE, 0),
		       "needs the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
