//! The rows of one batch in memory: loaded once, folded job by job, written once with their final values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::decide::Decision;
use refundry_core::journal::{Happening, Posting};
use refundry_core::order::{Id, Order, Reference};
use refundry_core::refund::Refund;
use refundry_store::keys::{self, KeyRecord};
use refundry_store::outbox::{self, OutboxRow, PutOff};
use refundry_store::{StoreError, Tx, journal, orders, refunds, tokens};

use crate::accept::{Job, Pass};

/// What the jobs of one batch see and leave behind.
#[derive(Default)]
pub(crate) struct World {
    facts: BTreeMap<(i64, Id), Kept<Facts>>,
    refunds: BTreeMap<(i64, Id), Kept<Arc<Refund>>>,
    resolved: BTreeMap<(i64, String, Option<Id>), Option<Id>>,
    passes: BTreeMap<String, Option<(i64, String)>>,
    keys: BTreeMap<(i64, String), Option<KeyRecord>>,
    bound: Vec<(i64, String)>,
    entries: Vec<Entry>,
    sent: Vec<OutboxRow>,
    done: Vec<(i64, Id)>,
    put_off: Vec<PutOff>,
}

/// A refund and its order, shared with answers.
pub(crate) type Found = (Arc<Refund>, Arc<Order>);

struct Kept<T> {
    value: T,
    state: Row,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Same,
    Changed,
    New,
}

struct Entry {
    store: i64,
    order: Id,
    id: Id,
    refund: Option<Id>,
    happened_ms: i64,
    happening: Happening,
    postings: Vec<Posting>,
}

impl World {
    /// Finds every order that the jobs name and takes them in key order, so that two writers never wait for each other
    /// in a circle.
    pub(crate) fn load(tx: &mut Tx<'_>, jobs: &[Job]) -> Result<Self, StoreError> {
        let mut world = Self::default();
        let mut wanted = BTreeSet::new();
        for mut job in jobs {
            while let Job::On { job: inner, .. } = job {
                job = inner;
            }
            match job {
                Job::Create { store, command, .. } => {
                    wanted.extend(world.resolve(tx, *store, &command.order)?.map(|id| (*store, id)));
                }
                Job::Record(news) => {
                    wanted.insert((news.store, news.order));
                }
                Job::Fulfil { store, order, .. } | Job::AddPayment { store, order, .. } => {
                    wanted.extend(world.resolve(tx, *store, order)?.map(|id| (*store, id)));
                }
                Job::PutOrder { store, intake } => {
                    let reference = crate::intake::reference(&intake.order);
                    if let Some(reference) = reference {
                        wanted.extend(world.resolve(tx, *store, &reference)?.map(|id| (*store, id)));
                    }
                }
                Job::SettleByHand { store, refund, .. } | Job::Annotate { store, refund, .. } => {
                    wanted.extend(refunds::find(tx, *store, refund)?.map(|refund| (*store, refund.order)));
                }
                Job::On { .. }
                | Job::Lease { .. }
                | Job::Reclaim
                | Job::AddStore(_)
                | Job::AddToken(_)
                | Job::RevokeToken { .. }
                | Job::ForgetKeys => {}
            }
        }
        for (store, order) in wanted {
            world.facts(tx, store, order)?;
        }
        Ok(world)
    }

    /// Whether a token still opens the same store for the same; looked up once a batch.
    pub(crate) fn pass_holds(&mut self, tx: &mut Tx<'_>, pass: &Pass) -> Result<bool, StoreError> {
        if !self.passes.contains_key(&pass.hash) {
            let found = tokens::find(tx, &pass.hash)?.map(|(token, _)| (token.store, token.scopes));
            self.passes.insert(pass.hash.clone(), found);
        }
        let known = self.passes.get(&pass.hash).and_then(Option::as_ref);
        Ok(known.is_some_and(|(store, scopes)| *store == pass.store && *scopes == pass.scopes.join(" ")))
    }

    /// Our number of the order that a caller names.
    pub(crate) fn resolve(
        &mut self,
        tx: &mut Tx<'_>,
        store: i64,
        reference: &Reference,
    ) -> Result<Option<Id>, StoreError> {
        let key = (store, reference.text.clone(), reference.ours);
        if let Some(known) = self.resolved.get(&key) {
            return Ok(*known);
        }
        let found = orders::resolve(tx, store, reference)?;
        self.resolved.insert(key, found);
        Ok(found)
    }

    /// The order with its balances as the jobs so far left them. It must exist.
    pub(crate) fn facts(&mut self, tx: &mut Tx<'_>, store: i64, order: Id) -> Result<&Facts, StoreError> {
        use std::collections::btree_map::Entry as Slot;
        match self.facts.entry((store, order)) {
            Slot::Occupied(kept) => Ok(&kept.into_mut().value),
            Slot::Vacant(slot) => {
                let facts = orders::facts(tx, store, order)?;
                let facts = facts.ok_or_else(|| StoreError::defect("an order that a row names is not there"))?;
                Ok(&slot.insert(Kept { value: facts, state: Row::Same }).value)
            }
        }
    }

    /// The order, shared.
    pub(crate) fn order(&mut self, tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Arc<Order>, StoreError> {
        Ok(Arc::clone(&self.facts(tx, store, order)?.order))
    }

    /// A refund and its order as the jobs so far left them.
    pub(crate) fn refund(&mut self, tx: &mut Tx<'_>, store: i64, refund: Id) -> Result<Option<Found>, StoreError> {
        let known = self.refunds.get(&(store, refund)).map(|kept| Arc::clone(&kept.value));
        let refund = if let Some(known) = known {
            known
        } else {
            let Some(found) = refunds::get(tx, store, refund)? else { return Ok(None) };
            let found = Arc::new(found);
            self.refunds.insert((store, refund), Kept { value: Arc::clone(&found), state: Row::Same });
            found
        };
        let order = self.order(tx, store, refund.order)?;
        Ok(Some((refund, order)))
    }

    /// All refunds of an order as the jobs so far left them, oldest first: those of this batch are not in the database
    /// yet.
    pub(crate) fn refunds_of(&self, tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Refund>, StoreError> {
        let stored = refunds::of_order(tx, store, order)?.into_iter().map(|refund| (refund.id, refund));
        let mut all: BTreeMap<Id, Refund> = stored.collect();
        let in_hand = self.refunds.iter().filter(|((s, _), kept)| *s == store && kept.value.order == order);
        all.extend(in_hand.map(|((_, id), kept)| (*id, Refund::clone(&kept.value))));
        Ok(all.into_values().collect())
    }

    /// Our number of the refund that a caller names.
    pub(crate) fn find_refund(
        &mut self,
        tx: &mut Tx<'_>,
        store: i64,
        reference: &Reference,
    ) -> Result<Option<Id>, StoreError> {
        if let Some(ours) = reference.ours.filter(|id| self.refunds.contains_key(&(store, *id))) {
            return Ok(Some(ours));
        }
        Ok(refunds::find(tx, store, reference)?.map(|refund| refund.id))
    }

    /// What was accepted under a key, by an earlier batch or an earlier job of this one.
    pub(crate) fn key(
        &mut self,
        tx: &mut Tx<'_>,
        store: i64,
        key: &str,
        since_ms: i64,
    ) -> Result<Option<KeyRecord>, StoreError> {
        if let Some(known) = self.keys.get(&(store, key.to_owned())) {
            return Ok(known.clone());
        }
        let found = keys::get(tx, store, key, since_ms)?;
        self.keys.insert((store, key.to_owned()), found.clone());
        Ok(found)
    }

    /// Binds a key to the refund it created.
    pub(crate) fn bind(&mut self, key: KeyRecord) {
        let slot = (key.store, key.key.clone());
        self.bound.push(slot.clone());
        self.keys.insert(slot, Some(key));
    }

    /// Folds a decision: the next job on this order sees it. `entry` numbers its journal entry.
    pub(crate) fn apply(
        &mut self,
        store: i64,
        order: Id,
        decision: Decision,
        new: bool,
        entry: Id,
        now_ms: i64,
    ) -> Found {
        let Decision { refund, balances, happening, postings } = decision;
        let kept = self.facts.get_mut(&(store, order)).expect("a decision was made on facts in memory");
        kept.value.balances = balances;
        kept.touch();
        let shared = Arc::clone(&kept.value.order);
        let refund = Arc::new(refund);
        if let Some(happening) = happening {
            let refund = Some(refund.id);
            self.entries.push(Entry { store, order, id: entry, refund, happened_ms: now_ms, happening, postings });
        }
        let slot = self.refunds.entry((store, refund.id));
        let kept = slot.or_insert_with(|| Kept { value: Arc::clone(&refund), state: Row::Same });
        kept.value = Arc::clone(&refund);
        kept.state = match (new, kept.state) {
            (true, _) | (false, Row::New) => Row::New,
            (false, Row::Same | Row::Changed) => Row::Changed,
        };
        (refund, shared)
    }

    /// Puts a refund whose change was already written.
    pub(crate) fn replace_refund(&mut self, store: i64, refund: &Arc<Refund>) {
        if let Some(kept) = self.refunds.get_mut(&(store, refund.id)) {
            kept.value = Arc::clone(refund);
        }
    }

    /// Takes in a new order, or new facts of a known one, with the entry that explains the difference.
    pub(crate) fn put_order(&mut self, store: i64, facts: Facts, opening: (Id, Happening, Vec<Posting>), now_ms: i64) {
        let order = facts.order.id;
        let (id, happening, postings) = opening;
        if !postings.is_empty() {
            self.entries.push(Entry { store, order, id, refund: None, happened_ms: now_ms, happening, postings });
        }
        if let Some(reference) = crate::intake::reference(&facts.order) {
            self.resolved.insert((store, reference.text, reference.ours), Some(order));
        }
        self.facts.insert((store, order), Kept { value: facts, state: Row::Changed });
    }

    /// Puts a leg into the outbox.
    pub(crate) fn send(&mut self, row: OutboxRow) {
        self.sent.push(row);
    }

    /// A leg needs nothing more.
    pub(crate) fn finish(&mut self, store: i64, leg: Id) {
        self.done.push((store, leg));
    }

    /// A leg is to be asked about again later.
    pub(crate) fn put_off(&mut self, row: PutOff) {
        self.put_off.push(row);
    }

    /// Writes every row that changed, table by table, in key order.
    pub(crate) fn write(self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let changed: Vec<_> = self.facts.iter().filter(|(_, kept)| kept.state != Row::Same).collect();
        let balances: Vec<_> =
            changed.iter().map(|((store, order), kept)| (*store, *order, &kept.value.balances)).collect();
        orders::put_balances(tx, &balances)?;
        let rows = |wanted: Row| {
            let of_kind = self.refunds.iter().filter(move |(_, kept)| kept.state == wanted);
            of_kind.map(|((store, _), kept)| {
                let facts = self.facts.get(&(*store, kept.value.order)).expect("a refund's order is in memory");
                (*store, &*kept.value, &*facts.value.order)
            })
        };
        refunds::insert(tx, &rows(Row::New).collect::<Vec<_>>())?;
        refunds::update(tx, &rows(Row::Changed).collect::<Vec<_>>())?;
        let bound = self.bound.iter().filter_map(|slot| self.keys.get(slot).cloned().flatten());
        keys::put(tx, &bound.collect::<Vec<_>>())?;
        let entries: Vec<journal::Entry<'_>> = self.entries.iter().map(Entry::as_row).collect();
        journal::insert(tx, &entries)?;
        outbox::insert(tx, &self.sent)?;
        outbox::put_off(tx, &self.put_off)?;
        outbox::remove(tx, &self.done)
    }
}

impl<T> Kept<T> {
    fn touch(&mut self) {
        if self.state == Row::Same {
            self.state = Row::Changed;
        }
    }
}

impl Entry {
    fn as_row(&self) -> journal::Entry<'_> {
        journal::Entry {
            store: self.store,
            order: self.order,
            id: self.id,
            refund: self.refund,
            happened_ms: self.happened_ms,
            happening: self.happening,
            postings: &self.postings,
        }
    }
}
