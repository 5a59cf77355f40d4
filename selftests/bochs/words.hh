/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words that all of the plugin uses. Chapters and sections are those of
 * Intel's "Virtualization Technology for Directed I/O" specification, revision
 * 4.1, and fault names are those of its tables of fault conditions in chapter 7.
 *
 *   request     what a function asks a unit: a DMA access, or an ATS request
 *   source-id   who asks: bus << 8 | devfn
 *   domain-id   what the caches know a second-stage table by
 *   context     what the tables say of a source-id, and of a PASID there
 *   first stage   the tables in the CPU's format, from virtual addresses
 *   second stage  the tables that EPT has too, from guest-physical addresses
 *   nested      first stage, each address of which goes through the second
 *   leaf        a paging entry that maps a page, and not a table
 */
#ifndef BOCHS_WORDS_H
#define BOCHS_WORDS_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

static inline constexpr u64 bit(unsigned n) { return 1ull << n; }
/* Bits hi to lo of v, or the mask of them. */
static inline constexpr u64 mask(unsigned hi, unsigned lo)
{
	return (~0ull >> (63 - hi)) & (~0ull << lo);
}
static inline constexpr u64 field(u64 v, unsigned hi, unsigned lo)
{
	return (v & mask(hi, lo)) >> lo;
}

#define ADDR_MASK	mask(51, 12)
#define PAGE_SIZE	0x1000ull
#define NO_PASID	0xffffffffu

/* What an access needs, or an entry permits. */
enum { R = 1, W = 2, RW = R | W };

/*
 * Where tables are read from and written to, 8 bytes at a time. Returns false
 * where there is no memory. A write is one step for the CPUs, as they wait.
 */
class memory {
public:
	virtual ~memory() {}
	virtual bool read64(u64 pa, u64 *v) = 0;
	virtual bool write64(u64 pa, u64 v) = 0;
};

/* Why a request is refused: fault reasons. Zero is no fault. */
enum fault {
	OK = 0,
	/* Legacy mode: root, context, second stage, general. */
	LRT_2_NOT_PRESENT = 0x01,
	LCT_2_NOT_PRESENT = 0x02,
	LCT_4_INVALID = 0x03,
	LGN_1_ADDRESS = 0x04,		/* beyond the address width */
	LGN_2_WRITE = 0x05,
	LGN_3_READ = 0x06,
	LSL_1_ACCESS = 0x07,		/* the entry can't be read */
	LRT_1_ACCESS = 0x08,
	LCT_1_ACCESS = 0x09,
	LRT_3_RESERVED = 0x0a,
	LCT_3_RESERVED = 0x0b,
	LSL_2_RESERVED = 0x0c,
	LCT_5_BLOCKED = 0x0d,		/* ATS, and TT does not allow it */
	LGN_4_INTERRUPT = 0x0e,		/* translates to the interrupt range */
	/* The root table address register. */
	RTA_1_INVALID = 0x30,
	RTA_2_PASID = 0x31,		/* request with PASID in legacy mode */
	RTA_3_PAGE_REQUEST = 0x32,
	RTA_4_ABORT = 0x33,
	/* Scalable mode: root, context. */
	SRT_1_ACCESS = 0x38,
	SRT_2_NOT_PRESENT = 0x39,
	SRT_3_RESERVED = 0x3a,
	SCT_1_ACCESS = 0x40,
	SCT_2_NOT_PRESENT = 0x41,
	SCT_3_RESERVED = 0x42,
	SCT_4_INVALID = 0x43,
	SCT_5_DTE = 0x44,
	SCT_6_PASIDE = 0x45,
	SCT_7_PASID_LARGE = 0x46,
	SCT_8_PRE = 0x47,
	SCT_9_RID_PASID = 0x48,
	/* PASID directory and table. */
	SPD_1_ACCESS = 0x50,
	SPD_2_NOT_PRESENT = 0x51,
	SPD_3_RESERVED = 0x52,
	SPT_1_ACCESS = 0x58,
	SPT_2_NOT_PRESENT = 0x59,
	SPT_3_RESERVED = 0x5a,
	SPT_4_INVALID = 0x5b,
	SPT_5_ERE = 0x5c,
	SPT_6_SRE = 0x5d,
	/* First stage. */
	SFS_1_ACCESS = 0x70,
	SFS_2_NOT_PRESENT = 0x71,
	SFS_3_RESERVED = 0x72,
	SFS_4_ROOT_ACCESS = 0x73,
	SFS_5_ADDRESS = 0x74,		/* nested: a table beyond the address width */
	SFS_6_ROOT_READ = 0x75,		/* nested: the second stage forbids it */
	SFS_7_READ = 0x76,
	SFS_8_WRITE = 0x77,		/* of A or D */
	SFS_9_SNOOP = 0x90,
	SFS_10_UPDATE = 0x91,		/* of A or D failed */
	/* Second stage in scalable mode. */
	SSS_1_ACCESS = 0x78,
	SSS_2_NOT_PRESENT = 0x79,	/* R=W=0 */
	SSS_3_RESERVED = 0x7a,
	SSS_4_ROOT_ACCESS = 0x7b,
	SSS_5_SNOOP = 0x7c,
	SSS_6_UPDATE = 0x7d,
	/* General. */
	SGN_1_CANONICAL = 0x80,
	SGN_2_SUPERVISOR = 0x81,	/* U/S=0 for a user's request */
	SGN_3_EXECUTE = 0x82,
	SGN_4_HOST_ADDRESS = 0x83,	/* passed through, beyond the host's width */
	SGN_5_ADDRESS = 0x84,
	SGN_6_WRITE = 0x85,
	SGN_7_READ = 0x86,
	SGN_8_INTERRUPT = 0x87,
};

/* The interrupt address range, 3.14: no translation may lead there. */
static inline bool in_interrupt_range(u64 addr)
{
	return (addr & ~0xfffffull) == 0xfee00000ull;
}

#endif /* BOCHS_WORDS_H */
