/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Automatic sharing: an IOAS that has no other pages than a VM where both have one
 * has its HWPT walk the VM's own table.
 *
 * Each IOAS has a struct iommufd_tdp, idle until a device of a VM is attached to
 * one of its HWPTs. From then on the HWPT changes between its own, private,
 * domain and a shared one, whose table is KVM's, under the devices' DMA and with
 * its id unchanged. It is shared when nothing has changed for a while; it steps
 * aside for what one table can't say, before that is done: different pages for
 * vCPUs and devices at one address, devices of two VMs.
 *
 * Lock order, outermost first; kvm->slots_lock may be held outside of all but
 * the first two:
 *   ioas->mutex
 *     iommufd_tdp::vm_lock: meeting and forgetting a VM
 *       the share's notifier chain
 *         iommufd_tdp::lock
 *           igroup->lock, iopt->domains_rwsem and what is inside of these
 * The list of all VMs has a lock that is inside of all of these, and nothing is
 * inside of it.
 */
#ifndef __IOMMUFD_TDP_H
#define __IOMMUFD_TDP_H

#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct io_pagetable;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_hw_pagetable;
struct iommufd_hwpt_paging;
struct iommufd_ioas;
struct iommu_dirty_bitmap;
struct mem_cgroup;
struct tdp_share_ref;

/**
 * enum tdp_trigger - what made an HWPT change its domain
 * @TDP_BY_QUIET: nothing has changed for a while
 * @TDP_BY_MAP: a map has failed, which a private table may take
 * @TDP_BY_CONFLICT: a vCPU has touched what the VM maps otherwise by now
 * @TDP_BY_ATTACH: a device of another VM, or of none, comes; or the last one went
 * @TDP_BY_DIRTY: dirty tracking is switched, or read, while the HWPT is split
 * @TDP_BY_CLAIM: user space asks for an HWPT that is the VM's table
 * @TDP_BY_OFF: an operator wants no sharing
 * @TDP_BY_FORCE: an operator wants it now
 * @TDP_TRIGGERS: their number
 */
enum tdp_trigger {
	TDP_BY_QUIET,
	TDP_BY_MAP,
	TDP_BY_CONFLICT,
	TDP_BY_ATTACH,
	TDP_BY_DIRTY,
	TDP_BY_CLAIM,
	TDP_BY_OFF,
	TDP_BY_FORCE,
	TDP_TRIGGERS,
};

/**
 * enum tdp_reason - why there is no sharing now
 * @TDP_SHARED: there is
 * @TDP_SETTLING: something has changed a moment ago
 * @TDP_NO_HWPT: no device is attached
 * @TDP_KIND: a nesting parent, or one for PASIDs, faults or an explicit share
 * @TDP_NO_MIRROR: the IOAS maps other pages than the VM has at their addresses, or
 *	what the VM's table can't have
 * @TDP_REFUSED: KVM or the IOMMU refused
 * @TDP_FOREIGN: a device of another VM, or of none, is attached too
 * @TDP_OFF: an operator wants none
 * @TDP_FORCED: an operator has ended it, until things are quiet again
 * @TDP_SPLIT: it ends, but part of the devices can't be moved yet
 */
enum tdp_reason {
	TDP_SHARED,
	TDP_SETTLING,
	TDP_NO_HWPT,
	TDP_KIND,
	TDP_NO_MIRROR,
	TDP_REFUSED,
	TDP_FOREIGN,
	TDP_OFF,
	TDP_FORCED,
	TDP_SPLIT,
};

/**
 * struct tdp_stats - what has happened so far
 * @converted: successful conversions, [to_shared]
 * @failed: conversions that failed, either way
 * @triggers: conversions to private by what made them
 * @last: trigger of the last one
 * @ns: time spent, [shared], up to @since
 * @since: when the present state began, ktime in ns
 * @last_ns: how long the last conversion took, or failed; read without the lock
 * @longest_ns: the longest conversion
 */
struct tdp_stats {
	u64 converted[2];
	u64 failed;
	u64 triggers[TDP_TRIGGERS];
	enum tdp_trigger last;
	u64 ns[2];
	u64 since;
	u64 last_ns;
	u64 longest_ns;
};

/**
 * struct iommufd_tdp - automatic sharing of an IOAS
 * @vm_lock: held while a VM is met or forgotten; @ref, @nb and @item then change
 *	together, part of which must be done without @lock
 * @lock: protects what has no other; held while an HWPT of the IOAS gets a device
 *	or changes its domain
 * @ictx: the IOAS's context
 * @item: in the list of those that have a VM, protected by the list's lock
 * @nr: its number there, likewise
 * @users: those who have found it in the list, and the IOAS itself
 * @unused: none of them is left
 * @ref: the VM's share, NULL until a device of a VM is attached
 * @nb: told of what happens to the share
 * @work: looks whether to share, once things are quiet
 * @hwpt: the HWPT that is shared now, or NULL
 * @split: part of what is attached to @hwpt is on its private domain already, or
 *	still, and could not be moved. Both of its domains are in the IOAS. The
 *	only way out is to the private one, see tdp_make_private(); until then no
 *	device is attached, and dirty tracking is neither switched nor read
 * @seq: number of conversions, successful or not; read without the lock
 * @failures: conversions that failed one after the other; reset without the lock
 * @not_before: when to look again after that, in jiffies
 * @waits: another HWPT has the VM's table, or may have; read without the lock
 * @hwpt_goes: it was shared, and its domain still has the VM's table
 * @conflict_work: has @hwpt step aside for a vCPU that waits
 * @conflict_error: errno of a conflict that could not be ended, until a vCPU has
 *	been told; written without the lock
 * @off: an operator wants no sharing
 * @reason: why there is none now
 * @error: errno of that, or 0
 * @owner_lock: protects @pid, @comm and @memcg; innermost
 * @pid: process that the IOAS belongs to: it attached the first device, or has
 *	taken the IOAS or the devices over
 * @comm: its name
 * @memcg: its memory cgroup, which pays for tables whoever has them made
 * @stats: what has happened so far
 */
struct iommufd_tdp {
	struct mutex vm_lock; /* see above */
	struct mutex lock; /* see above */
	struct iommufd_ctx *ictx;
	struct list_head item;
	u64 nr;
	refcount_t users;
	struct completion unused;
	struct tdp_share_ref *ref;
	struct notifier_block nb;
	struct delayed_work work;
	struct iommufd_hwpt_paging *hwpt;
	bool split;
	unsigned int seq;
	unsigned int failures;
	unsigned long not_before;
	bool waits;
	bool hwpt_goes;
	struct delayed_work conflict_work;
	int conflict_error;
	bool off;
	enum tdp_reason reason;
	int error;
	spinlock_t owner_lock; /* see above */
	pid_t pid;
	char comm[16];
	struct mem_cgroup *memcg;
	struct tdp_stats stats;
};

/**
 * struct tdp_map - a map that is tried again without a shared table if it fails
 * @seq: iommufd_tdp::seq before the last try
 * @tries: how often it has failed
 */
struct tdp_map {
	unsigned int seq;
	unsigned int tries;
};

#ifdef CONFIG_IOMMU_TDP_BRIDGE

/* policy.c: when to share */
void iommufd_tdp_init(struct iommufd_ioas *ioas, struct iommufd_ctx *ictx);
void iommufd_tdp_destroy(struct iommufd_ioas *ioas);
int iommufd_tdp_begin_attach(struct iommufd_hw_pagetable *hwpt,
			     struct iommufd_device *idev);
void iommufd_tdp_end_attach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev, bool attached);
void iommufd_tdp_detached(struct iommufd_hw_pagetable *hwpt);
void iommufd_tdp_hwpt_destroy(struct iommufd_hwpt_paging *hwpt);
void iommufd_tdp_hwpt_destroyed(struct iommufd_ioas *ioas);
int iommufd_tdp_begin_dirty(struct iommufd_hwpt_paging *hwpt);
void iommufd_tdp_end_dirty(struct iommufd_hwpt_paging *hwpt);
struct tdp_map iommufd_tdp_begin_map(struct io_pagetable *iopt);
bool iommufd_tdp_map_again(struct io_pagetable *iopt, struct tdp_map *map,
			   int error);
void iommufd_tdp_mapped(struct io_pagetable *iopt);
void iommufd_tdp_unmapped(struct io_pagetable *iopt);

/* dirty.c: dirty pages of a domain that goes */
void iommufd_tdp_read_dirty(struct iommufd_hwpt_paging *hwpt, unsigned long iova,
			    size_t length, bool clear,
			    struct iommu_dirty_bitmap *dirty);

/* vm.c: which VM, and which process */
void iommufd_tdp_device_destroy(struct iommufd_device *idev);
void iommufd_tdp_change_process(struct iommufd_ioas *ioas);

/* status.c: what an operator sees and says */
void iommufd_tdp_module_init(void);
void iommufd_tdp_module_exit(void);

#else

static inline void iommufd_tdp_init(struct iommufd_ioas *ioas,
				    struct iommufd_ctx *ictx)
{
}

static inline void iommufd_tdp_destroy(struct iommufd_ioas *ioas)
{
}

static inline void iommufd_tdp_device_destroy(struct iommufd_device *idev)
{
}

static inline void iommufd_tdp_change_process(struct iommufd_ioas *ioas)
{
}

static inline int iommufd_tdp_begin_attach(struct iommufd_hw_pagetable *hwpt,
					   struct iommufd_device *idev)
{
	return 0;
}

static inline void iommufd_tdp_end_attach(struct iommufd_hw_pagetable *hwpt,
					  struct iommufd_device *idev,
					  bool attached)
{
}

static inline void iommufd_tdp_detached(struct iommufd_hw_pagetable *hwpt)
{
}

static inline void iommufd_tdp_hwpt_destroy(struct iommufd_hwpt_paging *hwpt)
{
}

static inline void iommufd_tdp_hwpt_destroyed(struct iommufd_ioas *ioas)
{
}

static inline int iommufd_tdp_begin_dirty(struct iommufd_hwpt_paging *hwpt)
{
	return 0;
}

static inline void iommufd_tdp_end_dirty(struct iommufd_hwpt_paging *hwpt)
{
}

static inline void iommufd_tdp_read_dirty(struct iommufd_hwpt_paging *hwpt,
					  unsigned long iova, size_t length,
					  bool clear,
					  struct iommu_dirty_bitmap *dirty)
{
}

static inline struct tdp_map iommufd_tdp_begin_map(struct io_pagetable *iopt)
{
	return (struct tdp_map) {};
}

static inline bool iommufd_tdp_map_again(struct io_pagetable *iopt,
					 struct tdp_map *map, int error)
{
	return false;
}

static inline void iommufd_tdp_mapped(struct io_pagetable *iopt)
{
}

static inline void iommufd_tdp_unmapped(struct io_pagetable *iopt)
{
}

static inline void iommufd_tdp_module_init(void)
{
}

static inline void iommufd_tdp_module_exit(void)
{
}
#endif

#endif /* __IOMMUFD_TDP_H */
