//! The rows of one batch in memory: loaded once, folded job by job, written once with their final values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::balances::{Balances, Facts};
use refundry_core::decide::Decision;
use refundry_core::event::EventKind;
use refundry_core::intake::Intake;
use refundry_core::journal::{Happening, Posting};
use refundry_core::order::{Id, Order, Reference};
use refundry_core::payouts::{Payouts, Terms};
use refundry_core::refund::Refund;
use refundry_core::terms::TermChange;
use refundry_gateways::Registry;
use refundry_store::evidence::{self, Evidence};
use refundry_store::keys::{self, KeyRecord};
use refundry_store::orders::Listed;
use refundry_store::outbox::{self, OutboxRow, PutOff, UNASKED};
use refundry_store::{Name, Recent, StoreError, Tx, journal, orders, refunds, returns, stores, tokens};

use crate::accept::{Job, Named, Pass};
use crate::by_hand::RetryAsk;
use crate::hear::{self, Ruling};
use crate::ids::Ids;
use crate::settings;
use crate::stock::Goods;

mod news;

use news::Told;

/// What the jobs of one batch see and leave behind.
#[derive(Default)]
pub(crate) struct World {
    facts: BTreeMap<(i64, Id), KeptFacts>,
    refunds: BTreeMap<(i64, Id), Kept<Arc<Refund>>>,
    resolved: BTreeMap<Name, Option<Id>>,
    passes: BTreeMap<String, Option<(i64, String)>>,
    keys: BTreeMap<(i64, String), Option<KeyRecord>>,
    bound: Vec<(i64, String)>,
    /// Keys that count no more: store, key, when it was bound.
    expired: Vec<(i64, String, i64)>,
    entries: Vec<Entry>,
    sent: Vec<OutboxRow>,
    done: Vec<(i64, Id)>,
    put_off: BTreeMap<(i64, Id), PutOff>,
    evidence: Vec<Evidence>,
    /// What stores configured: the text that is kept with them.
    settings: BTreeMap<i64, String>,
    payouts: BTreeMap<i64, Arc<Payouts>>,
    /// Who wants to hear which events, by store; stores where nobody does are left out.
    wanted: BTreeMap<i64, Vec<(Id, EventKind)>>,
    /// Events that somebody wants to hear, in the order in which they happened.
    told: Vec<Told>,
    recent: Recent,
    goods: Goods,
}

/// A refund and its order, shared with answers.
pub(crate) type Found = (Arc<Refund>, Arc<Order>);

struct Kept<T> {
    value: T,
    state: Row,
}

struct KeptFacts {
    facts: Facts,
    /// The row of balances.
    balances: Row,
    /// The row of the order itself.
    order: Row,
    /// The document to keep for it.
    document: Option<String>,
    /// What the document says that the order is found by.
    terms: Option<TermChange>,
    /// What the database holds of it.
    before: Before,
}

/// An order as the database holds it; nothing of a new one.
#[derive(Default)]
struct Before {
    order: Option<Arc<Order>>,
    listed: Option<Listed>,
}

impl KeptFacts {
    fn read(facts: Facts) -> Self {
        let before = Before { order: Some(Arc::clone(&facts.order)), listed: Listed::of(&facts) };
        Self { facts, balances: Row::Same, order: Row::Same, document: None, terms: None, before }
    }
}

/// A document to keep for an order, and what it says that the order is found by.
pub(crate) struct Document<'d> {
    /// The document; an empty one is not kept.
    pub(crate) text: &'d str,
    /// What is told by it.
    pub(crate) told: TermChange,
}

impl<'d> Document<'d> {
    /// The document that an order was read from.
    pub(crate) fn of(intake: &'d Intake) -> Self {
        Self { text: &intake.document, told: TermChange::Anew(intake.terms.clone()) }
    }
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
    /// in a circle; then reads what the jobs need beside them, which cannot change any more.
    pub(crate) fn load(tx: &mut Tx<'_>, jobs: &[Job], recent: Recent) -> Result<Self, StoreError> {
        let mut world = Self { recent, ..Self::default() };
        world.recent.begin(tx);
        let mut wants = Wants::default();
        for job in jobs {
            wants.read(tx, job)?;
        }
        let Wants { named, mut held, refunds, keys } = wants;
        held.extend(world.resolve_all(tx, &named)?);
        world.hold(tx, &held.into_iter().collect::<Vec<_>>())?;
        let refunds: Vec<(i64, Id)> = refunds.into_iter().collect();
        for (key, refund) in refunds.iter().zip(refunds::get_recent(tx, &refunds, &mut world.recent)?) {
            world.refunds.extend(refund.map(|value| (*key, Kept { value, state: Row::Same })));
        }
        let keys: Vec<(i64, &str)> = keys.into_iter().collect();
        for ((store, key), record) in keys.iter().zip(keys::get_many(tx, &keys)?) {
            world.keys.insert((*store, (*key).to_owned()), record);
        }
        world.read_wanted(tx, jobs)?;
        Ok(world)
    }

    /// Finds the orders that the jobs name.
    fn resolve_all(
        &mut self,
        tx: &mut Tx<'_>,
        named: &[(i64, Cow<'_, Reference>)],
    ) -> Result<Vec<(i64, Id)>, StoreError> {
        let (mut found, mut unknown) = (Vec::with_capacity(named.len()), Vec::new());
        for (store, reference) in named {
            let name = (*store, reference.text.clone(), reference.ours);
            if self.resolved.contains_key(&name) {
                continue;
            }
            if let Some(order) = self.recent.take_name(&name) {
                found.push((*store, order));
                self.resolved.insert(name, Some(order));
            } else {
                unknown.push((name, (*store, &**reference)));
            }
        }
        let references: Vec<(i64, &Reference)> = unknown.iter().map(|(_, reference)| *reference).collect();
        for (order, (name, _)) in orders::resolve_many(tx, &references)?.into_iter().zip(unknown) {
            found.extend(order.map(|order| (name.0, order)));
            self.resolved.insert(name, order);
        }
        Ok(found)
    }

    fn hold(&mut self, tx: &mut Tx<'_>, keys: &[(i64, Id)]) -> Result<(), StoreError> {
        for (key, facts) in keys.iter().zip(orders::hold(tx, keys, &mut self.recent)?) {
            let facts = facts.ok_or_else(|| StoreError::defect("an order that a row names is not there"))?;
            self.facts.insert(*key, KeptFacts::read(facts));
        }
        Ok(())
    }

    /// The newest number of all orders that are held: what happens to them next is numbered above it.
    pub(crate) fn newest(&self) -> Id {
        self.facts.values().map(|kept| kept.facts.balances.newest).max().unwrap_or(0)
    }

    /// Whether a token still opens the same store for the same; looked up once a batch.
    pub(crate) fn pass_holds(&mut self, tx: &mut Tx<'_>, pass: &Pass) -> Result<bool, StoreError> {
        if !self.passes.contains_key(&pass.hash) {
            let found = tokens::find(tx, &pass.hash)?.map(|(token, store)| {
                self.settings.insert(store.id, store.settings);
                (token.store, token.scopes)
            });
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
        if !self.facts.contains_key(&(store, order)) {
            self.hold(tx, &[(store, order)])?;
        }
        self.facts.get(&(store, order)).map(|kept| &kept.facts).ok_or_else(|| StoreError::defect("it was just held"))
    }

    /// What a store configured about paying back: read once a batch, mostly with the token that the caller showed.
    fn payouts(&mut self, tx: &mut Tx<'_>, store: i64, registry: &Registry) -> Result<Arc<Payouts>, StoreError> {
        if let Some(known) = self.payouts.get(&store) {
            return Ok(Arc::clone(known));
        }
        let settings = match self.settings.get(&store) {
            Some(settings) => settings.clone(),
            None => stores::by_id(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?.settings,
        };
        let payouts = settings::payouts(registry, store, &settings)?;
        self.payouts.insert(store, Arc::clone(&payouts));
        Ok(payouts)
    }

    /// Sets what the store configured about paying back, and when it is asked: known after the order is held.
    pub(crate) fn set_terms(
        &mut self,
        tx: &mut Tx<'_>,
        store: i64,
        order: Id,
        registry: &Registry,
        asked_ms: i64,
    ) -> Result<(), StoreError> {
        let payouts = self.payouts(tx, store, registry)?;
        self.facts(tx, store, order)?;
        if let Some(kept) = self.facts.get_mut(&(store, order)) {
            kept.facts.terms = Terms { asked_ms, payouts };
        }
        Ok(())
    }

    /// The order, shared.
    pub(crate) fn order(&mut self, tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Arc<Order>, StoreError> {
        Ok(Arc::clone(&self.facts(tx, store, order)?.order))
    }

    /// The document that an order was read from, as the jobs so far left it; empty where there is none.
    pub(crate) fn document(&self, tx: &mut Tx<'_>, store: i64, order: Id) -> Result<String, StoreError> {
        match self.facts.get(&(store, order)).and_then(|kept| kept.document.clone()) {
            Some(document) => Ok(document),
            None => orders::document(tx, store, order),
        }
    }

    /// A refund and its order as the jobs so far left them.
    pub(crate) fn refund(&mut self, tx: &mut Tx<'_>, store: i64, refund: Id) -> Result<Option<Found>, StoreError> {
        let known = self.refunds.get(&(store, refund)).map(|kept| Arc::clone(&kept.value));
        let refund = if let Some(known) = known {
            known
        } else {
            let found = refunds::get_recent(tx, &[(store, refund)], &mut self.recent)?.pop().flatten();
            let Some(found) = found else { return Ok(None) };
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
        let slot = (store, key.to_owned());
        let known = match self.keys.get(&slot) {
            Some(known) => known.clone(),
            None => keys::get_many(tx, &[(store, key)])?.pop().flatten(),
        };
        let counts = |record: &KeyRecord| record.created_ms >= since_ms;
        if let Some(record) = known.as_ref().filter(|record| !counts(record)) {
            self.expired.push((store, key.to_owned(), record.created_ms));
        }
        let known = known.filter(counts);
        self.keys.insert(slot, known.clone());
        Ok(known)
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
    ) -> Result<Found, StoreError> {
        let Decision { refund, mut balances, happening, postings } = decision;
        let stood = happening.and_then(|_| self.snapshot(store, order));
        let kept = self.facts.get_mut(&(store, order)).expect("a decision was made on facts in memory");
        let of_refund = refund.legs.iter().map(|leg| leg.id).chain([refund.id]).filter(|_| new);
        note_numbers(&mut balances, of_refund.chain(happening.map(|_| entry)))?;
        kept.facts.balances = balances;
        kept.balances = kept.balances.changed();
        let shared = Arc::clone(&kept.facts.order);
        let refund = Arc::new(refund);
        if let Some(happening) = happening {
            let refund = Some(refund.id);
            self.entries.push(Entry { store, order, id: entry, refund, happened_ms: now_ms, happening, postings });
        }
        let known = self.refunds.get(&(store, refund.id)).filter(|_| !new).map(|kept| Arc::clone(&kept.value));
        self.goods.refunded(store, &shared, known.as_deref(), &refund);
        let slot = self.refunds.entry((store, refund.id));
        let kept = slot.or_insert_with(|| Kept { value: Arc::clone(&refund), state: Row::Same });
        kept.value = Arc::clone(&refund);
        kept.state = match (new, kept.state) {
            (true, _) | (false, Row::New) => Row::New,
            (false, Row::Same | Row::Changed) => Row::Changed,
        };
        self.tell_refund((store, order), stood.as_ref(), known.as_deref(), &refund);
        Ok((refund, shared))
    }

    /// What happened to goods so far.
    pub(crate) fn goods(&mut self) -> &mut Goods {
        &mut self.goods
    }

    /// Folds a movement of an order that belongs to no refund. `entry` numbers its journal entry.
    pub(crate) fn apply_to_order(
        &mut self,
        (store, order): (i64, Id),
        mut balances: Balances,
        happening: Happening,
        postings: Vec<Posting>,
        entry: Id,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        if postings.is_empty() {
            return Ok(());
        }
        note_numbers(&mut balances, [entry])?;
        let before = self.snapshot(store, order);
        let kept = self.facts.get_mut(&(store, order)).expect("a decision was made on facts in memory");
        kept.facts.balances = balances;
        kept.balances = kept.balances.changed();
        self.entries.push(Entry { store, order, id: entry, refund: None, happened_ms: now_ms, happening, postings });
        self.tell_change((store, order), before.as_ref());
        Ok(())
    }

    /// Folds a change of a refund that moves no money.
    pub(crate) fn amend(&mut self, store: i64, refund: Arc<Refund>) {
        if let Some(kept) = self.refunds.get_mut(&(store, refund.id)) {
            kept.state = kept.state.changed();
            kept.value = refund;
        }
    }

    /// Puts a refund whose change was already written.
    pub(crate) fn replace_refund(&mut self, store: i64, refund: &Arc<Refund>) {
        if let Some(kept) = self.refunds.get_mut(&(store, refund.id)) {
            kept.value = Arc::clone(refund);
        }
    }

    /// Takes in a new order, or new facts of a known one, with the entry that explains the difference. A `document`
    /// that is there replaces the one before.
    pub(crate) fn put_order(
        &mut self,
        store: i64,
        mut facts: Facts,
        document: Option<Document<'_>>,
        opening: (Id, Happening, Vec<Posting>),
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let order = facts.order.id;
        let (id, happening, postings) = opening;
        if postings.is_empty() {
            // Nothing moved, but there may be lines and payments that are new.
            let Order { lines, payments, .. } = &*facts.order;
            let numbers = lines.iter().map(|line| line.id).chain(payments.iter().map(|payment| payment.id));
            facts.balances.newest = numbers.chain([order, facts.balances.newest]).max().unwrap_or(order);
        } else {
            note_numbers(&mut facts.balances, [id])?;
        }
        if !postings.is_empty() {
            self.entries.push(Entry { store, order, id, refund: None, happened_ms: now_ms, happening, postings });
        }
        if let Some(reference) = crate::intake::reference(&facts.order) {
            self.resolved.insert((store, reference.text, reference.ours), Some(order));
        }
        let document = document.filter(|document| !document.text.is_empty());
        let (document, terms) = document.map(|document| (document.text.to_owned(), document.told)).unzip();
        let before = self.snapshot(store, order);
        let kept = match self.facts.remove(&(store, order)) {
            None => {
                self.goods.sold(store, order);
                let before = Before::default();
                KeptFacts { facts, balances: Row::New, order: Row::New, document, terms, before }
            }
            Some(known) => KeptFacts {
                facts,
                balances: known.balances.changed(),
                order: known.order.changed(),
                document: document.or(known.document),
                terms: both(known.terms, terms),
                before: known.before,
            },
        };
        self.facts.insert((store, order), kept);
        self.tell_change((store, order), before.as_ref());
        Ok(())
    }

    /// Keeps a document that says nothing new of the facts, and what the order is found by. The order is held.
    pub(crate) fn put_document(
        &mut self,
        tx: &mut Tx<'_>,
        (store, order): (i64, Id),
        document: Document<'_>,
    ) -> Result<(), StoreError> {
        let Some(kept) = self.facts.get_mut(&(store, order)).filter(|_| !document.text.is_empty()) else {
            return Ok(());
        };
        let before = match &kept.document {
            Some(before) => before.clone(),
            None => orders::document(tx, store, order)?,
        };
        if before != document.text {
            kept.document = Some(document.text.to_owned());
        }
        kept.terms = both(kept.terms.take(), Some(document.told));
        Ok(())
    }

    /// Puts a leg into the outbox.
    pub(crate) fn send(&mut self, row: OutboxRow) {
        self.sent.push(row);
    }

    /// Keeps what was heard of a leg.
    pub(crate) fn testify(&mut self, evidence: Evidence) {
        self.evidence.push(evidence);
    }

    /// A leg needs nothing more.
    pub(crate) fn finish(&mut self, store: i64, leg: Id) {
        self.done.push((store, leg));
    }

    /// A leg is to be asked about again later. What several jobs of a batch say of one leg becomes one row: a database
    /// that updates from a list takes any one of several rows for the same leg. The later knows better where it stands;
    /// when it is due, only an answer that somebody was sent for says.
    pub(crate) fn put_off(&mut self, row: PutOff) {
        match self.put_off.get_mut(&(row.store, row.leg)) {
            Some(known) if row.attempts == UNASKED => {
                known.stage = row.stage;
                known.due_ms = known.due_ms.filter(|_| row.due_ms.is_some());
            }
            _ => {
                self.put_off.insert((row.store, row.leg), row);
            }
        }
    }

    /// Writes every row that changed, table by table, in key order; gives back what is known then.
    pub(crate) fn write(mut self, tx: &mut Tx<'_>, ids: &mut Ids, now_ms: i64) -> Result<Recent, StoreError> {
        self.write_orders(tx)?;
        self.write_events(tx, ids, now_ms)?;
        let rows = |wanted: Row| {
            let of_kind = self.refunds.iter().filter(move |(_, kept)| kept.state == wanted);
            of_kind.map(|((store, _), kept)| {
                let of_order = self.facts.get(&(*store, kept.value.order)).expect("a refund's order is in memory");
                (*store, &*kept.value, &*of_order.facts.order)
            })
        };
        refunds::insert(tx, &rows(Row::New).collect::<Vec<_>>())?;
        refunds::update(tx, &rows(Row::Changed).collect::<Vec<_>>())?;
        // In key order, as everything that two writers may both want.
        let expired: BTreeSet<_> =
            self.expired.iter().map(|(store, key, at_ms)| (*store, key.as_str(), *at_ms)).collect();
        keys::release(tx, &expired.into_iter().collect::<Vec<_>>())?;
        let bound: BTreeSet<&(i64, String)> = self.bound.iter().collect();
        let bound = bound.into_iter().filter_map(|slot| self.keys.get(slot).cloned().flatten());
        keys::bind(tx, &bound.collect::<Vec<_>>())?;
        let entries: Vec<journal::Entry<'_>> = self.entries.iter().map(Entry::as_row).collect();
        journal::insert(tx, &entries)?;
        outbox::insert(tx, &self.sent)?;
        outbox::put_off(tx, &self.put_off.into_values().collect::<Vec<_>>())?;
        outbox::remove(tx, &self.done)?;
        evidence::insert(tx, &self.evidence)?;
        let same_orders = self.facts.values().all(|kept| kept.order == Row::Same);
        if !same_orders {
            self.recent.forget_names();
        }
        let names = self.resolved.into_iter().filter_map(|(name, order)| Some((name, order.filter(|_| same_orders)?)));
        let facts = self.facts.into_iter().map(|(key, kept)| (key, kept.facts));
        let refunds = self.refunds.into_iter().map(|(key, kept)| (key, kept.value));
        self.recent.end(facts, refunds, names);
        Ok(self.recent)
    }

    fn write_orders(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let order_rows = |wanted: Row| {
            let of_kind = self.facts.iter().filter(move |(_, kept)| kept.order == wanted);
            of_kind.map(|((store, _), kept)| (*store, &*kept.facts.order)).collect::<Vec<_>>()
        };
        orders::insert(tx, &order_rows(Row::New))?;
        orders::update(tx, &order_rows(Row::Changed))?;
        let documents = self
            .facts
            .iter()
            .filter_map(|((store, order), kept)| kept.document.as_deref().map(|document| (*store, *order, document)));
        orders::put_documents(tx, &documents.collect::<Vec<_>>())?;
        let balance_rows = |wanted: Row| {
            let of_kind = self.facts.iter().filter(move |(_, kept)| kept.balances == wanted);
            of_kind.map(|((store, _), kept)| (*store, &kept.facts)).collect::<Vec<_>>()
        };
        orders::insert_balances(tx, &balance_rows(Row::New))?;
        orders::update_balances(tx, &balance_rows(Row::Changed))?;
        self.write_lists(tx)
    }

    /// What lists of orders go by.
    fn write_lists(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let touched = self.facts.iter().filter(|(_, kept)| kept.balances != Row::Same || kept.order != Row::Same);
        let listed = touched.map(|((store, order), kept)| {
            let after = Listed::of(&kept.facts);
            (*store, *order, kept.before.listed, after)
        });
        orders::relist(tx, &listed.collect::<Vec<_>>())?;
        let changed = self.facts.iter().filter(|(_, kept)| kept.order != Row::Same || kept.terms.is_some());
        let changed = changed.map(|((store, _), kept)| orders::Changed {
            store: *store,
            before: kept.before.order.as_deref(),
            after: &kept.facts.order,
            told: kept.terms.as_ref(),
        });
        orders::put_terms(tx, &changed.collect::<Vec<_>>())
    }
}

/// One change of terms, and then the other.
fn both(first: Option<TermChange>, next: Option<TermChange>) -> Option<TermChange> {
    match (first, next) {
        (Some(first), Some(next)) => Some(first.then(next)),
        (first, next) => next.or(first),
    }
}

impl Row {
    /// What it is after one more change.
    fn changed(self) -> Row {
        match self {
            Row::Same | Row::Changed => Row::Changed,
            Row::New => Row::New,
        }
    }
}

/// Notes numbers that an order was given.
fn note_numbers(balances: &mut Balances, given: impl IntoIterator<Item = Id>) -> Result<(), StoreError> {
    let before = balances.newest;
    for id in given {
        // The order came up while the batch was being decided, numbered by somebody else: begun anew, the batch knows
        // of it.
        if id <= before {
            return Err(StoreError::Busy);
        }
        balances.newest = balances.newest.max(id);
    }
    Ok(())
}

/// What the jobs of a batch name, before anything was read.
#[derive(Default)]
struct Wants<'j> {
    /// Orders by name.
    named: Vec<(i64, Cow<'j, Reference>)>,
    /// Orders by number, to be held.
    held: BTreeSet<(i64, Id)>,
    refunds: BTreeSet<(i64, Id)>,
    keys: BTreeSet<(i64, &'j str)>,
}

impl<'j> Wants<'j> {
    fn read(&mut self, tx: &mut Tx<'_>, job: &'j Job) -> Result<(), StoreError> {
        match job {
            Job::On { job, .. } => return self.read(tx, job),
            Job::Create { store, command, key } => {
                self.named.push((*store, Cow::Borrowed(&command.order)));
                self.keys.extend(key.as_ref().map(|key| (*store, key.key.as_str())));
            }
            Job::Record(news) => {
                self.held.insert((news.store, news.order));
                self.refunds.insert((news.store, news.refund));
            }
            Job::Fulfil { store, order, .. }
            | Job::AddPayment { store, order, .. }
            | Job::Rule { store, ruling: Ruling::Of { order, .. }, .. } => {
                self.named.push((*store, Cow::Borrowed(order)));
            }
            Job::PutOrder { store, intake } => {
                let reference = crate::intake::reference(&intake.order);
                self.named.extend(reference.map(|reference| (*store, Cow::Owned(reference))));
            }
            Job::Hear { store, notices, .. } => {
                self.held.extend(hear::orders_of(tx, *store, notices)?.into_iter().map(|order| (*store, order)));
            }
            Job::Told { store, told } => {
                self.held.extend(hear::refund_of(tx, *store, told.leg)?.map(|refund| (*store, refund.order)));
            }
            Job::HearAgain { store, after } => {
                let notices = hear::waiting(tx, *store, *after)?;
                self.held.extend(hear::orders_of(tx, *store, &notices)?.into_iter().map(|order| (*store, order)));
            }
            Job::SettleByHand { store, refund, .. }
            | Job::Annotate { store, refund, .. }
            | Job::AskNow { store, refund, .. }
            | Job::Cancel { store, refund, .. }
            | Job::Retry { store, ask: RetryAsk { refund, .. }, .. } => {
                self.held.extend(refunds::find(tx, *store, refund)?.map(|refund| (*store, refund.order)));
            }
            Job::Shop { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Parcels { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Returns { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Slips { store, ask } => {
                self.named.extend(ask.orders().into_iter().map(|order| (*store, Cow::Borrowed(order))));
            }
            Job::Cases { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Hooks { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Stock { store, ask } => self.of(tx, *store, ask.named())?,
            Job::Lease { .. }
            | Job::Reclaim { .. }
            | Job::AddStore(_)
            | Job::AddToken(_)
            | Job::RevokeToken { .. }
            | Job::ForgetKeys { .. }
            | Job::PutGateway(_)
            | Job::Route { .. }
            | Job::Choose { .. }
            | Job::Rule { ruling: Ruling::Dismissed { .. }, .. } => {}
        }
        Ok(())
    }
}

impl<'j> Wants<'j> {
    fn of(&mut self, tx: &mut Tx<'_>, store: i64, named: Named<'j>) -> Result<(), StoreError> {
        match named {
            Named::Order(order) => self.named.push((store, Cow::Borrowed(order))),
            Named::Refund(refund) => {
                self.held.extend(refunds::find(tx, store, refund)?.map(|refund| (store, refund.order)));
            }
            Named::Return(back) => self.held.extend(returns::find(tx, store, back)?.map(|back| (store, back.order))),
            Named::Nothing => {}
        }
        Ok(())
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
