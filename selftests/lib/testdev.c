// SPDX-License-Identifier: GPL-2.0-only
/* Drives QEMU's iommu-testdev: DMA writes of any length, at once. */
#include <linux/compiler.h>
#include <linux/io.h>
#include <unistd.h>

#include "test_util.h"
#include "testdev.h"

#define ITD_REG_TRIGGER		0x00
#define ITD_REG_IOVA_LO		0x04
#define ITD_REG_IOVA_HI		0x08
#define ITD_REG_LEN		0x0c
#define ITD_REG_RESULT		0x10
#define ITD_REG_DOORBELL	0x14

#define ITD_DOORBELL_ARM	1
#define ITD_ERR_WRITE		0xdead0002u
#define ITD_ERR_MISMATCH	0xdead0004u

#define LOAD_STEP		4096
#define LOAD_POLL_US		1000

bool testdev_write(struct vfio_dev *dev, __u64 iova, size_t len)
{
	__u32 result;

	writel(iova, dev->bar + ITD_REG_IOVA_LO);
	writel(iova >> 32, dev->bar + ITD_REG_IOVA_HI);
	writel(len, dev->bar + ITD_REG_LEN);
	writel(ITD_DOORBELL_ARM, dev->bar + ITD_REG_DOORBELL);
	readl(dev->bar + ITD_REG_TRIGGER);	/* that is what starts it */
	result = readl(dev->bar + ITD_REG_RESULT);

	/*
	 * After the write it reads back at a physical address that it was not
	 * given: a mismatch there says that the write itself went well.
	 */
	TEST_ASSERT(!result || result == ITD_ERR_MISMATCH ||
		    result == ITD_ERR_WRITE, "iommu-testdev: %#x", result);
	return result != ITD_ERR_WRITE;
}

static bool page_was_written(struct testdev_load *load, size_t offset)
{
	__u32 *word = load->va + offset;
	size_t i;

	if (!testdev_write(load->dev, load->iova + offset, LOAD_STEP))
		return false;
	for (i = 0; i < LOAD_STEP / sizeof(*word); i++)
		if (READ_ONCE(word[i]) != TESTDEV_WORD)
			return false;
	return true;
}

static void *load_thread(void *arg)
{
	struct testdev_load *load = arg;
	size_t offset = 0;

	while (!__atomic_load_n(&load->stop, __ATOMIC_RELAXED)) {
		memset(load->va + offset, 0, LOAD_STEP);
		if (page_was_written(load, offset))
			__atomic_add_fetch(&load->done, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&load->lost, 1, __ATOMIC_RELAXED);
		offset = (offset + LOAD_STEP) % load->len;
	}
	return NULL;
}

static unsigned long pages_tried(struct testdev_load *load)
{
	return __atomic_load_n(&load->done, __ATOMIC_RELAXED) +
	       __atomic_load_n(&load->lost, __ATOMIC_RELAXED);
}

void testdev_load_wait(struct testdev_load *load)
{
	unsigned long before = pages_tried(load);

	while (pages_tried(load) == before)
		usleep(LOAD_POLL_US);
}

void testdev_load_start(struct testdev_load *load)
{
	load->done = 0;
	load->lost = 0;
	load->stop = false;
	TEST_ASSERT(!pthread_create(&load->thread, NULL, load_thread, load),
		    "pthread_create");
	testdev_load_wait(load);
}

void testdev_load_stop(struct testdev_load *load)
{
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
	pthread_join(load->thread, NULL);
}
