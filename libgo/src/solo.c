// SPDX-License-Identifier: MIT
/*
 * When locks have to be taken after all.
 *
 * An M enters its section (a store), and then asks whether it is alone (a load). Who
 * ends that does a store and then looks whether an M is in a section. The barriers
 * that this takes on both sides are one membarrier(2): after it an M either sees
 * the store, or is seen in its section.
 */
#include "futex.h"
#include "proc.h"
#include "solo.h"
#include "wait.h"

#define SECTION_LOOK	(20 * GO_MICROSECOND)

uint32_t solo;

static struct lock solo_lock;	/* of those who end it */

void solo_begin(void)
{
	if (rt.nr_p != 1 || !membarrier_all())
		return;
	__atomic_store_n(&solo, SOLO, __ATOMIC_SEQ_CST);
	/* One that began before that saw nothing to end. */
	if (__atomic_load_n(&thread_calls, __ATOMIC_SEQ_CST))
		solo_over();
}

void solo_over(void)
{
	__atomic_store_n(&solo, SOLO_NOT, __ATOMIC_SEQ_CST);
}

void solo_end(void)
{
	lock_acquire(&solo_lock);
	if (__atomic_load_n(&solo, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&solo, SOLO_ENDS, __ATOMIC_SEQ_CST);
		membarrier_all();
		while (p_in_section(&rt.ps[0]))
			futex_sleep(SECTION_LOOK);
		/* All that was done in the section has happened. */
		membarrier_all();
		shadow_acquire(&rt.ps[0]);
		solo_over();
	}
	lock_release(&solo_lock);
}
