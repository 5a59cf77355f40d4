// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host may do to a VM's memory that the IOAS does not map, but vCPUs
 * have faulted into the shared root: the vCPU follows the process, and no device
 * reaches it, before, in between or afterwards, as with a table of its own.
 * docs/events.rst has the result.
 *
 * bench: --share --append numa=fake=2
 * bench-intel: --vtd mode=scalable --share --smp 1 --append numa=fake=2
 */
#include "host_event.h"
#include "iommu_hw.h"
#include "old_page.h"
#include "processor.h"
#include "share_vm.h"
#include "tap.h"
#include "touch.h"

#define WINDOW_SLOT	2
#define WINDOW_GPA	(GPA_HIGH + SIZE_1G)
#define OFFLINE_TIMEOUT	180	/* seconds: it is much memory */
#define VCPU_WORD	0xf00dULL
#define TESTDEV_WORDS	(TESTDEV_WORD * 0x100000001ULL)

struct bench {
	struct share_vm s;
	struct vfio_dev testdev;
	struct event_mem m;
	void *window;	/* mapped for the device: what it reads goes there */
	struct old_page old;
	bool moved;
	__u64 others;	/* what others see of the page */
};

static void setup(struct bench *b, const struct host_event *event,
		  enum hwpt_kind kind)
{
	memset(b, 0, sizeof(*b));
	event_mem_create(&b->m, event);
	share_vm_create(&b->s, kind);
	if (!share_vm_add_testdev(&b->s, &b->testdev))
		tap_skip_case("no iommu-testdev");
	touch_init(b->s.vcpus[1]);
	vm_set_user_memory_region(b->s.vm, TEST_SLOT, 0, GPA_HIGH, b->m.size,
				  b->m.mem);
	virt_map_level(b->s.vm, GPA_HIGH, GPA_HIGH, b->m.size, PG_LEVEL_2M);

	b->window = mmap(NULL, SIZE_2M, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(b->window != MAP_FAILED, "mmap");
	vm_set_user_memory_region(b->s.vm, WINDOW_SLOT, 0, WINDOW_GPA, SIZE_2M,
				  b->window);
	iommufd_map(b->s.iommufd, b->s.ioas, WINDOW_GPA, b->window, SIZE_2M);
	share_vm_warm_up(&b->s);
}

static void teardown(struct bench *b)
{
	if (b->moved)
		old_page_free(&b->old);
	vfio_dev_close(&b->testdev);
	share_vm_destroy(&b->s);
	event_mem_destroy(&b->m);
}

static __u64 gpa_of(struct bench *b)
{
	return GPA_HIGH + b->m.unit + EVENT_PAGE;
}

static void *hva_of(struct bench *b)
{
	return b->m.mem + b->m.unit + EVENT_PAGE;
}

/*
 * Either it arrives, or the IOMMU logs events: one for each 4 bytes, and a page
 * full of them would be more than the log holds.
 */
static bool device_writes(struct bench *b, __u64 gpa)
{
	__u64 mark = iommu_events_mark();
	bool ok = testdev_write(&b->testdev, gpa, sizeof(__u64));

	TEST_ASSERT_EQ(iommu_events_since(mark) > 0, !ok);
	return ok;
}

/* False when it is stopped; else the device copied what it read away. */
static bool device_reads(struct bench *b, __u64 *value)
{
	__u64 mark = iommu_events_mark();

	edu_load(&b->s.edu, gpa_of(b), sizeof(*value));
	if (iommu_events_since(mark))
		return false;
	edu_store(&b->s.edu, WINDOW_GPA, sizeof(*value));
	*value = READ_ONCE(*(__u64 *)b->window);
	return true;
}

/* What the process has there if the event leaves the content. */
static __u64 original(struct bench *b)
{
	return event_mem_word(b->m.unit + EVENT_PAGE);
}

/* No device reaches it. Control: it reaches what the IOAS maps. */
static void expect_out_of_reach(struct bench *b)
{
	__u64 value;

	TEST_ASSERT(!device_writes(b, gpa_of(b)), "the device writes it");
	TEST_ASSERT(!device_reads(b, &value), "the device reads it");
	TEST_ASSERT(device_writes(b, WINDOW_GPA), "no DMA to what is mapped");
}

/* A vCPU faults it in. The content is put back, so that what comes shows. */
static void warm(struct bench *b)
{
	size_t at;

	guest_fill(b->s.vcpus[0], GPA_HIGH, b->m.size, SIZE_4K, 0);
	for (at = 0; at < b->m.size; at += SIZE_4K)
		*(__u64 *)(b->m.mem + at) = event_mem_word(at);
	expect_out_of_reach(b);
}

static __u64 others_see(struct bench *b)
{
	struct event_mem *m = &b->m;

	if (!m->event->others_see)
		return 0;
	return m->event->others_see(m, m->unit + EVENT_PAGE);
}

/* If the page is another now, somebody else may get the old one: watch it. */
static void watch_old_page(struct bench *b)
{
	__u64 old = b->m.pfns[(b->m.unit + EVENT_PAGE) / SIZE_4K];

	b->others = others_see(b);
	b->moved = host_pfn(0, hva_of(b)) != old;
	if (b->moved)
		old_page_catch(&b->old, old);
}

/* Nobody else has what was written, and the zero page is everybody's. */
static void expect_others_intact(struct bench *b)
{
	void *va = mmap(NULL, SIZE_4K, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	TEST_ASSERT(va != MAP_FAILED, "mmap");
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)va), 0);
	munmap(va, SIZE_4K);
	TEST_ASSERT(!b->moved || old_page_intact(&b->old),
		    "a page that was freed has been written");
	TEST_ASSERT_EQ(others_see(b), b->others);
}

/* The vCPU gets what the process has. */
static void vcpu_reads(struct bench *b)
{
	__u64 want = b->m.event->unpinned == PAGE_FRESH ? 0 : original(b);
	__u64 value = 0;
	int r;

	r = touch_read(b->s.vcpus[1], gpa_of(b), &value);
	if (b->m.event->unpinned == PAGE_GONE)
		TEST_ASSERT_EQ(r, -EFAULT);
	else
		TEST_ASSERT(!r && value == want, "the vCPU reads %#llx (%d)",
			    value, r);
	expect_out_of_reach(b);
	expect_others_intact(b);
}

/* From then on vCPU and process have the same page again. */
static void vcpu_writes(struct bench *b)
{
	enum page_fate fate = b->m.event->unpinned;
	__u64 gpa = gpa_of(b), value = 0;
	int r = touch_write(b->s.vcpus[1], gpa, VCPU_WORD);

	if (fate == PAGE_GONE || fate == PAGE_READ_ONLY) {
		TEST_ASSERT_EQ(r, -EFAULT);
		b->m.event->undo(&b->m);
		r = touch_write(b->s.vcpus[1], gpa, VCPU_WORD);
	}
	TEST_ASSERT_EQ(r, 0);
	expect_out_of_reach(b);
	TEST_ASSERT_EQ(host_read(hva_of(b), &value), 0);
	TEST_ASSERT_EQ(value, VCPU_WORD);
	TEST_ASSERT_EQ(touch_read(b->s.vcpus[1], gpa, &value), 0);
	TEST_ASSERT_EQ(value, VCPU_WORD);
	expect_others_intact(b);
}

/* The process looks last: its looking at a page may bring that back. */
static void unpinned(const struct host_event *event, enum hwpt_kind kind)
{
	struct bench b;

	setup(&b, event, kind);
	warm(&b);
	event_mem_run(&b.m);
	watch_old_page(&b);
	expect_out_of_reach(&b);
	expect_others_intact(&b);
	event_mem_expect(&b.m, false, b.m.unit + EVENT_PAGE, event->unpinned);
	vcpu_reads(&b);
	vcpu_writes(&b);
	teardown(&b);
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
	return event_tests_run(tests, ARRAY_SIZE(tests), unpinned);
}
