// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program behind `make run`: one workload, first with a table each for
 * vCPUs and device, then with one for both, measured side by side.
 */
#include <sys/utsname.h>

#include "amd_iommu.h"
#include "memstat.h"
#include "mmu_share.h"
#include "share_vm.h"
#include "sysfile.h"

#define SIZE	(256 * 1024 * 1024ULL)
#define SEED	0xde30
#define KINDS	2	/* HWPT_ORDINARY, HWPT_SHARED */

struct workload {
	const char *name;
	enum guest_mem_backing backing;
};

static const struct workload workloads[] = {
	{ "256 MiB in 4K pages", BACKING_4K },
	{ "256 MiB in 2M pages", BACKING_2M },
};

struct result {
	struct amd_dte dte;
	__u64 kvm_root;		/* of the shared kind only */
	__u64 kvm_level;
	bool dma_ok;
	__u64 table_bytes;
	__u64 npt_faults;
};

static bool failed;

static const char *check(bool ok)
{
	if (!ok)
		failed = true;
	return ok ? "ok" : "FAILED";
}

/* vCPU 0 writes, the device copies, vCPU 1 reads: in pages far apart. */
static bool dma_both_ways(struct share_vm *s, struct guest_mem *mem)
{
	size_t dst = mem->size - SIZE_4K, src = mem->size / 2;

	guest_fill(s->vcpus[0], mem->gpa + src, SIZE_4K, 8, SEED);
	guest_fill(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8, ~SEED);
	edu_copy(&s->edu, mem->gpa + dst, mem->gpa + src, SIZE_4K);
	return !guest_diff(s->vcpus[1], mem->gpa + dst, SIZE_4K, 8,
			   mem->gpa + src, SEED);
}

static void read_roots(struct share_vm *s, enum hwpt_kind kind,
		       struct result *r)
{
	struct mmu_share_info info;

	amd_dte_read(s->edu.bdf, &r->dte);
	if (kind != HWPT_SHARED)
		return;
	mmu_share_read(s->vm, &info);
	r->kvm_root = info.root;
	r->kvm_level = info.root_level;
}

static void measure(const struct workload *w, enum hwpt_kind kind,
		    struct result *r)
{
	struct guest_mem mem;
	struct share_vm s;
	__u64 bytes, faults;

	printf("  measuring: %s, %s ...\n", w->name,
	       kind == HWPT_SHARED ? "one shared table" : "separate tables");
	share_vm_create(&s, kind);
	guest_mem_add(&mem, s.vm, TEST_SLOT, w->backing, GPA_HIGH, SIZE);
	share_vm_warm_up(&s);
	bytes = memstat_second_level_bytes();
	faults = share_vm_npt_faults(&s);

	share_vm_map(&s, &mem);
	guest_fill(s.vcpus[0], mem.gpa, mem.size / 2, SIZE_4K, SEED);
	guest_fill(s.vcpus[1], mem.gpa + mem.size / 2, mem.size / 2, SIZE_4K,
		   SEED);

	r->npt_faults = share_vm_npt_faults(&s) - faults;
	r->table_bytes = memstat_second_level_bytes() - bytes;
	read_roots(&s, kind, r);
	r->dma_ok = dma_both_ways(&s, &mem);
	share_vm_destroy(&s);
}

static void cpu_model(char *model, size_t size)
{
	char text[4096], *p;

	snprintf(model, size, "unknown");
	if (!sysfile_read("/proc/cpuinfo", text, sizeof(text)))
		return;
	p = strstr(text, "model name");
	p = p ? strstr(p, ": ") : NULL;
	if (p)
		snprintf(model, size, "%.*s", (int)strcspn(p + 2, "\n"), p + 2);
}

static void print_machine(void)
{
	char bdf[BDF_LEN], model[128];
	struct utsname u;

	uname(&u);
	cpu_model(model, sizeof(model));
	vfio_dev_find(bdf, EDU_VENDOR, EDU_DEVICE, 0);
	printf("What was booted\n");
	printf("  kernel               %s\n", u.release);
	printf("  CPU                  %s, nested paging %s\n", model,
	       kvm_get_module_param_bool("kvm_amd", "npt") ? "on" : "off");
	printf("  IOMMU                AMD-Vi, translating for %s\n", bdf);
	printf("  kvm.share_iommu_tdp  %d\n", mmu_share_parameter());
	printf("  guest                %d vCPUs, 256 MiB of memory that the device may use\n\n",
	       SHARE_VM_VCPUS);
}

static void print_root(const char *whose, __u64 root, __u64 level)
{
	printf("    %-34s 0x%llx, %llu levels\n", whose, root, level);
}

static void print_proof(struct result r[][KINDS])
{
	struct result *one = &r[0][HWPT_SHARED], *two = &r[0][HWPT_ORDINARY];
	unsigned int i;

	printf("\nDoes one table serve both walkers?\n");
	printf("  Same root: the page where each starts to walk, as read from\n");
	printf("  the IOMMU's device-table entry and from KVM\n");
	print_root("IOMMU's root, shared table", one->dte.root, one->dte.mode);
	print_root("KVM's root, shared table", one->kvm_root, one->kvm_level);
	printf("    %-34s %s\n", "equal",
	       check(one->dte.translates && one->dte.root == one->kvm_root &&
		     one->dte.mode == one->kvm_level));
	print_root("IOMMU's root, separate tables", two->dte.root,
		   two->dte.mode);
	printf("  Same memory: vCPU 0 wrote a page, the device copied it by DMA,\n");
	printf("  vCPU 1 compared the copy\n");
	for (i = 0; i < ARRAY_SIZE(workloads); i++) {
		printf("    %-34s shared %s, separate %s\n", workloads[i].name,
		       check(r[i][HWPT_SHARED].dma_ok),
		       check(r[i][HWPT_ORDINARY].dma_ok));
	}
}

static void print_row(const char *what, const char *unit, __u64 separate,
		      __u64 shared)
{
	char two[32], one[32], ratio[32];

	snprintf(two, sizeof(two), "%llu%s", separate, unit);
	snprintf(one, sizeof(one), "%llu%s", shared, unit);
	if (shared)
		snprintf(ratio, sizeof(ratio), "%.2f", (double)separate / shared);
	else
		snprintf(ratio, sizeof(ratio), "all saved");
	printf("    %-26s %16s %16s %12s\n", what, two, one, ratio);
}

static void print_numbers(struct result r[][KINDS])
{
	unsigned int i;

	printf("\nWhat it saves\n");
	printf("    %-26s %16s %16s %12s\n", "", "separate tables",
	       "one shared table", "ratio");
	for (i = 0; i < ARRAY_SIZE(workloads); i++) {
		struct result *two = &r[i][HWPT_ORDINARY];
		struct result *one = &r[i][HWPT_SHARED];

		printf("  %s\n", workloads[i].name);
		print_row("second-level tables", " kB",
			  two->table_bytes / 1024, one->table_bytes / 1024);
		print_row("NPT faults of the guest", "", two->npt_faults,
			  one->npt_faults);
		printf("    %-26s %16s %16s %12s\n", "smaller, and no faults",
		       "", "", check(one->table_bytes < two->table_bytes &&
				     !one->npt_faults && two->npt_faults));
	}
	printf("\n  second-level tables: growth of SecPageTables in /proc/meminfo by\n");
	printf("  mapping the memory for the device and the guest's touching all of it\n");
	printf("  NPT faults: what KVM counted (pf_taken) while the guest did that\n");
}

static void help(const char *name)
{
	printf("usage: %s\n\n", name);
	printf("Runs a guest of %d vCPUs with an assigned DMA device twice: with a second-level\n",
	       SHARE_VM_VCPUS);
	printf("table each for CPU and IOMMU (an ordinary HWPT), and with KVM's table for both\n");
	printf("(IOMMU_HWPT_ALLOC_KVM_TDP). Prints what was verified and measured.\n\n");
	printf("Needs root, an AMD IOMMU, QEMU's edu device, 128 free hugepages of 2 MiB, and a\n");
	printf("boot with kvm.share_iommu_tdp=1. Exits with 0 only when every check holds, with\n");
	printf("%d when the machine is not what it needs.\n", KSFT_SKIP);
}

int main(int argc, char *argv[])
{
	struct result r[ARRAY_SIZE(workloads)][KINDS] = {};
	unsigned int i;

	if (argc > 1) {
		bool asked = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");

		help(argv[0]);
		return asked ? 0 : 2;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	share_vm_require(true);
	printf("One page table for the vCPUs and for the device\n\n");
	print_machine();
	for (i = 0; i < ARRAY_SIZE(workloads); i++) {
		measure(&workloads[i], HWPT_ORDINARY, &r[i][HWPT_ORDINARY]);
		measure(&workloads[i], HWPT_SHARED, &r[i][HWPT_SHARED]);
	}
	print_proof(r);
	print_numbers(r);
	printf("\n%s\n", failed ? "FAILED: see above" : "All checks hold.");
	return failed;
}
