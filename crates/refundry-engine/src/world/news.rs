//! What a batch has to tell: the events that its folds mean, for the stores where somebody subscribed.
//!
//! Everybody folds through the functions of the world, and those tell what a change means, so that no event can be
//! forgotten. They are numbered and written at the end of the batch, in the same transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::balances::Balances;
use refundry_core::event::{EventKind, Snapshot, events};
use refundry_core::order::{Id, Order};
use refundry_core::refund::Shape;
use refundry_store::deliveries::{self, DeliveryKey};
use refundry_store::events::{self as rows, NewEvent};
use refundry_store::{StoreError, Tx, subscriptions};

use super::{Row, World};
use crate::accept::Job;
use crate::ids::Ids;

/// An event that somebody wants to hear.
pub(super) struct Told {
    store: i64,
    kind: EventKind,
    subject: Option<Id>,
    /// The order right after it.
    order: Arc<Order>,
    balances: Balances,
}

impl World {
    /// Reads once who wants to hear what, in the stores whose orders may change.
    pub(super) fn read_wanted(&mut self, tx: &mut Tx<'_>, jobs: &[Job]) -> Result<(), StoreError> {
        let stores: BTreeSet<i64> = jobs.iter().filter(|job| may_change_orders(job)).map(Job::store).collect();
        if !stores.is_empty() {
            self.wanted = subscriptions::wanted(tx, &stores.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Whether there is anything to tell.
    pub(crate) fn has_news(&self) -> bool {
        !self.told.is_empty()
    }

    /// The order as it stands before a fold; `None` where nobody wants to hear of it, or there is none yet.
    pub(super) fn snapshot(&self, store: i64, order: Id) -> Option<Snapshot> {
        let kept = self.wanted.get(&store).and_then(|_| self.facts.get(&(store, order)))?;
        Some(Snapshot::of(&kept.facts))
    }

    /// Tells what a fold means.
    pub(super) fn tell_change(&mut self, (store, order): (i64, Id), before: Option<&Snapshot>) {
        let Some(after) = self.snapshot(store, order) else { return };
        for kind in events(before, &after) {
            self.note((store, order), kind, None);
        }
    }

    /// Tells what a fold of a refund means; `new` is the shape of one that was just made.
    ///
    /// Refunds that an order brings along when it comes in are its history: they change what its creation shows.
    pub(super) fn tell_refund(&mut self, (store, order): (i64, Id), before: &Snapshot, new: Option<Shape>) {
        let Some(kept) = self.facts.get(&(store, order)) else { return };
        if kept.order != Row::New || new != Some(Shape::Imported) {
            return self.tell_change((store, order), Some(before));
        }
        for told in self.told.iter_mut().filter(|told| (told.store, told.order.id) == (store, order)) {
            told.balances.clone_from(&kept.facts.balances);
        }
    }

    /// Tells of something that changed no row of the order itself, such as a parcel that was sent. The order is in
    /// memory: whoever writes what is told of holds it.
    pub(crate) fn tell(
        &mut self,
        tx: &mut Tx<'_>,
        (store, order): (i64, Id),
        kind: EventKind,
        subject: Id,
    ) -> Result<(), StoreError> {
        self.facts(tx, store, order)?;
        self.note((store, order), kind, Some(subject));
        Ok(())
    }

    fn note(&mut self, (store, order): (i64, Id), kind: EventKind, subject: Option<Id>) {
        let is_wanted = |wanted: &Vec<(Id, EventKind)>| wanted.iter().any(|(_, wants)| *wants == kind);
        let Some(kept) = self.facts.get(&(store, order)) else { return };
        if !self.wanted.get(&store).is_some_and(is_wanted) {
            return;
        }
        let (order, balances) = (Arc::clone(&kept.facts.order), kept.facts.balances.clone());
        self.told.push(Told { store, kind, subject, order, balances });
    }

    /// Writes the events, and a delivery of each to everybody who wants to hear it.
    pub(super) fn write_events(&self, tx: &mut Tx<'_>, ids: &mut Ids, now_ms: i64) -> Result<(), StoreError> {
        if self.told.is_empty() {
            return Ok(());
        }
        let orders: BTreeSet<(i64, Id)> = self.told.iter().map(|told| (told.store, told.order.id)).collect();
        let mut last = rows::last_of(tx, &orders.into_iter().collect::<Vec<_>>())?;
        let (mut events, mut deliveries) = (Vec::with_capacity(self.told.len()), Vec::new());
        for Told { store, kind, subject, order, balances } in &self.told {
            let seq = last.entry((*store, order.id)).or_default();
            *seq += 1;
            let (store, kind, seq) = (*store, *kind, *seq);
            let (id, subject) = (ids.next(now_ms), *subject);
            // It happens now, however long ago the money is said to have moved: what is forgotten by its age must not
            // be older than its deliveries.
            events.push(NewEvent { store, seq, id, kind, subject, happened_ms: now_ms, order, balances });
            let wanting = self.wanted.get(&store).into_iter().flatten().filter(|(_, wants)| *wants == kind);
            deliveries.extend(wanting.map(|(id, _)| DeliveryKey { store, subscription: *id, order: order.id, seq }));
        }
        rows::insert(tx, &events)?;
        deliveries::insert(tx, &deliveries, now_ms)
    }
}

/// Jobs that surely change no order spare the look at who subscribed.
fn may_change_orders(job: &Job) -> bool {
    match job {
        Job::On { job, .. } => may_change_orders(job),
        Job::Create { .. }
        | Job::Record(_)
        | Job::PutOrder { .. }
        | Job::Fulfil { .. }
        | Job::AddPayment { .. }
        | Job::SettleByHand { .. }
        | Job::Cancel { .. }
        | Job::Retry { .. }
        | Job::Hear { .. }
        | Job::HearAgain { .. }
        | Job::Told { .. }
        | Job::Rule { .. }
        | Job::Shop { .. }
        | Job::Parcels { .. }
        | Job::Returns { .. }
        | Job::Slips { .. }
        | Job::Cases { .. }
        | Job::Stock { .. } => true,
        Job::Lease { .. }
        | Job::Reclaim { .. }
        | Job::Annotate { .. }
        | Job::AskNow { .. }
        | Job::Hooks { .. }
        | Job::PutGateway(_)
        | Job::Route { .. }
        | Job::Choose { .. }
        | Job::AddStore(_)
        | Job::AddToken(_)
        | Job::RevokeToken { .. }
        | Job::ForgetKeys { .. } => false,
    }
}
