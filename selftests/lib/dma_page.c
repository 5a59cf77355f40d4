// SPDX-License-Identifier: GPL-2.0-only
/* Whether iommu-testdev's DMA reaches a page, by what it says and by the page. */
#include "dma_page.h"
#include "testdev.h"

/* Each word that is stopped is an event of the IOMMU: so not all of the page. */
#define PROBE_LEN	64
#define PROBE_WORDS	(PROBE_LEN / sizeof(__u32))

bool dma_page_reached(struct vfio_dev *testdev, struct guest_mem *mem,
		      size_t offset)
{
	__u32 *word = mem->hva + offset;
	size_t i, written = 0;
	bool done;

	memset(word, 0, PROBE_LEN);
	done = testdev_write(testdev, mem->gpa + offset, PROBE_LEN);
	for (i = 0; i < PROBE_WORDS; i++)
		written += READ_ONCE(word[i]) == TESTDEV_WORD;
	TEST_ASSERT(written == (done ? PROBE_WORDS : 0),
		    "gpa %#llx: %s, yet %zu words were written",
		    mem->gpa + offset, done ? "reached" : "blocked", written);
	return done;
}

void dma_expect_reached(struct vfio_dev *testdev, struct guest_mem *mem,
			bool reached)
{
	const size_t offsets[] = {
		0, round_down(mem->size / 2, SIZE_4K), mem->size - SIZE_4K,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		TEST_ASSERT(dma_page_reached(testdev, mem,
					     offsets[i]) == reached,
			    "%s %s gpa %#llx", testdev->bdf,
			    reached ? "does not reach" : "reaches",
			    mem->gpa + offsets[i]);
}
