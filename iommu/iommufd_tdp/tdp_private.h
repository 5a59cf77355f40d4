/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of automatic sharing have between them.
 */
#ifndef __IOMMUFD_TDP_PRIVATE_H
#define __IOMMUFD_TDP_PRIVATE_H

#include "../iommufd_private.h"

/**
 * struct tdp_devices - what is attached to the HWPTs of an IOAS
 * @hwpt: HWPT that could be shared: the one that is, or the first with a device
 *	of the VM; valid as long as iommufd_tdp::lock is held
 * @own: devices of the VM that are attached to it
 * @foreign: others that are
 */
struct tdp_devices {
	struct iommufd_hwpt_paging *hwpt;
	unsigned int own;
	unsigned int foreign;
};

static inline struct iommufd_ioas *tdp_ioas(struct iommufd_tdp *tdp)
{
	return container_of(tdp, struct iommufd_ioas, tdp);
}

/* The HWPT as a paging one, or NULL if it is another kind. */
static inline struct iommufd_hwpt_paging *
tdp_as_paging(struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING)
		return NULL;
	return to_hwpt_paging(hwpt);
}

/* convert.c */
struct tdp_devices tdp_find_devices(struct iommufd_tdp *tdp);
struct tdp_share_ref *tdp_hold_any(struct iommufd_tdp *tdp);
bool tdp_admits(struct iommufd_tdp *tdp, struct iommufd_device *idev);
int tdp_make_shared(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt);
int tdp_make_private(struct iommufd_tdp *tdp);
void tdp_drop_reserve(struct iommufd_tdp *tdp);

/* dirty.c */
int tdp_begin_dirty(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		    struct iommu_domain *domain);
void tdp_carry_dirty(struct iommufd_tdp *tdp, struct iommufd_hwpt_paging *hwpt,
		     struct iommu_domain *domain);

/* policy.c */
void tdp_evaluate(struct iommufd_tdp *tdp, enum tdp_trigger trigger);
int tdp_step_aside(struct iommufd_tdp *tdp, enum tdp_trigger trigger);
void tdp_activate(struct iommufd_tdp *tdp);
void tdp_kick(struct iommufd_tdp *tdp);
void tdp_forget_failures(struct iommufd_tdp *tdp);

/* vm.c */
void tdp_meet_vm(struct iommufd_tdp *tdp, struct tdp_share_ref *ref);
void tdp_meet_attached_vm(struct iommufd_tdp *tdp);
void tdp_forget_vm(struct iommufd_tdp *tdp);

/* status.c */
void tdp_list_add(struct iommufd_tdp *tdp);
void tdp_list_del(struct iommufd_tdp *tdp);
void tdp_list_wake(struct iommufd_tdp *tdp);
void tdp_list_wait(struct iommufd_tdp *tdp);

#endif /* __IOMMUFD_TDP_PRIVATE_H */
