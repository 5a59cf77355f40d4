// SPDX-License-Identifier: GPL-2.0-only
/*
 * What befalls a VM under an unmodified QEMU: reboot, reset, memory that comes
 * and goes, a balloon, suspend, stop, SIGKILL, migration to a file. Each works
 * as it does without sharing, and the VM shares again after.
 *
 * bench: --share --for-vmm
 */
#include <glob.h>

#include "leaks.h"
#include "sysfile.h"
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_qmp.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define CASE_SECONDS	600
#define PAIRS		5	/* to private and back */

#define DIMM_BYTES	SIZE_256M
#define LEFT_MB		48	/* available in the guest before it comes */
#define NEW_MB		32	/* of it that must be used, at the least */
#define SIZE_1M		(1024ULL * 1024)
#define SIZE_256M	(256 * SIZE_1M)
#define BALLOON_BYTES	(128 * SIZE_1M)	/* what the guest keeps */

/* Of a case that runs in both ways. */
enum tables {
	ONE_TABLE,
	SEPARATE_TABLES,	/* control: the same without sharing */
};

static const enum tables shared = ONE_TABLE, separate = SEPARATE_TABLES;

struct life {
	struct vmm v;
	struct vmm_disk disk;
	enum tables tables;
	pid_t booted;		/* which QEMU's guest has, and ... */
	__u64 maps;		/* ... how often maps took it aside for that */
};

static void tell(const char *step)
{
	ksft_print_msg("%s\n", step);
}

/*
 * Nothing of all this takes the VM aside: memslots that come and go, and maps and
 * unmaps of the IOAS, cost what they change. QEMU keeps what is mapped for a
 * device, so that no conflict comes up either.
 */
static void expect_state(struct life *l)
{
	struct vmm_share_status st;

	if (l->tables == SEPARATE_TABLES) {
		vmm_wait_private(l->v.pid, "off", VMM_SECONDS);
		TEST_ASSERT_EQ(vmm_kvm_root(l->v.pid), 0);
		return;
	}
	vmm_wait_shared(l->v.pid, VMM_SECONDS);
	vmm_expect_one_table(&l->v, l->disk.bdf);
	TEST_ASSERT(vmm_share_status(l->v.pid, &st), "no status");
	ksft_print_msg("%s\n", st.line);
	TEST_ASSERT_EQ(vmm_share_triggers(&st, "conflict"), 0);
	if (l->booted == l->v.pid)
		TEST_ASSERT_EQ(vmm_share_triggers(&st, "map"), l->maps);
	l->booted = l->v.pid;
	l->maps = vmm_share_triggers(&st, "map");
}

/* All but the disk. */
static void add_machine(struct vmm_args *a)
{
	vmm_args_add_ports(a);
	vmm_args_add(a, "-device", "virtio-balloon-pci,id=balloon");
	vmm_args_add(a, "-global", "ICH9-LPC.disable_s3=0");
}

/* With its disk behind a port, where it can be unplugged. */
static void begin(struct life *l, enum tables how, const char *memory)
{
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .memory = memory, .args = args.args };

	vmm_share_require();
	l->tables = how;
	l->booted = 0;
	add_machine(&args);
	vmm_args_add_disk(&args, &l->disk, 0, 0);
	vmm_share_new_vms(how == ONE_TABLE);
	vmm_start(&l->v, &options);
	vmm_share_new_vms(true);
	vmm_wait_boot(&l->v, VMM_BOOT_SECONDS);
	vmm_disk_wait(&l->v, &l->disk);
	expect_state(l);
}

static void end(struct life *l)
{
	vmm_expect_clean_guest_log(&l->v);
	vmm_quit(&l->v);
	host_pci_give_back(l->disk.bdf);
}

static void wait_reset(struct life *l)
{
	vmm_qmp_wait(&l->v, "RESET", NULL, VMM_SECONDS);
	vmm_wait_boot(&l->v, VMM_BOOT_SECONDS);
	vmm_disk_wait(&l->v, &l->disk);
	expect_state(l);
	vmm_work_some(&l->v, &l->disk);
}

static void reboots(void)
{
	struct life l;

	begin(&l, ONE_TABLE, NULL);
	vmm_work_some(&l.v, &l.disk);

	tell("reboot");
	vmm_guest_send(&l.v, "reboot -f");
	wait_reset(&l);

	tell("reset in the middle of I/O");
	vmm_work_start(&l.v, &l.disk);
	vmm_work_more(&l.v, &l.disk);
	vmm_qmp(&l.v, "system_reset", NULL);
	wait_reset(&l);
	end(&l);
}

static __u64 guest_free_mb(struct life *l)
{
	return vmm_guest_number(&l->v,
		"sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo") /
	       1024;
}

static __u64 qemu_rss_mb(struct life *l)
{
	char path[64], text[8192];
	__u64 kb = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", l->v.pid);
	TEST_ASSERT(sysfile_read(path, text, sizeof(text)) &&
		    text_get(text, "VmRSS", 10, &kb), "%s", path);
	return kb / 1024;
}

/*
 * More than fitted in the guest's memory before goes from there to the disk,
 * and back.
 */
static void fill_and_copy(struct life *l, __u64 mb)
{
	vmm_guest_run(&l->v, VMM_SECONDS,
		      "dd if=/dev/urandom of=/tmp/base bs=1M count=8");
	/* The numbers shift what follows, so that no two pages are alike. */
	vmm_guest_run(&l->v, 3 * VMM_SECONDS,
		      "for i in $(seq %llu); do echo $i; cat /tmp/base; done >/mnt/file && truncate -s %lluM /mnt/file",
		      mb / 8 + 1, mb);
	vmm_guest_run(&l->v, 3 * VMM_SECONDS,
		      "dd if=/mnt/file of=/dev/%s bs=1M oflag=direct",
		      l->disk.name);
	vmm_guest_run(&l->v, 3 * VMM_SECONDS,
		      "dd if=/dev/%s bs=1M count=%llu iflag=direct | cmp - /mnt/file",
		      l->disk.name, mb);
	vmm_guest_run(&l->v, VMM_SECONDS, "rm /mnt/file /tmp/base");
}

static void plug_memory(struct life *l)
{
	__u64 before = vmm_pinned_bytes(l->v.pid), mb;

	/* Little is left, so that little need be copied. */
	vmm_guest_run(&l->v, VMM_SECONDS,
		      "mount -t tmpfs -o size=1G tmpfs /mnt && dd if=/dev/zero of=/mnt/full bs=1M count=%llu",
		      guest_free_mb(l) - LEFT_MB);
	mb = guest_free_mb(l);
	vmm_qmp(&l->v, "object-add",
		"\"qom-type\": \"memory-backend-ram\", \"id\": \"mem0\", \"size\": %llu",
		DIMM_BYTES);
	vmm_qmp(&l->v, "device_add",
		"\"driver\": \"pc-dimm\", \"id\": \"dimm0\", \"memdev\": \"mem0\"");
	vmm_guest_run(&l->v, VMM_SECONDS,
		      "until grep -q offline /sys/devices/system/memory/memory*/state; do sleep 0.1; done; for m in /sys/devices/system/memory/memory*; do grep -q offline $m/state && echo online_movable >$m/state; done; ! grep offline /sys/devices/system/memory/memory*/state");
	ksft_print_msg("the guest had %llu MB available, has %llu\n", mb,
		       guest_free_mb(l));
	expect_state(l);
	if (l->tables == ONE_TABLE)
		TEST_ASSERT_EQ(vmm_pinned_bytes(l->v.pid) - before, DIMM_BYTES);
	fill_and_copy(l, mb + NEW_MB);
	vmm_guest_run(&l->v, VMM_SECONDS, "umount /mnt");
	expect_state(l);
}

static void unplug_memory(struct life *l)
{
	__u64 before = vmm_pinned_bytes(l->v.pid);

	vmm_qmp(&l->v, "device_del", "\"id\": \"dimm0\"");
	vmm_qmp_wait(&l->v, "DEVICE_DELETED", "\"dimm0\"", VMM_SECONDS);
	vmm_qmp(&l->v, "object-del", "\"id\": \"mem0\"");
	expect_state(l);
	if (l->tables == ONE_TABLE)
		TEST_ASSERT_EQ(before - vmm_pinned_bytes(l->v.pid), DIMM_BYTES);
	vmm_work_some(&l->v, &l->disk);
}

static void set_balloon(struct life *l, __u64 bytes)
{
	char want[64];

	snprintf(want, sizeof(want), "\"actual\": %llu", bytes);
	vmm_qmp(&l->v, "balloon", "\"value\": %llu", bytes);
	vmm_qmp_wait(&l->v, "BALLOON_CHANGE", want, VMM_SECONDS);
}

/* With an assigned device QEMU gives nothing of it back to the host. */
static void inflate_and_deflate(struct life *l, __u64 all)
{
	__u64 pinned = vmm_pinned_bytes(l->v.pid), rss = qemu_rss_mb(l);
	__u64 mb = guest_free_mb(l);

	vmm_work_start(&l->v, &l->disk);
	set_balloon(l, BALLOON_BYTES);
	ksft_print_msg("the guest has %llu MB less\n", mb - guest_free_mb(l));
	TEST_ASSERT(mb - guest_free_mb(l) >= (all - BALLOON_BYTES) /
		    SIZE_1M / 2, "the balloon took too little");
	vmm_work_more(&l->v, &l->disk);
	TEST_ASSERT(qemu_rss_mb(l) + 16 >= rss, "QEMU had %llu MB, has %llu",
		    rss, qemu_rss_mb(l));
	expect_state(l);
	TEST_ASSERT_EQ(vmm_pinned_bytes(l->v.pid), pinned);

	set_balloon(l, all);
	vmm_work_more(&l->v, &l->disk);
	vmm_work_stop(&l->v, &l->disk);
	expect_state(l);
}

/* Until then the guest's serial port loses what it is sent. */
static void wait_awake(struct vmm *v)
{
	unsigned int left = VMM_SECONDS * VMM_TEXT_PER_SECOND;
	char *line;

	for (;;) {
		while ((line = vmm_text_line(&v->console))) {
			bool awake = !strcmp(line, "awake: 0");

			TEST_ASSERT(awake || strncmp(line, "awake", 5),
				    "the guest does not suspend: %s", line);
			free(line);
			if (awake)
				return;
		}
		TEST_ASSERT(left--, "the guest does not wake up");
		TEST_ASSERT(vmm_text_receive(&v->console), "QEMU ended");
	}
}

static void suspend(struct life *l)
{
	vmm_guest_send(&l->v, "echo mem >/sys/power/state; echo awake: $?");
	vmm_qmp_wait(&l->v, "SUSPEND", NULL, VMM_SECONDS);
	vmm_qmp(&l->v, "system_wakeup", NULL);
	vmm_qmp_wait(&l->v, "WAKEUP", NULL, VMM_SECONDS);
	wait_awake(&l->v);
}

static void stop_and_cont(struct life *l)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		vmm_work_more(&l->v, &l->disk);
		vmm_qmp(&l->v, "stop", NULL);
		vmm_qmp_wait(&l->v, "STOP", NULL, VMM_SECONDS);
		if (l->tables == ONE_TABLE)
			vmm_convert(&l->v, 1);
		vmm_qmp(&l->v, "cont", NULL);
		vmm_qmp_wait(&l->v, "RESUME", NULL, VMM_SECONDS);
	}
	vmm_work_more(&l->v, &l->disk);
	expect_state(l);
}

static void changes(const void *tables)
{
	struct life l;

	begin(&l, *(const enum tables *)tables, "256M,slots=4,maxmem=2G");
	tell("a balloon");
	inflate_and_deflate(&l, SIZE_256M);
	tell("memory is plugged");
	plug_memory(&l);
	tell("and unplugged");
	unplug_memory(&l);

	vmm_work_start(&l.v, &l.disk);
	tell("stop and cont in the middle of I/O");
	stop_and_cont(&l);
	tell("the guest suspends to RAM in the middle of I/O");
	suspend(&l);
	vmm_work_more(&l.v, &l.disk);
	expect_state(&l);
	vmm_work_stop(&l.v, &l.disk);
	end(&l);
}

/* With the host's own driver. */
static void host_uses_disk(const char *bdf)
{
	const size_t size = 65536;
	char pattern[128];
	char *wrote, *read_back;
	unsigned int polls = VMM_SECONDS * 100;
	glob_t g;
	int fd;

	snprintf(pattern, sizeof(pattern),
		 "/sys/bus/pci/devices/%s/nvme/nvme*/nvme*n1", bdf);
	while (glob(pattern, 0, NULL, &g) && polls--)
		usleep(10000);
	TEST_ASSERT(g.gl_pathc == 1, "no %s", pattern);
	snprintf(pattern, sizeof(pattern), "/dev/%s",
		 strrchr(g.gl_pathv[0], '/') + 1);
	globfree(&g);

	wrote = aligned_alloc(getpagesize(), size);
	read_back = aligned_alloc(getpagesize(), size);
	TEST_ASSERT(wrote && read_back, "aligned_alloc");
	memset(wrote, 0x5c, size);
	memset(read_back, 0, size);
	fd = open(pattern, O_RDWR | O_DIRECT | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "open %s: %s", pattern, strerror(errno));
	TEST_ASSERT_EQ(pwrite(fd, wrote, size, 0), size);
	TEST_ASSERT_EQ(pread(fd, read_back, size, 0), size);
	TEST_ASSERT(!memcmp(wrote, read_back, size), "%s keeps nothing",
		    pattern);
	close(fd);
	free(wrote);
	free(read_back);
}

static void killed(void)
{
	struct leak_counts before, after;
	struct life l;

	tell("SIGKILL in the middle of I/O");
	leak_counts_read(&before);
	begin(&l, ONE_TABLE, NULL);
	vmm_work_start(&l.v, &l.disk);
	vmm_convert(&l.v, PAIRS);
	vmm_work_more(&l.v, &l.disk);
	vmm_kill(&l.v);
	if (!leak_counts_settle(&before, &after)) {
		leak_counts_print_diff(&before, &after);
		TEST_FAIL("something is left of it");
	}

	tell("the host has its disk back");
	host_pci_give_back(l.disk.bdf);
	host_uses_disk(l.disk.bdf);

	tell("the same VM again");
	vmm_disk_take(&l.disk, 0);
	begin(&l, ONE_TABLE, NULL);
	vmm_work_some(&l.v, &l.disk);
	end(&l);
}

static void migrates(void)
{
	static const char * const path = "/tmp/qemu_lifecycle_migration";
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .args = args.args };
	char incoming[64];
	struct life l;

	begin(&l, ONE_TABLE, NULL);
	vmm_work_some(&l.v, &l.disk);
	vmm_guest_run(&l.v, VMM_SECONDS,
		      "dd if=/dev/urandom of=/tmp/a bs=1M count=32 && md5sum /tmp/a >/tmp/sum");
	vmm_qmp(&l.v, "migrate-set-capabilities",
		"\"capabilities\": [{\"capability\": \"events\", \"state\": true}]");

	tell("with the disk it can't migrate, as ever");
	TEST_ASSERT(!__vmm_qmp(&l.v, NULL, "migrate", "\"uri\": \"file:%s\"",
			       path), "it goes with a VFIO device");
	vmm_work_some(&l.v, &l.disk);
	expect_state(&l);

	tell("without it, it goes to a file");
	vmm_disk_unplug(&l.v, &l.disk);
	vmm_expect_clean_guest_log(&l.v);
	vmm_qmp(&l.v, "migrate", "\"uri\": \"file:%s\"", path);
	vmm_qmp_wait(&l.v, "MIGRATION", "\"completed\"", VMM_SECONDS);
	vmm_quit(&l.v);

	tell("and lives on in another QEMU");
	snprintf(incoming, sizeof(incoming), "file:%s", path);
	add_machine(&args);
	vmm_args_add(&args, "-incoming", incoming);
	vmm_start(&l.v, &options);
	vmm_qmp_wait(&l.v, "RESUME", NULL, VMM_SECONDS);
	vmm_guest_run(&l.v, VMM_SECONDS, "md5sum -c /tmp/sum");
	unlink(path);

	tell("where it gets its disk again");
	vmm_disk_plug(&l.v, &l.disk, 0);
	expect_state(&l);
	vmm_work_start(&l.v, &l.disk);
	vmm_convert(&l.v, PAIRS);
	vmm_work_more(&l.v, &l.disk);
	vmm_work_stop(&l.v, &l.disk);
	end(&l);
}

/*
 * The tables by which the host's own driver does DMA are not given back. What is
 * counted for leaks must not have them appear in the middle of a case.
 */
static void warm_up(void)
{
	struct vmm_disk disk;

	vmm_disk_take(&disk, 0);
	host_pci_give_back(disk.bdf);
	host_uses_disk(disk.bdf);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a reboot and a reset: it shares again, the disk works",
		  reboots, CASE_SECONDS },
		{ "balloon, memory hotplug, stop, suspend: one table",
		  .run_with = changes, .arg = &shared,
		  .timeout = CASE_SECONDS },
		{ "balloon, memory hotplug, stop, suspend: separate tables",
		  .run_with = changes, .arg = &separate,
		  .timeout = CASE_SECONDS },
		{ "killed: nothing is left, and all works again", killed,
		  CASE_SECONDS },
		{ "migrates to a file and back, without its disk", migrates,
		  CASE_SECONDS },
	};

	vmm_require();
	warm_up();
	return tap_run(cases, ARRAY_SIZE(cases));
}
