/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dirty pages that somebody is still to be told of, by page number.
 *
 * KVM keeps one such set for who reads the dirty pages of a shared domain, iommufd
 * one for each HWPT that goes from one domain to another in the middle of dirty
 * tracking.
 */
#ifndef __LINUX_TDP_DIRTY_H
#define __LINUX_TDP_DIRTY_H

#include <linux/gfp.h>
#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct tdp_dirty - a set of pages
 * @bitmaps: of TDP_DIRTY_CHUNK pages each, made when one of these is dirty
 */
struct tdp_dirty {
	struct xarray bitmaps;
};

/* What one bitmap is for, in pages. */
#define TDP_DIRTY_CHUNK		(PAGE_SIZE * BITS_PER_BYTE)

/* Told of dirty pages: which of 64 from an address on, in bytes. */
typedef void (*tdp_dirty_fn)(void *arg, u64 addr, unsigned long mask);

#if IS_ENABLED(CONFIG_IOMMU_TDP_BRIDGE)
void tdp_dirty_init(struct tdp_dirty *dirty);
void tdp_dirty_free(struct tdp_dirty *dirty);
void tdp_dirty_clear(struct tdp_dirty *dirty);
bool tdp_dirty_prepare(struct tdp_dirty *dirty, u64 page, gfp_t gfp);
bool tdp_dirty_add(struct tdp_dirty *dirty, u64 page, unsigned long mask,
		   gfp_t gfp);
bool tdp_dirty_read(struct tdp_dirty *dirty, u64 first, u64 end, bool clear,
		    tdp_dirty_fn report, void *arg);
#else
static inline void tdp_dirty_init(struct tdp_dirty *dirty)
{
}

static inline void tdp_dirty_free(struct tdp_dirty *dirty)
{
}

static inline void tdp_dirty_clear(struct tdp_dirty *dirty)
{
}
#endif

#endif /* __LINUX_TDP_DIRTY_H */
