/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM as VMMs set it up: VFIO knows of it, and its IOAS maps all its memory.
 * Nobody asks for sharing.
 */
#ifndef TDP_SELFTEST_AUTO_VM_H
#define TDP_SELFTEST_AUTO_VM_H

#include "share_vm.h"
#include "vmm_share.h"

/* How long sharing by itself may take; it is a fraction of a second. */
#define AUTO_VM_SECONDS	20

enum auto_vm_hwpt {
	AUTO_HWPT,	/* the IOAS's automatic one */
	MANUAL_HWPT,	/* one that the VMM allocated */
};

struct auto_vm {
	struct share_vm s;		/* s.hwpt: of either kind */
	int kvm_vfio;
	struct guest_mem mem;		/* of TEST_SLOT, at GPA_HIGH */
	struct vfio_dev testdev;
};

/* Without devices; with them attached; and also shared. */
void auto_vm_create_detached(struct auto_vm *a);
void auto_vm_attach(struct auto_vm *a, enum auto_vm_hwpt kind);
void auto_vm_create(struct auto_vm *a);

/* The library's own memslot 0, in the IOAS. */
void auto_vm_map_slot0(struct auto_vm *a);

/* That the devices are at KVM's root, or are not, and reach @mem either way. */
void auto_vm_expect_shared(struct auto_vm *a);
void auto_vm_expect_private(struct auto_vm *a);

void auto_vm_wait_shared(struct auto_vm *a);

/* The state, and what it has been. */
struct vmm_share_status auto_vm_status(void);

void auto_vm_destroy(struct auto_vm *a);

#endif
