// SPDX-License-Identifier: GPL-2.0-only
/* Checks of DMA that many tests make: it arrives, it is stopped, it goes on. */
#include "dma_check.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "tap.h"

#define SEED	0xd0a11ce5
#define STALE	0x0ddba11

void dma_check_between_vcpus(struct share_vm *s, struct guest_mem *mem,
			     size_t dst, size_t src)
{
	guest_fill(s->vcpus[0], mem->gpa + src, SIZE_4K, 8, SEED);
	guest_fill(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8, STALE);
	edu_copy(&s->edu, mem->gpa + dst, mem->gpa + src, SIZE_4K);
	TEST_ASSERT_EQ(guest_diff(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8,
				  mem->gpa + src, SEED), 0);

	/* Three parties hold the same memory: the process sees it as well. */
	TEST_ASSERT_EQ(guest_mem_diff(mem, dst, SIZE_4K, src, SEED), 0);
}

void dma_check_copies(struct share_vm *s, struct guest_mem *mem, size_t dst,
		      size_t src)
{
	__u64 mark = iommu_events_mark();
	static __u64 seed = 0xd3a;

	/* Never the same twice: what an earlier call left proves nothing. */
	seed++;
	guest_mem_fill(mem, src, SIZE_4K, seed);
	guest_mem_fill(mem, dst, SIZE_4K, ~seed);
	edu_copy(&s->edu, mem->gpa + dst, mem->gpa + src, SIZE_4K);
	TEST_ASSERT_EQ(guest_mem_diff(mem, dst, SIZE_4K, src, seed), 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}

void dma_check_write_stopped(struct share_vm *s, __u64 gpa)
{
	__u64 mark = iommu_events_mark();

	edu_store(&s->edu, gpa, SIZE_4K);
	TEST_ASSERT(iommu_events_since(mark) > 0,
		    "the device writes %#llx, and no IOMMU event", gpa);
}

static void expect_root(struct steady_dma *d)
{
	struct mmu_share_info info;
	struct iommu_entry entry;

	iommu_entry_read(d->s->edu.bdf, &entry);
	TEST_ASSERT_EQ(entry.root, d->root);
	iommu_entry_read(d->testdev.bdf, &entry);
	TEST_ASSERT_EQ(entry.root, d->root);
	mmu_share_read(d->s->vm, &info);
	TEST_ASSERT(!info.shared || info.root == d->root,
		    "KVM's root is %#llx, the device's %#llx", info.root,
		    d->root);
}

void steady_dma_start(struct steady_dma *d, struct share_vm *s, __u64 iova,
		      void *va, size_t len)
{
	struct iommu_entry entry;

	memset(d, 0, sizeof(*d));
	d->s = s;
	if (!share_vm_add_testdev(s, &d->testdev))
		tap_skip_case("no iommu-testdev");
	d->load.dev = &d->testdev;
	d->load.iova = iova;
	d->load.va = va;
	d->load.len = len;

	iommu_entry_read(s->edu.bdf, &entry);
	d->root = entry.root;
	expect_root(d);
	d->mark = iommu_events_mark();
	testdev_load_start(&d->load);
}

void steady_dma_stop_amid_events(struct steady_dma *d)
{
	testdev_load_wait(&d->load);
	testdev_load_stop(&d->load);
	ksft_print_msg("%lu pages written by DMA meanwhile\n", d->load.done);
	TEST_ASSERT_EQ(d->load.lost, 0);
	expect_root(d);
	vfio_dev_close(&d->testdev);
}

void steady_dma_stop(struct steady_dma *d)
{
	__u64 mark = d->mark;

	steady_dma_stop_amid_events(d);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
}
