// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a memslot maps the very pages that the IOMMU side wants mapped.
 *
 * The IOAS and the memslot are told of guest memory separately. Should they
 * differ, one entry can't serve both, and following either would hand the other
 * side memory that it was never given.
 */
#include <linux/error-injection.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>

#include "mmu.h"
#include "share.h"

/*
 * Look @hva up in @mm without locks, as host_pfn_mapping_level() does. Returns
 * how many pages from there on one host entry maps, 0 for none, and the first of
 * them in *@pfn. *@ptep is where the entry is if it is a PTE, else NULL.
 *
 * Interrupts are off so that no page table is freed under the walk. What is
 * found may be stale on return; the caller compares it with a page that is
 * pinned, and a page that is pinned does not become another one's.
 */
static u64 host_walk(struct mm_struct *mm, unsigned long hva, bool write,
		     kvm_pfn_t *pfn, pte_t **ptep)
{
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;
	pte_t pte;

	lockdep_assert_irqs_disabled();
	*ptep = NULL;

	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		return 0;

	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return 0;

	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return 0;
	if (pud_leaf(pud)) {
		if (write && !pud_write(pud))
			return 0;
		*pfn = pud_pfn(pud) + ((hva & ~PUD_MASK) >> PAGE_SHIFT);
		return PTRS_PER_PMD * PTRS_PER_PTE -
		       ((hva & ~PUD_MASK) >> PAGE_SHIFT);
	}

	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return 0;
	if (pmd_leaf(pmd)) {
		if (write && !pmd_write(pmd))
			return 0;
		*pfn = pmd_pfn(pmd) + ((hva & ~PMD_MASK) >> PAGE_SHIFT);
		return PTRS_PER_PTE - ((hva & ~PMD_MASK) >> PAGE_SHIFT);
	}

	*ptep = pte_offset_kernel(&pmd, hva);
	pte = ptep_get(*ptep);
	if (!pte_present(pte) || (write && !pte_write(pte)))
		return 0;
	*pfn = pte_pfn(pte);
	return 1;
}

/* How many of @npages from @hva on are the pages that @cursor has from @gfn on. */
static u64 host_matches(struct mm_struct *mm, unsigned long hva, bool write,
			struct mmu_share_cursor *cursor, gfn_t gfn, u64 npages)
{
	u64 left, mapped, matched = 0;
	kvm_pfn_t pfn, want;
	pte_t *ptep;

	guard(irqsave)();

	mapped = host_walk(mm, hva, write, &pfn, &ptep);
	want = mmu_share_find_pfn(cursor, gfn, &left);
	if (!mapped || pfn != want)
		return 0;
	if (!ptep)
		return min3(mapped, left, npages);

	/* The table is there, so compare all of it. */
	npages = min(npages, PTRS_PER_PTE - pte_index(hva));
	for (matched = 1; matched < npages; matched++) {
		pte_t pte = ptep_get(ptep + matched);

		want = mmu_share_next_pfn(cursor, gfn + matched, want, &left);
		if (!pte_present(pte) || (write && !pte_write(pte)) ||
		    pte_pfn(pte) != want)
			break;
	}
	return matched;
}

/*
 * The page at @hva is not mapped as it should be: swapped, write-protected by
 * fork or KSM, or never touched by this mm. Fault it in as the guest's own
 * access would, then look at what came.
 */
static int host_fault(struct mm_struct *mm, unsigned long hva, bool write,
		      kvm_pfn_t *pfn)
{
	struct page *page;
	int locked = 1;
	long got;

	/* Lets go of the lock while a userfault is being handled, say. */
	mmap_read_lock(mm);
	got = get_user_pages_remote(mm, hva, 1, write ? FOLL_WRITE : 0, &page,
				    &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (got == -ENOMEM || got == -EINTR)
		return got;
	if (got != 1)
		return -EADDRNOTAVAIL;

	*pfn = page_to_pfn(page);
	put_page(page);
	return 0;
}

/**
 * mmu_share_fault_in() - Have the host map a device's registers
 * @mm: the VM's
 * @slot: memslot of the registers
 *
 * The host maps them as they are touched. mmu_share_check_identity() must find
 * them mapped: it can't get them as pages, nor fault them in under its caller's
 * locks. While the device's memory is disabled they are not there.
 *
 * Context: mmap_lock held for read, may be dropped and taken again; may sleep.
 */
void mmu_share_fault_in(struct mm_struct *mm, const struct kvm_memory_slot *slot)
{
	unsigned long hva = slot->userspace_addr;
	unsigned long end = hva + slot->npages * PAGE_SIZE;
	kvm_pfn_t pfn;
	pte_t *ptep;
	u64 mapped;

	for (; hva < end; hva += mapped * PAGE_SIZE) {
		bool unlocked;

		scoped_guard(irqsave)
			mapped = host_walk(mm, hva, true, &pfn, &ptep);
		if (mapped)
			continue;
		if (fixup_user_fault(mm, hva, FAULT_FLAG_WRITE, &unlocked))
			return;
		mapped = 1;
		cond_resched();
	}
}

/**
 * mmu_share_check_identity() - Check that a memslot maps given pages
 * @kvm: the VM
 * @slot: memslot that holds all of the range
 * @gfn: first gfn
 * @npages: number of 4 KiB pages
 * @cursor: at @gfn or before it, the pages that must be there
 * @access: what the device may do with them
 *
 * The pages are pinned by the caller's caller, so that what was identical once
 * stays the page that the guest saw, whatever the host maps there later.
 *
 * Context: kvm->srcu held; takes mmap_lock; may sleep.
 * Return: 0, -EADDRNOTAVAIL for other pages, -ESRCH when the VMM's mm is gone,
 * -ENOMEM, or -EINTR when the caller is being killed.
 */
int mmu_share_check_identity(struct kvm *kvm,
			     const struct kvm_memory_slot *slot, gfn_t gfn,
			     u64 npages, struct mmu_share_cursor cursor,
			     const struct mmu_share_access *access)
{
	unsigned long hva = __gfn_to_hva_memslot(slot, gfn);
	struct mm_struct *mm = kvm->mm;
	u64 done, step;
	int ret = 0;

	if (!mmget_not_zero(mm))
		return -ESRCH;

	for (done = 0; done < npages; done += step) {
		unsigned long addr = hva + done * PAGE_SIZE;
		kvm_pfn_t found;
		u64 left;

		cond_resched();

		step = host_matches(mm, addr, access->write, &cursor,
				    gfn + done, npages - done);
		if (step)
			continue;

		/*
		 * Registers must be mapped already: they are not got as pages,
		 * and iommufd holds a lock for them that is inside of mmap_lock.
		 */
		if (access->host_mmio)
			ret = -EADDRNOTAVAIL;
		else
			ret = host_fault(mm, addr, access->write, &found);
		if (!ret &&
		    found != mmu_share_find_pfn(&cursor, gfn + done, &left))
			ret = -EADDRNOTAVAIL;
		if (ret)
			break;
		step = 1;
	}

	mmput_async(mm);
	return ret;
}
ALLOW_ERROR_INJECTION(mmu_share_check_identity, ERRNO);
