// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live migration of a VM with an assigned device, by an unmodified QEMU, from one edu
 * of the emulated host to another (modules/edu_vfio.c). The guest's program has the
 * device write pages, and writes others itself, each with a number that counts up.
 *
 * 1. It arrives: at the other side every page holds what was written last, the
 *    program goes on, and the VM shares. It shared until the end on this side, and
 *    its vCPUs took no fault for being logged.
 * 2. Cancelled in the middle it goes on here, shared, with nothing lost.
 *
 * The control is the mutant whose IOMMU sets no dirty bits: pages that the device has
 * written arrive as they were before.
 *
 * bench: --bench amd-full --share --for-vmm
 */
#include "edu.h"
#include "module.h"
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_qmp.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define CASE_SECONDS	3600
#define MIGRATE_SECONDS	300
#define SOCKET		"/tmp/migrate"
#define SOME		8	/* pages that the device writes, 200 ms each */
#define POLL_US		100000
#define ROUNDS		4
#define SLOW_BYTES	(4 << 20)
#define MIGRATIONS	2	/* MIGRATIONS= in the environment: more */

struct side {
	struct vmm v;
	struct vmm_args args;
	struct vmm_options options;
	char bdf[BDF_LEN];
	char device[128];
};

static void start(struct side *s, unsigned int edu, bool incoming)
{
	memset(s, 0, sizeof(*s));
	host_pci_find(s->bdf, EDU_VENDOR, EDU_DEVICE, edu);
	module_bind("edu_vfio", s->bdf);
	vmm_args_add(&s->args, "-object", "iommufd,id=iommufd0");
	snprintf(s->device, sizeof(s->device),
		 "vfio-pci,id=edu,host=%s,iommufd=iommufd0,addr=0x10,enable-migration=on",
		 s->bdf);
	vmm_args_add(&s->args, "-device", s->device);
	if (incoming)
		vmm_args_add(&s->args, "-incoming", "defer");
	s->options.args = s->args.args;
	vmm_start(&s->v, &s->options);
}

static void start_work(struct side *s)
{
	vmm_guest_run(&s->v, VMM_SECONDS,
		      "(eduwork /tmp/edu >/tmp/edu.log 2>&1; echo $? >/tmp/edu.status) </dev/null >/dev/null 2>&1 & until [ -s /tmp/edu ] || [ -s /tmp/edu.status ]; do sleep 0.1; done");
}

static __u64 work_done(struct side *s)
{
	return vmm_guest_number(&s->v, "eduwork --count /tmp/edu");
}

static void work_more(struct side *s)
{
	__u64 wanted = work_done(s) + SOME;

	vmm_guest_run(&s->v, VMM_SECONDS,
		      "until [ $(eduwork --count /tmp/edu) -ge %llu ]; do [ ! -s /tmp/edu.status ] || exit 1; sleep 0.2; done",
		      wanted);
}

static void stop_work(struct side *s)
{
	char *log;
	int status;

	status = __vmm_guest_run(&s->v, VMM_SECONDS, &log,
				 "kill $(pidof eduwork); until [ -s /tmp/edu.status ]; do sleep 0.1; done; cat /tmp/edu.log; exit $(cat /tmp/edu.status)");
	ksft_print_msg("guest: %s\n", log);
	TEST_ASSERT(!status, "the guest's program ended with %d", status);
	free(log);
}

/* A number of query-migrate's answer, or 0. */
static __u64 number_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static char *ask(struct side *s)
{
	char *reply = NULL;
	bool ok;

	ok = __vmm_qmp(&s->v, &reply, "query-migrate", NULL);
	TEST_ASSERT(ok, "query-migrate: %s", reply);
	return reply;
}

/* Sent within a downtime of 1 ms is nothing at that speed: it goes on for ever. */
static void set_mib_per_s(struct side *s, unsigned int mib)
{
	vmm_qmp(&s->v, "migrate-set-parameters",
		"\"max-bandwidth\": %u, \"downtime-limit\": 1", mib << 20);
}

static void begin(struct side *from, struct side *to)
{
	unlink(SOCKET);
	vmm_qmp(&to->v, "migrate-incoming",
		"\"uri\": \"unix:" SOCKET "\", \"exit-on-error\": false");
	set_mib_per_s(from, 24);
	vmm_qmp(&from->v, "migrate", "\"uri\": \"unix:" SOCKET "\"");
}

/* Until QEMU says @status, or that it has failed. */
static char *wait_status(struct side *s, const char *status)
{
	unsigned int left = MIGRATE_SECONDS * 1000000 / POLL_US;
	char *reply;

	for (;; free(reply)) {
		reply = ask(s);
		if (strstr(reply, status))
			return reply;
		TEST_ASSERT(!strstr(reply, "\"failed\"") && left--,
			    "no %s: %s", status, reply);
		usleep(POLL_US);
	}
}

/* Most of memory is sent, and then both bitmaps have been read some times. */
static void wait_rounds(struct side *s)
{
	unsigned int left = MIGRATE_SECONDS * 1000000 / POLL_US;
	__u64 rounds = 0, remaining = 0;
	bool slow = false;
	char *reply;

	while (rounds < ROUNDS) {
		reply = wait_status(s, "\"active\"");
		rounds = number_of(reply, "\"dirty-sync-count\": ");
		remaining = number_of(reply, "\"remaining\": ");
		free(reply);
		if (!slow && rounds && remaining < SLOW_BYTES) {
			set_mib_per_s(s, 1);
			slow = true;
		}
		TEST_ASSERT(left--, "%llu rounds", rounds);
		usleep(POLL_US);
	}
}

static bool is_shared(struct side *s)
{
	struct vmm_share_status st;

	return vmm_share_status(s->v.pid, &st) && st.shared;
}

struct sum {
	__u64 rounds;
	__u64 pages;
	__u64 faults;
};

/* To the other edu, under work, and the VM shares until the end. */
static void move_over(struct side *from, struct side *to, unsigned int edu,
		      struct sum *sum)
{
	__u64 faults, device;
	char *reply;

	start(to, edu, true);
	faults = vmm_tdp_faults(from->v.pid);
	begin(from, to);
	wait_rounds(from);
	work_more(from);
	TEST_ASSERT(is_shared(from), "not shared in the middle of a migration");
	vmm_qmp(&from->v, "migrate-set-parameters",
		"\"max-bandwidth\": 1000000000, \"downtime-limit\": 3000");
	reply = wait_status(from, "\"completed\"");
	sum->faults += vmm_tdp_faults(from->v.pid) - faults;
	sum->rounds += number_of(reply, "\"dirty-sync-count\": ");
	sum->pages += number_of(reply, "\"normal\": ");
	device = number_of(reply, "\"vfio\": {\"transferred\": ");
	TEST_ASSERT(device, "the device was not migrated: %s", reply);
	free(reply);
	/* Before it runs nothing is taken from its serial port. */
	vmm_qmp_wait(&to->v, "RESUME", NULL, MIGRATE_SECONDS);
	vmm_quit(&from->v);
	work_more(to);
}

static void arrives(void)
{
	const char *wanted = getenv("MIGRATIONS");
	unsigned int i, n = wanted ? atoi(wanted) : MIGRATIONS;
	struct sum sum = { 0 };
	struct side sides[2];

	vmm_share_require();
	module_load("edu_vfio");
	start(&sides[0], 0, false);
	vmm_wait_boot(&sides[0].v, VMM_BOOT_SECONDS);
	start_work(&sides[0]);
	work_more(&sides[0]);
	for (i = 0; i < n; i++) {
		vmm_wait_shared(sides[i % 2].v.pid, VMM_SECONDS);
		move_over(&sides[i % 2], &sides[!(i % 2)], !(i % 2), &sum);
	}
	ksft_print_msg("%u migrations, %llu rounds, %llu pages sent, %llu faults of vCPUs\n",
		       n, sum.rounds, sum.pages, sum.faults);
	vmm_wait_shared(sides[n % 2].v.pid, VMM_SECONDS);
	stop_work(&sides[n % 2]);
	vmm_expect_clean_guest_log(&sides[n % 2].v);
	vmm_quit(&sides[n % 2].v);
	TEST_ASSERT_EQ(sum.faults, 0);
}

static void goes_on(void)
{
	struct side from, to;

	vmm_share_require();
	module_load("edu_vfio");
	start(&from, 0, false);
	vmm_wait_boot(&from.v, VMM_BOOT_SECONDS);
	start_work(&from);
	work_more(&from);
	vmm_wait_shared(from.v.pid, VMM_SECONDS);

	start(&to, 1, true);
	begin(&from, &to);
	wait_rounds(&from);
	work_more(&from);
	vmm_qmp(&from.v, "migrate_cancel", NULL);
	free(wait_status(&from, "\"cancelled\""));
	vmm_quit(&to.v);

	work_more(&from);
	TEST_ASSERT(is_shared(&from), "not shared after a migration");
	stop_work(&from);
	vmm_expect_clean_guest_log(&from.v);
	vmm_quit(&from.v);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "a VM with an assigned device arrives with all its pages",
		  arrives, CASE_SECONDS },
		{ "cancelled, it goes on here with all its pages", goes_on,
		  CASE_SECONDS },
	};

	vmm_require();
	__TEST_REQUIRE(module_exists("edu_vfio"),
		       "needs edu_vfio.ko, of the bench amd-full");
	return tap_run(cases, ARRAY_SIZE(cases));
}
