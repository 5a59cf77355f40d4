/* SPDX-License-Identifier: GPL-2.0-only */
/* Finds a PCI device and opens it through vfio-pci's cdev and iommufd. */
#ifndef TDP_SELFTEST_VFIO_DEV_H
#define TDP_SELFTEST_VFIO_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define BDF_LEN 13	/* "0000:00:04.0" */

struct vfio_dev {
	char bdf[BDF_LEN];
	int fd;
	__u32 dev_id;		/* iommufd's name for it */
	void *bar;		/* BAR 0 */
	size_t bar_size;
};

/*
 * Finds the @index-th device with this id in the order of the bus addresses,
 * and binds it to vfio-pci if it is not.
 */
bool vfio_dev_find(char *bdf, __u16 vendor, __u16 device, unsigned int index);

/* Opens, binds to @iommufd, maps BAR 0, enables memory and bus mastering. */
void vfio_dev_open(struct vfio_dev *dev, const char *bdf, int iommufd);
void vfio_dev_close(struct vfio_dev *dev);

/*
 * As VMMs do it: the device's file is given to the VM's kvm-vfio device before it
 * is bound, so that iommufd learns of the VM. The kvm-vfio device holds the VM
 * and these files: close it before them.
 */
void vfio_dev_open_in_vm(struct vfio_dev *dev, const char *bdf, int iommufd,
			 int kvm_vfio);

/*
 * The same in steps: the file, which other processes may inherit, then the rest,
 * in a VM or (-1) in none; and what the next VMM does with a bound device.
 */
void vfio_dev_open_file(struct vfio_dev *dev, const char *bdf);
void vfio_dev_bind(struct vfio_dev *dev, int iommufd, int kvm_vfio);
void vfio_dev_take_over(struct vfio_dev *dev, int kvm_vfio);

/* To an IOAS (automatic HWPT) or a HWPT; replaces what is attached. */
int __vfio_dev_attach(struct vfio_dev *dev, __u32 pt_id);
void vfio_dev_attach(struct vfio_dev *dev, __u32 pt_id);
void vfio_dev_detach(struct vfio_dev *dev);

#endif
