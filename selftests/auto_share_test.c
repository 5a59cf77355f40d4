// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's HWPT walks KVM's table by itself, as soon as the IOAS mirrors the VM's
 * memory and nothing has changed for a while. It does not where the IOAS maps
 * something else, or less.
 */
#include "amd_iommu.h"
#include "auto_vm.h"
#include "dma_page.h"
#include "tap.h"

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
	st.devices = share_vm_npt_faults(&a.s);
	guest_fill(a.s.vcpus[0], a.mem.gpa, a.mem.size, SIZE_4K, 1);
	TEST_ASSERT_EQ(share_vm_npt_faults(&a.s), st.devices);
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

/* A vIOMMU's: IOVAs that are no GPAs. Those that are, are no matter. */
static void iovas_are_not_shared(void)
{
	struct auto_vm a;

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	iommufd_map(a.s.iommufd, a.s.ioas, a.mem.gpa + SIZE_1G, a.mem.hva,
		    a.mem.size);
	expect_stays_private("no-mirror");

	/* Control: all of the VM's memory where the VM has it. */
	iommufd_unmap(a.s.iommufd, a.s.ioas, a.mem.gpa + SIZE_1G, a.mem.size);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

static void iovas_beside_are_not_shared(void)
{
	struct auto_vm a;

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	iommufd_map(a.s.iommufd, a.s.ioas, a.mem.gpa + SIZE_1G, a.mem.hva,
		    a.mem.size);
	expect_stays_private("no-mirror");
	auto_vm_expect_private(&a);

	iommufd_unmap(a.s.iommufd, a.s.ioas, a.mem.gpa + SIZE_1G, a.mem.size);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

/* What vCPUs fault in beside it would be the device's too. */
static void part_is_not_shared(void)
{
	struct auto_vm a;

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	iommufd_map(a.s.iommufd, a.s.ioas, a.mem.gpa, a.mem.hva,
		    a.mem.size / 2);
	expect_stays_private("no-mirror");

	iommufd_map(a.s.iommufd, a.s.ioas, a.mem.gpa + a.mem.size / 2,
		    a.mem.hva + a.mem.size / 2, a.mem.size / 2);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
}

/* Firmware, and the registers of an assigned device: no one need map these. */
static void rom_and_registers_need_no_map(void)
{
	struct auto_vm a;
	void *rom;

	auto_vm_create_detached(&a);
	rom = kvm_mmap(SIZE_4K, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
	vm_set_user_memory_region(a.s.vm, TEST_SLOT + 1, KVM_MEM_READONLY,
				  a.mem.gpa + SIZE_1G, SIZE_4K, rom);
	vm_set_user_memory_region(a.s.vm, TEST_SLOT + 2, 0,
				  a.mem.gpa + 2 * SIZE_1G, a.s.edu.bar_size,
				  a.s.edu.bar);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);
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
	struct amd_dte dte;

	amd_dte_read(dev->bdf, &dte);
	return dte.translates && dte.root == vmm_kvm_root(getpid());
}

/* When the first IOAS lets the table go the second gets it, without an event. */
static void second_ioas_takes_over(void)
{
	struct userspace_mem_region *slot0;
	struct auto_vm a;
	__u32 other;
	int i;

	auto_vm_create(&a);
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
	static const struct tap_case cases[] = {
		{ "an automatic HWPT becomes shared and keeps its id",
		  automatic_hwpt },
		{ "a HWPT that the VMM allocated does as well", manual_hwpt },
		{ "an IOAS with IOVAs is never shared", iovas_are_not_shared },
		{ "nor is one with IOVAs beside the VM's memory",
		  iovas_beside_are_not_shared },
		{ "nor is one with part of the VM's memory",
		  part_is_not_shared },
		{ "read-only memslots and registers need no map",
		  rom_and_registers_need_no_map },
		{ "one IOAS of a VM is shared, another is not",
		  one_ioas_of_a_vm },
		{ "the other is shared when the first lets the table go",
		  second_ioas_takes_over },
		{ "switched off on the host, a new VM stays private",
		  host_is_off },
		{ "orders that make no sense are refused", control_refuses },
		{ "the VM is let go with its last device, and met again",
		  vm_goes_with_its_devices },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
