// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NX huge page mitigation is switched while a VM shares, and a VM shares while
 * it is on. What the guest executes is in 4K pages then, all else stays in huge
 * ones that are not executable. KVM puts none of a shared table together again when
 * it is not executed any more. The device notices nothing.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "dma_check.h"
#include "mmu_share.h"
#include "processor.h"
#include "sysfile.h"
#include "tap.h"

#define PARAMETERS	"/sys/module/kvm/parameters/"
#define PARAMETER	PARAMETERS "nx_huge_pages"
#define EXEC_SLOT	(TEST_SLOT + 1)
#define EXEC_GPA	(GPA_HIGH + SIZE_1G)
#define EXEC_PAGES	3		/* huge ones */
#define DATA_PAGES	2
#define SEED		0x1fb
#define RET		0xc3		/* the instruction */

struct nx_vm {
	struct share_vm s;
	struct guest_mem data;
	struct guest_mem code;
	struct steady_dma dma;
};

static void set_nx_huge_pages(const char *value)
{
	TEST_ASSERT(sysfile_write(PARAMETER, value), "%s to %s", value,
		    PARAMETER);
}

/* KVM looks every so many milliseconds for tables that it can do without: a part. */
static void recover_every(const char *ms, const char *ratio)
{
	TEST_ASSERT(sysfile_write(PARAMETERS "nx_huge_pages_recovery_ratio",
				  ratio) &&
		    sysfile_write(PARAMETERS "nx_huge_pages_recovery_period_ms",
				  ms), "recovery of huge pages");
}

/* The guest's: what it calls. */
static __u64 function;

static void execute_guest(void)
{
	for (;;) {
		((void (*)(void))READ_ONCE(function))();
		GUEST_SYNC(0);
	}
}

static void execute(struct nx_vm *n, unsigned int huge_page)
{
	__u64 *guests = addr_gva2hva(n->s.vm, (gva_t)&function);

	*guests = n->code.gpa + huge_page * SIZE_2M + 5 * SIZE_4K;
	guest_finish_call(n->s.vcpus[1]);
}

static void setup(struct nx_vm *n, enum hwpt_kind kind)
{
	share_vm_create(&n->s, kind);
	share_vm_add_mem(&n->s, &n->data, BACKING_2M, GPA_HIGH,
			 DATA_PAGES * SIZE_2M);
	guest_mem_add(&n->code, n->s.vm, EXEC_SLOT, BACKING_2M, EXEC_GPA,
		      EXEC_PAGES * SIZE_2M);
	memset(n->code.hva, RET, n->code.size);
	share_vm_map(&n->s, &n->code);
	share_vm_warm_up(&n->s);
	vcpu_arch_set_entry_point(n->s.vcpus[1], execute_guest);
}

/* All that is pinned, of which so much in huge pages; and the guest has it all. */
static void expect_huge(struct nx_vm *n, unsigned int huge)
{
	struct mmu_share_info info;
	unsigned int i;

	guest_fill(n->s.vcpus[0], n->data.gpa + SIZE_2M, SIZE_2M, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_mem_diff(&n->data, SIZE_2M, 8, SIZE_2M, SEED), 0);
	for (i = 0; i < EXEC_PAGES; i++)
		guest_fill(n->s.vcpus[0], n->code.gpa + i * SIZE_2M, 8, 8, SEED);

	mmu_share_read(n->s.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes, n->data.size + n->code.size);
	TEST_ASSERT_EQ(info.leaf_2m, huge);
	TEST_ASSERT_EQ(info.conflicts, 0);
}

static void start_dma(struct nx_vm *n)
{
	steady_dma_start(&n->dma, &n->s, n->data.gpa, n->data.hva, SIZE_2M);
}

/* The device also reaches what was split for the guest. */
static void stop_dma(struct nx_vm *n)
{
	steady_dma_stop(&n->dma);
	dma_check_copies(&n->s, &n->code, SIZE_2M - SIZE_4K, SIZE_4K);
}

static void switched_while_shared(void)
{
	struct nx_vm n;

	setup(&n, HWPT_SHARED);
	start_dma(&n);

	/* Control: without it huge pages are executable as they are. */
	execute(&n, 0);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES);

	set_nx_huge_pages("force");
	expect_huge(&n, DATA_PAGES + EXEC_PAGES);
	execute(&n, 0);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 1);
	execute(&n, 1);
	execute(&n, 0);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 2);

	/* What was split stays so, and nothing more needs it. */
	set_nx_huge_pages("off");
	execute(&n, 0);
	execute(&n, 2);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 2);

	set_nx_huge_pages("force");
	execute(&n, 2);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 3);
	set_nx_huge_pages("off");
	stop_dma(&n);
	share_vm_destroy(&n.s);
}

static void shared_while_on(void)
{
	struct nx_vm n;

	set_nx_huge_pages("force");
	setup(&n, HWPT_SHARED);
	start_dma(&n);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES);
	execute(&n, 0);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 1);

	/* Mapped anew while vCPUs run: executable no more than before. */
	share_vm_unmap(&n.s, &n.code);
	share_vm_map(&n.s, &n.code);
	execute(&n, 1);
	execute(&n, 0);
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 2);

	/* None is taken away behind the device's back. */
	recover_every("10", "1");
	usleep(200000);
	recover_every("0", "60");	/* the defaults */
	expect_huge(&n, DATA_PAGES + EXEC_PAGES - 2);
	dma_check_copies(&n.s, &n.code, SIZE_2M - SIZE_4K, SIZE_4K);

	set_nx_huge_pages("off");
	execute(&n, 2);
	stop_dma(&n);
	share_vm_destroy(&n.s);
}

/* By what KVM counts of its own tables: it is the mitigation that splits. */
static void a_table_each(void)
{
	struct nx_vm n;

	setup(&n, HWPT_ORDINARY);
	start_dma(&n);
	execute(&n, 0);
	TEST_ASSERT_EQ(vm_get_stat(n.s.vm, nx_lpage_splits), 0);
	set_nx_huge_pages("force");
	execute(&n, 0);
	execute(&n, 1);
	TEST_ASSERT_EQ(vm_get_stat(n.s.vm, nx_lpage_splits), 2);
	set_nx_huge_pages("off");
	stop_dma(&n);
	share_vm_destroy(&n.s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "control: a table each", a_table_each },
		{ "switched on and off while a VM shares: DMA goes on",
		  switched_while_shared },
		{ "a VM shares while it is on", shared_while_on },
	};
	int ret;

	share_vm_require(true);
	ret = tap_run(cases, ARRAY_SIZE(cases));
	set_nx_huge_pages("off");
	return ret;
}
