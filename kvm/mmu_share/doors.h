/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two doors of a leaf SPTE in a shared root.
 *
 *   common       vCPUs and the device find the page there
 *   CPU-only     a vCPU's fault has made it; the device finds nothing
 *   device-only  the IOAS maps it; a vCPU faults and has KVM look again
 *
 * To open or to shut a door is to change the leaf's own bits, see format.h for
 * which. So whether the IOAS maps a leaf, i.e. whether its page is pinned, is
 * read from the leaf, is split and merged with it, and needs no lock to know.
 *
 * Invariants, all under mmu_lock:
 *
 * - The device's door is opened by map alone and shut by unmap alone. Nothing
 *   that happens to the host's mapping, to memslots or to vCPUs changes what the
 *   device finds, so that none of it needs a flush of the IOTLB.
 * - The CPUs' door is open only where the host's mapping has that very page.
 *   Whatever changes the host's mapping shuts it, as upstream zaps.
 * - A leaf both doors of which are shut does not exist.
 * - CPU TLBs have no leaf that is shut to CPUs, once mmu_lock is let go.
 */
#ifndef __KVM_MMU_SHARE_DOORS_H
#define __KVM_MMU_SHARE_DOORS_H

#include "format.h"
#include "mmu/spte.h"

extern struct mmu_share_doors mmu_share_doors;

/*
 * The functions with underscores take the doors' bits, for the tests; all else
 * uses those below, with the bits that the vendor module's layout has.
 */
static inline bool __spte_is_open_to_device(const struct mmu_share_doors *doors,
					    u64 spte)
{
	return (spte & (doors->device & ~doors->device_write)) ==
	       doors->device_open;
}

static inline bool __spte_is_open_to_cpus(const struct mmu_share_doors *doors,
					  u64 spte)
{
	return (spte & doors->cpu) != doors->cpu_shut;
}

static inline u64 __spte_open_to_device(const struct mmu_share_doors *doors,
					u64 spte, bool write)
{
	spte = (spte & ~doors->device) | doors->device_open;
	return write ? spte | doors->device_write : spte;
}

static inline u64 __spte_shut_to_device(const struct mmu_share_doors *doors,
					u64 spte)
{
	bool writable = spte & doors->mmu_writable;

	spte = (spte & ~doors->device) | doors->device_shut;
	return writable ? spte | doors->shut_writable : spte;
}

static inline u64 __spte_cpu_bits(const struct mmu_share_doors *doors)
{
	return doors->cpu | doors->cpu_rights | doors->cpu_attrs;
}

static inline u64 __spte_shut_to_cpus(const struct mmu_share_doors *doors,
				      u64 spte)
{
	return (spte & ~(doors->cpu | doors->cpu_rights)) | doors->cpu_shut;
}

/**
 * spte_is_open_to_device() - whether the IOAS maps what a leaf maps
 * @spte: a shadow-present leaf of a shared root
 *
 * Return: true for common and device-only leaves
 */
static inline bool spte_is_open_to_device(u64 spte)
{
	return __spte_is_open_to_device(&mmu_share_doors, spte);
}

/**
 * spte_is_open_to_cpus() - whether vCPUs may use a leaf
 * @spte: a shadow-present leaf of a shared root
 *
 * Return: true for common and CPU-only leaves
 */
static inline bool spte_is_open_to_cpus(u64 spte)
{
	return __spte_is_open_to_cpus(&mmu_share_doors, spte);
}

/**
 * spte_device_may_write() - whether the IOAS lets the device write
 * @spte: a leaf that is open to the device
 *
 * Return: as it says
 */
static inline bool spte_device_may_write(u64 spte)
{
	return spte & mmu_share_doors.device_write;
}

/**
 * spte_open_to_device() - Open a leaf to the device
 * @spte: a leaf
 * @write: the device may write too
 *
 * That the host page may be written is kept as far as MMU-writable says it.
 *
 * Return: the leaf, all else unchanged
 */
static inline u64 spte_open_to_device(u64 spte, bool write)
{
	return __spte_open_to_device(&mmu_share_doors, spte, write);
}

/**
 * spte_shut_to_device() - Leave a common leaf to the CPUs alone
 * @spte: a leaf that is open to both
 *
 * Return: the leaf, all else unchanged
 */
static inline u64 spte_shut_to_device(u64 spte)
{
	return __spte_shut_to_device(&mmu_share_doors, spte);
}

/* The bits that only CPUs read, and that say what they may do. */
static inline u64 spte_cpu_bits(void)
{
	return __spte_cpu_bits(&mmu_share_doors);
}

/**
 * spte_rights_differ() - whether one leaf can't give both sides what is theirs
 * @spte: a leaf that is, or will be, open to the device
 * @cpu_write: vCPUs may write
 *
 * Where both read the same W.
 *
 * Return: true where the leaf's W is not @cpu_write
 */
static inline bool spte_rights_differ(u64 spte, bool cpu_write)
{
	u64 w = mmu_share_doors.one_write;

	return w && !!(spte & w) != cpu_write;
}

/**
 * spte_shut_to_cpus() - Leave a common leaf to the device alone
 * @spte: a leaf that is open to both
 *
 * A leaf that a CPU can't read must not be one that fast_page_fault() could
 * make writable: MMU-writable goes too, or is W where W is the device's.
 *
 * Return: the leaf, all else unchanged
 */
static inline u64 spte_shut_to_cpus(u64 spte)
{
	return __spte_shut_to_cpus(&mmu_share_doors, spte);
}

#endif /* __KVM_MMU_SHARE_DOORS_H */
