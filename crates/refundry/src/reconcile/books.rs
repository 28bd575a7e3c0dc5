//! Our side of a reconciliation: the legs of a span, and those that lines of the provider's name beyond it. Reads in
//! pages, each in a transaction of its own, and keeps of a leg only what is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::refund::{Leg, Refund, Route, Shape};
use refundry_engine::hear::refund_of;
use refundry_engine::store::{Store, StoreError, Tx, orders, refunds};

use super::matching::{Hints, OrderHint, Ours, Theirs};

/// Refunds, or lines, of one transaction.
const PAGE: usize = 256;

/// What was read so far.
pub(super) struct Books<'b> {
    store: &'b Store,
    tenant: i64,
    /// The gateway whose legs are compared.
    gateway: &'b str,
    legs: BTreeMap<Id, Ours>,
    /// What the provider calls them.
    references: BTreeSet<String>,
    hints: Hints,
}

impl<'b> Books<'b> {
    /// Nothing read yet.
    pub(super) fn new(store: &'b Store, tenant: i64, gateway: &'b str) -> Self {
        Self { store, tenant, gateway, legs: BTreeMap::new(), references: BTreeSet::new(), hints: Hints::default() }
    }

    /// What was read.
    pub(super) fn done(self) -> (Vec<Ours>, Hints) {
        (self.legs.into_values().collect(), self.hints)
    }

    /// Reads the legs of refunds accepted in a span; `seen` is told how many refunds were looked at.
    pub(super) fn read_span(
        &mut self,
        span: (i64, i64),
        theirs: &[Theirs],
        seen: &dyn Fn(u64),
    ) -> Result<(), StoreError> {
        let references: BTreeSet<&str> = theirs.iter().map(|theirs| theirs.line.refund_reference.as_str()).collect();
        let mut after = None;
        loop {
            let store = self.store;
            let page = store.read(|tx| {
                let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
                let page = refunds::accepted_within(tx, self.tenant, span, after, limit)?;
                let mut known: BTreeMap<Id, Arc<Order>> = BTreeMap::new();
                for refund in &page {
                    let order = match known.get(&refund.order) {
                        Some(order) => Arc::clone(order),
                        None => facts(tx, self.tenant, refund.order)?.order,
                    };
                    self.take(refund, &order, &references);
                    known.insert(refund.order, order);
                }
                Ok(page)
            })?;
            seen(page.len() as u64);
            match page.last() {
                Some(last) => after = Some((last.created_ms, last.id)),
                None => return Ok(()),
            }
        }
    }

    /// Looks up what lines name that was not read yet: a leg by its number, a refund made at the provider, the orders
    /// and legs of a payment.
    pub(super) fn look_up(&mut self, theirs: &[Theirs], seen: &dyn Fn(u64)) -> Result<(), StoreError> {
        for lines in theirs.chunks(PAGE) {
            let store = self.store;
            store.read(|tx| {
                for Theirs { line, .. } in lines {
                    // One that failed may have been paid after all, and taken in under the provider's name.
                    let known = line.leg_id.and_then(|leg| self.legs.get(&leg));
                    if known.is_some_and(|leg| !leg.state.is_failed()) {
                        continue;
                    }
                    if known.is_some() || !self.references.contains(&line.refund_reference) {
                        self.look_up_one(tx, line.leg_id, &line.refund_reference, &line.payment_reference)?;
                    }
                }
                Ok(())
            })?;
            seen(lines.len() as u64);
        }
        Ok(())
    }

    fn look_up_one(
        &mut self,
        tx: &mut Tx<'_>,
        leg: Option<Id>,
        reference: &str,
        payment: &str,
    ) -> Result<(), StoreError> {
        let references = BTreeSet::from([reference]);
        if let Some(leg) = leg
            && let Some(refund) = refund_of(tx, self.tenant, leg)?
        {
            let order = facts(tx, self.tenant, refund.order)?.order;
            self.take(&refund, &order, &references);
            let through = refund.legs.iter().find(|l| l.id == leg && l.route == Route::Original);
            if let Some(through) = through.map(|l| l.gateway(&order)).filter(|name| *name != self.gateway) {
                self.hints.elsewhere.insert(leg, through.to_owned());
            }
            if !refund.legs.iter().any(|l| l.id == leg && l.state.is_failed()) {
                return Ok(());
            }
        }
        if !reference.is_empty() {
            let name = Reference { text: reference.to_owned(), ours: None };
            if let Some(refund) = refunds::find(tx, self.tenant, &name)?.filter(is_made_there) {
                let order = facts(tx, self.tenant, refund.order)?.order;
                self.take(&refund, &order, &references);
                return Ok(());
            }
        }
        if payment.is_empty() || self.hints.orders.contains_key(payment) {
            return Ok(());
        }
        let mut found = Vec::new();
        for order in orders::of_payment(tx, self.tenant, payment)? {
            let facts = facts(tx, self.tenant, order)?;
            found.extend(hint(&facts, payment));
            for refund in refunds::of_order(tx, self.tenant, order)? {
                self.take(&refund, &facts.order, &references);
            }
        }
        self.hints.orders.insert(payment.to_owned(), found);
        Ok(())
    }

    /// Keeps the legs of a refund that are compared: those through the gateway, and a refund made there that one of
    /// these references names.
    fn take(&mut self, refund: &Refund, order: &Order, references: &BTreeSet<&str>) {
        let named = refund.external_id.as_deref().filter(|_| is_made_there(refund)).unwrap_or_default();
        for leg in &refund.legs {
            // One that came with its order may have the provider's id for its own.
            let reference = if leg.reference.is_empty() { named } else { &leg.reference };
            let made_there = leg.route == Route::Outside;
            let is_compared = match leg.route {
                Route::Original => leg.gateway(order) == self.gateway,
                Route::Outside => references.contains(reference),
            };
            if let Some(payment) = order.payments.get(leg.payment).filter(|_| is_compared) {
                let Leg { id, state, own_amount, .. } = leg;
                let ours = Ours {
                    leg: *id,
                    refund: refund.id,
                    order: name_of(order),
                    payment: payment.reference.clone(),
                    state: state.clone(),
                    reference: reference.to_owned(),
                    amount_minor: own_amount.get(),
                    currency: payment.own_currency.code().to_owned(),
                    created_ms: refund.created_ms,
                    made_there,
                };
                self.references.extend(Some(ours.reference.clone()).filter(|reference| !reference.is_empty()));
                self.legs.insert(*id, ours);
            }
        }
    }
}

/// A refund that was taken into our books after the fact, whose id may be the provider's.
fn is_made_there(refund: &Refund) -> bool {
    refund.shape == Shape::Imported && refund.legs.len() == 1
}

fn hint(facts: &Facts, payment: &str) -> Option<OrderHint> {
    let index = facts.order.payments.iter().position(|known| known.reference == payment)?;
    let known = facts.order.payments.get(index)?;
    Some(OrderHint {
        order: name_of(&facts.order),
        left_minor: facts.payment_own_left(index).get(),
        currency: known.own_currency.code().to_owned(),
    })
}

fn name_of(order: &Order) -> String {
    order.external_id.clone().unwrap_or_else(|| order.id.to_string())
}

fn facts(tx: &mut Tx<'_>, tenant: i64, order: Id) -> Result<Facts, StoreError> {
    let found = orders::facts(tx, tenant, order)?;
    found.ok_or_else(|| StoreError::defect("an order that a refund names is not there"))
}
