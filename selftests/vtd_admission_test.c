// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Intel bench: which VT-d may walk KVM's table. Expected is what the unit's
 * capabilities say, which each boot has others of.
 *
 * 1. A share for a device behind an unfit unit is refused, with an errno for each
 *    reason and a line in the log that says what to do. Behind a fit one it is not.
 * 2. So is the attach of a device behind an unfit unit to a shared HWPT that was made
 *    for a fit one; the device works on with its own HWPT.
 * 3. Behind two fit units devices share one HWPT, and an unmap stops both. Their DMA
 *    snoops where the unit can make it.
 * 4. Control: an ordinary HWPT works.
 *
 * bench: --bench intel --share --vtd 'units=2 unit=1 sc=0 coherent=0'
 * bench: --bench intel --share --vtd 'sc=0 units=2 unit=1 cm=1'
 * bench: --bench intel --share --vtd 'mode=scalable units=2 unit=0 coherent=0 unit=1 levels=3'
 * bench: --bench intel --share --vtd 'mode=scalable units=2 unit=0 ats=1 unit=1 rwbf=1'
 * bench: --bench intel --share --vtd 'mode=scalable units=2 unit=1 sc=0'
 * bench: --bench intel --share --vtd 'mode=scalable units=2 unit=1 leaf=4k'
 * bench: --bench intel --share --vtd 'mode=scalable units=2 unit=1 mgaw=39'
 * bench: --bench intel --share --append intel_iommu=tdp_bit62 --vtd 'mode=scalable ats=1 units=2'
 */
#include <errno.h>

#include "no_sharing.h"
#include "refusal.h"
#include "sysfile.h"
#include "tap.h"
#include "vtd_model.h"

#define CAP_RWBF	BIT_ULL(4)
#define CAP_CM		BIT_ULL(7)
#define CAP_4_LEVELS	BIT_ULL(10)	/* of SAGAW */
#define CAP_MGAW(cap)	(((cap) >> 16 & 0x3f) + 1)
#define CAP_2M_AND_1G	(BIT_ULL(34) | BIT_ULL(35))	/* SSLPS */
#define ECAP_C		BIT_ULL(0)
#define ECAP_DT		BIT_ULL(2)
#define ECAP_SC		BIT_ULL(7)
#define ECAP_SMTS	BIT_ULL(43)
#define ECAP_SSTS	BIT_ULL(46)
#define ECAP_SMPWC	BIT_ULL(48)

#define TABLE_BITS	48

/* Is bit 62 said to be reserved? */
static bool bit_62_is_reserved(void)
{
	char cmdline[4096];

	TEST_ASSERT(sysfile_read("/proc/cmdline", cmdline, sizeof(cmdline)),
		    "read /proc/cmdline");
	return strstr(cmdline, "tdp_bit62");
}

/* 0 or -errno. What the table is like is known to an attach alone. */
static int unfit(struct vfio_dev *edu, unsigned int unit)
{
	__u64 cap, ecap, walks;

	vtd_write(edu, VTDT_UNIT, 1 + unit);
	cap = vtd_read(edu, VTDT_CAPS);
	ecap = vtd_read(edu, VTDT_ECAPS);
	vtd_write(edu, VTDT_UNIT, 0);
	ksft_print_msg("unit %u: CAP %#llx ECAP %#llx\n", unit, cap, ecap);

	walks = ecap & ECAP_SMTS ? ECAP_SMPWC : ECAP_C;
	if (!(ecap & ECAP_SMTS) && (ecap & ECAP_SC))
		return -ENOPROTOOPT;
	if (!(ecap & walks))
		return -ESTALE;
	if (cap & CAP_CM)
		return -EMULTIHOP;
	if (cap & CAP_RWBF)
		return -ENOBUFS;
	if ((ecap & ECAP_DT) && !bit_62_is_reserved())
		return -ENOTUNIQ;
	if (!(cap & CAP_4_LEVELS) || (cap & CAP_2M_AND_1G) != CAP_2M_AND_1G)
		return -ENODEV;
	return 0;
}

static int unfit_for_table(struct vfio_dev *edu, unsigned int unit)
{
	int err = unfit(edu, unit);
	__u64 cap, ecap;

	if (err)
		return err;
	vtd_write(edu, VTDT_UNIT, 1 + unit);
	cap = vtd_read(edu, VTDT_CAPS);
	ecap = vtd_read(edu, VTDT_ECAPS);
	vtd_write(edu, VTDT_UNIT, 0);
	if (CAP_MGAW(cap) < TABLE_BITS)
		return -ENODEV;
	return ecap & ECAP_SC ? 0 : -EL2NSYNC;
}

/* The edu of that unit, open, without a HWPT. */
static bool open_edu(struct share_vm *s, struct vfio_dev *edu, unsigned int unit)
{
	char bdf[BDF_LEN];

	if (!vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, unit))
		return false;
	vfio_dev_open(edu, bdf, s->iommufd);
	return true;
}

static int try_share(struct share_vm *s, struct vfio_dev *edu, __u32 *hwpt)
{
	return __iommufd_hwpt_alloc(s->iommufd, edu->dev_id, s->ioas,
				    IOMMU_HWPT_ALLOC_KVM_TDP, s->vm->fd, hwpt);
}

static void alloc_at(unsigned int unit)
{
	struct refusal_watch w;
	struct vfio_dev edu;
	struct share_vm s;
	__u32 hwpt;
	int err, r;

	share_vm_create_bare(&s, 0);
	if (!open_edu(&s, &edu, unit))
		tap_skip_case("no unit %u", unit);
	err = unfit(&edu, unit);
	refusal_watch_start(&w);
	r = try_share(&s, &edu, &hwpt);
	if (err) {
		refusal_expect(&w, r, -err);
	} else {
		TEST_ASSERT(!r, "refused: %s", strerror(-r));
		vfio_dev_attach(&edu, hwpt);
		close(w.log);
	}
	vfio_dev_close(&edu);
	close(s.iommufd);
	kvm_vm_free(s.vm);
}

static void alloc_at_0(void)
{
	alloc_at(0);
}

static void alloc_at_1(void)
{
	alloc_at(1);
}

static void expect_dma(struct share_vm *s, struct vfio_dev *edu,
		       struct guest_mem *mem, __u64 seed)
{
	guest_mem_fill(mem, 0, SIZE_4K, seed);
	edu_copy(edu, mem->gpa + SIZE_4K, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, SIZE_4K, SIZE_4K, 0, seed), 0);
}

static void expect_blocked(struct share_vm *s, struct vfio_dev *edu,
			   struct guest_mem *mem, __u64 seed)
{
	guest_mem_fill(mem, 0, SIZE_4K, seed);
	edu_copy(edu, mem->gpa + SIZE_4K, mem->gpa, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, SIZE_4K, SIZE_4K, 0, seed),
		       SIZE_4K / sizeof(__u64));
}

static bool dma_snoops(struct vfio_dev *edu, __u64 iova)
{
	__u64 found;

	vtd_write(edu, VTDT_FIND_IOTLB, iova);
	found = vtd_read(edu, VTDT_FIND_IOTLB);
	TEST_ASSERT(found & VTDT_FOUND, "not in the IOTLB");
	return found & VTDT_FOUND_SNOOP;
}

static void attach_at_1(void)
{
	struct refusal_watch w;
	struct guest_mem mem;
	struct vfio_dev edu;
	struct share_vm s;
	__u32 shared;
	int err, r;

	share_vm_create_detached(&s);
	if (unfit(&s.edu, 0))
		tap_skip_case("unit 0 is not fit either");
	if (!open_edu(&s, &edu, 1))
		tap_skip_case("no unit 1");
	err = unfit_for_table(&s.edu, 1);
	r = try_share(&s, &s.edu, &shared);
	TEST_ASSERT(!r, "refused: %s", strerror(-r));
	vfio_dev_attach(&s.edu, shared);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	expect_dma(&s, &s.edu, &mem, 1);
	TEST_ASSERT_EQ(dma_snoops(&s.edu, mem.gpa), vtd_is_scalable());

	vfio_dev_attach(&edu, iommufd_hwpt_alloc(s.iommufd, edu.dev_id, s.ioas,
						 HWPT_ORDINARY, 0));
	expect_dma(&s, &edu, &mem, 2);
	refusal_watch_start(&w);
	r = __vfio_dev_attach(&edu, shared);
	if (err)
		refusal_expect(&w, r, -err);
	else
		TEST_ASSERT(!r, "refused: %s", strerror(-r));
	expect_dma(&s, &edu, &mem, 3);
	share_vm_unmap(&s, &mem);
	expect_blocked(&s, &s.edu, &mem, 4);
	expect_blocked(&s, &edu, &mem, 5);
	vfio_dev_close(&edu);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a share for unit 0 is refused, or not", alloc_at_0 },
		{ "so is one for unit 1", alloc_at_1 },
		{ "and an attach behind unit 1 to a share that unit 0 has",
		  attach_at_1 },
		{ "control: an ordinary HWPT works", no_sharing_ordinary_works },
	};

	vtd_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
