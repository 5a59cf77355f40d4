// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the entry-format contract: what the walkers make of it.
 *
 * Whatever format.c takes for legal, the walkers of format_walkers.c read alike,
 * but for what is shut to one of them; what it takes for MMIO, of whatever
 * generation, leads neither anywhere.  Upstream's layout is the positive control.
 */
#include "format_test.h"

/* The IOMMU gets somewhere by way of this entry. */
static bool iommu_reaches(enum mmu_share_format fmt, u64 entry, int level)
{
	struct decoded d = mmu_share_iommu_decode(fmt, entry, level);

	return gets_anywhere(&d);
}

/* A small generator, so that a failure can be repeated. */
static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A legal leaf of a random kind and state of spte.h's table, address, A, D, NX. */
static u64 random_npt_leaf(u64 entry, u64 r)
{
	bool host_w = r % 4 > 0, mmu_w = r % 4 > 1, cpu_w = r % 4 > 2;
	int door = (r >> 8) % 3;
	bool cpu_open = door != 0, device_open = door != 1;

	entry |= BIT_ULL(0) | BIT_ULL(60);
	entry |= r & (BIT_ULL(5) | BIT_ULL(6) | BIT_ULL(63));
	if (cpu_open)
		entry |= BIT_ULL(2);
	if (cpu_open && mmu_w)
		entry |= BIT_ULL(8);
	if (cpu_open && cpu_w)
		entry |= BIT_ULL(1);
	if (device_open)
		entry |= BIT_ULL(61) | (r & BIT_ULL(62));
	else
		entry |= npt_next_level(host_w ? 6 : 4);
	return entry;
}

/*
 * The same, with EPT's X, XU, IPAT and memory types.  Where the device's door is
 * open all that says who may write is one.
 */
static u64 random_ept_leaf(u64 entry, u64 r)
{
	static const u8 memtypes[] = { 0, 1, 4, 5, 6 };
	bool cpu_open = (r >> 40) % 3 != 0, device_open = (r >> 40) % 3 != 1;
	int may = device_open ? r % 2 * 3 : r % 4;

	entry |= BIT_ULL(0) | BIT_ULL(60) | BIT_ULL(63);
	entry |= r & (BIT_ULL(2) | BIT_ULL(6) | BIT_ULL(8) | BIT_ULL(9) |
		      BIT_ULL(10));
	entry |= (cpu_open ? (u64)memtypes[(r >> 32) % 5] : 7) << 3;
	if (!device_open)
		entry |= BIT_ULL(62);
	if (may > 0)
		entry |= BIT_ULL(53);
	if (may > 1)
		entry |= BIT_ULL(55);
	if (may > 2)
		entry |= BIT_ULL(1);
	return entry;
}

static u64 random_leaf(enum mmu_share_format fmt, int level, u64 *rnd)
{
	u64 low = BIT_ULL(12 + 9 * (level - 1)) - 1;
	/* Bit 51 would be MMIO's reserved bit. */
	u64 entry = next_random(rnd) & GENMASK_ULL(50, 12) & ~low;
	u64 r = next_random(rnd);

	if (level > LVL_4K)
		entry |= BIT_ULL(7);
	return fmt == NPT ? random_npt_leaf(entry, r) : random_ept_leaf(entry, r);
}

/* make_nonleaf_spte()'s, with a random address and A. */
static u64 random_table(enum mmu_share_format fmt, int level, u64 *rnd)
{
	const u64 accessed = fmt == NPT ? BIT_ULL(5) : BIT_ULL(8);
	u64 addr = next_random(rnd) & GENMASK_ULL(50, 12);
	u64 r = next_random(rnd);

	return addr | (r & accessed) |
	       (sample_table(fmt, level) & ~(TEST_ADDR | accessed));
}

/*
 * A legal leaf: both find the same page, but for whom it is shut to: U and IR, memory
 * type 7 and bit 62.
 */
static void expect_leaf_alike(struct kunit *test, enum mmu_share_format fmt,
			      u64 entry, const struct decoded *cpu,
			      const struct decoded *iommu)
{
	bool cpu_open = fmt == NPT ? entry & BIT_ULL(2) : (entry >> 3 & 7) != 7;
	bool device_open = fmt == NPT ? entry & BIT_ULL(61) : !(entry & BIT_ULL(62));

	KUNIT_EXPECT_EQ_MSG(test, may_access(cpu), cpu_open, "entry %016llx", entry);
	KUNIT_EXPECT_EQ_MSG(test, cpu->walk,
			    cpu_open || fmt == NPT ? TO_PAGE : FAULT,
			    "entry %016llx", entry);
	KUNIT_EXPECT_TRUE(test, cpu->read || !cpu->write);
	KUNIT_EXPECT_TRUE(test, cpu_open || device_open);

	if (!device_open) {
		KUNIT_EXPECT_FALSE_MSG(test, gets_anywhere(iommu),
				       "entry %016llx", entry);
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, iommu->walk, TO_PAGE, "entry %016llx", entry);
	KUNIT_EXPECT_TRUE(test, iommu->read);
	KUNIT_EXPECT_EQ(test, cpu->addr, iommu->addr);
}

/*
 * Whatever is legal, both walkers agree upon.  One bit flipped is enough to
 * get at each of the fields they decode.
 */
static void legal_flips_decode_alike(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	const u64 legal = mmu_share_sample(c);
	int bit;

	for (bit = 0; bit < 64; bit++) {
		u64 entry = legal ^ BIT_ULL(bit);
		struct decoded cpu = mmu_share_cpu_decode(c->fmt, entry, c->level);
		struct decoded iommu = mmu_share_iommu_decode(c->fmt, entry, c->level);

		/* Only a leaf or a table may have address bit 51. */
		if (mmu_share_check_entry(c->fmt, entry, c->level) ||
		    (bit == 51 && (is_leaf_kind(c->kind) || c->kind == TABLE)))
			continue;

		if (cpu.walk == TO_PAGE || iommu.walk == TO_PAGE) {
			expect_leaf_alike(test, c->fmt, entry, &cpu, &iommu);
		} else if (cpu.walk == TO_TABLE) {
			KUNIT_EXPECT_EQ_MSG(test, cpu.walk, iommu.walk,
					    "entry %016llx", entry);
			KUNIT_EXPECT_EQ(test, cpu.addr, iommu.addr);
			KUNIT_EXPECT_EQ(test, cpu.next, iommu.next);
		} else {
			KUNIT_EXPECT_FALSE_MSG(test, gets_anywhere(&iommu),
					       "entry %016llx", entry);
		}
	}
}

/* can_follow() never says no where the walker gets somewhere. */
static void can_follow_covers_the_walker(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	const u64 legal = mmu_share_sample(c);
	int bit, other;

	for (bit = 0; bit < 64; bit++) {
		for (other = bit; other < 64; other++) {
			u64 entry = legal ^ BIT_ULL(bit) ^ BIT_ULL(other);

			if (!iommu_reaches(c->fmt, entry, c->level))
				continue;
			KUNIT_EXPECT_TRUE_MSG(test,
					      mmu_share_iommu_can_follow(c->fmt, entry, c->level),
					      "entry %016llx", entry);
		}
	}
}

/* The CPU's W is not the device's IW: that is what the layout is for. */
static void npt_cpu_write_protect_keeps_the_device(struct kunit *test)
{
	u64 entry = npt_leaf(LVL_4K) & ~BIT_ULL(1);

	expect_verdict(test, NPT, entry, LVL_4K, NULL);
	KUNIT_EXPECT_FALSE(test, mmu_share_cpu_decode(NPT, entry, LVL_4K).write);
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_decode(NPT, entry, LVL_4K).write);
}

/* ... nor the other way round. */
static void npt_device_write_protect_keeps_the_cpu(struct kunit *test)
{
	u64 entry = npt_device_reads(LVL_4K);

	expect_verdict(test, NPT, entry, LVL_4K, NULL);
	KUNIT_EXPECT_TRUE(test, mmu_share_cpu_decode(NPT, entry, LVL_4K).write);
	KUNIT_EXPECT_TRUE(test, mmu_share_iommu_decode(NPT, entry, LVL_4K).read);
	KUNIT_EXPECT_FALSE(test, mmu_share_iommu_decode(NPT, entry, LVL_4K).write);
}

/* make_mmio_spte()'s spread of the generation, and its inverse. */
static u64 gen_spread(const struct mmu_share_layout *l, u64 gen)
{
	u64 low = gen & (BIT_ULL(l->gen_low_bits) - 1);
	u64 high = gen >> l->gen_low_bits;

	return low << l->gen_low_start | high << l->gen_high_start;
}

static u64 gen_gather(const struct mmu_share_layout *l, u64 entry)
{
	u64 low = entry >> l->gen_low_start & (BIT_ULL(l->gen_low_bits) - 1);
	u64 high = entry >> l->gen_high_start & (BIT_ULL(l->gen_high_bits) - 1);

	return low | high << l->gen_low_bits;
}

/* Upstream's: generation bits 0-6 in 3-9, 7-17 in 52-62. */
#define STOCK_GEN_BITS		18

static u64 stock_gen_spread(u64 gen)
{
	return (gen & 0x7f) << 3 | (gen >> 7) << 52;
}

/*
 * Positive control of the MMIO attack: with upstream's spread of the
 * generation the IOMMU gets access as soon as it reaches IR or IW, or it
 * takes the entry for a table as soon as it reaches bit 9.
 */
static void npt_stock_mmio_is_followable(struct kunit *test)
{
	const u64 mmio = BIT_ULL(51) | 0xfee00000ULL | 7;
	u64 gen;

	for (gen = 0; gen < BIT_ULL(STOCK_GEN_BITS); gen++) {
		u64 entry = mmio | stock_gen_spread(gen);
		bool reaches = entry & (BIT_ULL(61) | BIT_ULL(62) | BIT_ULL(9));

		if (mmu_share_iommu_can_follow(NPT, entry, LVL_TOP) != reaches)
			break;
	}
	KUNIT_EXPECT_EQ(test, gen, BIT_ULL(STOCK_GEN_BITS));

	/* The next level is 1 by bit 9, IR is bit 61, IW is bit 62. */
	expect_verdict(test, NPT, mmio | BIT_ULL(9), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(61), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(62), LVL_4K,
		       "MMIO entry grants the IOMMU access");
	expect_verdict(test, NPT, mmio | BIT_ULL(61) | BIT_ULL(62), LVL_4K,
		       "MMIO entry grants the IOMMU access");
}

/* EPT's upstream value is W without R: followable but for bit 62, and refused. */
static void ept_stock_mmio_is_followable(struct kunit *test)
{
	u64 gen;

	for (gen = 0; gen < BIT_ULL(STOCK_GEN_BITS); gen++) {
		u64 entry = 0xfee00006ULL | stock_gen_spread(gen);
		bool reaches = !(entry & BIT_ULL(62));

		if (mmu_share_iommu_can_follow(EPT, entry, LVL_4K) != reaches ||
		    !mmu_share_check_entry(EPT, entry, LVL_4K))
			break;
	}
	KUNIT_EXPECT_EQ(test, gen, BIT_ULL(STOCK_GEN_BITS));

	expect_verdict(test, EPT, 0xfee00006ULL, LVL_4K,
		       "MMIO entry grants the IOMMU access");
}

/* No generation and no access makes a shared MMIO entry followable. */
static void mmio_of_every_generation_is_safe(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	const int bits = l->gen_low_bits + l->gen_high_bits;
	const u64 nr_access = fmt == NPT ? 4 : 1;
	u64 gen, access, bad = 0;

	for (gen = 0; gen < BIT_ULL(bits); gen++) {
		for (access = 0; access < nr_access; access++) {
			u64 entry = l->mmio_value | gen_spread(l, gen) |
				    access << 1 | (0xfee00000ULL ^ gen << 12);
			int level;

			for (level = LVL_4K; level <= LVL_TOP; level++) {
				bad += !!mmu_share_check_entry(fmt, entry, level);
				bad += iommu_reaches(fmt, entry, level);
				bad += mmu_share_cpu_decode(fmt, entry, level).walk != FAULT;
			}
			bad += mmu_share_iommu_can_follow(fmt, entry, LVL_TOP);
			bad += !!(entry & l->mmu_present);
			bad += (entry & l->mmio_mask) != l->mmio_value;
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0ULL);
}

static void generation_round_trips(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];
	const int bits = l->gen_low_bits + l->gen_high_bits;
	/* Everything else an MMIO entry may have. */
	const u64 rest = l->mmio_value | TEST_ADDR | (fmt == NPT ? 6 : 0);
	u64 gen, bad = 0;

	for (gen = 0; gen < BIT_ULL(bits); gen++) {
		bad += gen_gather(l, gen_spread(l, gen)) != gen;
		bad += gen_gather(l, gen_spread(l, gen) | rest) != gen;
	}
	KUNIT_EXPECT_EQ(test, bad, 0ULL);
}

static void generation_has_its_width(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	const struct mmu_share_layout *l = &mmu_share_layouts[fmt];

	KUNIT_EXPECT_EQ(test, gen_spread(l, BIT_ULL(l->gen_low_bits +
						    l->gen_high_bits) - 1),
			fmt == NPT ? GENMASK_ULL(60, 52) | GENMASK_ULL(8, 3) :
				     GENMASK_ULL(59, 52) | GENMASK_ULL(11, 6));
}

/* @small is what @huge was, @off bytes into it, to one of the walkers. */
static bool reads_alike(decode_fn decode, enum mmu_share_format fmt, u64 huge,
			u64 small, int level, u64 off)
{
	struct decoded was = decode(fmt, huge, level);
	struct decoded is = decode(fmt, small, level - 1);

	return is.walk == was.walk && is.addr == was.addr + off &&
	       is.read == was.read && is.write == was.write;
}

/* make_small_spte(): every child of a split leaf is legal, and alike. */
static void split_leaf_has_legal_children(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0x9e3779b97f4a7c15ULL;
	int level, n, i;

	for (level = LVL_2M; level <= LVL_1G; level++) {
		for (n = 0; n < 32; n++) {
			u64 huge = random_leaf(fmt, level, &rnd);
			u64 bad = 0;

			for (i = 0; i < 512; i++) {
				u64 off = (u64)i << (12 + 9 * (level - 2));
				u64 small = huge | off;

				if (level - 1 == LVL_4K)
					small &= ~BIT_ULL(7);

				bad += !!mmu_share_check_entry(fmt, small,
							       level - 1);
				bad += !reads_alike(mmu_share_cpu_decode, fmt,
						    huge, small, level, off);
				bad += !reads_alike(mmu_share_iommu_decode, fmt,
						    huge, small, level, off);
			}
			KUNIT_EXPECT_EQ_MSG(test, bad, 0ULL, "leaf %016llx", huge);
		}
	}
}

/* make_huge_spte(): a merged leaf is the one that was split. */
static void merge_undoes_split(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0xd1b54a32d192ed03ULL;
	int level, n;

	for (level = LVL_2M; level <= LVL_1G; level++) {
		u64 low = (BIT_ULL(12 + 9 * (level - 1)) - 1) & TEST_ADDR;

		for (n = 0; n < 16; n++) {
			u64 huge = random_leaf(fmt, level, &rnd);
			u64 off = next_random(&rnd) & low;
			u64 small = (huge | off) & ~BIT_ULL(7);
			u64 merged = (small | BIT_ULL(7)) & ~low;

			expect_verdict(test, fmt, small, LVL_4K, NULL);
			expect_verdict(test, fmt, merged, level, NULL);
			KUNIT_EXPECT_EQ(test, merged, huge);
		}
	}
}

/* Left as a large leaf without the low address bits gone, it is refused. */
static void merge_without_alignment_is_refused(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 small = sample_leaf(fmt, LVL_4K) | BIT_ULL(12);

	expect_verdict(test, fmt, small | BIT_ULL(7), LVL_2M, "unaligned");
	expect_verdict(test, fmt, small | BIT_ULL(7), LVL_1G, "unaligned");
}

/* Both walkers go down random legal tables to the same end. */
static void random_walk(struct kunit *test, enum mmu_share_format fmt, int top,
			int leaf, u64 *rnd)
{
	struct decoded cpu, iommu;
	u64 entry[LVL_TOP + 1];
	int level;

	for (level = top; level > leaf; level--)
		entry[level] = random_table(fmt, level, rnd);
	entry[leaf] = random_leaf(fmt, leaf, rnd);

	for (level = top; level >= leaf; level--) {
		expect_verdict(test, fmt, entry[level], level, NULL);
		if (level > leaf)
			KUNIT_EXPECT_TRUE(test,
					  mmu_share_iommu_can_follow(fmt, entry[level], level));
	}

	cpu = mmu_share_walk(mmu_share_cpu_decode, fmt, entry, top, leaf, &level);
	KUNIT_EXPECT_EQ(test, level, leaf);
	iommu = mmu_share_walk(mmu_share_iommu_decode, fmt, entry, top, leaf, &level);
	KUNIT_EXPECT_EQ(test, level, leaf);

	expect_leaf_alike(test, fmt, entry[leaf], &cpu, &iommu);
	KUNIT_EXPECT_EQ(test, gets_anywhere(&iommu),
			mmu_share_iommu_can_follow(fmt, entry[leaf], leaf));
	/* EPT has one W; NPT has W for the CPU and IW for the device. */
	if (fmt == EPT && may_access(&cpu) && may_access(&iommu))
		KUNIT_EXPECT_EQ(test, cpu.write, iommu.write);
}

static void random_walks_end_alike(struct kunit *test)
{
	enum mmu_share_format fmt = param_format(test);
	u64 rnd = 0x2545f4914f6cdd1dULL;
	int top, leaf, n;

	for (top = LVL_TOP - 1; top <= LVL_TOP; top++) {
		for (leaf = LVL_4K; leaf <= LVL_1G; leaf++) {
			for (n = 0; n < 16; n++)
				random_walk(test, fmt, top, leaf, &rnd);
		}
	}
}

static struct kunit_case mmu_share_walk_cases[] = {
	KUNIT_CASE_PARAM(legal_flips_decode_alike, mmu_share_entry_params),
	KUNIT_CASE_PARAM(can_follow_covers_the_walker, mmu_share_entry_params),
	KUNIT_CASE(npt_cpu_write_protect_keeps_the_device),
	KUNIT_CASE(npt_device_write_protect_keeps_the_cpu),
	KUNIT_CASE(npt_stock_mmio_is_followable),
	KUNIT_CASE(ept_stock_mmio_is_followable),
	KUNIT_CASE_PARAM(mmio_of_every_generation_is_safe, mmu_share_format_params),
	KUNIT_CASE_PARAM(generation_round_trips, mmu_share_format_params),
	KUNIT_CASE_PARAM(generation_has_its_width, mmu_share_format_params),
	KUNIT_CASE_PARAM(split_leaf_has_legal_children, mmu_share_format_params),
	KUNIT_CASE_PARAM(merge_undoes_split, mmu_share_format_params),
	KUNIT_CASE_PARAM(merge_without_alignment_is_refused, mmu_share_format_params),
	KUNIT_CASE_PARAM(random_walks_end_alike, mmu_share_format_params),
	{ }
};

static struct kunit_suite mmu_share_walk_suite = {
	.name = "mmu_share_walk",
	.test_cases = mmu_share_walk_cases,
};

kunit_test_suite(mmu_share_walk_suite);
