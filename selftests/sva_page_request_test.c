// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual addressing from end to end, on the stock kernel: a device with a
 * PASID works in a process's address space.
 *
 * 1. DMA with the process's PASID is at the process's addresses, in both
 *    directions. Another process has another PASID, which is blocked once it is
 *    dead, and so is a PASID that is nobody's.
 * 2. A page that nobody touched: DMA is blocked, ATS gives no translation. The
 *    device asks for the page; the kernel faults it in and answers with success;
 *    then ATS gives it, and DMA reaches it.
 * 3. munmap() makes the kernel invalidate the device's IOTLB for that PASID and
 *    range, and the translation is gone. Asked for again, the answer is no success.
 * 4. mprotect() takes the write permission: a request for it is not granted.
 *
 * bench: --kernel stock --bench amd-full
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "dma_test.h"
#include "guest_mem.h"
#include "sva.h"
#include "tap.h"

static void *anonymous(size_t size)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(va != MAP_FAILED, "mmap");
	return va;
}

static __u64 addr(void *va)
{
	return (unsigned long)va;
}

/* The child's copy of the page, by the child's PASID, which is its exit status. */
static void child(void *page)
{
	__u64 value = 0x4444;
	struct sva sva;

	sva_open(&sva);
	WRITE_ONCE(*(__u64 *)page, 0);
	TEST_ASSERT_EQ(dma_test_write(sva.bar, sva.pasid, addr(page), &value,
				      8), 0);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)page), 0x4444);
	fflush(NULL);
	_exit(sva.pasid);
}

static void dma_in_the_process(void)
{
	__u64 value = 0, *p = anonymous(SIZE_4K);
	struct sva sva;
	int status;
	pid_t pid;

	sva_open(&sva);
	p[0] = 0x1111;
	TEST_ASSERT_EQ(dma_test_read(sva.bar, sva.pasid, addr(p), &value, 8), 0);
	TEST_ASSERT_EQ(value, 0x1111);
	value = 0x2222;
	TEST_ASSERT_EQ(dma_test_write(sva.bar, sva.pasid, addr(p + 1), &value,
				      8), 0);
	TEST_ASSERT_EQ(READ_ONCE(p[1]), 0x2222);
	TEST_ASSERT(dma_test_read(sva.bar, sva.pasid + 1, addr(p), &value, 8),
		    "a PASID that is nobody's is not blocked");

	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		child(p);
	TEST_ASSERT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		    WEXITSTATUS(status) > sva.pasid, "the child: %#x", status);
	TEST_ASSERT_EQ(READ_ONCE(p[0]), 0x1111);
	TEST_ASSERT(dma_test_read(sva.bar, WEXITSTATUS(status), addr(p), &value,
				  8), "a dead process's PASID is not blocked");
	TEST_ASSERT_EQ(dma_test_read(sva.bar, sva.pasid, addr(p), &value, 8), 0);
	TEST_ASSERT_EQ(value, 0x1111);
	sva_close(&sva);
}

static void request(struct sva *sva, void *va, unsigned int group,
		    struct dma_test_answers *answer)
{
	struct dma_test_answers before;

	dma_test_wait_answers(sva->bar, 0, &before);
	TEST_ASSERT_EQ(dma_test_request_page(sva->bar, sva->pasid, addr(va),
					     group), 0);
	dma_test_wait_answers(sva->bar, before.count + 1, answer);
	TEST_ASSERT_EQ(answer->count, before.count + 1);
	TEST_ASSERT_EQ(answer->group, group);
}

/* An untouched page, as far as a translation that permits writes. */
static void request_and_translate(struct sva *sva, void *va)
{
	struct dma_test_translation tr;
	struct dma_test_answers answer;
	__u64 value = 0x3333;

	TEST_ASSERT(dma_test_write(sva->bar, sva->pasid, addr(va), &value, 8),
		    "an untouched page is not blocked");
	TEST_ASSERT_EQ(dma_test_translate(sva->bar, sva->pasid, addr(va), true,
					  &tr), EFAULT);
	request(sva, va, 5, &answer);
	TEST_ASSERT_EQ(answer.code, 0);
	TEST_ASSERT_EQ(dma_test_translate(sva->bar, sva->pasid, addr(va), true,
					  &tr), 0);
	TEST_ASSERT(tr.read && tr.write, "read %d write %d", tr.read, tr.write);
	TEST_ASSERT_EQ(dma_test_write_translated(sva->bar, addr(va) + 8, &value,
						 8), 0);
	TEST_ASSERT_EQ(READ_ONCE(((__u64 *)va)[1]), 0x3333);
}

static void page_request(void)
{
	struct sva sva;

	sva_open(&sva);
	request_and_translate(&sva, anonymous(SIZE_4K));
	sva_close(&sva);
}

static void memory_goes(void)
{
	struct dma_test_invalidations before, inv;
	struct dma_test_answers answer;
	struct sva sva;
	__u64 value;
	void *p;

	sva_open(&sva);
	p = anonymous(SIZE_4K);
	request_and_translate(&sva, p);
	dma_test_read_invalidations(sva.bar, &before);
	munmap(p, SIZE_4K);
	dma_test_read_invalidations(sva.bar, &inv);
	TEST_ASSERT(inv.count > before.count, "no invalidation");
	TEST_ASSERT_EQ(inv.pasid, sva.pasid);
	TEST_ASSERT(inv.addr <= addr(p) &&
		    (!inv.size || addr(p) < inv.addr + inv.size),
		    "%#llx+%#llx does not have %p", inv.addr, inv.size, p);
	TEST_ASSERT_EQ(dma_test_write_translated(sva.bar, addr(p), &value, 8),
		       EACCES);
	TEST_ASSERT(dma_test_write(sva.bar, sva.pasid, addr(p), &value, 8),
		    "DMA to what was unmapped is not blocked");
	request(&sva, p, 6, &answer);
	TEST_ASSERT(answer.code, "a page where nothing is mapped was granted");
	sva_close(&sva);
}

static void write_protected(void)
{
	struct dma_test_answers answer;
	struct sva sva;
	__u64 value = 0;
	void *p;

	sva_open(&sva);
	p = anonymous(SIZE_4K);
	request_and_translate(&sva, p);
	TEST_ASSERT(!mprotect(p, SIZE_4K, PROT_READ), "mprotect");
	TEST_ASSERT_EQ(dma_test_write_translated(sva.bar, addr(p), &value, 8),
		       EACCES);
	TEST_ASSERT(dma_test_write(sva.bar, sva.pasid, addr(p), &value, 8),
		    "a write is not blocked");
	TEST_ASSERT_EQ(dma_test_read(sva.bar, sva.pasid, addr(p) + 8, &value,
				     8), 0);
	TEST_ASSERT_EQ(value, 0x3333);
	request(&sva, p, 7, &answer);
	TEST_ASSERT(answer.code, "write permission was granted");
	sva_close(&sva);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "DMA with a PASID is in the process's address space",
		  dma_in_the_process },
		{ "a page request is answered, and DMA reaches the page",
		  page_request },
		{ "munmap invalidates; a request for nothing is refused",
		  memory_goes },
		{ "a write-protected page is not granted for writing",
		  write_protected },
	};

	__TEST_REQUIRE(sva_exists(), "needs the bench amd-full and sva_bind.ko");
	return tap_run(cases, ARRAY_SIZE(cases));
}
