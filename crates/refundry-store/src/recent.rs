//! What was read or written a moment ago, so that it need not be read, or taken apart, again.
//!
//! An order is needed twice for each refund, and the refund itself once more: when it is accepted, and when its
//! provider has answered. What is kept here is never older than what is in the database, whoever writes beside us. The
//! embedded database tells whether anybody else has written since (see [`Tx::state`]); if not, all that was left behind
//! by the last transaction still holds. On a server everything is read again, and an order's packed facts are compared,
//! byte by byte, with those that were taken apart before; that is many times cheaper than taking them apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Order};
use refundry_core::refund::Refund;

use crate::codec::{self, OrderColumns};
use crate::{StoreError, Tx};

/// What each memory keeps, twice over, in parts: lines, components, payments, legs, allocations. A few thousand orders
/// of common size, some megabytes.
const PARTS_MAX: usize = 1 << 16;
/// Names that are kept, twice over.
const NAMES_MAX: usize = 1 << 13;
/// Bytes of packed facts that are kept, twice over: a few thousand orders of common size.
const BYTES_MAX: usize = 4 << 20;

/// What a lane knows from its last transactions.
#[derive(Default)]
pub struct Recent {
    /// The state of the database that `facts` and `refunds` are of; `None` on a server.
    state: Option<u64>,
    facts: Memory<(i64, Id), Facts>,
    refunds: Memory<(i64, Id), Arc<Refund>>,
    /// Orders by what callers call them.
    names: Memory<Name, Id>,
    /// By packed facts: only on a server.
    parsed: Memory<(i64, Id), Parsed>,
}

/// How a caller names an order: store, text, our number.
pub type Name = (i64, String, Option<Id>);

struct Parsed {
    facts: String,
    order: Arc<Order>,
}

impl Recent {
    /// Forgets what may have changed, now that a transaction has begun.
    pub fn begin(&mut self, tx: &Tx<'_>) {
        if tx.state().is_none() || tx.state() != self.state {
            self.facts = Memory::default();
            self.refunds = Memory::default();
            self.names = Memory::default();
        }
        self.state = tx.state();
    }

    /// Takes in what the transaction leaves behind, all of it written. It counts once the transaction is committed; if
    /// it is not, all that is known must be thrown away.
    pub fn end(
        &mut self,
        facts: impl Iterator<Item = ((i64, Id), Facts)>,
        refunds: impl Iterator<Item = ((i64, Id), Arc<Refund>)>,
        names: impl Iterator<Item = (Name, Id)>,
    ) {
        let Some(state) = self.state else { return };
        self.state = Some(state + 1);
        for (name, order) in names {
            self.names.keep(name, 1, NAMES_MAX, order);
        }
        for (key, facts) in facts {
            let Order { lines, components, payments, .. } = &*facts.order;
            self.facts.keep(key, lines.len() + components.len() + payments.len(), PARTS_MAX, facts);
        }
        for (key, refund) in refunds {
            // Of a refund that is done nobody may ever hear again.
            if refund.legs.iter().all(|leg| leg.state.is_final()) {
                self.refunds.take(&key);
            } else {
                self.refunds.keep(key, refund.legs.len() + refund.allocations.len(), PARTS_MAX, refund);
            }
        }
    }

    /// Which order a name means; to be given back at the end of this transaction.
    pub fn take_name(&mut self, name: &Name) -> Option<Id> {
        self.names.take(name)
    }

    /// Orders came or changed, so that a name may mean another one.
    pub fn forget_names(&mut self) {
        self.names = Memory::default();
    }

    /// An order as the last transaction left it; to be given back at the end of this one.
    pub(crate) fn take_facts(&mut self, store: i64, order: Id) -> Option<Facts> {
        self.facts.take(&(store, order))
    }

    /// A refund as the last transaction left it; to be given back at the end of this one.
    pub(crate) fn take_refund(&mut self, store: i64, refund: Id) -> Option<Arc<Refund>> {
        self.refunds.take(&(store, refund))
    }

    /// The order in a row of the database.
    pub(crate) fn order(&mut self, store: i64, columns: OrderColumns, facts: &str) -> Result<Arc<Order>, StoreError> {
        if self.state.is_some() {
            return Ok(Arc::new(codec::read_order(columns, facts)?));
        }
        let key = (store, columns.id);
        let same = |known: &Parsed| known.facts == facts && columns.are_of(&known.order);
        let parsed = match self.parsed.take(&key).filter(same) {
            Some(known) => known,
            None => Parsed { facts: facts.to_owned(), order: Arc::new(codec::read_order(columns, facts)?) },
        };
        let order = Arc::clone(&parsed.order);
        self.parsed.keep(key, facts.len(), BYTES_MAX, parsed);
        Ok(order)
    }
}

/// Keeps what was used last: what is young, and what was young before the young became too much.
struct Memory<K, V> {
    young: BTreeMap<K, V>,
    old: BTreeMap<K, V>,
    /// How much was put among the young.
    weight: usize,
}

impl<K: Ord, V> Memory<K, V> {
    fn take(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    fn keep(&mut self, key: K, weight: usize, weight_max: usize, value: V) {
        if self.weight > weight_max {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.old.remove(&key);
        self.young.insert(key, value);
    }
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), weight: 0 }
    }
}
