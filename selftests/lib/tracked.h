/* SPDX-License-Identifier: GPL-2.0-only */
/* A device on an ordinary HWPT with dirty tracking, and a model of the bitmap. */
#ifndef TDP_SELFTEST_TRACKED_H
#define TDP_SELFTEST_TRACKED_H

#include "vfio_dev.h"

#define TRACKED_IOVA	0x10000000ULL	/* of 4K and 2M leaves */
#define SIZE_64K	0x10000ULL

struct tracked {
	int iommufd;
	__u32 ioas;
	__u32 hwpt;
	struct vfio_dev dev;
	void *mem;
	size_t size;
	__u64 iova;
	size_t leaf;		/* what one D bit stands for */
	__u64 *model;		/* pages written since the bitmap was cleared */
	__u64 *got;		/* the bitmap as iommufd gave it last */
	bool on;
};

/*
 * Opens the device, maps @size bytes with leaves of @leaf bytes, attaches. A leaf is
 * 4K, 2M or, by a series of 16 entries, 64K: huge pages at an IOVA that is no better
 * aligned.
 */
void tracked_create(struct tracked *t, __u16 vendor, __u16 device, size_t leaf,
		    size_t size);
void tracked_destroy(struct tracked *t);

void tracked_switch(struct tracked *t, bool on);

/* The device wrote @len bytes at @offset: so the model. */
void tracked_wrote(struct tracked *t, size_t offset, size_t len);

/* Reads the bitmap and compares; @keep leaves it, and the model, as it is. */
void tracked_compare(struct tracked *t, bool keep);

#endif
