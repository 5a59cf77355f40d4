// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of an unmodified QEMU come and go while its guest runs: the VM shares
 * whenever it has one, and what stays goes on working.
 *
 * bench: --share --for-vmm
 */
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_qmp.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define CASE_SECONDS	600
#define ROUNDS		4
#define PAIRS		4	/* to private and back, in a round */

static void read_status(struct vmm *v, struct vmm_share_status *st)
{
	TEST_ASSERT(vmm_share_status(v->pid, st), "the VM is not listed");
}

/* It shares, with that many devices. */
static void expect_devices(struct vmm *v, unsigned int n)
{
	struct vmm_share_status st;

	vmm_wait_shared(v->pid, VMM_SECONDS);
	read_status(v, &st);
	TEST_ASSERT_EQ(st.devices, n);
	ksft_print_msg("%s\n", st.line);
}

/* A VM without a device on iommufd is no business of this project's. */
static void expect_not_listed(struct vmm *v)
{
	unsigned int polls = VMM_SECONDS * 100;
	struct vmm_share_status st;

	while (vmm_share_status(v->pid, &st) && polls--)
		usleep(10000);
	TEST_ASSERT(!vmm_share_status(v->pid, &st), "still listed: %s",
		    st.line);
	TEST_ASSERT_EQ(vmm_kvm_root(v->pid), 0);
}

static void guest_goes_on(struct vmm *v)
{
	vmm_guest_run(v, VMM_SECONDS,
		      "dd if=/dev/urandom of=/tmp/a bs=1M count=16 && cp /tmp/a /tmp/b && cmp /tmp/a /tmp/b && rm /tmp/a /tmp/b");
}

static void convert_at_work(struct vmm *v, const struct vmm_disk *disks,
			    unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < ROUNDS; i++) {
		vmm_convert(v, PAIRS);
		for (j = 0; j < n; j++)
			vmm_work_more(v, &disks[j]);
	}
}

static void end(struct vmm *v, const struct vmm_disk *disks, unsigned int n)
{
	vmm_expect_clean_guest_log(v);
	vmm_quit(v);
	while (n--)
		host_pci_give_back(disks[n].bdf);
}

static void two_devices(void)
{
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .args = args.args };
	struct vmm_share_status before, after;
	struct vmm_disk disks[2];
	struct vmm v;
	int i;

	vmm_share_require();
	vmm_args_add_ports(&args);
	for (i = 0; i < 2; i++)
		vmm_args_add_disk(&args, &disks[i], i, i);
	vmm_start(&v, &options);
	vmm_wait_boot(&v, VMM_BOOT_SECONDS);

	ksft_print_msg("both work through conversions\n");
	for (i = 0; i < 2; i++) {
		vmm_disk_wait(&v, &disks[i]);
		vmm_work_start(&v, &disks[i]);
	}
	expect_devices(&v, 2);
	for (i = 0; i < 2; i++)
		vmm_expect_one_table(&v, disks[i].bdf);
	read_status(&v, &before);
	convert_at_work(&v, disks, 2);
	read_status(&v, &after);
	TEST_ASSERT_EQ(vmm_share_triggers(&after, "forced") -
		       vmm_share_triggers(&before, "forced"), ROUNDS * PAIRS);

	ksft_print_msg("one is unplugged while the other works\n");
	vmm_work_stop(&v, &disks[1]);
	vmm_disk_unplug(&v, &disks[1]);
	vmm_work_more(&v, &disks[0]);
	expect_devices(&v, 1);
	vmm_expect_one_table(&v, disks[0].bdf);
	convert_at_work(&v, disks, 1);

	ksft_print_msg("and comes back, at another port\n");
	vmm_disk_plug(&v, &disks[1], 2);
	vmm_work_more(&v, &disks[0]);
	expect_devices(&v, 2);
	vmm_work_start(&v, &disks[1]);
	for (i = 0; i < 2; i++)
		vmm_expect_one_table(&v, disks[i].bdf);
	convert_at_work(&v, disks, 2);
	for (i = 0; i < 2; i++)
		vmm_work_stop(&v, &disks[i]);
	end(&v, disks, 2);
}

static void late_device(void)
{
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .args = args.args };
	struct vmm_share_status st;
	struct vmm_disk disk;
	struct vmm v;
	int turn;

	vmm_share_require();
	vmm_args_add_ports(&args);
	vmm_disk_take(&disk, 0);
	vmm_start(&v, &options);
	vmm_wait_boot(&v, VMM_BOOT_SECONDS);
	TEST_ASSERT(!vmm_share_status(v.pid, &st), "no device, but: %s",
		    st.line);

	for (turn = 0; turn < 2; turn++) {
		ksft_print_msg("plugged, time %d\n", turn + 1);
		vmm_disk_plug(&v, &disk, turn);
		expect_devices(&v, 1);
		vmm_expect_one_table(&v, disk.bdf);
		vmm_work_start(&v, &disk);
		convert_at_work(&v, &disk, 1);
		vmm_work_stop(&v, &disk);

		ksft_print_msg("unplugged, time %d\n", turn + 1);
		vmm_disk_unplug(&v, &disk);
		expect_not_listed(&v);
		guest_goes_on(&v);
	}
	end(&v, &disk, 1);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "two disks work through conversions, one goes and comes back",
		  two_devices, CASE_SECONDS },
		{ "the only disk comes late, goes, and comes back", late_device,
		  CASE_SECONDS },
	};

	vmm_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
