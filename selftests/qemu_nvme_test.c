// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unmodified QEMU with an assigned NVMe disk: the VM shares by itself, and
 * goes private and back while its guest works on the disk, without losing a
 * byte.
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
#define ROUNDS		12
#define PAIRS		5	/* to private and back, in a round */

enum iommu_api {
	API_CDEV,	/* -object iommufd, and the device by iommufd= */
	API_CONTAINER,	/* neither: /dev/vfio/vfio, which is iommufd's */
};

/* A VM that has not run yet. */
static void start(struct vmm *v, struct vmm_disk *disk, enum iommu_api api)
{
	const char *args[6] = { "-S", "-device", disk->arg };
	struct vmm_options options = { .args = args };

	vmm_disk_take(disk, 0);
	snprintf(disk->arg, sizeof(disk->arg), "vfio-pci,id=%s,host=%s%s",
		 disk->id, disk->bdf,
		 api == API_CDEV ? ",iommufd=iommufd0" : "");
	if (api == API_CDEV) {
		args[3] = "-object";
		args[4] = "iommufd,id=iommufd0";
	} else {
		host_use_iommufd_container();
	}
	vmm_start(v, &options);
}

/* Its driver, the one that it always has, finds the disk. */
static void boot(struct vmm *v, struct vmm_disk *disk)
{
	vmm_qmp(v, "cont", NULL);
	vmm_wait_boot(v, VMM_BOOT_SECONDS);
	vmm_disk_wait(v, disk);
	vmm_guest_run(v, VMM_SECONDS,
		      "readlink /sys/block/%s/device/device/driver | grep -q '/nvme$'",
		      disk->name);
}

static void end(struct vmm *v, const struct vmm_disk *disk)
{
	vmm_expect_clean_guest_log(v);
	vmm_quit(v);
	host_pci_give_back(disk->bdf);
}

static void read_status(struct vmm *v, struct vmm_share_status *st)
{
	TEST_ASSERT(vmm_share_status(v->pid, st), "the VM is not listed");
}

/* Control: bytes that the guest did not write there are found. */
static void expect_wrong_bytes_found(struct vmm *v, struct vmm_disk *disk)
{
	char *output;
	int status;

	vmm_work_start(v, disk);
	vmm_guest_run(v, VMM_SECONDS, "work spoil %s", disk->name);
	status = __vmm_guest_run(v, VMM_SECONDS, &output, "work stop %s",
				 disk->name);
	TEST_ASSERT(status && strstr(output, "wrote"),
		    "wrong bytes are not found: status %d: %s", status, output);
	free(output);
}

static void boots_and_shares(void)
{
	struct vmm_share_status st;
	struct vmm_disk disk;
	struct vmm v;

	vmm_share_require();
	start(&v, &disk, API_CDEV);
	boot(&v, &disk);
	vmm_wait_shared(v.pid, VMM_SECONDS);
	read_status(&v, &st);
	TEST_ASSERT_EQ(st.devices, 1);
	ksft_print_msg("%s\n", st.line);

	vmm_expect_one_table(&v, disk.bdf);
	vmm_work_some(&v, &disk);
	expect_wrong_bytes_found(&v, &disk);
	end(&v, &disk);
}

/*
 * Back to back, so that one comes before the device has forgotten the table of
 * the last one; and in either state the guest's I/O must go on.
 */
static void convert_at_work(struct vmm *v, struct vmm_disk *disk,
			    unsigned int rounds)
{
	while (rounds--) {
		vmm_convert(v, PAIRS - 1);
		vmm_work_more(v, disk);
		vmm_share_control(v->pid, "private");
		vmm_work_more(v, disk);
		vmm_share_control(v->pid, "share");
	}
}

static void converts_at_work(void)
{
	struct vmm_share_status before, after;
	struct vmm_disk disk;
	struct vmm v;
	__u64 ios;

	vmm_share_require();
	start(&v, &disk, API_CDEV);
	boot(&v, &disk);
	vmm_wait_shared(v.pid, VMM_SECONDS);
	vmm_work_start(&v, &disk);
	read_status(&v, &before);
	ios = vmm_work_count(&v, &disk);
	convert_at_work(&v, &disk, ROUNDS);
	ios = vmm_work_count(&v, &disk) - ios;
	read_status(&v, &after);
	vmm_work_stop(&v, &disk);

	ksft_print_msg("%llu to private, %llu to shared, %llu reads and writes meanwhile\n",
		       after.to_private - before.to_private,
		       after.to_shared - before.to_shared, ios);
	ksft_print_msg("%s\n", after.line);
	TEST_ASSERT(ios > 0, "no I/O");
	TEST_ASSERT_EQ(vmm_share_triggers(&after, "forced") -
		       vmm_share_triggers(&before, "forced"), ROUNDS * PAIRS);
	TEST_ASSERT_EQ(after.to_shared - before.to_shared,
		       after.to_private - before.to_private);
	TEST_ASSERT_EQ(after.failed, before.failed);
	end(&v, &disk);
}

static void stays_separate(void)
{
	struct vmm_share_status before, after;
	struct vmm_disk disk;
	struct vmm v;

	vmm_share_require();
	start(&v, &disk, API_CDEV);
	vmm_share_control(v.pid, "off");
	read_status(&v, &before);
	boot(&v, &disk);
	vmm_work_some(&v, &disk);
	vmm_wait_private(v.pid, "off", VMM_SECONDS);
	read_status(&v, &after);
	TEST_ASSERT_EQ(after.to_shared, before.to_shared);
	TEST_ASSERT_EQ(vmm_kvm_root(v.pid), 0);

	/* Control: it was the switch that kept it private. */
	vmm_share_control(v.pid, "auto");
	vmm_wait_shared(v.pid, VMM_SECONDS);
	vmm_expect_one_table(&v, disk.bdf);
	end(&v, &disk);
}

/* What there was until the guest's driver has found the disk. */
static __u64 faults_of_boot(const char *what, bool automatic, bool at_once)
{
	struct vmm_share_status st;
	struct vmm_disk disk;
	struct vmm v;
	__u64 faults;

	vmm_share_new_vms(automatic);
	start(&v, &disk, API_CDEV);
	vmm_share_new_vms(true);
	if (at_once)
		vmm_share_control(v.pid, "share");
	boot(&v, &disk);
	faults = vmm_tdp_faults(v.pid);
	read_status(&v, &st);
	ksft_print_msg("NPT faults of the boot, %s: %llu\n", what, faults);
	ksft_print_msg("%s\n", st.line);
	TEST_ASSERT_EQ(st.to_shared > 0, automatic);
	end(&v, &disk);
	return faults;
}

static void saves_faults(void)
{
	__u64 separate, shared;

	vmm_share_require();
	separate = faults_of_boot("separate tables", false, false);
	faults_of_boot("shared when it is quiet", true, false);
	shared = faults_of_boot("shared from the start", true, true);
	TEST_ASSERT(separate > 0, "no fault was counted");
	TEST_ASSERT(shared <= separate, "%llu faults shared, %llu separate",
		    shared, separate);
}

static void old_container_shares(void)
{
	struct vmm_disk disk;
	struct vmm v;

	vmm_share_require();
	start(&v, &disk, API_CONTAINER);
	boot(&v, &disk);
	vmm_wait_shared(v.pid, VMM_SECONDS);
	vmm_expect_one_table(&v, disk.bdf);
	vmm_work_start(&v, &disk);
	convert_at_work(&v, &disk, 1);
	vmm_work_stop(&v, &disk);
	end(&v, &disk);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a VM shares by itself when its guest has booted",
		  boots_and_shares, CASE_SECONDS },
		{ "conversions in both directions lose no byte of the disk's",
		  converts_at_work, CASE_SECONDS },
		{ "switched off, it stays private and works", stays_separate,
		  CASE_SECONDS },
		{ "a boot takes no more NPT faults shared than separate",
		  saves_faults, CASE_SECONDS },
		{ "a VMM that knows only the type1 container shares too",
		  old_container_shares, CASE_SECONDS },
	};

	vmm_require();
	return tap_run(cases, ARRAY_SIZE(cases));
}
