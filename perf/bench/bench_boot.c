// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux guest under QEMU, with an assigned NVMe disk, boots to its first
 * process: NPT faults, and instructions of the whole machine.
 */
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

/* The clock is the emulated one: the guest is as fast as the host runs TCG. */
#define BOOT_SECONDS	1200

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
	start = bench_clock();
	vmm_qmp(&v, "cont", NULL);
	vmm_wait_boot(&v, BOOT_SECONDS);
	print_sample(o, "boot_insns", kind, bench_clock() - start);
	print_sample(o, "boot_npt_faults", kind, vmm_npt_faults(v.pid));
	if (vmm_share_status(v.pid, &st))
		printf("# %s\n", st.line);
	vmm_quit(&v);
	host_pci_give_back(bdf);
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
	bench_clock_start();
	for (i = 0; i < o.repeats; i++)
		for (turn = 0; turn < 2; turn++)
			boot(&o, kind_of_turn(i, turn));
	return 0;
}
