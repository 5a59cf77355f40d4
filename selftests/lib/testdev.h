/* SPDX-License-Identifier: GPL-2.0-only */
/* Drives QEMU's iommu-testdev: DMA writes of any length, at once. */
#ifndef TDP_SELFTEST_TESTDEV_H
#define TDP_SELFTEST_TESTDEV_H

#include <pthread.h>

#include "vfio_dev.h"

#define TESTDEV_VENDOR	0x1b36
#define TESTDEV_DEVICE	0x0005
#define TESTDEV_WORD	0x12345678u	/* all that it can write */

/* Fills @iova+@len. Returns false when the IOMMU stopped it. */
bool testdev_write(struct vfio_dev *dev, __u64 iova, size_t len);

/*
 * A thread in which the device writes one page after the other of a range that
 * is mapped at @va, round after round. Each page is cleared before and
 * compared after: @lost counts the pages that were not written in full, @done
 * those that were.
 */
struct testdev_load {
	struct vfio_dev *dev;
	__u64 iova;
	void *va;
	size_t len;

	unsigned long done;
	unsigned long lost;
	bool stop;
	pthread_t thread;
};

/* Returns when the first page has been tried, however busy the machine is. */
void testdev_load_start(struct testdev_load *load);
/* Waits for one more page, so that what the caller did last met some DMA. */
void testdev_load_wait(struct testdev_load *load);
void testdev_load_stop(struct testdev_load *load);

#endif
