/* SPDX-License-Identifier: GPL-2.0-only */
/* The emulated host's PCI devices, as a VMM's user binds and unbinds them. */
#ifndef TDP_SELFTEST_VMM_HOST_H
#define TDP_SELFTEST_VMM_HOST_H

#include "vfio_dev.h"

/* What scripts/boot --for-vmm adds. */
#define NVME_VENDOR	0x1b36	/* two of them: disks */
#define NVME_DEVICE	0x0010
#define IGB_VENDOR	0x8086
#define IGB_DEVICE	0x10c9
#define E1000E_VENDOR	0x8086	/* two: the second is the host's own */
#define E1000E_DEVICE	0x10d3

/* The @index-th with this id, in the order of addresses. Skips without it. */
void host_pci_find(char *bdf, __u16 vendor, __u16 device, unsigned int index);

/* Finds it and binds it to vfio-pci. */
void host_pci_take(char *bdf, __u16 vendor, __u16 device, unsigned int index);

/* Back to the driver that the host has for it. */
void host_pci_give_back(const char *bdf);

/*
 * In this process and its children /dev/vfio/vfio is iommufd's type1-compatible
 * container from here on. Undone when they end.
 */
void host_use_iommufd_container(void);

#endif
