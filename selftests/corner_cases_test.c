// SPDX-License-Identifier: GPL-2.0-only
/*
 * Corners of the shared table: huge pages of which the IOAS has a part, or in
 * which one page is another one; maps over what is there already; the moment
 * when the vCPUs change roots.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "refusal.h"
#include "share_vm.h"
#include "smm.h"
#include "tap.h"
#include "touch.h"
#include "trace.h"

#define HALF		(SIZE_2M / 2)
#define ODD		(SIZE_2M / 4)	/* the page that is another one */
#define SEED		0xc04e4

/* The page at @offset is given back, and comes anew from somewhere else. */
static void replace_page(struct guest_mem *mem, size_t offset)
{
	__u64 *page = mem->hva + offset;

	TEST_ASSERT(!madvise(page, SIZE_4K, MADV_DONTNEED), "madvise");
	WRITE_ONCE(*page, 1);
}

static void expect_copied(struct share_vm *s, struct guest_mem *mem,
			  size_t dst, size_t src)
{
	__u64 mark = iommu_events_mark();

	guest_fill(s->vcpus[0], mem->gpa + src, SIZE_4K, 8, SEED);
	edu_copy(&s->edu, mem->gpa + dst, mem->gpa + src, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[0], mem->gpa + dst, SIZE_4K, 8,
				  mem->gpa + src, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

/*
 * iommufd hands over what it has pinned before in runs of adjacent pages. One
 * in the middle is no longer the memslot's: another one is.
 */
static void one_page_replaced_in_a_run(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct share_vm s;
	__u32 hwpt;
	int r;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K_ADJACENT, GPA_HIGH, SIZE_2M);
	replace_page(&mem, ODD);

	refusal_watch_start(&w);
	r = __iommufd_hwpt_alloc(s.iommufd, s.edu.dev_id, s.ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s.vm->fd, &hwpt);
	refusal_expect(&w, r, EADDRNOTAVAIL);

	/* Control: with that page pinned anew it is not refused. */
	share_vm_unmap(&s, &mem);
	share_vm_map(&s, &mem);
	share_vm_attach(&s, HWPT_SHARED);
	share_vm_destroy(&s);
}

/*
 * The same where no other page has come yet: there is nothing to disagree with.
 * The device has the page, and a vCPU does not get it: in KVM_RUN's stead user
 * space is told that the two are not the same any more.
 */
static void one_page_lost_in_a_run(void)
{
	struct mmu_share_info info;
	struct guest_mem mem;
	struct share_vm s;
	__u64 value, mark;

	share_vm_create(&s, HWPT_ORDINARY);
	touch_init(s.vcpus[1]);
	share_vm_add_mem(&s, &mem, BACKING_4K_ADJACENT, GPA_HIGH, SIZE_2M);
	guest_mem_fill(&mem, ODD, SIZE_4K, SEED);
	TEST_ASSERT(!madvise(mem.hva + ODD, SIZE_4K, MADV_DONTNEED), "madvise");

	share_vm_attach(&s, HWPT_SHARED);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, SIZE_2M);
	/* At least: as it may all be one leaf. */
	TEST_ASSERT(info.device_only_bytes, "vCPUs have what the host has not");
	mark = iommu_events_mark();
	edu_copy(&s.edu, mem.gpa, mem.gpa + ODD, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&mem, 0, SIZE_4K, ODD, SEED), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);

	/* Control: beside it a vCPU goes on. */
	TEST_ASSERT_EQ(touch_read(s.vcpus[1], mem.gpa + ODD - SIZE_4K, &value),
		       0);
	touch_expect_conflict(s.vcpus[1], mem.gpa + ODD, false);
	mmu_share_read(s.vm, &info);
	TEST_ASSERT_EQ(info.conflicts, 1);
	TEST_ASSERT_EQ(info.shared, 1);

	/* Mapped anew it is the same page again. */
	share_vm_unmap(&s, &mem);
	share_vm_map(&s, &mem);
	TEST_ASSERT_EQ(touch_write(s.vcpus[1], mem.gpa + ODD, SEED), 0);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)(mem.hva + ODD)), SEED);
	share_vm_destroy(&s);
}

/*
 * One map, as a huge leaf and behind it in the same table a table of 4K leaves. An
 * unmap takes all of it, and vCPUs go on.
 */
static void huge_leaf_beside_a_table(void)
{
	struct mmu_share_info info;
	struct vfio_dev testdev;
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	touch_init(s.vcpus[1]);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K_ADJACENT, GPA_HIGH,
		      2 * SIZE_2M);
	replace_page(&mem, SIZE_2M + ODD);

	for (int i = 0; i < 2; i++) {
		share_vm_map(&s, &mem);
		mmu_share_read(s.vm, &info);
		TEST_ASSERT_EQ(info.leaf_2m, 1);
		TEST_ASSERT(dma_page_reached(&testdev, &mem, SIZE_2M + ODD),
			    "control: it is not reached while mapped");

		share_vm_unmap(&s, &mem);
		mmu_share_read(s.vm, &info);
		TEST_ASSERT_EQ(info.pinned_bytes, 0);
		TEST_ASSERT(!dma_page_reached(&testdev, &mem, SIZE_2M + ODD),
			    "it is reached after the unmap");
		TEST_ASSERT_EQ(touch_write(s.vcpus[1], mem.gpa + SIZE_2M + ODD, SEED),
			       0);
	}
	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

/* Two huge pages, all pinned. Only the second can be put together. */
static void not_merged_over_other_page(void)
{
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K_ADJACENT, GPA_HIGH,
		      2 * SIZE_2M);
	replace_page(&mem, ODD);
	share_vm_map(&s, &mem);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);

	share_vm_log_dirty(&s, mem.slot, true);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 0);
	share_vm_log_dirty(&s, mem.slot, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);

	expect_copied(&s, &mem, 2 * SIZE_2M - SIZE_4K, ODD);
	TEST_ASSERT_EQ(guest_mem_diff(&mem, ODD, SIZE_4K, ODD, SEED), 0);
	share_vm_destroy(&s);
}

/*
 * The IOAS has half of a huge page, the guest faults in the other half. Neither
 * that fault nor the end of a dirty log may make it one leaf: the device has the
 * one half and not the other.
 */
static void half_a_huge_page(bool log)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 mark;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_2M, GPA_HIGH, 2 * SIZE_2M);
	iommufd_map(s.iommufd, s.ioas, mem.gpa, mem.hva, HALF);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);

	/* Control: the second huge page, not mapped, is one leaf. */
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);
	expect_copied(&s, &mem, SIZE_4K, 0);

	if (log) {
		share_vm_log_dirty(&s, mem.slot, true);
		guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
		TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 0);
		/* And comes back as one. */
		share_vm_log_dirty(&s, mem.slot, false);
		TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);
		guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
		TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);
		expect_copied(&s, &mem, SIZE_4K, 0);
	}
	dma_check_write_stopped(&s, mem.gpa + HALF);
	dma_check_write_stopped(&s, mem.gpa + SIZE_2M);

	/* The host takes it back, but for what is pinned. */
	TEST_ASSERT(!madvise(mem.hva, SIZE_2M, MADV_DONTNEED), "madvise");
	mark = iommu_events_mark();
	edu_copy(&s.edu, mem.gpa + SIZE_4K, mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	dma_check_write_stopped(&s, mem.gpa + HALF);
	share_vm_destroy(&s);
}

static void fault_beside_a_pin(void)
{
	half_a_huge_page(false);
}

static void log_beside_a_pin(void)
{
	half_a_huge_page(true);
}

/* The map comes while the log is on: the log must not miss what it lets write. */
static void mapped_while_logging(void)
{
	unsigned long bitmap[SIZE_2M / SIZE_4K / 64] = {};
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, SIZE_2M);
	share_vm_log_dirty(&s, mem.slot, true);
	share_vm_map(&s, &mem);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[1], 0);

	guest_fill(s.vcpus[0], mem.gpa + 64 * SIZE_4K, 3 * SIZE_4K, SIZE_4K,
		   SEED);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[0], 0);
	TEST_ASSERT_EQ(bitmap[1], 0x7);
	share_vm_destroy(&s);
}

/*
 * The guest has written a page of those that are mapped. Its leaf stays as the
 * vCPU's fault left it: dirty, and in the log.
 */
static void leaf_among_new_ones(void)
{
	unsigned long bitmap[SIZE_2M / SIZE_4K / 64] = {};
	unsigned int page = ODD / SIZE_4K;	/* the first of its 64 */
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	share_vm_create(&s, HWPT_SHARED);
	guest_mem_add(&mem, s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH, SIZE_2M);
	share_vm_log_dirty(&s, mem.slot, true);
	share_vm_warm_up(&s);
	guest_fill(s.vcpus[0], mem.gpa + ODD, SIZE_4K, SIZE_4K, SEED);
	share_vm_map(&s, &mem);

	/* The other vCPU, whose TLB has nothing of it. */
	faults = share_vm_tdp_faults(&s);
	guest_fill(s.vcpus[1], mem.gpa + ODD, SIZE_4K, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);

	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[page / 64], 1);

	/* Control: its neighbours are logged too, and by no fault. */
	guest_fill(s.vcpus[1], mem.gpa + ODD - SIZE_4K, 3 * SIZE_4K, SIZE_4K,
		   SEED);
	kvm_vm_get_dirty_log(s.vm, mem.slot, bitmap);
	TEST_ASSERT_EQ(bitmap[page / 64 - 1], 1UL << 63);
	TEST_ASSERT_EQ(bitmap[page / 64], 0x3);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	expect_copied(&s, &mem, ODD + SIZE_4K, ODD);
	share_vm_destroy(&s);
}

#define MAX_CALLS	64

static unsigned int calls_of(const struct trace_event *calls, size_t nr,
			     const char *name)
{
	unsigned int found = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		found += trace_is(&calls[i], name);
	return found;
}

/*
 * A range is a promise to the driver that only leaves changed. Where tables go
 * it is told to drop everything.
 */
static void driver_drops_tables(void)
{
	static struct trace_event calls[MAX_CALLS];
	struct guest_mem mem;
	struct share_vm s;
	size_t nr;

	if (!trace_kprobe_add("range", iommu_driver()->sync) ||
	    !trace_kprobe_add("all", iommu_driver()->flush_all))
		tap_skip_case("no kprobe events");
	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_2M, GPA_HIGH, SIZE_2M);
	trace_open();
	trace_enable("tdp/range");
	trace_enable("tdp/all");

	share_vm_log_dirty(&s, mem.slot, true);
	trace_record();
	share_vm_log_dirty(&s, mem.slot, false);
	nr = trace_stop(calls, MAX_CALLS);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 1);
	TEST_ASSERT(calls_of(calls, nr, "all"), "a merge, as if of leaves");

	/* Control: where only leaves go. */
	trace_record();
	share_vm_unmap(&s, &mem);
	nr = trace_stop(calls, MAX_CALLS);
	TEST_ASSERT_EQ(calls_of(calls, nr, "all"), 0);
	TEST_ASSERT(calls_of(calls, nr, "range"), "no flush at all");

	trace_close();
	trace_kprobe_remove("range");
	trace_kprobe_remove("all");
	share_vm_destroy(&s);
}

/* SMRAM's memslot is of another address space, whatever lies at its address. */
static void smram_goes(void)
{
	struct mmu_share_info before, after;
	struct guest_mem mem;
	struct share_vm s;
	void *smram;

	if (!kvm_has_cap(KVM_CAP_X86_SMM))
		tap_skip_case("no SMM");
	share_vm_create(&s, HWPT_SHARED);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_LOW, SIZE_2M);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	expect_copied(&s, &mem, SIZE_4K, 0);
	mmu_share_read(s.vm, &before);
	TEST_ASSERT_EQ(before.common_bytes, mem.size);

	smram = kvm_mmap(mem.size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	vm_set_user_memory_region(s.vm, SMRAM_MEMSLOT, 0, mem.gpa, mem.size,
				  smram);
	vm_set_user_memory_region(s.vm, SMRAM_MEMSLOT, 0, mem.gpa, 0, smram);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.common_bytes, before.common_bytes);
	TEST_ASSERT_EQ(after.cpu_only_bytes, before.cpu_only_bytes);
	TEST_ASSERT_EQ(after.shut_to_cpus, before.shut_to_cpus);
	expect_copied(&s, &mem, 2 * SIZE_4K, 0);

	/* Control: their own memslot takes them from the vCPUs. */
	vm_mem_region_delete(s.vm, TEST_SLOT);
	mmu_share_read(s.vm, &after);
	TEST_ASSERT_EQ(after.common_bytes, 0);
	TEST_ASSERT_EQ(after.device_only_bytes, mem.size);
	TEST_ASSERT_EQ(guest_mmio(s.vcpus[0], mem.gpa, mem.gpa, SEED), SEED);
	share_vm_destroy(&s);
}

/* A vCPU at work, all of whose memory the IOAS maps, does not notice. */
static void vcpu_changes_roots(void)
{
	struct guest_loop loop = { .len = 32 * SIZE_2M, .step = SIZE_4K };
	struct userspace_mem_region *slot0;
	struct guest_mem mem;
	struct share_vm s;
	__u64 faults;

	share_vm_create_detached(&s);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, loop.len);
	slot0 = memslot2region(s.vm, 0);
	share_vm_warm_up(&s);
	iommufd_map(s.iommufd, s.ioas, slot0->region.guest_phys_addr,
		    slot0->host_mem, slot0->region.memory_size);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);

	loop.vcpu = s.vcpus[0];
	loop.gpa = mem.gpa;
	faults = share_vm_tdp_faults(&s);
	guest_loop_start(&loop);
	share_vm_attach(&s, HWPT_SHARED);
	guest_loop_stop(&loop);
	TEST_ASSERT(loop.rounds, "the vCPU did not run");
	TEST_ASSERT_EQ(loop.wrong, 0);

	/* It is there by now: this is what it would take on a root of its own. */
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&s), faults);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "one page of a run is not the memslot's: EADDRNOTAVAIL",
		  one_page_replaced_in_a_run },
		{ "one page of a run is no longer the memslot's: a vCPU's fault",
		  one_page_lost_in_a_run },
		{ "a huge leaf, and a table behind it, are unmapped at once",
		  huge_leaf_beside_a_table },
		{ "a table is not merged over a page that is another one",
		  not_merged_over_other_page },
		{ "a vCPU's fault beside a pin makes no huge leaf",
		  fault_beside_a_pin },
		{ "a dirty log's end makes no huge leaf beside a pin, only elsewhere",
		  log_beside_a_pin },
		{ "mapped while logging: the log sees a vCPU's writes",
		  mapped_while_logging },
		{ "mapped around a vCPU's leaf: that stays as it is",
		  leaf_among_new_ones },
		{ "where a table goes the IOMMU's driver drops everything",
		  driver_drops_tables },
		{ "SMRAM's memslot goes, the leaves below it stay",
		  smram_goes },
		{ "a vCPU at work takes no fault when it changes roots",
		  vcpu_changes_roots },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
