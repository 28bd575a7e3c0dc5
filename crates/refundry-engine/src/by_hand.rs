//! What a person does about a refund: say how a leg ended, call the refund off, try again what failed.

use std::sync::Arc;

use refundry_core::command::CreateRefund;
use refundry_core::decide::{News, settle};
use refundry_core::limits::LEASE_MS;
use refundry_core::order::{Id, Reference};
use refundry_core::refund::{Leg, LegState, Refund, Route};
use refundry_core::retry::{self, Destination};
use refundry_store::outbox::{self, Stage};
use refundry_store::{StoreError, Tx, gateways};

use crate::accept::missing_refund;
use crate::execute::{ARRIVES_WITHIN_MS, WorkQueue};
use crate::ids::Ids;
use crate::world::{Found, World};

/// Why a leg cannot be settled by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandFault {
    /// No such refund.
    RefundUnknown,
    /// No such leg in it.
    LegUnknown,
    /// It is final, or a gateway answers for it.
    NotByHand,
    /// It was asked for a moment ago and may still be paid, so nobody may call it failed.
    MayStillArrive,
}

/// Settles a leg that waits for a person: one through a driver that only a person settles, or that this process does
/// not have, or a parked one.
pub(crate) fn settle_by_hand(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, refund, leg): (i64, &Reference, Id),
    news: &News,
    (ids, queue): (&mut Ids, &WorkQueue),
    now_ms: i64,
) -> Result<Result<Found, HandFault>, StoreError> {
    let Some(id) = world.find_refund(tx, store, refund)? else { return Ok(Err(HandFault::RefundUnknown)) };
    let (refund, order) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    let Some(index) = refund.legs.iter().position(|l| l.id == leg) else { return Ok(Err(HandFault::LegUnknown)) };
    let driver = |l: &Leg| queue.registry().find(store, l.gateway(&order));
    let no_driver = match refund.legs.get(index) {
        // Another process may have the key to a gateway that this one cannot read.
        Some(l) => driver(l).is_none() && !is_configured(tx, store, l.gateway(&order))?,
        None => false,
    };
    let by_hand = refund.legs.get(index).is_some_and(|l| match l.state {
        LegState::Parked { .. } => true,
        // A leg in the outbox is a gateway's business.
        LegState::Waiting => l.route == Route::Original,
        // One that a payment app has said to have: no gateway asks about it.
        LegState::Sent if queue.settled_by_person(store, l.gateway(&order)) => true,
        LegState::Sent | LegState::InDoubt { .. } => no_driver,
        LegState::Succeeded { .. } | LegState::Failed { .. } => false,
    });
    // A person says how it ended; anything less would leave a leg that nobody asks about.
    let is_word = matches!(news, News::Succeeded { .. } | News::Failed { .. });
    let row = outbox::get(tx, store, leg)?;
    let in_hand = row.as_ref().is_some_and(|row| row.stage != Stage::Parked);
    if !by_hand || !is_word || (!no_driver && in_hand) {
        return Ok(Err(HandFault::NotByHand));
    }
    let may_arrive = row.as_ref().is_some_and(|row| {
        let surely_unsent = row.stage == Stage::Waiting;
        !surely_unsent && now_ms < row.taken_ms + ARRIVES_WITHIN_MS
    });
    if may_arrive && matches!(news, News::Failed { .. }) {
        return Ok(Err(HandFault::MayStillArrive));
    }
    let decision = settle(world.facts(tx, store, order.id)?, &refund, index, news.clone(), now_ms);
    let Ok(decision) = decision else { return Ok(Err(HandFault::NotByHand)) };
    // Nobody asks about it any more. A worker that took it since it was looked at may be paying it: begun anew, this is
    // seen.
    if let Some(row) = row
        && !outbox::take_back(tx, store, leg, row.attempts)?
    {
        return Err(StoreError::Busy);
    }
    let entry = ids.next(now_ms);
    Ok(Ok(world.apply(store, order.id, decision, false, entry, now_ms)?))
}

pub(crate) fn is_configured(tx: &mut Tx<'_>, store: i64, gateway: &str) -> Result<bool, StoreError> {
    Ok(gateways::list(tx, store)?.iter().any(|known| known.name == gateway))
}

/// Why the gateway cannot be asked about a leg now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskFault {
    /// No such refund.
    RefundUnknown,
    /// No such leg in it.
    LegUnknown,
    /// It is over, or no gateway answers for it.
    NothingToAsk,
}

/// Has a worker see to a leg now, whatever the ladder says; one that is due within a minute anyway is left as it is.
pub(crate) fn ask_now(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, refund, leg): (i64, &Reference, Id),
    now_ms: i64,
) -> Result<Result<Found, AskFault>, StoreError> {
    let Some(id) = world.find_refund(tx, store, refund)? else { return Ok(Err(AskFault::RefundUnknown)) };
    let (refund, order) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    if !refund.legs.iter().any(|known| known.id == leg) {
        return Ok(Err(AskFault::LegUnknown));
    }
    // A leg in a worker's hands is due when the lease ends, so one that is due later is in nobody's.
    let hastened = outbox::hasten(tx, store, leg, now_ms, now_ms + LEASE_MS)?;
    if !hastened && outbox::get(tx, store, leg)?.is_none() {
        return Ok(Err(AskFault::NothingToAsk));
    }
    Ok(Ok((refund, order)))
}

/// The code of legs that failed because their refund was called off.
pub const CANCELLED: &str = "cancelled";

/// Why a refund cannot be called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelFault {
    /// No such refund.
    RefundUnknown,
    /// Money of it was sent, or may have been.
    MayBeSent,
}

/// Calls a refund off while surely nothing of it was sent; its legs fail with this code and text.
pub(crate) fn cancel(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, refund): (i64, &Reference),
    (code, text): (&str, &str),
    ids: &mut Ids,
    queue: &WorkQueue,
    now_ms: i64,
) -> Result<Result<Found, CancelFault>, StoreError> {
    let Some(id) = world.find_refund(tx, store, refund)? else { return Ok(Err(CancelFault::RefundUnknown)) };
    let (mut refund, order) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    for leg in refund.legs.iter().filter(|leg| !matches!(leg.state, LegState::Failed { .. })) {
        let by_person = queue.settled_by_person(store, leg.gateway(&order));
        let in_outbox = leg.route == Route::Original && !by_person;
        let row = if in_outbox { outbox::get(tx, store, leg.id)? } else { None };
        let unsent =
            leg.state == LegState::Waiting && (!in_outbox || row.is_some_and(|row| row.stage == Stage::Waiting));
        if !unsent {
            return Ok(Err(CancelFault::MayBeSent));
        }
    }
    let open: Vec<usize> = (0..refund.legs.len()).filter(|i| is_open(&refund, *i)).collect();
    if open.is_empty() {
        return Ok(Err(CancelFault::MayBeSent));
    }
    for index in open {
        let leg = refund.legs.get(index).ok_or_else(missing_refund)?;
        let in_outbox = leg.route == Route::Original && !queue.settled_by_person(store, leg.gateway(&order));
        if in_outbox && !outbox::withdraw(tx, store, leg.id)? {
            // A worker took it since it was looked at: begun anew, this is seen.
            return Err(StoreError::Busy);
        }
        let news = News::Failed { code: code.to_owned(), message: text.to_owned() };
        let decision = settle(world.facts(tx, store, order.id)?, &refund, index, news, now_ms);
        let decision = decision.map_err(|_| StoreError::defect("a leg that waits can fail"))?;
        let entry = ids.next(now_ms);
        refund = world.apply(store, order.id, decision, false, entry, now_ms)?.0;
    }
    Ok(Ok((refund, order)))
}

fn is_open(refund: &Refund, index: usize) -> bool {
    refund.legs.get(index).is_some_and(|leg| !leg.state.is_final())
}

/// What is asked for who tries again what failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAsk {
    /// Which refund.
    pub refund: Reference,
    /// Where the money goes now.
    pub to: Destination,
}

/// Why nothing can be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryFault {
    /// No such refund.
    RefundUnknown,
    /// No leg of it failed, or all that did were tried again.
    NothingFailed,
}

/// The refund that tries again what failed of another one.
pub(crate) fn retry_of(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &RetryAsk,
) -> Result<Result<(Arc<Refund>, CreateRefund), RetryFault>, StoreError> {
    let Some(id) = world.find_refund(tx, store, &ask.refund)? else { return Ok(Err(RetryFault::RefundUnknown)) };
    let (refund, order) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    let Some(request) = retry::request(&order, &refund, &ask.to) else { return Ok(Err(RetryFault::NothingFailed)) };
    let command = CreateRefund {
        order: Reference { text: String::new(), ours: Some(refund.order) },
        via: refund.via,
        request,
        note: refund.note.clone(),
        reason: refund.reason.clone(),
        notify: refund.notify,
        metadata: refund.metadata.clone(),
        processed_ms: None,
        retry_of: Some(refund.id),
        // What was accepted once may be tried again wherever its units went.
        known_places: false,
    };
    Ok(Ok((refund, command)))
}

/// Notes on the failed legs of a refund which other refund tries them again, so that nobody does it twice.
pub(crate) fn note_retry(world: &mut World, store: i64, refund: &Arc<Refund>, by: Id) {
    let mut noted = Refund::clone(refund);
    let failed: Vec<Id> = retry::open_failures(refund).map(|leg| leg.id).collect();
    for leg in noted.legs.iter_mut().filter(|leg| failed.contains(&leg.id)) {
        leg.retried_by = Some(by);
    }
    world.amend(store, Arc::new(noted));
}
