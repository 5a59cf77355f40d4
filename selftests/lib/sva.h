/* SPDX-License-Identifier: GPL-2.0-only */
/* Has iommu-dma-test work in this process's address space: modules/sva_bind.c. */
#ifndef TDP_SELFTEST_SVA_H
#define TDP_SELFTEST_SVA_H

#include <stdbool.h>
#include <linux/types.h>

struct sva {
	int fd;
	void *bar;
	__u32 pasid;
};

/* Whether the module is there for the running kernel, and the device. */
bool sva_exists(void);

void sva_open(struct sva *sva);
void sva_close(struct sva *sva);

#endif
