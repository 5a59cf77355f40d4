// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots and IOAS ranges come, go, move and overlap in any order. A model
 * says after each step what the call returns, which pages the device reaches,
 * what is pinned, and what a vCPU meets; every sequence of three steps occurs in
 * each layout.
 *
 * The device goes by the IOAS alone, the vCPU by memslots. Only where both have
 * a page, and not the same, is there no serving them from one table.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sys/random.h>

#include "leaks.h"
#include "mmu_share.h"
#include "processor.h"
#include "share_vm.h"
#include "tap.h"
#include "touch.h"

#define WINDOW		16	/* pages of guest addresses, and of memory */
#define RANDOM_STEPS	300
#define SLOT_ONE	1
#define SLOT_TWO	2
#define DMA_AT		8	/* offset in a page; vCPUs write offset 0 */

struct span {
	int start;
	int end;		/* behind the last page */
};

struct layout {
	struct span one;	/* memslot 1; its memory has the same numbers */
	struct span two;	/* memslot 2 */
	int two_away;		/* where it moves to, and back from */
	int two_memory;		/* its memory, wherever it is */
	struct span range[2];	/* A and B; an IOAS maps memory of its number */
	bool zap_leafs;		/* KVM_X86_QUIRK_SLOT_ZAP_ALL is off */
};

enum step {
	MAP_A,
	MAP_B,
	UNMAP_A,
	UNMAP_B,
	DELETE_ONE,
	ADD_ONE,
	MOVE_TWO,
	LOG_ON,
	LOG_OFF,
	VCPU_TOUCH,
	WALKED,			/* in every sequence; by chance: */
	READ_ONLY = WALKED,
	STEPS,
};

static const char * const step_names[] = {
	[MAP_A] = "map A",
	[MAP_B] = "map B",
	[UNMAP_A] = "unmap A",
	[UNMAP_B] = "unmap B",
	[DELETE_ONE] = "delete slot 1",
	[ADD_ONE] = "add slot 1",
	[MOVE_TWO] = "move slot 2",
	[LOG_ON] = "log on",
	[LOG_OFF] = "log off",
	[VCPU_TOUCH] = "vCPU touches all",
	[READ_ONLY] = "make slot 1 read-only",
};

/* What is there by now, as the model has it. */
struct model {
	const struct layout *l;
	bool one;		/* memslot 1 exists */
	bool away;		/* memslot 2 has moved */
	bool log;		/* memslot 1 logs */
	bool mapped[2];		/* A and B, in the IOAS */
};

struct world {
	struct share_vm s;
	struct vfio_dev testdev;
	void *memory;
	struct model m;
	enum step history[8];
	unsigned int steps;
	unsigned int refused;
	unsigned int conflicts;
	unsigned int reached;
	unsigned int blocked;
};

static bool inside(const struct span *s, int page)
{
	return page >= s->start && page < s->end;
}

static bool overlap(const struct span *a, const struct span *b)
{
	return a->start < b->end && b->start < a->end;
}

static struct span slot_two(const struct model *m, bool away)
{
	struct span s = m->l->two;
	int len = s.end - s.start;

	if (away)
		s = (struct span){ m->l->two_away, m->l->two_away + len };
	return s;
}

/* The page of memory that memslots have at @page, or -1. */
static int memory_at(const struct model *m, int page)
{
	struct span two = slot_two(m, m->away);

	if (m->one && inside(&m->l->one, page))
		return page;
	if (inside(&two, page))
		return m->l->two_memory + page - two.start;
	return -1;
}

/* The IOAS maps the page of memory that has its number. */
static bool is_mapped(const struct model *m, int page)
{
	return (m->mapped[0] && inside(&m->l->range[0], page)) ||
	       (m->mapped[1] && inside(&m->l->range[1], page));
}

static bool is_other_page(const struct model *m, int page)
{
	int memory = memory_at(m, page);

	return memory >= 0 && memory != page;
}

static int model_map(struct model *m, int which)
{
	const struct span *r = &m->l->range[which];
	int i, other = !which;

	if (m->mapped[which] ||
	    (m->mapped[other] && overlap(r, &m->l->range[other])))
		return -EEXIST;

	for (i = r->start; i < r->end; i++)
		if (is_other_page(m, i))
			return -EADDRNOTAVAIL;
	m->mapped[which] = true;
	return 0;
}

/* All that is mapped within the range goes, nothing of what sticks out. */
static int model_unmap(struct model *m, int which)
{
	const struct span *r = &m->l->range[which], *o;
	int other = !which;

	o = &m->l->range[other];
	if (m->mapped[which]) {
		m->mapped[which] = false;
		return 0;
	}
	if (!m->mapped[other] || o->start < r->start || o->end > r->end)
		return -ENOENT;
	m->mapped[other] = false;
	return 0;
}

static int model_delete(struct model *m)
{
	if (!m->one)
		return -EINVAL;
	m->one = false;
	m->log = false;
	return 0;
}

static int model_add(struct model *m)
{
	struct span two = slot_two(m, m->away);

	if (!m->one && overlap(&m->l->one, &two))
		return -EEXIST;
	m->one = true;
	return 0;
}

static int model_move(struct model *m)
{
	struct span to = slot_two(m, !m->away);

	if (m->one && overlap(&m->l->one, &to))
		return -EEXIST;
	m->away = !m->away;
	return 0;
}

static int model_step(struct model *m, enum step step)
{
	switch (step) {
	case MAP_A:
	case MAP_B:
		return model_map(m, step == MAP_B);
	case UNMAP_A:
	case UNMAP_B:
		return model_unmap(m, step == UNMAP_B);
	case DELETE_ONE:
		return model_delete(m);
	case ADD_ONE:
		return model_add(m);
	case MOVE_TWO:
		return model_move(m);
	case LOG_ON:
	case LOG_OFF:
		m->log = m->one && step == LOG_ON;
		return 0;
	case VCPU_TOUCH:
		return 0;
	case READ_ONLY:
		return m->one ? -EINVAL : 0;
	default:
		TEST_FAIL("no such step");
		return 0;
	}
}

static __u64 gpa_of(int page)
{
	return GPA_HIGH + page * SIZE_4K;
}

static __u64 *word_of(struct world *w, int page, int offset)
{
	return w->memory + page * SIZE_4K + offset;
}

static int set_slot(struct world *w, __u32 slot, __u32 flags, int page,
		    int pages, int memory)
{
	if (__vm_set_user_memory_region(w->s.vm, slot, flags, gpa_of(page),
					pages * SIZE_4K,
					w->memory + memory * SIZE_4K))
		return -errno;
	return 0;
}

static int set_one(struct world *w, __u32 flags)
{
	const struct span *one = &w->m.l->one;

	return set_slot(w, SLOT_ONE, flags, one->start, one->end - one->start,
			one->start);
}

static int set_two(struct world *w, bool away)
{
	struct span two = slot_two(&w->m, away);

	return set_slot(w, SLOT_TWO, 0, two.start, two.end - two.start,
			w->m.l->two_memory);
}

static int map_range(struct world *w, int which)
{
	const struct span *r = &w->m.l->range[which];

	return __iommufd_map(w->s.iommufd, w->s.ioas, IOAS_MAP_RW,
			     gpa_of(r->start), word_of(w, r->start, 0),
			     (r->end - r->start) * SIZE_4K);
}

static int unmap_range(struct world *w, int which)
{
	const struct span *r = &w->m.l->range[which];

	return __iommufd_unmap(w->s.iommufd, w->s.ioas, gpa_of(r->start),
			       (r->end - r->start) * SIZE_4K);
}

/* The log has all that the vCPU wrote: no map lets it write unseen. */
static void check_log(struct world *w)
{
	const struct span *one = &w->m.l->one;
	unsigned long bitmap = 0;

	kvm_vm_get_dirty_log(w->s.vm, SLOT_ONE, &bitmap);
	TEST_ASSERT_EQ(bitmap, GENMASK(one->end - one->start - 1, 0));
}

/*
 * The vCPU gets neither the device's page, which is not the memslot's, nor the
 * memslot's, for which there is no room; user space learns where.
 */
static void vcpu_conflicts(struct world *w, int page)
{
	struct kvm_vcpu *vcpu = w->s.vcpus[1];

	TEST_ASSERT_EQ(touch_write(vcpu, gpa_of(page), w->steps), -EFAULT);
	TEST_ASSERT_EQ(vcpu->run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	TEST_ASSERT_EQ(vcpu->run->memory_fault.gpa, gpa_of(page));
	TEST_ASSERT_EQ(vcpu->run->memory_fault.size, SIZE_4K);
	w->conflicts++;
}

/* A vCPU writes where memory is, and exits where none is, mapped or not. */
static void vcpu_touch(struct world *w)
{
	struct kvm_vcpu *vcpu = w->s.vcpus[0];
	bool tried_hole[2] = {};
	int i, page;

	for (i = 0; i < WINDOW; i++) {
		bool mapped = is_mapped(&w->m, i);

		page = memory_at(&w->m, i);
		if (page < 0) {
			if (!tried_hole[mapped])
				TEST_ASSERT_EQ(guest_mmio(vcpu, gpa_of(i),
							  gpa_of(i), w->steps),
					       w->steps);
			tried_hole[mapped] = true;
		} else if (mapped && page != i) {
			vcpu_conflicts(w, i);
		} else {
			guest_fill(vcpu, gpa_of(i), 8, 8, w->steps);
			TEST_ASSERT_EQ(READ_ONCE(*word_of(w, page, 0)),
				       pattern_word(gpa_of(i), w->steps));
		}
	}
	if (w->m.log)
		check_log(w);
}

static int do_step(struct world *w, enum step step)
{
	/* As the model has it before the step. */
	__u32 flags = w->m.log ? KVM_MEM_LOG_DIRTY_PAGES : 0;

	switch (step) {
	case MAP_A:
	case MAP_B:
		return map_range(w, step == MAP_B);
	case UNMAP_A:
	case UNMAP_B:
		return unmap_range(w, step == UNMAP_B);
	case DELETE_ONE:
		return set_slot(w, SLOT_ONE, 0, w->m.l->one.start, 0, 0);
	case ADD_ONE:
		return set_one(w, flags);
	case MOVE_TWO:
		return set_two(w, !w->m.away);
	case LOG_ON:
	case LOG_OFF:
		flags = step == LOG_ON ? KVM_MEM_LOG_DIRTY_PAGES : 0;
		return w->m.one ? set_one(w, flags) : 0;
	case READ_ONLY:
		return w->m.one ? set_one(w, flags | KVM_MEM_READONLY) : 0;
	case VCPU_TOUCH:
		vcpu_touch(w);
		return 0;
	default:
		TEST_FAIL("no such step");
		return 0;
	}
}

static void print_history(struct world *w)
{
	unsigned int n = min_t(unsigned int, w->steps, ARRAY_SIZE(w->history));
	enum step step;

	ksft_print_msg("step %u; the last ones:\n", w->steps);
	for (; n; n--) {
		step = w->history[(w->steps - n) % ARRAY_SIZE(w->history)];
		ksft_print_msg("  %s\n", step_names[step]);
	}
}

#define CHECK(w, cond, ...)			\
do {						\
	bool __good = (cond);			\
						\
	if (!__good)				\
		print_history(w);		\
	TEST_ASSERT(__good, __VA_ARGS__);	\
} while (0)

/* The device tries each page of the window; where it gets through it writes. */
static void check_device(struct world *w)
{
	bool written[WINDOW] = {};
	int i;

	for (i = 0; i < WINDOW; i++)
		WRITE_ONCE(*word_of(w, i, DMA_AT), 0);
	for (i = 0; i < WINDOW; i++) {
		bool reached;

		written[i] = is_mapped(&w->m, i);
		reached = testdev_write(&w->testdev, gpa_of(i) + DMA_AT, 4);
		CHECK(w, reached == written[i], "page %d: the device %s it", i,
		      reached ? "reaches" : "does not reach");
		w->reached += reached;
		w->blocked += !reached;
	}
	for (i = 0; i < WINDOW; i++) {
		__u64 expected = written[i] ? TESTDEV_WORD : 0;
		__u64 found = READ_ONCE(*word_of(w, i, DMA_AT));

		CHECK(w, found == expected, "memory %d has %#llx, wanted %#llx",
		      i, found, expected);
	}
}

static void check_pins(struct world *w)
{
	struct mmu_share_info info;
	__u64 expected = 0;
	int i;

	for (i = 0; i < WINDOW; i++)
		expected += is_mapped(&w->m, i) * SIZE_4K;
	mmu_share_read(w->s.vm, &info);
	CHECK(w, info.pinned_bytes == expected,
	      "%llu bytes are pinned, wanted %llu", info.pinned_bytes,
	      expected);
}

static void step(struct world *w, enum step step)
{
	int got, expected;

	w->history[w->steps++ % ARRAY_SIZE(w->history)] = step;
	got = do_step(w, step);
	expected = model_step(&w->m, step);
	CHECK(w, got == expected, "%s: %s, wanted %s", step_names[step],
	      strerror(-got), strerror(-expected));
	w->refused += !!got;
	check_pins(w);
	check_device(w);
}

static void setup(struct world *w, const struct layout *layout)
{
	memset(w, 0, sizeof(*w));
	w->m.l = layout;
	share_vm_create(&w->s, HWPT_SHARED);
	if (layout->zap_leafs)
		vm_enable_cap(w->s.vm, KVM_CAP_DISABLE_QUIRKS2,
			      KVM_X86_QUIRK_SLOT_ZAP_ALL);
	if (!share_vm_add_testdev(&w->s, &w->testdev))
		tap_skip_case("no iommu-testdev");

	w->memory = mmap(NULL, WINDOW * SIZE_4K, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	TEST_ASSERT(w->memory != MAP_FAILED, "mmap");
	TEST_ASSERT(!madvise(w->memory, WINDOW * SIZE_4K, MADV_NOHUGEPAGE),
		    "madvise");
	TEST_ASSERT(!set_one(w, 0) && !set_two(w, false), "memslots");
	w->m.one = true;
	virt_map_level(w->s.vm, GPA_HIGH, GPA_HIGH, SIZE_2M, PG_LEVEL_2M);
	touch_init(w->s.vcpus[1]);
	guest_nop(w->s.vcpus[0]);
	check_device(w);
}

/* iommufd found each page that it had pinned. */
static void expect_pins_returned(struct world *w, struct leak_counts *before)
{
	struct leak_counts after;

	unmap_range(w, 0);
	unmap_range(w, 1);
	leak_counts_read(&after);
	TEST_ASSERT_EQ(after.pins, before->pins);
	TEST_ASSERT_EQ(after.locked_kb, before->locked_kb);
}

/*
 * The shortest cycle in which each sequence of three occurs (de Bruijn's), by
 * Fredricksen, Kessler and Maiorana: the Lyndon words in order.
 */
#define WORD 3

static void walk(struct world *w, int *word, int t, int period)
{
	int i;

	if (t > WORD) {
		if (WORD % period)
			return;
		for (i = 1; i <= period; i++)
			step(w, word[i]);
		return;
	}
	word[t] = word[t - period];
	walk(w, word, t + 1, period);
	for (i = word[t - period] + 1; i < WALKED; i++) {
		word[t] = i;
		walk(w, word, t + 1, t);
	}
}

static void walk_at_random(struct world *w)
{
	const char *given = getenv("SEED");
	unsigned int seed, i;

	TEST_ASSERT(getrandom(&seed, sizeof(seed), 0) == sizeof(seed),
		    "getrandom");
	if (given)
		seed = strtoul(given, NULL, 0);
	ksft_print_msg("SEED=%u\n", seed);
	for (i = 0; i < RANDOM_STEPS; i++)
		step(w, rand_r(&seed) % STEPS);
}

/* Whether a range maps another page than slot 2 has there, here or away. */
static bool may_conflict(const struct layout *l)
{
	struct model m = { .l = l };
	int i;

	for (i = 0; i < 2 * WINDOW; i++) {
		m.away = i >= WINDOW;
		if (is_other_page(&m, i % WINDOW) &&
		    (inside(&l->range[0], i % WINDOW) ||
		     inside(&l->range[1], i % WINDOW)))
			return true;
	}
	return false;
}

static void run(const void *layout)
{
	struct leak_counts before;
	int word[WORD + 1] = {};
	struct world w;

	setup(&w, layout);
	leak_counts_read(&before);
	walk(&w, word, 1, 1);
	walk_at_random(&w);
	expect_pins_returned(&w, &before);

	ksft_print_msg("%u steps, %u refused; %u DMA writes, %u blocked; %u conflicts\n",
		       w.steps, w.refused, w.reached, w.blocked, w.conflicts);
	TEST_ASSERT(w.refused && w.reached && w.blocked, "one-sided");
	TEST_ASSERT_EQ(w.conflicts > 0, may_conflict(layout));
	vfio_dev_close(&w.testdev);
	share_vm_destroy(&w.s);
}

static const struct layout ranges_inside_slots = {
	.one = { 0, 4 },
	.two = { 4, 8 },
	.two_away = 12,
	.two_memory = 4,
	.range = { { 1, 3 }, { 5, 7 } },
};

/* A reaches beyond slot 1 at both ends, B is that slot. */
static const struct layout slot_inside_range = {
	.one = { 1, 3 },
	.two = { 5, 7 },
	.two_away = 12,
	.two_memory = 5,
	.range = { { 0, 4 }, { 1, 3 } },
};

/* A begins in slot 1; what may come behind that is other memory. */
static const struct layout range_leaves_slot = {
	.one = { 0, 4 },
	.two = { 8, 12 },
	.two_away = 4,
	.two_memory = 8,
	.range = { { 2, 6 }, { 9, 11 } },
};

static const struct layout range_over_neighbours = {
	.one = { 0, 4 },
	.two = { 4, 8 },
	.two_away = 12,
	.two_memory = 4,
	.range = { { 2, 6 }, { 6, 8 } },
};

/* One page without a memslot, until slot 2 moves up. */
static const struct layout range_over_hole = {
	.one = { 0, 4 },
	.two = { 5, 9 },
	.two_away = 4,
	.two_memory = 4,
	.range = { { 2, 7 }, { 0, 2 } },
};

/* Slot 2 would move to where slot 1 is; A and B overlap. */
static const struct layout slots_want_the_same = {
	.one = { 0, 4 },
	.two = { 8, 12 },
	.two_away = 2,
	.two_memory = 2,
	.range = { { 1, 4 }, { 3, 6 } },
};

/* KVM then zaps by memslot whatever the root, and has to look at pins. */
static const struct layout without_quirk = {
	.one = { 0, 4 },
	.two = { 4, 8 },
	.two_away = 12,
	.two_memory = 4,
	.range = { { 2, 6 }, { 6, 8 } },
	.zap_leafs = true,
};

int main(void)
{
	static const struct tap_case cases[] = {
		{ "each range lies inside a memslot",
		  .run_with = run, .arg = &ranges_inside_slots },
		{ "a memslot lies inside a range",
		  .run_with = run, .arg = &slot_inside_range },
		{ "a range begins in a memslot and goes on behind it",
		  .run_with = run, .arg = &range_leaves_slot },
		{ "one range maps of two neighbours",
		  .run_with = run, .arg = &range_over_neighbours },
		{ "a hole between memslots, in a range",
		  .run_with = run, .arg = &range_over_hole },
		{ "memslots and ranges want the same addresses",
		  .run_with = run, .arg = &slots_want_the_same },
		{ "two neighbours, without KVM_X86_QUIRK_SLOT_ZAP_ALL",
		  .run_with = run, .arg = &without_quirk },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
