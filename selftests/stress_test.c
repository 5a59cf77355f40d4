// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations of host, process, guest and devices, for a bounded time. A
 * model says who must see what: no byte may be wrong, no DMA lost, none let
 * through, and no page changed that is not the VM's.
 *
 * From the environment: STRESS_SECONDS for each case, STRESS_SEED to repeat
 * one. What fails prints its seed and its last steps. Without a crowd the same
 * seed makes the same steps.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/random.h>

#include "host_event.h"
#include "stress.h"
#include "tap.h"

#define DEFAULT_SECONDS	6
#define SPARE_SECONDS	120
#define CROWD_SIZE	SIZE_2M
#define PIECE		(8 * SIZE_4K)

static unsigned int seconds;
static __u64 seed;

static void random_steps(enum guest_mem_backing backing, size_t size)
{
	struct stress s;

	stress_create(&s, backing, size, seed);
	stress_run(&s, seconds);
	stress_destroy(&s);
}

static void steps_4k(void)
{
	random_steps(BACKING_4K, SIZE_2M);
}

static void steps_adjacent(void)
{
	random_steps(BACKING_4K_ADJACENT, 2 * SIZE_2M);
}

static void steps_2m(void)
{
	random_steps(BACKING_2M, 4 * SIZE_2M);
}

/* One who does what the model's thread does, in memory of its own. */
struct passer_by {
	const char *name;
	void (*round)(struct passer_by *p);
	struct stress *s;
	struct guest_mem mem;
	__u64 random;
	unsigned long bitmap[CROWD_SIZE / SIZE_4K / 64];
	unsigned long rounds;
	pthread_t thread;
};

static bool stop;

static void fill(struct passer_by *p, size_t at, __u64 value)
{
	guest_mem_fill(&p->mem, at, PIECE, value);
}

static void check(struct passer_by *p, size_t at, __u64 value)
{
	TEST_ASSERT(!guest_mem_diff(&p->mem, at, PIECE, at, value),
		    "%s: memory at %#zx was changed", p->name, at);
}

/* Into the shared table without a pin. The vCPU need not run for that. */
static void prefault(struct passer_by *p, size_t at)
{
	struct kvm_pre_fault_memory range = {
		.gpa = p->mem.gpa + at,
		.size = PIECE,
	};
	int r = 0;

	while (range.size && (!r || errno == EINTR || errno == EAGAIN))
		r = __vcpu_ioctl(p->s->vm.vcpus[1], KVM_PRE_FAULT_MEMORY,
				 &range);
	TEST_ASSERT(!range.size, "%s: KVM_PRE_FAULT_MEMORY", p->name);
}

static size_t random_piece(struct passer_by *p)
{
	return stress_random(&p->random, CROWD_SIZE / PIECE) * PIECE;
}

static void map_and_unmap(struct passer_by *p)
{
	__u64 value = stress_random(&p->random, ~0ULL);
	struct share_vm *vm = &p->s->vm;
	size_t at = random_piece(p);

	fill(p, at, value);
	prefault(p, at);
	iommufd_map(vm->iommufd, vm->ioas, p->mem.gpa + at, p->mem.hva + at,
		    PIECE);
	check(p, at, value);
	iommufd_unmap(vm->iommufd, vm->ioas, p->mem.gpa + at, PIECE);
	check(p, at, value);
	TEST_ASSERT(!madvise(p->mem.hva + at, PIECE, MADV_DONTNEED),
		    "MADV_DONTNEED");
}

static void set_slot(struct passer_by *p, size_t size)
{
	TEST_ASSERT(!__vm_set_user_memory_region(p->s->vm.vm, p->mem.slot, 0,
						 p->mem.gpa, size, p->mem.hva),
		    "KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

/* Under what is mapped: the vCPU's leaf goes and comes, the device's stays. */
static void memslot_goes_and_comes(struct passer_by *p)
{
	__u64 value = stress_random(&p->random, ~0ULL);
	struct share_vm *vm = &p->s->vm;
	size_t at = random_piece(p);

	fill(p, at, value);
	prefault(p, at);
	iommufd_map(vm->iommufd, vm->ioas, p->mem.gpa + at, p->mem.hva + at,
		    PIECE);
	set_slot(p, 0);
	check(p, at, value);
	set_slot(p, CROWD_SIZE);
	prefault(p, at);
	iommufd_unmap(vm->iommufd, vm->ioas, p->mem.gpa + at, PIECE);
	check(p, at, value);
}

/* Where the second writer must lose nothing. */
static void log_and_stop_logging(struct passer_by *p)
{
	vm_mem_region_set_flags(p->s->vm.vm, p->mem.slot,
				KVM_MEM_LOG_DIRTY_PAGES);
	kvm_vm_get_dirty_log(p->s->vm.vm, p->mem.slot, p->bitmap);
	vm_mem_region_set_flags(p->s->vm.vm, p->mem.slot, 0);
}

static void *passer_by_thread(void *arg)
{
	struct passer_by *p = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		p->round(p);
		p->rounds++;
	}
	return NULL;
}

static void come(struct passer_by *p, struct stress *s, unsigned int nr)
{
	p->s = s;
	p->random = s->seed + nr;
	guest_mem_add(&p->mem, s->vm.vm, TEST_SLOT + nr, BACKING_4K_ADJACENT,
		      GPA_HIGH + (2 + nr) * SIZE_1G, CROWD_SIZE);
}

static void crowded(void)
{
	struct passer_by crowd[] = {
		{ "maps, unmaps, discards", map_and_unmap },
		{ "memslots deleted and added", memslot_goes_and_comes },
		{ "splits and merges", log_and_stop_logging },
	};
	struct passer_by *logged = &crowd[ARRAY_SIZE(crowd) - 1];
	struct testdev_load load = {};
	struct stress s;
	int i;

	stress_create(&s, BACKING_4K, SIZE_2M, seed);
	s.crowded = true;
	for (i = 0; i < ARRAY_SIZE(crowd); i++)
		come(&crowd[i], &s, 1 + i);

	share_vm_map(&s.vm, &logged->mem);
	load.dev = &s.writers[1];
	load.iova = logged->mem.gpa;
	load.va = logged->mem.hva;
	load.len = CROWD_SIZE;

	stop = false;
	testdev_load_start(&load);
	for (i = 0; i < ARRAY_SIZE(crowd); i++)
		TEST_ASSERT(!pthread_create(&crowd[i].thread, NULL,
					    passer_by_thread, &crowd[i]),
			    "pthread_create");
	stress_run(&s, seconds);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(crowd); i++) {
		pthread_join(crowd[i].thread, NULL);
		ksft_print_msg("meanwhile %lu %s\n", crowd[i].rounds,
			       crowd[i].name);
		TEST_ASSERT(crowd[i].rounds, "%s: did not run", crowd[i].name);
	}
	testdev_load_stop(&load);
	ksft_print_msg("meanwhile %lu pages of DMA\n", load.done);
	TEST_ASSERT(load.done, "the other device did not run");
	TEST_ASSERT_EQ(load.lost, 0);
	stress_destroy(&s);
}

static __u64 from_environment(const char *name, __u64 other)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : other;
}

int main(void)
{
	struct tap_case cases[] = {
		{ "4K pages: random steps go as the model says", steps_4k },
		{ "adjacent pages: random steps go as the model says",
		  steps_adjacent },
		{ "2M pages: random steps go as the model says", steps_2m },
		{ "random steps in a crowd go as the model says", crowded },
	};
	__u64 any = 0;
	int i;

	share_vm_require(true);
	TEST_ASSERT(getrandom(&any, sizeof(any), 0) == sizeof(any), "getrandom");
	host_events_setup();	/* swap space, to page out to */
	seed = from_environment("STRESS_SEED", any);
	seconds = from_environment("STRESS_SECONDS", DEFAULT_SECONDS);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		cases[i].timeout = SPARE_SECONDS + 2 * seconds;
	return tap_run(cases, ARRAY_SIZE(cases));
}
