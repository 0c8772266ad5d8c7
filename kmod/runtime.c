// SPDX-License-Identifier: GPL-2.0-only
/*
 * A runtime and its shared pages.
 *
 * The pages are laid out as the header struct kgo_runtime, in whole pages, then
 * the Ps, then the Ms. They are ordinary kernel pages, charged to the memory
 * cgroup of who sets the runtime up or enters it, and are inserted into the
 * process by its page faults. The kernel uses its own addresses of them, so
 * that it can write them in the scheduler.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "kgo.h"

#define KGO_HEADER_PAGES	DIV_ROUND_UP(sizeof(struct kgo_runtime), PAGE_SIZE)
#define KGO_P_PER_PAGE		(PAGE_SIZE / sizeof(struct kgo_p))
#define KGO_M_PER_PAGE		(PAGE_SIZE / sizeof(struct kgo_m))

struct kgo_rt *kgo_rt_make(void)
{
	struct kgo_rt *rt;

	rt = kzalloc(sizeof(*rt), GFP_KERNEL_ACCOUNT);
	if (!rt)
		return ERR_PTR(-ENOMEM);
	rt->counts = alloc_percpu_gfp(struct kgo_counts, GFP_KERNEL_ACCOUNT);
	if (!rt->counts) {
		kfree(rt);
		return ERR_PTR(-ENOMEM);
	}

	kref_init(&rt->ref);
	mutex_init(&rt->setup_mutex);
	raw_spin_lock_init(&rt->lock);
	INIT_LIST_HEAD(&rt->spares);
	INIT_LIST_HEAD(&rt->held);
	INIT_LIST_HEAD(&rt->held_end);
	ida_init(&rt->m_ids);
	rt->mm = current->mm;
	mmgrab(rt->mm);
	return rt;
}

static void kgo_pages_free(void **pages, u32 nr_pages)
{
	u32 i;

	for (i = 0; i < nr_pages; i++)
		free_page((unsigned long)pages[i]);
	kvfree(pages);
}

static void kgo_rt_free(struct kref *ref)
{
	struct kgo_rt *rt = container_of(ref, struct kgo_rt, ref);

	kgo_pages_free(rt->pages, rt->nr_pages);
	ida_destroy(&rt->m_ids);
	mutex_destroy(&rt->setup_mutex);
	free_percpu(rt->counts);
	mmdrop(rt->mm);
	kfree(rt);
}

void kgo_rt_put(struct kgo_rt *rt)
{
	kref_put(&rt->ref, kgo_rt_free);
}

static void *kgo_page_alloc(void)
{
	return (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
}

/* The header and the Ps are there from the start, Ms' pages come with the Ms. */
static int kgo_pages_make(struct kgo_rt *rt, u32 nr_p, u32 nr_m)
{
	u32 m_first_page = KGO_HEADER_PAGES + DIV_ROUND_UP(nr_p, KGO_P_PER_PAGE);
	u32 nr_pages = m_first_page + DIV_ROUND_UP(nr_m, KGO_M_PER_PAGE);
	void **pages;
	u32 i;

	pages = kvcalloc(nr_pages, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < m_first_page; i++) {
		pages[i] = kgo_page_alloc();
		if (!pages[i]) {
			kgo_pages_free(pages, nr_pages);
			return -ENOMEM;
		}
	}

	rt->m_first_page = m_first_page;
	rt->nr_pages = nr_pages;
	rt->pages = pages;
	rt->shared = pages[0];
	return 0;
}

int kgo_rt_setup(struct kgo_rt *rt, struct kgo_setup *arg)
{
	int ret;

	if (arg->flags & ~KGO_SETUP_HOLD || !arg->nr_p || arg->nr_p > KGO_MAX_P ||
	    !arg->nr_m || arg->nr_m > KGO_MAX_M || arg->spare_low > arg->nr_m)
		return -EINVAL;

	mutex_lock(&rt->setup_mutex);
	if (rt->ready) {
		ret = -EBUSY;
		goto out;
	}
	ret = kgo_pages_make(rt, arg->nr_p, arg->nr_m);
	if (ret)
		goto out;
	rt->nr_p = arg->nr_p;
	rt->nr_m_max = arg->nr_m;
	rt->spare_low = arg->spare_low;
	rt->hold = KGO_CAN_HOLD && arg->flags & KGO_SETUP_HOLD;
	/* Pairs with the acquire in kgo_ioctl() and kgo_rt_map(). */
	smp_store_release(&rt->ready, true);

	arg->version = KGO_ABI_VERSION;
	arg->features = KGO_FEATURE_HANDOFF |
			(KGO_CAN_HOLD ? KGO_FEATURE_HOLD : 0);
	arg->map_size = (u64)rt->nr_pages << PAGE_SHIFT;
	arg->p_offset = (u64)KGO_HEADER_PAGES << PAGE_SHIFT;
	arg->m_offset = (u64)rt->m_first_page << PAGE_SHIFT;
out:
	mutex_unlock(&rt->setup_mutex);
	return ret;
}

struct kgo_p *kgo_rt_p(struct kgo_rt *rt, u32 p)
{
	struct kgo_p *page = rt->pages[KGO_HEADER_PAGES + p / KGO_P_PER_PAGE];

	return page + p % KGO_P_PER_PAGE;
}

struct kgo_m *kgo_rt_m(struct kgo_rt *rt, u32 m)
{
	struct kgo_m *page = rt->pages[rt->m_first_page + m / KGO_M_PER_PAGE];

	return page + m % KGO_M_PER_PAGE;
}

/* Make sure that the shared words of an M are there. */
int kgo_rt_fill_m(struct kgo_rt *rt, u32 m)
{
	void **page = &rt->pages[rt->m_first_page + m / KGO_M_PER_PAGE];
	int ret = 0;

	mutex_lock(&rt->setup_mutex);
	if (!*page) {
		void *new = kgo_page_alloc();

		if (!new)
			ret = -ENOMEM;
		else
			/* Pairs with the acquire in kgo_vm_fault(). */
			smp_store_release(page, new);
	}
	mutex_unlock(&rt->setup_mutex);
	return ret;
}

static vm_fault_t kgo_vm_fault(struct vm_fault *vmf)
{
	struct kgo_rt *rt = vmf->vma->vm_file->private_data;
	void *page;

	/* A child has the map if MADV_DOFORK was called, but no pages yet. */
	if (vmf->pgoff >= rt->nr_pages || vmf->vma->vm_mm != rt->mm)
		return VM_FAULT_SIGBUS;
	/* Pairs with the release in kgo_rt_fill_m(). */
	page = smp_load_acquire(&rt->pages[vmf->pgoff]);
	if (!page)
		return VM_FAULT_SIGBUS;
	vmf->page = virt_to_page(page);
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct kgo_vm_ops = {
	.fault = kgo_vm_fault,
};

int kgo_rt_map(struct kgo_rt *rt, struct vm_area_struct *vma)
{
	/* Pairs with the release in kgo_rt_setup(). */
	if (!smp_load_acquire(&rt->ready))
		return -ENXIO;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff ||
	    vma_pages(vma) > rt->nr_pages)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;

	kgo_vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND, VM_MAYEXEC);
	vma->vm_ops = &kgo_vm_ops;
	return 0;
}

int kgo_rt_stats(struct kgo_rt *rt, struct kgo_stats *arg)
{
	u32 size = arg->size;
	u64 *sum = &arg->handoffs;
	int cpu, i;

	BUILD_BUG_ON(sizeof(struct kgo_counts) !=
		     sizeof(*arg) - offsetof(struct kgo_stats, handoffs));
	if (arg->reserved)
		return -EINVAL;

	memset(arg, 0, sizeof(*arg));
	arg->size = size;
	raw_spin_lock_irq(&rt->lock);
	arg->nr_m = rt->nr_m;
	arg->nr_spare = rt->nr_spare;
	raw_spin_unlock_irq(&rt->lock);
	for_each_possible_cpu(cpu) {
		const u64 *count = (u64 *)per_cpu_ptr(rt->counts, cpu);

		for (i = 0; i < sizeof(struct kgo_counts) / sizeof(u64); i++)
			sum[i] += READ_ONCE(count[i]);
	}
	return 0;
}
