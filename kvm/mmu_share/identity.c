// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a memslot maps the very pages that the IOAS maps.
 *
 * The IOAS and the memslot are told of guest memory separately. Where they
 * differ one entry can't serve both, and following either would hand the other
 * side memory that it was never given.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "mmu.h"
#include "share.h"

/**
 * struct host_run - how the host maps an address, and what follows it
 * @pfn: the first page
 * @npages: how many follow one another from there on in one host entry
 * @writable: a vCPU may write without having KVM look again, see is_writable()
 * @ptep: the entry, if it is one for a single page; else NULL
 */
struct host_run {
	kvm_pfn_t pfn;
	u64 npages;
	bool writable;
	pte_t *ptep;
};

/* PROT_NONE and NUMA hints are present to pte_present(), but not to a CPU. */
static bool is_there(u64 flags)
{
	return (flags & (_PAGE_PRESENT | _PAGE_USER)) ==
	       (_PAGE_PRESENT | _PAGE_USER);
}

/*
 * Whoever gives a vCPU write permission has marked the page dirty, for KVM does
 * not carry the SPTE's D over when it zaps. Where the host's entry is dirty that
 * has been done, and it becomes clean by an event that KVM is told of. RW is
 * looked at because pte_write() is true of shadow stacks too.
 */
static bool is_writable(u64 flags)
{
	return (flags & (_PAGE_RW | _PAGE_DIRTY)) == (_PAGE_RW | _PAGE_DIRTY);
}

/*
 * Look @hva up without locks, as host_pfn_mapping_level() does. Interrupts are
 * off so that no page table is freed under the walk. Returns false where the
 * process would fault.
 */
static bool host_walk(struct mm_struct *mm, unsigned long hva,
		      struct host_run *run)
{
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	lockdep_assert_irqs_disabled();
	run->ptep = NULL;

	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		return false;

	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return false;

	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !is_there(pud_flags(pud)))
		return false;
	if (pud_leaf(pud)) {
		u64 index = (hva & ~PUD_MASK) >> PAGE_SHIFT;

		run->pfn = pud_pfn(pud) + index;
		run->npages = PTRS_PER_PMD * PTRS_PER_PTE - index;
		run->writable = is_writable(pud_flags(pud));
		return true;
	}

	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !is_there(pmd_flags(pmd)))
		return false;
	if (pmd_leaf(pmd)) {
		u64 index = (hva & ~PMD_MASK) >> PAGE_SHIFT;

		run->pfn = pmd_pfn(pmd) + index;
		run->npages = PTRS_PER_PTE - index;
		run->writable = is_writable(pmd_flags(pmd));
		return true;
	}

	run->ptep = pte_offset_kernel(&pmd, hva);
	pte = ptep_get(run->ptep);
	if (!is_there(pte_flags(pte)))
		return false;
	run->pfn = pte_pfn(pte);
	run->npages = 1;
	run->writable = is_writable(pte_flags(pte));
	return true;
}

/* The PTEs that follow @run's in its table, as far as they are as wanted. */
static u64 host_follow_ptes(const struct host_run *run, unsigned long hva,
			    struct mmu_share_cursor *cursor, gfn_t gfn,
			    u64 npages)
{
	kvm_pfn_t want = run->pfn;
	u64 left, nr;

	mmu_share_find_pfn(cursor, gfn, &left);
	npages = min(npages, PTRS_PER_PTE - pte_index(hva));
	for (nr = 1; nr < npages; nr++) {
		pte_t pte = ptep_get(run->ptep + nr);

		want = mmu_share_next_pfn(cursor, gfn + nr, want, &left);
		if (!is_there(pte_flags(pte)) || pte_pfn(pte) != want ||
		    is_writable(pte_flags(pte)) != run->writable)
			break;
	}
	return nr;
}

/**
 * mmu_share_look() - Compare what the host maps with what the IOAS maps
 * @kvm: the VM; its mm is held
 * @slot: memslot that holds all of the range
 * @gfn: first gfn
 * @cursor: the IOAS's pages
 * @npages: in: number of pages; out: for how many of them, from the first on,
 *	the answer is the same
 *
 * Under mmu_lock, and where no invalidation is in progress, the answer stays
 * true until KVM is told of a change, which then waits for mmu_lock; but that
 * the host may come to allow writes without telling. Nothing is faulted in, and
 * no folio is marked dirty or accessed.
 *
 * Context: mmu_lock held.
 * Return: what the host maps
 */
enum mmu_share_identity mmu_share_look(struct kvm *kvm,
				       const struct kvm_memory_slot *slot,
				       gfn_t gfn,
				       struct mmu_share_cursor *cursor,
				       u64 *npages)
{
	unsigned long hva = __gfn_to_hva_memslot(slot, gfn);
	struct host_run run;
	u64 left;

	lockdep_assert_held(&kvm->mmu_lock);

	guard(irqsave)();

	if (!host_walk(kvm->mm, hva, &run)) {
		*npages = 1;
		return HOST_ABSENT;
	}
	if (run.pfn != mmu_share_find_pfn(cursor, gfn, &left)) {
		*npages = 1;
		return HOST_OTHER;
	}

	if (run.ptep)
		*npages = host_follow_ptes(&run, hva, cursor, gfn, *npages);
	else
		*npages = min3(run.npages, left, *npages);
	return run.writable ? HOST_WRITABLE : HOST_READABLE;
}
