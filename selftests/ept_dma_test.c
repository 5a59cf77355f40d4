// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stock kernel on the Intel bench, a table each for CPU and device:
 *
 * 1. The device reads what a vCPU wrote through EPT, another vCPU and the process
 *    read what the device wrote through the VT-d's second stage.
 * 2. Both have leaves of 4K, 2M and 1G where the host's pages are of that size.
 * 3. In legacy mode as in scalable mode.
 *
 * Controls: memory has another pattern before; the walkers' roots differ; a leaf
 * of one size is none of another.
 *
 * bench: --bench intel --kernel stock --1g-page
 * bench: --bench intel --kernel stock --vtd mode=scalable --1g-page
 */
#include "dma_check.h"
#include "tap.h"
#include "vtd_model.h"

#define ROOT_MASK	GENMASK_ULL(51, 12)

struct leaf {
	enum guest_mem_backing backing;
	size_t size;		/* of the memory */
	__u64 found;		/* what the IOTLB says of an entry's size */
};

/* By the IOTLB's entries, which are as large as the leaf. */
static void expect_iommu_leaf(struct share_vm *s, __u64 iova, __u64 size)
{
	__u64 found;

	vtd_write(&s->edu, VTDT_FIND_IOTLB, iova);
	found = vtd_read(&s->edu, VTDT_FIND_IOTLB);
	TEST_ASSERT(found & VTDT_FOUND, "%#llx is not in the IOTLB", iova);
	TEST_ASSERT_EQ(found & (VTDT_FOUND_2M | VTDT_FOUND_1G), size);
}

static void both_ways(const void *arg)
{
	const struct leaf *leaf = arg;
	__u64 p4k, p2m, p1g, faults;
	struct guest_mem mem;
	struct share_vm s;
	size_t last;

	share_vm_create(&s, HWPT_ORDINARY);
	faults = vtd_read(&s.edu, VTDT_FAULTS);
	share_vm_add_mem(&s, &mem, leaf->backing, GPA_HIGH, leaf->size);
	last = mem.size - SIZE_4K;
	guest_nop(s.vcpus[0]);
	guest_nop(s.vcpus[1]);
	p4k = vm_get_stat(s.vm, pages_4k);
	p2m = vm_get_stat(s.vm, pages_2m);
	p1g = vm_get_stat(s.vm, pages_1g);

	dma_check_between_vcpus(&s, &mem, last, 0);
	dma_check_between_vcpus(&s, &mem, 0, mem.size / 2);
	dma_check_between_vcpus(&s, &mem, mem.size / 2 + SIZE_4K, last);
	TEST_ASSERT_EQ(vtd_read(&s.edu, VTDT_FAULTS), faults);

	p4k = vm_get_stat(s.vm, pages_4k) - p4k;
	p2m = vm_get_stat(s.vm, pages_2m) - p2m;
	p1g = vm_get_stat(s.vm, pages_1g) - p1g;
	TEST_ASSERT(leaf->found == VTDT_FOUND_1G ? p1g && !p2m :
		    leaf->found == VTDT_FOUND_2M ? p2m && !p1g :
		    p4k && !p2m && !p1g,
		    "EPT leaves: %llu of 4K, %llu of 2M, %llu of 1G", p4k, p2m,
		    p1g);
	expect_iommu_leaf(&s, mem.gpa + last, leaf->found);
	share_vm_destroy(&s);
}

/* The vCPU that ran last is still known to its CPU, by its EPT pointer. */
static void roots_differ(void)
{
	__u64 eptp = 0, cpu;
	struct guest_mem mem;
	struct share_vm s;

	share_vm_create(&s, HWPT_ORDINARY);
	share_vm_add_mem(&s, &mem, BACKING_4K, GPA_HIGH, SIZE_2M);
	dma_check_between_vcpus(&s, &mem, SIZE_4K, 0);
	for (cpu = 0; cpu < 2 && !eptp; cpu++) {
		vtd_write(&s.edu, VTDT_CPU, cpu);
		eptp = vtd_read(&s.edu, VTDT_EPTP);
	}
	TEST_ASSERT(eptp & ROOT_MASK, "no CPU has an EPT pointer");
	/*
	 * Upstream's EPT has bit 11 set in entries that point to tables, where the
	 * VT-d wants 0: it can't walk one.
	 */
	vtd_write(&s.edu, VTDT_ROOT, eptp & ROOT_MASK);
	cpu = vtd_read(&s.edu, VTDT_FAULTS);
	edu_load(&s.edu, mem.gpa, SIZE_4K);
	vtd_write(&s.edu, VTDT_ROOT, 0);
	TEST_ASSERT_EQ(vtd_read(&s.edu, VTDT_FAULTS), cpu + 1);
	dma_check_between_vcpus(&s, &mem, 3 * SIZE_4K, 2 * SIZE_4K);
	share_vm_destroy(&s);
}

int main(void)
{
	static const struct leaf leaf_4k = { BACKING_4K, SIZE_2M, 0 };
	static const struct leaf leaf_2m = { BACKING_2M, 4 * SIZE_2M,
					     VTDT_FOUND_2M };
	static const struct leaf leaf_1g = { BACKING_1G, SIZE_1G,
					     VTDT_FOUND_1G };
	static const struct tap_case cases[] = {
		{ "4K leaves: device and vCPUs read each other's writes",
		  .run_with = both_ways, .arg = &leaf_4k },
		{ "2M leaves", .run_with = both_ways, .arg = &leaf_2m },
		{ "1G leaves", .run_with = both_ways, .arg = &leaf_1g },
		{ "control: KVM's table is another, which the VT-d can't walk",
		  roots_differ },
	};

	vtd_require();
	ksft_print_msg("%s mode\n", vtd_is_scalable() ? "scalable" : "legacy");
	return tap_run(cases, ARRAY_SIZE(cases));
}
