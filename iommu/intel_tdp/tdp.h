/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Intel's driver has for a hypervisor's tables: domains whose table is one,
 * and a way to replace a device's domain by another without blocking the device.
 * Included by ../iommu.h, after what it needs of that.
 */
#ifndef __INTEL_TDP_H
#define __INTEL_TDP_H

struct pasid_entry;

#ifdef CONFIG_INTEL_IOMMU_TDP
extern const struct iommu_domain_ops intel_tdp_domain_ops;

static inline bool intel_domain_is_tdp(struct dmar_domain *domain)
{
	return domain->domain.ops == &intel_tdp_domain_ops;
}

bool intel_tdp_option(const char *str);
struct iommu_domain *intel_tdp_domain_alloc(struct device *dev, bool dirty);
int intel_tdp_compatible(struct dmar_domain *domain, struct device *dev);
void intel_tdp_config_entry(struct dmar_domain *domain, struct pasid_entry *pte);

bool intel_can_replace_device(struct dmar_domain *domain, struct device *dev);
int intel_replace_device(struct dmar_domain *domain, struct device *dev);
#else
static inline bool intel_domain_is_tdp(struct dmar_domain *domain)
{
	return false;
}

static inline bool intel_tdp_option(const char *str)
{
	return false;
}

static inline struct iommu_domain *
intel_tdp_domain_alloc(struct device *dev, bool dirty)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline int intel_tdp_compatible(struct dmar_domain *domain,
				       struct device *dev)
{
	return -EINVAL;
}

static inline void intel_tdp_config_entry(struct dmar_domain *domain,
					  struct pasid_entry *pte)
{
}

static inline bool intel_can_replace_device(struct dmar_domain *domain,
					    struct device *dev)
{
	return false;
}

static inline int intel_replace_device(struct dmar_domain *domain,
				       struct device *dev)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* __INTEL_TDP_H */
