// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software walkers for the tests of the entry format: of the CPU and the IOMMU, for
 * both formats, written out from the specifications.  Each decodes one entry on its
 * own terms.
 */
#include "format_test.h"

/*
 * AMD-Vi v1 (AMD IOMMU Specification, 2.2.3).  Next level 0 and 7 are leaves, 7
 * one whose size the address tells.  Any other has to be below the level of the
 * table that holds the entry, else it is an invalid level encoding.
 * MAXPHYADDR is taken to be below 52 where it matters, i.e. for MMIO only.
 */
static struct decoded amdvi_decode(u64 entry, int level)
{
	int next = entry >> 9 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(61),
		.write = entry & BIT_ULL(62),
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (next == 0 || next == 7) {
		d.walk = entry & GENMASK_ULL(58, 52) ? FAULT : TO_PAGE;
	} else {
		d.walk = entry & GENMASK_ULL(60, 52) || next >= level ?
			 FAULT : TO_TABLE;
		d.next = next;
	}
	return d;
}

/* VT-d second stage: vtdss_pt_load_entry_raw(), R or W being present. */
static struct decoded vtdss_decode(u64 entry, int level)
{
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(0),
		.write = entry & BIT_ULL(1),
	};

	if (!d.read && !d.write)
		return (struct decoded){ .walk = ABSENT };
	if (entry & (BIT_ULL(11) | BIT_ULL(62))) {
		d.walk = FAULT;
	} else if (level == LVL_4K || (level <= LVL_1G && entry & BIT_ULL(7))) {
		d.walk = TO_PAGE;
	} else {
		d.walk = entry & BIT_ULL(7) ? FAULT : TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

/* The CPU's nested walk, of a user access, below MAXPHYADDR 52. */
static struct decoded npt_decode(u64 entry, int level)
{
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(2),
		.write = (entry & (BIT_ULL(1) | BIT_ULL(2))) ==
			 (BIT_ULL(1) | BIT_ULL(2)),
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (entry & BIT_ULL(51)) {
		d.walk = FAULT;
	} else if (level == LVL_4K) {
		d.walk = TO_PAGE;
	} else if (!(entry & BIT_ULL(7))) {
		d.walk = entry & BIT_ULL(8) ? FAULT : TO_TABLE;
		d.next = level - 1;
	} else if (level > LVL_1G ||
		   entry & (BIT_ULL(12 + 9 * (level - 1)) - BIT_ULL(13))) {
		d.walk = FAULT;
	} else {
		d.walk = TO_PAGE;
	}
	return d;
}

static struct decoded ept_decode(u64 entry, int level)
{
	int memtype = entry >> 3 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(0),
		.write = entry & BIT_ULL(1),
	};

	if (!(entry & 7))
		return (struct decoded){ .walk = ABSENT };
	if (d.write && !d.read) {
		d.walk = FAULT;
	} else if (level == LVL_4K || (level <= LVL_1G && entry & BIT_ULL(7))) {
		d.walk = memtype == 2 || memtype == 3 || memtype == 7 ?
			 FAULT : TO_PAGE;
		if (level > LVL_4K &&
		    entry & (BIT_ULL(12 + 9 * (level - 1)) - BIT_ULL(12)))
			d.walk = FAULT;
	} else {
		d.walk = entry & GENMASK_ULL(7, 3) ? FAULT : TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

struct decoded mmu_share_cpu_decode(enum mmu_share_format fmt, u64 entry,
				    int level)
{
	return fmt == NPT ? npt_decode(entry, level) : ept_decode(entry, level);
}

struct decoded mmu_share_iommu_decode(enum mmu_share_format fmt, u64 entry,
				      int level)
{
	return fmt == NPT ? amdvi_decode(entry, level) :
			    vtdss_decode(entry, level);
}

/*
 * QEMU 10.2.2's fetch_pte() and amdvi_page_walk().  The next level only tells a
 * leaf from a table: the child is always of the level below, reserved bits are not
 * looked at, and an entry of a 4K table is a leaf whatever it says.  But no entry
 * without IR and IW is followed.  (OpenVMM's walk_page_table() too takes an entry
 * of a 4K table for a leaf, and faults on a next level that is not below.)
 */
struct decoded mmu_share_qemu_decode(enum mmu_share_format fmt, u64 entry,
				     int level)
{
	int next = entry >> 9 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = entry & BIT_ULL(61),
		.write = entry & BIT_ULL(62),
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (!d.read && !d.write) {
		d.walk = FAULT;
	} else if (level == LVL_4K || next == 0 || next == 7) {
		d.walk = TO_PAGE;
	} else {
		d.walk = TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

/*
 * generic_pt's amdv1pt_load_entry_raw(), with which Linux reads tables that it has
 * made itself: likewise, and permissions are not looked at on the way.
 */
struct decoded mmu_share_generic_pt_decode(enum mmu_share_format fmt, u64 entry,
					   int level)
{
	int next = entry >> 9 & 7;
	struct decoded d = {
		.addr = entry & TEST_ADDR,
		.read = true,
		.write = true,
	};

	if (!(entry & BIT_ULL(0)))
		return (struct decoded){ .walk = ABSENT };
	if (level == LVL_4K || next == 0 || next == 7) {
		d.walk = TO_PAGE;
	} else {
		d.walk = TO_TABLE;
		d.next = level - 1;
	}
	return d;
}

/*
 * Walk from @top on, permissions ANDed.  @entry has one entry for each level;
 * the walk stops in front of a level that it has none for.
 */
struct decoded mmu_share_walk(decode_fn decode, enum mmu_share_format fmt,
			      const u64 *entry, int top, int leaf, int *level)
{
	bool read = true, write = true;
	struct decoded d;

	for (*level = top; ; *level = d.next) {
		d = decode(fmt, entry[*level], *level);
		read &= d.read;
		write &= d.write;
		if (d.walk != TO_TABLE || d.next < leaf)
			break;
	}
	d.read = read;
	d.write = write;
	return d;
}
