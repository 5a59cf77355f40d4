// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU is told to drop: exactly what the IOAS unmaps, or maps, where
 * vCPUs may have had it for themselves; tables that go; and nothing for what the
 * host or vCPUs do. Once, and before it is freed. The emulated IOMMU drops the whole
 * domain at any flush, so that what is judged here is the call of the driver.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/mman.h>

#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "share_vm.h"
#include "sysfile.h"
#include "tap.h"
#include "trace.h"

#define MAX_EVENTS	16384
#define MAX_FLUSHES	1024
#define SCATTERED	(8 * SIZE_2M)
#define SEED		0xf1a5

#define FLUSH		"flush"
#define FLUSH_ARGS	"first=+0(%%si):u64 last=+8(%%si):u64"
#define TABLES		"mmu_share_iotlb_flush"
#define SPTE_CHANGED	"kvm_tdp_mmu_spte_changed"
#define PAGE_FREE	"mm_page_free"
#define UNPIN		"unpin"
#define UNPIN_PROBE	"unpin_user_page_range_dirty_lock pages=%si:u64"

/* More than these are no batches. */
#define BATCHES		8

struct flush {
	__u64 first;
	__u64 last;
};

struct flushes {
	struct flush flush[MAX_FLUSHES];
	unsigned int nr;
	unsigned int tables;	/* of everything, as tables went */
};

/* Allocated, as static data would be the guest's as well. */
static struct trace_event *events;

static void watch_start(void)
{
	trace_record();
}

static void trace_setup(void)
{
	events = calloc(MAX_EVENTS, sizeof(*events));
	TEST_ASSERT(events, "out of memory");
	trace_open();
}

static unsigned int count_events(size_t n, const char *name)
{
	unsigned int found = 0;
	size_t i;

	for (i = 0; i < n; i++)
		found += trace_is(&events[i], name);
	return found;
}

static struct flush flush_of(const struct trace_event *event)
{
	return (struct flush) {
		.first = trace_field(event, "first"),
		.last = trace_field(event, "last"),
	};
}

/* What was flushed in @mem. The guest's code and stacks lie elsewhere. */
static void watch_stop(struct flushes *f, const struct guest_mem *mem)
{
	size_t i, n = trace_stop(events, MAX_EVENTS);

	f->nr = 0;
	f->tables = count_events(n, TABLES);
	for (i = 0; i < n; i++) {
		struct flush flush;

		if (!trace_is(&events[i], FLUSH))
			continue;
		flush = flush_of(&events[i]);
		if (flush.last < mem->gpa ||
		    flush.first >= mem->gpa + mem->size)
			continue;
		TEST_ASSERT(f->nr < MAX_FLUSHES, "too many flushes");
		f->flush[f->nr++] = flush;
	}
}

static void print_flushes(const struct flushes *f)
{
	unsigned int i;

	for (i = 0; i < f->nr; i++)
		ksft_print_msg("flush %#llx-%#llx\n", f->flush[i].first,
			       f->flush[i].last);
	if (f->tables)
		ksft_print_msg("%u flushes of tables\n", f->tables);
}

static void expect_no_flush(const struct guest_mem *mem, const char *when)
{
	struct flushes f;

	watch_stop(&f, mem);
	if (f.nr || f.tables)
		print_flushes(&f);
	TEST_ASSERT(!f.nr && !f.tables, "%s: %u flushes, wanted none", when,
		    f.nr + f.tables);
}

static void expect_tables_flushed(const struct guest_mem *mem, const char *when)
{
	struct flushes f;

	watch_stop(&f, mem);
	if (f.nr || !f.tables)
		print_flushes(&f);
	TEST_ASSERT(!f.nr && f.tables,
		    "%s: %u flushes of ranges, %u of tables", when, f.nr,
		    f.tables);
}

/*
 * iommufd unmaps in batches. The parts must make up the range in order, without
 * a gap and without anything twice.
 */
static void expect_parts(const struct flushes *f, __u64 gpa, size_t len)
{
	__u64 next = gpa;
	unsigned int i;

	for (i = 0; i < f->nr; i++) {
		if (f->flush[i].first != next)
			break;
		next = f->flush[i].last + 1;
	}
	if (i < f->nr || next != gpa + len || f->tables)
		print_flushes(f);
	TEST_ASSERT(i == f->nr && next == gpa + len && !f->tables,
		    "wanted %#llx-%#llx", gpa, gpa + len - 1);
}

static void expect_flush(const struct guest_mem *mem, __u64 gpa, size_t len)
{
	struct flushes f;

	watch_stop(&f, mem);
	expect_parts(&f, gpa, len);
}

static void setup(struct share_vm *s)
{
	char probe[128];

	snprintf(probe, sizeof(probe), "%s " FLUSH_ARGS, iommu_driver()->sync);
	if (!trace_kprobe_add(FLUSH, probe))
		tap_skip_case("no kprobe events");
	share_vm_create(s, HWPT_SHARED);
	share_vm_warm_up(s);
	trace_setup();
	trace_enable("tdp/" FLUSH);
	trace_enable("kvm_mmu_share/" TABLES);
}

static void setup_mem(struct share_vm *s, struct guest_mem *mem,
		      enum guest_mem_backing backing, size_t size)
{
	setup(s);
	guest_mem_add(mem, s->vm, TEST_SLOT, backing, GPA_HIGH, size);
}

static void teardown(struct share_vm *s)
{
	trace_close();
	trace_kprobe_remove(FLUSH);
	share_vm_destroy(s);
}

static void map_part(struct share_vm *s, struct guest_mem *mem, __u64 offset,
		     size_t len)
{
	iommufd_map(s->iommufd, s->ioas, mem->gpa + offset, mem->hva + offset,
		    len);
}

static void unmap_part(struct share_vm *s, struct guest_mem *mem, __u64 offset,
		       size_t len)
{
	iommufd_unmap(s->iommufd, s->ioas, mem->gpa + offset, len);
}

static void discard(struct guest_mem *mem, __u64 offset, size_t len)
{
	TEST_ASSERT(!madvise(mem->hva + offset, len, MADV_DONTNEED), "madvise");
}

static void expect_leaves_2m(struct share_vm *s, __u64 huge)
{
	TEST_ASSERT_EQ(share_vm_leaves_2m(s), huge);
}

static void unmap_4k(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K, SIZE_2M);
	map_part(&s, &mem, 0, SIZE_4K);
	map_part(&s, &mem, 5 * SIZE_4K, SIZE_4K);

	watch_start();
	unmap_part(&s, &mem, 5 * SIZE_4K, SIZE_4K);
	expect_flush(&mem, mem.gpa + 5 * SIZE_4K, SIZE_4K);

	/* What was flushed is not in the next flush. */
	watch_start();
	unmap_part(&s, &mem, 0, SIZE_4K);
	expect_flush(&mem, mem.gpa, SIZE_4K);
	teardown(&s);
}

static void unmap_2m(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_2M, 2 * SIZE_2M);
	map_part(&s, &mem, SIZE_2M, SIZE_2M);
	expect_leaves_2m(&s, 1);

	watch_start();
	unmap_part(&s, &mem, SIZE_2M, SIZE_2M);
	expect_flush(&mem, mem.gpa + SIZE_2M, SIZE_2M);
	teardown(&s);
}

/* Two maps that the end of dirty logging has put into one leaf. */
static void unmap_part_of_2m(void)
{
	const size_t quarter = SIZE_2M / 4;
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_2M, SIZE_2M);
	map_part(&s, &mem, 0, quarter);
	map_part(&s, &mem, quarter, SIZE_2M - quarter);
	share_vm_log_dirty(&s, mem.slot, true);
	share_vm_log_dirty(&s, mem.slot, false);
	expect_leaves_2m(&s, 1);

	watch_start();
	unmap_part(&s, &mem, 0, quarter);
	/* All of the leaf, which the IOMMU may have. */
	expect_flush(&mem, mem.gpa, SIZE_2M);
	expect_leaves_2m(&s, 0);
	teardown(&s);
}

static void unmap_scattered(void)
{
	struct guest_mem mem;
	struct share_vm s;
	struct flushes f;

	setup_mem(&s, &mem, BACKING_4K, SCATTERED);
	map_part(&s, &mem, 0, SCATTERED);
	watch_start();
	unmap_part(&s, &mem, 0, SCATTERED);
	watch_stop(&f, &mem);
	ksft_print_msg("%llu pages in %u flushes\n", SCATTERED / SIZE_4K, f.nr);
	expect_parts(&f, mem.gpa, SCATTERED);
	TEST_ASSERT(f.nr <= BATCHES, "not batched");
	teardown(&s);
}

/* By vCPUs, and by KVM_PRE_FAULT_MEMORY: the device does not find them. */
static void nothing_for_new_leaves(void)
{
	struct kvm_pre_fault_memory range = {
		.gpa = GPA_HIGH + SIZE_2M,
		.size = SIZE_2M,
	};
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K, 4 * SIZE_2M);
	watch_start();
	while (range.size)
		TEST_ASSERT(!__vcpu_ioctl(s.vcpus[0], KVM_PRE_FAULT_MEMORY,
					  &range) || errno == EINTR,
			    "KVM_PRE_FAULT_MEMORY");
	guest_fill(s.vcpus[1], mem.gpa + 2 * SIZE_2M, SIZE_2M, SIZE_4K, SEED);

	expect_no_flush(&mem, "new leaves");

	/* Control: what the IOAS has is flushed when it goes. */
	map_part(&s, &mem, 0, SIZE_2M);
	watch_start();
	unmap_part(&s, &mem, 0, SIZE_2M);
	expect_flush(&mem, mem.gpa, SIZE_2M);
	teardown(&s);
}

/*
 * An IOMMU may have kept that there was nothing for it, where vCPUs have leaves,
 * or had some.
 */
static void opened_leaves(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K, 2 * SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, SEED);
	watch_start();
	map_part(&s, &mem, 4 * SIZE_4K, 3 * SIZE_4K);
	expect_flush(&mem, mem.gpa + 4 * SIZE_4K, 3 * SIZE_4K);

	/* Nor does anybody know whether a vCPU has been there before. */
	guest_fill(s.vcpus[0], mem.gpa + SIZE_2M, SIZE_2M, SIZE_4K, SEED);
	discard(&mem, SIZE_2M, SIZE_2M);
	watch_start();
	map_part(&s, &mem, SIZE_2M, SIZE_2M);
	expect_flush(&mem, mem.gpa + SIZE_2M, SIZE_2M);
	teardown(&s);
}

/*
 * What the host does to what is mapped, and to what is not: the device finds the
 * same as before, so that there is nothing to flush.
 */
static void host_events(enum guest_mem_backing backing)
{
	struct mmu_share_info before, after;
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, backing, 4 * SIZE_2M);
	map_part(&s, &mem, 0, 2 * SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	mmu_share_read(s.vm, &before);

	watch_start();
	discard(&mem, SIZE_2M, 2 * SIZE_2M);
	TEST_ASSERT(!mprotect(mem.hva, mem.size, PROT_READ), "mprotect");
	expect_no_flush(&mem, "the host's events");

	/* Control: they did come. */
	mmu_share_read(s.vm, &after);
	TEST_ASSERT(after.shut_to_cpus > before.shut_to_cpus &&
		    after.cpu_only_bytes < before.cpu_only_bytes,
		    "KVM was told nothing");
	watch_start();
	unmap_part(&s, &mem, 0, 2 * SIZE_2M);
	expect_flush(&mem, mem.gpa, 2 * SIZE_2M);
	teardown(&s);
}

static void host_events_4k(void)
{
	host_events(BACKING_4K);
}

static void host_events_2m(void)
{
	host_events(BACKING_2M);
}

/* Its empty tables go; it is this that is flushed, no range. */
static void deleted_memslot(void)
{
	const size_t size = 32 * SIZE_2M;
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K, size);
	guest_fill(s.vcpus[0], mem.gpa + SIZE_4K, 8, 8, SEED);
	guest_fill(s.vcpus[0], mem.gpa + size - 2 * SIZE_4K, 8, 8, SEED);
	watch_start();
	vm_mem_region_delete(s.vm, TEST_SLOT);
	expect_tables_flushed(&mem, "a memslot that vCPUs had");
	teardown(&s);
}

/* No table goes in which the device finds something. */
static void deleted_mapped_memslot(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K, 2 * SIZE_2M);
	map_part(&s, &mem, SIZE_4K, SIZE_4K);
	map_part(&s, &mem, SIZE_2M, SIZE_4K);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	watch_start();
	vm_set_user_memory_region(s.vm, TEST_SLOT, 0, mem.gpa, 0, mem.hva);
	expect_no_flush(&mem, "a memslot of which the IOAS has some");

	/* Control: what is there is flushed when the IOAS lets it go. */
	watch_start();
	unmap_part(&s, &mem, SIZE_2M, SIZE_4K);
	expect_flush(&mem, mem.gpa + SIZE_2M, SIZE_4K);
	teardown(&s);
}

static void split_and_merge(void)
{
	unsigned long bitmap[2 * SIZE_2M / SIZE_4K / 64];
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_2M, 2 * SIZE_2M);
	map_part(&s, &mem, 0, mem.size);
	expect_leaves_2m(&s, 2);

	/* An entry of either size leads to the same page. */
	watch_start();
	share_vm_log_dirty(&s, mem.slot, true);
	expect_leaves_2m(&s, 0);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[0], ~0ul);
	expect_no_flush(&mem, "dirty logging");

	/* Here tables go, which the IOMMU may have cached. */
	watch_start();
	share_vm_log_dirty(&s, mem.slot, false);
	expect_leaves_2m(&s, 2);
	expect_tables_flushed(&mem, "a merge");
	teardown(&s);
}

/* The end of dirty logging, where there is nothing to be put together. */
static void expect_no_merge(struct share_vm *s, struct guest_mem *mem)
{
	watch_start();
	share_vm_log_dirty(s, mem->slot, true);
	share_vm_log_dirty(s, mem->slot, false);
	expect_leaves_2m(s, 0);
	expect_no_flush(mem, "no merge");
}

/* All entries are pinned leaves, of a huge page but for one in the middle. */
static void not_one_huge_page(void)
{
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_4K_ADJACENT, SIZE_2M);
	map_part(&s, &mem, 0, SIZE_2M);
	expect_leaves_2m(&s, 1);
	unmap_part(&s, &mem, 0, SIZE_2M);

	discard(&mem, 100 * SIZE_4K, SIZE_4K);
	WRITE_ONCE(*(__u64 *)(mem.hva + 100 * SIZE_4K), SEED);
	map_part(&s, &mem, 0, SIZE_2M);
	expect_leaves_2m(&s, 0);
	expect_no_merge(&s, &mem);
	TEST_ASSERT_EQ(guest_diff(s.vcpus[0], mem.gpa, SIZE_4K, SIZE_4K,
				  mem.gpa, 0), 1);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(mem.hva + 100 * SIZE_4K)), SEED);
	teardown(&s);
}

/* vCPUs would have a huge leaf there, and it would forget what is pinned. */
static void partly_pinned(void)
{
	struct mmu_share_info info;
	struct guest_mem mem;
	struct share_vm s;

	setup_mem(&s, &mem, BACKING_2M, SIZE_2M);
	map_part(&s, &mem, 0, SIZE_2M / 2);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, SEED);
	expect_no_merge(&s, &mem);
	guest_fill(s.vcpus[0], mem.gpa, SIZE_2M, SIZE_4K, SEED);
	expect_leaves_2m(&s, 0);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, SIZE_2M / 2);

	watch_start();
	unmap_part(&s, &mem, 0, SIZE_2M / 2);
	expect_flush(&mem, mem.gpa, SIZE_2M / 2);
	teardown(&s);
}

/* How often the driver is told to flush, by whatever op. */
static unsigned int flushes_of_unmap(enum hwpt_kind kind,
				     enum guest_mem_backing backing,
				     size_t len)
{
	unsigned int flushes;
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, kind);
	guest_mem_add(&mem, s.vm, TEST_SLOT, backing, GPA_HIGH, SCATTERED);
	map_part(&s, &mem, 0, len);
	trace_record();
	unmap_part(&s, &mem, 0, len);
	flushes = trace_stop(events, MAX_EVENTS);
	share_vm_destroy(&s);

	TEST_ASSERT(flushes, "no flush at all");
	return flushes;
}

static void compare(enum guest_mem_backing backing, size_t len)
{
	unsigned int shared, separate;

	separate = flushes_of_unmap(HWPT_ORDINARY, backing, len);
	shared = flushes_of_unmap(HWPT_SHARED, backing, len);
	ksft_print_msg("%zu kB: %u flushes, with an ordinary HWPT %u\n",
		       len / 1024, shared, separate);
	TEST_ASSERT(shared <= separate, "more than with an ordinary HWPT");
}

static void no_more_than_ordinary(void)
{
	if (!trace_kprobe_add("sync", iommu_driver()->sync) ||
	    !trace_kprobe_add("flush_all", iommu_driver()->flush_all))
		tap_skip_case("no kprobe events");
	trace_setup();
	trace_enable("tdp/sync");
	trace_enable("tdp/flush_all");
	compare(BACKING_4K, SIZE_4K);
	compare(BACKING_4K, SCATTERED);
	compare(BACKING_2M, SCATTERED);
	trace_close();
	trace_kprobe_remove("sync");
	trace_kprobe_remove("flush_all");
}

/* Of each run of pages that iommufd unpins, the flush came before. */
static void flush_before_unpin(void)
{
	__u64 flushed, unpinned = 0;
	struct guest_mem mem;
	struct share_vm s;
	size_t i, n;

	if (!trace_kprobe_add(UNPIN, UNPIN_PROBE))
		tap_skip_case("no kprobe events");
	setup_mem(&s, &mem, BACKING_4K, SCATTERED);
	trace_enable("tdp/" UNPIN);
	map_part(&s, &mem, 0, SCATTERED);

	trace_record();
	unmap_part(&s, &mem, 0, SCATTERED);
	n = trace_stop(events, MAX_EVENTS);
	flushed = mem.gpa;
	for (i = 0; i < n; i++) {
		if (trace_is(&events[i], FLUSH)) {
			TEST_ASSERT_EQ(flush_of(&events[i]).first, flushed);
			flushed = flush_of(&events[i]).last + 1;
		} else if (trace_is(&events[i], UNPIN)) {
			unpinned += trace_field(&events[i], "pages") * SIZE_4K;
			TEST_ASSERT(unpinned <= flushed - mem.gpa,
				    "unpinned %#llx bytes, flushed %#llx",
				    unpinned, flushed - mem.gpa);
		}
	}
	TEST_ASSERT_EQ(unpinned, SCATTERED);
	teardown(&s);
	trace_kprobe_remove(UNPIN);
}

static __u64 pfn_of(void *hva)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry;

	TEST_ASSERT(fd >= 0 && pread(fd, &entry, sizeof(entry),
				     (unsigned long)hva / SIZE_4K *
				     sizeof(entry)) == sizeof(entry),
		    "read /proc/self/pagemap");
	close(fd);
	TEST_ASSERT(entry & BIT_ULL(63), "not present");
	return entry & GENMASK_ULL(54, 0);
}

/* When the page was freed, or -1. */
static long index_of_free(size_t n, __u64 pfn)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (trace_is(&events[i], PAGE_FREE) &&
		    trace_field(&events[i], "pfn") == pfn)
			return i;
	return -1;
}

static long index_of_flush(size_t n, __u64 gpa)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct flush f;

		if (!trace_is(&events[i], FLUSH))
			continue;
		f = flush_of(&events[i]);
		if (f.first <= gpa && gpa <= f.last)
			return i;
	}
	return -1;
}

static long index_of_tables(size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (trace_is(&events[i], TABLES))
			return i;
	return -1;
}

static long wait_for_free(__u64 pfn, size_t *n)
{
	long freed = -1;
	int i;

	for (i = 0; i < 500 && freed < 0; i++) {
		usleep(10000);
		*n = trace_peek(events, MAX_EVENTS);
		freed = index_of_free(*n, pfn);
	}
	trace_stop(events, MAX_EVENTS);
	TEST_ASSERT(freed >= 0, "pfn %#llx is not freed", pfn);
	return freed;
}

/* The process has given it back before; the pin goes last. */
static void flush_before_free(void)
{
	struct guest_mem mem;
	struct share_vm s;
	long flushed, freed;
	__u64 pfn;
	size_t n;

	setup_mem(&s, &mem, BACKING_4K, SIZE_2M);
	trace_enable("kmem/" PAGE_FREE);
	map_part(&s, &mem, 0, mem.size);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	pfn = pfn_of(mem.hva + 7 * SIZE_4K);

	trace_record();
	discard(&mem, 7 * SIZE_4K, SIZE_4K);
	n = trace_peek(events, MAX_EVENTS);
	TEST_ASSERT(index_of_free(n, pfn) < 0, "freed under the pin");
	unmap_part(&s, &mem, 0, mem.size);
	freed = wait_for_free(pfn, &n);
	flushed = index_of_flush(n, mem.gpa + 7 * SIZE_4K);
	TEST_ASSERT(flushed >= 0 && flushed < freed,
		    "flush is event %ld, free is event %ld", flushed, freed);
	teardown(&s);
}

/* The table's page, as the entry has it that led there. */
static __u64 pfn_of_merged_table(size_t n, __u64 gpa)
{
	size_t i;

	for (i = 0; i < n; i++) {
		__u64 old;

		if (!trace_is(&events[i], SPTE_CHANGED) ||
		    trace_field(&events[i], "gfn") != gpa / SIZE_4K ||
		    trace_field(&events[i], "level") != PG_LEVEL_2M)
			continue;
		old = trace_field(&events[i], "old_spte");
		return (old & GENMASK_ULL(51, 12)) / SIZE_4K;
	}
	TEST_FAIL("nothing was merged at %#llx", gpa);
	return 0;
}

/* When the first entry of the table was frozen, which a device must not meet. */
static long index_of_frozen(size_t n, __u64 gpa)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (trace_is(&events[i], SPTE_CHANGED) &&
		    trace_field(&events[i], "gfn") / 512 == gpa / SIZE_2M &&
		    trace_field(&events[i], "level") == PG_LEVEL_4K)
			return i;
	TEST_FAIL("no entry was frozen at %#llx", gpa);
	return -1;
}

static void flush_before_table_is_freed(void)
{
	struct guest_mem mem;
	struct share_vm s;
	long flushed, freed, frozen;
	__u64 pfn;
	size_t n;

	setup_mem(&s, &mem, BACKING_2M, SIZE_2M);
	trace_enable("kmem/" PAGE_FREE);
	trace_enable("kvmmmu/" SPTE_CHANGED);
	map_part(&s, &mem, 0, SIZE_2M);
	share_vm_log_dirty(&s, mem.slot, true);
	expect_leaves_2m(&s, 0);

	trace_record();
	share_vm_log_dirty(&s, mem.slot, false);
	n = trace_peek(events, MAX_EVENTS);
	pfn = pfn_of_merged_table(n, mem.gpa);
	freed = wait_for_free(pfn, &n);
	flushed = index_of_tables(n);
	frozen = index_of_frozen(n, mem.gpa);
	TEST_ASSERT(flushed >= 0 && flushed < frozen && frozen < freed,
		    "flush is event %ld, freezing %ld, free %ld", flushed,
		    frozen, freed);
	teardown(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "unmap of a 4K leaf flushes that", unmap_4k },
		{ "unmap of a 2M leaf flushes that", unmap_2m },
		{ "unmap of part of a 2M leaf flushes all of it",
		  unmap_part_of_2m },
		{ "unmap of 16 MiB of scattered pages is flushed in batches",
		  unmap_scattered },
		{ "new leaves of vCPUs are not flushed",
		  nothing_for_new_leaves },
		{ "leaves of vCPUs that a map opens are flushed",
		  opened_leaves },
		{ "4K pages: what the host does is not flushed",
		  host_events_4k },
		{ "2M pages: what the host does is not flushed",
		  host_events_2m },
		{ "a memslot that vCPUs had is deleted: tables are flushed",
		  deleted_memslot },
		{ "a mapped memslot is deleted: nothing is flushed",
		  deleted_mapped_memslot },
		{ "a split is not flushed, a merge is, with tables",
		  split_and_merge },
		{ "pages that are not one huge page: no merge, no flush",
		  not_one_huge_page },
		{ "a huge page, part of which is pinned: no merge, no flush",
		  partly_pinned },
		{ "an unmap is flushed as often as an ordinary HWPT's, or less",
		  no_more_than_ordinary },
		{ "pages are flushed before iommufd unpins them",
		  flush_before_unpin },
		{ "a page is flushed before the host frees it",
		  flush_before_free },
		{ "a table is flushed before it is frozen and freed",
		  flush_before_table_is_freed },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
