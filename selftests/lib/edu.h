/* SPDX-License-Identifier: GPL-2.0-only */
/* Drives QEMU's "edu" PCI device, a DMA engine with a buffer of one page. */
#ifndef TDP_SELFTEST_EDU_H
#define TDP_SELFTEST_EDU_H

#include "vfio_dev.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_MAX_LEN	4096

/*
 * The device moves @len bytes (at most EDU_MAX_LEN) between its buffer and
 * @iova. It takes 100 ms and does not say whether an IOMMU stopped it: look at
 * the data.
 */
void edu_load(struct vfio_dev *edu, __u64 iova, size_t len);
void edu_store(struct vfio_dev *edu, __u64 iova, size_t len);

/* Reads from @src into the buffer, and writes that to @dst. */
void edu_copy(struct vfio_dev *edu, __u64 dst, __u64 src, size_t len);

#endif
