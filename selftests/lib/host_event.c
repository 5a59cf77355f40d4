// SPDX-License-Identifier: GPL-2.0-only
/* Events of system calls, and what becomes of a page in any event. */
#include <sys/swap.h>
#include <sys/wait.h>

#include "host_event.h"
#include "sysfile.h"
#include "tap.h"
#include "test_util.h"

#define PAGEMAP_PRESENT	BIT_ULL(63)
#define PAGEMAP_SWAPPED	BIT_ULL(62)
#define PAGEMAP_PFN	(BIT_ULL(55) - 1)
#define KPAGE_THP	BIT_ULL(22)

static __u64 read_entry(const char *path, __u64 index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;
	ssize_t n;

	TEST_ASSERT(fd >= 0, "open %s", path);
	n = pread(fd, &entry, sizeof(entry), index * sizeof(entry));
	TEST_ASSERT(n == sizeof(entry), "read %s", path);
	close(fd);
	return entry;
}

static __u64 page_entry(pid_t pid, const void *va)
{
	char path[64] = "/proc/self/pagemap";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return read_entry(path, (unsigned long)va / SIZE_4K);
}

__u64 host_pfn(pid_t pid, const void *va)
{
	__u64 entry = page_entry(pid, va);

	return entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN : 0;
}

static bool is_huge(__u64 pfn)
{
	return read_entry("/proc/kpageflags", pfn) & KPAGE_THP;
}

/* By the kernel's hands, which gives an error where a load gives a signal. */
static int kernel_copy(void *to, const void *from, size_t len)
{
	int fds[2], r = 0;

	TEST_ASSERT(!pipe(fds), "pipe");
	if (write(fds[1], from, len) < 0 || read(fds[0], to, len) < 0)
		r = -errno;
	close(fds[0]);
	close(fds[1]);
	return r;
}

int host_read(void *va, __u64 *value)
{
	return kernel_copy(value, va, sizeof(*value));
}

int host_write(void *va, __u64 value)
{
	return kernel_copy(va, &value, sizeof(value));
}

__u64 host_count(const char *path, const char *key)
{
	char text[16384];
	__u64 value = 0;

	/* vmstat's per-CPU deltas are folded first. */
	sysfile_read("/proc/sys/vm/stat_refresh", text, sizeof(text));
	TEST_ASSERT(sysfile_read(path, text, sizeof(text)), "read %s", path);
	if (!key)
		return strtoull(text, NULL, 10);
	TEST_ASSERT(text_get(text, key, 10, &value), "no %s in %s", key, path);
	return value;
}

static bool make_swap(const char *dev)
{
	int fd = open(dev, O_RDWR | O_CLOEXEC);
	char page[SIZE_4K] = {};
	__u32 *info = (__u32 *)(page + 1024);

	if (fd < 0)
		return false;
	info[0] = 1;						/* version */
	info[1] = lseek(fd, 0, SEEK_END) / SIZE_4K - 1;		/* last page */
	memcpy(page + SIZE_4K - 10, "SWAPSPACE2", 10);
	TEST_ASSERT(pwrite(fd, page, SIZE_4K, 0) == SIZE_4K, "write %s", dev);
	close(fd);
	TEST_ASSERT(!swapon(dev, 0), "swapon %s", dev);
	return true;
}

void host_events_setup(void)
{
	char dev[32];
	int i = 0;

	sysfile_write("/proc/sys/kernel/numa_balancing", "0");
	sysfile_write("/proc/sys/vm/compaction_proactiveness", "0");
	if (host_count("/proc/meminfo", "SwapTotal"))
		return;

	/* RAM disks: each is small, but there are several. */
	do {
		snprintf(dev, sizeof(dev), "/dev/ram%d", i++);
	} while (make_swap(dev));
}

static void *map_aligned(size_t size)
{
	void *va = mmap(NULL, size + SIZE_2M, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	TEST_ASSERT(va != MAP_FAILED, "mmap");
	return (void *)(((unsigned long)va + SIZE_2M - 1) & ~(SIZE_2M - 1));
}

static void advise_huge(void *va, size_t size)
{
	TEST_ASSERT(!madvise(va, size, MADV_HUGEPAGE), "MADV_HUGEPAGE");
}

void event_mem_create(struct event_mem *m, const struct host_event *event)
{
	size_t at, pages;

	memset(m, 0, sizeof(*m));
	m->event = event;
	if (event->prepare)
		event->prepare();
	m->size = event->size ?: EVENT_MEM_SIZE;
	pages = m->size / SIZE_4K;
	m->pfns = calloc(2 * pages, sizeof(*m->pfns));
	TEST_ASSERT(m->pfns, "calloc");
	m->mem = map_aligned(m->size);
	if (!event->alone)
		m->control = map_aligned(m->size);
	if (event->huge)
		advise_huge(m->mem, m->size);
	if (event->huge && m->control)
		advise_huge(m->control, m->size);

	/* In turn, so that physically each has the other beside it. */
	for (at = 0; at < m->size; at += SIZE_4K) {
		WRITE_ONCE(*(__u64 *)(m->mem + at), 0);
		if (m->control)
			WRITE_ONCE(*(__u64 *)(m->control + at), 0);
	}
	TEST_ASSERT(is_huge(host_pfn(0, m->mem)) == event->huge,
		    "the pages are not of the size that was asked for");
	for (at = 0; at < m->size; at += sizeof(__u64))
		WRITE_ONCE(*(__u64 *)(m->mem + at), event_mem_word(at));
}

void event_mem_note(struct event_mem *m)
{
	size_t i, pages = m->size / SIZE_4K;

	for (i = 0; i < pages; i++)
		m->pfns[i] = host_pfn(0, m->mem + i * SIZE_4K);
	if (!m->control)
		return;
	memcpy(m->control, m->mem, m->size);
	for (i = 0; i < pages; i++)
		m->pfns[pages + i] = host_pfn(0, m->control + i * SIZE_4K);
}

void event_mem_run(struct event_mem *m)
{
	event_mem_note(m);
	m->event->run(m);
}

void event_mem_expect(struct event_mem *m, bool control, size_t offset,
		      enum page_fate fate)
{
	void *va = (control ? m->control : m->mem) + offset;
	void *other = control ? m->twin : m->control;
	__u64 entry = page_entry(0, va), pfn = entry & PAGEMAP_PFN;
	const char *who = control ? "control" : "memory";
	__u64 old = m->pfns[((control ? m->size : 0) + offset) / SIZE_4K];
	bool here = entry & PAGEMAP_PRESENT;
	__u64 value = 0;
	int r, w;

	switch (fate) {
	case PAGE_STAYS:
	case PAGE_READ_ONLY:
		TEST_ASSERT(here && pfn == old, "%s: the page moved", who);
		break;
	case PAGE_MOVED:
		TEST_ASSERT(here && pfn != old, "%s: not moved", who);
		break;
	case PAGE_SWAPPED:
		TEST_ASSERT(!here && entry & PAGEMAP_SWAPPED,
			    "%s: not swapped out: %#llx", who, entry);
		break;
	case PAGE_MERGED:
		TEST_ASSERT(here && pfn == host_pfn(0, other + offset),
			    "%s: not merged", who);
		break;
	case PAGE_HUGE:
		TEST_ASSERT(here && is_huge(pfn), "%s: not huge", who);
		break;
	case PAGE_SPLIT:
		TEST_ASSERT(here && pfn == old && !is_huge(pfn),
			    "%s: not split", who);
		break;
	case PAGE_FRESH:
		TEST_ASSERT(!here || pfn != old, "%s: still there", who);
		break;
	case PAGE_GONE:
	case PAGE_HINTED:
		break;
	}

	r = host_read(va, &value);
	TEST_ASSERT_EQ(r, fate == PAGE_GONE ? -EFAULT : 0);
	if (fate != PAGE_GONE && fate != PAGE_FRESH)
		return;
	if (fate == PAGE_FRESH)
		TEST_ASSERT_EQ(value, 0);
	if (fate == PAGE_GONE) {
		w = host_write(va, 0);
		TEST_ASSERT_EQ(w, -EFAULT);
	}
}

static void do_munmap(struct event_mem *m)
{
	TEST_ASSERT(!munmap(m->mem, m->size) && !munmap(m->control, m->size),
		    "munmap");
}

static void map_again(struct event_mem *m)
{
	void *va = mmap(m->mem, m->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	TEST_ASSERT(va == m->mem, "mmap");
}

const struct host_event event_munmap = {
	.run = do_munmap,
	.undo = map_again,
	.pinned = PAGE_GONE,
	.unpinned = PAGE_GONE,
	.notifies = true,
};

static void protect(struct event_mem *m, int prot)
{
	TEST_ASSERT(!mprotect(m->mem, m->size, prot) &&
		    !mprotect(m->control, m->size, prot), "mprotect");
}

static void protect_read(struct event_mem *m)
{
	protect(m, PROT_READ);
}

static void protect_none(struct event_mem *m)
{
	protect(m, PROT_NONE);
}

static void unprotect(struct event_mem *m)
{
	protect(m, PROT_READ | PROT_WRITE);
}

const struct host_event event_mprotect_read = {
	.run = protect_read,
	.undo = unprotect,
	.pinned = PAGE_READ_ONLY,
	.unpinned = PAGE_READ_ONLY,
	.notifies = true,
};

const struct host_event event_mprotect_none = {
	.run = protect_none,
	.undo = unprotect,
	.pinned = PAGE_GONE,
	.unpinned = PAGE_GONE,
	.notifies = true,
};

static void dontneed(struct event_mem *m)
{
	TEST_ASSERT(!madvise(m->mem, m->size, MADV_DONTNEED) &&
		    !madvise(m->control, m->size, MADV_DONTNEED),
		    "MADV_DONTNEED");
}

const struct host_event event_dontneed = {
	.run = dontneed,
	.pinned = PAGE_FRESH,
	.unpinned = PAGE_FRESH,
	.notifies = true,
};

/* Half of the huge page, the half that is looked at. */
static void dontneed_part(struct event_mem *m)
{
	TEST_ASSERT(!madvise(m->mem, SIZE_2M / 2, MADV_DONTNEED) &&
		    !madvise(m->control, SIZE_2M / 2, MADV_DONTNEED),
		    "MADV_DONTNEED");
}

const struct host_event event_dontneed_part = {
	.run = dontneed_part,
	.pinned = PAGE_FRESH,
	.unpinned = PAGE_FRESH,
	.huge = true,
	.notifies = true,
};

/*
 * The second half of what the child has got it writes, the first half it leaves
 * as it is, and says when asked what it sees there.
 */
static void __noreturn child_main(struct event_mem *m, int in, int out)
{
	size_t at, half = m->size / 2;
	__u64 word = 0;

	memset(m->mem + half, 0xcc, half);
	memset(m->control + half, 0xcc, half);
	do {
		if (write(out, &word, sizeof(word)) != sizeof(word) ||
		    read(in, &at, sizeof(at)) != sizeof(at))
			_exit(0);
		word = READ_ONCE(*(__u64 *)(m->mem + at));
	} while (true);
}

static __u64 child_answer(struct event_mem *m)
{
	__u64 word;

	TEST_ASSERT(read(m->from_child, &word, sizeof(word)) == sizeof(word),
		    "the child is gone");
	return word;
}

static __u64 child_sees(struct event_mem *m, size_t offset)
{
	TEST_ASSERT(write(m->to_child, &offset, sizeof(offset)) ==
		    sizeof(offset), "the child is gone");
	return child_answer(m);
}

static void do_fork(struct event_mem *m)
{
	int in[2], out[2];

	TEST_ASSERT(!pipe(in) && !pipe(out), "pipe");
	m->child = fork();
	TEST_ASSERT(m->child >= 0, "fork");
	if (!m->child) {
		close(in[1]);
		close(out[0]);
		child_main(m, in[0], out[1]);
	}
	close(in[0]);
	close(out[1]);
	m->to_child = in[1];
	m->from_child = out[0];
	child_answer(m);

	/* What nobody has pinned they share until one of them writes. */
	TEST_ASSERT_EQ(host_pfn(m->child, m->control),
		       m->pfns[m->size / SIZE_4K]);
	TEST_ASSERT(host_pfn(m->child, m->control + m->size / 2) !=
		    host_pfn(0, m->control + m->size / 2),
		    "the child's write made no copy");
}

const struct host_event event_fork = {
	.run = do_fork,
	.others_see = child_sees,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_STAYS,
	.notifies = true,
};

void event_mem_destroy(struct event_mem *m)
{
	if (m->child) {
		close(m->to_child);
		close(m->from_child);
		waitpid(m->child, NULL, 0);
	}
	free(m->pfns);
}

struct event_run {
	event_test_fn fn;
	const struct host_event *event;
	enum hwpt_kind kind;
};

static void run_event_test(const void *arg)
{
	const struct event_run *run = arg;

	run->fn(run->event, run->kind);
}

int event_tests_run(const struct event_test *tests, unsigned int nr,
		    event_test_fn fn)
{
	struct event_run *runs = calloc(2 * nr, sizeof(*runs));
	struct tap_case *cases = calloc(2 * nr, sizeof(*cases));
	unsigned int i;
	char *name;

	TEST_ASSERT(runs && cases, "calloc");
	for (i = 0; i < 2 * nr; i++) {
		const struct event_test *test = &tests[i / 2];
		bool shared = !(i % 2);

		TEST_ASSERT(asprintf(&name, "%s: %s",
				     shared ? "shared" : "separate",
				     test->title) > 0, "asprintf");
		runs[i] = (struct event_run) {
			fn, test->event, shared ? HWPT_SHARED : HWPT_ORDINARY,
		};
		cases[i] = (struct tap_case) {
			.name = name,
			.timeout = test->timeout,
			.run_with = run_event_test,
			.arg = &runs[i],
		};
	}
	return tap_run(cases, 2 * nr);
}
