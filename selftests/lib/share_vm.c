// SPDX-License-Identifier: GPL-2.0-only
/* The set-up of most tests: a VM, an IOAS, a HWPT and an assigned device. */
#include "iommu_hw.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "sysfile.h"

/* For the guest's own page tables over the largest test memory. */
#define EXTRA_PAGES 4096

void share_vm_require(bool share)
{
	char bdf[BDF_LEN];

	debugfs_mount();
	__TEST_REQUIRE(mmu_share_parameter_exists(),
		       "this kernel has no kvm.share_iommu_tdp");
	__TEST_REQUIRE(mmu_share_parameter() == share,
		       "needs a boot with kvm.share_iommu_tdp=%d", share);
	__TEST_REQUIRE(!access("/dev/iommu", R_OK | W_OK), "no /dev/iommu");
	__TEST_REQUIRE(iommu_hw() != IOMMU_HW_NONE,
		       "no IOMMU, or no CONFIG_*_IOMMU_DEBUGFS");
	__TEST_REQUIRE(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0),
		       "no edu device");
}

void share_vm_create_bare(struct share_vm *s, unsigned int extra_pages)
{
	int i;

	s->vm = __vm_create_with_vcpus(VM_SHAPE_DEFAULT, SHARE_VM_VCPUS,
				       extra_pages, guest_main, s->vcpus);
	for (i = 0; i < SHARE_VM_VCPUS; i++)
		vcpu_args_set(s->vcpus[i], 1, (__u64)i);
	s->iommufd = iommufd_open();
	s->ioas = iommufd_ioas_alloc(s->iommufd);
}

void share_vm_create_detached(struct share_vm *s)
{
	char bdf[BDF_LEN];

	share_vm_create_bare(s, EXTRA_PAGES);
	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0), "no edu");
	vfio_dev_open(&s->edu, bdf, s->iommufd);
}

void share_vm_attach(struct share_vm *s, enum hwpt_kind kind)
{
	s->hwpt = iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas, kind,
				     s->vm->fd);
	vfio_dev_attach(&s->edu, s->hwpt);
}

void share_vm_create(struct share_vm *s, enum hwpt_kind kind)
{
	share_vm_create_detached(s);
	share_vm_attach(s, kind);
}

void share_vm_map(struct share_vm *s, struct guest_mem *mem)
{
	iommufd_map(s->iommufd, s->ioas, mem->gpa, mem->hva, mem->size);
}

void share_vm_unmap(struct share_vm *s, struct guest_mem *mem)
{
	iommufd_unmap(s->iommufd, s->ioas, mem->gpa, mem->size);
}

void share_vm_add_mem(struct share_vm *s, struct guest_mem *mem,
		      enum guest_mem_backing backing, __u64 gpa, size_t size)
{
	guest_mem_add(mem, s->vm, TEST_SLOT, backing, gpa, size);
	share_vm_map(s, mem);
}

static bool add_device(struct share_vm *s, struct vfio_dev *dev, __u16 vendor,
		       __u16 device, unsigned int index)
{
	char bdf[BDF_LEN];

	if (!vfio_dev_find(bdf, vendor, device, index))
		return false;
	vfio_dev_open(dev, bdf, s->iommufd);
	vfio_dev_attach(dev, s->hwpt);
	return true;
}

bool share_vm_add_edu(struct share_vm *s, struct vfio_dev *edu)
{
	return add_device(s, edu, EDU_VENDOR, EDU_DEVICE, 1);
}

bool share_vm_add_testdev(struct share_vm *s, struct vfio_dev *dev)
{
	return add_device(s, dev, TESTDEV_VENDOR, TESTDEV_DEVICE, 0);
}

void share_vm_warm_up(struct share_vm *s)
{
	struct userspace_mem_region *slot0 = memslot2region(s->vm, 0);
	struct kvm_pre_fault_memory range = {
		.gpa = slot0->region.guest_phys_addr,
		.size = slot0->region.memory_size,
	};
	int i, r;

	/* Pages that the host never wrote would be mapped as the zero page. */
	r = madvise(slot0->host_mem, range.size, MADV_POPULATE_WRITE);
	TEST_ASSERT(!r, "MADV_POPULATE_WRITE of slot 0");
	while (range.size) {
		r = __vcpu_ioctl(s->vcpus[0], KVM_PRE_FAULT_MEMORY, &range);
		TEST_ASSERT(!r || errno == EINTR, "KVM_PRE_FAULT_MEMORY");
	}
	for (i = 0; i < SHARE_VM_VCPUS; i++)
		guest_nop(s->vcpus[i]);
}

__u64 share_vm_tdp_faults(struct share_vm *s)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < SHARE_VM_VCPUS; i++)
		sum += vcpu_get_stat(s->vcpus[i], pf_taken);
	return sum;
}

__u64 share_vm_leaves_2m(struct share_vm *s)
{
	struct mmu_share_info info;

	mmu_share_read(s->vm, &info);
	return info.leaf_2m;
}

void share_vm_log_dirty(struct share_vm *s, __u32 slot, bool on)
{
	vm_mem_region_set_flags(s->vm, slot, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
}

void share_vm_destroy(struct share_vm *s)
{
	vfio_dev_close(&s->edu);
	close(s->iommufd);
	kvm_vm_free(s->vm);
}
