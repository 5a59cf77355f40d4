// SPDX-License-Identifier: GPL-2.0-only
/* Starts and ends an unmodified QEMU with a Linux guest, on the emulated host. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "hang.h"
#include "iommu_hw.h"
#include "kmsg.h"
#include "sysfile.h"
#include "tap.h"
#include "vmm.h"
#include "vmm_guest.h"
#include "vmm_qmp.h"
#include "vmm_state.h"

#define QEMU		"/usr/bin/qemu-system-x86_64"
#define GUEST_DIR	"/share/guest"
#define MAX_ARGS	128
#define MAX_LOG		(1024 * 1024)
#define LOG_TAIL	3000	/* bytes to print when a case fails */
#define QUIT_SECONDS	120
#define LOG_SECONDS	60
#define END_OF_LOG	"tdp: the end of the log"

/*
 * Warnings and worse go to the console. A serial port costs an exit a byte, and
 * the rest is in the guest's dmesg.
 */
#define GUEST_CMDLINE	"console=ttyS0,115200 loglevel=5 panic=0 no_timer_check " \
			"kunit.enable=0"

/* What a guest's kernel must not log while it is looked after well. */
static const char * const guest_complaints[] = {
	"WARNING:", "BUG:", "Oops", "Call Trace:", "Kernel panic",
	"I/O error", "timeout", "Timeout", "timed out", "Abort status",
	"EXT4-fs error", "EXT4-fs warning", "Remounting filesystem",
	"Tx Unit Hang", "Detected Hardware Unit Hang", "reset adapter",
	"blocked for more than", NULL
};

static struct vmm *running;
static pid_t owner;	/* of these; a child that fails must leave them alone */

void vmm_require(void)
{
	debugfs_mount();
	if (access(QEMU, X_OK) || access(GUEST_DIR "/initramfs", R_OK) ||
	    access(GUEST_DIR "/bzImage", R_OK))
		ksft_exit_skip("no QEMU, or no guest (scripts/guest-image)\n");
	if (access("/dev/kvm", F_OK) || access("/dev/iommu", F_OK))
		ksft_exit_skip("no /dev/kvm or no /dev/iommu\n");
}

static char *read_log(struct vmm *v, const char *name)
{
	char path[VMM_DIR_LEN + 32], *text = malloc(MAX_LOG);

	TEST_ASSERT(text, "malloc");
	snprintf(path, sizeof(path), "%s/%s", v->dir, name);
	if (!sysfile_read(path, text, MAX_LOG))
		*text = '\0';
	return text;
}

static void print_log(struct vmm *v, const char *name)
{
	char *text = read_log(v, name), *rest = text, *line;
	size_t len = strlen(text);

	if (len > LOG_TAIL)
		rest += len - LOG_TAIL;
	while ((line = strsep(&rest, "\r\n")))
		if (*line)
			ksft_print_msg("%s: %s\n", name, line);
	free(text);
}

/* All that there is of it; it may be dead, or have never come up. */
static void release(struct vmm *v)
{
	static const char * const logs[] = { "qemu", "guest" };
	char path[VMM_DIR_LEN + 32];
	struct vmm **p;
	int i;

	for (p = &running; *p; p = &(*p)->next) {
		if (*p == v) {
			*p = v->next;
			break;
		}
	}
	v->pid = 0;
	vmm_text_close(&v->qmp);
	vmm_text_close(&v->console);
	vmm_text_close(&v->events);
	close(v->kmsg);
	for (i = 0; i < ARRAY_SIZE(logs); i++) {
		snprintf(path, sizeof(path), "%s/%s", v->dir, logs[i]);
		unlink(path);
	}
	rmdir(v->dir);
}

/* An assertion ended the case. */
static void kill_all(void)
{
	int status;

	while (running && getpid() == owner) {
		vmm_print_state(running);
		print_log(running, "qemu");
		print_log(running, "guest");
		kill(running->pid, SIGKILL);
		waitpid(running->pid, &status, 0);
		release(running);
	}
}

static int make_pair(struct vmm_text *ours)
{
	int socks[2];

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks),
		    "socketpair");
	vmm_text_open(ours, socks[0]);
	return socks[1];
}

struct argv {
	const char *args[MAX_ARGS];
	unsigned int n;
};

static void add(struct argv *a, const char *arg)
{
	TEST_ASSERT(a->n < MAX_ARGS - 1, "too many arguments");
	a->args[a->n++] = arg;
}

static void add2(struct argv *a, const char *option, const char *value)
{
	add(a, option);
	add(a, value);
}

static void __printf(3, 4) addf(struct argv *a, const char *option,
				const char *value, ...)
{
	va_list ap;
	char *text;

	va_start(ap, value);
	TEST_ASSERT(vasprintf(&text, value, ap) >= 0, "vasprintf");
	va_end(ap);
	add2(a, option, text);
}

/* In the child, which becomes QEMU. */
static void __noreturn become_qemu(struct vmm *v, const struct vmm_options *o,
				   int qmp, int console)
{
	struct argv a = { .n = 0 };
	char path[VMM_DIR_LEN + 32];
	int log, i;

	/* When the case is killed nobody is there to do it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/qemu", v->dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	fcntl(qmp, F_SETFD, 0);
	fcntl(console, F_SETFD, 0);

	add(&a, QEMU);
	add2(&a, "-accel", "kvm");
	add2(&a, "-machine", o->machine ?: "q35");
	add2(&a, "-cpu", "host");
	add2(&a, "-m", o->memory ?: "512M");
	add2(&a, "-display", "none");
	add(&a, "-nodefaults");
	add(&a, "-no-user-config");
	add2(&a, "-kernel", GUEST_DIR "/bzImage");
	add2(&a, "-initrd", GUEST_DIR "/initramfs");
	addf(&a, "-append", GUEST_CMDLINE " %s", o->append ?: "");
	addf(&a, "-serial", "file:%s/guest", v->dir);
	addf(&a, "-chardev", "socket,id=console,fd=%d", console);
	add2(&a, "-device", "isa-serial,index=1,chardev=console");
	addf(&a, "-chardev", "socket,id=qmp,fd=%d", qmp);
	add2(&a, "-mon", "chardev=qmp,mode=control");
	for (i = 0; o->args && o->args[i]; i++)
		add(&a, o->args[i]);
	add(&a, NULL);
	execv(QEMU, (char **)a.args);
	_exit(127);
}

void vmm_start(struct vmm *v, const struct vmm_options *options)
{
	int qmp, console;

	memset(v, 0, sizeof(*v));
	snprintf(v->dir, sizeof(v->dir), "/tmp/vmm-XXXXXX");
	TEST_ASSERT(mkdtemp(v->dir), "mkdtemp");
	vmm_text_open(&v->events, -1);
	qmp = make_pair(&v->qmp);
	console = make_pair(&v->console);
	v->iommu_mark = iommu_events_mark();
	v->kmsg = kmsg_open_at_end();

	fflush(NULL);
	v->pid = fork();
	TEST_ASSERT(v->pid >= 0, "fork");
	if (!v->pid)
		become_qemu(v, options, qmp, console);
	close(qmp);
	close(console);
	v->next = running;
	running = v;
	if (owner != getpid())
		atexit(kill_all);
	owner = getpid();
	vmm_qmp_connect(v);
}

static void reap(struct vmm *v, int want)
{
	int status;

	if (wait_or_kill(v->pid, QUIT_SECONDS, &status) != CHILD_ENDED)
		TEST_FAIL("QEMU does not end");
	if (status != want)
		print_log(v, "qemu");
	TEST_ASSERT(status == want, "QEMU ended with status %#x, not %#x",
		    status, want);
	vmm_expect_no_iommu_events(v);
	release(v);
}

void vmm_quit(struct vmm *v)
{
	/* It may be gone before it answers. */
	TEST_ASSERT(vmm_text_send(&v->qmp, "{\"execute\": \"quit\"}\n"),
		    "QEMU ended by itself");
	reap(v, 0);
}

void vmm_kill(struct vmm *v)
{
	TEST_ASSERT(!kill(v->pid, SIGKILL), "kill");
	reap(v, SIGKILL);
}

void vmm_expect_no_iommu_events(struct vmm *v)
{
	static const char * const needles[] = { "Event logged [",
						"fault addr 0x", NULL };
	unsigned int n = iommu_events_since(v->iommu_mark);
	char line[KMSG_LINE];

	/* The event log may have come round to where it was: then this tells. */
	TEST_ASSERT(!kmsg_find(v->kmsg, needles, line), "%s", line);
	TEST_ASSERT(!n, "%u IOMMU events", n);
}

bool vmm_guest_log_has(struct vmm *v, const char *needle)
{
	char *text = read_log(v, "guest");
	bool has = strstr(text, needle);

	free(text);
	return has;
}

void vmm_expect_clean_guest_log(struct vmm *v)
{
	int i;

	/* That this comes out shows that the log is all there. */
	vmm_guest_run(v, LOG_SECONDS, "echo '<4>" END_OF_LOG "' >/dev/kmsg");
	for (i = 0; i < LOG_SECONDS * 100 &&
	     !vmm_guest_log_has(v, END_OF_LOG); i++)
		usleep(10000);
	TEST_ASSERT(vmm_guest_log_has(v, END_OF_LOG), "no log of the guest");
	for (i = 0; guest_complaints[i]; i++)
		TEST_ASSERT(!vmm_guest_log_has(v, guest_complaints[i]),
			    "'%s' in the guest's log", guest_complaints[i]);
}
