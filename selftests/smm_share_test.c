// SPDX-License-Identifier: GPL-2.0-only
/*
 * System management mode has an address space and a root of its own. Memory of
 * it (SMRAM) may lie over memory that a device uses: the vCPU in SMM sees the
 * one, the device the other, and memslots of the one come and go.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "smm.h"
#include "tap.h"

#define TEST_SIZE	(4 * SIZE_2M)
#define PINNED_LEN	(2 * SIZE_2M)	/* the rest vCPUs fault in */
#define LOAD_LEN	SIZE_2M
#define SEED		0x533
#define ROUNDS		20

/* In the middle of what the device writes all the time. */
#define SMRAM_AT	(SIZE_2M / 2)

/* Where it moves: in memory of which the IOAS knows nothing. */
#define SMRAM_MOVED_AT	(PINNED_LEN + SIZE_2M / 2)

/* What the handler reports, and where it leaves a mark. */
#define SMI_PORT	0xe
#define SMI_REPORT	0xfe
#define SMI_MARK	0x5a
#define MARK_AT		0x6000
#define HANDLER_AT	0x8000	/* as the architecture says */

struct smm_vm {
	struct share_vm s;
	struct guest_mem mem;
	struct kvm_vcpu *vcpu;
	void *smram;
	__u64 smram_gpa;
};

/* By hand: the library does not tell one address space from the other. */
static int set_smram(struct smm_vm *t, __u64 gpa, size_t size)
{
	return __vm_set_user_memory_region(t->s.vm, SMRAM_MEMSLOT, 0, gpa, size,
					   t->smram) ? -errno : 0;
}

/*
 * Real mode, 16 bits: leaves the mark, reports to the host, returns. The mark's
 * address is where SMRAM is now.
 */
static void write_handler(struct smm_vm *t)
{
	__u32 mark = t->smram_gpa + MARK_AT;
	__u8 code[] = {
		0x67, 0xc6, 0x05,	/* addr32 movb $SMI_MARK, mark */
		mark, mark >> 8, mark >> 16, mark >> 24, SMI_MARK,
		0xb0, SMI_REPORT,	/* mov $SMI_REPORT, %al */
		0xe6, SMI_PORT,		/* out %al, $SMI_PORT */
		0x0f, 0xaa,		/* rsm */
	};

	memset(t->smram, 0, SMRAM_SIZE);
	memcpy(t->smram + HANDLER_AT, code, sizeof(code));
}

static void place_smram(struct smm_vm *t, size_t offset)
{
	t->smram_gpa = t->mem.gpa + offset;
	write_handler(t);
	TEST_ASSERT_EQ(set_smram(t, t->smram_gpa, SMRAM_SIZE), 0);
	vcpu_set_msr(t->vcpu, MSR_IA32_SMBASE, t->smram_gpa);
}

static void setup(struct smm_vm *t, enum guest_mem_backing backing)
{
	if (!kvm_has_cap(KVM_CAP_X86_SMM))
		tap_skip_case("no SMM");
	share_vm_create(&t->s, HWPT_SHARED);
	guest_mem_add(&t->mem, t->s.vm, TEST_SLOT, backing, GPA_LOW, TEST_SIZE);
	iommufd_map(t->s.iommufd, t->s.ioas, t->mem.gpa, t->mem.hva,
		    PINNED_LEN);
	share_vm_warm_up(&t->s);
	t->vcpu = t->s.vcpus[0];
	t->smram = mmap(NULL, SMRAM_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(t->smram != MAP_FAILED, "mmap");
}

/* The vCPU goes into SMM, is seen there, and comes back. */
static void go_through_smm(struct smm_vm *t)
{
	struct kvm_run *run = t->vcpu->run;
	__u8 *mark = t->smram + MARK_AT;

	*mark = 0;
	inject_smi(t->vcpu);
	vcpu_run(t->vcpu);
	TEST_ASSERT(run->exit_reason == KVM_EXIT_IO &&
		    run->io.port == SMI_PORT &&
		    *((__u8 *)run + run->io.data_offset) == SMI_REPORT,
		    "no report of the SMI handler: %s",
		    exit_reason_str(run->exit_reason));
	TEST_ASSERT(run->flags & KVM_RUN_X86_SMM, "not in SMM");
	TEST_ASSERT_EQ(READ_ONCE(*mark), SMI_MARK);
	guest_nop(t->vcpu);
	TEST_ASSERT(!(run->flags & KVM_RUN_X86_SMM), "still in SMM");
}

static void expect_same_table(struct smm_vm *t, struct mmu_share_info *before)
{
	struct mmu_share_info now;

	mmu_share_read(t->s.vm, &now);
	TEST_ASSERT_EQ(now.root, before->root);
	TEST_ASSERT_EQ(now.pinned_bytes, before->pinned_bytes);
	TEST_ASSERT_EQ(now.leaf_4k, before->leaf_4k);
	TEST_ASSERT_EQ(now.leaf_2m, before->leaf_2m);
}

/* The device has been writing all of it: SMRAM must have none of that. */
static void expect_no_dma_in_smram(struct smm_vm *t)
{
	__u32 *word = t->smram;
	size_t i;

	for (i = 0; i < SMRAM_SIZE / sizeof(*word); i++)
		TEST_ASSERT(READ_ONCE(word[i]) != TESTDEV_WORD,
			    "the device wrote SMRAM, word %zu", i);
}

static void through_smm(enum guest_mem_backing backing)
{
	struct mmu_share_info before;
	struct steady_dma dma;
	struct smm_vm t;
	__u64 faults;
	int i;

	setup(&t, backing);
	place_smram(&t, SMRAM_AT);
	guest_fill(t.vcpu, t.mem.gpa + LOAD_LEN, SIZE_2M, SIZE_4K, SEED);
	mmu_share_read(t.s.vm, &before);

	steady_dma_start(&dma, &t.s, t.mem.gpa, t.mem.hva, LOAD_LEN);
	for (i = 0; i < ROUNDS; i++) {
		go_through_smm(&t);
		faults = share_vm_tdp_faults(&t.s);
		TEST_ASSERT_EQ(guest_diff(t.vcpu, t.mem.gpa + LOAD_LEN, SIZE_2M,
					  SIZE_4K, t.mem.gpa + LOAD_LEN, SEED),
			       0);
		TEST_ASSERT_EQ(share_vm_tdp_faults(&t.s), faults);
	}
	steady_dma_stop(&dma);
	expect_same_table(&t, &before);
	expect_no_dma_in_smram(&t);

	/* Outside of SMM the vCPU sees there what the device does. */
	dma_check_copies(&t.s, &t.mem, SMRAM_AT + MARK_AT, LOAD_LEN);
	guest_fill(t.vcpu, t.mem.gpa + SMRAM_AT + MARK_AT, 8, 8, SEED);
	TEST_ASSERT_EQ(guest_mem_diff(&t.mem, SMRAM_AT + MARK_AT, 8,
				      SMRAM_AT + MARK_AT, SEED), 0);
	share_vm_destroy(&t.s);
}

static void through_smm_4k(void)
{
	through_smm(BACKING_4K);
}

static void through_smm_2m(void)
{
	through_smm(BACKING_2M);
}

/*
 * The shared root is address space 0's: SMRAM goes and takes no leaf with it of
 * what lies below, pinned or not. The memslot below takes them from the vCPUs.
 */
static void smram_comes_and_goes(void)
{
	struct mmu_share_info before, now;
	struct steady_dma dma;
	struct smm_vm t;
	int i;

	setup(&t, BACKING_4K);
	guest_fill(t.vcpu, t.mem.gpa + PINNED_LEN, PINNED_LEN, SIZE_4K, SEED);
	mmu_share_read(t.s.vm, &before);
	steady_dma_start(&dma, &t.s, t.mem.gpa, t.mem.hva, LOAD_LEN);
	for (i = 0; i < ROUNDS; i++) {
		place_smram(&t, SMRAM_AT);
		go_through_smm(&t);
		place_smram(&t, SMRAM_MOVED_AT);
		go_through_smm(&t);
		TEST_ASSERT_EQ(set_smram(&t, 0, 0), 0);
	}
	steady_dma_stop(&dma);
	expect_same_table(&t, &before);

	/* Control: with the memslot below all leaves of vCPUs' go. */
	vm_set_user_memory_region(t.s.vm, t.mem.slot, 0, t.mem.gpa, 0, 0);
	mmu_share_read(t.s.vm, &now);
	TEST_ASSERT_EQ(now.pinned_bytes, before.pinned_bytes);
	TEST_ASSERT_EQ(now.device_only_bytes, PINNED_LEN);
	TEST_ASSERT(now.cpu_only_bytes <= before.cpu_only_bytes - PINNED_LEN,
		    "vCPUs keep what is not theirs any more");
	vm_set_user_memory_region(t.s.vm, t.mem.slot, 0, t.mem.gpa, t.mem.size,
				  t.mem.hva);
	dma_check_between_vcpus(&t.s, &t.mem, LOAD_LEN, LOAD_LEN + SIZE_4K);
	share_vm_destroy(&t.s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "4K leaves: a vCPU goes through SMM, DMA goes on below SMRAM",
		  through_smm_4k },
		{ "2M leaves: a vCPU goes through SMM, DMA goes on below SMRAM",
		  through_smm_2m },
		{ "SMRAM over pinned memory is added, moved and deleted",
		  smram_comes_and_goes },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
