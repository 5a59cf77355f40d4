// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shared HWPT steps aside for what a shared table can't do, before that is
 * done and under the devices' DMA, and is shared again afterwards.
 */
#include <sys/mman.h>

#include "amd_iommu.h"
#include "auto_vm.h"
#include "background.h"
#include "dma_page.h"
#include "sysfile.h"
#include "tap.h"

#define NX_HUGE_PAGES	"/sys/module/kvm/parameters/nx_huge_pages"
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define OTHER_SLOT	(TEST_SLOT + 1)
#define CONVERSIONS	100
#define ROM_SLOT	(TEST_SLOT + 2)
#define ROM_SIZE	(8 * SIZE_2M)	/* right before what lies at OTHER_GPA */
#define ROM_GPA		(OTHER_GPA - ROM_SIZE)
#define RACES		10
#define ANSWER		0x5ca1ab1e
#define SEED		0xa51de

/* Where the VM has more memory than what the DMA goes to. */
struct aside {
	struct auto_vm a;
	struct guest_mem other;
	__u32 claimed;
	struct vfio_dev foreign;
};

struct cause {
	const char *name;	/* of the trigger, as the host gives it */
	const char *reason;	/* why it then stays private; NULL: it does not */
	void (*provoke)(struct aside *w);
	void (*undo)(struct aside *w);
};

static void map_without_memslot(struct aside *w)
{
	iommufd_map(w->a.s.iommufd, w->a.s.ioas, OTHER_GPA + SIZE_1G,
		    w->other.hva, w->other.size);
	TEST_ASSERT(testdev_write(&w->a.testdev, OTHER_GPA + SIZE_1G, SIZE_4K),
		    "DMA to what has no memslot");
}

static void unmap_it(struct aside *w)
{
	iommufd_unmap(w->a.s.iommufd, w->a.s.ioas, OTHER_GPA + SIZE_1G,
		      w->other.size);
}

static void unmap_memory(struct aside *w)
{
	__u64 mark;

	share_vm_unmap(&w->a.s, &w->other);
	/* At once, not when somebody looks again. */
	TEST_ASSERT(!auto_vm_status().shared, "the unmap left it shared");

	/* vCPUs have it, the device has not. */
	guest_fill(w->a.s.vcpus[0], w->other.gpa, w->other.size, SIZE_4K, 1);
	mark = iommu_events_mark();
	dma_expect_reached(&w->a.testdev, &w->other, false);
	TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");
}

static void map_memory(struct aside *w)
{
	share_vm_map(&w->a.s, &w->other);
}

/* As pages that the IOAS maps can't go, the device still has them. */
/* The device still has it, by its own table; vCPUs find no memory there. */
static void expect_slot_is_gone(struct aside *w)
{
	dma_expect_reached(&w->a.testdev, &w->other, true);
	TEST_ASSERT_EQ(guest_mmio(w->a.s.vcpus[0], w->other.gpa, w->other.gpa,
				  ANSWER), ANSWER);
}

static void delete_memslot(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, w->other.gpa, 0,
				  NULL);
	expect_slot_is_gone(w);
}

static void create_memslot(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, w->other.gpa,
				  w->other.size, w->other.hva);
}

static void move_memslot(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0,
				  w->other.gpa + SIZE_1G, w->other.size,
				  w->other.hva);
	expect_slot_is_gone(w);
}

static void move_memslot_back(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, w->other.gpa,
				  w->other.size, w->other.hva);
}

static void attach_foreign_device(struct aside *w)
{
	char bdf[BDF_LEN];

	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 1), "no edu");
	vfio_dev_open(&w->foreign, bdf, w->a.s.iommufd);
	vfio_dev_attach(&w->foreign, w->a.s.ioas);
}

static void detach_foreign_device(struct aside *w)
{
	vfio_dev_detach(&w->foreign);
	vfio_dev_close(&w->foreign);
}

static void nx_huge_pages_on(struct aside *w)
{
	TEST_ASSERT(sysfile_write(NX_HUGE_PAGES, "force"), "nx_huge_pages");
}

static void nx_huge_pages_off(struct aside *w)
{
	TEST_ASSERT(sysfile_write(NX_HUGE_PAGES, "off"), "nx_huge_pages");
}

static void claim_table(struct aside *w)
{
	w->claimed = iommufd_hwpt_alloc(w->a.s.iommufd, w->a.s.edu.dev_id,
					w->a.s.ioas, HWPT_SHARED,
					w->a.s.vm->fd);
}

static void give_table_back(struct aside *w)
{
	iommufd_destroy(w->a.s.iommufd, w->claimed);
}

static void switch_off(struct aside *w)
{
	vmm_share_control(getpid(), "off");
}

static void switch_on(struct aside *w)
{
	vmm_share_control(getpid(), "auto");
}

static void say_private(struct aside *w)
{
	vmm_share_control(getpid(), "private");
}

static void add_other(struct aside *w)
{
	guest_mem_add(&w->other, w->a.s.vm, OTHER_SLOT, BACKING_4K, OTHER_GPA,
		      2 * SIZE_2M);
	share_vm_map(&w->a.s, &w->other);
	auto_vm_wait_shared(&w->a);
	auto_vm_expect_shared(&w->a);
}

/* The device writes page after page in a thread, and none may be lost. */
static void load_start(struct testdev_load *load, struct auto_vm *a)
{
	*load = (struct testdev_load) {
		.dev = &a->testdev,
		.iova = a->mem.gpa,
		.va = a->mem.hva,
		.len = a->mem.size,
	};
	testdev_load_start(load);
}

static void load_stop(struct testdev_load *load)
{
	testdev_load_stop(load);
	TEST_ASSERT_EQ(load->lost, 0);
	TEST_ASSERT(load->done > 0, "no DMA went on");
}

static void steps_aside(const void *arg)
{
	const struct cause *cause = arg;
	struct vmm_share_status st;
	struct aside w = { 0 };
	__u64 before;

	/* To add memory may have taken a trigger or two. */
	auto_vm_create(&w.a);
	add_other(&w);
	st = auto_vm_status();
	before = vmm_share_triggers(&st, cause->name);

	cause->provoke(&w);
	st = auto_vm_status();
	TEST_ASSERT_EQ(vmm_share_triggers(&st, cause->name), before + 1);
	TEST_ASSERT(!strcmp(st.last, cause->name), "by %s", st.last);
	if (cause->reason) {
		vmm_wait_private(getpid(), cause->reason, AUTO_VM_SECONDS);
		auto_vm_expect_private(&w.a);
	}

	if (cause->undo)
		cause->undo(&w);
	auto_vm_wait_shared(&w.a);
	dma_expect_reached(&w.a.testdev, &w.other, true);
	auto_vm_destroy(&w.a);
}

/* Both ways, many times, while device and vCPU write. */
static void nothing_is_lost(void)
{
	struct vmm_share_status before, after;
	struct guest_loop loop = { 0 };
	struct testdev_load load;
	__u64 faults, mark;
	struct aside w;
	int i;

	auto_vm_create(&w.a);
	add_other(&w);
	share_vm_warm_up(&w.a.s);
	guest_fill(w.a.s.vcpus[0], w.other.gpa, w.other.size, SIZE_4K, SEED);

	before = auto_vm_status();
	mark = iommu_events_mark();
	faults = share_vm_npt_faults(&w.a.s);
	load_start(&load, &w.a);
	loop.vcpu = w.a.s.vcpus[1];
	loop.gpa = w.other.gpa;
	loop.len = w.other.size;
	loop.step = SIZE_4K;
	guest_loop_start(&loop);
	for (i = 0; i < CONVERSIONS; i++)
		vmm_share_control(getpid(), i % 2 ? "share" : "private");
	guest_loop_stop(&loop);
	load_stop(&load);

	after = auto_vm_status();
	ksft_print_msg("%llu conversions, %lu pages by DMA, %lu rounds of the guest\n",
		       after.to_shared + after.to_private - before.to_shared -
		       before.to_private, load.done, loop.rounds);
	TEST_ASSERT(after.to_private - before.to_private >= CONVERSIONS / 2,
		    "too few conversions: %s", after.line);
	TEST_ASSERT(after.to_shared - before.to_shared >= CONVERSIONS / 2,
		    "too few conversions: %s", after.line);
	TEST_ASSERT_EQ(after.failed, 0);
	TEST_ASSERT(loop.rounds > 0 && !loop.wrong, "%llu wrong words",
		    loop.wrong);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);

	/* The vCPUs kept what they had all the time. */
	TEST_ASSERT_EQ(share_vm_npt_faults(&w.a.s), faults);
	auto_vm_destroy(&w.a);
}

/*
 * What the host took away while it was pinned stayed with the VM. Once it is not
 * pinned by a shared table, vCPUs have what the host maps, as ever.
 */
static void outdated_pages_go(void)
{
	struct auto_vm a;
	size_t half;

	auto_vm_create(&a);
	half = a.mem.size / 2;
	guest_fill(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K, SEED);
	TEST_ASSERT(!madvise(a.mem.hva, half, MADV_DONTNEED), "madvise");
	TEST_ASSERT_EQ(guest_diff(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K,
				  a.mem.gpa, SEED), 0);

	vmm_share_control(getpid(), "off");
	TEST_ASSERT_EQ(guest_diff(a.s.vcpus[0], a.mem.gpa, half, SIZE_4K,
				  a.mem.gpa, SEED), half / SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(a.s.vcpus[0], a.mem.gpa + half, half, SIZE_4K,
				  a.mem.gpa + half, SEED), 0);

	/* The IOAS has the old pages and KVM the new: that is no mirror. */
	vmm_share_control(getpid(), "auto");
	vmm_wait_private(getpid(), "no-mirror", AUTO_VM_SECONDS);
	share_vm_unmap(&a.s, &a.mem);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

static void keep_sharing(void *arg)
{
	while (!READ_ONCE(*(bool *)arg))
		__vmm_share_control(getpid(), "share");
}

/* Memory that the guest may only read: an IOAS need not map it to be a mirror. */
static void *add_rom(struct aside *w)
{
	void *rom = mmap(NULL, ROM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(rom != MAP_FAILED, "mmap");
	memset(rom, 1, ROM_SIZE);
	vm_set_user_memory_region(w->a.s.vm, ROM_SLOT, KVM_MEM_READONLY,
				  ROM_GPA, ROM_SIZE, rom);
	return rom;
}

/*
 * Orders to share come all the time, so also in the middle of an unmap: the ROM
 * comes first, and while it goes the rest is still there, all that it takes. Once
 * the unmap is done the device has lost the memory, whatever vCPUs fault in.
 */
static void unmap_is_not_overtaken(void)
{
	struct background sharing = { 0 };
	struct vmm_share_status before;
	struct aside w = { 0 };
	bool stop = false;
	void *rom;
	int i;

	auto_vm_create(&w.a);
	add_other(&w);
	rom = add_rom(&w);
	background_start(&sharing, keep_sharing, &stop);
	for (i = 0; i < RACES; i++) {
		TEST_ASSERT(!__iommufd_map(w.a.s.iommufd, w.a.s.ioas,
					   IOMMU_IOAS_MAP_READABLE, ROM_GPA,
					   rom, ROM_SIZE), "map the ROM");
		vmm_wait_shared(getpid(), AUTO_VM_SECONDS);
		before = auto_vm_status();
		iommufd_unmap(w.a.s.iommufd, w.a.s.ioas, ROM_GPA,
			      ROM_SIZE + w.other.size);
		TEST_ASSERT_EQ(auto_vm_status().to_shared, before.to_shared);
		guest_fill(w.a.s.vcpus[0], w.other.gpa, w.other.size, SIZE_4K,
			   SEED);
		dma_expect_reached(&w.a.testdev, &w.other, false);
		dma_expect_reached(&w.a.testdev, &w.a.mem, true);
		share_vm_map(&w.a.s, &w.other);
	}
	WRITE_ONCE(stop, true);
	background_join(&sharing);
	auto_vm_destroy(&w.a);
	munmap(rom, ROM_SIZE);
}

int main(void)
{
	static const struct cause
		map = { "map", "no-mirror", map_without_memslot, unmap_it },
		unmap = { "unmap", "no-mirror", unmap_memory, map_memory },
		delete = { "memslot", "no-mirror", delete_memslot,
			   create_memslot },
		move = { "memslot", "no-mirror", move_memslot,
			 move_memslot_back },
		attach = { "attach", "foreign", attach_foreign_device,
			   detach_foreign_device },
		nx = { "nx", "refused", nx_huge_pages_on, nx_huge_pages_off },
		claim = { "claim", "refused", claim_table, give_table_back },
		off = { "off", "off", switch_off, switch_on },
		forced = { "forced", NULL, say_private, NULL };
	static const struct tap_case cases[] = {
		{ "for a map that has no memslot",
		  .run_with = steps_aside, .arg = &map },
		{ "for an unmap of what vCPUs reach",
		  .run_with = steps_aside, .arg = &unmap },
		{ "for a memslot that is deleted while the IOAS maps it",
		  .run_with = steps_aside, .arg = &delete },
		{ "for a memslot that is moved while the IOAS maps it",
		  .run_with = steps_aside, .arg = &move },
		{ "for a device of no VM",
		  .run_with = steps_aside, .arg = &attach },
		{ "for NX huge pages", .run_with = steps_aside, .arg = &nx },
		{ "for a HWPT that is the VM's table",
		  .run_with = steps_aside, .arg = &claim },
		{ "for an operator, until he wants it back",
		  .run_with = steps_aside, .arg = &off },
		{ "for an operator, for a moment",
		  .run_with = steps_aside, .arg = &forced },
		{ "a hundred conversions lose no DMA and cost no fault",
		  nothing_is_lost },
		{ "what the host took from under it goes with the sharing",
		  outdated_pages_go },
		{ "sharing does not get in between an unmap",
		  unmap_is_not_overtaken },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
