// SPDX-License-Identifier: GPL-2.0-only
/* Fails a step of a VM with a shared table once for each fault it can meet. */
#include "dma_page.h"
#include "fail_nth.h"
#include "fail_sweep.h"
#include "iommu_hw.h"
#include "leaks.h"
#include "mmu_share.h"
#include "sysfile.h"
#include "tap.h"

#define SEED		0xfa17

/* More than any step here has, so that a loop without end is noticed. */
#define MAX_FAULTS	500

/* Tables that a failed map may leave for the next: they are never unlinked. */
#define MAX_NEW_TABLES	6

#define SETTLE_TRIES	500
#define SETTLE_STEP_US	2000

/* What fails: allocations of this thread, or calls of a function. */
struct fault {
	const char *function;
	int err;
};

static const struct fault allocations = {};

static void arm(const struct fault *fault, unsigned int nth)
{
	if (fault->function)
		fail_function_arm(fault->function, fault->err, nth);
	else
		fail_nth_arm(nth);
}

static bool disarm(const struct fault *fault)
{
	return fault->function ? fail_function_disarm() : fail_nth_disarm();
}

struct state {
	struct leak_counts counts;
	struct mmu_share_info info;
	struct iommu_entry testdev;
	struct iommu_entry edu;
};

static void state_read(struct world *w, struct state *st)
{
	mmu_share_read(w->s.vm, &st->info);
	iommu_entry_read(w->testdev.bdf, &st->testdev);
	iommu_entry_read(w->s.edu.bdf, &st->edu);
}

static void expect_same_entry(const char *bdf, const struct iommu_entry *a,
			      const struct iommu_entry *b)
{
	TEST_ASSERT(a->translates == b->translates && a->levels == b->levels &&
		    a->root == b->root,
		    "%s: root %#llx, %u levels became root %#llx, %u levels",
		    bdf, a->root, a->levels, b->root, b->levels);
}

/*
 * Tables are freed after an RCU grace period, so that there may be fewer, of
 * steps before this one. What is never freed tap_run() finds in the end.
 */
static bool same_counts(const struct step *step,
			const struct leak_counts *before,
			const struct leak_counts *now)
{
	struct leak_counts want = *before;
	__u64 most = before->tables;

	if (step->vcpus_may_gain)
		most += MAX_NEW_TABLES * SIZE_4K;
	want.tables = now->tables;
	return !memcmp(&want, now, sizeof(want)) && now->tables <= most;
}

static void expect_same_counts(const struct step *step,
			       const struct leak_counts *before)
{
	struct leak_counts now;
	int i;

	for (i = 0; i < SETTLE_TRIES; i++) {
		leak_counts_read(&now);
		if (same_counts(step, before, &now))
			return;
		usleep(SETTLE_STEP_US);
	}
	leak_counts_print_diff(before, &now);
	TEST_FAIL("the failed step left something behind");
}

/* mmu_share's count of tables is left out: leak_counts has them all. */
static void expect_same_state(struct world *w, const struct step *step,
			      const struct state *before)
{
	struct mmu_share_info was = before->info;
	struct state now;

	expect_same_counts(step, &before->counts);
	state_read(w, &now);
	expect_same_entry(w->testdev.bdf, &before->testdev, &now.testdev);
	expect_same_entry(w->s.edu.bdf, &before->edu, &now.edu);

	TEST_ASSERT_EQ(now.info.shared, was.shared);
	TEST_ASSERT_EQ(now.info.root, was.root);
	TEST_ASSERT_EQ(now.info.common_bytes, was.common_bytes);
	TEST_ASSERT_EQ(now.info.device_only_bytes, was.device_only_bytes);
	TEST_ASSERT_EQ(now.info.mmio_entries, was.mmio_entries);
	if (step->vcpus_may_gain) {
		TEST_ASSERT(now.info.cpu_only_bytes >= was.cpu_only_bytes,
			    "vCPUs have lost %llu bytes", was.cpu_only_bytes -
			    now.info.cpu_only_bytes);
		return;
	}
	TEST_ASSERT_EQ(now.info.cpu_only_bytes, was.cpu_only_bytes);
	TEST_ASSERT_EQ(now.info.leaf_4k, was.leaf_4k);
	TEST_ASSERT_EQ(now.info.leaf_2m, was.leaf_2m);
	TEST_ASSERT_EQ(now.info.leaf_1g, was.leaf_1g);
}

void expect_reached(struct world *w, struct guest_mem *mem, bool reached)
{
	dma_expect_reached(&w->testdev, mem, reached);
}

void expect_guest_works(struct world *w, struct guest_mem *mem)
{
	guest_fill(w->s.vcpus[0], mem->gpa, mem->size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(guest_diff(w->s.vcpus[1], mem->gpa, mem->size, SIZE_4K,
				  mem->gpa, SEED), 0);
}

static void expect_works_as_before(struct world *w)
{
	expect_guest_works(w, &w->kept);
	expect_reached(w, &w->kept, w->kept_reached);
	if (w->mem.size)
		expect_reached(w, &w->mem, w->mem_reached);
}

void wait_until_nothing_shared(void)
{
	__u64 shares = 1;
	char text[256];
	int i;

	for (i = 0; i < SETTLE_TRIES && shares; i++) {
		if (i)
			usleep(SETTLE_STEP_US);
		TEST_ASSERT(sysfile_read(DEBUGFS "/tdp_bridge/objects", text,
					 sizeof(text)) &&
			    text_get(text, "shares", 10, &shares),
			    "no tdp_bridge/objects");
	}
	TEST_ASSERT(!shares, "the share does not go");
}

static void world_create(struct world *w, void (*setup)(struct world *w))
{
	char bdf[BDF_LEN];

	if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 0))
		tap_skip_case("no iommu-testdev");
	memset(w, 0, sizeof(*w));
	share_vm_create_detached(&w->s);
	vfio_dev_open(&w->testdev, bdf, w->s.iommufd);
	guest_mem_add(&w->kept, w->s.vm, TEST_SLOT, BACKING_4K, GPA_HIGH,
		      KEPT_SIZE);
	setup(w);
}

static void world_destroy(struct world *w)
{
	vfio_dev_close(&w->testdev);
	share_vm_destroy(&w->s);
}

/*
 * What an allocation that fails makes of a call. iommufd has points of failure
 * of its own: to find an object (ENOENT, EINVAL), before anything is done, and
 * to pin pages (EFAULT). AMD's driver says ENOSPC where its array can't grow.
 */
static bool is_errno_of_fault(const struct step *step, int err)
{
	switch (-err) {
	case ENOENT:
		return true;
	case ENOMEM:
	case EINVAL:
	case EFAULT:
	case ENOSPC:
		return !step->must_not_fail;
	default:
		return false;
	}
}

static bool may_return(const struct step *step, const struct fault *fault,
		       bool fired, int r)
{
	if (!r)
		return true;
	if (!fired)
		return false;
	return fault->function ? r == fault->err : is_errno_of_fault(step, r);
}

/* One attempt. Returns false when nothing was left to fail. */
static bool attempt(struct world *w, const struct step *step,
		    const struct fault *fault, unsigned int nth,
		    unsigned int *failed)
{
	struct state before;
	bool fired;
	int r;

	if (step->prepare)
		step->prepare(w);
	leak_counts_read(&before.counts);
	state_read(w, &before);

	arm(fault, nth);
	r = step->run(w);
	fired = disarm(fault);

	TEST_ASSERT(may_return(step, fault, fired, r), "fault %u: %s", nth,
		    strerror(-r));
	if (r) {
		++*failed;
		expect_same_state(w, step, &before);
		expect_works_as_before(w);
		r = step->run(w);
		TEST_ASSERT(!r, "without fault %u: %s", nth, strerror(-r));
		fired = false;
		nth = 0;
	}
	if (!fired && step->verify_in_full)
		step->verify_in_full(w);
	step->verify(w);
	expect_guest_works(w, &w->kept);
	if (step->undo)
		step->undo(w);
	return fired || !nth;
}

static void sweep_fault(struct world *w, const struct step *step,
			const struct fault *fault)
{
	unsigned int nth = 1, failed = 0;

	while (attempt(w, step, fault, nth, &failed)) {
		nth++;
		TEST_ASSERT(nth < MAX_FAULTS, "faults without end");
	}
	ksft_print_msg("%s: %u faults, %u failures\n",
		       fault->function ?: "allocations", nth - 1, failed);
	/* What a debug kernel's own bookkeeping allocates may fail anywhere. */
	TEST_ASSERT(step->no_faults ? !failed : nth > 1, "%u faults", nth - 1);
	TEST_ASSERT(!fault->function || failed == nth - 1,
		    "%s failed and nobody cared", fault->function);
}

void sweep(const struct step *step, void (*setup)(struct world *w))
{
	struct world w;

	world_create(&w, setup);
	sweep_fault(&w, step, &allocations);
	world_destroy(&w);
}

/* An errno that nothing here gives by itself. */
void sweep_function(const struct step *step, void (*setup)(struct world *w),
		    const char *function)
{
	const struct fault fault = { .function = function, .err = -EXFULL };
	struct world w;

	world_create(&w, setup);
	sweep_fault(&w, step, &fault);
	world_destroy(&w);
}
