/* SPDX-License-Identifier: GPL-2.0-only */
/* Drives iommu-dma-test, the bench amd-full's device: DMA, PASIDs, ATS, page requests. */
#ifndef TDP_SELFTEST_DMA_TEST_H
#define TDP_SELFTEST_DMA_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define DMA_TEST_VENDOR	0x1234
#define DMA_TEST_DEVICE	0x11e9
#define DMA_TEST_MAX_LEN 2048
#define NO_PASID	(~0u)

/* What one ATS request gave. */
struct dma_test_translation {
	__u64 addr;
	__u64 size;
	bool read, write;
};

/* What the device heard of: invalidations of its IOTLB, answers to page requests. */
struct dma_test_invalidations {
	__u64 count;
	__u64 addr, size;	/* of the last; @size 0 is all */
	__u64 pasid;		/* all ones without one */
};

struct dma_test_answers {
	__u64 count;
	unsigned int group;	/* of the last */
	unsigned int code;	/* 0: success */
};

/*
 * Each operation is done when the function returns, and gives 0, or what failed:
 * an IOMMU's block is not told from other errors of the bus.
 */
int dma_test_read(void *bar, __u32 pasid, __u64 iova, void *buf, size_t len);
int dma_test_write(void *bar, __u32 pasid, __u64 iova, const void *buf,
		   size_t len);

/*
 * ATS: EFAULT when there is no translation, EPERM when the IOMMU does not let
 * the device ask. The device keeps the last one. DMA by it does not ask the
 * IOMMU: EACCES when the device has none (any more) that permits it.
 */
int dma_test_translate(void *bar, __u32 pasid, __u64 iova, bool write,
		       struct dma_test_translation *t);
int dma_test_read_translated(void *bar, __u64 iova, void *buf, size_t len);
int dma_test_write_translated(void *bar, __u64 iova, const void *buf,
			      size_t len);

/* From here on invalidations are counted, and what they name is kept. */
void dma_test_drop_invalidations(void *bar, bool drop);
void dma_test_read_invalidations(void *bar, struct dma_test_invalidations *inv);

/* A request for one page, read and write, the last of its group. */
int dma_test_request_page(void *bar, __u32 pasid, __u64 iova,
			  unsigned int group);

/* Waits until there are @count answers, or a second has passed. */
void dma_test_wait_answers(void *bar, __u64 count, struct dma_test_answers *a);

#endif
