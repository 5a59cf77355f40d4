// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of dirty pages. Pages are added and read at the same time without a lock:
 * bitmaps stay until the set is freed.
 */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/tdp_dirty.h>

/* The bitmap that has @page, made if there is none, or NULL without memory. */
static unsigned long *get_bitmap(struct tdp_dirty *dirty, u64 page, gfp_t gfp)
{
	unsigned long index = page / TDP_DIRTY_CHUNK;
	unsigned long *bitmap = xa_load(&dirty->bitmaps, index);
	void *other;

	if (bitmap)
		return bitmap;
	bitmap = bitmap_zalloc(TDP_DIRTY_CHUNK, gfp);
	if (!bitmap)
		return NULL;
	other = xa_cmpxchg(&dirty->bitmaps, index, NULL, bitmap, gfp);
	if (!other)
		return bitmap;
	bitmap_free(bitmap);
	return xa_is_err(other) ? NULL : other;
}

/**
 * tdp_dirty_init() - Make an empty set
 * @dirty: the set
 *
 * Context: any.
 */
void tdp_dirty_init(struct tdp_dirty *dirty)
{
	xa_init(&dirty->bitmaps);
}
EXPORT_SYMBOL_GPL(tdp_dirty_init);

/**
 * tdp_dirty_free() - Free what a set has; it is empty afterwards
 * @dirty: the set, which nobody uses
 *
 * Context: any.
 */
void tdp_dirty_free(struct tdp_dirty *dirty)
{
	unsigned long index, *bitmap;

	xa_for_each(&dirty->bitmaps, index, bitmap)
		bitmap_free(bitmap);
	xa_destroy(&dirty->bitmaps);
}
EXPORT_SYMBOL_GPL(tdp_dirty_free);

/**
 * tdp_dirty_clear() - Forget all pages
 * @dirty: the set
 *
 * Context: any.
 */
void tdp_dirty_clear(struct tdp_dirty *dirty)
{
	tdp_dirty_read(dirty, 0, U64_MAX, true, NULL, NULL);
}
EXPORT_SYMBOL_GPL(tdp_dirty_clear);

/**
 * tdp_dirty_prepare() - Have memory for a page, and what is around it
 * @dirty: the set
 * @page: number of the page
 * @gfp: how to allocate
 *
 * tdp_dirty_add() does not fail then, up to the next multiple of TDP_DIRTY_CHUNK.
 *
 * Context: as @gfp allows.
 * Return: whether there is.
 */
bool tdp_dirty_prepare(struct tdp_dirty *dirty, u64 page, gfp_t gfp)
{
	return get_bitmap(dirty, page, gfp);
}
EXPORT_SYMBOL_GPL(tdp_dirty_prepare);

static bool add_to_word(struct tdp_dirty *dirty, u64 page, unsigned long mask,
			gfp_t gfp)
{
	unsigned long *bitmap = get_bitmap(dirty, page, gfp);

	if (!bitmap)
		return false;
	bitmap += page % TDP_DIRTY_CHUNK / BITS_PER_LONG;
	atomic_long_or(mask, (atomic_long_t *)bitmap);
	return true;
}

/**
 * tdp_dirty_add() - Add pages
 * @dirty: the set
 * @page: number of the first
 * @mask: which of those from there on; bit 0 is @page
 * @gfp: how to allocate
 *
 * Context: as @gfp allows.
 * Return: false without memory, part of them may be in the set then.
 */
bool tdp_dirty_add(struct tdp_dirty *dirty, u64 page, unsigned long mask,
		   gfp_t gfp)
{
	unsigned int shift = page % BITS_PER_LONG;

	if (!add_to_word(dirty, page - shift, mask << shift, gfp))
		return false;
	mask = shift ? mask >> (BITS_PER_LONG - shift) : 0;
	return !mask ||
	       add_to_word(dirty, page - shift + BITS_PER_LONG, mask, gfp);
}
EXPORT_SYMBOL_GPL(tdp_dirty_add);

/* Pages from @first on, up to @end, of one bitmap. */
static bool read_bitmap(unsigned long *bitmap, unsigned int first,
			unsigned int end, u64 page, bool clear,
			tdp_dirty_fn report, void *arg)
{
	unsigned int i, base;
	bool any = false;

	for (i = first; i < end; i = base + BITS_PER_LONG) {
		unsigned long *p = &bitmap[i / BITS_PER_LONG];
		unsigned long mask, word;

		base = ALIGN_DOWN(i, BITS_PER_LONG);
		if (!READ_ONCE(*p))
			continue;
		mask = GENMASK(min(end - base, (unsigned int)BITS_PER_LONG) - 1,
			       i - base);
		word = clear ? atomic_long_fetch_andnot(mask, (atomic_long_t *)p) :
			       READ_ONCE(*p);
		if (!(word & mask))
			continue;
		any = true;
		if (report)
			report(arg, (page + base) << PAGE_SHIFT, word & mask);
	}
	return any;
}

/**
 * tdp_dirty_read() - Tell which pages of a range are in a set
 * @dirty: the set
 * @first: number of the first page
 * @end: number of the page behind the last
 * @clear: take them out
 * @report: told of them, may sleep; or NULL
 * @arg: its argument
 *
 * Context: any, but for @report.
 * Return: whether there was any.
 */
bool tdp_dirty_read(struct tdp_dirty *dirty, u64 first, u64 end, bool clear,
		    tdp_dirty_fn report, void *arg)
{
	unsigned long index, *bitmap;
	bool any = false;

	xa_for_each_range(&dirty->bitmaps, index, bitmap, first / TDP_DIRTY_CHUNK,
			  (end - 1) / TDP_DIRTY_CHUNK) {
		u64 page = (u64)index * TDP_DIRTY_CHUNK;

		any |= read_bitmap(bitmap, max(first, page) - page,
				   min(end - page, (u64)TDP_DIRTY_CHUNK), page,
				   clear, report, arg);
	}
	return any;
}
EXPORT_SYMBOL_GPL(tdp_dirty_read);
