// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench, a first-stage table in guest memory, nested on
 * a HWPT (IOMMU_HWPT_DATA_VTD_S1):
 *
 * 1. DMA goes through both stages, with 4K and 2M leaves of the first.
 * 2. An address that the first stage does not map is blocked with a fault (control:
 *    the address beside it is reached).
 * 3. A changed first-stage entry counts after IOMMU_HWPT_INVALIDATE of it, and not
 *    before; other entries stay cached.
 * 4. Unmapped from the IOAS below, the page is blocked whatever the first stage says.
 *
 * bench: --bench intel --kernel stock --vtd 'mode=scalable nest=1 ats=1 pri=1 pasid=1'
 */
#include <sys/ioctl.h>

#include "tap.h"
#include "vtd_model.h"

#define SIZE		(4 * SIZE_2M)
#define TABLES		0			/* offset of four tables */
#define DATA		SIZE_2M			/* offset of what is mapped */
#define VA		0x123456600000ULL	/* aligned to 2M */

/* P, R/W, U/S; the A and D bits are the walker's. */
#define ENTRY		7ULL
#define ENTRY_LARGE	BIT_ULL(7)

struct nested_vm {
	struct share_vm s;
	struct guest_mem mem;
	__u64 *table[5];	/* by level, 1 to 4 */
	__u32 nested;
	__u64 seed;
};

static __u64 gpa_of(struct nested_vm *v, unsigned int level)
{
	return v->mem.gpa + TABLES + (4 - level) * SIZE_4K;
}

static unsigned int index_of(__u64 va, unsigned int level)
{
	return va >> (12 + 9 * (level - 1)) & 511;
}

static void set_leaf(struct nested_vm *v, __u64 va, size_t offset)
{
	v->table[1][index_of(va, 1)] = (v->mem.gpa + offset) | ENTRY;
}

static void build_tables(struct nested_vm *v)
{
	unsigned int level;

	for (level = 4; level; level--)
		v->table[level] = v->mem.hva + TABLES + (4 - level) * SIZE_4K;
	for (level = 4; level > 1; level--)
		v->table[level][index_of(VA, level)] =
			gpa_of(v, level - 1) | ENTRY;
	/* A 2M leaf right after what the last table maps. */
	v->table[2][index_of(VA + SIZE_2M, 2)] =
		(v->mem.gpa + 2 * SIZE_2M) | ENTRY | ENTRY_LARGE;
}

static void alloc_nested(struct nested_vm *v)
{
	struct iommu_hwpt_vtd_s1 s1 = {
		.pgtbl_addr = gpa_of(v, 4),
		.addr_width = 48,
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = v->s.edu.dev_id,
		.pt_id = v->s.hwpt,
		.data_type = IOMMU_HWPT_DATA_VTD_S1,
		.data_len = sizeof(s1),
		.data_uptr = (unsigned long)&s1,
	};

	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_HWPT_ALLOC, &cmd),
		    "HWPT_ALLOC of a nested one");
	v->nested = cmd.out_hwpt_id;
	vfio_dev_attach(&v->s.edu, v->nested);
}

static void create(struct nested_vm *v)
{
	memset(v, 0, sizeof(*v));
	share_vm_create_detached(&v->s);
	vtd_attach(&v->s, IOMMU_HWPT_ALLOC_NEST_PARENT);
	share_vm_add_mem(&v->s, &v->mem, BACKING_4K, GPA_LOW, SIZE);
	build_tables(v);
	set_leaf(v, VA, DATA);
	set_leaf(v, VA + SIZE_4K, DATA + SIZE_4K);
	alloc_nested(v);
}

/* By detaching first: a nested HWPT holds the one below. */
static void destroy(struct nested_vm *v)
{
	vfio_dev_detach(&v->s.edu);
	share_vm_destroy(&v->s);
}

static void invalidate(struct nested_vm *v, __u64 va, __u64 npages)
{
	struct iommu_hwpt_vtd_s1_invalidate entry = {
		.addr = va,
		.npages = npages,
	};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = v->nested,
		.data_uptr = (unsigned long)&entry,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.entry_len = sizeof(entry),
		.entry_num = 1,
	};

	TEST_ASSERT(!ioctl(v->s.iommufd, IOMMU_HWPT_INVALIDATE, &cmd) &&
		    cmd.entry_num == 1, "HWPT_INVALIDATE");
}

/* Whether the device, reading @va, gets what is at @offset; asserts on less. */
static bool reads(struct nested_vm *v, __u64 va, size_t offset)
{
	__u64 faults = vtd_read(&v->s.edu, VTDT_FAULTS);
	size_t sink = 3 * SIZE_2M - SIZE_4K;
	unsigned long wrong;

	v->seed++;
	guest_mem_fill(&v->mem, offset, 64, v->seed);
	guest_mem_fill(&v->mem, sink, 64, ~v->seed);
	edu_load(&v->s.edu, va, 64);
	faults = vtd_read(&v->s.edu, VTDT_FAULTS) - faults;
	/* What it has goes where the process can see it, by the 2M leaf. */
	edu_store(&v->s.edu, VA + SIZE_2M + sink - 2 * SIZE_2M, 64);
	wrong = guest_mem_diff(&v->mem, sink, 64, offset, v->seed);
	TEST_ASSERT(!wrong || wrong == 64 / 8, "a part was read");
	TEST_ASSERT(!(faults && !wrong), "read, and %llu faults", faults);
	return !wrong;
}

static void both_stages(void)
{
	struct nested_vm v;
	__u64 faults;

	create(&v);
	/* The 2M leaf of the first stage is 4K leaves in the second. */
	TEST_ASSERT(reads(&v, VA, DATA), "a 4K leaf");
	TEST_ASSERT(reads(&v, VA + SIZE_4K, DATA + SIZE_4K), "its neighbour");
	TEST_ASSERT(reads(&v, VA + SIZE_2M + 5 * SIZE_4K,
			  2 * SIZE_2M + 5 * SIZE_4K), "a 2M leaf");

	faults = vtd_read(&v.s.edu, VTDT_FAULTS);
	edu_load(&v.s.edu, VA + 2 * SIZE_4K, 64);
	TEST_ASSERT_EQ(vtd_read(&v.s.edu, VTDT_FAULTS), faults + 1);
	/* A guest-physical address is nothing to the first stage. */
	edu_load(&v.s.edu, v.mem.gpa + DATA, 64);
	TEST_ASSERT_EQ(vtd_read(&v.s.edu, VTDT_FAULTS), faults + 2);
	destroy(&v);
}

static void invalidation(void)
{
	struct nested_vm v;

	create(&v);
	TEST_ASSERT(reads(&v, VA, DATA), "before");
	TEST_ASSERT(reads(&v, VA + SIZE_4K, DATA + SIZE_4K), "its neighbour");
	set_leaf(&v, VA, DATA + 2 * SIZE_4K);
	set_leaf(&v, VA + SIZE_4K, DATA + 3 * SIZE_4K);
	TEST_ASSERT(reads(&v, VA, DATA), "not invalidated, and not stale");

	invalidate(&v, VA, 1);
	TEST_ASSERT(reads(&v, VA, DATA + 2 * SIZE_4K), "stale");
	TEST_ASSERT(reads(&v, VA + SIZE_4K, DATA + SIZE_4K),
		    "its neighbour was invalidated as well");
	invalidate(&v, 0, ~0ULL);
	TEST_ASSERT(reads(&v, VA + SIZE_4K, DATA + 3 * SIZE_4K),
		    "stale after all was invalidated");
	destroy(&v);
}

static void unmapped_below(void)
{
	struct nested_vm v;
	__u64 faults;

	create(&v);
	TEST_ASSERT(reads(&v, VA, DATA), "before");
	iommufd_unmap(v.s.iommufd, v.s.ioas, v.mem.gpa, v.mem.size);
	faults = vtd_read(&v.s.edu, VTDT_FAULTS);
	edu_load(&v.s.edu, VA, 64);
	TEST_ASSERT_EQ(vtd_read(&v.s.edu, VTDT_FAULTS), faults + 1);
	iommufd_map(v.s.iommufd, v.s.ioas, v.mem.gpa, v.mem.hva, v.mem.size);
	TEST_ASSERT(reads(&v, VA, DATA), "mapped again");
	destroy(&v);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "DMA goes through both stages", both_stages },
		{ "a first-stage entry is stale until it is invalidated",
		  invalidation },
		{ "what is unmapped below is blocked", unmapped_below },
	};

	vtd_require();
	__TEST_REQUIRE(vtd_is_scalable(), "needs scalable mode");
	return tap_run(cases, ARRAY_SIZE(cases));
}
