/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of DMA that many tests make: it arrives, it is stopped, it goes on. */
#ifndef TDP_SELFTEST_DMA_CHECK_H
#define TDP_SELFTEST_DMA_CHECK_H

#include "share_vm.h"

/*
 * vCPU 0 writes @src (offsets in @mem), the device copies it to @dst, and both
 * vCPU 1 and the process read it there.
 */
void dma_check_between_vcpus(struct share_vm *s, struct guest_mem *mem,
			     size_t dst, size_t src);

/* A page goes from @src to @dst (offsets in @mem), without an IOMMU event. */
void dma_check_copies(struct share_vm *s, struct guest_mem *mem, size_t dst,
		      size_t src);

/* The IOMMU stops a write there, and says so by an event. */
void dma_check_write_stopped(struct share_vm *s, __u64 gpa);

/* DMA that a test keeps up while it does something else to the VM. */
struct steady_dma {
	struct share_vm *s;
	struct vfio_dev testdev;
	struct testdev_load load;
	__u64 mark;
	__u64 root;
};

/* Writes @len bytes that the process sees at @va again and again. */
void steady_dma_start(struct steady_dma *d, struct share_vm *s, __u64 iova,
		      void *va, size_t len);

/*
 * No page was lost, and both devices are still at the root where they were,
 * which is KVM's if it was. The first one also wants no IOMMU event at all, the
 * second one is for tests that cause events elsewhere.
 */
void steady_dma_stop(struct steady_dma *d);
void steady_dma_stop_amid_events(struct steady_dma *d);

#endif
