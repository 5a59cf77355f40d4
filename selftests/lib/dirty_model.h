/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM with an assigned device that share a table, what either writes, and a model
 * of what the two who ask for dirty pages must be told.
 */
#ifndef TDP_SELFTEST_DIRTY_MODEL_H
#define TDP_SELFTEST_DIRTY_MODEL_H

#include "share_vm.h"

/* Who asks: KVM_GET_DIRTY_LOG, IOMMU_HWPT_GET_DIRTY_BITMAP. */
enum dirty_reader {
	READER_LOG,
	READER_DMA,
	DIRTY_READERS,
};

struct dirty_model {
	struct share_vm s;
	struct guest_mem mem;
	struct vfio_dev testdev;
	size_t pages;
	bool manual;		/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	bool apart;		/* two tables: each reader has one side's writes */

	bool on[DIRTY_READERS];
	__u64 *written[DIRTY_READERS];	/* since the reader last looked */
	__u64 *got;			/* what it was told last */
	unsigned long told;		/* pages that were reported, all in all */
	unsigned long too_much;		/* of these: nobody had written them */
};

/* An explicit HWPT with dirty tracking, memory, nobody asks yet. */
void dirty_model_create(struct dirty_model *d, enum guest_mem_backing backing,
			size_t size, bool manual);
/* For a VM that has all that: @s, @mem and @testdev are set, the rest is zero. */
void dirty_model_init(struct dirty_model *d);
void dirty_model_destroy(struct dirty_model *d);
/* Undoes dirty_model_init(). */
void dirty_model_free(struct dirty_model *d);

void dirty_model_switch(struct dirty_model *d, enum dirty_reader reader, bool on);

void dirty_model_vcpu_writes(struct dirty_model *d, size_t page);
void dirty_model_device_writes(struct dirty_model *d, size_t page);

/*
 * Asks, and compares: what was written must be there. With @keep the reader will be
 * told again. Returns how many pages there were.
 */
size_t dirty_model_read(struct dirty_model *d, enum dirty_reader reader, bool keep);

#endif
