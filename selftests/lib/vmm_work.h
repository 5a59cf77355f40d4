/* SPDX-License-Identifier: GPL-2.0-only */
/* Assigned disks of a QEMU's guest: the guest's work on them, and conversions. */
#ifndef TDP_SELFTEST_VMM_WORK_H
#define TDP_SELFTEST_VMM_WORK_H

#include "vfio_dev.h"
#include "vmm.h"

#define VMM_SECONDS	120	/* for what takes seconds on an idle machine */

/* A disk of the emulated host, by its number there. */
struct vmm_disk {
	char bdf[BDF_LEN];
	char id[8];	/* QEMU's id, and the disk's serial number */
	char name[16];	/* in the guest, such as nvme0n1 */
	char arg[96];	/* of -device */
};

/* For vmm_options::args. */
struct vmm_args {
	const char *args[32];
	unsigned int n;
};

void vmm_args_add(struct vmm_args *a, const char *option, const char *value);

/* An iommufd, and ports 0 to 2, where devices come and go. */
void vmm_args_add_ports(struct vmm_args *a);

/* Takes the disk from the host. */
void vmm_disk_take(struct vmm_disk *d, unsigned int number);

/* The same, and has it there from the start, behind that port. */
void vmm_args_add_disk(struct vmm_args *a, struct vmm_disk *d,
		       unsigned int number, unsigned int port);

/* Waits until the guest has it, and finds its name there. */
void vmm_disk_wait(struct vmm *v, struct vmm_disk *d);

/* QMP's device_add, and vmm_disk_wait(). */
void vmm_disk_plug(struct vmm *v, struct vmm_disk *d,
		   unsigned int port);

/* QMP's device_del; the guest lets go of it, QEMU closes it. */
void vmm_disk_unplug(struct vmm *v, const struct vmm_disk *d);

/*
 * The guest makes a file system on it, writes and reads behind, and compares
 * each byte. vmm_work_more() waits for some that began after its call.
 * vmm_work_stop() ends the case if there was a wrong byte or an error.
 */
void vmm_work_start(struct vmm *v, const struct vmm_disk *d);
__u64 vmm_work_count(struct vmm *v, const struct vmm_disk *d);
void vmm_work_more(struct vmm *v, const struct vmm_disk *d);
void vmm_work_stop(struct vmm *v, const struct vmm_disk *d);

/* All of that. */
void vmm_work_some(struct vmm *v, const struct vmm_disk *d);

/* Forces it to private and back, @pairs times, back to back. */
void vmm_convert(struct vmm *v, unsigned int pairs);

/* What the IOAS has pinned in KVM's table, or 0. */
__u64 vmm_pinned_bytes(pid_t pid);

/* Ends the case unless the device's IOMMU table is KVM's. */
void vmm_expect_one_table(struct vmm *v, const char *bdf);

#endif
