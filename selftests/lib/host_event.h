/* SPDX-License-Identifier: GPL-2.0-only */
/* What a host does to a process's memory: a table of events, and proofs. */
#ifndef TDP_SELFTEST_HOST_EVENT_H
#define TDP_SELFTEST_HOST_EVENT_H

#include "guest_mem.h"
#include "iommufd.h"

/* What became of a page, as the process and /proc/self/pagemap see it. */
enum page_fate {
	PAGE_STAYS,	/* same page, same content, writable */
	PAGE_READ_ONLY,	/* same page, but the process can't write it */
	PAGE_GONE,	/* the process has no access */
	PAGE_FRESH,	/* another page, of zeros */
	PAGE_MOVED,	/* another page, same content */
	PAGE_SWAPPED,	/* no page; the content is in swap space */
	PAGE_MERGED,	/* the same page as one with the same content, by KSM */
	PAGE_HUGE,	/* part of a huge page, same content */
	PAGE_SPLIT,	/* same page, no longer part of a huge one */
	PAGE_HINTED,	/* same content, maybe moved: NUMA balancing */
};

struct host_event;

/*
 * What an event happens to: @mem is the VM's, @control nobody's, and the event
 * goes over both. They are equally large and have the same content.
 */
struct event_mem {
	const struct host_event *event;
	void *mem;
	void *control;
	size_t size;
	__u64 *pfns;	/* of @mem and then of @control, right before */
	bool pinned;	/* @mem is: nobody waits for it to go */
	size_t unit;	/* offset of the one looked at; events may set it */

	void *twin;	/* KSM's: what @control is merged with */
	pid_t child;	/* fork's */
	int to_child;
	int from_child;
};

struct host_event {
	/* Makes ready; skips the case where the machine lacks something. */
	void (*prepare)(void);
	void (*run)(struct event_mem *m);
	enum page_fate pinned;		/* becomes of a page with a pin */
	enum page_fate unpinned;	/* becomes of one without */

	/* Gives the process access again. */
	void (*undo)(struct event_mem *m);
	/* What somebody else reads in his share of the page at @offset. */
	__u64 (*others_see)(struct event_mem *m, size_t offset);

	size_t size;		/* 0: EVENT_MEM_SIZE */
	bool huge;		/* begins with transparent huge pages */
	bool alone;		/* has no control */
	bool notifies;		/* tells KVM also of pages with a pin */
};

#define EVENT_MEM_SIZE	(2 * SIZE_2M)
#define EVENT_PAGE	(3 * SIZE_4K)	/* of a unit: the one looked at */

extern const struct host_event event_munmap, event_mprotect_read,
	event_mprotect_none, event_dontneed, event_dontneed_part, event_fork,
	event_ksm, event_move_pages, event_numa_balancing, event_compaction,
	event_collapse, event_khugepaged, event_split, event_pageout,
	event_memcg_high, event_memcg_max, event_offline;

/* Once, before all cases: swap space, and nothing happens by itself. */
void host_events_setup(void);

/* Memory with a pattern, the same in both; a case's process has one at most. */
void event_mem_create(struct event_mem *m, const struct host_event *event);
void event_mem_destroy(struct event_mem *m);

/* What is told apart: huge pages, or else a few small ones. */
static inline size_t event_mem_unit_size(const struct event_mem *m)
{
	return m->event->huge ? SIZE_2M : 4 * SIZE_4K;
}

/* What @mem holds at @offset from the start, at first: a pattern. */
#define EVENT_SEED	0xe4e47
static inline __u64 event_mem_word(size_t offset)
{
	return pattern_word(offset, EVENT_SEED);
}

/* Makes the control the same and notes the pages; then the event happens. */
void event_mem_note(struct event_mem *m);
void event_mem_run(struct event_mem *m);

/* Asserts that this became of the page at @offset of @mem or of @control. */
void event_mem_expect(struct event_mem *m, bool control, size_t offset,
		      enum page_fate fate);

/* The process's access to one word: 0 or -EFAULT, and no signal. */
int host_read(void *va, __u64 *value);
int host_write(void *va, __u64 value);

/* The page at @va of process @pid (0: this one); 0 where there is none. */
__u64 host_pfn(pid_t pid, const void *va);

/* Takes the memory block of a page offline and back: 0 or -errno. */
int host_offline(__u64 pfn);

/* Waits for a condition that the host's work brings about; asserts. */
#define wait_until(cond, what)						\
do {									\
	int __tries;							\
									\
	for (__tries = 0; !(cond); __tries++) {				\
		TEST_ASSERT(__tries < 3000, "does not come: %s", what);	\
		usleep(10000);						\
	}								\
} while (0)

/* A number that the host counts, in a file of the form "key value". */
__u64 host_count(const char *path, const char *key);

/* An event's two test cases, with a shared table and with a separate one. */
struct event_test {
	const char *title;
	const struct host_event *event;
	unsigned int timeout;	/* seconds, 0: TAP_DEFAULT_TIMEOUT */
};

typedef void (*event_test_fn)(const struct host_event *event,
			      enum hwpt_kind kind);

/* tap_run() with "shared: TITLE" and "separate: TITLE" of each, all by @fn. */
int event_tests_run(const struct event_test *tests, unsigned int nr,
		    event_test_fn fn);

#endif
