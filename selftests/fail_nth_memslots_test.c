// SPDX-License-Identifier: GPL-2.0-only
/*
 * As fail_nth_test, for memslots that come and go, beside what the IOAS maps and
 * under it, and for dirty logs that begin and end.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include "fail_nth.h"
#include "fail_parts.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"

#define SEED		0x1091

static int set_memslot(struct world *w, __u32 flags, size_t size)
{
	return __vm_set_user_memory_region(w->s.vm, MEM_SLOT, flags, w->mem.gpa,
					   size, w->mem.hva) ? -errno : 0;
}

static int delete_slot(struct world *w)
{
	return set_memslot(w, 0, 0);
}

static int create_slot(struct world *w)
{
	return set_memslot(w, 0, w->mem.size);
}

static void expect_slot(struct world *w)
{
	share_vm_map(&w->s, &w->mem);
	world_use_new_map(w);
	share_vm_unmap(&w->s, &w->mem);
}

/* Mapped now, it is the device's alone. */
static void expect_no_slot(struct world *w)
{
	struct mmu_share_info info;

	expect_reached(w, &w->mem, false);
	share_vm_map(&w->s, &w->mem);
	mmu_share_read(w->s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, w->mem.size);
	world_expect_all_reached(w);
	share_vm_unmap(&w->s, &w->mem);
	expect_reached(w, &w->mem, false);
}

static void delete_slot_if_any(struct world *w)
{
	TEST_ASSERT(!delete_slot(w), "delete the memslot");
}

static void create_slot_again(struct world *w)
{
	TEST_ASSERT(!create_slot(w), "create the memslot");
}

static void memslot_create(void)
{
	static const struct step step = {
		.prepare = delete_slot_if_any,
		.run = create_slot,
		.verify = expect_slot,
	};

	sweep(&step, world_setup_shared);
}

/* A vCPU has been there, so that there is something to take from it. */
static void touch_mem(struct world *w)
{
	expect_guest_works(w, &w->mem);
	expect_reached(w, &w->mem, false);
}

static void memslot_delete(void)
{
	static const struct step step = {
		.prepare = touch_mem,
		.run = delete_slot,
		.verify = expect_no_slot,
		.undo = create_slot_again,
	};

	sweep(&step, world_setup_shared);
}

/* The device goes on without the memslot, vCPUs find nothing. */
static void map_and_touch_mem(struct world *w)
{
	world_map_mem_again(w);
	expect_guest_works(w, &w->mem);
}

static void expect_device_keeps_it(struct world *w)
{
	struct mmu_share_info info;

	mmu_share_read(w->s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, w->mem.size);
	world_expect_all_reached(w);
	TEST_ASSERT_EQ(guest_mmio(w->s.vcpus[0], w->mem.gpa, w->mem.gpa, SEED),
		       SEED);
}

static void create_slot_and_unmap(struct world *w)
{
	create_slot_again(w);
	world_expect_all_reached(w);
	expect_guest_works(w, &w->mem);
	share_vm_unmap(&w->s, &w->mem);
	w->mem_reached = false;
}

static void mapped_memslot_delete(void)
{
	static const struct step step = {
		.prepare = map_and_touch_mem,
		.run = delete_slot,
		.verify = expect_device_keeps_it,
		.undo = create_slot_and_unmap,
	};

	sweep(&step, world_setup_shared);
}

static void setup_dirty_log(struct world *w)
{
	world_setup_shared_2m(w);
	share_vm_map(&w->s, &w->mem);
	w->mem_reached = true;
}

static int dirty_log_on(struct world *w)
{
	return set_memslot(w, KVM_MEM_LOG_DIRTY_PAGES, w->mem.size);
}

static int dirty_log_off(struct world *w)
{
	return set_memslot(w, 0, w->mem.size);
}

static void switch_log_on(struct world *w)
{
	world_set_dirty_log(w, true);
	world_expect_huge_leaves(w, 0);
}

static void switch_log_off(struct world *w)
{
	world_set_dirty_log(w, false);
	world_expect_huge_leaves(w, 1);
}

static void expect_one_write_logged(struct world *w)
{
	unsigned long bitmap[SIZE_2M / SIZE_4K / 64] = {};
	unsigned int i;

	guest_fill(w->s.vcpus[0], w->mem.gpa + 3 * SIZE_4K, 8, 8, SEED);
	kvm_vm_get_dirty_log(w->s.vm, MEM_SLOT, bitmap);
	for (i = 0; i < ARRAY_SIZE(bitmap); i++)
		TEST_ASSERT(bitmap[i] == (i ? 0 : 1UL << 3),
			    "bitmap[%u] is %#lx", i, bitmap[i]);
	world_expect_all_reached(w);
}

static void expect_no_huge_leaf(struct world *w)
{
	world_expect_huge_leaves(w, 0);
}

static void expect_huge_leaf(struct world *w)
{
	world_expect_huge_leaves(w, 1);
}

static void dirty_log_begins(void)
{
	static const struct step step = {
		.prepare = switch_log_off,
		.run = dirty_log_on,
		.verify = expect_one_write_logged,
		.verify_in_full = expect_no_huge_leaf,
	};

	sweep(&step, setup_dirty_log);
}

static void use_without_log(struct world *w)
{
	world_expect_all_reached(w);
	expect_guest_works(w, &w->mem);
}

static void dirty_log_ends(void)
{
	static const struct step step = {
		.prepare = switch_log_on,
		.run = dirty_log_off,
		.verify = use_without_log,
		.verify_in_full = expect_huge_leaf,
	};

	sweep(&step, setup_dirty_log);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "create a memslot", memslot_create },
		{ "delete a memslot", memslot_delete },
		{ "delete a memslot that the IOAS maps", mapped_memslot_delete },
		{ "the dirty log begins", dirty_log_begins },
		{ "the dirty log ends", dirty_log_ends },
	};

	share_vm_require(true);
	__TEST_REQUIRE(fault_injection_setup(),
		       "needs a kernel that can inject faults");
	return tap_run(cases, ARRAY_SIZE(cases));
}
