// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest is a hypervisor itself (L1): KVM shadows the NPT or EPT that it has for
 * its own guest (L2), and write-protects the pages that hold it in the shared root,
 * or shuts them to vCPUs. That is between KVM and the vCPUs. The device goes on reading and
 * writing these very pages, L1 changes its tables, and L2 sees it.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "svm_util.h"
#include "tap.h"
#include "ucall_common.h"
#include "vmx.h"

/*
 * Where things are in the test memory. The tables have a huge page of their
 * own, whose second half the device writes all the time.
 */
#define TABLES_AT	0
#define LOAD_AT		(SIZE_2M / 2)
#define LOAD_LEN	(SIZE_2M / 2)
#define DATA_AT		SIZE_2M
#define SPARE_AT	(3 * SIZE_2M)	/* the device's, nobody else's */
#define TEST_SIZE	(4 * SIZE_2M)

/* L2 reads one word; L1's tables say which of these pages it is in. */
#define NR_PAGES	3
#define PAGE_AT(n)	(DATA_AT + (n) * SIZE_4K)

/* Where L2 reads: free of all other mappings, in L1's tables and in L2's. */
#define L2_GVA		BIT_ULL(40)
#define L2_GPA		(3 * SIZE_1G)

#define SEED		0x12

/* Each entry of L2 is many exits of L0: slow on a debug kernel. */
#define TIMEOUT		240

enum l1_op {
	L1_NOTHING,		/* so that guest_nop() works on L1 too */
	L1_RUN_L2,		/* returns what L2 read */
	L1_WRITE,
};

static struct l1_call {
	__u64 op;
	__u64 gva;
	__u64 value;
} l1_call;

static __u64 l2_read;

static void l2_svm_main(void)
{
	l2_read = READ_ONCE(*(__u64 *)L2_GVA);
	vmmcall();
}

static void l1_run_svm(struct svm_test_data *svm)
{
	generic_svm_setup(svm, l2_svm_main);
	run_guest(svm->vmcb, svm->vmcb_gpa);
	GUEST_ASSERT_EQ(svm->vmcb->control.exit_code, SVM_EXIT_VMMCALL);
}

static void l2_vmx_main(void)
{
	l2_read = READ_ONCE(*(__u64 *)L2_GVA);
	vmcall();
}

/* Of all contexts (2): an entry of L1's EPT may be another one now. */
static void l1_invept(void)
{
	struct { __u64 eptp, zero; } none = {};

	asm volatile("invept %0, %1" : : "m"(none), "r"(2ULL) : "memory", "cc");
}

static void l1_run_vmx(struct vmx_pages *vmx)
{
	if (vmx->eptp_gpa)
		l1_invept();
	GUEST_ASSERT(load_vmcs(vmx));
	prepare_vmcs(vmx, l2_vmx_main);
	GUEST_ASSERT(!vmlaunch());
	GUEST_ASSERT_EQ(vmreadz(VM_EXIT_REASON), EXIT_REASON_VMCALL);
}

static __u64 l1_do_call(void *pages, bool vmx)
{
	if (l1_call.op == L1_WRITE)
		WRITE_ONCE(*(__u64 *)l1_call.gva, l1_call.value);
	if (l1_call.op != L1_RUN_L2)
		return 0;

	if (vmx)
		l1_run_vmx(pages);
	else
		l1_run_svm(pages);
	return READ_ONCE(l2_read);
}

static void l1_main(void *pages)
{
	bool vmx = this_cpu_has(X86_FEATURE_VMX);

	if (vmx)
		GUEST_ASSERT(prepare_for_vmx_operation(pages));
	for (;;)
		GUEST_SYNC(l1_do_call(pages, vmx));
}

struct nested {
	struct share_vm s;
	struct guest_mem mem;
	struct kvm_vcpu *l1;
	struct kvm_mmu *mmu;	/* what L1 changes: NPT, EPT, or L2's tables */
	__u64 l2_addr;		/* what they translate */
};

static __u64 l1_do(struct nested *n, enum l1_op op, __u64 gva, __u64 value)
{
	struct l1_call c = { op, gva, value };

	write_guest_global(n->s.vm, l1_call, c);
	return guest_finish_call(n->l1);
}

/* The entry for @addr at @level, as the host sees it. */
static __u64 *table_entry(struct nested *n, __u64 addr, int level)
{
	__u64 *entry, table = n->mmu->pgd;
	int at = n->mmu->pgtable_levels;

	for (;; at--) {
		entry = addr_gpa2hva(n->s.vm, table);
		entry += (addr >> (12 + 9 * (at - 1))) & 511;
		if (at == level)
			return entry;
		table = PTE_GET_PA(*entry);
	}
}

/* The same in offsets of the test memory, where these tables are. */
static size_t table_offset(struct nested *n, __u64 addr, int level)
{
	return (void *)table_entry(n, addr, level) - n->mem.hva;
}

/*
 * L1 changes one of its entries; the guest's page tables map all test memory.
 * Returns the faults that it took: the table is mapped, so that there is one only
 * where KVM has write-protected it.
 */
static __u64 l1_sets_entry(struct nested *n, int level, __u64 value)
{
	size_t offset = table_offset(n, n->l2_addr, level);
	__u64 faults = share_vm_tdp_faults(&n->s);

	TEST_ASSERT(offset < LOAD_AT, "the tables are elsewhere");
	l1_do(n, L1_WRITE, n->mem.gpa + offset, value);
	return share_vm_tdp_faults(&n->s) - faults;
}

/*
 * Without nested TDP an L2's physical address is L1's: L2 walks its tables
 * itself, over a root of KVM's that is not shared, and nothing is protected.
 */
static void expect_protected(struct nested *n, __u64 faults)
{
	bool tdp = n->mmu == &n->s.vm->stage2_mmu;

	TEST_ASSERT(!faults == !tdp, "%llu faults as L1 changed a table",
		    faults);
}

static void map_l2_word(struct nested *n, __u64 addr, int page)
{
	__virt_pg_map(n->s.vm, n->mmu, addr, n->mem.gpa + PAGE_AT(page),
		      PG_LEVEL_4K);
}

/* L2's view of what it needs besides its word: code, stack, page tables. */
static void map_rest_of_l2(struct nested *n)
{
	struct userspace_mem_region *slot0 = memslot2region(n->s.vm, 0);
	__u64 at, end = slot0->region.guest_phys_addr +
			slot0->region.memory_size;

	for (at = slot0->region.guest_phys_addr; at < end; at += SIZE_2M)
		__virt_pg_map(n->s.vm, n->mmu, at, at, PG_LEVEL_2M);
}

/*
 * The tables that L1 changes are in the test memory. Page 0 is what L2 sees
 * first, page 1 for a change of the last level; page 2 is behind the next
 * entry of the level above, for a change there.
 */
static void make_tables(struct nested *n, bool tdp)
{
	struct kvm_vm *vm = n->s.vm;

	if (tdp)
		virt_map(vm, L2_GVA, L2_GPA, 1);

	/* Before them a page that KVM does not shadow: a map meets both kinds. */
	vm_phy_page_alloc(vm, n->mem.gpa + TABLES_AT, n->mem.slot);
	vm->memslots[MEM_REGION_PT] = n->mem.slot;
	if (tdp) {
		vm_enable_tdp(vm);
		n->mmu = &vm->stage2_mmu;
		n->l2_addr = L2_GPA;
		map_rest_of_l2(n);
	} else {
		n->mmu = &vm->mmu;
		n->l2_addr = L2_GVA;
	}
	map_l2_word(n, n->l2_addr, 0);
	map_l2_word(n, n->l2_addr + SIZE_2M, 2);
	vm->memslots[MEM_REGION_PT] = 0;
}

static void make_l1(struct nested *n)
{
	struct kvm_regs regs;
	gva_t pages;

	n->l1 = n->s.vcpus[1];
	if (kvm_cpu_has(X86_FEATURE_VMX))
		vcpu_alloc_vmx(n->s.vm, &pages);
	else
		vcpu_alloc_svm(n->s.vm, &pages);
	vcpu_regs_get(n->l1, &regs);
	regs.rip = (unsigned long)l1_main;
	vcpu_regs_set(n->l1, &regs);
	vcpu_args_set(n->l1, 1, pages);
}

static void setup(struct nested *n, bool tdp, enum guest_mem_backing backing)
{
	int i;

	if ((!kvm_cpu_has(X86_FEATURE_SVM) && !kvm_cpu_has(X86_FEATURE_VMX)) ||
	    (tdp && !kvm_cpu_has_tdp()))
		tap_skip_case("no nested guests");
	share_vm_create_detached(&n->s);
	guest_mem_add(&n->mem, n->s.vm, TEST_SLOT, backing, GPA_HIGH,
		      TEST_SIZE);
	make_tables(n, tdp);
	make_l1(n);
	for (i = 0; i < NR_PAGES; i++)
		guest_mem_fill(&n->mem, PAGE_AT(i), SIZE_4K, SEED + i);
}

static void expect_l2_sees(struct nested *n, int page, __u64 seed)
{
	__u64 seen = l1_do(n, L1_RUN_L2, 0, 0);
	__u64 want = pattern_word(n->mem.gpa + PAGE_AT(page), seed);

	TEST_ASSERT(seen == want, "L2 reads %#llx, wanted %#llx of page %d",
		    seen, want, page);
}

/* L1 points its tables elsewhere and back, at the last level and above. */
static void expect_l2_follows_l1(struct nested *n)
{
	__u64 *pte = table_entry(n, n->l2_addr, PG_LEVEL_4K);
	__u64 *pde = table_entry(n, n->l2_addr, PG_LEVEL_2M);
	__u64 other_pde = *table_entry(n, n->l2_addr + SIZE_2M, PG_LEVEL_2M);
	__u64 old_pte = *pte, old_pde = *pde;

	expect_l2_sees(n, 0, SEED);
	l1_sets_entry(n, PG_LEVEL_4K, old_pte + SIZE_4K);
	expect_l2_sees(n, 1, SEED + 1);
	l1_sets_entry(n, PG_LEVEL_4K, old_pte);
	expect_l2_sees(n, 0, SEED);
	expect_protected(n, l1_sets_entry(n, PG_LEVEL_2M, other_pde));
	expect_l2_sees(n, 2, SEED + 2);
	expect_protected(n, l1_sets_entry(n, PG_LEVEL_2M, old_pde));
	expect_l2_sees(n, 0, SEED);
}

/*
 * The device reads a page that holds a table, and writes it: the same, but for
 * an entry that nobody uses. Real DMA, that must not be lost because KVM keeps
 * the vCPUs from writing there.
 */
static void expect_device_reaches_table(struct nested *n, int level)
{
	size_t table = table_offset(n, n->l2_addr, level) & ~(SIZE_4K - 1);
	__u64 *last = n->mem.hva + SPARE_AT + SIZE_4K - sizeof(__u64);
	__u64 *table_last = n->mem.hva + table + SIZE_4K - sizeof(__u64);
	__u64 mark = iommu_events_mark();
	static __u64 stamp;

	edu_copy(&n->s.edu, n->mem.gpa + SPARE_AT, n->mem.gpa + table, SIZE_4K);
	TEST_ASSERT(!memcmp(n->mem.hva + SPARE_AT, n->mem.hva + table, SIZE_4K),
		    "the device does not read L1's table of level %d", level);

	/* Not present, whatever the stamp is. */
	stamp += 0x1000;
	*last = stamp;
	edu_copy(&n->s.edu, n->mem.gpa + table, n->mem.gpa + SPARE_AT, SIZE_4K);
	TEST_ASSERT(READ_ONCE(*table_last) == stamp,
		    "the device does not write L1's table of level %d", level);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

/* What the device writes L2 reads. */
static void expect_l2_sees_dma(struct nested *n)
{
	guest_mem_fill(&n->mem, PAGE_AT(0), SIZE_4K, ~SEED);
	edu_load(&n->s.edu, n->mem.gpa + PAGE_AT(0), SIZE_4K);
	guest_mem_fill(&n->mem, PAGE_AT(0), SIZE_4K, SEED);
	expect_l2_sees(n, 0, SEED);
	edu_store(&n->s.edu, n->mem.gpa + PAGE_AT(0), SIZE_4K);
	expect_l2_sees(n, 0, ~SEED);
	guest_mem_fill(&n->mem, PAGE_AT(0), SIZE_4K, SEED);
}

static void all_work_on(struct nested *n)
{
	struct steady_dma dma;

	steady_dma_start(&dma, &n->s, n->mem.gpa + LOAD_AT,
			 n->mem.hva + LOAD_AT, LOAD_LEN);
	expect_l2_sees(n, 0, SEED);
	expect_device_reaches_table(n, PG_LEVEL_4K);
	expect_device_reaches_table(n, PG_LEVEL_2M);
	expect_l2_follows_l1(n);
	expect_l2_sees_dma(n);

	/* Again, with what the writes left: protected or not. */
	expect_device_reaches_table(n, PG_LEVEL_4K);
	expect_device_reaches_table(n, PG_LEVEL_2M);
	expect_l2_follows_l1(n);
	dma_check_copies(&n->s, &n->mem, SPARE_AT, SPARE_AT + SIZE_4K);
	steady_dma_stop(&dma);
}

static void attach_and_map(struct nested *n)
{
	share_vm_attach(&n->s, HWPT_SHARED);
	share_vm_map(&n->s, &n->mem);
	share_vm_warm_up(&n->s);
}

/* Control: as long as there is no L2, L1's tables are pages like any other. */
static void expect_not_protected_yet(struct nested *n)
{
	__u64 pde = *table_entry(n, n->l2_addr, PG_LEVEL_2M);

	TEST_ASSERT_EQ(l1_sets_entry(n, PG_LEVEL_2M, pde), 0);
}

static void nested_tdp_4k(void)
{
	struct nested n;

	setup(&n, true, BACKING_4K);
	attach_and_map(&n);
	expect_not_protected_yet(&n);
	all_work_on(&n);
	share_vm_destroy(&n.s);
}

/* KVM can only protect the page in a huge leaf by splitting that, in place. */
static void nested_tdp_2m(void)
{
	struct mmu_share_info before, after;
	struct nested n;

	setup(&n, true, BACKING_2M);
	attach_and_map(&n);
	expect_not_protected_yet(&n);
	mmu_share_read(n.s.vm, &before);
	TEST_ASSERT_EQ(before.leaf_2m, TEST_SIZE / SIZE_2M);
	all_work_on(&n);
	mmu_share_read(n.s.vm, &after);
	TEST_ASSERT_EQ(after.leaf_2m, before.leaf_2m - 1);
	TEST_ASSERT_EQ(after.leaf_4k, before.leaf_4k + SIZE_2M / SIZE_4K);
	TEST_ASSERT_EQ(after.pinned_bytes, before.pinned_bytes);
	share_vm_destroy(&n.s);
}

static void no_nested_tdp(void)
{
	struct nested n;

	setup(&n, false, BACKING_4K);
	attach_and_map(&n);
	expect_not_protected_yet(&n);
	all_work_on(&n);
	share_vm_destroy(&n.s);
}

/* What KVM shadows by then it must find again in the new root. */
static void share_comes_late(void)
{
	struct nested n;

	setup(&n, true, BACKING_4K);
	expect_l2_follows_l1(&n);
	attach_and_map(&n);
	all_work_on(&n);
	share_vm_destroy(&n.s);
}

/*
 * A leaf is opened, or made, for a page that KVM shadows at this moment: the vCPU
 * must not get to write it behind KVM's back, the device must get to.
 */
static void mapped_while_shadowed(bool leaf_is_there)
{
	struct mmu_share_info info;

	struct nested n;
	__u64 other_pde;

	setup(&n, true, BACKING_4K);
	attach_and_map(&n);
	expect_l2_follows_l1(&n);

	share_vm_unmap(&n.s, &n.mem);
	dma_check_write_stopped(&n.s, n.mem.gpa + SPARE_AT);
	expect_l2_sees(&n, 0, SEED);
	mmu_share_read(n.s.vm, &info);
	TEST_ASSERT(info.cpu_only_bytes > TEST_SIZE, "the vCPUs' leaves went");
	if (!leaf_is_there) {
		TEST_ASSERT(!mprotect(n.mem.hva, TEST_SIZE, PROT_NONE) &&
			    !mprotect(n.mem.hva, TEST_SIZE,
				      PROT_READ | PROT_WRITE), "mprotect");
		mmu_share_read(n.s.vm, &info);
		TEST_ASSERT(info.cpu_only_bytes < TEST_SIZE, "leaves are left");
	}
	share_vm_map(&n.s, &n.mem);

	expect_device_reaches_table(&n, PG_LEVEL_2M);
	other_pde = *table_entry(&n, n.l2_addr + SIZE_2M, PG_LEVEL_2M);
	expect_protected(&n, l1_sets_entry(&n, PG_LEVEL_2M, other_pde));
	expect_l2_sees(&n, 2, SEED + 2);
	expect_device_reaches_table(&n, PG_LEVEL_2M);
	expect_l2_sees(&n, 2, SEED + 2);
	share_vm_destroy(&n.s);
}

static void mapped_with_a_leaf(void)
{
	mapped_while_shadowed(true);
}

static void mapped_without_a_leaf(void)
{
	mapped_while_shadowed(false);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "nested TDP, 4K pages: L1, L2 and the device work on",
		  nested_tdp_4k, TIMEOUT },
		{ "nested TDP, 2M pages: split in place for L1's tables",
		  nested_tdp_2m, TIMEOUT },
		{ "no nested TDP: L1, L2 and the device work on",
		  no_nested_tdp, TIMEOUT },
		{ "L2 ran before the share was made",
		  share_comes_late, TIMEOUT },
		{ "mapped in the IOAS while KVM shadows it, vCPUs' leaf is there",
		  mapped_with_a_leaf, TIMEOUT },
		{ "mapped in the IOAS while KVM shadows it, there is no leaf",
		  mapped_without_a_leaf, TIMEOUT },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
