// SPDX-License-Identifier: GPL-2.0-only
/*
 * An HWPT changes its domain, one device after the other, and a device refuses to
 * move. If those that have moved can't go back either, the devices are on two
 * domains: both stay as they should be, until the rest can be moved.
 *
 * 1. In either direction: both devices reach what is mapped, also what is mapped
 *    now, and not what is unmapped now; another device is refused, EBUSY. Once
 *    devices can be moved they are, by themselves.
 * 2. The devices, the HWPT and the IOAS may go meanwhile, in each order.
 * 3. A map that needs a private table fails when that can't be had.
 * 4. Control: in the same run devices are moved that do not refuse.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "background.h"
#include "dma_page.h"
#include "fail_nth.h"
#include "iommu_hw.h"
#include "operator.h"
#include "tap.h"

/* What moves a device to another domain. */
#define MOVE		"iommufd_hwpt_replace_device"

#define OTHER_SLOT	(TEST_SLOT + 1)
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define SEED		0x5b117
#define SECONDS		15	/* the longest time between two tries is 10 */

enum direction {
	TO_SHARED,
	TO_PRIVATE,
};

/* Whether the copying device reaches memory: it does not say so itself. */
static bool edu_reaches(struct vfio_dev *edu, struct guest_mem *mem)
{
	guest_mem_fill(mem, 0, SIZE_4K, SEED);
	memset(mem->hva + SIZE_2M, 0, SIZE_4K);
	edu_copy(edu, mem->gpa + SIZE_2M, mem->gpa, SIZE_4K);
	return !guest_mem_diff(mem, SIZE_2M, SIZE_4K, 0, SEED);
}

static void expect_reached(struct auto_vm *a, struct guest_mem *mem, bool reached)
{
	TEST_ASSERT_EQ(edu_reaches(&a->s.edu, mem), reached);
	dma_expect_reached(&a->testdev, mem, reached);
}

static void expect_split(struct auto_vm *a)
{
	struct vmm_share_status st = auto_vm_status();
	struct iommu_entry edu, testdev;

	TEST_ASSERT(!strcmp(st.reason, "split"), "not split: %s", st.line);
	iommu_entry_read(a->s.edu.bdf, &edu);
	iommu_entry_read(a->testdev.bdf, &testdev);
	TEST_ASSERT(edu.translates && testdev.translates, "not translated");
	TEST_ASSERT(edu.root != testdev.root, "both are at %#llx", edu.root);
}

static void expect_moved(struct auto_vm *a)
{
	struct vmm_share_status st;
	int i;

	for (i = 0; i < SECONDS * 100; i++) {
		st = auto_vm_status();
		if (strcmp(st.reason, "split"))
			break;
		usleep(10000);
	}
	TEST_ASSERT(i < SECONDS * 100, "still split: %s", st.line);
}

/* The first device moves, the second one does not, nor does the first one back. */
static void split(struct auto_vm *a, enum direction direction)
{
	if (!fault_injection_setup())
		tap_skip_case("needs CONFIG_FAULT_INJECTION");
	operator_share_by_order_only();
	auto_vm_create_detached(a);
	auto_vm_attach(a, AUTO_HWPT);
	auto_vm_map_slot0(a);
	share_vm_map(&a->s, &a->mem);
	vmm_share_control(getpid(), "share");
	auto_vm_expect_shared(a);
	if (direction == TO_SHARED) {
		vmm_share_control(getpid(), "private");
		auto_vm_expect_private(a);
	}

	fail_function_arm_from(MOVE, -EBUSY, 2);
	TEST_ASSERT_EQ(__vmm_share_control(getpid(), direction == TO_SHARED ?
					   "share" : "private"),
		       direction == TO_SHARED ? -EAGAIN : -EBUSY);
	expect_split(a);
}

static void both_domains_live(const void *arg)
{
	const enum direction *direction = arg;
	struct guest_mem other;
	struct vfio_dev third;
	char bdf[BDF_LEN];
	struct auto_vm a;

	split(&a, *direction);
	expect_reached(&a, &a.mem, true);
	guest_mem_add(&other, a.s.vm, OTHER_SLOT, BACKING_4K, OTHER_GPA,
		      2 * SIZE_2M);
	expect_reached(&a, &other, false);
	share_vm_map(&a.s, &other);
	expect_reached(&a, &other, true);

	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 1), "no edu");
	vfio_dev_open_in_vm(&third, bdf, a.s.iommufd, a.kvm_vfio);
	TEST_ASSERT_EQ(__vfio_dev_attach(&third, a.s.hwpt), -EBUSY);
	expect_split(&a);

	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	expect_moved(&a);
	expect_reached(&a, &a.mem, true);
	expect_reached(&a, &other, true);
	vfio_dev_attach(&third, a.s.hwpt);
	TEST_ASSERT(edu_reaches(&third, &a.mem), "the third device");
	share_vm_unmap(&a.s, &other);
	expect_reached(&a, &other, false);

	share_vm_map(&a.s, &other);
	vmm_share_control(getpid(), "share");
	auto_vm_expect_shared(&a);
	vfio_dev_close(&third);
	auto_vm_destroy(&a);
}

/* What is unmapped is gone from both. */
static void unmapped_from_both(const void *arg)
{
	const enum direction *direction = arg;
	struct auto_vm a;

	split(&a, *direction);
	share_vm_unmap(&a.s, &a.mem);
	expect_reached(&a, &a.mem, false);
	share_vm_map(&a.s, &a.mem);
	expect_reached(&a, &a.mem, true);
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	auto_vm_destroy(&a);
}

/* Whatever is left then, the runner finds it. */
static void everything_goes(const void *arg)
{
	const enum direction *direction = arg;
	struct vfio_dev *first, *second;
	struct auto_vm a;
	int i;

	for (i = 0; i < 3; i++) {
		split(&a, *direction);
		first = i ? &a.testdev : &a.s.edu;
		second = i ? &a.s.edu : &a.testdev;
		if (i < 2) {
			vfio_dev_detach(first);
			if (second == &a.testdev)
				dma_expect_reached(second, &a.mem, true);
			else
				TEST_ASSERT(edu_reaches(second, &a.mem), "edu");
			vfio_dev_detach(second);
			iommufd_destroy(a.s.iommufd, a.s.ioas);
		}
		/* The third time all is closed at once. */
		TEST_ASSERT(fail_function_disarm(), "no device refused to move");
		auto_vm_destroy(&a);
	}
}

struct map {
	struct auto_vm *a;
	struct guest_mem *mem;
	int result;
};

static void map_it(void *arg)
{
	struct map *map = arg;

	/* KVM's table has no leaf that can't be read. */
	map->result = __iommufd_map(map->a->s.iommufd, map->a->s.ioas,
				    IOMMU_IOAS_MAP_WRITEABLE,
				    OTHER_GPA + SIZE_1G, map->mem->hva,
				    map->mem->size);
}

/*
 * A map that needs the HWPT to have a table of its own, which it can't get: it
 * fails, and the thread comes back. Control: it is mapped when devices can be
 * moved again.
 */
static void map_gives_up(void)
{
	struct background call = { 0 };
	struct auto_vm a;
	struct map map = { .a = &a, .mem = &a.mem };
	bool done;
	int i;

	if (!fault_injection_setup())
		tap_skip_case("needs CONFIG_FAULT_INJECTION");
	auto_vm_create(&a);
	fail_function_arm_from(MOVE, -EBUSY, 1);
	background_start(&call, map_it, &map);
	for (i = 0; i < 500 && !background_done(&call); i++)
		usleep(10000);
	done = background_done(&call);
	/* Else it would be there for good, and could not be killed. */
	TEST_ASSERT(fail_function_disarm(), "no device refused to move");
	background_join(&call);
	TEST_ASSERT(done, "the map went on for 5 s, as long as it could");
	TEST_ASSERT_EQ(map.result, -EACCES);
	auto_vm_expect_shared(&a);

	map_it(&map);
	TEST_ASSERT_EQ(map.result, 0);
	auto_vm_expect_private(&a);
	auto_vm_destroy(&a);
}

int main(void)
{
	static const enum direction shared = TO_SHARED, private = TO_PRIVATE;
	static const struct tap_case cases[] = {
		{ "split on the way to a shared table: both tables live",
		  .run_with = both_domains_live, .arg = &shared },
		{ "split on the way to a private table: both tables live",
		  .run_with = both_domains_live, .arg = &private },
		{ "split on the way to a shared table: an unmap reaches both",
		  .run_with = unmapped_from_both, .arg = &shared },
		{ "split on the way to a private table: an unmap reaches both",
		  .run_with = unmapped_from_both, .arg = &private },
		{ "split on the way to a shared table: everything may go",
		  .run_with = everything_goes, .arg = &shared },
		{ "split on the way to a private table: everything may go",
		  .run_with = everything_goes, .arg = &private },
		{ "a map that needs a private table gives up", map_gives_up },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
