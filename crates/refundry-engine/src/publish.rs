//! Tells those who wait for a refund that it is settled.
//!
//! A request may wait a bounded time for its legs before it answers. Whoever settles legs in this process tells the
//! waiters after the commit; refunds settled by another process are found by one batched look at all that are waited
//! for. Subscribers outside are told by [`crate::hooks`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use refundry_core::order::Id;
use refundry_core::refund::{Refund, RefundState};
use refundry_store::{Store, StoreError, refunds};

/// Called once, when the refund is settled.
pub type OnSettled = Box<dyn FnOnce() + Send>;

/// Requests that wait for a refund to settle.
#[derive(Default)]
pub struct Waiters {
    /// By refund and ticket.
    waiting: Mutex<BTreeMap<(Id, u64), Waiting>>,
    tickets: AtomicU64,
}

struct Waiting {
    store: i64,
    told: OnSettled,
}

/// Says who waits: several requests may wait for one refund.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    refund: Id,
    number: u64,
}

impl Waiters {
    /// Waits for a refund. Whoever calls this must look at the refund afterwards once more: it may be settled already.
    pub fn wait(&self, store: i64, refund: Id, told: OnSettled) -> Ticket {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert((refund, number), Waiting { store, told });
        Ticket { refund, number }
    }

    /// This one waits no more.
    pub fn give_up(&self, ticket: Ticket) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.remove(&(ticket.refund, ticket.number));
    }

    /// Whether anybody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A refund changed.
    pub(crate) fn tell(&self, refund: &Arc<Refund>) {
        if refund.state() == RefundState::Pending {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_refund = (refund.id, 0)..=(refund.id, u64::MAX);
        let told: Vec<Waiting> = waiting.extract_if(of_refund, |_, _| true).map(|(_, waiting)| waiting).collect();
        drop(waiting);
        for waiting in told {
            (waiting.told)();
        }
    }

    /// Looks at everything that is waited for: for refunds that another process settles.
    pub fn look(&self, store: &Store) -> Result<(), StoreError> {
        let wanted: BTreeSet<(i64, Id)> = {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.iter().map(|((refund, _), w)| (w.store, *refund)).collect()
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let found = store.read(|tx| refunds::get_many(tx, &wanted.into_iter().collect::<Vec<_>>()))?;
        for refund in found.into_iter().flatten() {
            self.tell(&refund);
        }
        Ok(())
    }
}
