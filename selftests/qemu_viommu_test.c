// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vIOMMU in the guest of an unmodified QEMU: while it translates the IOAS
 * holds the guest's IOVAs, which the device has, in a table of its own or in the
 * VM's beside its memory; while it does not the IOAS holds GPAs and is shared.
 *
 * bench: --share --for-vmm
 */
#include "mmu_share.h"
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define CASE_SECONDS	600
#define PAIRS		5	/* to private and back */

static void start(struct vmm *v, struct vmm_disk *disk, const char *append)
{
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .append = append, .args = args.args };

	vmm_share_require();
	vmm_args_add(&args, "-device", "intel-iommu,caching-mode=on");
	vmm_args_add_ports(&args);
	vmm_args_add_disk(&args, disk, 0, 0);
	vmm_start(v, &options);
	vmm_wait_boot(v, VMM_BOOT_SECONDS);
	vmm_disk_wait(v, disk);
}

static void end(struct vmm *v, struct vmm_disk *disk)
{
	vmm_expect_clean_guest_log(v);
	vmm_quit(v);
	host_pci_give_back(disk->bdf);
}

/* How the guest's kernel uses its IOMMU for the disk. */
static bool guest_domain_is(struct vmm *v, const char *type)
{
	char *output;
	int status;

	status = __vmm_guest_run(v, VMM_SECONDS, &output, "cat %s",
				 "/sys/bus/pci/drivers/nvme/0*/iommu_group/type");
	TEST_ASSERT(!status, "no IOMMU in the guest: %s", output);
	ksft_print_msg("the guest's domain: %s\n", output);
	status = !strncmp(output, type, strlen(type));
	free(output);
	return status;
}

/*
 * Whether the table is shared hangs on which IOVAs are mapped when that is looked
 * at: not if one of them is an address where the VM has memory or firmware.
 */
static void translates(void)
{
	struct vmm_share_status status;
	struct mmu_share_info info;
	struct vmm_disk disk;
	struct vmm v;

	start(&v, &disk, "intel_iommu=on iommu.passthrough=0");
	TEST_ASSERT(guest_domain_is(&v, "DMA"), "it does not translate");
	for (int round = 0; round < 2; round++) {
		vmm_work_start(&v, &disk);
		vmm_work_more(&v, &disk);
		vmm_work_stop(&v, &disk);

		TEST_ASSERT(vmm_share_status(v.pid, &status), "no status");
		ksft_print_msg("%s\n", status.line);
		if (vmm_share_info(v.pid, &info))
			TEST_ASSERT(!info.common_bytes,
				    "%llu bytes are an IOVA and the VM's memory",
				    info.common_bytes);
		/* An order may be refused, and changes nothing then. */
		__vmm_share_control(v.pid, "share");
	}
	end(&v, &disk);
}

static void passes_through(void)
{
	struct vmm_share_status st;
	struct vmm_disk disk;
	struct vmm v;

	start(&v, &disk, "intel_iommu=on iommu=pt");
	TEST_ASSERT(guest_domain_is(&v, "identity"), "it translates");
	vmm_wait_shared(v.pid, VMM_SECONDS);
	vmm_expect_one_table(&v, disk.bdf);
	vmm_work_start(&v, &disk);
	vmm_convert(&v, PAIRS);
	vmm_work_more(&v, &disk);
	vmm_work_stop(&v, &disk);
	TEST_ASSERT(vmm_share_status(v.pid, &st), "no status");
	ksft_print_msg("%s\n", st.line);
	end(&v, &disk);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a vIOMMU that translates: the device has IOVAs, the disk works",
		  translates, CASE_SECONDS },
		{ "a vIOMMU that passes through: shared, the disk works",
		  passes_through, CASE_SECONDS },
	};

	vmm_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
