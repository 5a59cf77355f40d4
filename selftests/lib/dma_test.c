// SPDX-License-Identifier: GPL-2.0-only
/* Drives iommu-dma-test, the bench amd-full's device: DMA, PASIDs, ATS, page requests. */
#include <linux/bits.h>
#include <linux/io.h>

#include "dma_test.h"
#include "test_util.h"

#define REG_ADDR	0x00
#define REG_LEN		0x08
#define REG_OP		0x10
#define REG_RESULT	0x18
#define REG_ATS_ADDR	0x20
#define REG_ATS_SIZE	0x28
#define REG_PRI_COUNT	0x30
#define REG_PRI_LAST	0x38
#define REG_INV_COUNT	0x40
#define REG_INV_ADDR	0x48
#define REG_INV_SIZE	0x50
#define REG_INV_PASID	0x58
#define REG_INV_DROP	0x68
#define BUFFER		0x800

#define OP_READ			1
#define OP_WRITE		2
#define OP_ATS			3
#define OP_READ_TRANSLATED	4
#define OP_WRITE_TRANSLATED	5
#define OP_PAGE_REQUEST		6

#define OP_WITH_PASID		BIT_ULL(4)
#define OP_WANT_WRITE		BIT_ULL(5)
#define OP_LAST_OF_GROUP	BIT_ULL(6)
#define OP_WANT_READ		BIT_ULL(7)
#define OP_GROUP_SHIFT		8
#define OP_PASID_SHIFT		32

#define ANSWER_POLLS	100
#define ANSWER_POLL_US	10000

static int run(void *bar, __u64 op, __u32 pasid, __u64 iova, size_t len)
{
	if (pasid != NO_PASID)
		op |= OP_WITH_PASID | (__u64)pasid << OP_PASID_SHIFT;
	TEST_ASSERT(len <= DMA_TEST_MAX_LEN, "too much at once: %zu", len);
	writeq(iova, bar + REG_ADDR);
	writeq(len, bar + REG_LEN);
	writeq(op, bar + REG_OP);
	return readq(bar + REG_RESULT);
}

/* By bytes: the registers take any access, and this is little. */
static void buffer_get(void *bar, void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		((__u8 *)buf)[i] = readb(bar + BUFFER + i);
}

static void buffer_set(void *bar, const void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		writeb(((const __u8 *)buf)[i], bar + BUFFER + i);
}

int dma_test_read(void *bar, __u32 pasid, __u64 iova, void *buf, size_t len)
{
	int r = run(bar, OP_READ, pasid, iova, len);

	if (!r)
		buffer_get(bar, buf, len);
	return r;
}

int dma_test_write(void *bar, __u32 pasid, __u64 iova, const void *buf,
		   size_t len)
{
	buffer_set(bar, buf, len);
	return run(bar, OP_WRITE, pasid, iova, len);
}

int dma_test_translate(void *bar, __u32 pasid, __u64 iova, bool write,
		       struct dma_test_translation *t)
{
	int r = run(bar, OP_ATS | (write ? OP_WANT_WRITE : 0), pasid, iova, 0);
	__u64 addr = readq(bar + REG_ATS_ADDR);

	t->addr = addr & ~0xfffULL;
	t->read = addr & 1;
	t->write = addr & 2;
	t->size = readq(bar + REG_ATS_SIZE);
	return r;
}

int dma_test_read_translated(void *bar, __u64 iova, void *buf, size_t len)
{
	int r = run(bar, OP_READ_TRANSLATED, NO_PASID, iova, len);

	if (!r)
		buffer_get(bar, buf, len);
	return r;
}

int dma_test_write_translated(void *bar, __u64 iova, const void *buf,
			      size_t len)
{
	buffer_set(bar, buf, len);
	return run(bar, OP_WRITE_TRANSLATED, NO_PASID, iova, len);
}

void dma_test_drop_invalidations(void *bar, bool drop)
{
	writeq(drop, bar + REG_INV_DROP);
}

void dma_test_read_invalidations(void *bar, struct dma_test_invalidations *inv)
{
	inv->count = readq(bar + REG_INV_COUNT);
	inv->addr = readq(bar + REG_INV_ADDR);
	inv->size = readq(bar + REG_INV_SIZE);
	inv->pasid = readq(bar + REG_INV_PASID);
}

int dma_test_request_page(void *bar, __u32 pasid, __u64 iova,
			  unsigned int group)
{
	return run(bar, OP_PAGE_REQUEST | OP_WANT_READ | OP_WANT_WRITE |
			OP_LAST_OF_GROUP | group << OP_GROUP_SHIFT,
		   pasid, iova, 0);
}

void dma_test_wait_answers(void *bar, __u64 count, struct dma_test_answers *a)
{
	__u64 last;
	int i;

	for (i = 0; i < ANSWER_POLLS; i++) {
		a->count = readq(bar + REG_PRI_COUNT);
		if (a->count >= count)
			break;
		usleep(ANSWER_POLL_US);
	}
	last = readq(bar + REG_PRI_LAST);
	a->group = last & 0xffff;
	a->code = last >> 16;
}
