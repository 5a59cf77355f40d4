// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program behind scripts/qemu-stock: boots a guest under QEMU with an
 * assigned disk and prints what two kernels must have alike, a line each:
 * QEMU's ioctls with their results, the bits of SPTEs and of the disk's
 * device-table entry, what the guest sees of its machine, what its disk keeps.
 */
#include <linux/kvm.h>

#include "amd_iommu.h"
#include "bpftrace.h"
#include "test_util.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_work.h"

#define SCRIPT	"qemu_record.bt"

/* How often and with what result these are called is a matter of time. */
static const __u32 timely[] = {
	KVM_RUN, KVM_SIGNAL_MSI, KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS,
	KVM_GET_TSC_KHZ,
};

static void print_lines(const char *what, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (*line)
			printf("record %s %s\n", what, line);
}

static bool is_timely(unsigned long command)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(timely); i++)
		if (timely[i] == command)
			return true;
	return false;
}

/* "@ioctl[44547, 7, 1]: 12", "@spte[1, 3187, 0]: 4" */
static void print_traced(char *text)
{
	unsigned long long a, b;
	char *line, name[16];
	long long c;

	while ((line = strsep(&text, "\n"))) {
		if (sscanf(line, "@%15[a-z][%llu, %llu, %lld]", name, &a, &b,
			   &c) != 4)
			continue;
		if (!strcmp(name, "ioctl") && is_timely(a))
			continue;
		printf("record %s %#llx %#llx %lld\n", name, a, b, c);
	}
}

/* Addresses, and the domain's id, are what they happen to be. */
static void print_dte(const char *bdf)
{
	struct amd_dte dte;

	amd_dte_read(bdf, &dte);
	printf("record dte %#llx %#llx\n", dte.q[0] & ~DTE_ROOT_MASK,
	       dte.q[1] & ~DTE_DOMAIN_MASK);
}

int main(void)
{
	static char traced[COMMAND_TEXT];
	struct vmm_disk disk;
	const char * const args[] = { "-object", "iommufd,id=iommufd0",
				      "-device", disk.arg, NULL };
	struct vmm_options options = { .args = args };
	struct command tracer;
	struct vmm v;
	char *output;

	vmm_require();
	bpftrace_start(&tracer, SCRIPT, NULL, "Recording");
	vmm_disk_take(&disk, 0);
	snprintf(disk.arg, sizeof(disk.arg),
		 "vfio-pci,id=%s,host=%s,iommufd=iommufd0", disk.id, disk.bdf);
	vmm_start(&v, &options);
	vmm_wait_boot(&v, VMM_BOOT_SECONDS);
	vmm_disk_wait(&v, &disk);
	print_dte(disk.bdf);

	TEST_ASSERT(!__vmm_guest_run(&v, VMM_SECONDS, &output,
				     "record machine"), "%s", output);
	print_lines("machine", output);
	TEST_ASSERT(!__vmm_guest_run(&v, VMM_SECONDS, &output, "record disk %s",
				     disk.name), "%s", output);
	print_lines("disk", output);

	vmm_expect_clean_guest_log(&v);
	vmm_quit(&v);
	host_pci_give_back(disk.bdf);
	bpftrace_end(&tracer, traced);
	print_traced(traced);
	return 0;
}
