// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program behind `make run`: an unmodified QEMU boots a Linux guest with an
 * assigned NVMe disk, first with a table each for vCPUs and device, then with
 * one for both, in one boot of the host, side by side.
 */
#include <sys/utsname.h>

#include "iommu_hw.h"
#include "memstat.h"
#include "mmu_share.h"
#include "sysfile.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define THP		"/sys/kernel/mm/transparent_hugepage/enabled"
#define MEMORY		"512M"
#define PAIRS		10	/* conversions to private and back */

enum { SEPARATE, SHARED, KINDS };

static const char * const kind_names[KINDS] = {
	[SEPARATE] = "separate tables",
	[SHARED] = "one shared table",
};

struct result {
	struct iommu_entry entry;
	__u64 kvm_root;
	__u64 boot_faults;
	__u64 table_bytes;
	__u64 ios;
	struct vmm_share_status status;
};

static bool failed;

static const char *check(bool ok)
{
	if (!ok)
		failed = true;
	return ok ? "ok" : "FAILED";
}

static void start(struct vmm *v, struct vmm_disk *disk, bool share)
{
	const char * const args[] = { "-object", "iommufd,id=iommufd0",
				      "-device", disk->arg, NULL };
	struct vmm_options options = { .memory = MEMORY, .args = args };

	vmm_disk_take(disk, 0);
	snprintf(disk->arg, sizeof(disk->arg),
		 "vfio-pci,id=%s,host=%s,iommufd=iommufd0", disk->id, disk->bdf);
	vmm_share_new_vms(share);
	vmm_start(v, &options);
	vmm_share_new_vms(true);
}

/* The guest writes files, reads them back and compares each byte. */
static void work(struct vmm *v, struct vmm_disk *disk, bool convert,
		 struct result *r)
{
	vmm_work_start(v, disk);
	vmm_work_more(v, disk);
	if (convert) {
		vmm_convert(v, PAIRS);
		vmm_work_more(v, disk);
	}
	r->ios = vmm_work_count(v, disk);
	vmm_work_stop(v, disk);
}

static void measure(int kind, struct result *r)
{
	struct vmm_disk disk;
	__u64 bytes;
	struct vmm v;

	printf("  %s: QEMU starts ...\n", kind_names[kind]);
	bytes = memstat_second_level_bytes();
	start(&v, &disk, kind == SHARED);
	vmm_wait_boot(&v, VMM_BOOT_SECONDS);
	vmm_disk_wait(&v, &disk);
	r->boot_faults = vmm_tdp_faults(v.pid);
	if (kind == SHARED)
		vmm_wait_shared(v.pid, VMM_SECONDS);
	printf("  %s: the guest has booted and works on its disk ...\n",
	       kind_names[kind]);
	work(&v, &disk, kind == SHARED, r);

	if (kind == SHARED)
		vmm_wait_shared(v.pid, VMM_SECONDS);
	r->table_bytes = memstat_second_level_bytes() - bytes;
	TEST_ASSERT(vmm_share_status(v.pid, &r->status), "the VM is not listed");
	iommu_entry_read(disk.bdf, &r->entry);
	r->kvm_root = vmm_kvm_root(v.pid);
	vmm_expect_clean_guest_log(&v);
	vmm_quit(&v);
	host_pci_give_back(disk.bdf);
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
	char model[128];
	struct utsname u;

	uname(&u);
	cpu_model(model, sizeof(model));
	printf("What was booted\n");
	printf("  host's kernel        %s\n", u.release);
	printf("  CPU                  %s, nested paging %s\n", model,
	       kvm_get_module_param_bool("kvm_amd", "npt") ? "on" : "off");
	printf("  kvm.share_iommu_tdp  %d\n", mmu_share_parameter());
	printf("  VMM                  Debian's QEMU, unmodified\n");
	printf("  guest                Linux, %s in 4K pages, with its usual NVMe driver\n\n",
	       MEMORY);
}

static void print_root(const char *whose, __u64 root)
{
	printf("    %-34s 0x%llx\n", whose, root);
}

static void print_proof(const struct result *r)
{
	const struct result *one = &r[SHARED], *two = &r[SEPARATE];

	printf("\nDoes one table serve both walkers?\n");
	printf("  Same root: the page where each starts to walk, as read from\n");
	printf("  the disk's device-table entry and from KVM\n");
	print_root("IOMMU's root, shared table", one->entry.root);
	print_root("KVM's root, shared table", one->kvm_root);
	printf("    %-34s %s\n", "equal",
	       check(one->entry.translates &&
		     one->entry.root == one->kvm_root));
	print_root("IOMMU's root, separate tables", two->entry.root);
	printf("  Same memory: the guest wrote files, read them back and compared each byte\n");
	printf("    %-34s %llu reads and writes, ok\n", kind_names[SHARED],
	       one->ios);
	printf("    %-34s %llu reads and writes, ok\n", kind_names[SEPARATE],
	       two->ios);
	printf("  Meanwhile the shared VM went to a table of its own and back\n");
	printf("    %-34s %llu there, %llu back, no DMA lost: %s\n",
	       "conversions", one->status.to_private, one->status.to_shared,
	       check(one->status.to_private >= PAIRS));
}

static void print_row(const char *what, const char *unit, __u64 separate,
		      __u64 shared)
{
	char two[32], one[32];

	snprintf(two, sizeof(two), "%llu%s", separate, unit);
	snprintf(one, sizeof(one), "%llu%s", shared, unit);
	printf("    %-26s %16s %16s %12.2f\n", what, two, one,
	       (double)shared / separate);
}

static void print_numbers(const struct result *r)
{
	const struct result *one = &r[SHARED], *two = &r[SEPARATE];

	printf("\nWhat it saves\n");
	printf("    %-26s %16s %16s %12s\n", "", kind_names[SEPARATE],
	       kind_names[SHARED], "ratio");
	print_row("second-level tables", " kB", two->table_bytes / 1024,
		  one->table_bytes / 1024);
	print_row("NPT faults of the boot", "", two->boot_faults,
		  one->boot_faults);
	printf("    %-26s %16s %16s %12s\n", "fewer of both", "", "",
	       check(one->table_bytes < two->table_bytes &&
		     one->boot_faults < two->boot_faults));
	printf("\n  second-level tables: growth of SecPageTables in /proc/meminfo by the VM\n");
	printf("  NPT faults: what KVM counted (pf_taken) until the guest had found its disk\n");
}

static void help(const char *name)
{
	printf("usage: %s\n\n", name);
	printf("Starts QEMU with a Linux guest and an assigned NVMe disk twice: with a\n");
	printf("second-level table each for CPU and IOMMU (iommufd.tdp_share=0), and with\n");
	printf("KVM's table for both, which comes by itself. Prints what was verified and\n");
	printf("measured.\n\n");
	printf("Needs root, an AMD IOMMU, an NVMe disk, QEMU, the guest's image, and a boot\n");
	printf("with kvm.share_iommu_tdp=1. Exits with 0 only when every check holds.\n");
}

int main(int argc, char *argv[])
{
	struct result r[KINDS] = {};

	if (argc > 1) {
		bool asked = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");

		help(argv[0]);
		return asked ? 0 : 2;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	vmm_require();
	vmm_share_require();
	/* As on a host whose memory is in pieces. */
	TEST_ASSERT(sysfile_write(THP, "never"), "write %s", THP);
	printf("One page table for the vCPUs and for the device\n\n");
	print_machine();
	measure(SEPARATE, &r[SEPARATE]);
	measure(SHARED, &r[SHARED]);
	print_proof(r);
	print_numbers(r);
	printf("\n%s\n", failed ? "FAILED: see above" : "All checks hold.");
	return failed;
}
