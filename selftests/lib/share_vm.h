/* SPDX-License-Identifier: GPL-2.0-only */
/* The set-up of most tests: a VM, an IOAS, a HWPT and an assigned device. */
#ifndef TDP_SELFTEST_SHARE_VM_H
#define TDP_SELFTEST_SHARE_VM_H

#include "edu.h"
#include "guest.h"
#include "guest_mem.h"
#include "iommufd.h"
#include "testdev.h"

#define SHARE_VM_VCPUS	2

/* Where tests put guest memory: free of the library's own slot 0. */
#define GPA_LOW		SIZE_1G
#define GPA_HIGH	(8 * SIZE_1G)	/* above 4 GiB */
#define TEST_SLOT	1

struct share_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[SHARE_VM_VCPUS];
	int iommufd;
	__u32 ioas;
	__u32 hwpt;
	struct vfio_dev edu;
};

/*
 * Ends the program as skipped unless the machine is what the tests need: the
 * parameter in sysfs is @share, /dev/iommu, an IOMMU that shows its entries, an
 * edu device.
 */
void share_vm_require(bool share);

/*
 * A VM, an iommufd and an IOAS, no device yet. @extra_pages: memory of the
 * library's own slot 0 for the guest's page tables.
 */
void share_vm_create_bare(struct share_vm *s, unsigned int extra_pages);

/* Stops before a HWPT exists, then share_vm_attach() makes and attaches one. */
void share_vm_create_detached(struct share_vm *s);
void share_vm_attach(struct share_vm *s, enum hwpt_kind kind);

/* Both. */
void share_vm_create(struct share_vm *s, enum hwpt_kind kind);

/* A memslot of that backing, mapped in the IOAS (the second one only does). */
void share_vm_add_mem(struct share_vm *s, struct guest_mem *mem,
		      enum guest_mem_backing backing, __u64 gpa, size_t size);
void share_vm_map(struct share_vm *s, struct guest_mem *mem);
void share_vm_unmap(struct share_vm *s, struct guest_mem *mem);

/* One more device of the IOAS, attached to the HWPT. False: no such device. */
bool share_vm_add_edu(struct share_vm *s, struct vfio_dev *edu);
bool share_vm_add_testdev(struct share_vm *s, struct vfio_dev *dev);

/*
 * Faults in what the vCPUs touch besides test memory (code, stacks, page
 * tables), so that faults counted from here on are test memory's.
 */
void share_vm_warm_up(struct share_vm *s);

/* Faults in the second-level table that the vCPUs took so far. */
__u64 share_vm_tdp_faults(struct share_vm *s);

/* Leaves of 2M in the VM's shared root. */
__u64 share_vm_leaves_2m(struct share_vm *s);

/* KVM's dirty log of a memslot. */
void share_vm_log_dirty(struct share_vm *s, __u32 slot, bool on);

void share_vm_destroy(struct share_vm *s);

#endif
