// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux guest under QEMU, with an assigned NVMe disk, boots to its first
 * process: NPT faults, and instructions of the whole machine.
 */
#include <sys/wait.h>

#include "bench_clock.h"
#include "bench_mem.h"
#include "options.h"
#include "sysfile.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_qmp.h"
#include "vmm_share.h"

static const char what[] =
"Boots REPEATS guests with a table for vCPUs and disk each, and as many that\n"
"share by themselves. -b 4K: the host makes no huge pages. -b 2M: it does.\n";

#define THP		"/sys/kernel/mm/transparent_hugepage/enabled"

/* The clock counts instructions, of which a boot takes some billion. */
#define BOOT_SECONDS	10
#define TRIES		6

static void boot(const struct options *o, enum hwpt_kind kind)
{
	char device[64], memory[32], bdf[BDF_LEN];
	const char * const args[] = { "-S", "-device", device,
			       "-object", "iommufd,id=iommufd0", NULL };
	struct vmm_options options = { .args = args, .memory = memory };
	struct vmm_share_status st;
	struct vmm v;
	__u64 start;

	snprintf(memory, sizeof(memory), "%zuM", (size_t)(o->size / SIZE_1M));
	host_pci_take(bdf, NVME_VENDOR, NVME_DEVICE, 0);
	snprintf(device, sizeof(device),
		 "vfio-pci,id=disk,host=%s,iommufd=iommufd0", bdf);
	vmm_share_new_vms(kind == HWPT_SHARED);
	vmm_start(&v, &options);
	vmm_share_new_vms(true);

	/* Nothing has happened for a while when a VMM starts its vCPUs. */
	if (kind == HWPT_SHARED)
		vmm_wait_shared(v.pid, BOOT_SECONDS);
	bench_clock_start();
	start = bench_clock();
	vmm_qmp(&v, "cont", NULL);
	vmm_wait_boot(&v, BOOT_SECONDS);
	print_sample(o, "boot_insns", kind, bench_clock() - start);
	print_sample(o, "boot_npt_faults", kind, vmm_tdp_faults(v.pid));
	if (vmm_share_status(v.pid, &st))
		printf("# %s\n", st.line);
	vmm_quit(&v);
	host_pci_give_back(bdf);
}

/*
 * With -icount QEMU 11.1 loses a guest now and then, with either kind of table
 * (docs/testing.rst, traps). It is started again then.
 */
static bool boot_in_child(const struct options *o, enum hwpt_kind kind)
{
	pid_t pid = fork();
	int status;

	TEST_ASSERT(pid >= 0, "fork");
	if (!pid) {
		boot(o, kind);
		exit(0);
	}
	TEST_ASSERT(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void boot_once(const struct options *o, enum hwpt_kind kind)
{
	unsigned int left = TRIES;

	while (!boot_in_child(o, kind)) {
		TEST_ASSERT(--left, "no guest boots");
		printf("# a guest was lost, again\n");
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.backing = BACKING_4K,
		.size = 512 * SIZE_1M,
		.devices = 1,
		.repeats = 3,
	};
	unsigned int i, turn;

	options_parse(&o, argc, argv, what);
	vmm_require();
	vmm_share_require();
	/* QEMU asks for huge pages; it gets them if that is allowed. */
	TEST_ASSERT(sysfile_write(THP, o.backing == BACKING_2M ? "madvise" :
				  "never"), "write %s", THP);
	for (i = 0; i < o.repeats; i++)
		for (turn = 0; turn < 2; turn++)
			boot_once(&o, kind_of_turn(i, turn));
	return 0;
}
