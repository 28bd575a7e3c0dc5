//! What must hold at the end, compared with the provider's own books.

use std::collections::BTreeMap;

use refundry_core::order::Id;
use refundry_core::refund::{Leg, LegState, Route, Shape, Stage};
use refundry_gateways::DisputeStage;
use refundry_gateways::simulated::Status;
use refundry_store::audit::{AuditOptions, audit};
use refundry_store::inbox::InboxRow;
use refundry_store::{disputes, inbox, outbox};

use crate::shop::{DAY_MS, Shop};

impl Shop {
    /// Lets everything come to its end: faults stop, time passes, people decide what waits for them.
    pub(crate) fn come_to_rest(&mut self) -> Result<(), String> {
        self.provider.stop_faults();
        self.say(|_| "faults stop".to_owned());
        // Every ladder ends, and every late failure happens, within some months.
        for round in 0..240 {
            self.pass(if round < 40 { 61_000 } else { DAY_MS / 2 });
            self.deliver(true)?;
            self.lease()?;
            while self.has_calls()? {
                self.work()?;
            }
        }
        self.deliver(true)?;
        let all = self.refunds()?;
        self.decide_parked(&all)?;
        self.deliver(true)?;
        self.decide_events()
    }
}

/// The provider's books equal ours to the cent, no leg was paid twice, none is lost, and no refund is shown in a state
/// that the provider contradicts.
pub(crate) fn books_are_equal(shop: &Shop) -> Result<(), String> {
    let report = audit(&shop.store, &AuditOptions::default()).map_err(|error| error.to_string())?;
    if !report.is_clean() {
        let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        return Err(format!("the audit found: {}", findings.join("; ")));
    }
    let refunds = shop.refunds()?;
    let sent = refunds.iter().flat_map(|refund| refund.legs.iter().map(move |leg| (refund, leg)));
    let (mut paid_by_us, mut parked) = (0_i128, 0);
    for (refund, leg) in sent.clone().filter(|(_, leg)| leg.route == Route::Original) {
        paid_by_us += check_leg(shop, refund.id, leg)?;
        parked += i64::from(matches!(leg.state, LegState::Parked { .. }));
    }
    let ours: BTreeMap<String, Id> = sent.map(|(refund, leg)| (leg.id.to_string(), refund.id)).collect();
    if let Some(key) = shop.provider.keys().into_iter().find(|key| !ours.contains_key(key)) {
        return Err(format!("the provider has a refund under the key {key}, which is no leg of ours"));
    }
    // What was refunded at the dashboard is in our books, or waits because it cannot be.
    let external = refunds.iter().filter(|refund| refund.shape == Shape::Imported);
    let external: i128 = external.map(|refund| i128::from(refund.refunded().get())).sum();
    let waiting = shop.store.read(|tx| inbox::waiting(tx, shop.tenant, 0, 100_000)).map_err(|e| e.to_string())?;
    let waiting: i128 = waiting.iter().map(amount_of).sum();
    let dashboard = shop.provider.paid_at_the_dashboard();
    if external + waiting != dashboard {
        return Err(format!("{dashboard} were refunded at the dashboard, we have {external}, and {waiting} wait"));
    }
    let total = shop.provider.paid();
    if total != paid_by_us {
        return Err(format!("the provider paid {total} for our legs, and they make {paid_by_us}"));
    }
    check_limits(shop)?;
    check_disputes(shop)?;
    let open = shop.store.read(|tx| outbox::count_by_stage(tx, shop.tenant)).map_err(|error| error.to_string())?;
    let expected = if parked == 0 { Vec::new() } else { vec![(Stage::Parked, parked)] };
    if open != expected {
        return Err(format!("{parked} legs are parked, and in the outbox are {open:?}"));
    }
    match shop.provider.undelivered() {
        0 => Ok(()),
        count => Err(format!("{count} deliveries never arrived")),
    }
}

/// The amount of a refund that an event tells of and that waits; nothing for one of a dispute.
fn amount_of(row: &InboxRow) -> i128 {
    let amount = |text: &str| {
        let digits = text.split_once("\"amount_minor\":")?.1;
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i128>().ok()
    };
    if row.notice.contains("\"refund\":{") { amount(&row.notice).unwrap_or(0) } else { 0 }
}

/// What the provider paid for a leg; ours must say the same, or wait for a person where it cannot.
fn check_leg(shop: &Shop, refund: Id, leg: &Leg) -> Result<i128, String> {
    let times = shop.provider.times_paid(leg.id);
    if times > 1 {
        return Err(format!("leg {} of refund {refund} was paid {times} times", leg.id));
    }
    let asked = leg.own_amount.get();
    let standing = shop.provider.standing(leg.id);
    let paid = match (&leg.state, standing) {
        (LegState::Succeeded { .. }, Some((Status::Done, amount))) if amount == asked => Some(amount),
        (LegState::Failed { .. }, None | Some((Status::Declined, _))) => Some(0),
        // Contradictory figures, and what the provider does not settle, stay where everybody sees them.
        (LegState::Parked { .. }, Some((Status::Done, amount))) if amount != asked => Some(amount),
        (LegState::Parked { .. }, Some((Status::Pending, _))) => Some(0),
        _ => None,
    };
    paid.map(i128::from).ok_or_else(|| {
        format!("leg {} of refund {refund} is {:?}, and the provider says {standing:?}", leg.id, leg.state)
    })
}

/// No payment gave back more than it captured, by us.
fn check_limits(shop: &Shop) -> Result<(), String> {
    for order in &shop.orders {
        let facts = shop.facts(*order)?;
        for index in 0..facts.order.payments.len() {
            let (payment, paid) = facts.payment(index);
            if paid.held() > payment.captured {
                return Err(format!("payment {} of order {order} gave back more than it captured", payment.reference));
            }
        }
    }
    Ok(())
}

/// What disputes hold is what the provider says is contested or lost.
fn check_disputes(shop: &Shop) -> Result<(), String> {
    let mut held: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for order in &shop.orders {
        let of_order = shop.store.read(|tx| disputes::of_order(tx, shop.tenant, *order)).map_err(|e| e.to_string())?;
        held.extend(of_order.into_iter().map(|d| (d.reference, (d.stage, d.own_amount.get()))));
    }
    for (reference, stage, amount) in shop.provider.disputes() {
        let Some((known, own)) = held.remove(&reference) else {
            return Err(format!("dispute {reference} is not known here"));
        };
        let fits = if stage == DisputeStage::Won { own == 0 } else { own <= amount };
        if known != stage.code() || !fits {
            return Err(format!("dispute {reference} of {amount} is {stage:?}, here {known}, and holds {own}"));
        }
    }
    held.pop_first().map_or(Ok(()), |(reference, _)| Err(format!("the provider knows no dispute {reference}")))
}
