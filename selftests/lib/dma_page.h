/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether iommu-testdev's DMA reaches a page, by what it says and by the page. */
#ifndef TDP_SELFTEST_DMA_PAGE_H
#define TDP_SELFTEST_DMA_PAGE_H

#include "guest_mem.h"
#include "vfio_dev.h"

/* By a write of a few words: all arrive or none, anything else asserts. */
bool dma_page_reached(struct vfio_dev *testdev, struct guest_mem *mem,
		      size_t offset);

/* The first page, the last and one in between: all are reached, or none is. */
void dma_expect_reached(struct vfio_dev *testdev, struct guest_mem *mem,
			bool reached);

#endif
