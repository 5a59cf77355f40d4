// SPDX-License-Identifier: GPL-2.0-only
/* Makes the host look for unused pages among those of this process. */
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "aging.h"
#include "processor.h"
#include "sysfile.h"
#include "tap.h"
#include "trace.h"

#define CGROUPS		"/sys/fs/cgroup/"
#define CGROUP		CGROUPS "tdp-aging/"
#define SWAP_DEV	"/dev/ram1"
#define SWAP_INFO_AT	1024
#define SWAP_MAGIC	"SWAPSPACE2"

#define EVENT		"kvmmmu/kvm_tdp_mmu_spte_changed"
#define MAX_EVENTS	16384
#define NPT_A		BIT_ULL(5)
#define EPT_A		BIT_ULL(8)

static void make_swap(void)
{
	int fd = open(SWAP_DEV, O_RDWR | O_CLOEXEC);
	char page[SIZE_4K] = {};
	__u32 *info = (__u32 *)(page + SWAP_INFO_AT);

	if (fd < 0)
		tap_skip_case("no " SWAP_DEV);
	info[0] = 1;	/* version */
	info[1] = lseek(fd, 0, SEEK_END) / SIZE_4K - 1;	/* last page */
	memcpy(page + SIZE_4K - strlen(SWAP_MAGIC), SWAP_MAGIC,
	       strlen(SWAP_MAGIC));
	TEST_ASSERT(pwrite(fd, page, SIZE_4K, 0) == SIZE_4K, "write " SWAP_DEV);
	close(fd);
	TEST_ASSERT(!swapon(SWAP_DEV, 0), "swapon " SWAP_DEV);
}

static bool have_swap(void)
{
	char text[8192];
	__u64 kb = 0;

	return sysfile_read("/proc/meminfo", text, sizeof(text)) &&
	       text_get(text, "SwapFree", 10, &kb) && kb;
}

static void enter_cgroup(const char *cgroup)
{
	char path[128], pid[16];

	snprintf(path, sizeof(path), "%scgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	TEST_ASSERT(sysfile_write(path, pid), "write %s", path);
}

void aging_start(struct aging *a)
{
	if (!sysfile_write(CGROUPS "cgroup.subtree_control", "+memory"))
		tap_skip_case("no memory cgroups");
	TEST_ASSERT(!mkdir(CGROUP, 0700) || errno == EEXIST, "mkdir " CGROUP);
	a->own_swap = !have_swap();
	if (a->own_swap)
		make_swap();
	enter_cgroup(CGROUP);
	trace_open();
	trace_enable(EVENT);
}

void aging_stop(struct aging *a)
{
	trace_close();
	enter_cgroup(CGROUPS);
	TEST_ASSERT(!rmdir(CGROUP), "rmdir " CGROUP);
	if (a->own_swap)
		TEST_ASSERT(!swapoff(SWAP_DEV), "swapoff " SWAP_DEV);
}

void aging_run(struct aging *a, struct guest_mem *mem, unsigned long *pages)
{
	unsigned int nr = mem->size / SIZE_4K;
	struct trace_event *events = calloc(MAX_EVENTS, sizeof(*events));
	__u64 gfn, old_spte, new_spte, a_bit;
	size_t i, n;

	TEST_ASSERT(events, "out of memory");
	a_bit = host_cpu_is_intel ? EPT_A : NPT_A;
	bitmap_zero(pages, nr);
	/* To where reclaim looks first. KVM is not asked of it. */
	TEST_ASSERT(!madvise(mem->hva, mem->size, MADV_COLD), "MADV_COLD");
	trace_record();
	/* It fails, as it may look at pinned pages but not take them. */
	sysfile_write(CGROUP "memory.reclaim", "64M swappiness=max");
	n = trace_stop(events, MAX_EVENTS);
	for (i = 0; i < n; i++) {
		gfn = trace_field(&events[i], "gfn") - mem->gpa / SIZE_4K;
		if (gfn >= nr)
			continue;
		old_spte = trace_field(&events[i], "old_spte");
		new_spte = trace_field(&events[i], "new_spte");
		TEST_ASSERT(old_spte == (new_spte | a_bit) &&
			    !(new_spte & a_bit),
			    "page %llu: SPTE %#llx became %#llx", gfn, old_spte,
			    new_spte);
		__set_bit(gfn, pages);
	}
	free(events);
}
