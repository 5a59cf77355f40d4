// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device has the rights that the IOAS gives, vCPUs those that memslot and
 * process give, in one table:
 * 1. A read-only map of memory that vCPUs write: the device reads, and writes
 *    nothing; the VM shares by itself all the while.
 * 2. The same where dirty logging splits the leaves and merges them again.
 * 3. A map for writing of a memslot that vCPUs may only read.
 * Where the two can't have rights of their own, as with VT-d, the VM steps aside in
 * 1 for the vCPU that writes, and of a HWPT that can't user space is told.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "dma_check.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "processor.h"
#include "tap.h"
#include "touch.h"

#define RO_SLOT		(TEST_SLOT + 1)
#define RO_GPA		(GPA_HIGH + SIZE_1G)
#define RO_SIZE		(2 * SIZE_2M)
#define SEED		0x6ead
#define SETTLE_US	100000	/* the kernel looks again after 10 ms */

static void map_readonly(struct share_vm *s, struct guest_mem *mem)
{
	int r = __iommufd_map(s->iommufd, s->ioas, IOMMU_IOAS_MAP_READABLE,
			      mem->gpa, mem->hva, mem->size);

	TEST_ASSERT(!r, "map for reading: %s", strerror(-r));
}

/* The word at @src, which the device carries to @dst. */
static __u64 device_reads(struct share_vm *s, __u64 src, struct guest_mem *dst)
{
	__u64 mark = iommu_events_mark();

	WRITE_ONCE(*(__u64 *)dst->hva, 0);
	edu_copy(&s->edu, dst->gpa, src, sizeof(__u64));
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	return READ_ONCE(*(__u64 *)dst->hva);
}

/* No fault, and what they write the device finds. */
static void expect_vcpus_write(struct share_vm *s, struct guest_mem *ro,
			       struct guest_mem *rw)
{
	__u64 faults = share_vm_tdp_faults(s);
	static __u64 seed = SEED;

	seed++;
	guest_fill(s->vcpus[0], ro->gpa, ro->size, SIZE_4K, seed);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], ro->gpa, ro->size, SIZE_4K,
				  ro->gpa, seed), 0);
	TEST_ASSERT_EQ(share_vm_tdp_faults(s), faults);
	TEST_ASSERT_EQ(device_reads(s, ro->gpa + SIZE_4K, rw),
		       pattern_word(ro->gpa + SIZE_4K, seed));
}

/* The VM is no less of a share for that. */
static void write_in_one_table(struct auto_vm *a, struct guest_mem *ro)
{
	struct vmm_share_status before = auto_vm_status(), after;

	expect_vcpus_write(&a->s, ro, &a->mem);
	dma_expect_reached(&a->testdev, ro, false);
	expect_vcpus_write(&a->s, ro, &a->mem);

	usleep(SETTLE_US);
	auto_vm_expect_shared(a);
	after = auto_vm_status();
	TEST_ASSERT_EQ(after.to_private, before.to_private);
	TEST_ASSERT_EQ(after.failed, before.failed);
}

/* The vCPU does not notice, nor does the device. */
static void write_steps_aside(struct auto_vm *a, struct guest_mem *ro)
{
	struct vmm_share_status before = auto_vm_status(), after;

	guest_fill(a->s.vcpus[0], ro->gpa, ro->size, SIZE_4K, ~SEED);
	TEST_ASSERT_EQ(guest_mem_diff(ro, SIZE_4K, 8, SIZE_4K, ~SEED), 0);
	TEST_ASSERT_EQ(device_reads(&a->s, ro->gpa + SIZE_4K, &a->mem),
		       pattern_word(ro->gpa + SIZE_4K, ~SEED));

	after = auto_vm_status();
	TEST_ASSERT(vmm_share_triggers(&after, "conflict") >
		    vmm_share_triggers(&before, "conflict"),
		    "no conflict: %s", after.line);
	TEST_ASSERT_EQ(after.failed, before.failed);
}

static void map_for_reading(enum guest_mem_backing backing)
{
	struct guest_mem ro;
	struct auto_vm a;

	auto_vm_create(&a);
	guest_mem_add(&ro, a.s.vm, RO_SLOT, backing, RO_GPA, RO_SIZE);
	/* Or the host maps what is only read for reading, until a vCPU writes. */
	guest_mem_fill(&ro, 0, ro.size, SEED);
	map_readonly(&a.s, &ro);
	auto_vm_wait_shared(&a);
	share_vm_warm_up(&a.s);

	/* Before vCPUs have been there, and after. */
	dma_expect_reached(&a.testdev, &ro, false);
	if (iommu_hw_rights_are_one())
		write_steps_aside(&a, &ro);
	else
		write_in_one_table(&a, &ro);
	dma_expect_reached(&a.testdev, &ro, false);

	/* With a table of its own it is the same. */
	vmm_share_control(getpid(), "off");
	dma_expect_reached(&a.testdev, &ro, false);
	vmm_share_control(getpid(), "auto");
	auto_vm_wait_shared(&a);
	dma_expect_reached(&a.testdev, &ro, false);

	/* Control: mapped for writing. */
	share_vm_unmap(&a.s, &ro);
	share_vm_map(&a.s, &ro);
	dma_expect_reached(&a.testdev, &ro, true);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

static void read_4k(void)
{
	map_for_reading(BACKING_4K);
}

static void read_2m(void)
{
	map_for_reading(BACKING_2M);
}

/* The second half of the memslot is for writing: each keeps what it is. */
static void split_and_merged(void)
{
	struct guest_mem ro, rw, all, *vcpus;
	struct vfio_dev testdev;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	guest_mem_add(&all, s.vm, RO_SLOT, BACKING_2M, RO_GPA, RO_SIZE);
	ro = all;
	ro.size = SIZE_2M;
	rw = ro;
	rw.gpa += SIZE_2M;
	rw.hva += SIZE_2M;
	vcpus = iommu_hw_rights_are_one() ? &rw : &all;
	guest_mem_fill(&all, 0, all.size, SEED);
	map_readonly(&s, &ro);
	share_vm_map(&s, &rw);
	share_vm_warm_up(&s);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 2);

	share_vm_log_dirty(&s, all.slot, true);
	guest_fill(s.vcpus[0], vcpus->gpa, vcpus->size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 0);
	dma_expect_reached(&testdev, &ro, false);
	dma_expect_reached(&testdev, &rw, true);

	share_vm_log_dirty(&s, all.slot, false);
	TEST_ASSERT_EQ(share_vm_leaves_2m(&s), 2);
	dma_expect_reached(&testdev, &ro, false);
	dma_expect_reached(&testdev, &rw, true);
	guest_fill(s.vcpus[0], vcpus->gpa, vcpus->size, SIZE_4K, SEED);
	if (vcpus == &all)
		expect_vcpus_write(&s, &ro, &rw);
	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

static void expect_write_exits(struct kvm_vcpu *vcpu, __u64 gpa)
{
	touch_prepare_write(vcpu, gpa, SEED);
	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_MMIO);
	TEST_ASSERT(vcpu->run->mmio.is_write && vcpu->run->mmio.phys_addr == gpa,
		    "another exit: %#llx", vcpu->run->mmio.phys_addr);
}

/* A vCPU's write does not arrive: it is user space that is asked. */
static void write_readonly_memslot(void)
{
	struct guest_mem mem = {
		.gpa = RO_GPA, .size = RO_SIZE, .slot = RO_SLOT,
	};
	struct vfio_dev testdev;
	struct share_vm s;

	share_vm_create(&s, HWPT_SHARED);
	if (!share_vm_add_testdev(&s, &testdev))
		tap_skip_case("no iommu-testdev");
	touch_init(s.vcpus[1]);
	mem.vm = s.vm;
	mem.hva = kvm_mmap(mem.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1);
	guest_mem_fill(&mem, 0, mem.size, SEED);
	vm_set_user_memory_region(s.vm, mem.slot, KVM_MEM_READONLY, mem.gpa,
				  mem.size, mem.hva);
	virt_map_level(s.vm, mem.gpa, mem.gpa, mem.size, PG_LEVEL_2M);
	share_vm_map(&s, &mem);

	dma_expect_reached(&testdev, &mem, true);
	dma_check_copies(&s, &mem, SIZE_2M, 0);
	guest_mem_fill(&mem, 0, mem.size, SEED);
	if (iommu_hw_rights_are_one()) {
		touch_expect_conflict(s.vcpus[1], mem.gpa, false);
	} else {
		TEST_ASSERT_EQ(guest_diff(s.vcpus[0], mem.gpa, mem.size,
					  SIZE_4K, mem.gpa, SEED), 0);
		expect_write_exits(s.vcpus[1], mem.gpa);
	}
	TEST_ASSERT_EQ(guest_mem_diff(&mem, 0, mem.size, 0, SEED), 0);
	dma_expect_reached(&testdev, &mem, true);

	/* Control: it is the memslot that forbids it. */
	vm_set_user_memory_region(s.vm, mem.slot, 0, mem.gpa, 0, NULL);
	vm_set_user_memory_region(s.vm, mem.slot, 0, mem.gpa, mem.size,
				  mem.hva);
	guest_fill(s.vcpus[0], mem.gpa, mem.size, SIZE_4K, ~SEED);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)mem.hva),
		       pattern_word(mem.gpa, ~SEED));
	vfio_dev_close(&testdev);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K pages, read-only for the device: vCPUs write them",
		  read_4k },
		{ "2M pages, read-only for the device: vCPUs write them",
		  read_2m },
		{ "dirty logging splits and merges, rights stay",
		  split_and_merged },
		{ "a read-only memslot, mapped for writing: the device writes",
		  write_readonly_memslot },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
