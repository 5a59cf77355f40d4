/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest sees of the Bochs plugin beyond the hardware that it models:
 * where things are, and the test registers. The plugin and the selftests
 * include it.
 *
 * Words:
 *   unit      one VT-d remapping hardware unit (a DRHD of the DMAR table)
 *   function  one PCI function: edu or iommu-testdev
 *   IOTLB     a unit's cache of whole translations
 *   PSC       a unit's paging-structure cache: where the lower tables are
 *   device TLB, a function's own cache of what ATS told it
 *   record    what the unit remembers of one invalidation that it was told
 *
 * An edu function has the test registers in its BAR 0, after QEMU's edu's own
 * registers. They are 64 bits each: read and write all 8 bytes at once. What
 * belongs to a unit is shown of the unit that the function is behind, unless
 * VTDT_UNIT says otherwise; what belongs to a function, of the edu function
 * itself, unless VTDT_FUNCTION says otherwise.
 */
#ifndef SELFTESTS_BOCHS_REGS_H
#define SELFTESTS_BOCHS_REGS_H

/*
 * The machine. edu 0 and testdev 0 are always behind unit 0. With two units
 * edu 1 and testdev 1 are behind unit 1, else behind unit 0 as well.
 */
#define VTDT_UNIT_BASE(n)	(0xfed90000u + 0x10000u * (n))
#define VTDT_ECAM_BASE		0xb0000000u	/* one bus: 1 MiB */
#define VTDT_EDU_DEVFN(n)	(0x80 + 0x10 * (n))	/* 00:10.0, 00:12.0 */
#define VTDT_TESTDEV_DEVFN(n)	(0x88 + 0x10 * (n))	/* 00:11.0, 00:13.0 */

/* Counters of the unit, since its reset; they can't be written. */
#define VTDT_FAULTS		0x100	/* faults, recorded or not */
#define VTDT_WALKS		0x108	/* of tables, for want of an IOTLB entry */
#define VTDT_IOTLB_HITS		0x110
#define VTDT_INV_GLOBAL		0x118	/* IOTLB, global */
#define VTDT_INV_DOMAIN		0x120	/* IOTLB, domain-selective */
#define VTDT_INV_PAGE		0x128	/* IOTLB, page-selective-within-domain */
#define VTDT_AD_SET		0x130	/* entries in which A or D was set */
#define VTDT_IOTLB_ENTRIES	0x138	/* in it now */
#define VTDT_PSC_HITS		0x140	/* walks that did not begin at the root */
#define VTDT_PSC_ENTRIES	0x148	/* in it now */
#define VTDT_INV_PIOTLB		0x150	/* PASID-based IOTLB, both kinds */
#define VTDT_INV_PIOTLB_PASID	0x158	/* of these: all of a PASID */
#define VTDT_INV_PIOTLB_PAGE	0x160	/* of these: page-selective */
#define VTDT_INV_CONTEXT	0x168	/* context cache */
#define VTDT_INV_PASID		0x170	/* PASID cache */
#define VTDT_INV_DEVTLB		0x178	/* device TLB, by requests without PASID */
#define VTDT_INV_PDEVTLB	0x180	/* device TLB, by PASID */
#define VTDT_INV_WAIT		0x188	/* wait descriptors */
#define VTDT_CONTEXT_ENTRIES	0x190	/* in the context and PASID cache now */
#define VTDT_IQ_ERRORS		0x198	/* descriptors that were not understood */

/* Counters of the function. */
#define VTDT_DEVTLB_ENTRIES	0x1a0	/* in its device TLB now */
#define VTDT_DEVTLB_HITS	0x1a8
#define VTDT_ATS_REQUESTS	0x1b0
#define VTDT_DMA_FAILED		0x1b8	/* accesses that were refused */
#define VTDT_PRQ_SENT		0x1c0	/* page requests that it sent */
#define VTDT_PRQ_LOST		0x1c8	/* and of these not put in the queue */
#define VTDT_FLRS		0x1d0	/* function-level resets */

/* KVM's side: the EPT pointer that the CPU in VTDT_CPU (0 first) has loaded last. */
#define VTDT_EPTP		0x200	/* read only */
/*
 * The function's DMA is translated by the second-stage table at this address,
 * 4 levels, whatever its context says (0: as it says). The caches know it by
 * domain 0xfffe, which the driver never uses.
 */
#define VTDT_ROOT		0x208
/* Invalidations that the unit loses: a mask of VTDT_DROP_KIND(). */
#define VTDT_DROP		0x210
#define VTDT_ROOT_FLUSH		0x218	/* a write drops what is cached of domain 0xfffe */
#define VTDT_CPU		0x220
/*
 * Swap the addresses in the EPT leaves of two guest-physical addresses behind
 * everyone's back: that in VTDT_GPA and that which is written to VTDT_SWAP.
 */
#define VTDT_GPA		0x228
#define VTDT_SWAP		0x230

/*
 * Page requests. A write of ADDRESS | VTDT_WANT_* to VTDT_PRQ sends one, last of
 * its group, with the group index in VTDT_PRG. Responses are counted; the last
 * one's code and index are kept.
 */
#define VTDT_PRQ		0x240
#define VTDT_PRG		0x248
#define VTDT_RESPONSES		0x258
#define VTDT_RESPONSE_CODE	0x260
#define VTDT_RESPONSE_PRG	0x268
#define VTDT_WANT_READ		1
#define VTDT_WANT_WRITE		2

/* How the function does its DMA. */
#define VTDT_PASID		0x250	/* 0, or VTDT_WITH_PASID(pasid) and flags */
#define VTDT_WITH_PASID(pasid)	(0x80000000u | (pasid))
#define VTDT_PASID_PRIV		0x40000000u	/* privileged mode requested */
#define VTDT_PASID_EXEC		0x20000000u	/* execute requested */
#define VTDT_DMA_MODE		0x280
#define VTDT_DMA_UNTRANSLATED	0	/* the unit translates each access */
/*
 * It asks by ATS, keeps the answer in its device TLB and sends translated
 * requests. Refused: it sends a page request if PRI is on, waits for the
 * response and asks again, once; else the access fails. Takes ATS to be on.
 */
#define VTDT_DMA_ATS		1
#define VTDT_DMA_TRANSLATED	2	/* addresses are sent as translated ones, raw */

/*
 * One ATS translation request by hand: a write of ADDRESS | VTDT_WANT_*. The
 * answer is not kept in the device TLB unless VTDT_ATS_KEEP is set as well.
 */
#define VTDT_ATS_REQUEST	0x288
#define VTDT_ATS_KEEP		4
#define VTDT_ATS_RESULT		0x290	/* address | VTDT_FOUND_*, or 0 */
#define VTDT_ATS_SIZE		0x298	/* bytes that the answer covers */
#define VTDT_ATS_REASON		0x2a0	/* why refused: a fault reason, or 0 */

/*
 * What is cached of an address: write it, read VTDT_FOUND_* | address of the
 * page, or 0. For the function, with the PASID in VTDT_PASID.
 */
#define VTDT_FIND_IOTLB		0x2a8
#define VTDT_FIND_DEVTLB	0x2b0
#define VTDT_FIND_PSC		0x2b8	/* answers with the level of the deepest table */
#define VTDT_FOUND		0x800
#define VTDT_FOUND_READ		0x001
#define VTDT_FOUND_WRITE	0x002
#define VTDT_FOUND_2M		0x004	/* cached as one entry of that size */
#define VTDT_FOUND_1G		0x008
#define VTDT_FOUND_SNOOP	0x010	/* IOTLB alone: SNP, or PGSNP */

/* Which unit and which function the above is about: 0 ones own, or 1 + number. */
#define VTDT_UNIT		0x2c0
#define VTDT_FUNCTION		0x2c8	/* 1 edu 0, 2 testdev 0, 3 edu 1, 4 testdev 1 */
#define VTDT_CAPS		0x2d0	/* the unit's CAP; ECAP */
#define VTDT_ECAPS		0x2d8

/*
 * Records of invalidations: VTDT_INV_COUNT is how many there have been, and the
 * last VTDT_INV_KEPT of them are kept. Write the number of one, from 0, to
 * VTDT_INV_INDEX and read it from the others.
 */
#define VTDT_INV_KEPT		4096
#define VTDT_INV_COUNT		0x300
#define VTDT_INV_INDEX		0x308
#define VTDT_INV_WHAT		0x310	/* fields below; 0: no such record is kept */
#define VTDT_INV_PASID_OF	0x318
#define VTDT_INV_ADDR		0x320	/* aligned to the size */
#define VTDT_INV_SIZE		0x328	/* bytes; 0: not by address */

#define VTDT_INV_KIND(what)	((what) & 0xff)
#define VTDT_INV_GRAN(what)	((what) >> 8 & 0xf)	/* as in the descriptor */
#define VTDT_INV_IH(what)	((what) >> 16 & 1)
#define VTDT_INV_DROPPED(what)	((what) >> 17 & 1)
#define VTDT_INV_BY_REG(what)	((what) >> 18 & 1)	/* not by the queue */
#define VTDT_INV_MASK(what)	((what) >> 24 & 0x3f)	/* AM: 2^AM pages */
#define VTDT_INV_DID(what)	((what) >> 32 & 0xffff)
#define VTDT_INV_SID(what)	((what) >> 48 & 0xffff)

/* Kinds of invalidation: a record's, and bits of VTDT_DROP. */
#define VTDT_KIND_CONTEXT	1
#define VTDT_KIND_IOTLB_GLOBAL	2
#define VTDT_KIND_IOTLB_DOMAIN	3
#define VTDT_KIND_IOTLB_PAGE	4
#define VTDT_KIND_PASID		5
#define VTDT_KIND_PIOTLB_PASID	6
#define VTDT_KIND_PIOTLB_PAGE	7
#define VTDT_KIND_DEVTLB	8
#define VTDT_KIND_PDEVTLB	9
#define VTDT_KIND_PSC		10	/* only to drop: a page-selective one's IH=0 */
#define VTDT_DROP_KIND(kind)	(1u << (kind))
#define VTDT_DROP_IOTLB		(VTDT_DROP_KIND(VTDT_KIND_IOTLB_GLOBAL) | \
				 VTDT_DROP_KIND(VTDT_KIND_IOTLB_DOMAIN) | \
				 VTDT_DROP_KIND(VTDT_KIND_IOTLB_PAGE))

/* The unit's last fault, recorded or not; VTDT_FAULTS counts them. */
#define VTDT_FAULT_REASON	0x340	/* as the specification numbers them */
#define VTDT_FAULT_ADDR		0x348	/* all of it, not only the page */
#define VTDT_FAULT_SID		0x350
#define VTDT_FAULT_PASID	0x358	/* 0, or VTDT_WITH_PASID() */
#define VTDT_FAULT_WRITE	0x360	/* 1: of a write */

#endif /* SELFTESTS_BOCHS_REGS_H */
