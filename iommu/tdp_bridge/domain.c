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
#include <linux/sizes.h>

#include "tdp_bridge_private.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct tdp_domain *to_tdp(struct pt_iommu *iommu_table)
{
	return container_of(iommu_table, struct tdp_domain, iommu);
}

static int tdp_map_range(struct pt_iommu *iommu_table, dma_addr_t iova,
			 phys_addr_t paddr, dma_addr_t len, unsigned int prot,
			 gfp_t gfp, size_t *mapped)
{
	struct tdp_domain *tdp = to_tdp(iommu_table);
	struct tdp_share_ref *ref = tdp->ref;

	/* iommufd is the only mapper; the provider takes mutexes. */
	if (WARN_ON_ONCE(!gfpflags_allow_blocking(gfp)))
		return -EINVAL;

	if (READ_ONCE(tdp->failed)) {
		pr_warn_ratelimited("map of gpa 0x%llx refused: a flush of the IOTLB has failed; make a new HWPT\n",
				    iova);
		return -EIO;
	}

	return ref->share->ops->map(ref->share, iova, paddr, len, prot, mapped);
}

static size_t tdp_unmap_range(struct pt_iommu *iommu_table, dma_addr_t iova,
			      dma_addr_t len,
			      struct iommu_iotlb_gather *iotlb_gather)
{
	struct tdp_share_ref *ref = to_tdp(iommu_table)->ref;

	/*
	 * The provider flushes where it flushes the CPUs, so that the gather
	 * stays empty and the core has nothing to flush a second time.
	 */
	if (len)
		ref->share->ops->unmap(ref->share, iova, len);
	return len;
}

static void tdp_get_info(struct pt_iommu *iommu_table,
			 struct pt_iommu_info *info)
{
	info->pgsize_bitmap = to_tdp(iommu_table)->pgsizes;
}

static void tdp_deinit(struct pt_iommu *iommu_table)
{
	struct tdp_share_ref *ref = to_tdp(iommu_table)->ref;

	/* The tables are the hypervisor's, which frees them when it likes. */
	ref->share->ops->unbind(ref->share);
	tdp_bridge_put(ref);
	atomic_dec(&tdp_bridge_stats.domains);
}

static const struct pt_iommu_ops tdp_ops = {
	.map_range = tdp_map_range,
	.unmap_range = tdp_unmap_range,
	.get_info = tdp_get_info,
	.deinit = tdp_deinit,
};

static void tdp_flush(void *sink, u64 gpa, u64 last_gpa, bool tables)
{
	struct tdp_domain *tdp = sink;
	struct iommu_domain *domain = &tdp->iommu.domain;
	struct iommu_iotlb_gather gather;

	/* Nobody walks the table any more, and each flush takes its time to fail. */
	if (READ_ONCE(tdp->failed))
		return;

	trace_tdp_bridge_flush(gpa, last_gpa, tables);

	/*
	 * Drivers take a gather without freed tables as a promise that only
	 * leaves changed, and keep cached pointers to tables.
	 */
	if (tables) {
		iommu_flush_iotlb_all(domain);
		return;
	}

	iommu_iotlb_gather_init(&gather);
	gather.start = gpa;
	gather.end = last_gpa;
	iommu_iotlb_sync(domain, &gather);
}

static const struct tdp_sink_ops tdp_sink_ops = {
	.flush = tdp_flush,
};

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
	struct pt_common *common = &tdp->amdv1.amdpt.common;

	/* hw_info() is all that is left of the generic code, it reads these. */
	common->features = cfg->common.features;
	common->max_vasz_lg2 = cfg->common.hw_max_vasz_lg2;
	common->max_oasz_lg2 = cfg->common.hw_max_oasz_lg2;

	tdp->format = TDP_FORMAT_AMDV1;
	tdp->va_bits = cfg->common.hw_max_vasz_lg2;
	tdp->pgsizes = pgsizes;

	tdp->iommu.domain.type = IOMMU_DOMAIN_UNMANAGED;
	tdp->iommu.domain.is_iommupt = true;
}
EXPORT_SYMBOL_GPL(tdp_bridge_init_amdv1);

/**
 * tdp_bridge_bind() - Make a share's table the domain's
 * @domain: from a driver that was asked for %IOMMU_HWPT_ALLOC_KVM_TDP
 * @ref: the share; the domain takes a reference of its own
 *
 * Context: may sleep; before anything is attached to or mapped in the domain.
 * Return: 0, -ENODEV when the IOMMU can't walk that table, or -EBUSY when
 * another domain has it. Logged.
 */
int tdp_bridge_bind(struct iommu_domain *domain, struct tdp_share_ref *ref)
{
	struct pt_iommu *iommu_table = iommupt_from_domain(domain);
	struct tdp_table_info info;
	struct pt_common *common;
	struct tdp_domain *tdp;
	unsigned int table_bits;
	int ret;

	if (WARN_ON_ONCE(!iommu_table || iommu_table->ops))
		return -EINVAL;

	tdp = to_tdp(iommu_table);
	common = &tdp->amdv1.amdpt.common;
	ref->share->ops->table(ref->share, &info);
	table_bits = PAGE_SHIFT + 9 * info.levels;

	if (info.format != tdp->format || (info.pgsizes & ~tdp->pgsizes)) {
		pr_warn_ratelimited("the IOMMU walks another format or other page sizes than the CPU; use an ordinary HWPT\n");
		return -ENODEV;
	}
	if (table_bits > tdp->va_bits) {
		pr_warn_ratelimited("the IOMMU walks %u address bits, the VM's table has %u; use an ordinary HWPT\n",
				    tdp->va_bits, table_bits);
		return -ENODEV;
	}

	ret = ref->share->ops->bind(ref->share, &tdp_sink_ops, tdp);
	if (ret) {
		pr_warn_ratelimited("the VM's table is another HWPT's; attach the device to that one\n");
		return ret;
	}

	refcount_inc(&ref->users);
	tdp->ref = ref;
	tdp->pgsizes = info.pgsizes;

	/*
	 * As _pt_top_set() would, in generic_pt's count of levels. The top can't
	 * grow, which bounds what may be mapped.
	 */
	common->top_of_table = (uintptr_t)phys_to_virt(info.root) |
			       (info.levels - 1);
	common->max_vasz_lg2 = table_bits;

	domain->pgsize_bitmap = tdp->pgsizes;
	domain->geometry.aperture_start = 0;
	domain->geometry.aperture_end = GENMASK_ULL(table_bits - 1, 0);
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

/**
 * tdp_bridge_refuse_iommu() - Say that a device's IOMMU driver takes no share
 * @dev: the device
 *
 * Context: any.
 * Return: -ENODEV
 */
int tdp_bridge_refuse_iommu(struct device *dev)
{
	dev_warn_ratelimited(dev, "tdp_bridge: the IOMMU can't walk KVM's table; use an ordinary HWPT\n");
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(tdp_bridge_refuse_iommu);

/**
 * tdp_bridge_iova_to_phys() - The domain op for shared domains
 * @domain: a bound domain
 * @iova: I/O virtual address, a GPA
 *
 * generic_pt's walkers have another notion of present than the hypervisor.
 *
 * Context: any.
 * Return: the physical address, 0 where nothing is mapped.
 */
phys_addr_t tdp_bridge_iova_to_phys(struct iommu_domain *domain,
				    dma_addr_t iova)
{
	struct tdp_share_ref *ref = to_tdp(iommupt_from_domain(domain))->ref;

	return ref->share->ops->iova_to_phys(ref->share, iova);
}
EXPORT_SYMBOL_GPL(tdp_bridge_iova_to_phys);

/**
 * tdp_bridge_set_failed() - Say that an IOMMU did not answer a flush
 * @domain: a bound domain; the driver has cut its devices off, or does it next
 *
 * From then on nothing is mapped in it, and the driver attaches nothing to it.
 *
 * Context: any; the driver serialises it with its own attach.
 */
void tdp_bridge_set_failed(struct iommu_domain *domain)
{
	WRITE_ONCE(to_tdp(iommupt_from_domain(domain))->failed, true);
}
EXPORT_SYMBOL_GPL(tdp_bridge_set_failed);

/**
 * tdp_bridge_has_failed() - Whether an IOMMU did not answer a flush
 * @domain: a bound domain
 *
 * Context: any.
 */
bool tdp_bridge_has_failed(struct iommu_domain *domain)
{
	return READ_ONCE(to_tdp(iommupt_from_domain(domain))->failed);
}
EXPORT_SYMBOL_GPL(tdp_bridge_has_failed);
