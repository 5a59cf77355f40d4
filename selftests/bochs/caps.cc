// SPDX-License-Identifier: GPL-2.0-only
/* Knobs, and CAP and ECAP (11.4) made of them. */
#include <stdlib.h>
#include <string.h>

#include "caps.hh"
#include "vtd_regs.hh"

void caps::settle()
{
	if (pri)
		ats = true;
	if (nest)
		first = true;
	if (!scalable)
		first = nest = pri = pasid = ssads = false;
	if (!psi)
		mamv = 0;
}

u64 caps::cap() const
{
	u64 v = 6;				/* ND: 2^16 domains */

	v |= (u64)rwbf << 4;
	v |= (u64)cm << 7;
	for (unsigned n = 3; n <= 5; n++)	/* SAGAW, bit 1 is 3 levels */
		if (levels & bit(n))
			v |= bit(8 + n - 2);
	v |= (u64)(mgaw - 1) << 16;
	v |= (u64)(FRCD / 16) << 24;		/* FRO */
	if (leaf >= 2)
		v |= bit(34);			/* SSLPS: 2M */
	if (leaf >= 3)
		v |= bit(35);			/* 1G */
	v |= (u64)psi << 39;
	v |= (u64)(faults - 1) << 40;		/* NFR */
	v |= (u64)mamv << 48;
	v |= bit(54) | bit(55);			/* DWD, DRD: draining */
	if (first && first1g)
		v |= bit(56);			/* FS1GP */
	return v;
}

u64 caps::ecap() const
{
	u64 v = bit(1);				/* QI */

	v |= (u64)coherent;
	v |= (u64)ats << 2;			/* DT */
	v |= (u64)pt << 6;
	v |= (u64)sc << 7;
	v |= (u64)(IVA / 16) << 8;		/* IRO */
	v |= (u64)0xf << 20;			/* MHMV */
	v |= (u64)nest << 26;
	v |= (u64)pri << 29;			/* PRS */
	if (scalable) {
		v |= bit(31);			/* SRS */
		v |= bit(43) | bit(46);		/* SMTS, SSTS */
		v |= (u64)ssads << 45;
		v |= (u64)first << 47;		/* FSTS */
		v |= (u64)coherent << 48;	/* SMPWC */
		if (pasid)
			v |= bit(40) | (u64)(pss - 1) << 35;
		v |= (u64)rps << 49;		/* RPS */
		if (pri)
			v |= bit(42);		/* PDS: page-request draining */
	}
	return v;
}

u32 caps::version() const
{
	return scalable ? 0x60 : 0x10;
}

static bool number(const char *s, unsigned lo, unsigned hi, unsigned *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 0);

	if (end == s || *end || v < lo || v > hi)
		return false;
	*out = v;
	return true;
}

static bool flag(const char *s, bool *out)
{
	unsigned v;

	if (!number(s, 0, 1, &v))
		return false;
	*out = v;
	return true;
}

static bool levels(const char *s, unsigned *out)
{
	unsigned v = 0;

	for (; *s; s++) {
		if (*s < '3' || *s > '5')
			return false;
		v |= bit(*s - '0');
	}
	*out = v;
	return v;
}

static bool choice(const char *s, const char *const *names, unsigned *out)
{
	for (unsigned i = 0; names[i]; i++)
		if (!strcmp(s, names[i])) {
			*out = i;
			return true;
		}
	return false;
}

static bool set_unit(caps &c, const char *name, const char *v, bool *known)
{
	static const char *const modes[] = { "legacy", "scalable", NULL };
	static const char *const leaves[] = { "", "4k", "2m", "1g", NULL };
	static const char *const checks[] = { "none", "root", "context", "pasid", "first",
					      "second", "all", NULL };
	unsigned n;

	*known = true;
	if (!strcmp(name, "mode")) {
		if (!choice(v, modes, &n))
			return false;
		c.scalable = n;
		return true;
	}
	if (!strcmp(name, "unchecked")) {
		if (!choice(v, checks, &n))
			return false;
		if (n)
			c.unchecked |= n == 6 ? +UNCHECKED_ALL : 1 << (n - 1);
		else
			c.unchecked = 0;
		return true;
	}
	if (!strcmp(name, "leaf"))
		return choice(v, leaves, &c.leaf) && c.leaf;
	if (!strcmp(name, "levels"))
		return levels(v, &c.levels);
	if (!strcmp(name, "mgaw"))
		return number(v, 32, 57, &c.mgaw);
	if (!strcmp(name, "haw"))
		return number(v, 32, 52, &c.haw);
	if (!strcmp(name, "mamv"))
		return number(v, 0, 52, &c.mamv);
	if (!strcmp(name, "faults"))
		return number(v, 1, MAX_FAULTS, &c.faults);
	if (!strcmp(name, "pss"))
		return number(v, 1, 20, &c.pss);

	const struct { const char *name; bool *to; } flags[] = {
		{ "first", &c.first }, { "nest", &c.nest }, { "ssads", &c.ssads },
		{ "first1g", &c.first1g }, { "coherent", &c.coherent }, { "sc", &c.sc },
		{ "psi", &c.psi }, { "cm", &c.cm }, { "rwbf", &c.rwbf }, { "pt", &c.pt },
		{ "ats", &c.ats }, { "pri", &c.pri }, { "pasid", &c.pasid }, { "rps", &c.rps },
	};
	for (auto &f : flags)
		if (!strcmp(name, f.name))
			return flag(v, f.to);
	*known = false;
	return false;
}

const char *knobs::set(const char *param)
{
	char name[32];
	const char *eq = strchr(param, '=');
	bool ok = true, known;
	unsigned n;

	if (!eq || (size_t)(eq - param) >= sizeof(name))
		return "is not NAME=VALUE";
	memcpy(name, param, eq - param);
	name[eq - param] = 0;
	const char *v = eq + 1;

	if (!strcmp(name, "unit")) {
		if (!number(v, 0, MAX_UNITS - 1, &n))
			return "has no such value";
		only = n;
		return NULL;
	}
	if (!strcmp(name, "log")) {
		if (strlen(v) >= sizeof(mach.log))
			return "is too long";
		strcpy(mach.log, v);
		return NULL;
	}
	if (!strcmp(name, "satc"))
		ok = flag(v, &known);		/* of the ACPI tables alone */
	else if (!strcmp(name, "units"))
		ok = number(v, 1, MAX_UNITS, &mach.units);
	else if (!strcmp(name, "dmatime"))
		ok = number(v, 0, 1000000, &mach.dma_us);
	else if (!strcmp(name, "vmentry"))
		ok = number(v, 0, 1000000, &mach.vmentry_us);
	else
		for (int i = 0; i < MAX_UNITS; i++)
			if (only < 0 || only == i) {
				ok = set_unit(unit[i], name, v, &known);
				if (!ok && !known)
					return "is no knob";
				if (!ok)
					break;
			}
	return ok ? NULL : "has no such value";
}

const char *knobs::settle()
{
	for (auto &c : unit)
		c.settle();
	/* The driver cannot have one unit in each mode, nor can a machine. */
	if (mach.units == 2 && unit[0].scalable != unit[1].scalable)
		return "both units are of one mode";
	return NULL;
}
