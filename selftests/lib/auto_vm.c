// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM as VMMs set it up: VFIO knows of it, and its IOAS maps all its memory.
 */
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "kvm_vfio.h"
#include "tap.h"

#define EXTRA_PAGES	64
#define MEM_SIZE	(2 * SIZE_2M)

static void open_dev(struct auto_vm *a, struct vfio_dev *dev, __u16 vendor,
		     __u16 device)
{
	char bdf[BDF_LEN];

	TEST_ASSERT(vfio_dev_find(bdf, vendor, device, 0), "no %x:%x", vendor,
		    device);
	vfio_dev_open_in_vm(dev, bdf, a->s.iommufd, a->kvm_vfio);
}

void auto_vm_map_slot0(struct auto_vm *a)
{
	struct userspace_mem_region *slot0 = memslot2region(a->s.vm, 0);

	iommufd_map(a->s.iommufd, a->s.ioas, slot0->region.guest_phys_addr,
		    slot0->host_mem, slot0->region.memory_size);
}

void auto_vm_create_detached(struct auto_vm *a)
{
	struct share_vm *s = &a->s;

	vmm_share_require();
	share_vm_create_bare(s, EXTRA_PAGES);
	a->kvm_vfio = kvm_vfio_create(s->vm->fd);
	open_dev(a, &s->edu, EDU_VENDOR, EDU_DEVICE);
	open_dev(a, &a->testdev, TESTDEV_VENDOR, TESTDEV_DEVICE);
	guest_mem_add(&a->mem, s->vm, TEST_SLOT, BACKING_4K, GPA_HIGH, MEM_SIZE);
}

void auto_vm_attach(struct auto_vm *a, enum auto_vm_hwpt kind)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = a->s.ioas,
	};

	if (kind == MANUAL_HWPT)
		cmd.pt_id = iommufd_hwpt_alloc(a->s.iommufd, a->s.edu.dev_id,
					       a->s.ioas, HWPT_ORDINARY, 0);
	TEST_ASSERT(!ioctl(a->s.edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd),
		    "attach edu");
	a->s.hwpt = cmd.pt_id;
	vfio_dev_attach(&a->testdev,
			kind == MANUAL_HWPT ? a->s.hwpt : a->s.ioas);
}

void auto_vm_create(struct auto_vm *a)
{
	auto_vm_create_detached(a);
	auto_vm_attach(a, AUTO_HWPT);
	auto_vm_map_slot0(a);
	share_vm_map(&a->s, &a->mem);
	auto_vm_wait_shared(a);
}

struct vmm_share_status auto_vm_status(void)
{
	struct vmm_share_status st;

	TEST_ASSERT(vmm_share_status(getpid(), &st), "the VM is not listed");
	return st;
}

static void expect_root(struct auto_vm *a, bool shared)
{
	struct iommu_entry edu, testdev;
	__u64 root = vmm_kvm_root(getpid());

	iommu_entry_read(a->s.edu.bdf, &edu);
	iommu_entry_read(a->testdev.bdf, &testdev);
	TEST_ASSERT(edu.translates && edu.root == testdev.root,
		    "the devices are at 0x%llx and 0x%llx", edu.root,
		    testdev.root);
	TEST_ASSERT((edu.root == root) == shared,
		    "the devices are at 0x%llx, KVM at 0x%llx", edu.root, root);
	TEST_ASSERT_EQ(auto_vm_status().shared, shared);
	dma_expect_reached(&a->testdev, &a->mem, true);
}

void auto_vm_expect_shared(struct auto_vm *a)
{
	expect_root(a, true);
}

void auto_vm_expect_private(struct auto_vm *a)
{
	expect_root(a, false);
}

void auto_vm_wait_shared(struct auto_vm *a)
{
	vmm_wait_shared(getpid(), AUTO_VM_SECONDS);
	auto_vm_expect_shared(a);
}

void auto_vm_destroy(struct auto_vm *a)
{
	close(a->kvm_vfio);
	vfio_dev_close(&a->testdev);
	share_vm_destroy(&a->s);
}
