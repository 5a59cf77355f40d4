// SPDX-License-Identifier: GPL-2.0-only
/*
 * A shared HWPT steps aside for what a shared table can't do, before that is
 * done and under the devices' DMA, and is shared again afterwards. For what one
 * table can do it does not: unmaps, memslots that go, NX huge pages.
 *
 * bench: --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include <sys/mman.h>

#include "auto_vm.h"
#include "background.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "slow_host.h"
#include "sysfile.h"
#include "tap.h"

#define NX_HUGE_PAGES	"/sys/module/kvm/parameters/nx_huge_pages"
#define ABOVE		BIT_ULL(48)
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define OTHER_SLOT	(TEST_SLOT + 1)
#define CONVERSIONS	less_if_slow(100, 20)
#define ROM_SLOT	(TEST_SLOT + 2)
#define ROM_SIZE	(8 * SIZE_2M)	/* right before what lies at OTHER_GPA */
#define ROM_GPA		(OTHER_GPA - ROM_SIZE)
#define RACES		10
#define SETTLE_US	100000	/* the kernel looks again after 10 ms */
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

/* What does not need it: done, seen to be done, and undone. */
struct change {
	void (*make)(struct aside *w);
	void (*undo)(struct aside *w);
};

static void create_memslot(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, w->other.gpa,
				  w->other.size, w->other.hva);
}

/* Memory of the IOAS at an address where the VM has its own, and touches it. */
static void map_other_pages(struct aside *w)
{
	struct guest_mem vms, mem = w->other;

	guest_mem_add(&vms, w->a.s.vm, OTHER_SLOT + 2, BACKING_4K,
		      OTHER_GPA + SIZE_1G, w->other.size);
	guest_fill(w->a.s.vcpus[0], vms.gpa, vms.size, SIZE_4K, SEED);
	mem.gpa = vms.gpa;
	share_vm_map(&w->a.s, &mem);

	/* Each has what it was given. */
	dma_expect_reached(&w->a.testdev, &mem, true);
	TEST_ASSERT_EQ(guest_diff(w->a.s.vcpus[0], vms.gpa, vms.size, SIZE_4K,
				  vms.gpa, SEED), 0);
}

static void unmap_other_pages(struct aside *w)
{
	iommufd_unmap(w->a.s.iommufd, w->a.s.ioas, OTHER_GPA + SIZE_1G,
		      w->other.size);
}

/* KVM's table has no leaf that can't be read. */
static void map_without_read(struct aside *w)
{
	int r = __iommufd_map(w->a.s.iommufd, w->a.s.ioas,
			      IOMMU_IOAS_MAP_WRITEABLE, OTHER_GPA + SIZE_1G,
			      w->other.hva, w->other.size);

	TEST_ASSERT(!r, "IOMMU_IOAS_MAP: %s", strerror(-r));
	TEST_ASSERT(testdev_write(&w->a.testdev, OTHER_GPA + SIZE_1G, SIZE_4K),
		    "DMA to what the device may write");
}

/* Behind the last address that KVM's table has. */
static void map_above(struct aside *w)
{
	if (iommu_hw() == IOMMU_HW_INTEL)
		tap_skip_case("the IOMMU's own tables have no more addresses");
	iommufd_map(w->a.s.iommufd, w->a.s.ioas, ABOVE, w->other.hva,
		    w->other.size);
	TEST_ASSERT(testdev_write(&w->a.testdev, ABOVE, SIZE_4K),
		    "DMA above the VM's addresses");
}

static void unmap_above(struct aside *w)
{
	iommufd_unmap(w->a.s.iommufd, w->a.s.ioas, ABOVE, w->other.size);
}

/* Memory of the IOAS where the VM has none. */
static void map_without_memslot(struct aside *w)
{
	iommufd_map(w->a.s.iommufd, w->a.s.ioas, OTHER_GPA + SIZE_1G,
		    w->other.hva, w->other.size);
	TEST_ASSERT(testdev_write(&w->a.testdev, OTHER_GPA + SIZE_1G, SIZE_4K),
		    "DMA to what has no memslot");
}

static void unmap_without_memslot(struct aside *w)
{
	unmap_other_pages(w);
	TEST_ASSERT(!testdev_write(&w->a.testdev, OTHER_GPA + SIZE_1G, 64),
		    "DMA to what was unmapped");
}

static void unmap_memory(struct aside *w)
{
	__u64 mark = iommu_events_mark();

	share_vm_unmap(&w->a.s, &w->other);

	/* vCPUs have it, the device has not. */
	guest_fill(w->a.s.vcpus[0], w->other.gpa, w->other.size, SIZE_4K, 1);
	dma_expect_reached(&w->a.testdev, &w->other, false);
	TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");
}

static void map_memory(struct aside *w)
{
	share_vm_map(&w->a.s, &w->other);
}

/* The device still has it; vCPUs find no memory there. */
static void expect_slot_is_gone(struct aside *w)
{
	struct mmu_share_info info;

	dma_expect_reached(&w->a.testdev, &w->other, true);
	TEST_ASSERT_EQ(guest_mmio(w->a.s.vcpus[0], w->other.gpa, w->other.gpa,
				  ANSWER), ANSWER);
	mmu_share_read(w->a.s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, w->other.size);
}

static void delete_memslot(struct aside *w)
{
	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, w->other.gpa, 0,
				  NULL);
	expect_slot_is_gone(w);
}

static __u64 device_sees(struct aside *w, __u64 gpa)
{
	WRITE_ONCE(*(__u64 *)w->a.mem.hva, 0);
	edu_copy(&w->a.s.edu, w->a.mem.gpa, gpa, sizeof(__u64));
	return READ_ONCE(*(__u64 *)w->a.mem.hva);
}

/* It is the same memory as before, for both. */
static void put_memslot_back(struct aside *w)
{
	struct mmu_share_info info;

	create_memslot(w);
	guest_fill(w->a.s.vcpus[0], w->other.gpa, w->other.size, SIZE_4K, SEED);
	mmu_share_read(w->a.s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, 0);
	TEST_ASSERT_EQ(device_sees(w, w->other.gpa),
		       pattern_word(w->other.gpa, SEED));
}

/* The device has it where it was, vCPUs where it is now. */
static void move_memslot(struct aside *w)
{
	const __u64 gpa = w->other.gpa + SIZE_1G;

	vm_set_user_memory_region(w->a.s.vm, w->other.slot, 0, gpa,
				  w->other.size, w->other.hva);
	expect_slot_is_gone(w);
	virt_map_level(w->a.s.vm, gpa, gpa, w->other.size, PG_LEVEL_2M);
	guest_fill(w->a.s.vcpus[0], gpa, w->other.size, SIZE_4K, SEED);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)w->other.hva),
		       pattern_word(gpa, SEED));
	TEST_ASSERT(!testdev_write(&w->a.testdev, gpa, 64),
		    "DMA to where the IOAS maps nothing");
}

static void nx_huge_pages_on(struct aside *w)
{
	TEST_ASSERT(sysfile_write(NX_HUGE_PAGES, "force"), "nx_huge_pages");
	dma_expect_reached(&w->a.testdev, &w->other, true);
	guest_fill(w->a.s.vcpus[0], w->other.gpa, w->other.size, SIZE_4K, SEED);
}

static void nx_huge_pages_off(struct aside *w)
{
	TEST_ASSERT(sysfile_write(NX_HUGE_PAGES, "off"), "nx_huge_pages");
}

/*
 * The process gives half of it back. No matter, until a vCPU wants the new pages
 * there; the device has the old ones before and after.
 */
static void discard_and_touch(struct aside *w)
{
	struct kvm_vcpu *vcpu = w->a.s.vcpus[0];
	__u64 gpa = w->other.gpa, old = pattern_word(gpa, SEED);
	size_t half = w->other.size / 2;

	guest_fill(vcpu, gpa, w->other.size, SIZE_4K, SEED);
	TEST_ASSERT(!madvise(w->other.hva, half, MADV_DONTNEED), "madvise");
	usleep(SETTLE_US);
	TEST_ASSERT(auto_vm_status().shared, "aside before a vCPU asks for it");
	TEST_ASSERT_EQ(device_sees(w, gpa), old);

	/* What was not discarded is as it was; the rest is new, and the host's. */
	TEST_ASSERT_EQ(guest_diff(vcpu, gpa + half, half, SIZE_4K, gpa + half,
				  SEED), 0);
	TEST_ASSERT(auto_vm_status().shared, "aside for what is no conflict");
	TEST_ASSERT_EQ(guest_diff(vcpu, gpa, half, SIZE_4K, gpa, SEED),
		       half / SIZE_4K);
	TEST_ASSERT(!auto_vm_status().shared, "shared with two pages at a gfn");
	guest_fill(vcpu, gpa, half, SIZE_4K, ~SEED);
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)w->other.hva),
		       pattern_word(gpa, ~SEED));
	TEST_ASSERT_EQ(device_sees(w, gpa), old);
}

/* The IOAS gets the new pages; vCPUs keep them. */
static void map_anew(struct aside *w)
{
	share_vm_unmap(&w->a.s, &w->other);
	share_vm_map(&w->a.s, &w->other);
	TEST_ASSERT_EQ(device_sees(w, w->other.gpa),
		       pattern_word(w->other.gpa, ~SEED));
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

static void stays_shared(const void *arg)
{
	const struct change *change = arg;
	struct vmm_share_status before, after;
	struct aside w = { 0 };

	auto_vm_create(&w.a);
	add_other(&w);
	before = auto_vm_status();

	change->make(&w);
	usleep(SETTLE_US);
	auto_vm_expect_shared(&w.a);
	change->undo(&w);
	usleep(SETTLE_US);
	auto_vm_expect_shared(&w.a);
	dma_expect_reached(&w.a.testdev, &w.other, true);
	guest_fill(w.a.s.vcpus[0], w.other.gpa, w.other.size, SIZE_4K, SEED);

	after = auto_vm_status();
	TEST_ASSERT_EQ(after.to_private, before.to_private);
	TEST_ASSERT_EQ(after.failed, before.failed);
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
	faults = share_vm_tdp_faults(&w.a.s);
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
	TEST_ASSERT_EQ(share_vm_tdp_faults(&w.a.s), faults);
	auto_vm_destroy(&w.a);
}

static void keep_sharing(void *arg)
{
	while (!READ_ONCE(*(bool *)arg))
		__vmm_share_control(getpid(), "share");
}

/* Memory that the guest may only read. */
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
		map = { "map", "no-mirror", map_without_read,
			unmap_other_pages },
		above = { "map", "no-mirror", map_above, unmap_above },
		other = { "conflict", "no-mirror", map_other_pages,
			  unmap_other_pages },
		conflict = { "conflict", "no-mirror", discard_and_touch,
			     map_anew },
		attach = { "attach", "foreign", attach_foreign_device,
			   detach_foreign_device },
		claim = { "claim", "refused", claim_table, give_table_back },
		off = { "off", "off", switch_off, switch_on },
		forced = { "forced", NULL, say_private, NULL };
	static const struct change
		map_beside = { map_without_memslot, unmap_without_memslot },
		unmap = { unmap_memory, map_memory },
		delete = { delete_memslot, put_memslot_back },
		move = { move_memslot, put_memslot_back },
		nx = { nx_huge_pages_on, nx_huge_pages_off };
	static const struct tap_case cases[] = {
		{ "for a map that the device may not read",
		  .run_with = steps_aside, .arg = &map },
		{ "for a map above the addresses of KVM's table",
		  .run_with = steps_aside, .arg = &above },
		{ "for a vCPU that touches what the IOAS maps otherwise",
		  .run_with = steps_aside, .arg = &other },
		{ "for a vCPU that touches what the process has discarded",
		  .run_with = steps_aside, .arg = &conflict },
		{ "for a device of no VM",
		  .run_with = steps_aside, .arg = &attach },
		{ "for a HWPT that is the VM's table",
		  .run_with = steps_aside, .arg = &claim },
		{ "for an operator, until he wants it back",
		  .run_with = steps_aside, .arg = &off },
		{ "for an operator, for a moment",
		  .run_with = steps_aside, .arg = &forced },
		{ "not for a map that has no memslot",
		  .run_with = stays_shared, .arg = &map_beside },
		{ "not for an unmap of what vCPUs reach",
		  .run_with = stays_shared, .arg = &unmap },
		{ "not for a memslot that is deleted while the IOAS maps it",
		  .run_with = stays_shared, .arg = &delete },
		{ "not for a memslot that is moved while the IOAS maps it",
		  .run_with = stays_shared, .arg = &move },
		{ "not for NX huge pages", .run_with = stays_shared, .arg = &nx },
		{ "a hundred conversions lose no DMA and cost no fault",
		  nothing_is_lost },
		{ "sharing does not get in between an unmap",
		  unmap_is_not_overtaken },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
