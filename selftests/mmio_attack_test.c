// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM caches "no memory here" in entries of the very table that the device
 * uses. An attacker's guest touches such addresses, then has its device access
 * them: no entry may lead the IOMMU to the host's memory at that address.
 *
 * A page of this process is the victim: its physical address is a guest
 * address without memory.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "iommu_hw.h"
#include "memstat.h"
#include "mmu_share.h"
#include "processor.h"
#include "share_vm.h"
#include "tap.h"

#define VICTIMS		4
#define SECRET		0x5ec4e7
#define ANSWER		0x1badb002cafef00dULL

/* Above the host's memory, so that no victim's address has guest memory. */
#define CONTROL_GPA	(64 * SIZE_1G)

/* The guest sees the victims' addresses here, free of all other mappings. */
#define VICTIM_GVA	BIT_ULL(40)

struct attack {
	struct share_vm s;
	struct guest_mem mem;		/* the positive control's */
	__u64 *victim;
	__u64 gpa[VICTIMS];
};

static __u64 *victim_page(struct attack *a, int i)
{
	return (void *)a->victim + i * SIZE_4K;
}

static void setup(struct attack *a, enum hwpt_kind kind)
{
	unsigned int w;
	int i;

	share_vm_create(&a->s, kind);
	share_vm_add_mem(&a->s, &a->mem, BACKING_4K, CONTROL_GPA, SIZE_2M);

	a->victim = mmap(NULL, VICTIMS * SIZE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	TEST_ASSERT(a->victim != MAP_FAILED && !mlock(a->victim, VICTIMS * SIZE_4K),
		    "mmap or mlock");
	for (i = 0; i < VICTIMS; i++) {
		for (w = 0; w < SIZE_4K / 8; w++)
			victim_page(a, i)[w] = pattern_word(w, SECRET);
		a->gpa[i] = memstat_phys(victim_page(a, i));
		virt_map(a->s.vm, VICTIM_GVA + a->gpa[i], a->gpa[i], 1);
	}
}

static void expect_victims_untouched(struct attack *a)
{
	unsigned int w;
	int i;

	for (i = 0; i < VICTIMS; i++) {
		TEST_ASSERT(memstat_phys(victim_page(a, i)) == a->gpa[i],
			    "victim %d has moved: proves nothing", i);
		for (w = 0; w < SIZE_4K / 8; w++)
			TEST_ASSERT(victim_page(a, i)[w] ==
				    pattern_word(w, SECRET),
				    "the device wrote host memory at %#llx",
				    a->gpa[i] + w * 8);
	}
}

/* The guest's accesses: KVM caches, and userspace's emulation goes on. */
static void touch(struct attack *a)
{
	struct kvm_vcpu *vcpu = a->s.vcpus[0];
	struct mmu_share_info info;
	__u64 created;
	int i;

	for (i = 0; i < VICTIMS; i++)
		TEST_ASSERT_EQ(guest_mmio(vcpu, VICTIM_GVA + a->gpa[i],
					  a->gpa[i], ANSWER), ANSWER);

	/* Otherwise there is nothing to attack: caching must not be off. */
	mmu_share_read(a->s.vm, &info);
	TEST_ASSERT(info.mmio_entries >= VICTIMS, "%llu MMIO entries cached",
		    info.mmio_entries);
	created = vcpu_get_stat(vcpu, pf_mmio_spte_created);

	/* The second time goes through the cached entry: it makes none. */
	for (i = 0; i < VICTIMS; i++)
		TEST_ASSERT_EQ(guest_mmio(vcpu, VICTIM_GVA + a->gpa[i],
					  a->gpa[i], ~ANSWER), ~ANSWER);
	TEST_ASSERT_EQ(vcpu_get_stat(vcpu, pf_mmio_spte_created), created);
}

static void expect_control_works(struct attack *a)
{
	__u64 mark = iommu_events_mark();

	guest_mem_fill(&a->mem, 0, SIZE_4K, SECRET);
	guest_mem_fill(&a->mem, SIZE_4K, SIZE_4K, 0);
	edu_copy(&a->s.edu, a->mem.gpa + SIZE_4K, a->mem.gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(&a->mem, SIZE_4K, SIZE_4K, 0, SECRET), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

static void device_writes(void)
{
	struct attack a;
	__u64 mark;
	int i;

	setup(&a, HWPT_SHARED);
	touch(&a);
	expect_control_works(&a);
	for (i = 0; i < VICTIMS; i++) {
		mark = iommu_events_mark();
		edu_store(&a.s.edu, a.gpa[i], SIZE_4K);
		TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");
		expect_victims_untouched(&a);
	}
	expect_control_works(&a);
	touch(&a);
	share_vm_destroy(&a.s);
}

static void device_reads(void)
{
	unsigned int w;
	struct attack a;
	__u64 mark, *got;
	int i;

	setup(&a, HWPT_SHARED);
	touch(&a);
	expect_control_works(&a);
	for (i = 0; i < VICTIMS; i++) {
		mark = iommu_events_mark();
		edu_load(&a.s.edu, a.gpa[i], SIZE_4K);
		TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");

		edu_store(&a.s.edu, a.mem.gpa + SIZE_4K, SIZE_4K);
		got = a.mem.hva + SIZE_4K;
		for (w = 0; w < SIZE_4K / 8; w++)
			TEST_ASSERT(got[w] != pattern_word(w, SECRET),
				    "the device read host memory");
	}
	expect_control_works(&a);
	share_vm_destroy(&a.s);
}

/* KVM's generation, part of a cached entry, must not reach the IOMMU's bits. */
static void device_writes_at_later_generations(void)
{
	struct attack a;
	__u64 mark;
	int i;

	setup(&a, HWPT_SHARED);
	for (i = 0; i < VICTIMS; i++) {
		/* Each change of a memslot begins a new generation. */
		vm_mem_region_set_flags(a.s.vm, TEST_SLOT,
					KVM_MEM_LOG_DIRTY_PAGES);
		vm_mem_region_set_flags(a.s.vm, TEST_SLOT, 0);
		touch(&a);
		mark = iommu_events_mark();
		edu_store(&a.s.edu, a.gpa[i], SIZE_4K);
		TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");
		expect_victims_untouched(&a);
	}
	expect_control_works(&a);
	share_vm_destroy(&a.s);
}

/* What all this would look like: a mapping does let the device at a victim. */
static void control_mapped_victim(void)
{
	struct attack a;
	__u64 mark;

	setup(&a, HWPT_ORDINARY);
	iommufd_map(a.s.iommufd, a.s.ioas, a.gpa[0], a.victim, SIZE_4K);
	mark = iommu_events_mark();
	edu_store(&a.s.edu, a.gpa[0], SIZE_4K);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	TEST_ASSERT(victim_page(&a, 0)[1] != pattern_word(1, SECRET),
		    "the control does not reach the victim");
	share_vm_destroy(&a.s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a device cannot write through a cached MMIO entry",
		  device_writes },
		{ "a device cannot read through a cached MMIO entry",
		  device_reads },
		{ "nor at a later memslot generation",
		  device_writes_at_later_generations },
		{ "control: a page that is mapped is reached",
		  control_mapped_victim },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
