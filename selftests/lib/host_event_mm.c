// SPDX-License-Identifier: GPL-2.0-only
/* Events that the memory management makes: moves, merges, huge pages, swap. */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "host_event.h"
#include "sysfile.h"
#include "tap.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define VMSTAT		"/proc/vmstat"
#define KSM		"/sys/kernel/mm/ksm/"
#define KHUGEPAGED	"/sys/kernel/mm/transparent_hugepage/khugepaged/"
#define NUMA_DEBUG	DEBUGFS "/sched/numa_balancing/"
#define CGROUP		"/sys/fs/cgroup/"
#define EVENT_CGROUP	CGROUP "host_event/"
#define NODE1		"/sys/devices/system/node/node1/"
#define BLOCKS		"/sys/devices/system/memory/"

#define OFFLINE_FAILURES	1000

static void set(const char *path, const char *text)
{
	TEST_ASSERT(sysfile_write(path, text), "write %s to %s", text, path);
}

static void need_file(const char *path)
{
	if (access(path, F_OK))
		tap_skip_case("no %s", path);
}

/* Two rounds of a scanner that was somewhere in the middle of one. */
static void wait_for_scans(const char *path, unsigned int scans)
{
	__u64 start = host_count(path, NULL);

	wait_until(host_count(path, NULL) >= start + scans, path);
}

/*
 * KSM
 */
static void need_ksm(void)
{
	need_file(KSM "run");
}

static void mergeable(void *va, size_t size)
{
	TEST_ASSERT(!madvise(va, size, MADV_MERGEABLE), "MADV_MERGEABLE");
}

/* Three times the same content: with or without a pin, two can be merged. */
static void ksm(struct event_mem *m)
{
	m->twin = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(m->twin != MAP_FAILED, "mmap");
	memcpy(m->twin, m->control, m->size);
	mergeable(m->mem, m->size);
	mergeable(m->control, m->size);
	mergeable(m->twin, m->size);
	set(KSM "sleep_millisecs", "0");
	set(KSM "pages_to_scan", "10000");
	set(KSM "smart_scan", "0");
	set(KSM "run", "1");
	wait_for_scans(KSM "full_scans", 4);
	set(KSM "run", "0");
}

static __u64 ksm_partner_sees(struct event_mem *m, size_t offset)
{
	return READ_ONCE(*(__u64 *)(m->control + offset));
}

const struct host_event event_ksm = {
	.prepare = need_ksm,
	.run = ksm,
	.others_see = ksm_partner_sees,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_MERGED,
	.notifies = true,
};

/*
 * NUMA
 */
static void need_nodes(void)
{
	need_file(NODE1 "meminfo");
}

static long move_pages(size_t count, void **pages, const int *nodes,
		       int *status)
{
	return syscall(SYS_move_pages, 0, count, pages, nodes, status,
		       nodes ? MPOL_MF_MOVE : 0);
}

static void to_other_node(void *va, size_t size)
{
	size_t i, pages = size / SIZE_4K;
	void **vas = calloc(pages, sizeof(*vas));
	int *nodes = calloc(pages, sizeof(*nodes));
	int *status = calloc(pages, sizeof(*status));

	TEST_ASSERT(vas && nodes && status, "calloc");
	for (i = 0; i < pages; i++)
		vas[i] = va + i * SIZE_4K;
	TEST_ASSERT(!move_pages(pages, vas, NULL, nodes), "move_pages");
	for (i = 0; i < pages; i++) {
		TEST_ASSERT(nodes[i] == 0 || nodes[i] == 1, "node %d",
			    nodes[i]);
		nodes[i] = !nodes[i];
	}
	/* Above 0: so many were not moved, and what they are shows later. */
	TEST_ASSERT(move_pages(pages, vas, nodes, status) >= 0, "move_pages");
	free(vas);
	free(nodes);
	free(status);
}

static void migrate(struct event_mem *m)
{
	to_other_node(m->mem, m->size);
	to_other_node(m->control, m->size);
}

const struct host_event event_move_pages = {
	.prepare = need_nodes,
	.run = migrate,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_MOVED,
};

static void need_balancing(void)
{
	need_nodes();
	need_file("/proc/sys/kernel/numa_balancing");
	need_file(NUMA_DEBUG "scan_period_min_ms");
}

struct reader {
	struct event_mem *m;
	bool stop;
	pthread_t thread;
};

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	size_t at;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED))
		for (at = 0; at < r->m->size; at += SIZE_4K) {
			(void)READ_ONCE(*(__u64 *)(r->m->mem + at));
			(void)READ_ONCE(*(__u64 *)(r->m->control + at));
		}
	return NULL;
}

/*
 * The scanner takes the process's access page by page, and sees who faults.
 * As many faults as there are pages in both mean that both have been through
 * it, or that the control has twice, where the other half is left alone.
 */
static void balance(struct event_mem *m)
{
	__u64 faults = host_count(VMSTAT, "numa_hint_faults");
	struct reader readers[2] = { { m }, { m } };
	int i;

	set(NUMA_DEBUG "scan_delay_ms", "10");
	set(NUMA_DEBUG "scan_period_min_ms", "10");
	set("/proc/sys/kernel/numa_balancing", "1");
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		TEST_ASSERT(!pthread_create(&readers[i].thread, NULL,
					    reader_thread, &readers[i]),
			    "pthread_create");
	wait_until(host_count(VMSTAT, "numa_hint_faults") >=
		   faults + 2 * m->size / SIZE_4K, "NUMA hinting faults");
	set("/proc/sys/kernel/numa_balancing", "0");
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		__atomic_store_n(&readers[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(readers[i].thread, NULL);
	}
}

const struct host_event event_numa_balancing = {
	.prepare = need_balancing,
	.run = balance,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_HINTED,
};

/*
 * Compaction
 */
#define FILLER_SIZE	(16 * SIZE_2M)
#define COMPACT_TRIES	32

static void *fill(size_t size)
{
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	TEST_ASSERT(va != MAP_FAILED, "mmap");
	return va;
}

/*
 * One page in 2 MiB stays: what is all free, compaction does not fill. Nor does it
 * go on when it meets a large folio that no hole is large enough for.
 */
static void punch(void *va, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += SIZE_2M)
		TEST_ASSERT(!madvise(va + at, SIZE_2M - SIZE_4K, MADV_DONTNEED),
			    "MADV_DONTNEED");
}

/* Below the memory, or above it. */
static void *first_filler;

static void prepare_compaction(void)
{
	unsigned long node1 = BIT_ULL(1);

	need_file("/proc/sys/vm/compact_memory");
	need_nodes();

	/* That node is one zone. */
	TEST_ASSERT(!syscall(SYS_set_mempolicy, MPOL_BIND, &node1,
			     8 * sizeof(node1)), "set_mempolicy");
	first_filler = fill(FILLER_SIZE);
}

static bool has_moved(void *va, __u64 pfn)
{
	return host_pfn(0, va) != pfn;
}

/* Not all moves: a place where all did that can. */
static bool find_moved(struct event_mem *m)
{
	size_t at, unit;

	for (unit = 0; unit < m->size; unit += event_mem_unit_size(m)) {
		at = unit + EVENT_PAGE;
		m->unit = unit;
		if (has_moved(m->control + at,
			      m->pfns[(m->size + at) / SIZE_4K]) &&
		    (m->pinned ||
		     has_moved(m->mem + at, m->pfns[at / SIZE_4K])))
			return true;
	}
	return false;
}

/*
 * Pages at the beginning of a zone go into holes at its end. Where the memory
 * is between the two nobody can say: make holes until it had to move.
 */
static void compact(struct event_mem *m)
{
	size_t size = FILLER_SIZE;
	int tries = 0;

	punch(first_filler, size);
	do {
		TEST_ASSERT(tries++ < COMPACT_TRIES, "nothing has moved");
		/* It fills the holes that there are, and then goes on. */
		size += FILLER_SIZE;
		punch(fill(size), size);
		set("/proc/sys/vm/compact_memory", "1");
	} while (!find_moved(m));
	ksft_print_msg("moved at try %d\n", tries);
}

const struct host_event event_compaction = {
	.prepare = prepare_compaction,
	.run = compact,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_MOVED,
	.size = 8 * SIZE_2M,
};

/*
 * Huge pages
 */
static void need_thp(void)
{
	need_file(KHUGEPAGED "full_scans");
}

static void collapse(struct event_mem *m)
{
	/* It fails for what is pinned: what the page is shows later. */
	madvise(m->mem, m->size, MADV_COLLAPSE);
	TEST_ASSERT(!madvise(m->control, m->size, MADV_COLLAPSE),
		    "MADV_COLLAPSE");
}

const struct host_event event_collapse = {
	.prepare = need_thp,
	.run = collapse,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_HUGE,
};

static void let_khugepaged(struct event_mem *m)
{
	set(KHUGEPAGED "scan_sleep_millisecs", "0");
	set(KHUGEPAGED "pages_to_scan", "100000");
	TEST_ASSERT(!madvise(m->mem, m->size, MADV_HUGEPAGE) &&
		    !madvise(m->control, m->size, MADV_HUGEPAGE),
		    "MADV_HUGEPAGE");
	wait_for_scans(KHUGEPAGED "full_scans", 3);
	set(KHUGEPAGED "scan_sleep_millisecs", "10000");
}

const struct host_event event_khugepaged = {
	.prepare = need_thp,
	.run = let_khugepaged,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_HUGE,
};

static void need_split(void)
{
	need_thp();
	need_file(DEBUGFS "/split_huge_pages");
}

static void split(struct event_mem *m)
{
	void *vas[] = { m->mem, m->control };
	char text[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(vas); i++) {
		snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
			 (unsigned long)vas[i],
			 (unsigned long)vas[i] + m->size);
		set(DEBUGFS "/split_huge_pages", text);
	}
}

const struct host_event event_split = {
	.prepare = need_split,
	.run = split,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_SPLIT,
	.huge = true,
};

/*
 * Swap and cgroups
 */
static void need_swap(void)
{
	if (!host_count("/proc/meminfo", "SwapTotal"))
		tap_skip_case("no swap space");
}

static void pageout(struct event_mem *m)
{
	TEST_ASSERT(!madvise(m->mem, m->size, MADV_PAGEOUT) &&
		    !madvise(m->control, m->size, MADV_PAGEOUT),
		    "MADV_PAGEOUT");
}

const struct host_event event_pageout = {
	.prepare = need_swap,
	.run = pageout,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_SWAPPED,
};

/* Memory is charged to who touches it first: so the whole case moves there. */
static void enter_cgroup(void)
{
	char pid[16];

	need_swap();
	need_file(CGROUP "cgroup.controllers");
	if (!sysfile_write(CGROUP "cgroup.subtree_control", "+memory"))
		tap_skip_case("no memory cgroups");
	TEST_ASSERT(!mkdir(EVENT_CGROUP, 0755) || errno == EEXIST, "mkdir");
	set(EVENT_CGROUP "memory.high", "max");
	set(EVENT_CGROUP "memory.max", "max");
	snprintf(pid, sizeof(pid), "%d", getpid());
	set(EVENT_CGROUP "cgroup.procs", pid);
}

static bool is_out(void *va)
{
	return !host_pfn(0, va + EVENT_PAGE);
}

/* What vCPUs have used is taken for hot and goes last; with a pin it stays. */
static bool press_on(struct event_mem *m, int *more)
{
	if (!is_out(m->control))
		return true;
	return m->pinned ? (*more)-- : !is_out(m->mem);
}

static void cold(struct event_mem *m)
{
	TEST_ASSERT(!madvise(m->mem, m->size, MADV_COLD) &&
		    !madvise(m->control, m->size, MADV_COLD), "MADV_COLD");
}

static void press_high(struct event_mem *m)
{
	int presses = 0, more = 10;

	cold(m);
	while (press_on(m, &more)) {
		TEST_ASSERT(presses++ < 1000, "not swapped out");
		set(EVENT_CGROUP "memory.high", "1M");
	}
	set(EVENT_CGROUP "memory.high", "max");
}

const struct host_event event_memcg_high = {
	.prepare = enter_cgroup,
	.run = press_high,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_SWAPPED,
};

/* What can't be swapped out; then the control comes back. */
static __u64 least_usage(struct event_mem *m)
{
	__u64 least;
	size_t at;

	press_high(m);
	least = host_count(EVENT_CGROUP "memory.current", NULL);
	for (at = 0; at < m->size; at += SIZE_4K)
		(void)READ_ONCE(*(__u64 *)(m->control + at));
	TEST_ASSERT(!is_out(m->control), "the control did not come back");
	return least;
}

/* Bit by bit, and not too far: who can't get below the limit is killed. */
static void press_max(struct event_mem *m)
{
	__u64 least = m->pinned ? least_usage(m) + SIZE_2M / 2 : SIZE_2M;
	__u64 limit = host_count(EVENT_CGROUP "memory.current", NULL);
	char text[32];

	cold(m);
	while (m->pinned || !is_out(m->control) || !is_out(m->mem)) {
		limit -= SIZE_2M / 8;
		if (limit < least)
			break;
		snprintf(text, sizeof(text), "%llu", limit);
		set(EVENT_CGROUP "memory.max", text);
	}
	set(EVENT_CGROUP "memory.max", "max");
}

const struct host_event event_memcg_max = {
	.prepare = enter_cgroup,
	.run = press_max,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_SWAPPED,
};

/*
 * Memory that is taken out of the machine
 */
static void need_blocks(void)
{
	need_file(BLOCKS "block_size_bytes");
}

static __u64 block_size(void)
{
	char text[32];

	TEST_ASSERT(sysfile_read(BLOCKS "block_size_bytes", text,
				 sizeof(text)), "no memory blocks");
	return strtoull(text, NULL, 16);
}

static void do_nothing(int sig)
{
}

struct offliner {
	const char *state;
	int result;
	bool done;
};

static void *offline_thread(void *arg)
{
	struct offliner *o = arg;
	int fd = open(o->state, O_WRONLY | O_CLOEXEC);

	o->result = write(fd, "offline", 7) == 7 ? 0 : -errno;
	close(fd);
	__atomic_store_n(&o->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * The kernel tries pages that do not move again and again, until a signal. So
 * give it one once enough did not.
 */
static int take_offline(const char *state)
{
	__u64 failed = host_count(VMSTAT, "pgmigrate_fail");
	struct offliner o = { .state = state };
	pthread_t thread;

	signal(SIGUSR1, do_nothing);
	TEST_ASSERT(!pthread_create(&thread, NULL, offline_thread, &o),
		    "pthread_create");
	while (!__atomic_load_n(&o.done, __ATOMIC_ACQUIRE)) {
		if (host_count(VMSTAT, "pgmigrate_fail") >
		    failed + OFFLINE_FAILURES)
			pthread_kill(thread, SIGUSR1);
		usleep(10000);
	}
	pthread_join(thread, NULL);
	return o.result;
}

int host_offline(__u64 pfn)
{
	char state[64];
	int r;

	snprintf(state, sizeof(state), BLOCKS "memory%llu/state",
		 pfn * SIZE_4K / block_size());
	r = take_offline(state);
	if (!r)
		set(state, "online");
	return r;
}

/* The kernel itself is in some blocks: look for one that it is not in. */
static void offline(struct event_mem *m)
{
	size_t unit, page;
	__u64 tried = 0;

	for (unit = 0; unit < m->size; unit += SIZE_2M) {
		page = (unit + EVENT_PAGE) / SIZE_4K;
		if (m->pfns[page] * SIZE_4K / block_size() == tried)
			continue;
		tried = m->pfns[page] * SIZE_4K / block_size();
		if (!host_offline(m->pfns[page])) {
			m->unit = unit;
			return;
		}
	}
	tap_skip_case("no memory block without pages of the kernel");
}

const struct host_event event_offline = {
	.prepare = need_blocks,
	.run = offline,
	.pinned = PAGE_STAYS,
	.unpinned = PAGE_MOVED,
	.size = 128 * SIZE_2M,
	.huge = true,
	.alone = true,	/* it would be in the same memory blocks */
};
