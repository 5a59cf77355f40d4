// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pt_iommu whose table belongs to a hypervisor.
 */
#define pr_fmt(fmt) "tdp_bridge: " fmt

#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/error-injection.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iova_bitmap.h>
#include <linux/sizes.h>

#include "tdp_bridge_private.h"

/* How often whoever shares by itself is told to make way for a claim. */
#define TDP_CLAIM_TRIES		4

/* Why an IOMMU is refused, and what to do about it. */
static const struct {
	int err;
	const char *why;
} iommu_refusals[] = {
	{ TDP_REFUSE_WALK, "the IOMMU can't walk KVM's table" },
	{ TDP_REFUSE_INCOHERENT,
	  "the IOMMU does not snoop CPU caches when it walks a table" },
	{ TDP_REFUSE_CACHING_MODE,
	  "the IOMMU caches what is not present, as a virtual one does" },
	{ TDP_REFUSE_WRITE_BUFFER,
	  "the IOMMU has a write buffer to be flushed at each change" },
	{ TDP_REFUSE_BIT_62,
	  "the IOMMU serves device TLBs; see intel_iommu=tdp_bit62" },
	{ TDP_REFUSE_MODE,
	  "the IOMMU is in legacy mode; boot with intel_iommu=sm_on" },
	{ TDP_REFUSE_SNOOP,
	  "the IOMMU can't make DMA snoop, as the HWPT promises" },
	{ TDP_REFUSE_DIRTY,
	  "the IOMMU sets no dirty bits; do without IOMMU_HWPT_ALLOC_DIRTY_TRACKING" },
};

/* The two have it at one place, so that it need not be asked which it is. */
static_assert(offsetof(struct tdp_domain, amdv1.amdpt.common) ==
	      offsetof(struct tdp_domain, vtdss.vtdss_pt.common));

static struct tdp_domain *to_tdp(struct pt_iommu *iommu_table)
{
	return container_of(iommu_table, struct tdp_domain, iommu);
}

/* What is wrong with a range, and what to do about it; see provider_ops.map. */
static const struct {
	int err;
	const char *why;
} map_refusals[] = {
	{ -EADDRNOTAVAIL,
	  "its memslot maps other memory; map what the memslot maps" },
	{ -EACCES, "a device that may not read; map it with IOMMU_IOAS_MAP_READABLE" },
	{ -EMEDIUMTYPE,
	  "its memslot is of guest_memfd, which takes pages back; use other memory" },
	{ -ERANGE, "beyond the CPU's address bits; map it lower" },
	{ -EINVAL, "not aligned to pages" },
};

static void log_refusal(u64 gpa, int err)
{
	for (int i = 0; i < ARRAY_SIZE(map_refusals); i++) {
		if (map_refusals[i].err == err)
			pr_warn_ratelimited("map of gpa 0x%llx refused: %s\n",
					    gpa, map_refusals[i].why);
	}
}

static int map_pages(struct tdp_domain *tdp, u64 gpa,
		     const struct tdp_pages *pages, unsigned int prot,
		     size_t *mapped)
{
	struct tdp_share *share = tdp->ref->share;
	struct iommu_iotlb_gather gather;
	size_t before = *mapped;
	int ret;

	ret = share->ops->map(share, gpa, pages, prot, !READ_ONCE(tdp->filled),
			      mapped);
	/* Pairs with the device's move: either it finds the leaves or we flush. */
	smp_mb();
	/*
	 * What vCPUs have there is present to the IOMMU, without permission. The
	 * specification does not say that nothing is kept of such an entry, and
	 * KVM may have zapped it since. A domain that is being filled is walked by
	 * nobody yet.
	 */
	if ((READ_ONCE(tdp->filled) || tdp->asked) && *mapped > before) {
		iommu_iotlb_gather_init(&gather);
		iommu_iotlb_gather_add_range(&gather, gpa, *mapped - before);
		iommu_iotlb_sync(&tdp->iommu.domain, &gather);
	}
	if (ret && tdp->asked)
		log_refusal(gpa + *mapped - before, ret);
	return ret;
}

static int tdp_map_range(struct pt_iommu *iommu_table, dma_addr_t iova,
			 phys_addr_t paddr, dma_addr_t len, unsigned int prot,
			 gfp_t gfp, size_t *mapped)
{
	struct tdp_domain *tdp = to_tdp(iommu_table);
	unsigned long pfn = PHYS_PFN(paddr);
	u32 npfns = len >> PAGE_SHIFT;
	const struct tdp_pages pages = { &pfn, &npfns, 1 };

	/* iommufd is the only mapper; the provider takes mutexes. */
	if (WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return -EINVAL;

	if (!IS_ALIGNED(iova | paddr | len, PAGE_SIZE) ||
	    len >> PAGE_SHIFT != npfns) {
		if (tdp->asked)
			log_refusal(iova, -EINVAL);
		return -EINVAL;
	}
	return map_pages(tdp, iova, &pages, prot, mapped);
}

/* iommufd's batch. IOMMUs that cache what is not present are flushed once. */
static int tdp_map_pfns(struct pt_iommu *iommu_table, dma_addr_t iova,
			const struct iommu_pfn_runs *runs, unsigned int prot,
			gfp_t gfp, size_t *mapped)
{
	const struct tdp_pages pages = {
		.pfns = runs->pfns,
		.npfns = runs->npfns,
		.nr = runs->nr,
	};

	if (WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return -EINVAL;
	return map_pages(to_tdp(iommu_table), iova, &pages, prot, mapped);
}

static size_t tdp_unmap_range(struct pt_iommu *iommu_table, dma_addr_t iova,
			      dma_addr_t len,
			      struct iommu_iotlb_gather *iotlb_gather)
{
	struct tdp_domain *tdp = to_tdp(iommu_table);
	struct tdp_share *share = tdp->ref->share;
	size_t leaf;

	if (!len)
		return 0;
	leaf = share->ops->unmap(share, iova, len);
	/*
	 * An IOMMU may still have a leaf that was split since, of which this is a
	 * part. Whether a flush of the part drops it is not relied on.
	 */
	iommu_iotlb_gather_add_range(iotlb_gather, ALIGN_DOWN(iova, leaf),
				     ALIGN(iova + len, leaf) -
				     ALIGN_DOWN(iova, leaf));
	return len;
}

static void tdp_get_info(struct pt_iommu *iommu_table,
			 struct pt_iommu_info *info)
{
	info->pgsize_bitmap = to_tdp(iommu_table)->pgsizes;
}

static void tdp_deinit(struct pt_iommu *iommu_table)
{
	struct tdp_domain *tdp = to_tdp(iommu_table);
	struct tdp_share_ref *ref = tdp->ref;

	/* The tables are the hypervisor's, which frees them when it likes. */
	ref->share->ops->unbind(ref->share);
	/* Whoever had to do without the share for this one may have it again. */
	if (tdp->asked)
		blocking_notifier_call_chain(&ref->share->events, TDP_CHANGED,
					     NULL);
	tdp_bridge_put(ref);
	atomic_dec(&tdp_bridge_stats.domains);
}

static const struct pt_iommu_ops tdp_ops = {
	.map_range = tdp_map_range,
	.map_pfns = tdp_map_pfns,
	.unmap_range = tdp_unmap_range,
	.get_info = tdp_get_info,
	.deinit = tdp_deinit,
};

static void tdp_flush_tables(void *sink)
{
	struct tdp_domain *tdp = sink;

	iommu_flush_iotlb_all(&tdp->iommu.domain);
}

/**
 * tdp_bridge_set_filled() - Say that a domain maps all that its IOAS does
 * @domain: a bound domain that nobody has asked for, and that no device walks yet
 *
 * Until then a map fails where the VM has other pages, so that an IOAS that does
 * not map the VM's memory, as that of a vIOMMU, does not share. From then on it
 * does not, as a VMM may map first and change the memslot afterwards; and each
 * map is followed by a flush. A map at the same time may fail by the old rule.
 *
 * Context: any.
 */
void tdp_bridge_set_filled(struct iommu_domain *domain)
{
	WRITE_ONCE(to_tdp(iommupt_from_domain(domain))->filled, true);
}
EXPORT_SYMBOL_GPL(tdp_bridge_set_filled);

/**
 * tdp_bridge_is_bound() - Whether a domain's table is a share's
 * @domain: any
 *
 * Context: any.
 */
bool tdp_bridge_is_bound(struct iommu_domain *domain)
{
	struct pt_iommu *iommu_table = iommupt_from_domain(domain);

	return iommu_table && iommu_table->ops == &tdp_ops;
}
EXPORT_SYMBOL_GPL(tdp_bridge_is_bound);

/**
 * tdp_bridge_any_private() - Whether devices may come from any domain
 * @domain: a bound domain
 *
 * Context: any.
 * Return: see &tdp_domain.any_private
 */
bool tdp_bridge_any_private(struct iommu_domain *domain)
{
	return to_tdp(iommupt_from_domain(domain))->any_private;
}
EXPORT_SYMBOL_GPL(tdp_bridge_any_private);

static void tdp_flush_pages(void *sink, u64 gpa, u64 len)
{
	struct tdp_domain *tdp = sink;
	struct iommu_iotlb_gather gather;

	/* To an IOMMU that sets no D it is all the same. */
	if (!tdp->iommu.domain.dirty_ops)
		return;
	iommu_iotlb_gather_init(&gather);
	iommu_iotlb_gather_add_range(&gather, gpa, len);
	iommu_iotlb_sync(&tdp->iommu.domain, &gather);
}

static const struct tdp_sink_ops tdp_sink_ops = {
	.flush_tables = tdp_flush_tables,
	.flush_pages = tdp_flush_pages,
};

static int tdp_set_dirty_tracking(struct iommu_domain *domain, bool enabled)
{
	struct tdp_domain *tdp = to_tdp(iommupt_from_domain(domain));

	return tdp->ref->share->ops->track_dirty(tdp->ref->share, enabled);
}

/**
 * tdp_bridge_record_dirty() - A tdp_dirty_fn that records dirty pages
 * @arg: struct iommu_dirty_bitmap
 * @iova: I/O virtual address of the first page
 * @mask: which pages from there on
 *
 * Context: as for iommu_dirty_bitmap_record().
 */
void tdp_bridge_record_dirty(void *arg, u64 iova, unsigned long mask)
{
	struct iommu_dirty_bitmap *dirty = arg;
	unsigned int first, end;

	if (!dirty->record && dirty->bitmap) {
		iova_bitmap_set_pages(dirty->bitmap, iova, mask);
		iommu_iotlb_gather_add_range(dirty->gather, iova,
					     (__fls(mask) + 1) << PAGE_SHIFT);
		return;
	}
	for_each_set_bitrange(first, end, &mask, BITS_PER_LONG)
		iommu_dirty_bitmap_record(dirty, iova + ((u64)first << PAGE_SHIFT),
					  (size_t)(end - first) << PAGE_SHIFT);
}
EXPORT_SYMBOL_GPL(tdp_bridge_record_dirty);

static int tdp_read_and_clear_dirty(struct iommu_domain *domain,
				    unsigned long iova, size_t size,
				    unsigned long flags,
				    struct iommu_dirty_bitmap *dirty)
{
	struct tdp_domain *tdp = to_tdp(iommupt_from_domain(domain));
	struct tdp_share *share = tdp->ref->share;
	bool clear = !(flags & IOMMU_DIRTY_NO_CLEAR);

	/* To begin with: track_dirty, which comes next, does that. */
	if (!dirty->bitmap && !dirty->record)
		return 0;
	/* The caller flushes what is recorded, if it is to be cleared. */
	if (share->ops->read_dirty(share, iova, size, clear,
				   tdp_bridge_record_dirty, dirty) && !clear)
		tdp_flush_pages(tdp, iova, size);
	return 0;
}

/*
 * For drivers to give to a domain for all of whose IOMMUs D is switched on, from the
 * first attach on: who writes is the hypervisor's business too.
 */
const struct iommu_dirty_ops tdp_bridge_dirty_ops = {
	.set_dirty_tracking = tdp_set_dirty_tracking,
	.read_and_clear_dirty = tdp_read_and_clear_dirty,
};
EXPORT_SYMBOL_GPL(tdp_bridge_dirty_ops);

static void init_domain(struct tdp_domain *tdp, const struct pt_iommu_cfg *cfg,
			enum tdp_format format, unsigned long pgsizes)
{
	struct pt_common *common = &tdp->amdv1.amdpt.common;

	/* hw_info() is all that is left of the generic code, it reads these. */
	common->features = cfg->features;
	common->max_vasz_lg2 = cfg->hw_max_vasz_lg2;
	common->max_oasz_lg2 = cfg->hw_max_oasz_lg2;

	tdp->format = format;
	tdp->va_bits = cfg->hw_max_vasz_lg2;
	tdp->pgsizes = pgsizes;

	tdp->iommu.domain.type = IOMMU_DOMAIN_UNMANAGED;
	tdp->iommu.domain.is_iommupt = true;
}

/**
 * tdp_bridge_init_amdv1() - Prepare a domain for an AMD-Vi v1 share
 * @tdp: overlays the driver's domain; iommu.domain.ops and iommu.driver_ops are
 *	set, the rest is zero
 * @cfg: what the IOMMU can walk
 * @pgsizes: bitmap of leaf sizes, in bytes, that the IOMMU may be given
 *
 * The domain can be freed but is good for nothing else until tdp_bridge_bind().
 *
 * Context: any.
 */
void tdp_bridge_init_amdv1(struct tdp_domain *tdp,
			   const struct pt_iommu_amdv1_cfg *cfg,
			   unsigned long pgsizes)
{
	unsigned int levels = (cfg->common.hw_max_vasz_lg2 - PAGE_SHIFT) /
			      TDP_LEVEL_BITS;

	init_domain(tdp, &cfg->common, TDP_FORMAT_AMDV1, pgsizes);
	/* A table may have any number of levels up to that. */
	tdp->levels = GENMASK(levels, 1);
}
EXPORT_SYMBOL_GPL(tdp_bridge_init_amdv1);

/**
 * tdp_bridge_init_vtdss() - Prepare a domain for a VT-d second-stage share
 * @tdp: overlays the driver's domain; iommu.domain.ops is set, the rest is zero
 * @cfg: what the IOMMU can walk; the top level is the share's own
 * @levels: bitmap of numbers of levels that a table may have
 * @pgsizes: bitmap of leaf sizes, in bytes, that the IOMMU may be given
 *
 * As tdp_bridge_init_amdv1(). The driver replaces one domain by another in place
 * whatever table the other has, its own or a first stage's.
 *
 * Context: any.
 */
void tdp_bridge_init_vtdss(struct tdp_domain *tdp,
			   const struct pt_iommu_vtdss_cfg *cfg,
			   unsigned long levels, unsigned long pgsizes)
{
	init_domain(tdp, &cfg->common, TDP_FORMAT_VTDSS, pgsizes);
	tdp->levels = levels;
	tdp->any_private = true;
}
EXPORT_SYMBOL_GPL(tdp_bridge_init_vtdss);

/**
 * tdp_bridge_bind() - Make a share's table the domain's
 * @domain: from a driver that was asked for %IOMMU_HWPT_ALLOC_KVM_TDP
 * @ref: the share; the domain takes a reference of its own
 * @asked: user space asked for it: say in the log what to do if it fails, here
 *	and when a map is refused, and take the table away from those who share it
 *	of their own accord
 *
 * Context: may sleep; before anything is attached to or mapped in the domain.
 * Return: 0, -ENODEV when the IOMMU can't walk that table, -EBUSY when another
 * domain has it, or the provider's errno for what stands in the way.
 */
int tdp_bridge_bind(struct iommu_domain *domain, struct tdp_share_ref *ref,
		    bool asked)
{
	struct pt_iommu *iommu_table = iommupt_from_domain(domain);
	struct tdp_table_info info;
	struct pt_common *common;
	struct tdp_domain *tdp;
	unsigned int table_bits, tries = 0;
	int ret;

	if (WARN_ON_ONCE(!iommu_table || iommu_table->ops))
		return -EINVAL;

	tdp = to_tdp(iommu_table);
	common = &tdp->amdv1.amdpt.common;
	ref->share->ops->table(ref->share, &info);
	table_bits = PAGE_SHIFT + TDP_LEVEL_BITS * info.levels;

	if (info.format != tdp->format || (info.pgsizes & ~tdp->pgsizes)) {
		if (asked)
			pr_warn_ratelimited("the IOMMU walks another format or other page sizes than the CPU; use an ordinary HWPT\n");
		return -ENODEV;
	}
	if (!(tdp->levels & BIT(info.levels))) {
		if (asked)
			pr_warn_ratelimited("the IOMMU walks no table of %u levels, which the VM's has; use an ordinary HWPT\n",
					    info.levels);
		return -ENODEV;
	}

	/* Who shares by itself may have come back before it is bound here. */
	do {
		if (asked)
			blocking_notifier_call_chain(&ref->share->events,
						     TDP_CLAIMED, NULL);
		ret = ref->share->ops->bind(ref->share, &tdp_sink_ops, tdp,
					    asked);
	} while (ret == -EBUSY && asked && ++tries < TDP_CLAIM_TRIES);
	if (ret == -EBUSY && asked)
		pr_warn_ratelimited("the VM's table is another HWPT's; attach the device to that one\n");
	if (ret)
		return ret;

	tdp_bridge_hold(ref);
	tdp->ref = ref;
	tdp->asked = asked;
	tdp->pgsizes = info.pgsizes;

	/*
	 * As _pt_top_set() would, in generic_pt's count of levels. The top can't
	 * grow, which bounds what may be mapped.
	 */
	common->top_of_table = (uintptr_t)phys_to_virt(info.root) |
			       (info.levels - 1);
	common->max_vasz_lg2 = min(table_bits, tdp->va_bits);

	domain->pgsize_bitmap = tdp->pgsizes;
	domain->geometry.aperture_start = 0;
	domain->geometry.aperture_end =
		GENMASK_ULL(common->max_vasz_lg2 - 1, 0);
	domain->geometry.force_aperture = true;

	/* Last: from here on the driver's free calls tdp_deinit(). */
	tdp->iommu.ops = &tdp_ops;
	atomic_inc(&tdp_bridge_stats.domains);
	return 0;
}
EXPORT_SYMBOL_GPL(tdp_bridge_bind);
ALLOW_ERROR_INJECTION(tdp_bridge_bind, ERRNO);

/**
 * tdp_bridge_refuse_flags() - Say that a share goes with no other HWPT flag
 * @flags: what the user asked for
 *
 * Context: any.
 * Return: -EINVAL
 */
int tdp_bridge_refuse_flags(u32 flags)
{
	pr_warn_ratelimited("HWPT flags 0x%x: IOMMU_HWPT_ALLOC_KVM_TDP goes alone and without driver data\n",
			    flags);
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(tdp_bridge_refuse_flags);

/* The errno for user space; one that has asked is told why. */
static int refuse(struct device *dev, int err, bool asked)
{
	for (int i = 0; asked && i < ARRAY_SIZE(iommu_refusals); i++) {
		if (iommu_refusals[i].err == err)
			dev_warn_ratelimited(dev, "tdp_bridge: %s; or use an ordinary HWPT\n",
					     iommu_refusals[i].why);
	}
	return err == TDP_REFUSE_WALK ? -ENODEV : err;
}

/**
 * tdp_bridge_refuse_iommu() - Say why a device's IOMMU takes no share
 * @dev: the device
 * @err: what its driver said, one of TDP_REFUSE_*. Anything else is not the
 *	IOMMU's, and has been logged by whoever found it.
 *
 * For what user space has asked for.
 *
 * Context: any.
 * Return: the errno for user space
 */
int tdp_bridge_refuse_iommu(struct device *dev, int err)
{
	return refuse(dev, err, true);
}
EXPORT_SYMBOL_GPL(tdp_bridge_refuse_iommu);

/**
 * tdp_bridge_refuse_attach() - The same for a device that is to be attached
 * @tdp: a bound domain
 * @dev: the device
 * @err: as for tdp_bridge_refuse_iommu()
 *
 * Says nothing if nobody has asked for the domain.
 *
 * Context: any.
 * Return: the errno for user space
 */
int tdp_bridge_refuse_attach(struct tdp_domain *tdp, struct device *dev,
			     int err)
{
	return refuse(dev, err, tdp->asked);
}

/**
 * tdp_bridge_read_pfns() - The domain op for shared domains
 * @domain: a bound domain
 * @iova: I/O virtual address, a GPA, page aligned
 * @size: bytes from there on, whole pages
 * @runs: where the pages are added
 *
 * generic_pt's walkers have another notion of present than the hypervisor.
 *
 * Context: any.
 * Return: for how many bytes pages were added.
 */
size_t tdp_bridge_read_pfns(struct iommu_domain *domain, dma_addr_t iova,
			    size_t size, struct iommu_pfn_runs *runs)
{
	struct tdp_share_ref *ref = to_tdp(iommupt_from_domain(domain))->ref;

	return ref->share->ops->read_pfns(ref->share, iova, size, runs);
}
EXPORT_SYMBOL_GPL(tdp_bridge_read_pfns);

/**
 * tdp_bridge_iova_to_phys() - The domain op for shared domains
 * @domain: a bound domain
 * @iova: I/O virtual address, a GPA
 *
 * Context: any.
 * Return: the physical address, 0 where nothing is mapped.
 */
phys_addr_t tdp_bridge_iova_to_phys(struct iommu_domain *domain,
				    dma_addr_t iova)
{
	unsigned long pfn;
	u32 npfns;
	struct iommu_pfn_runs runs = {
		.pfns = &pfn,
		.npfns = &npfns,
		.max = 1,
	};

	if (!tdp_bridge_read_pfns(domain, iova & PAGE_MASK, PAGE_SIZE, &runs))
		return 0;
	return PFN_PHYS(pfn) + offset_in_page(iova);
}
EXPORT_SYMBOL_GPL(tdp_bridge_iova_to_phys);
