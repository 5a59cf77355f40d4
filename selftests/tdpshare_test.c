// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operator's command. What it makes of any list that a kernel may give it:
 * these are lists of the test's own. Then that it shows and changes what a VM
 * of this kernel does.
 *
 * bench: --share
 * bench-intel: --vtd mode=scalable --share
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "auto_vm.h"
#include "json.h"
#include "operator.h"
#include "sysfile.h"
#include "tap.h"

#define FAKE		"/tmp/tdpshare-test"
#define FAKE_VMS	FAKE "/iommufd_tdp/vms"
#define FAKE_CONTROL	FAKE "/iommufd_tdp/control"
#define KVM_SHARE	"/sys/module/kvm/parameters/share_iommu_tdp"
#define IOMMUFD		"/sys/module/iommufd"
#define NOBODY		65534
#define VALUE_LEN	512
#define CASE_LIMIT	300	/* seconds */

/* Two VMs, the second with what a case is about. */
#define SHARED_VM \
	"pid=812 comm=qemu-system-x86 hwpt=3 devices=2 mode=auto " \
	"state=shared reason=none error=0 last=conflict to_shared=5 " \
	"to_private=4 failed=0 shared_ns=7384000000000 private_ns=2345678 " \
	"longest_ns=34567 triggers=map:2,conflict:1,attach:0,dirty:0," \
	"claim:0,off:0,forced:1"
#define PRIVATE_VM(comm, reason, error) \
	"pid=90071 comm=" comm " hwpt=11 devices=1 mode=auto " \
	"state=private reason=" reason " error=" error " last=none " \
	"to_shared=0 to_private=0 failed=17 shared_ns=0 private_ns=999 " \
	"longest_ns=0 triggers=map:0,conflict:0,attach:0,dirty:0,claim:0," \
	"off:0,forced:0"

static struct operator_result r;

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t len = strlen(text);

	TEST_ASSERT(fd >= 0 && write(fd, text, len) == len, "write %s", path);
	close(fd);
}

static void fake_list(const char *text)
{
	mkdir(FAKE, 0755);
	mkdir(FAKE "/iommufd_tdp", 0755);
	write_file(FAKE_VMS, text);
	write_file(FAKE_CONTROL, "");
	setenv("TDPSHARE_DEBUGFS", FAKE, 1);
}

/* Where this case, and nobody else, sees other mounts. */
static void mounts_of_its_own(void)
{
	TEST_ASSERT(!unshare(CLONE_NEWNS), "unshare");
	TEST_ASSERT(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
		    "make mounts private");
}

static void hide(const char *dir)
{
	TEST_ASSERT(!mount("tmpfs", dir, "tmpfs", 0, NULL), "hide %s", dir);
}

static void unhide(const char *path)
{
	TEST_ASSERT(!umount(path), "umount %s", path);
}

static void put_over(const char *path, const char *text)
{
	write_file(FAKE "/over", text);
	TEST_ASSERT(!mount(FAKE "/over", path, NULL, MS_BIND, NULL),
		    "mount over %s", path);
}

/* The kind and the value must both be right. */
static void expect_json(const char *path, enum json_kind kind,
			const char *expected)
{
	char value[VALUE_LEN] = "";
	enum json_kind found = json_get(r.out, path, value, sizeof(value));

	TEST_ASSERT(found == kind, "%s: kind %d, not %d", path, found, kind);
	TEST_ASSERT(!strcmp(value, expected), "%s is \"%s\", not \"%s\"", path,
		    value, expected);
}

static void expect_success(const char *args)
{
	operator_run(&r, "%s", args);
	TEST_ASSERT(!r.status && !*r.err, "tdpshare %s: status %d, %s", args,
		    r.status, r.err);
}

/* Status 1, and one line that names @advice. */
static void expect_failure(const char *args, const char *advice)
{
	char *end;

	operator_run(&r, "%s", args);
	TEST_ASSERT(r.status == 1, "tdpshare %s: status %d", args, r.status);
	end = strchr(r.err, '\n');
	TEST_ASSERT(end && !end[1], "not one line: %s", r.err);
	TEST_ASSERT(strstr(r.err, advice), "no \"%s\" in: %s", advice, r.err);
}

/* All later cases lean on it. */
static void reader_is_strict(void)
{
	static const char * const bad[] = {
		"", "[", "[1,]", "{\"a\":1,}", "[1 2]", "[01]", "[1.]", "[+1]",
		"[-]", "[1e]", "[.5]", "{a:1}", "{\"a\"}", "[\"\n\"]",
		"[\"\\x41\"]", "[\"\\u12g4\"]", "[\"\\ud800\"]",
		"[\"\\udc00\"]", "[\"\xff\"]", "[\"\xc0\x80\"]",
		"[\"\xed\xa0\x80\"]", "[\"\xf5\x80\x80\x80\"]", "[\"\xe2\x82\"]",
		"[\"a]", "[nul]", "[] []", "['a']", "[\"\\", "[\"\\u00",
	};
	static const char good[] =
		" [ {\"a\": {\"b\" :[-0.5e+1, true, null ,{}]}}, [], 0,\t"
		"\"\\u0041\\n\\ud83d\\ude00\xc3\xa4\\\"\" ] ";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		TEST_ASSERT(json_error(bad[i]), "accepted: %s", bad[i]);
	TEST_ASSERT(!json_error(good), "refused from: %s", json_error(good));
	snprintf(r.out, sizeof(r.out), "%s", good);
	expect_json("[0].a.b[0]", JSON_NUMBER, "-0.5e+1");
	expect_json("[0].a.b[2]", JSON_LITERAL, "null");
	expect_json("[3]", JSON_STRING, "A\n\xf0\x9f\x98\x80\xc3\xa4\"");
	expect_json("[0].b", JSON_ABSENT, "");
}

/* Every reason has words and an advice of its own; a VM that shares none. */
static void each_reason(void)
{
	static const char * const reasons[] = {
		"settling", "no-hwpt", "kind", "no-mirror", "refused",
		"foreign", "split", "off", "forced", "of-a-later-kernel",
	};
	char why[ARRAY_SIZE(reasons)][VALUE_LEN];
	char advice[ARRAY_SIZE(reasons)][VALUE_LEN];
	char list[2048], *line;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		snprintf(list, sizeof(list),
			 SHARED_VM "\n" PRIVATE_VM("vmm", "%s", "0") "\n",
			 reasons[i]);
		fake_list(list);
		expect_success("--json");
		expect_json("[0].state", JSON_STRING, "shared");
		expect_json("[0].why", JSON_STRING, "");
		expect_json("[1].state", JSON_STRING, "private");
		expect_json("[1].reason", JSON_STRING, reasons[i]);
		json_get(r.out, "[1].why", why[i], VALUE_LEN);
		json_get(r.out, "[1].advice", advice[i], VALUE_LEN);
		TEST_ASSERT(*why[i] && *advice[i], "no words for %s",
			    reasons[i]);
		for (j = 0; j < i; j++)
			TEST_ASSERT(strcmp(why[i], why[j]) &&
				    strcmp(advice[i], advice[j]),
				    "%s and %s read the same", reasons[i],
				    reasons[j]);

		/* People read the same, behind the second VM and once. */
		expect_success("");
		line = strstr(r.out, " 90071 ");
		TEST_ASSERT(line && strstr(line, why[i]) &&
			    strstr(line, advice[i]) && strstr(line, reasons[i]),
			    "not for %s: %s", reasons[i], r.out);
		line = strstr(r.out, "private now");
		TEST_ASSERT(line && !strstr(line + 1, "private now") &&
			    line > strstr(r.out, " 90071 "),
			    "not the private VM's: %s", r.out);
	}
}

static void figures_are_the_kernels(void)
{
	static const char * const numbers[][2] = {
		{ "pid", "812" }, { "hwpt", "3" }, { "devices", "2" },
		{ "error", "0" }, { "to_shared", "5" }, { "to_private", "4" },
		{ "failed", "0" }, { "shared_ns", "7384000000000" },
		{ "private_ns", "2345678" }, { "longest_ns", "34567" },
		{ "triggers.map", "2" }, { "triggers.conflict", "1" },
		{ "triggers.attach", "0" }, { "triggers.dirty", "0" },
		{ "triggers.claim", "0" }, { "triggers.off", "0" },
		{ "triggers.forced", "1" },
	};
	static const char * const words[] = {
		" 812 ", " shared ", " auto ", " 2 h 03 m ", " 2.3 ms ",
		" 34.6 us ", "map 2, conflict 1, forced 1", "last: conflict",
		" 17 ", "errno 1,",
	};
	char path[64];
	unsigned int i;

	fake_list(SHARED_VM "\n" PRIVATE_VM("vmm", "refused", "1") "\n");
	expect_success("--json");
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(path, sizeof(path), "[0].%s", numbers[i][0]);
		expect_json(path, JSON_NUMBER, numbers[i][1]);
	}
	expect_json("[0].mode", JSON_STRING, "auto");
	expect_json("[0].last", JSON_STRING, "conflict");
	expect_json("[1].failed", JSON_NUMBER, "17");
	expect_json("[1].error", JSON_NUMBER, "1");
	expect_json("[2]", JSON_ABSENT, "");

	expect_success("");
	for (i = 0; i < ARRAY_SIZE(words); i++)
		TEST_ASSERT(strstr(r.out, words[i]), "no \"%s\" in: %s",
			    words[i], r.out);
	/* What never happened is not listed. */
	TEST_ASSERT(!strstr(r.out, "attach 0"), "%s", r.out);
}

/* As prctl(PR_SET_NAME) takes them, and the kernel's list shows them. */
static void hostile_names(void)
{
	static const struct {
		const char *listed, *json, *text;
	} names[] = {
		{ "CPU\\0400/KVM", "CPU 0/KVM", "CPU 0/KVM\n" },
		{ "a\"b',:{}[]", "a\"b',:{}[]", "a\"b',:{}[]\n" },
		{ "back\\134slash\\134", "back\\slash\\",
		  "back\\\\slash\\\\\n" },
		{ "tab\\011nl\\012", "tab\tnl\n", "tab\\011nl\\012\n" },
		{ "\x1b[2Jesc\x7f", "\x1b[2Jesc\x7f", "\\033[2Jesc\\177\n" },
		{ "\\033[2J", "\x1b[2J", "\\033[2J\n" },
		{ "\xc3\xa4", "\xc3\xa4", "\\303\\244\n" },
		{ "x\xff\xc3(", "x\xef\xbf\xbd\xef\xbf\xbd(",
		  "x\\377\\303(\n" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		  "\\355\\240\\200\n" },
		{ "\\377", "\xef\xbf\xbd", "\\377\n" },
		{ "state=shared", "state=shared", "state=shared\n" },
		{ "12345", "12345", "12345\n" },
		{ "\\9\\08\\", "\\9\\08\\", "\\\\9\\\\08\\\\\n" },
		{ "%s%n", "%s%n", "%s%n\n" },
		{ "", "", "\n" },
	};
	char list[2048];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(list, sizeof(list), PRIVATE_VM("%s", "foreign", "0") "\n"
			 SHARED_VM "\n", names[i].listed);
		fake_list(list);
		expect_success("--json");
		expect_json("[0].comm", JSON_STRING, names[i].json);
		expect_json("[0].state", JSON_STRING, "private");
		expect_json("[1].comm", JSON_STRING, "qemu-system-x86");

		expect_success("");
		TEST_ASSERT(strstr(r.out, names[i].text), "no \"%s\" in: %s",
			    names[i].text, r.out);
		TEST_ASSERT(!strchr(r.out, '\x1b') && !strchr(r.out, '\x7f'),
			    "the terminal gets a control character");
	}
}

static void other_keys(void)
{
	fake_list("pid=5 state=shared later=00 word=a\\040b none= =none = x\n"
		  "\n"
		  "pid=6 state=private triggers=,map,map:,map:x,:1,quiet:007\n"
		  SHARED_VM " added=-3 added_ns=12345678901234567890\n");
	expect_success("--json");
	expect_json("[0].pid", JSON_NUMBER, "5");
	expect_json("[0].later", JSON_NUMBER, "0");
	expect_json("[0].word", JSON_STRING, "a b");
	expect_json("[0].none", JSON_STRING, "");
	expect_json("[0].comm", JSON_ABSENT, "");
	expect_json("[1].triggers.quiet", JSON_NUMBER, "7");
	expect_json("[1].triggers.map", JSON_ABSENT, "");
	expect_json("[2].pid", JSON_NUMBER, "812");
	expect_json("[2].added", JSON_NUMBER, "-3");
	expect_json("[2].added_ns", JSON_NUMBER, "12345678901234567890");
	expect_json("[3]", JSON_ABSENT, "");
	expect_success("");
	TEST_ASSERT(strstr(r.out, " 812 "), "%s", r.out);
}

static void one_pid(void)
{
	fake_list(SHARED_VM "\n" PRIVATE_VM("vmm", "off", "0") "\n");
	expect_success("--json --pid 90071");
	expect_json("[0].pid", JSON_NUMBER, "90071");
	expect_json("[1]", JSON_ABSENT, "");
	expect_success("--pid 812");
	TEST_ASSERT(strstr(r.out, " 812 ") && !strstr(r.out, "90071"), "%s",
		    r.out);
	expect_failure("--pid 81", "81 ");
	expect_failure("--json --pid 8120", "8120 ");

	/* Nobody is no error; that nobody can is, see below. */
	fake_list("");
	expect_success("--json");
	TEST_ASSERT(!json_error(r.out), "%s", r.out);
	expect_json("[0]", JSON_ABSENT, "");
	expect_success("");
	TEST_ASSERT(strstr(r.out, "No VM"), "%s", r.out);
}

/* One write each, as the kernel takes one command a write. */
static void commands_reach_the_kernel(void)
{
	static const char * const commands[][2] = {
		{ "off 812", "812 off\n" }, { "auto 812", "812 auto\n" },
		{ "share 90071", "90071 share\n" },
		{ "private 90071", "90071 private\n" },
	};
	char text[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		fake_list(SHARED_VM "\n");
		expect_success(commands[i][0]);
		TEST_ASSERT(sysfile_read(FAKE_CONTROL, text, sizeof(text)),
			    "no " FAKE_CONTROL);
		TEST_ASSERT(!strcmp(text, commands[i][1]), "%s wrote \"%s\"",
			    commands[i][0], text);
	}

	/* A directory by option goes before one in the environment. */
	setenv("TDPSHARE_DEBUGFS", "/nowhere", 1);
	expect_failure("off 812", "/nowhere");
	expect_success("--debugfs " FAKE " off 812");

	/* The host's switch, on a host that has one. */
	mounts_of_its_own();
	hide(IOMMUFD);
	expect_failure("host on", "iommufd.tdp_share");
	mkdir(IOMMUFD "/parameters", 0755);
	for (i = 0; i < 2; i++) {
		write_file(IOMMUFD "/parameters/tdp_share", "-");
		expect_success(i ? "host on" : "host off");
		TEST_ASSERT(sysfile_read(IOMMUFD "/parameters/tdp_share", text,
					 sizeof(text)), "no tdp_share");
		TEST_ASSERT(!strcmp(text, i ? "Y" : "N"), "wrote %s", text);
		setenv("TDPSHARE_DEBUGFS", FAKE, 1);
		expect_success("");
		TEST_ASSERT(!!strstr(r.out, "host on") == !i, "%s", r.out);
	}
}

static void wrong_usage(void)
{
	static const char * const wrong[] = {
		"frobnicate", "off", "off x", "off 0", "off -1", "off 1 2",
		"off 12x", "off 99999999999", "share", "private", "auto",
		"host", "host maybe", "host on 1", "--pid", "--pid x",
		"--pid 08", "--nonsense", "-j", "--json off 812",
		"--pid 812 off 812", "--debugfs",
	};
	char text[8];
	unsigned int i;

	fake_list(SHARED_VM "\n");
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		operator_run(&r, "%s", wrong[i]);
		TEST_ASSERT(r.status == 2, "%s: status %d", wrong[i], r.status);
		TEST_ASSERT(strstr(r.err, "--help") && !*r.out,
			    "%s: %s%s", wrong[i], r.err, r.out);
	}
	TEST_ASSERT(sysfile_read(FAKE_CONTROL, text, sizeof(text)) && !*text,
		    "a wrong command reached the kernel");

	expect_success("--help");
	TEST_ASSERT(strstr(r.out, "usage:") &&
		    strstr(r.out, "TDPSHARE_DEBUGFS"), "%s", r.out);
	expect_success("off 812");
}

/* Each thing that may be missing, and the same command when it is there. */
static void says_what_is_missing(void)
{
	fake_list("");
	expect_success("--json");
	mounts_of_its_own();

	put_over(KVM_SHARE, "N\n");
	expect_failure("", "kvm.share_iommu_tdp=1");
	expect_failure("--json", "kvm.share_iommu_tdp=1");
	expect_failure("--pid 812", "kvm.share_iommu_tdp=1");
	unsetenv("TDPSHARE_DEBUGFS");
	expect_failure("share 812345", "kvm.share_iommu_tdp=1");
	setenv("TDPSHARE_DEBUGFS", FAKE, 1);
	unhide(KVM_SHARE);
	hide("/sys/module/kvm/parameters");
	expect_failure("", "kvm.share_iommu_tdp");
	unhide("/sys/module/kvm/parameters");
	hide("/sys/module");
	expect_failure("", "modprobe kvm_amd");
	unhide("/sys/module");
	expect_success("");

	/* The list itself is not there. */
	rename(FAKE_VMS, FAKE "/vms");
	expect_failure("", "iommufd.tdp_share");
	rename(FAKE "/vms", FAKE_VMS);
	expect_success("");

	unsetenv("TDPSHARE_DEBUGFS");
	hide(DEBUGFS);
	expect_failure("", "mount -t debugfs");
	expect_failure("share 812", "mount -t debugfs");
	unhide(DEBUGFS);

	setenv("TDPSHARE_DEBUGFS", FAKE, 1);
	chmod(FAKE_VMS, 0600);
	hide(IOMMUFD);
	mkdir(IOMMUFD "/parameters", 0755);
	write_file(IOMMUFD "/parameters/tdp_share", "-");
	expect_success("share 812");
	expect_success("--json");
	expect_success("host on");
	TEST_ASSERT(!setresuid(NOBODY, NOBODY, NOBODY), "setresuid");
	expect_failure("share 812", "as root");
	expect_failure("--json", "as root");
	expect_failure("host on", "as root");
	unsetenv("TDPSHARE_DEBUGFS");
	expect_failure("", "as root");
}

/* Each command, from a state that it must change. */
static void vm_obeys(void)
{
	pid_t pid = getpid();
	struct auto_vm a;
	__u64 shared, private;

	vmm_share_require();
	expect_failure("share 812345", "812345");
	auto_vm_create(&a);
	operator_wait(pid, "state", "shared");
	TEST_ASSERT_EQ(operator_get_number(pid, "devices"), 2);
	TEST_ASSERT(operator_get_number(pid, "hwpt"), "no HWPT");

	/* Nothing but the operator from here on. */
	operator_share_by_order_only();
	shared = operator_get_number(pid, "to_shared");
	private = operator_get_number(pid, "triggers.forced");
	operator_do("private %d", pid);
	auto_vm_expect_private(&a);
	operator_wait(pid, "state", "private");
	operator_wait(pid, "reason", "forced");
	operator_do("share %d", pid);
	auto_vm_expect_shared(&a);
	operator_wait(pid, "state", "shared");
	operator_wait(pid, "reason", "none");
	TEST_ASSERT_EQ(operator_get_number(pid, "to_shared"), shared + 1);
	TEST_ASSERT_EQ(operator_get_number(pid, "triggers.forced"),
		       private + 1);

	operator_do("off %d", pid);
	auto_vm_expect_private(&a);
	operator_wait(pid, "mode", "off");
	operator_wait(pid, "state", "private");
	operator_wait(pid, "reason", "off");
	TEST_ASSERT_EQ(operator_get_number(pid, "triggers.off"), 1);
	operator_run(&r, "share %d", pid);
	TEST_ASSERT(r.status == 1, "share while it is off: %d", r.status);
	TEST_ASSERT_EQ(operator_get_number(pid, "to_shared"), shared + 1);

	operator_set_parameter("tdp_quiet_ms", "1");
	operator_do("auto %d", pid);
	operator_wait(pid, "mode", "auto");
	auto_vm_wait_shared(&a);
	operator_wait(pid, "state", "shared");
	TEST_ASSERT_EQ(operator_get_number(pid, "to_shared"), shared + 2);
	auto_vm_destroy(&a);

	/* A VM that is gone is not listed, and not to be commanded. */
	operator_run(&r, "share %d", pid);
	TEST_ASSERT(r.status == 1, "share of a VM that is gone: %d", r.status);
}

/* The VM that runs keeps what it has. */
static void host_switch_is_for_new_vms(void)
{
	pid_t pid = getpid();
	struct auto_vm a;

	vmm_share_require();
	operator_set_parameter("tdp_share", "Y");
	operator_set_parameter("tdp_quiet_ms", "1");
	auto_vm_create(&a);
	operator_do("host off");
	operator_wait(pid, "mode", "auto");
	operator_do("private %d", pid);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);

	auto_vm_create_detached(&a);
	auto_vm_attach(&a, AUTO_HWPT);
	auto_vm_map_slot0(&a);
	share_vm_map(&a.s, &a.mem);
	operator_wait(pid, "mode", "off");
	operator_wait(pid, "reason", "off");
	TEST_ASSERT_EQ(operator_get_number(pid, "to_shared"), 0);
	auto_vm_expect_private(&a);
	operator_do("auto %d", pid);
	auto_vm_wait_shared(&a);
	auto_vm_destroy(&a);

	operator_do("host on");
	auto_vm_create(&a);
	operator_wait(pid, "mode", "auto");
	auto_vm_destroy(&a);
}

int main(void)
{
	static const struct tap_case cases[] = {
		{ "the test's own JSON reader is strict", reader_is_strict },
		{ "each reason has its words and its advice", each_reason },
		{ "figures and triggers are the kernel's, in JSON as numbers",
		  figures_are_the_kernels },
		{ "no name of a process breaks JSON, lines or the terminal",
		  hostile_names },
		{ "keys that are new, missing or odd break nothing",
		  other_keys },
		{ "--pid selects", one_pid },
		{ "commands reach the kernel's files",
		  commands_reach_the_kernel },
		{ "wrong usage: status 2, nothing done", wrong_usage },
		{ "what is missing: status 1 and one line that says what to do",
		  says_what_is_missing },
		{ "a VM is shown as shared, and obeys", vm_obeys, CASE_LIMIT },
		{ "the host's switch is for new VMs",
		  host_switch_is_for_new_vms, CASE_LIMIT },
	};

	share_vm_require(true);
	return tap_run(cases, ARRAY_SIZE(cases));
}
