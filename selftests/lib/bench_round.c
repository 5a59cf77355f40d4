// SPDX-License-Identifier: GPL-2.0-only
/* One life of a VM with assigned devices, measured step by step. */
#include <sys/mman.h>

#include "bench_clock.h"
#include "bench_round.h"
#include "iommu_hw.h"
#include "memstat.h"
#include "mmu_share.h"
#include "processor.h"
#include "sysfile.h"
#include "trace.h"

#define SEED		0xbe9c
#define FLUSH		"bench_flush"
#define YIELD		"bench_yield"
#define YIELD_AT	"__cond_resched_rwlock_write"
#define PROFILE		"/sys/kernel/tracing/kprobe_profile"

#define GONE_POLL_US	10000
#define GONE_POLLS	6000

bool bench_can_count_flushes(void)
{
	bool can = trace_kprobe_add(FLUSH, iommu_driver()->flush) &&
		   trace_kprobe_add(YIELD, YIELD_AT);

	trace_kprobe_remove(FLUSH);
	trace_kprobe_remove(YIELD);
	return can;
}

static void count_start(void)
{
	TEST_ASSERT(trace_kprobe_add(FLUSH, iommu_driver()->flush) &&
		    trace_kprobe_add(YIELD, YIELD_AT), "kprobe events");
	trace_open();
	trace_enable("tdp/" FLUSH);
	trace_enable("tdp/" YIELD);
	trace_record();
}

static void count_stop(struct bench_round *r)
{
	char text[4096];

	TEST_ASSERT(sysfile_read(PROFILE, text, sizeof(text)) &&
		    text_get(text, "  " FLUSH, 10, &r->flushes) &&
		    text_get(text, "  " YIELD, 10, &r->yields),
		    "no hits in " PROFILE);
	trace_close();
	trace_kprobe_remove(FLUSH);
	trace_kprobe_remove(YIELD);
}

void bench_vm_create(struct bench_vm *b, const struct bench_mem *mem,
		     unsigned int devices)
{
	struct userspace_mem_region *slot0;
	char bdf[BDF_LEN];

	TEST_ASSERT(devices && devices <= BENCH_MAX_DEVICES, "devices");
	b->mem = mem;
	b->devices = devices;
	share_vm_create_detached(&b->s);
	if (b->devices > 1) {
		TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 1),
			    "no second edu");
		vfio_dev_open(&b->second, bdf, b->s.iommufd);
	}

	/* Its pages are there before any clock runs, as those of @mem are. */
	slot0 = memslot2region(b->s.vm, 0);
	TEST_ASSERT(!madvise(slot0->host_mem, slot0->region.memory_size,
			     MADV_POPULATE_WRITE), "MADV_POPULATE_WRITE");
	vm_set_user_memory_region(b->s.vm, TEST_SLOT, 0, GPA_HIGH,
				  b->mem->size, b->mem->hva);
	virt_map_level(b->s.vm, GPA_HIGH, GPA_HIGH, b->mem->size, PG_LEVEL_2M);
}

void bench_vm_attach(struct bench_vm *b, enum hwpt_kind kind)
{
	share_vm_attach(&b->s, kind);
	if (b->devices > 1)
		vfio_dev_attach(&b->second, b->s.hwpt);
}

void bench_vm_map_slot0(struct bench_vm *b)
{
	struct userspace_mem_region *slot0 = memslot2region(b->s.vm, 0);

	iommufd_map(b->s.iommufd, b->s.ioas, slot0->region.guest_phys_addr,
		    slot0->host_mem, slot0->region.memory_size);
}

void bench_vm_map_mem(struct bench_vm *b)
{
	iommufd_map(b->s.iommufd, b->s.ioas, GPA_HIGH, b->mem->hva,
		    b->mem->size);
}

static void unmap(struct bench_vm *b)
{
	iommufd_unmap(b->s.iommufd, b->s.ioas, GPA_HIGH, b->mem->size);
	vm_set_user_memory_region(b->s.vm, TEST_SLOT, 0, GPA_HIGH, 0, NULL);
}

/*
 * A share lets go of its VM by a work item. The next life is to start from
 * nothing, and its VM to find its directory's name free.
 */
void bench_vm_destroy(struct bench_vm *b)
{
	unsigned int left = GONE_POLLS;
	char path[64];

	snprintf(path, sizeof(path), DEBUGFS "/kvm/%d-%d", getpid(),
		 b->s.vm->fd);
	if (b->devices > 1)
		vfio_dev_close(&b->second);
	share_vm_destroy(&b->s);
	while (!access(path, F_OK)) {
		TEST_ASSERT(left--, "the VM does not go");
		usleep(GONE_POLL_US);
	}
}

static void read_leaves(struct bench_vm *b, struct bench_round *r)
{
	struct mmu_share_info info;

	mmu_share_read(b->s.vm, &info);
	r->leaves[0] = info.leaf_4k;
	r->leaves[1] = info.leaf_2m;
	r->leaves[2] = info.leaf_1g;
}

static __u64 table_flushes(struct bench_vm *b)
{
	struct mmu_share_info info;

	mmu_share_read(b->s.vm, &info);
	return info.iotlb_flushes;
}

void bench_round(struct bench_round *r, enum hwpt_kind kind,
		 const struct bench_mem *mem, unsigned int devices,
		 bool counted)
{
	__u64 none, before, start;
	struct bench_vm b;

	memset(r, 0, sizeof(*r));
	none = memstat_second_level_bytes();
	bench_vm_create(&b, mem, devices);

	start = bench_clock();
	bench_vm_attach(&b, kind);
	bench_vm_map_slot0(&b);
	r->map = bench_clock() - start;

	/* With the tables for the guest's code and stacks all there. */
	if (counted)
		share_vm_warm_up(&b.s);
	r->npt_faults = -share_vm_tdp_faults(&b.s);
	before = memstat_second_level_bytes();

	start = bench_clock();
	bench_vm_map_mem(&b);
	r->map += bench_clock() - start;

	start = bench_clock();
	guest_fill(b.s.vcpus[0], GPA_HIGH, mem->size, SIZE_4K, SEED);
	r->touch = bench_clock() - start;
	r->npt_faults += share_vm_tdp_faults(&b.s);
	r->vm_table_bytes = memstat_second_level_bytes() - none;
	r->table_bytes = counted ? memstat_second_level_bytes() - before : 0;
	if (kind == HWPT_SHARED)
		read_leaves(&b, r);

	if (counted) {
		r->table_flushes = -table_flushes(&b);
		count_start();
	}
	start = bench_clock();
	unmap(&b);
	r->unmap = bench_clock() - start;
	if (counted) {
		count_stop(r);
		r->table_flushes += table_flushes(&b);
	}
	bench_vm_destroy(&b);
}
