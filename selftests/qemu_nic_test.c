// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unmodified QEMU with an assigned NIC, which talks to the host through
 * another one: while the VM goes private and back, each byte and each datagram
 * arrives, in both directions.
 *
 * bench: --share --for-vmm
 */
#include "nic_peer.h"
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_host.h"
#include "vmm_share.h"
#include "vmm_work.h"

#define CASE_SECONDS	600
#define ROUNDS		9
#define PAIRS		5	/* to private and back, in a round */
#define SOME_BYTES	(256 * 1024)
#define SOME_DATAGRAMS	64
#define POLL_US		10000

/* The host's end, which stays with it. */
static char peer[BDF_LEN];

/* What the guest gets. */
struct nic {
	__u16 vendor;
	__u16 device;
	const char *driver;	/* the guest's */
};

/* How much was moved so far. */
static __u64 stream_amount(void *arg)
{
	return nic_stream_bytes(arg);
}

static __u64 datagram_amount(void *arg)
{
	return nic_datagrams_count(arg);
}

static void wait_more(__u64 (*amount)(void *arg), void *arg, __u64 more)
{
	unsigned int polls = VMM_SECONDS * (1000000 / POLL_US);
	__u64 want = amount(arg) + more;

	while (amount(arg) < want && polls--)
		usleep(POLL_US);
	TEST_ASSERT(amount(arg) >= want, "no more traffic after %llu",
		    amount(arg));
}

/* Returns what was moved between the first conversion and the last. */
static __u64 convert_at_talk(struct vmm *v, __u64 (*amount)(void *arg),
			     void *arg, __u64 more)
{
	struct vmm_share_status before, after;
	__u64 start, moved;
	unsigned int i;

	vmm_wait_shared(v->pid, VMM_SECONDS);
	TEST_ASSERT(vmm_share_status(v->pid, &before), "no status");
	vmm_share_control(v->pid, "private");
	start = amount(arg);
	vmm_share_control(v->pid, "share");
	for (i = 0; i < ROUNDS; i++) {
		vmm_convert(v, PAIRS);
		wait_more(amount, arg, more);
		vmm_share_control(v->pid, "private");
		wait_more(amount, arg, more);
		vmm_share_control(v->pid, "share");
	}
	moved = amount(arg) - start;
	TEST_ASSERT(vmm_share_status(v->pid, &after), "no status");
	TEST_ASSERT_EQ(vmm_share_triggers(&after, "forced") -
		       vmm_share_triggers(&before, "forced"),
		       ROUNDS * (PAIRS + 1) + 1);
	ksft_print_msg("%llu to private, %llu to shared\n",
		       after.to_private - before.to_private,
		       after.to_shared - before.to_shared);
	return moved;
}

/* In the guest, in the background. */
static void start_talk(struct vmm *v, const char *args)
{
	vmm_guest_run(v, VMM_SECONDS,
		      "rm -f /tmp/talk.*; (nictalk %s >/tmp/talk.out; echo $? >/tmp/talk.status) </dev/null >/dev/null 2>&1 &",
		      args);
}

static __u64 end_talk(struct vmm *v, const char *what)
{
	vmm_guest_run(v, VMM_SECONDS,
		      "until [ -s /tmp/talk.status ]; do sleep 0.1; done; cat /tmp/talk.out; exit $(cat /tmp/talk.status)");
	return vmm_guest_number(v, "sed -n 's/^%s //p' /tmp/talk.out", what);
}

static void datagrams(struct vmm *v)
{
	char args[32];
	struct nic_datagrams d;
	__u64 moved;

	/* Control: that a datagram gets no answer is seen. */
	TEST_ASSERT(!nic_datagrams_answered(), "who answers?");

	snprintf(args, sizeof(args), "echo %d", NIC_PORT);
	start_talk(v, args);
	vmm_guest_run(v, VMM_SECONDS,
		      "until netstat -lun | grep ':%d '; do sleep 0.1; done",
		      NIC_PORT);

	nic_datagrams_start(&d);
	wait_more(datagram_amount, &d, SOME_DATAGRAMS);
	moved = convert_at_talk(v, datagram_amount, &d, SOME_DATAGRAMS);
	nic_datagrams_stop(&d);
	ksft_print_msg("%llu packets there and back, %llu during conversions, %llu lost\n",
		       d.answered, moved, d.lost);
	TEST_ASSERT_EQ(d.lost, 0);
	TEST_ASSERT(moved, "no traffic");
	TEST_ASSERT_EQ(end_talk(v, "echoed"), d.answered);
}

static void streams(struct vmm *v)
{
	struct nic_stream s;
	char args[64];
	__u64 moved;

	snprintf(args, sizeof(args), "stream %s %d", NIC_HOST_ADDRESS,
		 NIC_PORT);
	nic_stream_listen(&s);
	start_talk(v, args);
	nic_stream_start(&s);
	wait_more(stream_amount, &s, SOME_BYTES);
	moved = convert_at_talk(v, stream_amount, &s, SOME_BYTES);
	nic_stream_stop(&s);
	ksft_print_msg("%llu bytes to the guest, %llu from it, %llu during conversions\n",
		       s.sent, s.received, moved);
	TEST_ASSERT(moved, "no traffic");
	TEST_ASSERT_EQ(end_talk(v, "received"), s.sent);
	TEST_ASSERT_EQ(end_talk(v, "sent"), s.received);
}

static void wait_link(struct vmm *v, const struct nic *nic)
{
	vmm_guest_run(v, VMM_SECONDS,
		      "until ls /sys/bus/pci/drivers/%s/0*/net; do sleep 0.1; done",
		      nic->driver);
	vmm_guest_run(v, VMM_SECONDS,
		      "ip link set eth0 up && until grep 1 /sys/class/net/eth0/carrier; do sleep 0.1; done");
	vmm_guest_run(v, VMM_SECONDS,
		      "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad && ip addr add %s/%d dev eth0",
		      NIC_GUEST_ADDRESS, NIC_PREFIX);
	vmm_guest_run(v, VMM_SECONDS,
		      "until ping6 -c 1 -W 1 %s; do :; done", NIC_HOST_ADDRESS);
}

static void talks(const void *arg)
{
	const struct nic *nic = arg;
	char bdf[BDF_LEN], device[64];
	struct vmm_args args = { .n = 0 };
	struct vmm_options options = { .args = args.args };
	struct vmm v;

	vmm_share_require();
	host_pci_take(bdf, nic->vendor, nic->device, 0);
	snprintf(device, sizeof(device),
		 "vfio-pci,id=nic,host=%s,iommufd=iommufd0,bus=port0", bdf);
	vmm_args_add_ports(&args);
	vmm_args_add(&args, "-device", device);
	vmm_start(&v, &options);
	vmm_wait_boot(&v, VMM_BOOT_SECONDS);
	nic_peer_up(peer);
	wait_link(&v, nic);
	vmm_wait_shared(v.pid, VMM_SECONDS);
	vmm_expect_one_table(&v, bdf);

	datagrams(&v);
	streams(&v);

	nic_peer_down(peer);
	vmm_expect_clean_guest_log(&v);
	vmm_quit(&v);
	host_pci_give_back(bdf);
}

int main(void)
{
	static const struct nic igb = { IGB_VENDOR, IGB_DEVICE, "igb" };
	static const struct nic e1000e = {
		E1000E_VENDOR, E1000E_DEVICE, "e1000e"
	};
	static const struct tap_case cases[] = {
		{ "an igb loses no byte and no datagram in conversions",
		  .run_with = talks, .arg = &igb, .timeout = CASE_SECONDS },
		{ "an e1000e loses no byte and no datagram in conversions",
		  .run_with = talks, .arg = &e1000e, .timeout = CASE_SECONDS },
	};

	vmm_require();
	host_pci_find(peer, E1000E_VENDOR, E1000E_DEVICE, 1);
	nic_peer_bypass(peer);
	return tap_run(cases, ARRAY_SIZE(cases));
}
