// SPDX-License-Identifier: GPL-2.0-only
/*
 * An HWPT with dirty tracking shares while that is off and while it is on, and what
 * was written survives its changes of domain:
 *
 * 1. To switch tracking off while it is off, and shared, is no error. Switched on the
 *    HWPT stays shared, and each reader is told of each side's writes.
 * 2. Changes of domain in the middle of tracking carry every page over, and not one
 *    too much: random writes, questions and conversions against a model. While the
 *    HWPT is private each reader has its own side, as upstream.
 * 3. What was written before tracking was switched off can be asked for afterwards,
 *    also on the other domain. Switched on again nothing of it is left.
 * 4. Nothing is lost while a device writes and the HWPT goes to and fro.
 *
 * bench: --bench amd-full --share
 * bench: --bench intel --vtd mode=scalable --share
 */
#include "auto_vm.h"
#include "dirty_model.h"
#include "iommufd_dirty.h"
#include "operator.h"
#include "slow_host.h"
#include "tap.h"

#define STEPS	less_if_slow(600, 150)

static __u64 seed;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

struct dirty {
	struct auto_vm a;
	struct dirty_model m;
};

static void create(struct dirty *d)
{
	struct auto_vm *a = &d->a;
	size_t at;

	memset(d, 0, sizeof(*d));
	auto_vm_create_detached(a);
	if (!iommufd_can_track(a->s.iommufd, a->s.edu.dev_id))
		tap_skip_case("the IOMMU sets no dirty bits");
	TEST_ASSERT(!__iommufd_hwpt_alloc(a->s.iommufd, a->s.edu.dev_id,
					  a->s.ioas,
					  IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
					  &a->s.hwpt), "HWPT with tracking");
	vfio_dev_attach(&a->s.edu, a->s.hwpt);
	vfio_dev_attach(&a->testdev, a->s.hwpt);
	auto_vm_map_slot0(a);
	/*
	 * Page by page: what is next to each other by chance the IOMMU's own table
	 * has as one, which is dirty as a whole.
	 */
	for (at = 0; at < a->mem.size; at += SIZE_4K)
		iommufd_map(a->s.iommufd, a->s.ioas, a->mem.gpa + at,
			    a->mem.hva + at, SIZE_4K);
	auto_vm_wait_shared(a);
	operator_share_by_order_only();

	d->m.s = a->s;
	d->m.mem = a->mem;
	d->m.testdev = a->testdev;
	dirty_model_init(&d->m);
}

static void destroy(struct dirty *d)
{
	dirty_model_free(&d->m);
	auto_vm_destroy(&d->a);
}

static void convert(struct dirty *d, bool shared)
{
	vmm_share_control(getpid(), shared ? "share" : "private");
	TEST_ASSERT_EQ(auto_vm_status().shared, shared);
	d->m.apart = !shared;
}

static void stays_shared(void)
{
	struct dirty d;

	create(&d);
	dirty_model_switch(&d.m, READER_DMA, false);
	TEST_ASSERT(auto_vm_status().shared, "not shared");

	dirty_model_switch(&d.m, READER_DMA, true);
	dirty_model_switch(&d.m, READER_LOG, true);
	TEST_ASSERT(auto_vm_status().shared, "not shared while tracking");
	dirty_model_device_writes(&d.m, 5);
	dirty_model_vcpu_writes(&d.m, 6);
	TEST_ASSERT_EQ(dirty_model_read(&d.m, READER_LOG, false), 2);
	TEST_ASSERT_EQ(dirty_model_read(&d.m, READER_DMA, false), 2);
	destroy(&d);
}

static void random_conversions(void)
{
	unsigned int i, conversions = 0;
	struct dirty d;

	seed = time(NULL);
	ksft_print_msg("seed %llu\n", seed);
	create(&d);
	dirty_model_switch(&d.m, READER_DMA, true);
	dirty_model_switch(&d.m, READER_LOG, true);
	for (i = 0; i < STEPS; i++) {
		size_t page = pick(d.m.pages);

		switch (pick(16)) {
		case 0 ... 5:
			dirty_model_vcpu_writes(&d.m, page);
			break;
		case 6 ... 12:
			dirty_model_device_writes(&d.m, page);
			break;
		case 13 ... 14:
			dirty_model_read(&d.m, pick(DIRTY_READERS), !pick(4));
			break;
		default:
			convert(&d, d.m.apart);
			conversions++;
		}
	}
	for (i = 0; i < DIRTY_READERS; i++)
		dirty_model_read(&d.m, i, false);
	ksft_print_msg("%u conversions; %lu pages reported, %lu of them not written\n",
		       conversions, d.m.told, d.m.too_much);
	TEST_ASSERT(d.m.too_much * 100 <= d.m.told, "more than 1 %% too much");
	destroy(&d);
}

static void after_tracking(void)
{
	struct dirty d;
	int to_shared;

	create(&d);
	for (to_shared = 0; to_shared < 2; to_shared++) {
		convert(&d, !to_shared);
		dirty_model_switch(&d.m, READER_DMA, true);
		dirty_model_device_writes(&d.m, 77);
		dirty_model_switch(&d.m, READER_DMA, false);
		dirty_model_device_writes(&d.m, 78);
		convert(&d, to_shared);
		dirty_model_device_writes(&d.m, 79);
		TEST_ASSERT_EQ(dirty_model_read(&d.m, READER_DMA, true), 1);

		dirty_model_switch(&d.m, READER_DMA, true);
		TEST_ASSERT_EQ(dirty_model_read(&d.m, READER_DMA, false), 0);
		dirty_model_device_writes(&d.m, 99);
		TEST_ASSERT_EQ(dirty_model_read(&d.m, READER_DMA, false), 1);
		dirty_model_switch(&d.m, READER_DMA, false);
	}
	destroy(&d);
}

struct writer {
	struct dirty_model *m;
	bool done;
};

static void *write_each_page_once(void *arg)
{
	struct writer *w = arg;
	size_t i;

	for (i = 0; i < w->m->pages; i++) {
		TEST_ASSERT(testdev_write(&w->m->testdev, w->m->mem.gpa +
					  i * 37 % w->m->pages * SIZE_4K, 64),
			    "DMA");
		/* Conversions take longer. */
		usleep(2000);
	}
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void under_dma(void)
{
	struct writer w = { 0 };
	struct dirty d;
	unsigned int conversions = 0;
	pthread_t thread;
	size_t told = 0;
	bool done;

	create(&d);
	w.m = &d.m;
	dirty_model_switch(&d.m, READER_DMA, true);
	TEST_ASSERT(!pthread_create(&thread, NULL, write_each_page_once, &w),
		    "pthread_create");
	do {
		done = __atomic_load_n(&w.done, __ATOMIC_ACQUIRE);
		convert(&d, conversions++ % 2);
		if (!(conversions % 3) || done)
			told += dirty_model_read(&d.m, READER_DMA, false);
	} while (!done);
	pthread_join(thread, NULL);
	ksft_print_msg("%u conversions while %zu pages were written\n",
		       conversions, d.m.pages);
	TEST_ASSERT_EQ(told, d.m.pages);
	destroy(&d);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "tracking does not end sharing", stays_shared },
		{ "conversions carry every dirty page over", random_conversions },
		{ "what was dirty as tracking ended can be asked for later",
		  after_tracking },
		{ "nothing is lost while the HWPT goes to and fro under DMA",
		  under_dma },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
