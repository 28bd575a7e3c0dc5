//! What a batch has to tell: the events that its folds mean, for the stores where somebody subscribed.
//!
//! Everybody folds through the functions of the world, and those tell what a change means, so that no event can be
//! forgotten. They are numbered and written at the end of the batch, in the same transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::balances::Balances;
use refundry_core::event::{EventKind, Snapshot, events, of_refund};
use refundry_core::order::{Id, Order};
use refundry_core::parcels::Parcel;
use refundry_core::paying::{self, Transaction};
use refundry_core::refund::{Refund, Shape};
use refundry_core::returns::Return;
use refundry_store::deliveries::{self, DeliveryKey};
use refundry_store::events::{self as rows, Detail, NewEvent};
use refundry_store::stock::Level;
use refundry_store::{StoreError, Tx, subscriptions, variants};

use super::{Row, World};
use crate::accept::Job;
use crate::ids::Ids;

/// An event that somebody wants to hear.
pub(super) struct Told {
    store: i64,
    /// The order that it happened to, or the variant.
    of: Id,
    kind: EventKind,
    /// What else it is about.
    subject: Option<Id>,
    /// The order right after it; `None` for goods.
    order: Option<(Arc<Order>, Balances)>,
    /// What else it is about, right after it.
    detail: Option<Detail>,
}

impl World {
    /// Reads once who wants to hear what, in the stores whose orders or goods may change.
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

    /// Tells what a fold of a refund means, for the refund and then for its order; `known` is the refund before it,
    /// `None` for one that was just made.
    ///
    /// Refunds that an order brings along when it comes in are its history: they change what its creation shows.
    pub(super) fn tell_refund(
        &mut self,
        (store, order): (i64, Id),
        stood: Option<&Snapshot>,
        known: Option<&Refund>,
        refund: &Arc<Refund>,
    ) {
        if !self.wanted.contains_key(&store) {
            return;
        }
        let Some(kept) = self.facts.get(&(store, order)) else { return };
        if kept.order == Row::New && known.is_none() && refund.shape == Shape::Imported {
            let of_order = self.told.iter_mut().filter(|told| (told.store, told.of) == (store, order));
            for (_, balances) in of_order.filter_map(|told| told.order.as_mut()) {
                balances.clone_from(&kept.facts.balances);
            }
            return;
        }
        if let Some(kind) = of_refund(known, refund) {
            self.note((store, order), kind, Some((refund.id, Detail::Refund(Arc::clone(refund)))));
        }
        if stood.is_some() {
            self.tell_change((store, order), stood);
        }
    }

    /// Tells that somebody changed what an order says. The order is in memory: whoever changed it holds it.
    pub(crate) fn tell_edited(&mut self, store: i64, order: Id) {
        self.note((store, order), EventKind::OrderEdited, None);
    }

    /// Tells of a parcel, whose order is in memory: whoever wrote it holds it.
    pub(crate) fn tell_parcel(&mut self, store: i64, kind: EventKind, parcel: &Parcel) {
        self.note((store, parcel.order), kind, Some((parcel.id, Detail::Parcel(parcel.clone()))));
    }

    /// Tells of a return, whose order is in memory: whoever wrote it holds it.
    pub(crate) fn tell_return(&mut self, store: i64, kind: EventKind, back: &Return) {
        self.note((store, back.order), kind, Some((back.id, Detail::Return(back.clone()))));
    }

    /// Tells of transactions of one order, once the order is as they left it.
    pub(crate) fn tell_transactions(&mut self, store: i64, made: &[Transaction]) {
        for told in made {
            let detail = Detail::Transaction(Box::new(told.clone()));
            self.note((store, told.order), EventKind::TransactionCreated, Some((told.id, detail)));
        }
    }

    /// Tells of payments that came with a change of an order, and of which there are no transactions.
    pub(crate) fn tell_payments(&mut self, (store, order): (i64, Id), before: &Order) {
        if !self.wants(store, EventKind::TransactionCreated) {
            return;
        }
        let Some(kept) = self.facts.get(&(store, order)) else { return };
        let is_new = |payment: Id| before.payments.iter().all(|known| known.id != payment);
        let made = paying::shown(&kept.facts, &[]);
        let made: Vec<Transaction> = made.into_iter().filter(|told| told.payment.is_some_and(is_new)).collect();
        self.tell_transactions(store, &made);
    }

    /// Tells how many units of variants are at locations now.
    pub(crate) fn tell_levels(&mut self, levels: Vec<(i64, Level)>) {
        for (store, level) in levels {
            let (of, kind, subject) = (level.variant, EventKind::StockChanged, Some(level.location));
            self.told.push(Told { store, of, kind, subject, order: None, detail: Some(Detail::Level(level)) });
        }
    }

    /// Whether anybody in a store wants to hear of this.
    pub(crate) fn wants(&self, store: i64, kind: EventKind) -> bool {
        self.wanted.get(&store).is_some_and(|wanted| wanted.iter().any(|(_, wants)| *wants == kind))
    }

    fn note(&mut self, (store, order): (i64, Id), kind: EventKind, about: Option<(Id, Detail)>) {
        if !self.wants(store, kind) {
            return;
        }
        let Some(kept) = self.facts.get(&(store, order)) else { return };
        let (subject, detail) = about.unzip();
        let right_after = (Arc::clone(&kept.facts.order), kept.facts.balances.clone());
        self.told.push(Told { store, of: order, kind, subject, order: Some(right_after), detail });
    }

    /// Writes the events, and a delivery of each to everybody who wants to hear it.
    pub(super) fn write_events(&self, tx: &mut Tx<'_>, ids: &mut Ids, now_ms: i64) -> Result<(), StoreError> {
        if self.told.is_empty() {
            return Ok(());
        }
        // Orders are held already. Whoever moves the same goods elsewhere counts on the same events.
        let goods: BTreeSet<(i64, Id)> =
            self.told.iter().filter(|t| t.order.is_none()).map(|t| (t.store, t.of)).collect();
        variants::hold(tx, &goods.into_iter().collect::<Vec<_>>())?;
        let counted: BTreeSet<(i64, Id)> = self.told.iter().map(|told| (told.store, told.of)).collect();
        let mut last = rows::last_of(tx, &counted.into_iter().collect::<Vec<_>>())?;
        let (mut events, mut deliveries) = (Vec::with_capacity(self.told.len()), Vec::new());
        for Told { store, of, kind, subject, order, detail } in &self.told {
            let seq = last.entry((*store, *of)).or_default();
            *seq += 1;
            let (store, of, kind, seq) = (*store, *of, *kind, *seq);
            let (id, subject, detail) = (ids.next(now_ms), *subject, detail.as_ref());
            let order = order.as_ref().map(|(order, balances)| (&**order, balances));
            // It happens now, however long ago the money is said to have moved: what is forgotten by its age must not
            // be older than its deliveries.
            events.push(NewEvent { store, of, seq, id, kind, subject, happened_ms: now_ms, order, detail });
            let wanting = self.wanted.get(&store).into_iter().flatten().filter(|(_, wants)| *wants == kind);
            deliveries.extend(wanting.map(|(id, _)| DeliveryKey { store, subscription: *id, order: of, seq }));
        }
        rows::insert(tx, &events)?;
        deliveries::insert(tx, &deliveries, now_ms)
    }
}

/// Jobs that surely change no order and no goods spare the look at who subscribed.
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
