// SPDX-License-Identifier: GPL-2.0-only
/* Drives QEMU's "edu" PCI device, a DMA engine with a buffer of one page. */
#include <linux/io.h>

#include "edu.h"
#include "test_util.h"

#define EDU_REG_SRC	0x80
#define EDU_REG_DST	0x88
#define EDU_REG_COUNT	0x90
#define EDU_REG_CMD	0x98

#define EDU_CMD_RUN	0x1
#define EDU_CMD_STORE	0x2

#define EDU_BUFFER	0x40000	/* where the device sees its own buffer */

#define EDU_POLL_US	1000
#define EDU_POLLS	10000

static void transfer(struct vfio_dev *edu, __u64 src, __u64 dst, size_t len,
		     __u64 cmd)
{
	int i;

	TEST_ASSERT(len <= EDU_MAX_LEN, "edu moves at most a page");
	writeq(src, edu->bar + EDU_REG_SRC);
	writeq(dst, edu->bar + EDU_REG_DST);
	writeq(len, edu->bar + EDU_REG_COUNT);
	writeq(cmd | EDU_CMD_RUN, edu->bar + EDU_REG_CMD);
	for (i = 0; readq(edu->bar + EDU_REG_CMD) & EDU_CMD_RUN; i++) {
		TEST_ASSERT(i < EDU_POLLS, "edu's DMA does not end");
		usleep(EDU_POLL_US);
	}
}

void edu_load(struct vfio_dev *edu, __u64 iova, size_t len)
{
	transfer(edu, iova, EDU_BUFFER, len, 0);
}

void edu_store(struct vfio_dev *edu, __u64 iova, size_t len)
{
	transfer(edu, EDU_BUFFER, iova, len, EDU_CMD_STORE);
}

void edu_copy(struct vfio_dev *edu, __u64 dst, __u64 src, size_t len)
{
	edu_load(edu, src, len);
	edu_store(edu, dst, len);
}
