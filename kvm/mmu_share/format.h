/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entry-format contract: what one 64-bit entry may hold when both the CPU
 * and an IOMMU walk it.
 *
 * Two pairs of walkers are covered:
 *
 *   NPT = AMD-Vi v1 host table
 *     AMD64 APM vol. 2, 15.25 "Nested Paging" and 5.3 "Long-Mode Page
 *     Translation"; AMD I/O Virtualization Technology (IOMMU) Specification,
 *     2.2.3 "I/O Page Tables for Host Translations".
 *   EPT = VT-d second stage
 *     Intel SDM vol. 3, 29.3 "The Extended Page Table Mechanism"; Intel VT-d
 *     Specification, 9.8 "Second-Stage Paging Entries".
 *
 * Everything that KVM keeps for itself in an SPTE must lie where neither
 * walker attaches a meaning to it, or where the meaning is the one wanted.
 * These positions are chosen once, when the vendor module loads with
 * share_iommu_tdp=1; with 0 the layout is upstream's.
 */
#ifndef __KVM_MMU_SHARE_FORMAT_H
#define __KVM_MMU_SHARE_FORMAT_H

#include <linux/bits.h>
#include <linux/types.h>

/* Physical address of a page or of the next table, the same for all four. */
#define SHARE_ADDR_MASK			GENMASK_ULL(51, 12)

/*
 * NPT = AMD-Vi v1
 *
 * bit    CPU (NPT)                    IOMMU (v1)              KVM, shared layout
 * 0      P                            PR                      P
 * 1      W                            ignored                 W
 * 2      U                            ignored                 U
 * 3-4    PWT, PCD                     ignored                 0
 * 5      A                            A                       A
 * 6      D (leaf)                     D (leaf)                D
 * 7      PS (leaf above 4K)           ignored                 PS
 * 8      leaf: G, has no effect in    ignored                 leaf: MMU-writable
 *        a nested table; table: MBZ
 * 9      available                    next level, lowest bit  table: child's level,
 *                                                             leaf: 0
 * 10     available                    next level              likewise; leaf that is
 *                                                             shut: host-writable
 * 11     available                    next level, highest bit likewise; leaf that is
 *                                                             shut: 1, MMU-present
 * 12-51  address                      address                 address
 * 52-58  available                    reserved                0
 * 59     available                    leaf: U (ATS)           0
 * 60     available                    leaf: FC                leaf: 1
 * 61     available                    IR                      MMU-present, but in a
 *                                                             leaf that is shut
 * 62     available                    IW                      leaf: the device may
 *                                                             write, table: 1
 * 63     NX                           ignored                 NX
 *
 * IR and IW are ANDed over the levels, so tables grant both.
 *
 * A leaf has two doors. The device's is open with a next level of 0 and IR. It
 * is shut with IR = IW = 0 and a next level of 4 or 6, either of which is enough:
 * nothing is granted, and a next level that is not below that of the table which
 * holds it is an invalid level encoding, at each level that has leaves (1 to 3).
 * The CPU's door is shut with U = 0, for nested walks are user accesses (APM
 * vol. 2, 15.25.5); AMD-Vi ignores U. GMET gives U another meaning and is off.
 *
 *               U   W, MMU-writable   IR   IW              next level
 * common        1   as KVM says       1    as the IOAS     0
 * CPU-only      1   as KVM says       0    0               4, 6 if host-writable
 * device-only   0   0                 1    as the IOAS     0
 */
#define SHARE_NPT_P			BIT_ULL(0)
#define SHARE_NPT_W			BIT_ULL(1)
#define SHARE_NPT_U			BIT_ULL(2)
#define SHARE_NPT_PWT_PCD		GENMASK_ULL(4, 3)
#define SHARE_NPT_A			BIT_ULL(5)
#define SHARE_NPT_D			BIT_ULL(6)
#define SHARE_NPT_PS			BIT_ULL(7)
#define SHARE_NPT_G			BIT_ULL(8)
#define SHARE_NPT_NEXT_LEVEL		GENMASK_ULL(11, 9)
#define SHARE_NPT_NEXT_LEVEL_SHIFT	9
#define SHARE_NPT_RSVD			GENMASK_ULL(58, 52)
#define SHARE_NPT_ATS_U			BIT_ULL(59)
#define SHARE_NPT_FC			BIT_ULL(60)
#define SHARE_NPT_IR			BIT_ULL(61)
#define SHARE_NPT_IW			BIT_ULL(62)
#define SHARE_NPT_NX			BIT_ULL(63)

/*
 * EPT = VT-d second stage
 *
 * bit    CPU (EPT)                    IOMMU (second stage)    KVM, shared layout
 * 0-1    R, W                         R, W; either is present R, W
 * 2      X                            X, ignored without ERS  X
 * 3-5    leaf: EMT; table: MBZ        leaf: ignored           EMT; 7 shuts to CPUs
 * 6      leaf: IPAT; table: MBZ       leaf: ignored           IPAT
 * 7      PS (leaf above 4K)           PS                      PS
 * 8      A                            A (SSADS)               A
 * 9      D (leaf)                     D (leaf, SSADS)         D
 * 10     XU                           ignored                 XU
 * 11     ignored                      leaf: SNP, reserved     0
 *                                     without snoop control;
 *                                     table: reserved
 * 12-51  address                      address                 address
 * 52-60  ignored                      ignored                 53 host-writable, 55
 *                                                             MMU-writable, 58-59 A/D
 *                                                             type, 60 MMU-present
 * 61     ignored                      ignored                 0
 * 62     ignored                      leaf: reserved, TM      leaf: 1 shuts to the
 *                                     before revision 3.2;    device; table: 0
 *                                     table: reserved
 * 63     suppress #VE                 ignored                 suppress #VE
 *
 * Bits 57, 58, 60 and 61 have a meaning in a leaf with VMX controls that KVM
 * does not set (guest-paging verification, paging-write, supervisor shadow
 * stack, sub-page write permissions).
 *
 * The device's door is shut with bit 62, on which VT-d faults (9.8; as TM, which
 * it was on units with device TLBs before revision 3.2 of the specification, it
 * means nothing of the kind: such units need to be known). The CPUs' door is shut
 * with memory type 7, an EPT misconfiguration whatever else the leaf has (SDM vol.
 * 3, 29.3.3.1). VT-d heeds EMT only with EMTE in the PASID entry (9.6), which
 * Linux leaves 0.
 *
 * W is both sides' and is the IOAS's word where the device's door is open: a leaf
 * is common only where CPUs have that very right too. What KVM would write-protect
 * is shut to CPUs instead. So W, MMU-writable and host-writable are then one.
 *
 *               EMT        62   W, MMU-writable, host-writable
 * common        not 2,3,7  0    as the IOAS
 * CPU-only      not 2,3,7  1    as KVM says
 * device-only   7          0    as the IOAS
 */
#define SHARE_EPT_R			BIT_ULL(0)
#define SHARE_EPT_W			BIT_ULL(1)
#define SHARE_EPT_X			BIT_ULL(2)
#define SHARE_EPT_EMT			GENMASK_ULL(5, 3)
#define SHARE_EPT_IPAT			BIT_ULL(6)
#define SHARE_EPT_PS			BIT_ULL(7)
#define SHARE_EPT_A			BIT_ULL(8)
#define SHARE_EPT_D			BIT_ULL(9)
#define SHARE_EPT_XU			BIT_ULL(10)
#define SHARE_EPT_SNP			BIT_ULL(11)
#define SHARE_EPT_HOST_WRITABLE		BIT_ULL(53)
#define SHARE_EPT_MMU_WRITABLE		BIT_ULL(55)
#define SHARE_EPT_AD_TYPE		GENMASK_ULL(59, 58)
#define SHARE_EPT_MMU_PRESENT		BIT_ULL(60)
#define SHARE_EPT_TM			BIT_ULL(62)
#define SHARE_EPT_SVE			BIT_ULL(63)

/**
 * enum mmu_share_format - a pair of walkers that can share a table
 * @MMU_SHARE_NPT_AMDV1: AMD nested paging and AMD-Vi's v1 host table
 * @MMU_SHARE_EPT_VTDSS: Intel EPT and VT-d's second stage
 */
enum mmu_share_format {
	MMU_SHARE_NPT_AMDV1,
	MMU_SHARE_EPT_VTDSS,
};

/**
 * struct mmu_share_doors - which side finds a leaf there
 * @device: the bits that say so to the IOMMU, and what it may do
 * @device_open: their value in a leaf that the device may read
 * @device_write: set besides where it may write too
 * @device_shut: their value in a leaf that only vCPUs may use
 * @shut_writable: set besides where the host page may be written
 * @cpu: the bits that say so to CPUs
 * @cpu_open: set in a leaf that vCPUs may use; EPT's memory type comes to it
 * @cpu_shut: the value of @cpu in a leaf that only the device may use
 * @cpu_rights: bits that only CPUs read, and that are clear there
 * @cpu_attrs: bits that only CPUs read, and that are of no matter there
 * @mmu_writable: as in struct mmu_share_layout
 * @one_write: the bit that says what both may write, 0 where each has its own
 */
struct mmu_share_doors {
	u64 device;
	u64 device_open;
	u64 device_write;
	u64 device_shut;
	u64 shut_writable;
	u64 cpu;
	u64 cpu_open;
	u64 cpu_shut;
	u64 cpu_rights;
	u64 cpu_attrs;
	u64 mmu_writable;
	u64 one_write;
};

/**
 * struct mmu_share_layout - where KVM's own bits go in a shareable SPTE
 * @mmu_present: one of them is set in every entry that KVM regards as
 *	shadow-present
 * @host_writable: leaf: one of them is set if the host page may be written
 * @mmu_writable: leaf: KVM does not write-protect it for shadow paging
 * @ad_type_shift: lowest bit of the two-bit A/D type, which is 0 when shared
 * @leaf_set: set in a vCPU's new leaf besides what upstream sets, MMU-present
 *	included
 * @leaf_writable_set: set in it if the host page may be written
 * @table_set: set in every non-leaf besides what upstream sets, likewise
 * @next_level_shift: where a non-leaf holds its child's level, 0 for nowhere
 * @mmio_value: what marks a cached MMIO entry
 * @mmio_mask: the bits that @mmio_value is compared under
 * @gen_low_start: lowest bit of the MMIO generation's low part
 * @gen_low_bits: its width
 * @gen_high_start: lowest bit of the MMIO generation's high part
 * @gen_high_bits: its width
 * @doors: which side a leaf is there for
 *
 * An MMIO entry leaves the IOMMU nothing to follow. AMD: a reserved address
 * bit faults the CPU; the IOMMU finds a leaf that grants neither read nor
 * write, so IR, IW and next level stay clear of the generation. Intel: execute
 * only with a reserved memory type is a misconfiguration whether or not
 * execute-only is supported; the IOMMU sees R=W=0, i.e. absent.
 */
struct mmu_share_layout {
	u64 mmu_present;
	u64 host_writable;
	u64 mmu_writable;
	u8 ad_type_shift;
	u64 leaf_set;
	u64 leaf_writable_set;
	u64 table_set;
	u8 next_level_shift;
	u64 mmio_value;
	u64 mmio_mask;
	u8 gen_low_start;
	u8 gen_low_bits;
	u8 gen_high_start;
	u8 gen_high_bits;
	struct mmu_share_doors doors;
};

/**
 * struct mmu_share_entry_bits - who reads which bit of one kind of entry
 * @cpu: bits that the CPU's walker interprets
 * @iommu: bits that the IOMMU's walker interprets
 * @zero: bits that must be 0 for at least one of them, or by the contract
 * @one: bits that must be 1 for the entry to do its job, MMU-present included
 * @kvm: bits that KVM may use for itself; disjoint from @zero
 */
struct mmu_share_entry_bits {
	u64 cpu;
	u64 iommu;
	u64 zero;
	u64 one;
	u64 kvm;
};

extern const struct mmu_share_layout mmu_share_layouts[];

const struct mmu_share_entry_bits *
mmu_share_leaf_bits(enum mmu_share_format fmt, int level);
const struct mmu_share_entry_bits *
mmu_share_table_bits(enum mmu_share_format fmt);

const char *mmu_share_check_entry(enum mmu_share_format fmt, u64 entry,
				  int level);
bool mmu_share_iommu_can_follow(enum mmu_share_format fmt, u64 entry,
				int level);

#endif /* __KVM_MMU_SHARE_FORMAT_H */
