// SPDX-License-Identifier: GPL-2.0-only
/* Random operations of host, process and vCPUs, each checked by the model. */
#include <sys/wait.h>

#include "history.h"
#include "stress.h"

#define HUGE_PAGES	(SIZE_2M / SIZE_4K)
#define VCPU_PAGES	4
#define FORK_PAGES	2
#define CANARY_PAGES	16UL

__u64 stress_gpa_at(unsigned int base, size_t page)
{
	return GPA_HIGH + base * SIZE_1G + page * SIZE_4K;
}

__u64 stress_gpa(struct stress *s, size_t page)
{
	return stress_gpa_at(s->model.base, page);
}

void *stress_hva(struct stress *s, size_t page)
{
	return s->mem.hva + page * SIZE_4K;
}

static __u64 random_below(struct stress *s, __u64 n)
{
	return stress_random(&s->random, n);
}

/* Small ranges mostly: a large one hides what went before in its pages. */
static struct model_area host_range(struct stress *s)
{
	size_t max = 6 * s->host_pages;

	if (!random_below(s, 12))
		max = 2 * HUGE_PAGES;
	return stress_range(s, s->host_pages, max);
}

void stress_check_process(struct stress *s, size_t page)
{
	__u64 want = model_process_sees(&s->model, page);
	__u64 *word = stress_hva(s, page);
	size_t i;

	for (i = 0; i < SIZE_4K / sizeof(*word); i++)
		TEST_ASSERT(READ_ONCE(word[i]) == want,
			    "page %zu: the process sees %#llx, wanted %#llx",
			    page, READ_ONCE(word[i]), want);
}

/* An access comes to what the model says, and user space is told of a conflict. */
static void expect_end(struct stress *s, unsigned int vcpu, size_t page,
		       bool write, enum stress_guest_end end)
{
	static const enum stress_guest_end ends[] = {
		[VCPU_DONE] = GUEST_DONE,
		[VCPU_MMIO] = GUEST_MET_MMIO,
		[VCPU_REFUSED] = GUEST_REFUSED,
	};
	enum model_vcpu want = model_vcpu_meets(&s->model, page, write);
	struct kvm_run *run = s->vcpus[vcpu].vcpu->run;

	TEST_ASSERT(end == ends[want],
		    "page %zu: vCPU %u's %s ends with %u, wanted %u", page, vcpu,
		    write ? "write" : "read", end, ends[want]);
	if (want != VCPU_REFUSED)
		return;
	/* The host has refused it. What may be a write is taken for one. */
	if (s->model.pages[page].readonly && (write || s->model.rights_are_one))
		return;
	TEST_ASSERT_EQ(run->exit_reason, KVM_EXIT_MEMORY_FAULT);
	TEST_ASSERT_EQ(run->memory_fault.gpa, stress_gpa(s, page));
	s->conflicts++;
}

void stress_check_vcpu(struct stress *s, unsigned int vcpu, size_t page)
{
	__u64 want = model_process_sees(&s->model, page), wrong = 0, word = 0;
	enum stress_guest_end end;

	end = stress_vcpu_read(&s->vcpus[vcpu], stress_gpa(s, page), want,
			       &wrong, &word);
	expect_end(s, vcpu, page, false, end);
	if (end == GUEST_MET_MMIO)
		return;
	model_vcpu_touched(&s->model, page);
	if (end == GUEST_DONE)
		TEST_ASSERT(!wrong, "page %zu: vCPU %u sees %#llx, wanted %#llx",
			    page, vcpu, word, want);
}

static unsigned int random_vcpu(struct stress *s)
{
	return random_below(s, s->crowded ? 1 : SHARE_VM_VCPUS);
}

static bool op_vcpu_read(struct stress *s)
{
	struct model_area r = stress_range(s, 1, VCPU_PAGES);
	unsigned int vcpu = random_vcpu(s);
	size_t i;

	history_step("vCPU %u reads %zu+%zu", vcpu, r.first, r.n);
	for (i = r.first; i < r.first + r.n; i++)
		stress_check_vcpu(s, vcpu, i);
	return true;
}

/* KVM_RUN goes by the host's protection, also where a page is pinned. */
static void vcpu_write(struct stress *s, unsigned int vcpu, size_t page)
{
	__u64 value = stress_value(s);
	enum stress_guest_end end;

	end = stress_vcpu_write(&s->vcpus[vcpu], stress_gpa(s, page), value);
	expect_end(s, vcpu, page, true, end);
	if (end == GUEST_MET_MMIO)
		return;
	model_vcpu_touched(&s->model, page);
	if (end == GUEST_DONE)
		model_vcpu_wrote(&s->model, page, value);
}

static bool op_vcpu_write(struct stress *s)
{
	struct model_area r = stress_range(s, 1, VCPU_PAGES);
	unsigned int vcpu = random_vcpu(s);
	size_t i;

	history_step("vCPU %u writes %zu+%zu", vcpu, r.first, r.n);
	for (i = r.first; i < r.first + r.n; i++)
		vcpu_write(s, vcpu, i);
	return true;
}

static bool op_process_write(struct stress *s)
{
	struct model_area r = stress_range(s, 1, VCPU_PAGES);
	__u64 *word;
	size_t i, w;

	if (model_any_readonly(&s->model, r.first, r.n))
		return false;
	history_step("process writes %zu+%zu", r.first, r.n);
	for (i = r.first; i < r.first + r.n; i++) {
		__u64 value = stress_value(s);

		word = stress_hva(s, i);
		for (w = 0; w < SIZE_4K / sizeof(*word); w++)
			WRITE_ONCE(word[w], value);
		model_process_wrote(&s->model, i, value);
	}
	return true;
}

static bool op_process_read(struct stress *s)
{
	struct model_area r = stress_range(s, 1, VCPU_PAGES);
	size_t i;

	history_step("process reads %zu+%zu", r.first, r.n);
	for (i = r.first; i < r.first + r.n; i++)
		stress_check_process(s, i);
	return true;
}

/*
 * A page that a device has used right before something is done to it, so that
 * the IOTLB has it, and that the same device tries again right after.
 */
struct probe {
	unsigned int dev;
	struct model_area page;
};

static struct probe probe_before(struct stress *s, struct model_area r)
{
	struct probe p = { .dev = stress_writer(s), .page = r };

	p.page.first = r.first + random_below(s, r.n);
	p.page.n = 1;
	if (random_below(s, 2))
		vcpu_write(s, 0, p.page.first);
	if (random_below(s, 4))
		stress_dma(s, p.dev, p.page);
	return p;
}

static void probe_after(struct stress *s, const struct probe *p)
{
	stress_dma(s, p->dev, p->page);
}

/* Freed pages are soon somebody's: mostly this one's. */
static void plant_canary(struct stress *s, size_t pages)
{
	struct canary *c = &s->canaries[random_below(s, STRESS_CANARIES)];
	bool huge = s->host_pages > 1 && random_below(s, 2);

	if (c->va)
		canary_end(c);
	canary_start(c, huge ? SIZE_2M : pages * SIZE_4K, huge,
		     stress_value(s));
}

static bool op_canary(struct stress *s)
{
	history_step("canary");
	plant_canary(s, 1 + random_below(s, CANARY_PAGES));
	return true;
}

static bool op_discard(struct stress *s)
{
	struct model_area r = host_range(s);
	struct probe probe = probe_before(s, r);

	history_step("madvise(DONTNEED) of %zu+%zu", r.first, r.n);
	TEST_ASSERT(!madvise(stress_hva(s, r.first), r.n * SIZE_4K,
			     MADV_DONTNEED), "MADV_DONTNEED");
	model_discarded(&s->model, r.first, r.n);
	if (random_below(s, 2))
		plant_canary(s, min(r.n, CANARY_PAGES));
	probe_after(s, &probe);
	return true;
}

/* To swap if there is some, else nowhere: nobody must see a difference. */
static bool op_page_out(struct stress *s)
{
	struct model_area r = host_range(s);
	bool cold = random_below(s, 2);

	if (s->host_pages > 1)		/* not for hugetlb */
		cold = true;
	history_step("madvise(%s) of %zu+%zu", cold ? "COLD" : "PAGEOUT",
		     r.first, r.n);
	madvise(stress_hva(s, r.first), r.n * SIZE_4K,
		cold ? MADV_COLD : MADV_PAGEOUT);
	return true;
}

/* The kernel says no where pages are pinned, or are huge already. */
static bool op_collapse(struct stress *s)
{
	size_t first = random_below(s, s->model.nr / HUGE_PAGES) * HUGE_PAGES;

	history_step("madvise(COLLAPSE) of %zu+%llu", first, HUGE_PAGES);
	madvise(stress_hva(s, first), SIZE_2M, MADV_COLLAPSE);
	return true;
}

static void protect(struct stress *s, struct model_area r, bool readonly)
{
	int prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE;

	history_step("mprotect(%s) of %zu+%zu", readonly ? "R" : "RW", r.first,
		     r.n);
	TEST_ASSERT(!mprotect(stress_hva(s, r.first), r.n * SIZE_4K, prot),
		    "mprotect");
	model_protected(&s->model, r.first, r.n, readonly);
}

static bool op_protect(struct stress *s)
{
	struct model_area r = host_range(s);
	struct probe probe = probe_before(s, r);

	protect(s, r, true);
	probe_after(s, &probe);
	return true;
}

static bool op_unprotect(struct stress *s)
{
	struct model_area all = { 0, s->model.nr };

	protect(s, random_below(s, 4) ? host_range(s) : all, false);
	return true;
}

static bool pages_hold(struct stress *s, struct model_area r, const __u64 *want)
{
	size_t i, w;

	for (i = 0; i < r.n; i++) {
		__u64 *word = stress_hva(s, r.first + i);

		for (w = 0; w < SIZE_4K / sizeof(*word); w++)
			if (READ_ONCE(word[w]) != want[i])
				return false;
	}
	return true;
}

/* Its memory is as it was at the fork, then it makes a mess of it. */
static int child(struct stress *s, struct model_area r, const __u64 *want,
		 int go)
{
	char byte;
	size_t i;

	if (read(go, &byte, 1) != 1)
		return 2;
	if (!pages_hold(s, r, want))
		return 1;
	for (i = 0; i < r.n; i++)
		if (!s->model.pages[r.first + i].readonly)
			memset(stress_hva(s, r.first + i), 0xee, SIZE_4K);
	return 0;
}

/* What guest and device write while the child lives is the parent's alone. */
static bool op_fork(struct stress *s)
{
	struct model_area r = stress_range(s, 1, FORK_PAGES);
	__u64 want[FORK_PAGES];
	int go[2], status;
	pid_t pid;
	size_t i;

	history_step("fork, then in %zu+%zu:", r.first, r.n);
	for (i = 0; i < r.n; i++)
		want[i] = model_process_sees(&s->model, r.first + i);
	TEST_ASSERT(!pipe(go), "pipe");
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork");
	if (!pid)
		_exit(child(s, r, want, go[0]));

	stress_dma(s, STRESS_WRITER, r);
	for (i = r.first; random_below(s, 2) && i < r.first + r.n; i++)
		vcpu_write(s, 0, i);
	stress_dma(s, STRESS_WRITER, r);
	TEST_ASSERT(write(go[1], "", 1) == 1, "write");
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	TEST_ASSERT(!status, "a child's memory is not as it was: %#x", status);
	close(go[0]);
	close(go[1]);
	for (i = r.first; i < r.first + r.n; i++)
		stress_check_process(s, i);
	return true;
}

/* Cut to what is not mapped; nothing is left of it where the first page is. */
static struct model_area unmapped_part(struct stress *s, struct model_area r)
{
	size_t n = 0;

	while (n < r.n && !model_is_mapped(&s->model, r.base, r.first + n))
		n++;
	r.n = n;
	return r;
}

static int map(struct stress *s, struct model_area r, __u32 rights, void *va)
{
	return __iommufd_map(s->vm.iommufd, s->vm.ioas, rights,
			     stress_gpa_at(r.base, r.first), va,
			     r.n * SIZE_4K);
}

/* With a memslot there or without, and for reading alone now and then. */
static bool op_map(struct stress *s)
{
	struct model_area r = stress_range(s, 1, random_below(s, 8) ? 24 :
					   2 * HUGE_PAGES);
	__u32 rights = random_below(s, 5) ? IOAS_MAP_RW :
					    IOMMU_IOAS_MAP_READABLE;
	bool writable = rights == IOAS_MAP_RW, readonly;
	struct model *m = &s->model;
	int got;

	r = unmapped_part(s, r);
	if (!r.n || m->nr_areas == MODEL_AREAS)
		return false;
	readonly = model_any_readonly(m, r.first, r.n);
	history_step("IOAS map%s of %zu+%zu at base %u%s%s",
		     writable ? "" : " for reading", r.first, r.n, r.base,
		     m->slot && m->base == r.base ? "" : ", no memslot there",
		     readonly ? ", read-only memory" : "");
	got = map(s, r, rights, stress_hva(s, r.first));
	TEST_ASSERT(got == (readonly && writable ? -EFAULT : 0), "map: %d", got);
	if (!got)
		model_mapped(m, r, writable);
	return true;
}

static int unmap(struct stress *s, struct model_area r)
{
	return __iommufd_unmap(s->vm.iommufd, s->vm.ioas,
			       stress_gpa_at(r.base, r.first), r.n * SIZE_4K);
}

static bool random_area(struct stress *s, struct model_area *r)
{
	if (!s->model.nr_areas)
		return false;
	*r = s->model.areas[random_below(s, s->model.nr_areas)];
	return true;
}

static bool op_unmap(struct stress *s)
{
	struct model_area r;
	struct probe probe;
	int got;

	if (!random_area(s, &r))
		return false;
	probe = probe_before(s, r);
	history_step("IOAS unmap of %zu+%zu", r.first, r.n);
	got = unmap(s, r);
	TEST_ASSERT(!got, "unmap: %d", got);
	model_unmapped(&s->model, r);
	if (random_below(s, 2))
		plant_canary(s, min(r.n, CANARY_PAGES));
	probe_after(s, &probe);
	return true;
}

static bool any_area_at(struct stress *s, unsigned int base)
{
	size_t i;

	for (i = 0; i < s->model.nr_areas; i++)
		if (s->model.areas[i].base == base)
			return true;
	return false;
}

static void unmap_all(struct stress *s)
{
	struct model_area all = { 0, s->model.nr };
	int got;

	for (; all.base < MODEL_BASES; all.base++) {
		if (!any_area_at(s, all.base))
			continue;
		history_step("IOAS unmap of all at base %u", all.base);
		got = unmap(s, all);
		TEST_ASSERT(!got, "unmap: %d", got);
		model_unmapped(&s->model, all);
	}
}

/* A whole huge page's worth, which becomes one leaf if its pages allow. */
static bool op_map_huge(struct stress *s)
{
	struct model_area r = { 0, HUGE_PAGES, s->model.base };
	int got;

	r.first = random_below(s, s->model.nr / HUGE_PAGES) * HUGE_PAGES;
	unmap_all(s);
	protect(s, r, false);
	history_step("IOAS map of the huge page at %zu", r.first);
	got = map(s, r, IOAS_MAP_RW, stress_hva(s, r.first));
	TEST_ASSERT(!got, "map: %d", got);
	model_mapped(&s->model, r, true);
	return true;
}

/* All that lies between two areas, themselves included. */
static bool op_unmap_many(struct stress *s)
{
	struct model_area a, b, r;
	struct probe probe;
	int got;

	if (!random_area(s, &a) || !random_area(s, &b) || a.base != b.base)
		return false;
	probe = probe_before(s, a);
	r.base = a.base;
	r.first = min(a.first, b.first);
	r.n = max(a.first + a.n, b.first + b.n) - r.first;
	history_step("IOAS unmap of the areas in %zu+%zu", r.first, r.n);
	got = unmap(s, r);
	TEST_ASSERT(!got, "unmap: %d", got);
	model_unmapped(&s->model, r);
	probe_after(s, &probe);
	return true;
}

/* iommufd's own refusals change nothing: part of an area, an area twice. */
static bool op_refused_by_iommufd(struct stress *s)
{
	struct model_area r;
	int got;

	if (!random_area(s, &r) || r.n == 1)
		return false;
	r.n--;
	r.first += random_below(s, 2);
	history_step("IOAS unmap and map of part of an area, %zu+%zu", r.first,
		     r.n);
	got = unmap(s, r);
	TEST_ASSERT(got == -ENOENT, "unmap of part of an area: %d", got);
	got = map(s, r, IOAS_MAP_RW, stress_hva(s, r.first));
	TEST_ASSERT(got == -EEXIST, "map of what is mapped: %d", got);
	return true;
}

/* Memory that is not the memslot's must not become the guest's. */
static bool op_foreign(struct stress *s)
{
	struct model_area r = unmapped_part(s, stress_range(s, 1, 1));
	struct canary *c = &s->canaries[random_below(s, STRESS_CANARIES)];
	int got;

	if (!s->model.slot || r.base != s->model.base || !s->model.shared ||
	    !r.n || !c->va)
		return false;
	history_step("IOAS map of foreign memory at %zu", r.first);
	/* Where the process has no page there is none to differ from. */
	stress_check_process(s, r.first);
	got = map(s, r, IOAS_MAP_RW, c->va);
	TEST_ASSERT(got == -EADDRNOTAVAIL, "map of foreign memory: %d", got);
	canary_check(c);
	return true;
}

static int set_slot(struct stress *s, size_t pages)
{
	__u32 flags = s->model.logging ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	int r;

	r = __vm_set_user_memory_region(s->vm.vm, s->mem.slot, flags,
					stress_gpa(s, 0), pages * SIZE_4K,
					s->mem.hva);
	return r ? -errno : 0;
}

/* Devices go on to reach what is mapped, vCPUs find nothing there. */
static bool op_slot_delete(struct stress *s)
{
	struct probe probe;
	int got;

	if (!s->model.slot)
		return false;
	probe = probe_before(s, stress_range(s, 1, 1));
	history_step("memslot deleted");
	got = set_slot(s, 0);
	TEST_ASSERT(!got, "memslot delete: %d", got);
	model_slot_went(&s->model);
	probe_after(s, &probe);
	stress_check_vcpu(s, 0, probe.page.first);
	return true;
}

/* Of what is mapped devices see the same as before, at both addresses. */
static bool op_slot_move(struct stress *s)
{
	unsigned int from = s->model.base;
	struct probe probe;
	int got;

	if (!s->model.slot)
		return false;
	probe = probe_before(s, stress_range(s, 1, 1));
	history_step("memslot moved from base %u", from);
	s->model.base = !from;
	got = set_slot(s, s->model.nr);
	TEST_ASSERT(!got, "memslot move: %d", got);
	model_slot_came(&s->model, !from);
	probe_after(s, &probe);
	probe.page.base = !probe.page.base;
	probe_after(s, &probe);
	stress_check_vcpu(s, 0, probe.page.first);
	return true;
}

static bool op_slot_add(struct stress *s)
{
	unsigned int base = random_below(s, 2);
	int got;

	if (s->model.slot)
		return false;
	history_step("memslot added at base %u", base);
	s->model.base = base;
	got = set_slot(s, s->model.nr);
	TEST_ASSERT(!got, "memslot add: %d", got);
	model_slot_came(&s->model, base);
	return true;
}

static bool op_log_toggle(struct stress *s)
{
	int got;

	if (!s->model.slot)
		return false;
	model_logging(&s->model, !s->model.logging);
	history_step("dirty log %s", s->model.logging ? "on" : "off");
	got = set_slot(s, s->model.nr);
	TEST_ASSERT(!got, "memslot flags: %d", got);
	return true;
}

/* All that vCPUs wrote, nothing that they did not touch, and no DMA. */
static bool op_log_harvest(struct stress *s)
{
	size_t i;

	if (!s->model.logging)
		return false;
	history_step("dirty log harvested");
	kvm_vm_get_dirty_log(s->vm.vm, s->mem.slot, s->bitmap);
	for (i = 0; i < s->model.nr; i++) {
		struct model_page *p = &s->model.pages[i];
		bool dirty = s->bitmap[i / 64] >> i % 64 & 1;

		TEST_ASSERT(dirty || !p->written,
			    "page %zu: a vCPU's write is not in the log", i);
		TEST_ASSERT(!dirty || p->touched,
			    "page %zu: no vCPU was there, but it is in the log",
			    i);
	}
	model_log_harvested(&s->model);
	return true;
}

static struct vfio_dev *device(struct stress *s, unsigned int dev)
{
	return dev == STRESS_EDU ? &s->vm.edu : &s->writers[dev - STRESS_WRITER];
}

static void attach(struct stress *s, unsigned int dev, enum model_attached to)
{
	static const char * const names[] = { "edu", "writer 0", "writer 1" };
	struct vfio_dev *vfio = device(s, dev);

	if (s->model.dev[dev] == to)
		return;
	history_step("%s, %s, becomes %s", names[dev],
		     model_attached_name(s->model.dev[dev]),
		     model_attached_name(to));
	if (to == DEV_DETACHED)
		vfio_dev_detach(vfio);
	else
		vfio_dev_attach(vfio, to == DEV_SHARED ? s->vm.hwpt :
						s->ordinary);
	s->model.dev[dev] = to;
}

static bool op_attach(struct stress *s)
{
	unsigned int dev = random_below(s, MODEL_DEVICES - s->crowded);
	enum model_attached to = DEV_DETACHED;

	/* Less often, as a device that is not attached finds nothing. */
	if (random_below(s, 6))
		to = random_below(s, 3) ? DEV_SHARED : DEV_ORDINARY;
	if ((to == DEV_SHARED && !s->model.shared) ||
	    (to == DEV_ORDINARY && !s->model.ordinary) ||
	    s->model.dev[dev] == to)
		return false;
	attach(s, dev, to);
	return true;
}

/* The last HWPT stays: without any the IOAS would pin nothing. */
static bool op_ordinary(struct stress *s)
{
	unsigned int i;

	if (!s->model.ordinary) {
		history_step("ordinary HWPT made");
		s->ordinary = iommufd_hwpt_alloc(s->vm.iommufd,
						 s->vm.edu.dev_id, s->vm.ioas,
						 HWPT_ORDINARY, 0);
		s->model.ordinary = true;
		return true;
	}
	if (!s->model.shared)
		return false;
	for (i = 0; i < MODEL_DEVICES; i++)
		if (s->model.dev[i] == DEV_ORDINARY)
			attach(s, i, random_below(s, 2) ? DEV_SHARED :
							  DEV_DETACHED);
	history_step("ordinary HWPT destroyed");
	iommufd_destroy(s->vm.iommufd, s->ordinary);
	s->model.ordinary = false;
	return true;
}

static bool op_unshare(struct stress *s)
{
	unsigned int i;

	if (!s->model.shared || !s->model.ordinary)
		return false;
	for (i = 0; i < MODEL_DEVICES; i++)
		if (s->model.dev[i] == DEV_SHARED)
			attach(s, i, random_below(s, 4) ? DEV_ORDINARY :
							  DEV_DETACHED);
	history_step("shared HWPT destroyed");
	iommufd_destroy(s->vm.iommufd, s->vm.hwpt);
	s->model.shared = false;
	return true;
}

/*
 * It can be made but where the process has another page than the IOAS. Is none
 * there, paged out or discarded and not used since, nothing is in its way.
 */
static bool op_share(struct stress *s)
{
	bool conflict, used = false;
	size_t i;
	int r;

	if (s->model.shared)
		return false;
	if (model_any_conflict(&s->model) && random_below(s, 2))
		unmap_all(s);
	conflict = model_any_conflict(&s->model);
	if (conflict && random_below(s, 2)) {
		used = true;
		for (i = 0; i < s->model.nr; i++)
			if (model_in_conflict(&s->model, i))
				stress_check_process(s, i);
	}
	history_step("shared HWPT made: %s", used ? "can't" :
		     conflict ? "may" : "can");
	r = __iommufd_hwpt_alloc(s->vm.iommufd, s->vm.edu.dev_id, s->vm.ioas,
				 IOMMU_HWPT_ALLOC_KVM_TDP, s->vm.vm->fd,
				 &s->vm.hwpt);
	if (conflict && (used || r))
		TEST_ASSERT(r == -EADDRNOTAVAIL,
			    "a shared HWPT over what is mapped: %d", r);
	else
		TEST_ASSERT(!r, "a shared HWPT: %d", r);
	s->model.shared = !r;
	return true;
}

const struct stress_op stress_ops[] = {
	{ "DMA writes", stress_op_dma, 300 },
	{ "DMA writes where nothing is", stress_op_dma_astray, 10 },
	{ "DMA copies", stress_op_copy, 4 },
	{ "DMA copies of what is not the device's", stress_op_steal, 6 },
	{ "vCPU reads", op_vcpu_read, 100 },
	{ "vCPU writes", op_vcpu_write, 150 },
	{ "process reads", op_process_read, 30 },
	{ "process writes", op_process_write, 60 },
	{ "canaries", op_canary, 40 },
	{ "discards", op_discard, 60 },
	{ "cold, or paged out if there is swap", op_page_out, 15 },
	{ "collapses tried", op_collapse, 6 },
	{ "mprotect read-only", op_protect, 25 },
	{ "mprotect writable", op_unprotect, 35 },
	{ "forks", op_fork, 8 },
	{ "IOAS maps", op_map, 120 },
	{ "IOAS maps of 2M", op_map_huge, 8 },
	{ "IOAS unmaps", op_unmap, 50 },
	{ "IOAS unmaps of several areas", op_unmap_many, 8 },
	{ "IOAS maps and unmaps refused by iommufd", op_refused_by_iommufd, 8 },
	{ "IOAS maps of foreign memory", op_foreign, 6 },
	{ "memslot deleted", op_slot_delete, 6 },
	{ "memslot moved", op_slot_move, 6 },
	{ "memslot added", op_slot_add, 30 },
	{ "dirty log on or off", op_log_toggle, 12 },
	{ "dirty log harvested", op_log_harvest, 25 },
	{ "devices attached or detached", op_attach, 25 },
	{ "ordinary HWPT made or destroyed", op_ordinary, 8 },
	{ "shared HWPT destroyed", op_unshare, 6, true },
	{ "shared HWPT made", op_share, 30, true },
};

const unsigned int stress_nr_ops = ARRAY_SIZE(stress_ops);
