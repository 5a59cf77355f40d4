/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seam between a hypervisor that owns a second-level page table (TDP) and
 * an IOMMU domain that walks it.
 *
 * The provider (KVM) owns every entry. It knows nothing of IOMMU drivers or
 * iommufd. The bridge (drivers/iommu/tdp_bridge) makes the table look like any
 * other page table behind generic_pt's struct pt_iommu. It knows nothing of
 * entry bits. The drivers and iommufd see a struct pt_iommu domain.
 *
 *   iommufd --map_range/unmap_range--> bridge --tdp_provider_ops--> KVM
 *   driver  <--flush_iotlb_all-------- bridge <----tdp_sink_ops---- KVM
 *
 * What a device finds in the table changes by map and unmap alone. So the IOTLB
 * is flushed by the bridge after a map and, as for any domain, by the IOMMU core
 * after an unmap, and KVM has it flushed only when it has unlinked a table.
 *
 * Lifetime: tdp_bridge_get() returns a counted reference to a share, which
 * holds the VM. A bound domain holds a reference of its own until it is freed.
 * The VM never holds the share or the domain, so that there is no cycle. The
 * last reference may go in any context that may sleep; what it frees is freed
 * from a work item, because the VM's destruction takes locks that are outside
 * of those that iommufd holds.
 *
 * Lock order, outermost first:
 *   kvm->slots_lock
 *     ioas->mutex, iopt->domains_rwsem, iopt->iova_rwsem, pages->mutex
 *       share's dirty mutex
 *         share's map mutex
 *           kvm->srcu
 *             kvm->mmu_lock
 *               share's sink lock
 *                 the driver's domain lock
 * tdp_bridge_get() and tdp_bridge_activate() take slots_lock and must be called
 * without iommufd's locks.
 */
#ifndef __LINUX_TDP_BRIDGE_H
#define __LINUX_TDP_BRIDGE_H

#include <linux/err.h>
#include <linux/generic_pt/iommu.h>
#include <linux/notifier.h>
#include <linux/tdp_dirty.h>
#include <linux/types.h>

struct device;
struct file;
struct kvm;
struct module;
struct tdp_provider_ops;
struct tdp_share_ref;

/**
 * enum tdp_event - what a share's watchers are told
 * @TDP_CONFLICT: a vCPU needs another page than the device has at its gfn. Whoever
 *	can begins to do without the share and does not wait for it: it is told
 *	again, every tick, as long as the conflict is there. Or it returns an errno
 *	with which KVM_RUN ends. Called in the vCPU's thread.
 * @TDP_CLAIMED: user space asks for an HWPT that is the VM's table. Whoever can
 *	does without the share before it returns.
 * @TDP_CHANGED: memslots have changed, or what stood in the way of sharing.
 */
enum tdp_event {
	TDP_CONFLICT,
	TDP_CLAIMED,
	TDP_CHANGED,
};

/**
 * struct tdp_share - a VM's table, embedded in the provider's own object
 * @ops: what the bridge calls
 * @events: whom to tell of enum tdp_event. Called by the provider, may sleep;
 *	kvm->slots_lock may be held, so that a watcher must not take it.
 */
struct tdp_share {
	const struct tdp_provider_ops *ops;
	struct blocking_notifier_head events;
};

/**
 * enum tdp_format - what the entries of a table look like to an IOMMU
 * @TDP_FORMAT_AMDV1: AMD-Vi v1 host table
 * @TDP_FORMAT_VTDSS: VT-d second stage
 */
enum tdp_format {
	TDP_FORMAT_AMDV1,
	TDP_FORMAT_VTDSS,
};

/* Each level of a table, in either format, takes so many bits of an address. */
#define TDP_LEVEL_BITS	9

/*
 * What a driver that is asked for a domain, or to attach a device to one, says of
 * an IOMMU that can't be given a hypervisor's table; see tdp_bridge_refuse_iommu().
 */
#define TDP_REFUSE_WALK		(-EOPNOTSUPP)	/* it can't walk it; ENODEV to users */
#define TDP_REFUSE_INCOHERENT	(-ESTALE)	/* walks don't snoop CPU caches */
#define TDP_REFUSE_CACHING_MODE	(-EMULTIHOP)	/* it caches what is not present */
#define TDP_REFUSE_WRITE_BUFFER	(-ENOBUFS)	/* to be flushed at each change */
#define TDP_REFUSE_BIT_62	(-ENOTUNIQ)	/* may not shut a leaf to devices */
#define TDP_REFUSE_MODE		(-ENOPROTOOPT)	/* leaves must say: snoop */
#define TDP_REFUSE_SNOOP	(-EL2NSYNC)	/* DMA need not snoop */
#define TDP_REFUSE_DIRTY	(-ENODATA)	/* it sets no dirty bits */

/**
 * struct tdp_table_info - a share's table as an IOMMU must be told of it
 * @root: physical address of the top table, constant for the share's life
 * @format: how entries look
 * @levels: number of levels that the walk from @root has
 * @pgsizes: bitmap of leaf sizes, in bytes, that may occur
 */
struct tdp_table_info {
	phys_addr_t root;
	enum tdp_format format;
	unsigned int levels;
	unsigned long pgsizes;
};

/**
 * struct tdp_pages - pages for a range of guest memory, in runs
 * @pfns: first page frame of each run
 * @npfns: its length in pages of 4 KiB
 * @nr: number of runs
 */
struct tdp_pages {
	const unsigned long *pfns;
	const u32 *npfns;
	unsigned int nr;
};

/**
 * struct tdp_sink_ops - what the provider calls on the IOMMU side
 * @flush_tables: Drop what the IOMMU and its devices cached of the table,
 *	pointers to lower tables included, as for freed tables of any domain. Called
 *	with spinlocks held, on behalf of an ioctl of the VM, may spin for as long
 *	as the driver waits for an answer, may be called concurrently with map and
 *	unmap.
 * @flush_pages: Drop what the IOMMU and its devices cached of the leaves of a range,
 *	so that the next write sets D again. Likewise.
 */
struct tdp_sink_ops {
	void (*flush_tables)(void *sink);
	void (*flush_pages)(void *sink, u64 gpa, u64 len);
};

/**
 * struct tdp_provider_ops - what the bridge calls on the hypervisor
 * @owner: module to pin while a share exists
 * @vm: The VM behind a file, or NULL. Any context.
 * @get: Find or create the share of @kvm, which the caller holds. Returns it
 *	with a reference or an ERR_PTR() with one errno a reason; -EAGAIN while the
 *	VM's last share is being put. @verbose: say in the log what to do. May
 *	sleep, takes kvm->slots_lock.
 * @put: Drop a reference. May sleep, takes kvm->slots_lock; the bridge calls it
 *	from a work item.
 * @activate: Make the vCPUs walk the table too, if they do not yet. May sleep,
 *	takes kvm->slots_lock.
 * @bind: Make @sink the receiver of flushes. One sink at a time: -EBUSY. @asked:
 *	user space wants just this, so that a conflict is a vCPU's exit and not
 *	%TDP_CONFLICT. Any context.
 * @unbind: Undo @bind. On return no flush is running or will come. May sleep.
 * @table: Describe the table. Any context.
 * @map: Open guest memory to the device from @gpa on, page aligned, with @pages,
 *	whether or not there is a memslot. @prot is IOMMU_READ and friends. @strict:
 *	refuse pages that the memslot does not have there, which else is found
 *	out by the vCPU that touches one, see %TDP_CONFLICT. Bytes
 *	done are added to *@mapped, also on error. The caller has the IOTLB flushed.
 *	May sleep. Returns 0 or:
 *	-EADDRNOTAVAIL not the memslot's pages, -EACCES no read permission,
 *	-EMEDIUMTYPE memory that the hypervisor may take back though it is pinned,
 *	-ERANGE beyond the CPU's addresses, -ENOMEM.
 * @unmap: Shut [@gpa, @gpa + @len) to the device and leave it to the CPUs. The
 *	caller has the IOTLB and device TLBs flushed, of whole leaves of the size
 *	that is returned, bytes: the largest that devices have found so far. Never
 *	fails. May sleep.
 * @read_pfns: Add to @runs the pages of [@gpa, @gpa + @len), page aligned, up to
 *	the first that is not open to the device or that has no room. Returns for how
 *	many bytes. Any context, no locks.
 * @track_dirty: Have @read_dirty tell what is written from now on, if @on, or up to
 *	now. While it is on all that is open to the device is in leaves of 4 KiB.
 *	May sleep. Returns 0 or -ENOMEM.
 * @read_dirty: Tell of pages of [@gpa, @gpa + @len), which is mapped, that were
 *	written, by the device if its IOMMU sets D or by CPUs, and forget them if
 *	@clear. CPU TLBs are flushed. Returns whether there were any: the caller
 *	then has the IOTLB flushed before he says so. May sleep, and so may @report.
 */
struct tdp_provider_ops {
	struct module *owner;
	struct kvm *(*vm)(struct file *file);
	struct tdp_share *(*get)(struct kvm *kvm, bool verbose);
	void (*put)(struct tdp_share *share);
	void (*activate)(struct tdp_share *share);
	int (*bind)(struct tdp_share *share, const struct tdp_sink_ops *ops,
		    void *sink, bool asked);
	void (*unbind)(struct tdp_share *share);
	void (*table)(struct tdp_share *share, struct tdp_table_info *info);
	int (*map)(struct tdp_share *share, u64 gpa,
		   const struct tdp_pages *pages, unsigned int prot,
		   bool strict, size_t *mapped);
	size_t (*unmap)(struct tdp_share *share, u64 gpa, u64 len);
	size_t (*read_pfns)(struct tdp_share *share, u64 gpa, u64 len,
			    struct iommu_pfn_runs *runs);
	int (*track_dirty)(struct tdp_share *share, bool on);
	bool (*read_dirty)(struct tdp_share *share, u64 gpa, u64 len, bool clear,
			   tdp_dirty_fn report, void *arg);
};

/**
 * struct tdp_domain - an IOMMU domain whose table is a share's
 * @iommu: what the driver and the IOMMU core see
 * @amdv1: the same, for AMD's driver
 * @vtdss: the same, for Intel's driver
 * @ref: the share, once bound
 * @va_bits: address bits that the IOMMU takes at most
 * @levels: bitmap of numbers of levels that a table may have for the IOMMU
 * @pgsizes: leaf sizes, in bytes, that the IOMMU can walk
 * @format: the entry format that the IOMMU walks
 * @asked: user space asked for the share and is told in the log why it does not
 *	get what it asks for
 * @filled: see tdp_bridge_set_filled()
 * @any_private: devices move between it and any paging domain of the driver's
 *	without losing DMA, not just those whose table has the same format
 *
 * The driver overlays its own domain struct with this one, as it does with
 * generic_pt's.
 */
struct tdp_domain {
	union {
		struct pt_iommu iommu;
		struct pt_iommu_amdv1 amdv1;
		struct pt_iommu_vtdss vtdss;
	};
	struct tdp_share_ref *ref;
	unsigned int va_bits;
	unsigned long levels;
	unsigned long pgsizes;
	enum tdp_format format;
	bool asked;
	bool filled;
	bool any_private;
};

#if IS_ENABLED(CONFIG_IOMMU_TDP_BRIDGE)
extern const struct iommu_dirty_ops tdp_bridge_dirty_ops;
void tdp_bridge_record_dirty(void *arg, u64 iova, unsigned long mask);

int tdp_bridge_register(const struct tdp_provider_ops *ops);
void tdp_bridge_unregister(const struct tdp_provider_ops *ops);

struct tdp_share_ref *tdp_bridge_get(int vm_fd);
struct tdp_share_ref *tdp_bridge_get_kvm(struct kvm *kvm);
void tdp_bridge_hold(struct tdp_share_ref *ref);
void tdp_bridge_put(struct tdp_share_ref *ref);
bool tdp_bridge_same_vm(struct tdp_share_ref *a, struct tdp_share_ref *b);
void tdp_bridge_watch(struct tdp_share_ref *ref, struct notifier_block *nb);
void tdp_bridge_unwatch(struct tdp_share_ref *ref, struct notifier_block *nb);
void tdp_bridge_activate(struct tdp_share_ref *ref);
int tdp_bridge_bind(struct iommu_domain *domain, struct tdp_share_ref *ref,
		    bool asked);
void tdp_bridge_set_filled(struct iommu_domain *domain);
bool tdp_bridge_is_bound(struct iommu_domain *domain);
bool tdp_bridge_any_private(struct iommu_domain *domain);

int tdp_bridge_refuse_flags(u32 flags);
int tdp_bridge_refuse_iommu(struct device *dev, int err);
int tdp_bridge_refuse_attach(struct tdp_domain *tdp, struct device *dev,
			     int err);

void tdp_bridge_init_vtdss(struct tdp_domain *tdp,
			   const struct pt_iommu_vtdss_cfg *cfg,
			   unsigned long levels, unsigned long pgsizes);
void tdp_bridge_init_amdv1(struct tdp_domain *tdp,
			   const struct pt_iommu_amdv1_cfg *cfg,
			   unsigned long pgsizes);
phys_addr_t tdp_bridge_iova_to_phys(struct iommu_domain *domain,
				    dma_addr_t iova);
size_t tdp_bridge_read_pfns(struct iommu_domain *domain, dma_addr_t iova,
			    size_t size, struct iommu_pfn_runs *runs);
#else
static inline struct tdp_share_ref *tdp_bridge_get(int vm_fd)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void tdp_bridge_put(struct tdp_share_ref *ref)
{
}

static inline void tdp_bridge_activate(struct tdp_share_ref *ref)
{
}

static inline int tdp_bridge_bind(struct iommu_domain *domain,
				  struct tdp_share_ref *ref, bool asked)
{
	return -EOPNOTSUPP;
}

static inline bool tdp_bridge_is_bound(struct iommu_domain *domain)
{
	return false;
}

static inline int tdp_bridge_refuse_flags(u32 flags)
{
	return -EOPNOTSUPP;
}

static inline int tdp_bridge_refuse_iommu(struct device *dev, int err)
{
	return err;
}
#endif

#endif /* __LINUX_TDP_BRIDGE_H */
