// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host may do to a VM's memory, while the IOAS has it mapped: the vCPU
 * follows the process, DMA goes on as before. Once with KVM's table as the
 * device's, and for comparison with a table of its own. docs/events.rst has the
 * result.
 *
 * bench: --share --append numa=fake=2
 * bench-intel: --vtd mode=scalable --share --smp 1 --append numa=fake=2
 */
#include "host_event.h"
#include "iommu_hw.h"
#include "processor.h"
#include "share_vm.h"
#include "tap.h"
#include "touch.h"

#define WINDOW_SLOT	2
#define WINDOW_GPA	(GPA_HIGH + SIZE_1G)
#define OFFLINE_TIMEOUT	180	/* seconds: it is much memory */
#define VCPU_WORD	0xf00dULL
#define TESTDEV_WORDS	(TESTDEV_WORD * 0x100000001ULL)

/* Of a unit; EVENT_PAGE is the one that the device writes. */
#define SRC		(1 * SIZE_4K)
#define VCPU_PAGE	(2 * SIZE_4K)

struct bench {
	struct share_vm s;
	struct vfio_dev testdev;
	struct event_mem m;
	void *window;	/* mapped for the device as well, and no event's */
};

static void add_memslot(struct bench *b, __u32 slot, __u64 gpa, void *va,
			size_t size)
{
	vm_set_user_memory_region(b->s.vm, slot, 0, gpa, size, va);
	virt_map_level(b->s.vm, gpa, gpa, size, PG_LEVEL_2M);
	iommufd_map(b->s.iommufd, b->s.ioas, gpa, va, size);
}

static void setup(struct bench *b, const struct host_event *event,
		  enum hwpt_kind kind)
{
	event_mem_create(&b->m, event);
	b->m.pinned = true;
	share_vm_create(&b->s, kind);
	if (!share_vm_add_testdev(&b->s, &b->testdev))
		tap_skip_case("no iommu-testdev");
	touch_init(b->s.vcpus[1]);
	add_memslot(b, TEST_SLOT, GPA_HIGH, b->m.mem, b->m.size);

	b->window = mmap(NULL, SIZE_2M, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(b->window != MAP_FAILED, "mmap");
	add_memslot(b, WINDOW_SLOT, WINDOW_GPA, b->window, SIZE_2M);
	share_vm_warm_up(&b->s);
}

static void teardown(struct bench *b)
{
	vfio_dev_close(&b->testdev);
	share_vm_destroy(&b->s);
	event_mem_destroy(&b->m);
}

static __u64 gpa_of(struct bench *b, size_t page)
{
	return GPA_HIGH + b->m.unit + page;
}

/* The first word of a page, as the device reads it: it copies that away. */
static __u64 device_sees(struct bench *b, size_t page)
{
	__u64 mark = iommu_events_mark();

	WRITE_ONCE(*(__u64 *)b->window, 0xbad);
	edu_copy(&b->s.edu, WINDOW_GPA, gpa_of(b, page), sizeof(__u64));
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	return READ_ONCE(*(__u64 *)b->window);
}

static int vcpu_reads(struct bench *b, size_t page, __u64 *value)
{
	*value = 0xbad;
	return touch_read(b->s.vcpus[1], gpa_of(b, page), value);
}

static __u64 vcpu_sees(struct bench *b, size_t page)
{
	__u64 value;

	TEST_ASSERT_EQ(vcpu_reads(b, page, &value), 0);
	return value;
}

static __u64 original(struct bench *b, size_t page)
{
	return event_mem_word(b->m.unit + page);
}

static void device_writes(struct bench *b)
{
	__u64 mark = iommu_events_mark();

	TEST_ASSERT(testdev_write(&b->testdev, gpa_of(b, EVENT_PAGE),
				  sizeof(__u64)),
		    "the device's write was stopped");
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT_EQ(device_sees(b, EVENT_PAGE), TESTDEV_WORDS);
}

/* The process shares the page with the device, or has none or another. */
static void expect_process_sees(struct bench *b, size_t page, __u64 word)
{
	enum page_fate fate = b->m.event->pinned;
	__u64 value = 0xbad;
	int r = host_read(b->m.mem + b->m.unit + page, &value);

	TEST_ASSERT_EQ(r, fate == PAGE_GONE ? -EFAULT : 0);
	if (!r)
		TEST_ASSERT_EQ(value, fate == PAGE_FRESH ? 0 : word);
}

/*
 * Where the process has another page than the device, or may not write it and there
 * is one right for both, one table can't serve both, and user space has asked for
 * just that: the vCPU's fault is user space's. auto_aside_test has the same for an
 * HWPT that may step aside.
 */
static bool is_conflict(struct bench *b, enum hwpt_kind kind)
{
	enum page_fate fate = b->m.event->pinned;

	return kind == HWPT_SHARED &&
	       (fate == PAGE_FRESH ||
		(fate == PAGE_READ_ONLY && iommu_hw_rights_are_one()));
}

/* What the vCPU writes goes where the process's mapping leads. */
static void vcpu_writes(struct bench *b, enum hwpt_kind kind)
{
	enum page_fate fate = b->m.event->pinned;
	bool may = fate != PAGE_GONE && fate != PAGE_READ_ONLY;
	__u64 gpa = gpa_of(b, VCPU_PAGE), value;
	int r = touch_write(b->s.vcpus[1], gpa, VCPU_WORD);

	if (!may || is_conflict(b, kind)) {
		TEST_ASSERT_EQ(r, -EFAULT);
		TEST_ASSERT_EQ(device_sees(b, VCPU_PAGE),
			       original(b, VCPU_PAGE));
		if (fate != PAGE_READ_ONLY)
			return;
		/* The vCPU goes on once the process may write again. */
		b->m.event->undo(&b->m);
		r = touch_write(b->s.vcpus[1], gpa, VCPU_WORD);
	}
	TEST_ASSERT_EQ(r, 0);
	TEST_ASSERT_EQ(host_read(b->m.mem + b->m.unit + VCPU_PAGE, &value), 0);
	TEST_ASSERT_EQ(value, VCPU_WORD);
	TEST_ASSERT_EQ(device_sees(b, VCPU_PAGE),
		       fate == PAGE_FRESH ? original(b, VCPU_PAGE) : VCPU_WORD);
}

static void observe(struct bench *b, enum hwpt_kind kind)
{
	enum page_fate fate = b->m.event->pinned;
	bool there = fate != PAGE_GONE && !is_conflict(b, kind);
	__u64 value;

	/* The VM's other memory has no pins, and goes through it as well. */
	share_vm_warm_up(&b->s);

	TEST_ASSERT_EQ(vcpu_reads(b, SRC, &value), there ? 0 : -EFAULT);
	if (there)
		TEST_ASSERT_EQ(value,
			       fate == PAGE_FRESH ? 0 : original(b, SRC));
	TEST_ASSERT_EQ(device_sees(b, SRC), original(b, SRC));
	device_writes(b);
	if (there)
		TEST_ASSERT_EQ(vcpu_sees(b, EVENT_PAGE),
			       fate == PAGE_FRESH ? 0 : TESTDEV_WORDS);
	expect_process_sees(b, EVENT_PAGE, TESTDEV_WORDS);
	vcpu_writes(b, kind);
}

/* The same memory before and after; what nobody pinned has gone through it. */
static void pinned(const struct host_event *event, enum hwpt_kind kind)
{
	__u64 others = 0;
	struct bench b;

	setup(&b, event, kind);
	TEST_ASSERT_EQ(device_sees(&b, SRC), original(&b, SRC));
	TEST_ASSERT_EQ(vcpu_sees(&b, SRC), original(&b, SRC));

	event_mem_run(&b.m);
	event_mem_expect(&b.m, true, b.m.unit + EVENT_PAGE, event->unpinned);
	event_mem_expect(&b.m, false, b.m.unit + EVENT_PAGE, event->pinned);
	if (event->others_see)
		others = event->others_see(&b.m, b.m.unit + EVENT_PAGE);
	observe(&b, kind);
	if (event->others_see)
		TEST_ASSERT_EQ(event->others_see(&b.m, b.m.unit + EVENT_PAGE),
			       others);
	teardown(&b);
}

/*
 * The kernel tries until it is stopped, or does not even begin where pages of
 * its own are in the way (EBUSY), or where a block is of two zones (EINVAL).
 * Control: the same block goes once the pins have gone.
 */
static void offline(const struct host_event *event, enum hwpt_kind kind)
{
	int r = -EBUSY;
	struct bench b;

	setup(&b, event, kind);
	event_mem_note(&b.m);
	for (; b.m.unit < b.m.size && (r == -EBUSY || r == -EINVAL);
	     b.m.unit += SIZE_2M)
		r = host_offline(b.m.pfns[b.m.unit / SIZE_4K]);
	if (r == -EBUSY || r == -EINVAL)
		tap_skip_case("no memory block may go");
	b.m.unit -= SIZE_2M;
	TEST_ASSERT_EQ(r, -EINTR);
	event_mem_expect(&b.m, false, b.m.unit + EVENT_PAGE, event->pinned);
	observe(&b, kind);

	iommufd_unmap(b.s.iommufd, b.s.ioas, GPA_HIGH, b.m.size);
	TEST_ASSERT_EQ(host_offline(b.m.pfns[b.m.unit / SIZE_4K]), 0);
	event_mem_expect(&b.m, false, b.m.unit + EVENT_PAGE, event->unpinned);
	teardown(&b);
}

static void pinned_or_offline(const struct host_event *event,
			      enum hwpt_kind kind)
{
	if (event == &event_offline)
		offline(event, kind);
	else
		pinned(event, kind);
}

int main(void)
{
	static const struct event_test tests[] = {
		{ "munmap", &event_munmap },
		{ "mprotect, read-only", &event_mprotect_read },
		{ "mprotect, no access", &event_mprotect_none },
		{ "MADV_DONTNEED", &event_dontneed },
		{ "MADV_DONTNEED in a huge page", &event_dontneed_part },
		{ "fork, and the child writes", &event_fork },
		{ "KSM merges", &event_ksm },
		{ "migration to another node", &event_move_pages },
		{ "NUMA balancing", &event_numa_balancing },
		{ "compaction", &event_compaction },
		{ "MADV_COLLAPSE", &event_collapse },
		{ "khugepaged collapses", &event_khugepaged },
		{ "a huge page is split", &event_split },
		{ "MADV_PAGEOUT to swap", &event_pageout },
		{ "memory.high of its cgroup", &event_memcg_high },
		{ "memory.max of its cgroup", &event_memcg_max },
		{ "its memory block goes offline", &event_offline,
		  OFFLINE_TIMEOUT },
	};

	share_vm_require(true);
	host_events_setup();
	return event_tests_run(tests, ARRAY_SIZE(tests), pinned_or_offline);
}
