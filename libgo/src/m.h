/* SPDX-License-Identifier: MIT */
/*
 * Threads: how Ms are made and how they end.
 */
#ifndef M_H
#define M_H

#include "runtime.h"

/* Start another M; it parks at once. 0, or a negative errno. */
int m_start(void);

/* Before it parks: move to where it was missed as a spare. */
void m_settle(struct m *m);

/* Are there spares enough without this M? */
bool m_is_surplus(const struct m *m);

/*
 * May an M wait for the turn of its goroutine, and give its P away? Not if it could be
 * the last one, and there is no other to come: nobody would pass a P to any of them.
 */
bool m_may_stop(void);

/* May an M come for an idle P: is there a spare, or can one be made? */
bool m_may_come(void);

/* With each M that has not ended, and does not meanwhile. Not from an M. */
void m_for_each(void (*fn)(struct m *m));

/* Free the Ms that have ended: their structures are garbage then. Not from an M. */
void m_free_ended(void);

/* The thread that keeps enough spares ready. */
int maker_start(void);
void maker_join(void);

#endif /* M_H */
