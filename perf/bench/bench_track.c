// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds of a live migration: between two of them a vCPU writes a tenth of memory and
 * a device a hundredth, pages apart from each other; then KVM's log and iommufd's
 * bitmap are read. One table says both, separate ones each its own.
 */
#include "bench_clock.h"
#include "bench_round.h"
#include "iommufd_dirty.h"
#include "options.h"

static const char what[] =
"Tracks dirty pages of vCPUs and a device over COUNT rounds.\n";

#define VCPU_STEP	10
#define DEVICE_STEP	100
#define SEED		0x7ac4

struct track {
	struct bench_vm b;
	struct vfio_dev testdev;
	enum hwpt_kind kind;
	size_t size;
	void *hva;
	__u64 *log;
	__u64 *dma;
};

static void create(struct track *t, enum hwpt_kind kind,
		   const struct bench_mem *mem)
{
	struct share_vm *s = &t->b.s;
	__u32 flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	char bdf[BDF_LEN];

	bench_vm_create(&t->b, mem, 1);
	if (kind == HWPT_SHARED)
		flags |= IOMMU_HWPT_ALLOC_KVM_TDP;
	TEST_ASSERT(!__iommufd_hwpt_alloc(s->iommufd, s->edu.dev_id, s->ioas,
					  flags, s->vm->fd, &s->hwpt),
		    "HWPT with dirty tracking");
	TEST_ASSERT(vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, 0),
		    "no iommu-testdev");
	vfio_dev_open(&t->testdev, bdf, s->iommufd);
	vfio_dev_attach(&t->testdev, s->hwpt);
	vfio_dev_attach(&s->edu, s->hwpt);
	bench_vm_map_slot0(&t->b);
	bench_vm_map_mem(&t->b);
	t->kind = kind;
	t->size = mem->size;
	t->hva = mem->hva;
	t->log = calloc(t->size / SIZE_4K / 64, sizeof(__u64));
	t->dma = calloc(t->size / SIZE_4K / 64, sizeof(__u64));
	TEST_ASSERT(t->log && t->dma, "calloc");
	share_vm_warm_up(s);
	/* What is not measured here: the faults of separate tables. */
	guest_fill(s->vcpus[0], GPA_HIGH, t->size, SIZE_4K, SEED);
}

static void destroy(struct track *t)
{
	vfio_dev_close(&t->testdev);
	bench_vm_destroy(&t->b);
	free(t->log);
	free(t->dma);
}

static void switch_on(struct track *t)
{
	vm_set_user_memory_region(t->b.s.vm, TEST_SLOT, KVM_MEM_LOG_DIRTY_PAGES,
				  GPA_HIGH, t->size, t->hva);
	TEST_ASSERT(!iommufd_dirty_tracking(t->b.s.iommufd, t->b.s.hwpt, true),
		    "tracking on");
}

static void read_log(struct track *t)
{
	kvm_vm_get_dirty_log(t->b.s.vm, TEST_SLOT, t->log);
}

static void read_dma(struct track *t)
{
	TEST_ASSERT(!iommufd_dirty_bitmap(t->b.s.iommufd, t->b.s.hwpt, GPA_HIGH,
					  t->size, SIZE_4K, false, t->dma),
		    "GET_DIRTY_BITMAP");
}

static size_t count(const __u64 *bits, size_t pages)
{
	size_t i, nr = 0;

	for (i = 0; i < pages / 64; i++)
		nr += __builtin_popcountll(bits[i]);
	return nr;
}

static size_t device_writes(struct track *t, unsigned int round)
{
	size_t at = round * 3 % DEVICE_STEP * SIZE_4K, nr = 0;

	for (; at < t->size; at += DEVICE_STEP * SIZE_4K, nr++)
		TEST_ASSERT(testdev_write(&t->testdev, GPA_HIGH + at, 64), "DMA");
	return nr;
}

static void rounds(const struct options *o, struct track *t, bool print)
{
	__u64 faults, start, before, dma = 0, asked = 0, idle, idle_dma;
	struct share_vm *s = &t->b.s;
	size_t pages = t->size / SIZE_4K, wrote, vcpu_wrote;
	unsigned int i;

	faults = share_vm_tdp_faults(s);
	start = bench_clock();
	switch_on(t);
	for (i = 0; i < o->count; i++) {
		size_t first = i % VCPU_STEP * SIZE_4K;

		guest_fill(s->vcpus[0], GPA_HIGH + first, t->size - first,
			   VCPU_STEP * SIZE_4K, SEED + i);
		wrote = device_writes(t, i);
		vcpu_wrote = DIV_ROUND_UP(pages - i % VCPU_STEP, VCPU_STEP);
		before = bench_clock();
		read_log(t);
		read_dma(t);
		asked += bench_clock() - before;
		TEST_ASSERT(count(t->log, pages) >= vcpu_wrote &&
			    count(t->dma, pages) >= wrote, "pages are missing");
	}
	start = bench_clock() - start;
	faults = share_vm_tdp_faults(s) - faults;

	/* A round in which nobody has written; the bitmap alone beside it. */
	before = bench_clock();
	read_dma(t);
	idle_dma = bench_clock() - before;
	before = bench_clock();
	read_log(t);
	read_dma(t);
	idle = bench_clock() - before;

	/* And one in which the device alone has. */
	device_writes(t, i);
	read_dma(t);
	dma = count(t->dma, pages);
	if (!print)
		return;

	print_sample(o, "track_round_insns", t->kind, asked / o->count);
	print_sample(o, "track_all_insns", t->kind, start);
	print_sample(o, "track_faults", t->kind, faults);
	print_sample(o, "track_dma_pages", t->kind, dma);
	/* Both questions to one table, against upstream's one to the IOMMU's own. */
	print_sample(o, "track_idle_insns", t->kind,
		     t->kind == HWPT_SHARED ? idle : idle_dma);
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = SIZE_1G,
		.devices = 1,
		.repeats = 2,
		.count = 5,
	};
	struct bench_mem mem;
	unsigned int i, turn;
	struct track t;

	options_begin(&o, argc, argv, what, &mem);
	bench_clock_start();
	for (i = 0; i <= o.repeats; i++) {
		for (turn = 0; turn < 2; turn++) {
			enum hwpt_kind kind = kind_of_turn(i, turn);

			if (!options_want(&o, kind))
				continue;
			create(&t, kind, &mem);
			rounds(&o, &t, i);
			destroy(&t);
		}
	}
	bench_mem_free(&mem);
	return 0;
}
