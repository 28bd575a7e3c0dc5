//! Tells those who wait for a refund that it is settled.
//!
//! A request may wait a bounded time for its legs before it answers. Whoever settles legs in this process tells the
//! waiters after the commit; refunds settled by another process are found by one batched look at all that are waited
//! for. Subscribers outside (webhooks) will read the journal from here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use refundry_core::order::Id;
use refundry_core::refund::{Refund, RefundState};
use refundry_store::{Store, StoreError, refunds};

/// Called once, when the refund is settled.
pub type OnSettled = Box<dyn FnOnce() + Send>;

/// Requests that wait for a refund to settle.
#[derive(Default)]
pub struct Waiters {
    waiting: Mutex<BTreeMap<Id, Waiting>>,
}

struct Waiting {
    store: i64,
    told: Vec<OnSettled>,
}

impl Waiters {
    /// Waits for a refund. Whoever calls this must look at the refund afterwards once more: it may be settled already.
    pub fn wait(&self, store: i64, refund: Id, told: OnSettled) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(refund).or_insert_with(|| Waiting { store, told: Vec::new() }).told.push(told);
    }

    /// Nobody waits for this refund any more.
    pub fn give_up(&self, refund: Id) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&refund);
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
        let told = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&refund.id);
        for told in told.into_iter().flat_map(|waiting| waiting.told) {
            told();
        }
    }

    /// Looks at everything that is waited for: for refunds that another process settles.
    pub fn look(&self, store: &Store) -> Result<(), StoreError> {
        let wanted: Vec<(i64, Id)> = {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.iter().map(|(id, w)| (w.store, *id)).collect()
        };
        if wanted.is_empty() {
            return Ok(());
        }
        let found = store.read(|tx| {
            let mut found = Vec::new();
            for (store, id) in &wanted {
                found.extend(refunds::get(tx, *store, *id)?);
            }
            Ok(found)
        })?;
        for refund in found {
            self.tell(&Arc::new(refund));
        }
        Ok(())
    }
}
