// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that has a HWPT change its domain, at once, for a bounded time:
 * what device and vCPUs have all the while is neither lost nor wrong, and when
 * it is quiet the HWPT is shared again.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "auto_vm.h"
#include "dma_page.h"
#include "iommu_hw.h"
#include "tap.h"

#define SECONDS		8
#define OTHER_GPA	(GPA_HIGH + SIZE_1G)
#define OTHER_SLOT	(TEST_SLOT + 1)
#define ROM_GPA		(OTHER_GPA + SIZE_1G)
#define ROM_SLOT	(OTHER_SLOT + 1)
#define ROM_SLOTS	8

struct mess {
	struct auto_vm a;
	struct guest_mem other;
	unsigned int seed;
	bool stop;
};

struct troublemaker {
	const char *what;
	/* One round; what the kernel refuses is refused. Returns what it did. */
	unsigned int (*round)(struct mess *m, unsigned int *seed);

	struct mess *mess;
	unsigned int seed;
	unsigned long done;
	pthread_t thread;
};

static unsigned int give_orders(struct mess *m, unsigned int *seed)
{
	static const char *const orders[] = {
		"share", "private", "off", "auto", "share",
	};

	return !__vmm_share_control(getpid(), orders[rand_r(seed) %
						     ARRAY_SIZE(orders)]);
}

static unsigned int map_and_unmap(struct mess *m, unsigned int *seed)
{
	if (rand_r(seed) % 2)
		return !__iommufd_map(m->a.s.iommufd, m->a.s.ioas, IOAS_MAP_RW,
				      OTHER_GPA, m->other.hva, m->other.size);
	return !__iommufd_unmap(m->a.s.iommufd, m->a.s.ioas, OTHER_GPA,
				m->other.size);
}

static unsigned int change_memslots(struct mess *m, unsigned int *seed)
{
	return !__vm_set_user_memory_region(m->a.s.vm, OTHER_SLOT, 0, OTHER_GPA,
					    rand_r(seed) % 2 ? m->other.size : 0,
					    m->other.hva);
}

static unsigned int attach_and_detach(struct mess *m, unsigned int *seed)
{
	struct vfio_dev foreign;
	char bdf[BDF_LEN];
	bool attached;

	TEST_ASSERT(vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 1), "no edu");
	vfio_dev_open(&foreign, bdf, m->a.s.iommufd);
	attached = !__vfio_dev_attach(&foreign, m->a.s.ioas);
	vfio_dev_close(&foreign);
	return attached;
}

static void *make_trouble(void *arg)
{
	struct troublemaker *t = arg;

	while (!READ_ONCE(t->mess->stop))
		t->done += t->round(t->mess, &t->seed);
	return NULL;
}

static void start_trouble(struct mess *m, struct troublemaker *makers,
			  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		makers[i].mess = m;
		makers[i].seed = m->seed + i;
		pthread_create(&makers[i].thread, NULL, make_trouble,
			       &makers[i]);
	}
}

static void make_trouble_for(struct mess *m, struct troublemaker *makers,
			     unsigned int nr, unsigned int seconds)
{
	unsigned int i;

	start_trouble(m, makers, nr);
	sleep(seconds);
	WRITE_ONCE(m->stop, true);
	for (i = 0; i < nr; i++) {
		pthread_join(makers[i].thread, NULL);
		ksft_print_msg("%lu %s\n", makers[i].done, makers[i].what);
		TEST_ASSERT(makers[i].done > 0, "no %s went well",
			    makers[i].what);
	}
}

static unsigned int pick_seed(void)
{
	const char *given = getenv("STRESS_SEED");

	return given ? strtoul(given, NULL, 0) : time(NULL) ^ getpid();
}

static void set_up(struct mess *m)
{
	auto_vm_create(&m->a);
	guest_mem_add(&m->other, m->a.s.vm, OTHER_SLOT, BACKING_4K, OTHER_GPA,
		      SIZE_2M);
	share_vm_map(&m->a.s, &m->other);
	auto_vm_wait_shared(&m->a);
	m->seed = pick_seed();
	ksft_print_msg("seed %u\n", m->seed);
}

/* All is put right, whatever the others left. */
static void calm_down(struct mess *m)
{
	vmm_share_control(getpid(), "auto");
	__vm_set_user_memory_region(m->a.s.vm, OTHER_SLOT, 0, OTHER_GPA, 0, NULL);
	__iommufd_unmap(m->a.s.iommufd, m->a.s.ioas, OTHER_GPA, m->other.size);
	vm_set_user_memory_region(m->a.s.vm, OTHER_SLOT, 0, OTHER_GPA,
				  m->other.size, m->other.hva);
	share_vm_map(&m->a.s, &m->other);
	auto_vm_wait_shared(&m->a);
	dma_expect_reached(&m->a.testdev, &m->other, true);
}

static void all_at_once(void)
{
	struct troublemaker makers[] = {
		{ "orders", give_orders },
		{ "maps and unmaps", map_and_unmap },
		{ "memslot changes", change_memslots },
		{ "foreign attaches", attach_and_detach },
	};
	struct guest_loop loop = { 0 };
	struct vmm_share_status st;
	struct testdev_load load;
	struct mess m = { 0 };
	__u64 mark;

	set_up(&m);
	mark = iommu_events_mark();
	load = (struct testdev_load) {
		.dev = &m.a.testdev,
		.iova = m.a.mem.gpa,
		.va = m.a.mem.hva,
		.len = m.a.mem.size / 2,
	};
	testdev_load_start(&load);
	loop.vcpu = m.a.s.vcpus[1];
	loop.gpa = m.a.mem.gpa + m.a.mem.size / 2;
	loop.len = m.a.mem.size / 2;
	loop.step = SIZE_4K;
	guest_loop_start(&loop);
	make_trouble_for(&m, makers, ARRAY_SIZE(makers), SECONDS);
	guest_loop_stop(&loop);
	testdev_load_stop(&load);

	st = auto_vm_status();
	ksft_print_msg("%llu to shared, %llu to private, %llu failed\n",
		       st.to_shared, st.to_private, st.failed);
	ksft_print_msg("%lu pages by DMA, %lu rounds of the guest\n",
		       load.done, loop.rounds);
	TEST_ASSERT(st.to_private > 1 && st.to_shared > 1, "%s", st.line);
	TEST_ASSERT_EQ(load.lost, 0);
	TEST_ASSERT_EQ(loop.wrong, 0);
	TEST_ASSERT_EQ(iommu_events_since(mark), 0);
	calm_down(&m);
	auto_vm_destroy(&m.a);
}

/* As a VMM that is killed: whatever is under way ends, and nothing is left. */
static void dies_amid(void)
{
	struct troublemaker makers[] = {
		{ "orders", give_orders },
		{ "maps and unmaps", map_and_unmap },
		{ "memslot changes", change_memslots },
	};
	struct mess m = { 0 };
	unsigned int i;

	set_up(&m);
	start_trouble(&m, makers, ARRAY_SIZE(makers));
	usleep(200000 + m.seed % 200000);
	for (i = 0; i < ARRAY_SIZE(makers); i++)
		TEST_ASSERT(READ_ONCE(makers[i].done) > 0, "no %s went well",
			    makers[i].what);
	_exit(0); /* with all of it open and the threads at work */
}

/* Firmware's memslots need no mapping, so that nothing is converted for them. */
static unsigned int change_rom(struct mess *m, unsigned int *seed)
{
	unsigned int slot = rand_r(seed) % ROM_SLOTS;

	return !__vm_set_user_memory_region(m->a.s.vm, ROM_SLOT + slot,
					    KVM_MEM_READONLY,
					    ROM_GPA + slot * SIZE_2M,
					    rand_r(seed) % 2 ? m->other.size : 0,
					    m->other.hva);
}

/* Has the memslots read, to see whether the VM may still share. */
static unsigned int ask_again(struct mess *m, unsigned int *seed)
{
	return !__vmm_share_control(getpid(), "auto");
}

/* What is read wrong, the kernel complains of. */
static void memslots_come_and_go(void)
{
	struct troublemaker makers[] = {
		{ "memslot changes", change_rom },
		{ "questions", ask_again },
	};
	struct vmm_share_status before, after;
	struct mess m = { 0 };

	set_up(&m);
	before = auto_vm_status();
	make_trouble_for(&m, makers, ARRAY_SIZE(makers), SECONDS);
	after = auto_vm_status();
	TEST_ASSERT(after.to_private == before.to_private, "%s", after.line);
	auto_vm_expect_shared(&m.a);
	auto_vm_destroy(&m.a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "memslots that come and go are read right", memslots_come_and_go },
		{ "orders, maps, memslots and devices at once", all_at_once },
		{ "a VMM that dies amid them leaves nothing", dies_amid },
		{ "and another one", dies_amid },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
