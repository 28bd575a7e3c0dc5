//! Orders that were read a moment ago, so that one that has not changed is not taken apart again.
//!
//! An order is read twice for each refund: when it is accepted, and when its provider has answered. Its packed facts
//! are still read from the database each time and compared, byte by byte, with those that were taken apart before;
//! that is many times cheaper than taking them apart, and never wrong, whoever wrote in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::order::{Id, Order};

use crate::StoreError;
use crate::codec::{self, OrderColumns};

/// Bytes of packed facts that are kept, twice over: a few thousand orders of common size.
const BYTES_MAX: usize = 4 << 20;

/// What was read lately.
#[derive(Default)]
pub struct Recent {
    young: BTreeMap<(i64, Id), Known>,
    /// What was young before the young ones became too many.
    old: BTreeMap<(i64, Id), Known>,
    /// Of the young ones.
    bytes: usize,
}

struct Known {
    facts: String,
    order: Arc<Order>,
}

impl Recent {
    /// The order in a row of the database.
    pub(crate) fn order(&mut self, store: i64, columns: OrderColumns, facts: &str) -> Result<Arc<Order>, StoreError> {
        let key = (store, columns.id);
        let same = |known: &Known| known.facts == facts && columns.are_of(&known.order);
        if let Some(known) = self.young.get(&key).filter(|known| same(known)) {
            return Ok(Arc::clone(&known.order));
        }
        let known = match self.old.remove(&key).filter(|known| same(known)) {
            Some(known) => known,
            None => Known { facts: facts.to_owned(), order: Arc::new(codec::read_order(columns, facts)?) },
        };
        let order = Arc::clone(&known.order);
        self.keep(key, known);
        Ok(order)
    }

    fn keep(&mut self, key: (i64, Id), known: Known) {
        if self.bytes > BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += known.facts.len();
        self.young.insert(key, known);
    }
}
