// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry-format contract: the bits of each format, the proof that KVM's
 * own bits fit in between, and the check of one entry against both.
 *
 * See format.h for the formats and the parts of the specifications that
 * define them.
 */
#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/kvm_host.h>

#include <asm/pgtable_types.h>
#include <asm/vmx.h>

#include "mmu/spte.h"
#include "format.h"

/* What static asserts say: no bit of @a is in @b, every one is, they are equal. */
#define DISJOINT(a, b)			(!((a) & (b)))
#define SUBSET(a, b)			(!((a) & ~(b)))
#define SAME(a, b)			((a) == (b))

/* Lowest bit of the address of a leaf at @level. */
#define SHARE_LEAF_SHIFT(level)		(12 + 9 * ((level) - PG_LEVEL_4K))

/* Bits of the address field that are below the size of a leaf at @level. */
#define SHARE_LEAF_LOW_ADDR(level) \
	(BIT_ULL(SHARE_LEAF_SHIFT(level)) - BIT_ULL(12))

/* What make_mmio_spte() puts into an MMIO entry as access; none for EPT. */
#define NPT_MMIO_ACC			(SHARE_NPT_W | SHARE_NPT_U)

/* Where restore_acc_track_spte() looks without A/D bits. */
#define EPT_ACC_TRACK_SAVED \
	((SHARE_EPT_R | SHARE_EPT_X | SHARE_EPT_XU) << \
	 SHADOW_ACC_TRACK_SAVED_BITS_SHIFT)

/*
 * The layouts, as constants first, so that they can be asserted upon.
 */
#define NPT_SHUT			BIT_ULL(11)
#define NPT_SHUT_WRITABLE		BIT_ULL(10)
#define NPT_MMU_PRESENT			(SHARE_NPT_IR | NPT_SHUT)
#define NPT_MMU_WRITABLE		SHARE_NPT_G
/* What vCPUs may write is no business of IW, which is the device's. */
#define NPT_HOST_WRITABLE \
	(SHARE_NPT_IW | NPT_SHUT_WRITABLE | NPT_MMU_WRITABLE)
#define NPT_AD_TYPE_SHIFT		56
#define NPT_AD_TYPE			(3ULL << NPT_AD_TYPE_SHIFT)
#define NPT_LEAF_SET			(SHARE_NPT_FC | NPT_SHUT)
#define NPT_TABLE_SET			(SHARE_NPT_IR | SHARE_NPT_IW)
#define NPT_MMIO_MASK			(BIT_ULL(51) | SHARE_NPT_P)
#define NPT_MMIO_VALUE			NPT_MMIO_MASK
#define NPT_GEN_LOW			GENMASK_ULL(8, 3)
#define NPT_GEN_HIGH			GENMASK_ULL(60, 52)
#define NPT_GEN				(NPT_GEN_LOW | NPT_GEN_HIGH)

#define EPT_AD_TYPE_SHIFT		58
#define EPT_LEAF_SET			(SHARE_EPT_MMU_PRESENT | SHARE_EPT_TM)
/* What the device may write is what KVM takes for writable by all. */
#define EPT_WRITE \
	(SHARE_EPT_W | SHARE_EPT_HOST_WRITABLE | SHARE_EPT_MMU_WRITABLE)
#define EPT_TABLE_SET			SHARE_EPT_MMU_PRESENT
#define EPT_MMIO_VALUE			(SHARE_EPT_X | SHARE_EPT_EMT)
#define EPT_MMIO_MASK \
	(SHARE_EPT_R | SHARE_EPT_W | SHARE_EPT_X | SHARE_EPT_EMT | \
	 SHARE_EPT_SVE)
#define EPT_GEN_LOW			GENMASK_ULL(11, 6)
#define EPT_GEN_HIGH			GENMASK_ULL(59, 52)
#define EPT_GEN				(EPT_GEN_LOW | EPT_GEN_HIGH)

/*
 * KVM's own bits in a shareable SPTE, by enum mmu_share_format.  The static
 * asserts of this file prove each layout against both of its walkers.
 */
const struct mmu_share_layout mmu_share_layouts[] = {
	[MMU_SHARE_NPT_AMDV1] = {
		.mmu_present		= NPT_MMU_PRESENT,
		.host_writable		= NPT_HOST_WRITABLE,
		.mmu_writable		= NPT_MMU_WRITABLE,
		.ad_type_shift		= NPT_AD_TYPE_SHIFT,
		.leaf_set		= NPT_LEAF_SET,
		.leaf_writable_set	= NPT_SHUT_WRITABLE,
		.table_set		= NPT_TABLE_SET,
		.next_level_shift	= SHARE_NPT_NEXT_LEVEL_SHIFT,
		.mmio_value		= NPT_MMIO_VALUE,
		.mmio_mask		= NPT_MMIO_MASK,
		.gen_low_start		= 3,
		.gen_low_bits		= 6,
		.gen_high_start		= 52,
		.gen_high_bits		= 9,
		.doors = {
			.device		= SHARE_NPT_IR | SHARE_NPT_IW |
					  SHARE_NPT_NEXT_LEVEL,
			.device_open	= SHARE_NPT_IR,
			.device_write	= SHARE_NPT_IW,
			.device_shut	= NPT_SHUT,
			.shut_writable	= NPT_SHUT_WRITABLE,
			.cpu		= SHARE_NPT_U,
			.cpu_open	= SHARE_NPT_U,
			.cpu_rights	= SHARE_NPT_W | NPT_MMU_WRITABLE,
			.cpu_attrs	= SHARE_NPT_NX,
			.mmu_writable	= NPT_MMU_WRITABLE,
		},
	},
	[MMU_SHARE_EPT_VTDSS] = {
		.mmu_present		= SHARE_EPT_MMU_PRESENT,
		.host_writable		= SHARE_EPT_HOST_WRITABLE,
		.mmu_writable		= SHARE_EPT_MMU_WRITABLE,
		.ad_type_shift		= EPT_AD_TYPE_SHIFT,
		.leaf_set		= EPT_LEAF_SET,
		.leaf_writable_set	= SHARE_EPT_HOST_WRITABLE,
		.table_set		= EPT_TABLE_SET,
		.next_level_shift	= 0,
		.mmio_value		= EPT_MMIO_VALUE,
		.mmio_mask		= EPT_MMIO_MASK,
		.gen_low_start		= 6,
		.gen_low_bits		= 6,
		.gen_high_start		= 52,
		.gen_high_bits		= 8,
		.doors = {
			.device		= SHARE_EPT_MMU_PRESENT | SHARE_EPT_TM |
					  EPT_WRITE,
			.device_open	= SHARE_EPT_MMU_PRESENT,
			.device_write	= EPT_WRITE,
			.device_shut	= SHARE_EPT_MMU_PRESENT | SHARE_EPT_TM,
			.shut_writable	= EPT_WRITE,
			.cpu		= SHARE_EPT_EMT,
			.cpu_shut	= SHARE_EPT_EMT,
			.cpu_attrs	= SHARE_EPT_IPAT | SHARE_EPT_X |
					  SHARE_EPT_XU,
			.mmu_writable	= SHARE_EPT_MMU_WRITABLE,
			.one_write	= SHARE_EPT_W,
		},
	},
};

/* The spelled out starts and widths are the masks that are asserted upon. */
static_assert(SAME(NPT_GEN_LOW, GENMASK_ULL(3 + 6 - 1, 3)));
static_assert(SAME(NPT_GEN_HIGH, GENMASK_ULL(52 + 9 - 1, 52)));
static_assert(SAME(EPT_GEN_LOW, GENMASK_ULL(6 + 6 - 1, 6)));
static_assert(SAME(EPT_GEN_HIGH, GENMASK_ULL(52 + 8 - 1, 52)));
/* So an open leaf is a present one, for loops over 4K leaves. */
static_assert(SUBSET(SHARE_NPT_IR, NPT_MMU_PRESENT));
static_assert(SHARE_EPT_AD_TYPE == 3ULL << EPT_AD_TYPE_SHIFT);

/* KVM's bits which an IOMMU reads, and is meant to. */
#define NPT_WANTED			(SHARE_NPT_IR | SHARE_NPT_IW)

/*
 * NPT = AMD-Vi v1.
 *
 * A leaf's bit 7 is PAT at 4K, PS above.  PWT, PCD and PAT are kept 0: the
 * IOMMU ignores them, so the CPU alone would change its memory type.
 *
 * The masks are those of a leaf that is open to the device.  npt_check_leaf()
 * has the rest.
 */
#define NPT_LEAF_CPU \
	(SHARE_NPT_P | SHARE_NPT_W | SHARE_NPT_U | SHARE_NPT_PWT_PCD | \
	 SHARE_NPT_A | SHARE_NPT_D | SHARE_NPT_PS | SHARE_ADDR_MASK | \
	 SHARE_NPT_NX)
#define NPT_LEAF_IOMMU \
	(SHARE_NPT_P | SHARE_NPT_A | SHARE_NPT_D | SHARE_NPT_NEXT_LEVEL | \
	 SHARE_ADDR_MASK | SHARE_NPT_RSVD | SHARE_NPT_ATS_U | SHARE_NPT_FC | \
	 SHARE_NPT_IR | SHARE_NPT_IW)
#define NPT_LEAF_ZERO \
	(SHARE_NPT_PWT_PCD | SHARE_NPT_NEXT_LEVEL | SHARE_NPT_RSVD | \
	 SHARE_NPT_ATS_U)
#define NPT_LEAF_ONE \
	(SHARE_NPT_P | SHARE_NPT_FC | SHARE_NPT_IR)
#define NPT_LEAF_KVM			(SHARE_NPT_G | NPT_WANTED)
#define NPT_LEAF_USED			(NPT_WANTED | NPT_MMU_WRITABLE)

/* A table has neither U nor FC: AMD-Vi reserves 52-60. */
#define NPT_TABLE_RSVD			GENMASK_ULL(60, 52)
#define NPT_TABLE_CPU \
	(SHARE_NPT_P | SHARE_NPT_W | SHARE_NPT_U | SHARE_NPT_PWT_PCD | \
	 SHARE_NPT_A | SHARE_NPT_PS | SHARE_NPT_G | SHARE_ADDR_MASK | \
	 SHARE_NPT_NX)
#define NPT_TABLE_IOMMU \
	(SHARE_NPT_P | SHARE_NPT_A | SHARE_NPT_NEXT_LEVEL | \
	 SHARE_ADDR_MASK | NPT_TABLE_RSVD | SHARE_NPT_IR | SHARE_NPT_IW)
#define NPT_TABLE_ZERO \
	(SHARE_NPT_PWT_PCD | SHARE_NPT_PS | SHARE_NPT_G | NPT_TABLE_RSVD)
#define NPT_TABLE_ONE \
	(SHARE_NPT_P | SHARE_NPT_W | SHARE_NPT_U | NPT_TABLE_SET)
#define NPT_TABLE_KVM			(SHARE_NPT_D | NPT_WANTED)
#define NPT_TABLE_USED			NPT_TABLE_SET

/*
 * EPT = VT-d second stage.
 *
 * Bit 7 of a 4K leaf is ignored by both, but is_large_pte() looks at it.
 *
 * The masks are those of a leaf that is open to the device.  ept_check_leaf()
 * has the rest.
 */
#define EPT_LEAF_CPU \
	(SHARE_EPT_R | SHARE_EPT_W | SHARE_EPT_X | SHARE_EPT_EMT | \
	 SHARE_EPT_IPAT | SHARE_EPT_A | SHARE_EPT_D | SHARE_EPT_XU | \
	 SHARE_ADDR_MASK | SHARE_EPT_SVE)
#define EPT_LEAF_IOMMU \
	(SHARE_EPT_R | SHARE_EPT_W | SHARE_EPT_A | SHARE_EPT_D | \
	 SHARE_EPT_SNP | SHARE_ADDR_MASK | SHARE_EPT_TM)
#define EPT_LEAF_ZERO			SHARE_EPT_SNP
#define EPT_LEAF_ONE			(SHARE_EPT_R | SHARE_EPT_MMU_PRESENT)
#define EPT_LEAF_KVM			GENMASK_ULL(61, 52)
#define EPT_LEAF_USED \
	(SHARE_EPT_MMU_PRESENT | SHARE_EPT_HOST_WRITABLE | \
	 SHARE_EPT_MMU_WRITABLE)

#define EPT_TABLE_CPU \
	(SHARE_EPT_R | SHARE_EPT_W | SHARE_EPT_X | SHARE_EPT_EMT | \
	 SHARE_EPT_IPAT | SHARE_EPT_PS | SHARE_EPT_A | SHARE_EPT_XU | \
	 SHARE_ADDR_MASK | SHARE_EPT_SVE)
#define EPT_TABLE_IOMMU \
	(SHARE_EPT_R | SHARE_EPT_W | SHARE_EPT_PS | SHARE_EPT_A | \
	 SHARE_EPT_SNP | SHARE_ADDR_MASK | SHARE_EPT_TM)
#define EPT_TABLE_ZERO \
	(SHARE_EPT_EMT | SHARE_EPT_IPAT | SHARE_EPT_PS | SHARE_EPT_SNP | \
	 SHARE_EPT_TM)
#define EPT_TABLE_ONE \
	(SHARE_EPT_R | SHARE_EPT_W | EPT_TABLE_SET | SHARE_EPT_MMU_PRESENT)
#define EPT_TABLE_KVM			(SHARE_EPT_D | GENMASK_ULL(61, 52))
#define EPT_TABLE_USED			SHARE_EPT_MMU_PRESENT

/* No bit of KVM's is one that VT-d reads. */
#define EPT_WANTED			0ULL

#define SHARE_LEAF_4K(_cpu, _iommu, _zero, _one, _kvm, _ps) {		\
	.cpu	= (_cpu),						\
	.iommu	= (_iommu),						\
	.zero	= (_zero) | (_ps),					\
	.one	= (_one),						\
	.kvm	= (_kvm),						\
}

#define SHARE_LEAF_LARGE(_cpu, _iommu, _zero, _one, _kvm, _ps, level) {	\
	.cpu	= (_cpu),						\
	.iommu	= (_iommu),						\
	.zero	= (_zero) | SHARE_LEAF_LOW_ADDR(level),			\
	.one	= (_one) | (_ps),					\
	.kvm	= (_kvm),						\
}

#define NPT_LEAF(level) \
	SHARE_LEAF_LARGE(NPT_LEAF_CPU, NPT_LEAF_IOMMU, NPT_LEAF_ZERO, \
			 NPT_LEAF_ONE, NPT_LEAF_KVM, SHARE_NPT_PS, level)
#define EPT_LEAF(level) \
	SHARE_LEAF_LARGE(EPT_LEAF_CPU | SHARE_EPT_PS, \
			 EPT_LEAF_IOMMU | SHARE_EPT_PS, EPT_LEAF_ZERO, \
			 EPT_LEAF_ONE, EPT_LEAF_KVM, SHARE_EPT_PS, level)

static const struct mmu_share_entry_bits share_leaf_bits[][PG_LEVEL_1G] = {
	[MMU_SHARE_NPT_AMDV1] = {
		[PG_LEVEL_4K - 1] = SHARE_LEAF_4K(NPT_LEAF_CPU, NPT_LEAF_IOMMU,
						  NPT_LEAF_ZERO, NPT_LEAF_ONE,
						  NPT_LEAF_KVM, SHARE_NPT_PS),
		[PG_LEVEL_2M - 1] = NPT_LEAF(PG_LEVEL_2M),
		[PG_LEVEL_1G - 1] = NPT_LEAF(PG_LEVEL_1G),
	},
	[MMU_SHARE_EPT_VTDSS] = {
		[PG_LEVEL_4K - 1] = SHARE_LEAF_4K(EPT_LEAF_CPU, EPT_LEAF_IOMMU,
						  EPT_LEAF_ZERO, EPT_LEAF_ONE,
						  EPT_LEAF_KVM, SHARE_EPT_PS),
		[PG_LEVEL_2M - 1] = EPT_LEAF(PG_LEVEL_2M),
		[PG_LEVEL_1G - 1] = EPT_LEAF(PG_LEVEL_1G),
	},
};

static const struct mmu_share_entry_bits share_table_bits[] = {
	[MMU_SHARE_NPT_AMDV1] = {
		.cpu	= NPT_TABLE_CPU,
		.iommu	= NPT_TABLE_IOMMU,
		.zero	= NPT_TABLE_ZERO,
		.one	= NPT_TABLE_ONE,
		.kvm	= NPT_TABLE_KVM,
	},
	[MMU_SHARE_EPT_VTDSS] = {
		.cpu	= EPT_TABLE_CPU,
		.iommu	= EPT_TABLE_IOMMU,
		.zero	= EPT_TABLE_ZERO,
		.one	= EPT_TABLE_ONE,
		.kvm	= EPT_TABLE_KVM,
	},
};

static_assert(ARRAY_SIZE(mmu_share_layouts) == ARRAY_SIZE(share_leaf_bits));
static_assert(ARRAY_SIZE(mmu_share_layouts) == ARRAY_SIZE(share_table_bits));

/*
 * The bits are where the rest of the kernel has them.
 */
static_assert(SAME(SHARE_NPT_P, _PAGE_PRESENT) &&
	      SAME(SHARE_NPT_W, _PAGE_RW) &&
	      SAME(SHARE_NPT_U, _PAGE_USER) &&
	      SAME(SHARE_NPT_PWT_PCD, _PAGE_PWT | _PAGE_PCD) &&
	      SAME(SHARE_NPT_A, _PAGE_ACCESSED) &&
	      SAME(SHARE_NPT_D, _PAGE_DIRTY) &&
	      SAME(SHARE_NPT_PS, _PAGE_PSE) &&
	      SAME(SHARE_NPT_G, _PAGE_GLOBAL) &&
	      SAME(SHARE_NPT_NX, _PAGE_NX));
static_assert(SAME(SHARE_EPT_R, VMX_EPT_READABLE_MASK) &&
	      SAME(SHARE_EPT_W, VMX_EPT_WRITABLE_MASK) &&
	      SAME(SHARE_EPT_X, VMX_EPT_EXECUTABLE_MASK) &&
	      SAME(SHARE_EPT_XU, VMX_EPT_USER_EXECUTABLE_MASK) &&
	      SAME(SHARE_EPT_EMT, VMX_EPT_MT_MASK) &&
	      SAME(SHARE_EPT_IPAT, VMX_EPT_IPAT_BIT) &&
	      SAME(SHARE_EPT_A, VMX_EPT_ACCESS_BIT) &&
	      SAME(SHARE_EPT_D, VMX_EPT_DIRTY_BIT) &&
	      SAME(SHARE_EPT_SVE, VMX_EPT_SUPPRESS_VE_BIT));
static_assert(SAME(SHARE_EPT_PS, _PAGE_PSE));

/*
 * Each kind of entry accounts for all 64 bits.  What KVM uses lies where it
 * may, and that is where no walker reads, save what an IOMMU is meant to read.
 */
#define CHECK_KIND(f, kind, ps)						\
	static_assert(((f##_##kind##_CPU) | (f##_##kind##_IOMMU) |	\
		       (f##_##kind##_ZERO) | (f##_##kind##_KVM) |	\
		       (ps)) == ~0ULL);					\
	static_assert(DISJOINT(f##_##kind##_KVM, f##_##kind##_ZERO));	\
	static_assert(DISJOINT(f##_##kind##_ONE, f##_##kind##_ZERO));	\
	static_assert(SUBSET(f##_##kind##_USED, f##_##kind##_KVM));	\
	static_assert(DISJOINT(f##_##kind##_KVM & ~f##_WANTED,		\
			       f##_##kind##_CPU | f##_##kind##_IOMMU));	\
	static_assert(DISJOINT(f##_##kind##_KVM, f##_##kind##_CPU));	\
	static_assert(SUBSET(f##_##kind##_KVM & f##_##kind##_ONE,	\
			     f##_##kind##_USED))

CHECK_KIND(NPT, LEAF, SHARE_NPT_PS);
CHECK_KIND(NPT, TABLE, 0);
CHECK_KIND(EPT, LEAF, SHARE_EPT_PS);
CHECK_KIND(EPT, TABLE, 0);

/* MMU-present tells every entry that maps something from all others. */
static_assert(SUBSET(SHARE_NPT_IR, NPT_LEAF_ONE & NPT_TABLE_ONE & NPT_MMU_PRESENT));
static_assert(SUBSET(SHARE_EPT_MMU_PRESENT, EPT_LEAF_ONE & EPT_TABLE_ONE));

/* KVM's bits are different ones, and not the A/D type's. */
static_assert(DISJOINT(NPT_MMU_PRESENT, NPT_HOST_WRITABLE) &&
	      DISJOINT(NPT_LEAF_USED | NPT_TABLE_USED | NPT_LEAF_SET, NPT_AD_TYPE));
static_assert(DISJOINT(SHARE_EPT_MMU_PRESENT,
		       SHARE_EPT_HOST_WRITABLE | SHARE_EPT_MMU_WRITABLE) &&
	      DISJOINT(SHARE_EPT_HOST_WRITABLE, SHARE_EPT_MMU_WRITABLE) &&
	      DISJOINT(EPT_LEAF_USED | EPT_TABLE_USED, SHARE_EPT_AD_TYPE));

/*
 * A leaf of AMD's that is shut to the device: KVM's bits are the two highest of
 * the next level, which so is 4 or 6. No leaf is in a table of a level above 3,
 * and the specification has a next level be below that of its table (2.2.3).
 * Nor is any of its bits one that a CPU reads.
 */
static_assert(NPT_SHUT == 4ULL << SHARE_NPT_NEXT_LEVEL_SHIFT &&
	      NPT_SHUT_WRITABLE == 2ULL << SHARE_NPT_NEXT_LEVEL_SHIFT &&
	      PG_LEVEL_1G < 4);
static_assert(DISJOINT(NPT_SHUT | NPT_SHUT_WRITABLE, NPT_LEAF_CPU | NPT_WANTED));
static_assert(SUBSET(NPT_LEAF_SET, NPT_MMU_PRESENT | SHARE_NPT_FC) &&
	      !DISJOINT(NPT_LEAF_SET, NPT_MMU_PRESENT) &&
	      DISJOINT(NPT_LEAF_SET, NPT_WANTED));

/*
 * A leaf of Intel's that is shut to the device has one bit more, which VT-d
 * reserves and which no CPU reads.
 */
static_assert(EPT_LEAF_SET == (SHARE_EPT_MMU_PRESENT | SHARE_EPT_TM) &&
	      SUBSET(SHARE_EPT_TM, EPT_LEAF_IOMMU) &&
	      DISJOINT(SHARE_EPT_TM, EPT_LEAF_CPU));

/*
 * The A/D type is 0 (SPTE_TDP_AD_ENABLED) in a shared root.  AMD-Vi even
 * demands that; EPT's is in bits which neither walker reads.
 */
static_assert(SPTE_TDP_AD_ENABLED == 0);
static_assert(SUBSET(NPT_AD_TYPE, NPT_LEAF_ZERO & NPT_TABLE_ZERO));
static_assert(SUBSET(SHARE_EPT_AD_TYPE, EPT_LEAF_KVM & EPT_TABLE_KVM));

/*
 * Access tracking without A/D bits would save R, X and XU in 52, 54 and 62.
 * A shared root has A/D bits on, so nothing is ever saved (62 would be the
 * device's door), but an aged entry must not be taken for something else either.
 */
static_assert(EPT_ACC_TRACK_SAVED == (BIT_ULL(52) | BIT_ULL(54) | BIT_ULL(62)));
static_assert(DISJOINT(EPT_ACC_TRACK_SAVED,
		       EPT_LEAF_USED | EPT_TABLE_USED | SHARE_EPT_AD_TYPE));

/*
 * An MMIO entry grants the IOMMU nothing and leads it nowhere, whatever the
 * generation; KVM tells its parts apart; and it is not MMU-present.
 */
#define NPT_FOLLOW	(SHARE_NPT_IR | SHARE_NPT_IW | SHARE_NPT_NEXT_LEVEL)
#define EPT_FOLLOW	(SHARE_EPT_R | SHARE_EPT_W)
#define NPT_MMIO_ALL \
	(NPT_MMIO_VALUE | NPT_MMIO_ACC | NPT_GEN | SHARE_ADDR_MASK)
#define EPT_MMIO_ALL	(EPT_MMIO_VALUE | EPT_GEN | SHARE_ADDR_MASK)

static_assert(SUBSET(NPT_MMIO_VALUE, NPT_MMIO_MASK) && NPT_MMIO_VALUE);
static_assert(SUBSET(EPT_MMIO_VALUE, EPT_MMIO_MASK) && EPT_MMIO_VALUE);
static_assert(DISJOINT(NPT_GEN_LOW, NPT_GEN_HIGH) &&
	      DISJOINT(EPT_GEN_LOW, EPT_GEN_HIGH));
static_assert(DISJOINT(NPT_GEN, NPT_MMIO_MASK | NPT_MMIO_ACC |
		       SHARE_ADDR_MASK | SHARE_NPT_NX));
static_assert(DISJOINT(EPT_GEN, EPT_MMIO_MASK | SHARE_ADDR_MASK));
static_assert(DISJOINT(NPT_MMIO_ACC, NPT_MMIO_MASK));
static_assert(NPT_MMIO_ACC == (ACC_WRITE_MASK | ACC_USER_MASK));
static_assert(DISJOINT(NPT_MMIO_ALL, NPT_FOLLOW | NPT_MMU_PRESENT));
static_assert(DISJOINT(EPT_MMIO_ALL, EPT_FOLLOW | SHARE_EPT_MMU_PRESENT));

/*
 * ... and the CPU faults on it in a way KVM can tell: NPT by an address bit
 * that is reserved below MAXPHYADDR 52; EPT by memory type 7, which is
 * reserved in a leaf and not 0 in a table, with no address bit in the way.
 */
static_assert((NPT_MMIO_VALUE & SHARE_ADDR_MASK) == BIT_ULL(51));
static_assert((EPT_MMIO_VALUE & SHARE_EPT_EMT) == SHARE_EPT_EMT);
static_assert(DISJOINT(EPT_MMIO_MASK, SHARE_ADDR_MASK));

/*
 * Neither walker follows a frozen or a non-present entry, and KVM takes it
 * for neither MMU-present nor MMIO: both MMIO values have one of these bits.
 */
#define SHARE_ABSENT_ZERO						\
	(SHARE_NPT_P | NPT_MMU_PRESENT |				\
	 EPT_FOLLOW | SHARE_EPT_X | SHARE_EPT_XU | SHARE_EPT_MMU_PRESENT)

static_assert(SAME(SHADOW_NONPRESENT_VALUE, BIT_ULL(63)));
static_assert(SAME(FROZEN_SPTE, BIT_ULL(63) | 0x1a0));
static_assert(DISJOINT(SHADOW_NONPRESENT_VALUE, SHARE_ABSENT_ZERO));
static_assert(DISJOINT(FROZEN_SPTE, SHARE_ABSENT_ZERO));
static_assert(!DISJOINT(NPT_MMIO_VALUE, SHARE_ABSENT_ZERO) &&
	      !DISJOINT(EPT_MMIO_VALUE, SHARE_ABSENT_ZERO));

/*
 * What is wrong with an entry, in the order in which it is told: a rule fires
 * when one of its bits is set that must be 0, or clear that must be 1.
 */
struct share_rule {
	u64 mask;
	const char *what;
};

static const char share_no_mmu_present[] = "present entry without MMU-present";
static const char share_mmio_grants[] = "MMIO entry grants the IOMMU access";
static const char share_mmio_stray[] =
	"MMIO entry has bits set outside of value, generation, access and address";
static const char share_too_large[] =
	"leaf at a level that has none (above 1G)";

static const struct share_rule npt_leaf_rules[] = {
	{ SHARE_NPT_FC,		"leaf without FC, i.e. without forced snoop" },
	{ SHARE_NPT_RSVD,	"reserved bits 52-58 set" },
	{ SHARE_NPT_ATS_U,	"ATS user bit (59) set" },
	{ SHARE_NPT_PWT_PCD,	"cache bits PWT, PCD (3-4) set" },
	{ SHARE_NPT_PS,		"bit 7 (PAT) set in a 4K leaf" },
	{ SHARE_ADDR_MASK,	"large leaf with unaligned address" },
	{ }
};

static const struct share_rule npt_table_rules[] = {
	{ NPT_TABLE_RSVD,	"reserved bits 52-60 set in a table entry" },
	{ SHARE_NPT_PWT_PCD,	"cache bits PWT, PCD (3-4) set" },
	{ SHARE_NPT_G,		"bit 8 set in a table entry" },
	{ SHARE_NPT_IR,		"table entry does not grant the IOMMU read" },
	{ SHARE_NPT_IW,		"table entry does not grant the IOMMU write" },
	{ SHARE_NPT_W,		"table entry does not grant the CPU write" },
	{ SHARE_NPT_U,		"table entry without U" },
	{ }
};

static const struct share_rule ept_leaf_rules[] = {
	{ SHARE_EPT_R,		"leaf without read permission" },
	{ SHARE_EPT_SNP,	"SNP (bit 11) set" },
	{ SHARE_EPT_PS,		"bit 7 (PS) set in a 4K leaf" },
	{ SHARE_ADDR_MASK,	"large leaf with unaligned address" },
	{ }
};

static const struct share_rule ept_table_rules[] = {
	{ SHARE_EPT_R | SHARE_EPT_W,
				"table entry does not grant read and write" },
	{ SHARE_EPT_SNP,	"SNP (bit 11) set" },
	{ SHARE_EPT_TM,		"reserved bit 62 set in a table entry" },
	{ SHARE_EPT_EMT | SHARE_EPT_IPAT,
				"reserved bits 3-6 set in a table entry" },
	{ }
};

static const char *share_check_bits(const struct mmu_share_entry_bits *bits,
				    const struct share_rule *rule, u64 entry)
{
	u64 bad = (entry & bits->zero) | (~entry & bits->one);

	for (; rule->mask; rule++) {
		if (bad & rule->mask)
			return rule->what;
	}
	return bad ? "a bit that must be 0 is set, or one that must be 1 is clear" :
		     NULL;
}

/* KVM's own bits: @used are those it has a use for in this kind of entry. */
static const char *share_check_kvm_bits(enum mmu_share_format fmt,
					const struct mmu_share_entry_bits *bits,
					u64 used, u64 entry)
{
	u64 ad_type = 3ULL << mmu_share_layouts[fmt].ad_type_shift;

	if (entry & ad_type)
		return "A/D type is not 0";
	if (entry & bits->kvm & ~used)
		return "software bits set that KVM has no use for";
	return NULL;
}

/* The states of spte.h's table above is_writable_pte(). */
static const char *share_check_writable(enum mmu_share_format fmt, u64 entry)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];

	static_assert(SHARE_NPT_W == SHARE_EPT_W);

	if ((entry & SHARE_NPT_W) && !(entry & l->mmu_writable))
		return "CPU-writable without MMU-writable";
	if ((entry & l->mmu_writable) && !(entry & l->host_writable))
		return "MMU-writable without host-writable";
	return NULL;
}

static bool share_is_mmio(enum mmu_share_format fmt, u64 entry)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];

	return (entry & l->mmio_mask) == l->mmio_value;
}

static u64 share_gen_mask(enum mmu_share_format fmt)
{
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];

	return ((BIT_ULL(l->gen_low_bits) - 1) << l->gen_low_start) |
	       ((BIT_ULL(l->gen_high_bits) - 1) << l->gen_high_start);
}

static const char *npt_check_leaf(u64 entry, int level)
{
	const struct mmu_share_entry_bits *bits =
		mmu_share_leaf_bits(MMU_SHARE_NPT_AMDV1, level);
	const struct mmu_share_layout *l =
		&mmu_share_layouts[MMU_SHARE_NPT_AMDV1];
	const char *what;

	if (!bits)
		return share_too_large;

	/*
	 * An MMIO entry whose generation reaches IR.  Bit 51 alone does not
	 * tell it from a leaf, it may be SME's C-bit; a leaf has FC, though.
	 */
	if (share_is_mmio(MMU_SHARE_NPT_AMDV1, entry) && !(entry & SHARE_NPT_FC))
		return share_mmio_grants;

	if (!(entry & SHARE_NPT_U) && (entry & (SHARE_NPT_W | l->mmu_writable)))
		return "CPU-writable where CPUs may not read";

	if (entry & SHARE_NPT_NEXT_LEVEL) {
		if (entry & (SHARE_NPT_IR | SHARE_NPT_IW))
			return "leaf with a next level grants the IOMMU access";
		if ((entry & SHARE_NPT_NEXT_LEVEL & ~NPT_SHUT_WRITABLE) != NPT_SHUT)
			return "leaf with a next level that could be one (not 4, 6)";
		if (!(entry & SHARE_NPT_U))
			return "leaf that is there for nobody";
		if ((entry & l->mmu_writable) && !(entry & NPT_SHUT_WRITABLE))
			return "MMU-writable without host-writable";
		/* All else is as in a leaf that is open. */
		entry = (entry & ~SHARE_NPT_NEXT_LEVEL) | SHARE_NPT_IR;
	}

	what = share_check_bits(bits, npt_leaf_rules, entry);
	if (!what)
		what = share_check_kvm_bits(MMU_SHARE_NPT_AMDV1, bits,
					    NPT_LEAF_USED, entry);
	if (!what)
		what = share_check_writable(MMU_SHARE_NPT_AMDV1, entry);
	return what;
}

static const char *npt_check_table(u64 entry, int level)
{
	const struct mmu_share_entry_bits *bits =
		mmu_share_table_bits(MMU_SHARE_NPT_AMDV1);
	const struct mmu_share_layout *l =
		&mmu_share_layouts[MMU_SHARE_NPT_AMDV1];
	int next = (entry & SHARE_NPT_NEXT_LEVEL) >> l->next_level_shift;
	const char *what;

	/* Bit 51 may be one of a table's address, if all else is a table's. */
	if (next != level - 1)
		return share_is_mmio(MMU_SHARE_NPT_AMDV1, entry) ?
			       share_mmio_grants :
			       "next level does not match the child";

	what = share_check_bits(bits, npt_table_rules, entry);
	if (!what)
		what = share_check_kvm_bits(MMU_SHARE_NPT_AMDV1, bits,
					    NPT_TABLE_USED, entry);
	return what;
}

static const char *npt_check_entry(u64 entry, int level)
{
	const struct mmu_share_layout *l =
		&mmu_share_layouts[MMU_SHARE_NPT_AMDV1];

	/* Both walkers stop at P = 0: non-present, frozen. */
	if (!(entry & SHARE_NPT_P))
		return entry & l->mmu_present ? "MMU-present without P" : NULL;

	if (!(entry & l->mmu_present)) {
		if (!share_is_mmio(MMU_SHARE_NPT_AMDV1, entry))
			return share_no_mmu_present;
		if (entry & NPT_FOLLOW)
			return share_mmio_grants;
		if (entry & ~(l->mmio_value | NPT_MMIO_ACC | SHARE_ADDR_MASK |
			      share_gen_mask(MMU_SHARE_NPT_AMDV1)))
			return share_mmio_stray;
		return NULL;
	}

	if (level == PG_LEVEL_4K || (entry & SHARE_NPT_PS))
		return npt_check_leaf(entry, level);
	return npt_check_table(entry, level);
}

static const char *ept_check_leaf(u64 entry, int level)
{
	const struct mmu_share_entry_bits *bits =
		mmu_share_leaf_bits(MMU_SHARE_EPT_VTDSS, level);
	int memtype = (entry & SHARE_EPT_EMT) >> VMX_EPT_MT_EPTE_SHIFT;
	const char *what;

	if (!bits)
		return share_too_large;

	what = share_check_bits(bits, ept_leaf_rules, entry);
	if (what)
		return what;

	/* SDM vol. 3, 29.3.3.1: these are EPT misconfigurations, as 7 is. */
	if (memtype == 2 || memtype == 3)
		return "reserved memory type (bits 3-5)";
	if (memtype == 7 && (entry & SHARE_EPT_TM))
		return "leaf that is there for nobody";

	what = share_check_kvm_bits(MMU_SHARE_EPT_VTDSS, bits, EPT_LEAF_USED,
				    entry);
	if (!what)
		what = share_check_writable(MMU_SHARE_EPT_VTDSS, entry);
	/* Nothing takes W from the device, and nothing gives it W. */
	if (!what && !(entry & SHARE_EPT_TM) && (entry & EPT_WRITE) &&
	    (entry & EPT_WRITE) != EPT_WRITE)
		what = "open to the device, and W unlike KVM's marks of it";
	return what;
}

static const char *ept_check_table(u64 entry)
{
	const struct mmu_share_entry_bits *bits =
		mmu_share_table_bits(MMU_SHARE_EPT_VTDSS);
	const char *what;

	what = share_check_bits(bits, ept_table_rules, entry);
	if (!what)
		what = share_check_kvm_bits(MMU_SHARE_EPT_VTDSS, bits,
					    EPT_TABLE_USED, entry);
	return what;
}

static const char *ept_check_entry(u64 entry, int level)
{
	const struct mmu_share_layout *l =
		&mmu_share_layouts[MMU_SHARE_EPT_VTDSS];

	if (share_is_mmio(MMU_SHARE_EPT_VTDSS, entry)) {
		if (entry & l->mmu_present)
			return "MMIO entry with MMU-present";
		if (entry & ~(l->mmio_value | SHARE_ADDR_MASK |
			      share_gen_mask(MMU_SHARE_EPT_VTDSS)))
			return share_mmio_stray;
		return NULL;
	}

	if (!(entry & l->mmu_present)) {
		/* What KVM marks MMIO with if its tables are not shared. */
		if ((entry & EPT_MMIO_MASK & ~SHARE_EPT_EMT) ==
		    VMX_EPT_MISCONFIG_WX_VALUE)
			return share_mmio_grants;
		/* XU alone is present to a CPU with mode-based execution. */
		if (entry & (EPT_FOLLOW | SHARE_EPT_X | SHARE_EPT_XU))
			return share_no_mmu_present;
		return NULL;
	}

	if (level == PG_LEVEL_4K || (entry & SHARE_EPT_PS))
		return ept_check_leaf(entry, level);
	return ept_check_table(entry);
}

/**
 * mmu_share_leaf_bits - who reads which bit of a leaf
 * @fmt: the format
 * @level: PG_LEVEL_* of the table that holds the leaf: 4K, 2M or 1G
 *
 * NPT: APM vol. 2, 5.3.3 to 5.3.5; AMD IOMMU Specification, 2.2.3, PTE.
 * EPT: SDM vol. 3, 29.3.2; VT-d Specification, 9.8.
 *
 * Context: Any.  Takes no locks.
 * Return: The bits, or NULL for a level that has no leaves.
 */
const struct mmu_share_entry_bits *
mmu_share_leaf_bits(enum mmu_share_format fmt, int level)
{
	if (level < PG_LEVEL_4K || level > PG_LEVEL_1G)
		return NULL;
	return &share_leaf_bits[fmt][level - PG_LEVEL_4K];
}

/**
 * mmu_share_table_bits - who reads which bit of an entry that leads to a table
 * @fmt: the format
 *
 * The same for every level above 4K.  AMD-Vi's next level depends on the level
 * and is therefore neither among the bits that must be 0 nor those to be 1.
 * NPT: APM vol. 2, 5.3.3 to 5.3.5; AMD IOMMU Specification, 2.2.3, PDE.
 * EPT: SDM vol. 3, 29.3.2; VT-d Specification, 9.8.
 *
 * Context: Any.  Takes no locks.
 * Return: The bits.
 */
const struct mmu_share_entry_bits *
mmu_share_table_bits(enum mmu_share_format fmt)
{
	return &share_table_bits[fmt];
}

/**
 * mmu_share_check_entry - check an entry against the contract
 * @fmt: the format
 * @entry: the entry's value
 * @level: PG_LEVEL_* of the table that holds it, PG_LEVEL_4K to PG_LEVEL_256T
 *
 * An entry is legal if the CPU and the IOMMU take it for the same thing
 * (nothing, a table or a leaf, with the same address and size), neither finds
 * a reserved bit set, and KVM's own bits are consistent.  A non-present entry
 * is legal as long as neither walker can follow it, whatever else it holds.
 *
 * The CPU's MAXPHYADDR and SME's C-bit are not known here: any address is
 * legal.  So an NPT entry with bit 51 set that grants the IOMMU access is
 * refused as an MMIO entry only where it could not be a leaf or a table of a
 * CPU that has such an address bit.
 *
 * See format.h for the sections of the specifications.
 *
 * Context: Any.  Takes no locks.
 * Return: NULL for a legal entry, else a static string: what is wrong.
 */
const char *mmu_share_check_entry(enum mmu_share_format fmt, u64 entry,
				  int level)
{
	if (level < PG_LEVEL_4K || level > PG_LEVEL_256T)
		return "no such level";

	switch (fmt) {
	case MMU_SHARE_NPT_AMDV1:
		return npt_check_entry(entry, level);
	case MMU_SHARE_EPT_VTDSS:
		return ept_check_entry(entry, level);
	}
	return "no such format";
}

/**
 * mmu_share_iommu_can_follow - can this entry lead an IOMMU anywhere?
 * @fmt: the format
 * @entry: the entry's value, legal or not
 * @level: PG_LEVEL_* of the table that holds it
 *
 * True if the format's IOMMU would read through the entry as a table, or
 * access memory by it as a leaf.
 *
 * AMD-Vi (AMD IOMMU Specification, 2.2.3) needs PR, then IR or IW.  An entry
 * whose next level is below that of its own table, and not 0, leads to a table;
 * 7 is a leaf of another size; all others are invalid encodings.  The
 * permissions are ANDed on the way, so that below a table without IR and IW
 * nothing can be accessed, but the walker may still fetch from it: that counts.
 *
 * VT-d (Specification, 9.8) takes an entry with R or W for present, and faults on
 * one that has bit 62 besides.  Bit 2 counts only with execute requests enabled
 * (ERE in the PASID entry), which Linux never does.
 *
 * Context: Any.  Takes no locks.
 * Return: Whether it can.  False means that the entry is as good as absent.
 */
bool mmu_share_iommu_can_follow(enum mmu_share_format fmt, u64 entry,
				int level)
{
	u64 next;

	switch (fmt) {
	case MMU_SHARE_NPT_AMDV1:
		if (!(entry & SHARE_NPT_P))
			return false;
		if (entry & (SHARE_NPT_IR | SHARE_NPT_IW))
			return true;
		next = (entry & SHARE_NPT_NEXT_LEVEL) >> SHARE_NPT_NEXT_LEVEL_SHIFT;
		return next && next < level;
	case MMU_SHARE_EPT_VTDSS:
		return (entry & (SHARE_EPT_R | SHARE_EPT_W)) &&
		       !(entry & SHARE_EPT_TM);
	}
	/* An unknown walker may do anything. */
	return true;
}
