// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Intel bench: a device's HWPT is replaced by another under DMA, in legacy mode,
 * and in scalable mode between two second stages, and between first and second stage.
 *
 * 1. No DMA is lost or faults (control: detached in between it does).
 * 2. Afterwards DMA goes where the new HWPT maps it, by the new one's page sizes,
 *    unmaps and dirty bits.
 * 3. What is cached of the entry, of the old domain and by the device is invalidated
 *    in this order, under the old domain's ID (control: when the invalidations are
 *    lost DMA still goes by the old HWPT).
 * 4. A replace that fails leaves the device where it was, under DMA: for want of
 *    memory, each allocation in turn; by a HWPT that its unit can't walk.
 *
 * bench: --bench intel --vtd 'units=2 unit=1 leaf=4k'
 * bench: --bench intel --vtd 'mode=scalable first=1 ats=1 units=2 unit=1 leaf=4k'
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "fail_nth.h"
#include "tap.h"
#include "vtd_model.h"

#define SIZE		(2 * SIZE_2M)
#define REPLACEMENTS	60
#define MOST_FAULTS	60
#define TESTDEV_FUNCTION 2	/* testdev 0, to VTDT_FUNCTION */
#define EVERYTHING	(~0ULL)

/* HWPT flags. Without any the driver takes a first stage if it can. */
#define DEFAULT_STAGE	0
#define SECOND_STAGE	IOMMU_HWPT_ALLOC_DIRTY_TRACKING

struct replace_vm {
	struct share_vm s;
	struct vfio_dev testdev;
	struct guest_mem mem;
	struct testdev_load load;
	__u32 other;		/* a HWPT beside s.hwpt, of the same IOAS */
};

static __u32 alloc_hwpt(struct replace_vm *v, __u32 ioas, __u32 flags)
{
	__u32 hwpt;
	int r;

	r = __iommufd_hwpt_alloc(v->s.iommufd, v->testdev.dev_id, ioas, flags, 0,
				 &hwpt);
	TEST_ASSERT(!r, "HWPT_ALLOC with flags %#x: %s", flags, strerror(-r));
	return hwpt;
}

/* In legacy mode there is one kind alone. */
static __u32 kind(__u32 flags)
{
	return vtd_is_scalable() ? flags : DEFAULT_STAGE;
}

static void create(struct replace_vm *v, __u32 from, __u32 to)
{
	memset(v, 0, sizeof(*v));
	share_vm_create_detached(&v->s);
	vtd_write(&v->s.edu, VTDT_DROP, 0); /* what a case that failed left */
	vtd_attach(&v->s, kind(from));
	TEST_ASSERT(share_vm_add_testdev(&v->s, &v->testdev), "no testdev");
	v->other = alloc_hwpt(v, v->s.ioas, kind(to));
	share_vm_add_mem(&v->s, &v->mem, BACKING_4K, GPA_HIGH, SIZE);
	v->load.dev = &v->testdev;
	v->load.iova = v->mem.gpa;
	v->load.va = v->mem.hva;
	v->load.len = v->mem.size;
}

static void destroy(struct replace_vm *v)
{
	vfio_dev_close(&v->testdev);
	share_vm_destroy(&v->s);
}

static void nothing_lost(__u32 from, __u32 to)
{
	struct replace_vm v;
	__u64 faults;
	int i;

	create(&v, from, to);
	faults = vtd_read(&v.s.edu, VTDT_FAULTS);
	testdev_load_start(&v.load);
	for (i = 0; i < REPLACEMENTS; i++) {
		vfio_dev_attach(&v.testdev, v.other);
		vfio_dev_attach(&v.testdev, v.s.hwpt);
		testdev_load_wait(&v.load);
	}
	testdev_load_stop(&v.load);
	ksft_print_msg("%lu pages written by DMA over %d replacements\n",
		       v.load.done, 2 * REPLACEMENTS);
	TEST_ASSERT_EQ(v.load.lost, 0);
	TEST_ASSERT_EQ(vtd_read(&v.s.edu, VTDT_FAULTS), faults);

	/* Control: a device that is detached in between does lose writes. */
	testdev_load_start(&v.load);
	while (!__atomic_load_n(&v.load.lost, __ATOMIC_RELAXED)) {
		vfio_dev_detach(&v.testdev);
		vfio_dev_attach(&v.testdev, v.s.hwpt);
	}
	testdev_load_stop(&v.load);
	destroy(&v);
}

static void nothing_lost_default(void)
{
	nothing_lost(DEFAULT_STAGE, SECOND_STAGE);
}

static void nothing_lost_second(void)
{
	nothing_lost(SECOND_STAGE, SECOND_STAGE);
}

static void later_changes(__u32 from, __u32 to)
{
	struct replace_vm v;

	create(&v, from, to);
	TEST_ASSERT(vtd_reaches(&v.s, &v.testdev, &v.mem, 0), "before");
	vfio_dev_attach(&v.testdev, v.other);
	vfio_dev_attach(&v.s.edu, v.other);
	iommufd_destroy(v.s.iommufd, v.s.hwpt);
	TEST_ASSERT(vtd_reaches(&v.s, &v.testdev, &v.mem, 0), "the old HWPT gone");
	iommufd_unmap(v.s.iommufd, v.s.ioas, v.mem.gpa, v.mem.size);
	TEST_ASSERT(!vtd_reaches(&v.s, &v.testdev, &v.mem, 0), "unmapped");
	share_vm_map(&v.s, &v.mem);
	TEST_ASSERT(vtd_reaches(&v.s, &v.testdev, &v.mem, SIZE_2M),
		    "mapped again");
	destroy(&v);
}

static void later_changes_default(void)
{
	later_changes(SECOND_STAGE, DEFAULT_STAGE);
}

static void later_changes_second(void)
{
	later_changes(DEFAULT_STAGE, SECOND_STAGE);
}

static void dirty_bits(void)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
	};
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.length = 64 * SIZE_4K,
		.page_size = SIZE_4K,
	};
	struct replace_vm v;
	__u64 bitmap = 0;

	if (!vtd_is_scalable())
		tap_skip_case("legacy mode has no dirty bits");
	create(&v, DEFAULT_STAGE, SECOND_STAGE);
	cmd.hwpt_id = v.other;
	TEST_ASSERT(!ioctl(v.s.iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd),
		    "HWPT_SET_DIRTY_TRACKING");
	TEST_ASSERT(vtd_reaches(&v.s, &v.testdev, &v.mem, SIZE_4K), "before");
	vfio_dev_attach(&v.testdev, v.other);
	TEST_ASSERT(vtd_reaches(&v.s, &v.testdev, &v.mem, 5 * SIZE_4K), "after");
	get.hwpt_id = v.other;
	get.iova = v.mem.gpa;
	get.data = (unsigned long)&bitmap;
	TEST_ASSERT(!ioctl(v.s.iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get),
		    "HWPT_GET_DIRTY_BITMAP");
	TEST_ASSERT(bitmap == BIT_ULL(5), "bitmap %#llx", bitmap);
	destroy(&v);
}

/* Two IOASes have different memory at one address. Which of them does DMA find? */
static int lands_in(struct replace_vm *v)
{
	__u32 *first = v->mem.hva, *second = v->mem.hva + SIZE_2M;

	WRITE_ONCE(*first, 0);
	WRITE_ONCE(*second, 0);
	TEST_ASSERT(testdev_write(&v->testdev, v->mem.gpa, 64), "blocked");
	TEST_ASSERT(!READ_ONCE(*first) != !READ_ONCE(*second), "in both or none");
	return READ_ONCE(*second) ? 2 : 1;
}

static __u32 other_memory(struct replace_vm *v, __u32 flags)
{
	__u32 ioas = iommufd_ioas_alloc(v->s.iommufd);

	iommufd_map(v->s.iommufd, ioas, v->mem.gpa, v->mem.hva + SIZE_2M,
		    SIZE_2M);
	return alloc_hwpt(v, ioas, kind(flags));
}

/* The device asks for translations and keeps them, if the unit serves that. */
static void use_ats(struct replace_vm *v)
{
	vtd_write(&v->s.edu, VTDT_FUNCTION, TESTDEV_FUNCTION);
	vtd_write(&v->s.edu, VTDT_DMA_MODE,
		  vtd_is_scalable() ? VTDT_DMA_ATS : VTDT_DMA_UNTRANSLATED);
	vtd_write(&v->s.edu, VTDT_FUNCTION, 0);
}

static __u64 record(struct replace_vm *v, __u64 index)
{
	vtd_write(&v->s.edu, VTDT_INV_INDEX, index);
	return vtd_read(&v->s.edu, VTDT_INV_WHAT);
}

/* 1: of the entry, 2: of translations, 3: of the device's. 0: other business. */
static int stage_of(__u64 what)
{
	switch (VTDT_INV_KIND(what)) {
	case VTDT_KIND_CONTEXT:
	case VTDT_KIND_PASID:
		return 1;
	case VTDT_KIND_IOTLB_DOMAIN:
	case VTDT_KIND_PIOTLB_PASID:
		return 2;
	case VTDT_KIND_DEVTLB:
		return 3;
	}
	return 0;
}

/* What was invalidated since @from is complete, in order, of one domain. */
static void expect_in_order(struct replace_vm *v, __u64 from)
{
	__u64 i, what, to = vtd_read(&v->s.edu, VTDT_INV_COUNT);
	int stage, before = 0, did = -1;

	for (i = from; i < to; i++) {
		what = record(v, i);
		stage = stage_of(what);
		TEST_ASSERT(stage, "kind %lld", VTDT_INV_KIND(what));
		TEST_ASSERT(stage >= before, "kind %lld after stage %d",
			    VTDT_INV_KIND(what), before);
		TEST_ASSERT(stage <= before + 1, "nothing of stage %d",
			    before + 1);
		before = stage;
		if (stage == 3)
			continue;
		if (did < 0)
			did = VTDT_INV_DID(what);
		TEST_ASSERT(did == (int)VTDT_INV_DID(what), "domains %d and %lld",
			    did, VTDT_INV_DID(what));
	}
	TEST_ASSERT_EQ(before, vtd_is_scalable() ? 3 : 2);
}

static void invalidations(__u32 from, __u32 to)
{
	struct replace_vm v;
	__u32 second;
	__u64 count;

	create(&v, from, to);
	second = other_memory(&v, to);
	use_ats(&v);

	TEST_ASSERT_EQ(lands_in(&v), 1);
	count = vtd_read(&v.s.edu, VTDT_INV_COUNT);
	vfio_dev_attach(&v.testdev, second);
	expect_in_order(&v, count);
	TEST_ASSERT_EQ(lands_in(&v), 2);

	count = vtd_read(&v.s.edu, VTDT_INV_COUNT);
	vfio_dev_attach(&v.testdev, v.s.hwpt);
	expect_in_order(&v, count);
	TEST_ASSERT_EQ(lands_in(&v), 1);

	/* Control: the entry is cached, by whom it is used. */
	vtd_write(&v.s.edu, VTDT_DROP, EVERYTHING);
	vfio_dev_attach(&v.testdev, second);
	vtd_write(&v.s.edu, VTDT_DROP, 0);
	TEST_ASSERT_EQ(lands_in(&v), 1);
	vfio_dev_attach(&v.testdev, v.s.hwpt);
	destroy(&v);
}

static void invalidations_default(void)
{
	invalidations(DEFAULT_STAGE, SECOND_STAGE);
}

static void invalidations_second(void)
{
	invalidations(SECOND_STAGE, SECOND_STAGE);
}

static void expect_still_there(struct replace_vm *v, const char *why)
{
	TEST_ASSERT(vtd_reaches(&v->s, &v->testdev, &v->mem, 0), "%s: blocked",
		    why);
}

static void no_memory(void)
{
	unsigned int i, failed = 0;
	struct replace_vm v;
	bool hit;
	int r;

	if (!fault_injection_setup())
		tap_skip_case("needs CONFIG_FAULT_INJECTION");
	create(&v, DEFAULT_STAGE, SECOND_STAGE);
	testdev_load_start(&v.load);
	for (i = 1; i < MOST_FAULTS; i++) {
		fail_nth_arm(i);
		r = __vfio_dev_attach(&v.testdev, v.other);
		hit = fail_nth_disarm();
		testdev_load_wait(&v.load);
		if (!r && !hit)
			break;
		if (r)
			failed++;
		else
			vfio_dev_attach(&v.testdev, v.s.hwpt);
	}
	testdev_load_stop(&v.load);
	ksft_print_msg("%u replaces failed\n", failed);
	TEST_ASSERT(failed && i < MOST_FAULTS, "%u replaces failed", failed);
	TEST_ASSERT_EQ(v.load.lost, 0);
	destroy(&v);
}

/* Unit 1 has leaves of 4K alone. The HWPT was made for unit 0. */
static void unfit_unit(void)
{
	struct replace_vm v;
	char bdf[BDF_LEN];
	int r;

	create(&v, SECOND_STAGE, SECOND_STAGE);
	vfio_dev_close(&v.testdev);
	if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 1))
		tap_skip_case("no second testdev");
	vfio_dev_open(&v.testdev, bdf, v.s.iommufd);
	vtd_write(&v.s.edu, VTDT_UNIT, 2);
	r = __vfio_dev_attach(&v.testdev, v.s.hwpt);
	TEST_ASSERT(r == -EINVAL, "attached: %d", r);

	/* A HWPT of its own unit. */
	vfio_dev_attach(&v.testdev, alloc_hwpt(&v, v.s.ioas, kind(SECOND_STAGE)));
	expect_still_there(&v, "before");
	testdev_load_start(&v.load);
	r = __vfio_dev_attach(&v.testdev, v.s.hwpt);
	testdev_load_wait(&v.load);
	testdev_load_stop(&v.load);
	TEST_ASSERT(r == -EINVAL, "attached: %d", r);
	TEST_ASSERT_EQ(v.load.lost, 0);
	expect_still_there(&v, "after");
	vtd_write(&v.s.edu, VTDT_UNIT, 0);
	destroy(&v);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "no DMA is lost, first and second stage", nothing_lost_default },
		{ "no DMA is lost, second stages", nothing_lost_second },
		{ "unmap and map reach the device afterwards, to a first stage",
		  later_changes_default },
		{ "likewise, to a second stage", later_changes_second },
		{ "the new HWPT's dirty bits are set", dirty_bits },
		{ "what is cached is invalidated in order, first and second stage",
		  invalidations_default },
		{ "likewise, second stages", invalidations_second },
		{ "without memory the device stays where it was", no_memory },
		{ "so it does when its unit can't walk the HWPT", unfit_unit },
	};

	vtd_require();
	ksft_print_msg("%s mode\n", vtd_is_scalable() ? "scalable" : "legacy");
	return tap_run(cases, ARRAY_SIZE(cases));
}
