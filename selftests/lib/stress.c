// SPDX-License-Identifier: GPL-2.0-only
/* Sets a random test up and drives it: which operation, where, for how long. */
#include <time.h>

#include "history.h"
#include "iommu_hw.h"
#include "mmu_share.h"
#include "processor.h"
#include "stress.h"
#include "tap.h"

#define CONFLICT_SECONDS	60
#define AUDIT_STEPS	128
#define FAR_AWAY	4	/* one range in so many is not near another */
#define ELSEWHERE	5	/* one in so many is not where the memslot is */

/* splitmix64: any seed will do, 0 too. */
static __u64 next_random(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

__u64 stress_random(__u64 *state, __u64 n)
{
	return next_random(state) % n;
}

__u64 stress_value(struct stress *s)
{
	return next_random(&s->random);
}

static void remember(struct stress *s, struct model_area r)
{
	s->recent[s->nr_recent++ % STRESS_RECENT] = r;
}

/*
 * What is wrong shows when two operations meet in a page, so most ranges are
 * taken from recent ones. Few are large.
 */
struct model_area stress_range(struct stress *s, size_t unit, size_t max)
{
	size_t nr = s->model.nr, known = min(s->nr_recent, STRESS_RECENT);
	struct model_area r;

	r.n = 1 + stress_random(&s->random, max);
	if (known && stress_random(&s->random, FAR_AWAY)) {
		struct model_area *old;

		old = &s->recent[stress_random(&s->random, known)];
		r.first = old->first + stress_random(&s->random, old->n);
	} else {
		r.first = stress_random(&s->random, nr);
	}

	r.first -= r.first % unit;
	r.n = (r.n + unit - 1) / unit * unit;
	r.n = min(r.n, nr - r.first);
	r.base = s->model.base;
	if (!stress_random(&s->random, ELSEWHERE))
		r.base = !r.base;
	if (r.n <= 8 * unit)
		remember(s, r);
	return r;
}

static void open_writer(struct stress *s, unsigned int index)
{
	char bdf[BDF_LEN];

	if (!vfio_dev_find(bdf, TESTDEV_VENDOR, TESTDEV_DEVICE, index))
		tap_skip_case("needs two iommu-testdev");
	vfio_dev_open(&s->writers[index], bdf, s->vm.iommufd);
	vfio_dev_attach(&s->writers[index], s->vm.hwpt);
}

void stress_create(struct stress *s, enum guest_mem_backing backing,
		   size_t size, __u64 seed)
{
	size_t pages = size / SIZE_4K, huge = SIZE_2M / SIZE_4K;
	int i;

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->random = seed;
	s->host_pages = backing == BACKING_2M ? huge : 1;
	s->thp = backing == BACKING_4K_ADJACENT;

	share_vm_create(&s->vm, HWPT_SHARED);
	for (i = 0; i < ARRAY_SIZE(s->writers); i++)
		open_writer(s, i);
	guest_mem_add(&s->mem, s->vm.vm, TEST_SLOT, backing, GPA_HIGH, size);
	virt_map_level(s->vm.vm, GPA_HIGH + SIZE_1G, GPA_HIGH + SIZE_1G, size,
		       PG_LEVEL_2M);
	memset(s->mem.hva, 0, size);
	for (i = 0; i < SHARE_VM_VCPUS; i++)
		stress_vcpu_init(&s->vcpus[i], s->vm.vcpus[i]);

	model_init(&s->model, pages);
	s->model.rights_are_one = iommu_hw_rights_are_one();
	s->bitmap = calloc(pages / 8, 1);
	TEST_ASSERT(s->bitmap, "calloc");
	s->model.slot = true;
	s->model.shared = true;
	for (i = 0; i < MODEL_DEVICES; i++)
		s->model.dev[i] = DEV_SHARED;
}

/* Everything at once, that one operation's own check may not have met. */
static void audit(struct stress *s)
{
	struct mmu_share_info info;
	size_t i;

	history_step("audit");
	for (i = 0; i < s->model.nr; i++)
		stress_check_process(s, i);
	for (i = 0; i < STRESS_CANARIES; i++)
		if (s->canaries[i].va)
			canary_check(&s->canaries[i]);
	if (!s->model.shared || s->crowded)
		return;
	mmu_share_read(s->vm.vm, &info);
	TEST_ASSERT_EQ(info.pinned_bytes,
		       model_mapped_pages(&s->model) * SIZE_4K);
}

/* By weight; one that was not done yet has a better chance. */
static unsigned int pick_op(struct stress *s, const unsigned long *done)
{
	unsigned int i, sum = 0, pick;

	i = stress_random(&s->random, stress_nr_ops);
	if (!done[i])
		return i;
	for (i = 0; i < stress_nr_ops; i++)
		sum += stress_ops[i].weight;
	pick = stress_random(&s->random, sum);
	for (i = 0; pick >= stress_ops[i].weight; i++)
		pick -= stress_ops[i].weight;
	return i;
}

static bool applies(struct stress *s, unsigned int op)
{
	return !s->crowded || !stress_ops[op].alone;
}

static bool each_was_done(struct stress *s, const unsigned long *done)
{
	unsigned int i;

	for (i = 0; i < stress_nr_ops; i++)
		if (applies(s, i) && !done[i])
			return false;
	return true;
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

void stress_run(struct stress *s, unsigned int seconds)
{
	unsigned long done[64] = {}, steps = 0;
	time_t end = now() + seconds;
	unsigned int i, op;

	TEST_ASSERT(stress_nr_ops <= ARRAY_SIZE(done), "too many operations");
	ksft_print_msg("seed %#llx\n", s->seed);
	history_start(s->seed);
	/* On a slow machine a conflict may take more steps than there is time for. */
	while (now() < end || !each_was_done(s, done) ||
	       (!s->conflicts && now() < end + CONFLICT_SECONDS)) {
		op = pick_op(s, done);
		if (!applies(s, op) || !stress_ops[op].run(s))
			continue;
		done[op]++;
		if (!(++steps % AUDIT_STEPS))
			audit(s);
	}
	audit(s);
	for (i = 0; i < s->model.nr; i++)
		stress_check_vcpu(s, 0, i);
	history_end();

	ksft_print_msg("devices wrote %lu pages, were stopped %lu times; %lu IOMMU events seen\n",
		       s->arrived, s->stopped, s->events);
	ksft_print_msg("vCPUs met %lu conflicts\n", s->conflicts);
	TEST_ASSERT(s->conflicts, "no vCPU ever met a conflict");
	TEST_ASSERT(s->arrived, "no DMA ever arrived");
	TEST_ASSERT(s->stopped && s->events, "no DMA was ever stopped");
	ksft_print_msg("%lu steps:\n", steps);
	for (i = 0; i < stress_nr_ops; i++)
		if (applies(s, i))
			ksft_print_msg("%8lu %s\n", done[i],
				       stress_ops[i].name);
}

void stress_destroy(struct stress *s)
{
	int i;

	for (i = 0; i < STRESS_CANARIES; i++)
		if (s->canaries[i].va)
			canary_end(&s->canaries[i]);
	free(s->bitmap);
	model_free(&s->model);
	for (i = 0; i < ARRAY_SIZE(s->writers); i++)
		vfio_dev_close(&s->writers[i]);
	share_vm_destroy(&s->vm);
}
