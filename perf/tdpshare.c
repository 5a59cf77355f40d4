// SPDX-License-Identifier: GPL-2.0-only
/*
 * tdpshare: what shares KVM's table with the IOMMU on this host, why the rest
 * does not, and the operator's switches.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vm_line.h"

#define DEFAULT_DEBUGFS	"/sys/kernel/debug"
#define KVM_MODULE	"/sys/module/kvm"
#define KVM_SHARE	KVM_MODULE "/parameters/share_iommu_tdp"
#define IOMMUFD_MODULE	"/sys/module/iommufd"
#define HOST_SHARE	IOMMUFD_MODULE "/parameters/tdp_share"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

static const char *debugfs;

static const char help[] =
"usage: tdpshare [--json] [--pid PID] [--debugfs DIR]\n"
"       tdpshare [--debugfs DIR] off|auto|share|private PID\n"
"       tdpshare host on|off\n"
"\n"
"Without a command: one entry for each VM that has a device on iommufd. Is the\n"
"VM's table shared with the IOMMU, if not why and what to do about it, how often\n"
"and by what that changed, how long the VM was in each state.\n"
"\n"
"  off PID        private from now on\n"
"  auto PID       shared whenever that is possible, which is the default\n"
"  share PID      shared now; waits until it is done\n"
"  private PID    private now; waits until it is done; shared again when quiet\n"
"  host on|off    whether VMs that start from now on share by themselves\n"
"\n"
"  --json         an array with one object for each VM, for programs\n"
"  --pid PID      this VM only\n"
"  --debugfs DIR  where debugfs is (default: $TDPSHARE_DEBUGFS, or\n"
"                 " DEFAULT_DEBUGFS ")\n"
"  --help         this text\n"
"\n"
"Exit status: 0 done, 1 failed (standard error says why), 2 wrong usage.\n";

#define failed(fmt, ...) \
	(fprintf(stderr, "tdpshare: " fmt "\n", ##__VA_ARGS__), EXIT_FAILED)
#define bad_usage(fmt, ...) \
	(fprintf(stderr, "tdpshare: " fmt "; see tdpshare --help\n", \
		 ##__VA_ARGS__), EXIT_USAGE)

/* -1: there is no such parameter. */
static int parameter(const char *path)
{
	FILE *f = fopen(path, "r");
	int c;

	if (!f)
		return -1;
	c = fgetc(f);
	fclose(f);
	return c == 'Y' || c == '1';
}

static int no_sharing_here(void)
{
	if (access(KVM_MODULE, F_OK))
		return failed("KVM is not loaded: modprobe kvm_amd, or kvm_intel");
	switch (parameter(KVM_SHARE)) {
	case -1:
		return failed("this kernel has no kvm.share_iommu_tdp: boot one that has");
	case 0:
		return failed("sharing is off on this host: boot with kvm.share_iommu_tdp=1");
	}
	if (access(IOMMUFD_MODULE, F_OK))
		return failed("iommufd is not loaded: modprobe iommufd");
	return failed("this kernel has no iommufd.tdp_share: boot one that has");
}

static int no_such_vm(const char *pid)
{
	if (parameter(KVM_SHARE) != 1)
		return no_sharing_here();
	return failed("no VM of process %s has a device on iommufd: tdpshare lists all",
		      pid);
}

/* Why a file of ours can't be opened. */
static int no_file(const char *path)
{
	int error = errno;
	bool empty = true;
	struct dirent *e;
	DIR *dir;

	if (error == EACCES || error == EPERM)
		return failed("%s: %s: run tdpshare as root", path,
			      strerror(error));
	if (error != ENOENT && error != ENOTDIR)
		return failed("%s: %s", path, strerror(error));
	dir = opendir(debugfs);
	while (dir && empty && (e = readdir(dir)))
		empty = e->d_name[0] == '.';
	if (dir)
		closedir(dir);
	if (empty)
		return failed("debugfs is not mounted: mount -t debugfs none %s",
			      debugfs);
	return no_sharing_here();
}

static char *debugfs_path(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/iommufd_tdp/%s", debugfs, name) < 0)
		abort();
	return path;
}

static void print_vm(struct vm *vm, bool json, bool first)
{
	if (json) {
		fputs(first ? "\n" : ",\n", stdout);
		vm_print_json(vm);
	} else {
		if (first)
			vm_print_text_header();
		vm_print_text(vm);
	}
}

static int show(bool json, const char *pid)
{
	char *path = debugfs_path("vms"), *line = NULL;
	FILE *f = fopen(path, "r");
	unsigned int shown = 0;
	size_t size = 0;
	struct vm vm;
	int r, host;

	if (!f) {
		r = no_file(path);
		free(path);
		return r;
	}
	free(path);
	if (json)
		putchar('[');
	while (getline(&line, &size, f) > 0) {
		vm_parse(&vm, line);
		if (!vm.nr || (pid && !vm_is(&vm, "pid", pid)))
			continue;
		print_vm(&vm, json, !shown++);
	}
	r = ferror(f);
	free(line);
	fclose(f);
	if (json)
		puts(shown ? "\n]" : "]");
	if (r)
		return failed("cannot read the list of VMs");

	if (!shown && pid)
		return no_such_vm(pid);
	if (!shown && parameter(KVM_SHARE) != 1)
		return no_sharing_here();
	if (!json && !shown)
		puts("No VM has a device on iommufd.");
	host = parameter(HOST_SHARE);
	if (!json && host >= 0)
		printf("New VMs %s\n", host ? "share by themselves." :
		       "stay private: tdpshare host on changes that.");
	return EXIT_OK;
}

/* One write, as a command is one. Returns 0 or an errno. */
static int write_text(int fd, const char *text)
{
	ssize_t len = strlen(text), n = write(fd, text, len);

	if (n < 0)
		return errno;
	return n == len ? 0 : EIO;
}

static int control(const char *command, const char *pid)
{
	char *path = debugfs_path("control"), *text;
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0) {
		r = no_file(path);
		free(path);
		return r;
	}
	free(path);
	if (asprintf(&text, "%s %s\n", pid, command) < 0)
		abort();
	r = write_text(fd, text);
	free(text);
	close(fd);

	switch (r) {
	case 0:
		return EXIT_OK;
	case ESRCH:
		return no_such_vm(pid);
	case EINVAL:
		return failed("this kernel knows no \"%s\": use the tdpshare of its version",
			      command);
	default:
		return failed("%s %s: errno %d, %s: see tdpshare --pid %s, and dmesg",
			      command, pid, r, strerror(r), pid);
	}
}

static int host_switch(bool on)
{
	int fd = open(HOST_SHARE, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0 && errno == ENOENT)
		return no_sharing_here();
	if (fd < 0)
		return failed(HOST_SHARE ": %s: run tdpshare as root",
			      strerror(errno));
	r = write_text(fd, on ? "Y" : "N");
	close(fd);
	return r ? failed(HOST_SHARE ": %s", strerror(r)) : EXIT_OK;
}

/* As the kernel prints a PID, so that one can be compared with the other. */
static bool is_pid(const char *text)
{
	return is_number(text) && *text >= '1' && *text <= '9' &&
	       strlen(text) < 10;
}

static int run_command(int argc, char **argv)
{
	static const char * const controls[] = {
		"off", "auto", "share", "private"
	};
	unsigned int i;

	if (!strcmp(argv[0], "host")) {
		if (argc != 2 || (strcmp(argv[1], "on") &&
				  strcmp(argv[1], "off")))
			return bad_usage("host takes on or off");
		return host_switch(!strcmp(argv[1], "on"));
	}
	for (i = 0; i < ARRAY_SIZE(controls); i++)
		if (!strcmp(argv[0], controls[i]))
			break;
	if (i == ARRAY_SIZE(controls))
		return bad_usage("unknown command: %s", argv[0]);
	if (argc != 2 || !is_pid(argv[1]))
		return bad_usage("%s takes one PID", argv[0]);
	return control(argv[0], argv[1]);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pid", required_argument, NULL, 'p' },
		{ "debugfs", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *pid = NULL;
	bool json = false;
	int c, r;

	debugfs = getenv("TDPSHARE_DEBUGFS");
	if (!debugfs || !*debugfs)
		debugfs = DEFAULT_DEBUGFS;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'p':
			if (!is_pid(optarg))
				return bad_usage("not a PID: %s", optarg);
			pid = optarg;
			break;
		case 'd':
			debugfs = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_OK;
		default:
			return bad_usage("wrong option: %s", argv[optind - 1]);
		}
	}
	if (optind == argc)
		r = show(json, pid);
	else if (json || pid)
		r = bad_usage("%s takes no options", argv[optind]);
	else
		r = run_command(argc - optind, argv + optind);
	if (fflush(stdout) || ferror(stdout))
		return failed("cannot write: %s", strerror(errno));
	return r;
}
