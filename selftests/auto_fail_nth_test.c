// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation of a conversion fails once, in turn. Either it is got by
 * without, or nothing has changed and the next attempt goes well. Devices reach
 * what the IOAS maps all the time, and never more.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "dma_page.h"
#include "fail_nth.h"
#include "fail_sweep.h"
#include "operator.h"
#include "tap.h"
#include "touch.h"

#define OTHER_SLOT	(TEST_SLOT + 1)
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define VMS_GPA		(OTHER_GPA + SIZE_1G)
#define SEED		0xfa17
#define NEW_WORD	0x4e3

struct aside {
	struct auto_vm a;
	struct guest_mem other;
	struct guest_mem vms;	/* not in the IOAS */
};

struct conversion {
	/* Makes it ready; what the step is to change is as said then. */
	void (*prepare)(struct aside *w);
	int (*run)(struct aside *w);
	/* After a failure, and after it went well. */
	void (*verify_failed)(struct aside *w);
	void (*verify)(struct aside *w);
};

static void share(struct aside *w)
{
	vmm_share_control(getpid(), "share");
	auto_vm_expect_shared(&w->a);
}

static void setup(struct aside *w)
{
	auto_vm_create_detached(&w->a);
	touch_init(w->a.s.vcpus[1]);
	auto_vm_attach(&w->a, AUTO_HWPT);
	auto_vm_map_slot0(&w->a);
	share_vm_map(&w->a.s, &w->a.mem);
	guest_mem_add(&w->other, w->a.s.vm, OTHER_SLOT, BACKING_4K, OTHER_GPA,
		      SIZE_2M);
	share_vm_map(&w->a.s, &w->other);
	guest_mem_add(&w->vms, w->a.s.vm, OTHER_SLOT + 1, BACKING_4K, VMS_GPA,
		      SIZE_2M);
	guest_fill(w->a.s.vcpus[0], w->vms.gpa, w->vms.size, SIZE_4K, SEED);
}

/*
 * Every attempt has a VM of its own, as tables that one has made stay. What
 * fails in it must leave a VM that can still do all.
 */
static void fail_each(const struct conversion *c)
{
	unsigned int nth, failed = 0;
	struct aside w;
	bool hit;
	int r;

	vmm_share_require();
	if (!fault_injection_setup())
		tap_skip_case("this kernel can't fail on demand");
	/* Nothing happens but what the test does. */
	operator_share_by_order_only();

	for (nth = 1; ; nth++) {
		setup(&w);
		if (c->prepare)
			c->prepare(&w);

		fail_nth_arm(nth);
		r = c->run(&w);
		hit = fail_nth_disarm();

		if (r) {
			TEST_ASSERT(hit, "failed by itself: %s", strerror(-r));
			failed++;
			c->verify_failed(&w);
			r = c->run(&w);
			TEST_ASSERT(!r, "the next attempt failed: %s",
				    strerror(-r));
		}
		c->verify(&w);
		auto_vm_destroy(&w.a);
		/* Or the next VM, of the same pid and fd, has no debugfs. */
		wait_until_nothing_shared();
		if (!hit)
			break;
	}
	TEST_ASSERT(nth > 1, "nothing to fail");
	ksft_print_msg("%u allocations, %u of them needed\n", nth - 1, failed);
}

static int say_share(struct aside *w)
{
	return __vmm_share_control(getpid(), "share");
}

static int say_private(struct aside *w)
{
	return __vmm_share_control(getpid(), "private");
}

static void is_shared(struct aside *w)
{
	auto_vm_expect_shared(&w->a);
	dma_expect_reached(&w->a.testdev, &w->other, true);
}

static void is_private(struct aside *w)
{
	auto_vm_expect_private(&w->a);
	dma_expect_reached(&w->a.testdev, &w->other, true);
}

static void becoming_shared(void)
{
	static const struct conversion c = {
		.run = say_share,
		.verify_failed = is_private,
		.verify = is_shared,
	};

	fail_each(&c);
}

static void becoming_private(void)
{
	static const struct conversion c = {
		.prepare = share,
		.run = say_private,
		.verify_failed = is_shared,
		.verify = is_private,
	};

	fail_each(&c);
}

/* It does not fail for want of memory, and needs no other table. */
static int unmap_other(struct aside *w)
{
	return __iommufd_unmap(w->a.s.iommufd, w->a.s.ioas, OTHER_GPA,
			       w->other.size);
}

static void is_unmapped(struct aside *w)
{
	dma_expect_reached(&w->a.testdev, &w->other, false);
	auto_vm_expect_shared(&w->a);

	share_vm_map(&w->a.s, &w->other);
	is_shared(w);
}

static void unmap(void)
{
	static const struct conversion c = {
		.prepare = share,
		.run = unmap_other,
		.verify_failed = is_shared,
		.verify = is_unmapped,
	};

	fail_each(&c);
}

/* The VM has other pages there, so that it is a private table's to map. */
static int map_over(struct aside *w)
{
	return __iommufd_map(w->a.s.iommufd, w->a.s.ioas, IOAS_MAP_RW,
			     w->vms.gpa, w->other.hva, w->other.size);
}

static void vms_has_its_own(struct aside *w)
{
	TEST_ASSERT_EQ(guest_diff(w->a.s.vcpus[0], w->vms.gpa, w->vms.size,
				  SIZE_4K, w->vms.gpa, SEED), 0);
}

static void nothing_over(struct aside *w)
{
	TEST_ASSERT(!testdev_write(&w->a.testdev, w->vms.gpa, 64),
		    "DMA to a map that failed");
	vms_has_its_own(w);
	dma_expect_reached(&w->a.testdev, &w->other, true);
	dma_expect_reached(&w->a.testdev, &w->a.mem, true);
}

static void mapped_over(struct aside *w)
{
	struct guest_mem mem = w->other;

	mem.gpa = w->vms.gpa;
	dma_expect_reached(&w->a.testdev, &mem, true);
	vms_has_its_own(w);
	auto_vm_expect_private(&w->a);
}

static void map(void)
{
	static const struct conversion c = {
		.prepare = share,
		.run = map_over,
		.verify_failed = nothing_over,
		.verify = mapped_over,
	};

	fail_each(&c);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "while it becomes shared", becoming_shared, .timeout = 180 },
		{ "while it becomes private", becoming_private, .timeout = 180 },
		{ "while it is shared, and memory is unmapped", unmap,
		  .timeout = 180 },
		{ "while it steps aside for a map", map, .timeout = 180 },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
