// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our walker beside another that we did not write: QEMU's VT-d. The same tables
 * are put in front of both, with each bit of each entry changed, one at a time, and
 * a write by iommu-testdev; do both let it through, and if not, for what reason?
 * No guest runs: QEMU is driven by its qtest protocol.
 *
 * usage: witness QEMU-COMMAND...   as far as the program's name, such as
 *                                  chroot DIR qemu-system-x86_64
 *
 * TAP: a case for each kind of entry, and one for ranges of invalidations. It fails
 * where the two differ, unless the difference is in the list below, and also where
 * one in that list is not there.
 */
#include <stdlib.h>
#include <string.h>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_world.hh"
#include "vtd_regs.hh"

#define UNIT		0xfed90000ull
#define BAR		0xe0000000u
#define DEVFN		(SID & 0xff)	/* on bus 0 there */
#define IOVA		(ADDRESS & ~3ull)

/* ---- QEMU */

class qemu {
public:
	qemu(char **command, int words, const char *iommu)
	{
		std::vector<char *> args(command, command + words);
		char device[64];

		snprintf(device, sizeof(device), "iommu-testdev,addr=%02x.%x", DEVFN >> 3, DEVFN & 7);
		for (const char *a : { "-machine", "q35", "-accel", "qtest", "-nodefaults", "-display",
				       "none", "-m", "64M", "-device", iommu, "-device",
				       (const char *)device, "-device",
				       "isa-debug-exit,iobase=0xf4,iosize=1", "-qtest", "stdio", "-qtest-log",
				       "/dev/null" })
			args.push_back((char *)a);
		args.push_back(NULL);
		if (pipe(to) || pipe(from) || (pid = fork()) < 0)
			die("fork");
		if (!pid) {
			dup2(to[0], 0);
			dup2(from[1], 1);
			close(to[1]);
			close(from[0]);
			execvp(args[0], args.data());
			_exit(127);
		}
		close(to[0]);
		close(from[1]);
		in = fdopen(from[0], "r");
		/* The function's BAR, memory space and bus master. */
		config(0x10, BAR);
		config(0x04, 6);
	}
	/* It goes on when its standard input ends, and may be another user's to kill. */
	~qemu()
	{
		dprintf(to[1], "outb 0xf4 0\n");
		close(to[1]);
		fclose(in);
		waitpid(pid, NULL, 0);
	}
	u64 ask(const char *format, ...)
	{
		char line[256];
		va_list args;
		int n;

		va_start(args, format);
		n = vsnprintf(line, sizeof(line), format, args);
		va_end(args);
		if (write(to[1], line, n) != n)
			die("QEMU takes no more");
		while (fgets(line, sizeof(line), in)) {
			if (!strncmp(line, "OK", 2))
				return strtoull(line + 2, NULL, 0);
			if (!strncmp(line, "FAIL", 4) || !strncmp(line, "ERR", 3))
				break;
		}
		die("QEMU does not answer");
		return 0;
	}
	void config(unsigned o, u32 v)
	{
		ask("outl 0xcf8 0x%x\n", 0x80000000u | DEVFN << 8 | o);
		ask("outl 0xcfc 0x%x\n", v);
	}
	void w64(u64 at, u64 v) { ask("writeq 0x%llx 0x%llx\n", (unsigned long long)at, (unsigned long long)v); }
	void w32(u64 at, u32 v) { ask("writel 0x%llx 0x%x\n", (unsigned long long)at, v); }
	u64 r64(u64 at) { return ask("readq 0x%llx\n", (unsigned long long)at); }
	u32 r32(u64 at) { return ask("readl 0x%llx\n", (unsigned long long)at); }

private:
	int to[2], from[2];
	pid_t pid;
	FILE *in;

	static void die(const char *what)
	{
		printf("Bail out! %s\n", what);
		exit(1);
	}
};

static qemu *q;
static bool enabled;

/* Tables are on bus 10 in a world, and on bus 0 in QEMU. */
static u64 place(u64 at)
{
	u64 root = ROOT + (SID >> 8) * 16;

	return at >= root && at < root + 16 ? at - root + ROOT : at;
}

static void load(world &w)
{
	static std::map<u64, u64> there;

	for (auto &i : there)
		if (!w.m.words.count(i.first))
			q->w64(place(i.first), 0);
	for (auto &i : w.m.words)
		q->w64(place(i.first), i.second);
	there = w.m.words;
	q->w64(UNIT + RTADDR, w.rtaddr);
	q->w32(UNIT + GCMD, GCMD_SRTP);
	if (!enabled)
		q->w32(UNIT + GCMD, GCMD_TE);
	q->w32(UNIT + GCMD, GCMD_TE);
	enabled = true;
}

static void iotlb_command(u64 v, u64 addr)
{
	u64 at = UNIT + (q->r64(UNIT + ECAP) >> 8 & 0x3ff) * 16;

	q->w64(at, addr);
	q->w64(at + 8, bit(63) | v);
}

static void drop_all()
{
	q->w64(UNIT + CCMD, bit(63) | 1ull << 61);
	iotlb_command(1ull << 60, 0);
}

/* The fault reason of a write, or 0. */
static unsigned write_to(u64 iova)
{
	unsigned reason = 0;

	q->w32(BAR + 0x04, iova);
	q->w32(BAR + 0x08, iova >> 32);
	q->w32(BAR + 0x0c, 4);
	q->w32(BAR + 0x14, 1);
	q->r32(BAR + 0x00);
	for (unsigned i = 0; i < 8; i++) {
		u64 at = UNIT + FRCD + 16 * i, hi = q->r64(at + 8);

		if (!(hi & bit(63)))
			continue;
		if (!reason)
			reason = field(hi, 39, 32);
		q->w64(at + 8, bit(63));
	}
	q->w32(UNIT + FSTS, 0x7f);
	return reason;
}

static unsigned attempt(u64 iova)
{
	drop_all();
	return write_to(iova);
}

/* ---- where the two are known to differ, and why */

static const struct {
	const char *entry;
	u64 bits;
	const char *why;
} differences[] = {
	{ "legacy, 1G leaf", bit(31),
	  "the page has the interrupt range in it: QEMU refuses all of it, 3.14 only the range" },
	{ "scalable context", bit(2) | bit(3) | bit(4),
	  "reserved without DT, PASID, PRS, 9.4: QEMU does not look" },
	{ "PASID directory", mask(25, 2) | mask(63, 48),
	  "reserved, 9.5: QEMU does not look at 11:2, and finds no memory for 63:48. And it finds "
	  "an entry of zeros not valid, where we find it not present first" },
	{ "PASID entry, 63:0", bit(5) | mask(11, 9), "reserved, 9.6: QEMU does not look" },
	{ "PASID entry, 127:64", mask(22, 16), "reserved, 9.6: QEMU does not look" },
	{ "PASID entry, 191:128", bit(1) | mask(11, 7) | mask(63, 48),
	  "reserved, 9.6: QEMU does not look" },
};

static u64 known(const char *entry)
{
	for (auto &d : differences)
		if (!strcmp(d.entry, entry))
			return d.bits;
	return 0;
}

/*
 * In scalable mode QEMU has the reasons of legacy mode for root, context and the
 * second stage. Real units have those of scalable mode.
 */
static bool alike(unsigned ours, unsigned theirs)
{
	static const struct { unsigned scalable, legacy; } same[] = {
		{ SRT_1_ACCESS, LRT_1_ACCESS }, { SRT_2_NOT_PRESENT, LRT_2_NOT_PRESENT },
		{ SRT_3_RESERVED, LRT_3_RESERVED }, { SCT_1_ACCESS, LCT_1_ACCESS },
		{ SCT_2_NOT_PRESENT, LCT_2_NOT_PRESENT }, { SCT_3_RESERVED, LCT_3_RESERVED },
		{ SSS_1_ACCESS, LSL_1_ACCESS }, { SSS_2_NOT_PRESENT, LGN_2_WRITE },
		{ SSS_3_RESERVED, LSL_2_RESERVED }, { SSS_4_ROOT_ACCESS, LCT_4_INVALID },
		{ SPT_3_RESERVED, LCT_4_INVALID }, { SGN_6_WRITE, LGN_2_WRITE },
	};

	if (ours == theirs)
		return true;
	for (auto &s : same)
		if (ours == s.scalable && theirs == s.legacy)
			return true;
	return false;
}

static void compare(world w, u64 &(*entry)(world &), const char *name)
{
	u64 legal = entry(w), differ = 0, at = 0;
	unsigned refused = 0, theirs;
	fault ours;

	for (auto &i : w.m.words)
		if (&i.second == &entry(w))
			at = place(i.first);
	load(w);
	theirs = attempt(IOVA);
	ours = w.go(W);
	bool good = !theirs && !ours;
	if (!good)
		printf("# what is legal gives %#x here, %#x in QEMU\n", ours, theirs);
	/* A and D, where there are such. */
	for (auto &i : w.m.words)
		if (q->r64(place(i.first)) != i.second) {
			printf("# at %#llx is %#llx here, %#llx in QEMU\n",
			       (unsigned long long)i.first, (unsigned long long)i.second,
			       (unsigned long long)q->r64(place(i.first)));
			good = false;
		}
	legal = entry(w);
	for (unsigned b = 0; b < 64; b++) {
		world v = w;

		entry(v) = legal ^ bit(b);
		q->w64(at, legal ^ bit(b));
		theirs = attempt(IOVA);
		ours = v.go(W);
		if (!alike(ours, theirs)) {
			differ |= bit(b);
			if (!(known(name) & bit(b)))
				printf("# bit %u: %#x here, %#x in QEMU\n", b, ours, theirs);
		} else if (ours) {
			refused++;
		}
	}
	q->w64(at, legal);

	good &= differ == known(name);
	printf("%sok %d - %s: %u bits refused alike, %d not\n", good ? "" : "not ", ++tap_count, name,
	       refused, __builtin_popcountll(differ));
	tap_failed += !good;
}

static world base_world(bool scalable, int pgtt = PGTT_SECOND)
{
	world w;

	w.c.haw = 48;
	w.c.sc = true;
	w.c.ssads = w.c.rps = false;
	w.m.top = 64 << 20;
	w.c.first = pgtt == PGTT_FIRST;
	if (scalable)
		w.scalable(pgtt);
	else
		w.legacy();
	if (pgtt == PGTT_FIRST)
		w.map_first(1, ADDRESS, 0x100000);
	else
		w.map_second(4, 1, ADDRESS, 0x100000);
	return w;
}

#define SECOND_ENTRY(n)	[](world &w) -> u64 & { return w.second(n); }
#define FIRST_ENTRY(n)	[](world &w) -> u64 & { return w.first(n); }

/*
 * Of 16 pages those that are still reached after a page-selective invalidation,
 * with nothing left in the tables. unit_test has the same for ours.
 */
static void ranges()
{
	bool good = true;

	for (unsigned am = 0; am <= 4; am++) {
		world w = base_world(false);
		unsigned n = 1u << am, at = 8 & ~(n - 1), reached = 0;
		unsigned left = 0xffff & ~(((1u << n) - 1) << at);
		u64 base = ADDRESS & ~0xffffull;

		for (int i = 0; i < 16; i++)
			w.map_second(4, 1, base + i * 0x1000, 0x100000 + i * 0x1000);
		load(w);
		drop_all();
		for (int i = 0; i < 16; i++)
			good &= !write_to(base + i * 0x1000);
		for (int i = 0; i < 16; i++)
			q->w64(SECOND + 0x1000 + index_of(base + i * 0x1000, 1) * 8, 0);
		iotlb_command(3ull << 60 | (u64)(DID + 1) << 32, base + 0x8000);
		iotlb_command(3ull << 60 | (u64)DID << 32, (base + 0x8000) | am);
		for (int i = 0; i < 16; i++)
			reached |= !write_to(base + i * 0x1000) << i;
		if (reached != left)
			printf("# mask %u: %#x are left in QEMU, %#x here\n", am, reached, left);
		good &= reached == left;
	}
	printf("%sok %d - page-selective invalidation: the same pages\n", good ? "" : "not ", ++tap_count);
	tap_failed += !good;
}

static void legacy()
{
	world w = base_world(false);

	compare(w, [](world &v) -> u64 & { return v.root(0); }, "legacy root");
	compare(w, [](world &v) -> u64 & { return v.root(1); }, "legacy root, upper half");
	compare(w, [](world &v) -> u64 & { return v.context_legacy(0); }, "legacy context");
	compare(w, [](world &v) -> u64 & { return v.context_legacy(1); }, "legacy context, upper half");
	compare(w, SECOND_ENTRY(4), "legacy, level 4");
	compare(w, SECOND_ENTRY(3), "legacy, level 3");
	compare(w, SECOND_ENTRY(2), "legacy, level 2");
	compare(w, SECOND_ENTRY(1), "legacy, level 1");
	w = base_world(false);
	w.map_second(4, 2, ADDRESS, 0x200000);
	compare(w, SECOND_ENTRY(2), "legacy, 2M leaf");
	w = base_world(false);
	w.map_second(4, 3, ADDRESS, 0x40000000);
	compare(w, SECOND_ENTRY(3), "legacy, 1G leaf");
	ranges();
}

static void scalable()
{
	world w = base_world(true);

	compare(w, [](world &v) -> u64 & { return v.root(1); }, "scalable root");
	compare(w, [](world &v) -> u64 & { return v.context_scalable(0); }, "scalable context");
	compare(w, [](world &v) -> u64 & { return v.context_scalable(1); }, "scalable context, 127:64");
	compare(w, [](world &v) -> u64 & { return v.directory(); }, "PASID directory");
	compare(w, [](world &v) -> u64 & { return v.pasid_entry(0); }, "PASID entry, 63:0");
	compare(w, [](world &v) -> u64 & { return v.pasid_entry(1); }, "PASID entry, 127:64");
	compare(w, [](world &v) -> u64 & { return v.pasid_entry(2); }, "PASID entry, 191:128");
	compare(w, SECOND_ENTRY(4), "scalable, level 4");
	compare(w, SECOND_ENTRY(3), "scalable, level 3");
	compare(w, SECOND_ENTRY(2), "scalable, level 2");
	compare(w, SECOND_ENTRY(1), "scalable, level 1");
	w = base_world(true);
	w.map_second(4, 2, ADDRESS, 0x200000);
	compare(w, SECOND_ENTRY(2), "scalable, 2M leaf");
}

static void first()
{
	world w = base_world(true, PGTT_FIRST);

	compare(w, FIRST_ENTRY(4), "first stage, level 4");
	compare(w, FIRST_ENTRY(3), "first stage, level 3");
	compare(w, FIRST_ENTRY(2), "first stage, level 2");
	compare(w, FIRST_ENTRY(1), "first stage, level 1");
	w = base_world(true, PGTT_FIRST);
	w.map_first(2, ADDRESS, 0x200000);
	compare(w, FIRST_ENTRY(2), "first stage, 2M leaf");
}

static void with(char **command, int words, const char *iommu, void (*body)())
{
	enabled = false;
	q = new qemu(command, words, iommu);
	body();
	delete q;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s QEMU-COMMAND...\n", argv[0]);
		return 2;
	}
	with(argv + 1, argc - 1, "intel-iommu,snoop-control=on,intremap=off", legacy);
	with(argv + 1, argc - 1, "intel-iommu,scalable-mode=on,snoop-control=on,intremap=off", scalable);
	with(argv + 1, argc - 1, "intel-iommu,scalable-mode=on,fsts=on,intremap=off", first);
	return tap_end();
}
