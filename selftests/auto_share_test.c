// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's HWPT walks KVM's table by itself, as soon as nothing has changed for a
 * while. It does also where the IOAS maps less than the VM has, or more, and the
 * device reaches exactly that. It does not where the IOAS maps other pages.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "tap.h"

#define ANSWER		0x5ca1ab1e
#define SEED		0x5ea
#define NEW_MEMSLOTS	50
#define SETTLE_US	100000	/* the kernel looks again after 10 ms */

/* Waits until it has been looked at again, and is private for @reason. */
static void expect_stays_private(const char *reason)
{
	vmm_wait_private(getpid(), reason, AUTO_VM_SECONDS);
	TEST_ASSERT_EQ(__vmm_share_control(getpid(), "share") != 0, true);
	TEST_ASSERT_EQ(auto_vm_status().to_shared, 0);
}

static void becomes_shared(enum auto_vm_hwpt kind)
{
	struct vmm_share_status st;
	struct auto_vm a;

	auto_vm_create_detached(&a);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	auto_vm_attach(&a, kind);
	auto_vm_wait_shared(&a);

	st = auto_vm_status();
	TEST_ASSERT_EQ(st.hwpt, a.s.hwpt);
	TEST_ASSERT_EQ(st.devices, 2);
	TEST_ASSERT_EQ(st.to_shared, 1);

	/* The id is still good for what ids are good for. */
	vfio_dev_attach(&a.testdev, a.s.hwpt);
	auto_vm_expect_shared(&a);

	/* vCPUs have it too, without a fault. */
	share_vm_warm_up(&a.s);
	st.devices = share_vm_tdp_faults(&a.s);
	guest_fill(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K, 1);
	TEST_ASSERT_EQ(share_vm_tdp_faults(&a.s), st.devices);
	auto_vm_destroy(&a);
}

static void automatic_hwpt(void)
{
	becomes_shared(AUTO_HWPT);
}

static void manual_hwpt(void)
{
	becomes_shared(MANUAL_HWPT);
}

/* @len bytes that the process has at @va, at another address than the VM. */
static void expect_iova(struct auto_vm *a, __u64 iova, size_t len, void *va,
			bool reached)
{
	struct guest_mem mem = { .gpa = iova, .size = len, .hva = va };

	dma_expect_reached(&a->testdev, &mem, reached);
}

/* Other pages where the VM has memory: one table can't be both. */
static void other_pages_are_not_shared(void)
{
	struct auto_vm a;
	void *other;

	auto_vm_create_detached(&a);
	other = kvm_mmap(a.mem.size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1);
	/* All of it first: a HWPT that is shared already takes such a map. */
	auto_vm_map_slot0(&a);
	iommufd_map(a.s.iommufd, a.s.ioas, a.mem.gpa, other, a.mem.size);
	auto_vm_attach(&a, AUTO_HWPT);
	expect_stays_private("no-mirror");
	expect_iova(&a, a.mem.gpa, a.mem.size, other, true);

	/* Control: the VM's own pages there. */
	iommufd_unmap(a.s.iommufd, a.s.ioas, a.mem.gpa, a.mem.size);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

/*
 * A vIOMMU's: IOVAs that are no GPAs. They are the device's alone: where the VM
 * has no memory a vCPU finds none, and comes out for MMIO.
 */
static void iovas_beside_are_shared(void)
{
	struct mmu_share_info info;
	struct auto_vm a;
	__u64 iova;

	auto_vm_create_detached(&a);
	iova = a.mem.gpa + SIZE_1G;
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	iommufd_map(a.s.iommufd, a.s.ioas, iova, a.mem.hva, a.mem.size);
	auto_vm_wait_shared(&a);
	expect_iova(&a, iova, a.mem.size, a.mem.hva, true);
	mmu_share_read(a.s.vm, &info);
	TEST_ASSERT_EQ(info.device_only_bytes, a.mem.size);
	virt_map(a.s.vm, iova, iova, 1);
	TEST_ASSERT_EQ(guest_mmio(a.s.vcpus[0], iova, iova, ANSWER), ANSWER);
	expect_iova(&a, iova, a.mem.size, a.mem.hva, true);

	/* Control: it is this map by which the device gets there. */
	iommufd_unmap(a.s.iommufd, a.s.ioas, iova, a.mem.size);
	expect_iova(&a, iova, a.mem.size, a.mem.hva, false);
	auto_vm_expect_shared(&a);
	TEST_ASSERT_EQ(auto_vm_status().to_private, 0);
	auto_vm_destroy(&a);
}

/* What vCPUs fault in beside it is not the device's. */
static void part_is_shared(void)
{
	struct guest_mem first, second;
	struct auto_vm a;
	__u64 mark;

	auto_vm_create_detached(&a);
	first = a.mem;
	first.size /= 2;
	second = first;
	second.gpa += first.size;
	second.hva += first.size;
	auto_vm_attach(&a, AUTO_HWPT);
	share_vm_map(&a.s, &first);
	vmm_wait_shared(getpid(), AUTO_VM_SECONDS);

	guest_fill(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K, 1);
	mark = iommu_events_mark();
	dma_expect_reached(&a.testdev, &first, true);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	dma_expect_reached(&a.testdev, &second, false);
	TEST_ASSERT(iommu_events_since(mark) > 0, "no IOMMU event");

	/* Control: with a map of its own it is. */
	share_vm_map(&a.s, &second);
	auto_vm_expect_shared(&a);
	TEST_ASSERT_EQ(auto_vm_status().to_private, 0);
	auto_vm_destroy(&a);
}

/*
 * Firmware, and the registers of an assigned device, which no VMM need map: the
 * device does not get there, whatever vCPUs touch.
 */
static void rom_and_registers_need_no_map(void)
{
	const __u64 rom_at = GPA_HIGH + SIZE_1G, bar_at = rom_at + SIZE_1G;
	struct auto_vm a;
	void *rom;

	auto_vm_create_detached(&a);
	rom = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	WRITE_ONCE(*(__u64 *)rom, pattern_word(rom_at, SEED));
	vm_set_user_memory_region(a.s.vm, TEST_SLOT + 1, KVM_MEM_READONLY,
				  rom_at, SIZE_4K, rom);
	vm_set_user_memory_region(a.s.vm, TEST_SLOT + 2, 0, bar_at,
				  a.s.edu.bar_size, a.s.edu.bar);
	virt_map(a.s.vm, rom_at, rom_at, 1);
	virt_map(a.s.vm, bar_at, bar_at, 1);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);

	TEST_ASSERT_EQ(guest_diff(a.s.vcpus[0], rom_at, 8, 8, rom_at, SEED), 0);
	TEST_ASSERT_EQ(guest_diff(a.s.vcpus[0], bar_at, 8, 8, bar_at, SEED), 1);
	TEST_ASSERT(!testdev_write(&a.testdev, rom_at, 64), "DMA to the ROM");
	TEST_ASSERT(!testdev_write(&a.testdev, bar_at, 64),
		    "DMA to registers that the IOAS does not map");

	/* Control: the ROM, mapped, is the device's to read. */
	TEST_ASSERT_EQ(__iommufd_map(a.s.iommufd, a.s.ioas,
				     IOMMU_IOAS_MAP_READABLE, rom_at, rom,
				     SIZE_4K), 0);
	edu_copy(&a.s.edu, a.mem.gpa, rom_at, sizeof(__u64));
	TEST_ASSERT_EQ(READ_ONCE(*(__u64 *)a.mem.hva),
		       pattern_word(rom_at, SEED));
	TEST_ASSERT(!testdev_write(&a.testdev, rom_at, 64), "DMA to the ROM");
	auto_vm_expect_shared(&a);
	auto_vm_destroy(&a);
}

/*
 * A memslot comes, and a vCPU touches it before anybody has looked at it: again
 * and again, right after the ioctl and for good. @hole: its first page, which is
 * what the host was asked about once, is nowhere mapped.
 */
static void new_memslot(bool hole)
{
	const __u64 gpa = GPA_HIGH + SIZE_1G;
	struct vmm_share_status before;
	struct guest_mem second;
	struct auto_vm a;
	void *hva;
	int i;

	auto_vm_create(&a);
	hva = kvm_mmap(SIZE_2M, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
	if (hole)
		TEST_ASSERT(!munmap(hva, SIZE_4K), "munmap");
	virt_map_level(a.s.vm, gpa, gpa, SIZE_2M, PG_LEVEL_2M);
	second = (struct guest_mem) {
		.gpa = gpa + SIZE_4K, .hva = hva + SIZE_4K, .size = SIZE_4K,
	};
	before = auto_vm_status();
	for (i = 0; i < NEW_MEMSLOTS; i++) {
		if (i)
			vm_set_user_memory_region(a.s.vm, TEST_SLOT + 1, 0, gpa,
						  0, NULL);
		vm_set_user_memory_region(a.s.vm, TEST_SLOT + 1, 0, gpa,
					  SIZE_2M, hva);
		guest_fill(a.s.vcpus[0], second.gpa, second.size, SIZE_4K, i);
		TEST_ASSERT(!dma_page_reached(&a.testdev, &second, 0),
			    "DMA to a memslot that the IOAS does not map");
	}
	usleep(SETTLE_US);
	TEST_ASSERT(!dma_page_reached(&a.testdev, &second, 0),
		    "DMA to a memslot that the IOAS does not map");

	/* Control: a map opens it, and that page alone. */
	share_vm_map(&a.s, &second);
	TEST_ASSERT(dma_page_reached(&a.testdev, &second, 0), "no DMA");
	TEST_ASSERT(!testdev_write(&a.testdev, gpa + 2 * SIZE_4K, 64),
		    "DMA beside what was mapped");
	auto_vm_expect_shared(&a);
	TEST_ASSERT_EQ(auto_vm_status().to_private, before.to_private);
	auto_vm_destroy(&a);
}

static void new_memslot_is_not_reached(void)
{
	new_memslot(false);
}

static void new_memslot_with_hole(void)
{
	new_memslot(true);
}

static void one_ioas_of_a_vm(void)
{
	struct vmm_share_status st;
	struct auto_vm a;
	__u32 other;

	auto_vm_create(&a);

	/* Another IOAS of the VM keeps a table of its own. */
	other = iommufd_ioas_alloc(a.s.iommufd);
	iommufd_map(a.s.iommufd, other, a.mem.gpa, a.mem.hva, a.mem.size);
	vfio_dev_attach(&a.testdev, other);
	TEST_ASSERT(testdev_write(&a.testdev, a.mem.gpa, SIZE_4K),
		    "DMA through the other IOAS");
	st = auto_vm_status();
	TEST_ASSERT_EQ(st.shared, true);
	TEST_ASSERT_EQ(st.devices, 1);

	vfio_dev_attach(&a.testdev, a.s.ioas);
	auto_vm_expect_shared(&a);
	auto_vm_destroy(&a);
}

static bool at_kvm_root(struct vfio_dev *dev)
{
	struct iommu_entry entry;

	iommu_entry_read(dev->bdf, &entry);
	return entry.translates && entry.root == vmm_kvm_root(getpid());
}

/*
 * When the first IOAS lets the table go the second gets it, without an event: as an
 * automatic HWPT goes with its last device, or as one that stays steps aside.
 */
static void second_ioas_takes_over(const void *arg)
{
	const enum auto_vm_hwpt *kind = arg;
	struct userspace_mem_region *slot0;
	struct auto_vm a;
	__u32 other;
	int i;

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, *kind);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);
	slot0 = memslot2region(a.s.vm, 0);
	other = iommufd_ioas_alloc(a.s.iommufd);
	iommufd_map(a.s.iommufd, other, slot0->region.guest_phys_addr,
		    slot0->host_mem, slot0->region.memory_size);
	iommufd_map(a.s.iommufd, other, a.mem.gpa, a.mem.hva, a.mem.size);
	vfio_dev_attach(&a.testdev, other);
	sleep(1);
	TEST_ASSERT(at_kvm_root(&a.s.edu) && !at_kvm_root(&a.testdev),
		    "the second IOAS has the table");

	vfio_dev_detach(&a.s.edu);
	for (i = 0; i < 500 && !at_kvm_root(&a.testdev); i++)
		usleep(10000);
	TEST_ASSERT(at_kvm_root(&a.testdev), "nobody has the table after 5 s");
	dma_expect_reached(&a.testdev, &a.mem, true);
	auto_vm_destroy(&a);
}

/* The host's switch is for VMs that come later; the VM's own is for good. */
static void host_is_off(void)
{
	struct auto_vm a;

	vmm_share_new_vms(false);
	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	vmm_share_new_vms(true);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	expect_stays_private("off");
	TEST_ASSERT_EQ(__vmm_share_control(getpid(), "share"), -EPERM);
	auto_vm_expect_private(&a);

	vmm_share_control(getpid(), "auto");
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

static void control_refuses(void)
{
	struct auto_vm a;

	auto_vm_create(&a);
	TEST_ASSERT_EQ(__vmm_share_control(getpid(), "sharing"), -EINVAL);
	TEST_ASSERT_EQ(__vmm_share_control(getpid(), ""), -EINVAL);
	TEST_ASSERT_EQ(__vmm_share_control(1, "share"), -ESRCH);
	auto_vm_expect_shared(&a);

	/* Control: the order is heard. */
	vmm_share_control(getpid(), "private");
	TEST_ASSERT_EQ(auto_vm_status().to_private, 1);
	auto_vm_destroy(&a);
}

/* The VM is let go with its last device, not with the IOAS. */
static void vm_goes_with_its_devices(void)
{
	unsigned int left = AUTO_VM_SECONDS * 100;
	struct vmm_share_status st;
	struct auto_vm a;

	auto_vm_create(&a);
	vfio_dev_detach(&a.testdev);
	TEST_ASSERT_EQ(auto_vm_status().devices, 1);
	TEST_ASSERT_EQ(auto_vm_status().shared, true);
	vfio_dev_detach(&a.s.edu);
	while (vmm_share_status(getpid(), &st) && left--)
		usleep(10000);
	TEST_ASSERT(!vmm_share_status(getpid(), &st), "still listed: %s",
		    st.line);

	/* And is met again. */
	auto_vm_attach(&a, MANUAL_HWPT);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

int main(void)
{
	static const enum auto_vm_hwpt automatic = AUTO_HWPT, manual = MANUAL_HWPT;
	static const struct tap_case cases[] = {
		{ "an automatic HWPT becomes shared and keeps its id",
		  automatic_hwpt },
		{ "a HWPT that the VMM allocated does as well", manual_hwpt },
		{ "an IOAS with other pages than the VM's is never shared",
		  other_pages_are_not_shared },
		{ "one with IOVAs beside the VM's memory is, for the device",
		  iovas_beside_are_shared },
		{ "one with part of the VM's memory is, the device has that",
		  part_is_shared },
		{ "read-only memslots and registers need no map",
		  rom_and_registers_need_no_map },
		{ "a new memslot is not reached before it is mapped",
		  new_memslot_is_not_reached },
		{ "nor is one whose first page the process does not have",
		  new_memslot_with_hole },
		{ "one IOAS of a VM is shared, another is not",
		  one_ioas_of_a_vm },
		{ "the other is shared when the first's HWPT goes",
		  .run_with = second_ioas_takes_over, .arg = &automatic },
		{ "the other is shared when the first steps aside",
		  .run_with = second_ioas_takes_over, .arg = &manual },
		{ "switched off on the host, a new VM stays private",
		  host_is_off },
		{ "orders that make no sense are refused", control_refuses },
		{ "the VM is let go with its last device, and met again",
		  vm_goes_with_its_devices },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
