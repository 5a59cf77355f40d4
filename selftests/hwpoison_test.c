// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that fails while the IOAS has it mapped and vCPUs use it. No vCPU reads
 * it again: the VMM gets the signal that it would have told its guest of. A device
 * goes on to reach it, for it is pinned. Once with a table each, and the same with
 * KVM's table as the device's.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include <signal.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"
#include "touch.h"

#define BAD_AT		(4 * SIZE_4K)
#define GOOD_AT		(5 * SIZE_4K)	/* beside it */
#define WORD		0x600dULL
#define TRIES		3

enum tables {
	ONE_TABLE,		/* asked for */
	ONE_TABLE_BY_ITSELF,
	A_TABLE_EACH,
};

static int action_required;
static void *fault_address;

static void on_bus(int sig, siginfo_t *si, void *context)
{
	if (si->si_code != BUS_MCEERR_AR)
		return;
	__atomic_add_fetch(&action_required, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault_address, si->si_addr, __ATOMIC_SEQ_CST);
}

static void catch_signals(void)
{
	struct sigaction action = {
		.sa_sigaction = on_bus,
		.sa_flags = SA_SIGINFO,
	};

	TEST_ASSERT(!sigaction(SIGBUS, &action, NULL), "sigaction");
}

static void create(struct auto_vm *a, enum tables tables)
{
	if (tables == ONE_TABLE_BY_ITSELF) {
		auto_vm_create(a);
	} else {
		share_vm_create(&a->s, tables == ONE_TABLE ? HWPT_SHARED :
							     HWPT_ORDINARY);
		if (!share_vm_add_testdev(&a->s, &a->testdev))
			tap_skip_case("no iommu-testdev");
		share_vm_add_mem(&a->s, &a->mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	}
	touch_init(a->s.vcpus[1]);
}

static void destroy(struct auto_vm *a, enum tables tables)
{
	if (tables == ONE_TABLE_BY_ITSELF) {
		auto_vm_destroy(a);
	} else {
		vfio_dev_close(&a->testdev);
		share_vm_destroy(&a->s);
	}
}

static void expect_vcpu_reads(struct auto_vm *a, size_t offset)
{
	__u64 value;

	WRITE_ONCE(*(__u64 *)(a->mem.hva + offset), WORD);
	TEST_ASSERT_EQ(touch_read(a->s.vcpus[1], a->mem.gpa + offset, &value),
		       0);
	TEST_ASSERT_EQ(value, WORD);
}

/* One signal for each time that it tries, and no value. */
static void expect_vcpu_is_stopped(struct auto_vm *a)
{
	__u64 value;
	int i, r;

	for (i = 0; i < TRIES; i++) {
		__atomic_store_n(&action_required, 0, __ATOMIC_SEQ_CST);
		r = touch_read(a->s.vcpus[1], a->mem.gpa + BAD_AT, &value);
		TEST_ASSERT_EQ(r, -EINTR);
		TEST_ASSERT_EQ(READ_ONCE(action_required), 1);
		TEST_ASSERT(READ_ONCE(fault_address) == a->mem.hva + BAD_AT,
			    "a signal for %p", READ_ONCE(fault_address));
	}
}

static void expect_state(struct auto_vm *a, enum tables tables)
{
	struct mmu_share_info info;

	mmu_share_read(a->s.vm, &info);
	TEST_ASSERT_EQ(info.shared, tables != A_TABLE_EACH);
	TEST_ASSERT_EQ(info.conflicts, 0);
	TEST_ASSERT_EQ(info.device_only_bytes,
		       tables == A_TABLE_EACH ? 0 : SIZE_4K);
	if (tables == ONE_TABLE_BY_ITSELF)
		auto_vm_expect_shared(a);
}

static void mapped_memory_fails(const void *arg)
{
	enum tables tables = *(const enum tables *)arg;
	struct auto_vm a;
	int r;

	create(&a, tables);
	catch_signals();
	guest_fill(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K, WORD);
	expect_vcpu_reads(&a, BAD_AT);
	TEST_ASSERT(dma_page_reached(&a.testdev, &a.mem, BAD_AT),
		    "not mapped for the device");

	/* What is pinned can't be given up, only taken from the process. */
	r = madvise(a.mem.hva + BAD_AT, SIZE_4K, MADV_HWPOISON);
	if (r && errno == EINVAL)
		tap_skip_case("needs CONFIG_MEMORY_FAILURE");
	TEST_ASSERT(!r || errno == EBUSY, "MADV_HWPOISON: %s", strerror(errno));
	expect_vcpu_is_stopped(&a);
	expect_state(&a, tables);
	TEST_ASSERT(testdev_write(&a.testdev, a.mem.gpa + BAD_AT, 64),
		    "the device lost memory that is mapped");

	/* Control: beside it nothing has happened. */
	expect_vcpu_reads(&a, GOOD_AT);
	TEST_ASSERT(dma_page_reached(&a.testdev, &a.mem, GOOD_AT),
		    "the device lost the next page");

	/* Without the pin it is nobody's. */
	share_vm_unmap(&a.s, &a.mem);
	TEST_ASSERT(!testdev_write(&a.testdev, a.mem.gpa + BAD_AT, 64),
		    "the device keeps what is unmapped");
	expect_vcpu_is_stopped(&a);
	expect_vcpu_reads(&a, GOOD_AT);
	destroy(&a, tables);
}

int main(void)
{
	static const enum tables one = ONE_TABLE, each = A_TABLE_EACH,
				 by_itself = ONE_TABLE_BY_ITSELF;
	static const struct tap_case cases[] = {
		{ "mapped memory fails, a table each",
		  .run_with = mapped_memory_fails, .arg = &each },
		{ "mapped memory fails, one table",
		  .run_with = mapped_memory_fails, .arg = &one },
		{ "mapped memory fails, one table by itself",
		  .run_with = mapped_memory_fails, .arg = &by_itself },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
