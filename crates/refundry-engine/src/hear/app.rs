//! What a payment app tells of a leg, who is not the leg's gateway.
//!
//! An app is believed where nobody else answers for the money: of legs that wait for a person, of those that the
//! simulated provider only plays, and of those whose gateway is not there any more. A gateway that a store configured
//! settles its legs itself. That money did not go back is believed only while surely nobody is sending it: it would
//! be free for another refund, and go out twice.

use refundry_core::order::{Id, Order};
use refundry_core::payouts::SIMULATED;
use refundry_core::refund::{Leg, LegState, PAYMENT_APP_ERROR, PAYMENT_APP_FAILURE, Route};
use refundry_core::told::{Told, ToldFault, Word};
use refundry_gateways::{About, Answer, Notice};
use refundry_store::{StoreError, Tx, inbox, outbox};

use crate::accept::{Means, missing_refund};
use crate::by_hand::is_configured;
use crate::execute::{ARRIVES_WITHIN_MS, WorkQueue};
use crate::world::World;

use super::{Effect, Heard, hear, refund_of};

/// What events of payment apps are called in the inbox.
pub(super) const KIND: &str = "payment_app";

/// Hears what an app tells of a leg, each word once.
pub(crate) fn tell(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    told: &Told,
    means: Means<'_>,
) -> Result<Result<Heard, ToldFault>, StoreError> {
    let Means { ids, queue, now_ms, .. } = means;
    let Some(refund) = refund_of(tx, store, told.leg)? else { return Ok(Err(ToldFault::LegUnknown)) };
    let (refund, order) = world.refund(tx, store, refund.id)?.ok_or_else(missing_refund)?;
    let leg = refund.legs.iter().find(|leg| leg.id == told.leg).ok_or_else(missing_refund)?;
    if let Err(difference) = told.agrees(&order, leg) {
        return Ok(Err(ToldFault::Differs(difference)));
    }
    let answers = who_answers(tx, queue, (store, &order), leg)?;
    if answers == Answers::Gateway {
        return Ok(Err(ToldFault::ByGateway));
    }
    let says_nothing_new = match told.word {
        // Whoever asks a provider about a leg knows better whether it has it: a leg that is called sent is never sent.
        Word::Pending => answers != Answers::Person || leg.state != LegState::Waiting,
        Word::Failure | Word::Error => leg.state.is_failed(),
        Word::Success => false,
    };
    if says_nothing_new {
        return Ok(Ok(Heard { effect: Effect::Stale, refund: None }));
    }
    if told.word.failure().is_some()
        && let Err(fault) = withdraw(tx, (store, &order), leg, now_ms)?
    {
        return Ok(Err(fault));
    }
    let notice = notice(told, (&order, leg), now_ms);
    let heard = hear(tx, world, (store, leg.gateway(&order)), &[notice], ids, now_ms)?;
    heard.into_iter().next().map(Ok).ok_or_else(|| StoreError::defect("a notice was not heard"))
}

/// Who answers for the money of a leg.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Nobody but a person.
    Person,
    /// The simulated provider, or a gateway that is not there any more.
    Nobody,
    /// A gateway that the store configured.
    Gateway,
}

fn who_answers(
    tx: &mut Tx<'_>,
    queue: &WorkQueue,
    (store, order): (i64, &Order),
    leg: &Leg,
) -> Result<Answers, StoreError> {
    let gateway = leg.gateway(order);
    if leg.route == Route::Outside || queue.settled_by_person(store, gateway) {
        return Ok(Answers::Person);
    }
    // Another process may have the key to a gateway that this one cannot read.
    let is_there = queue.registry().find(store, gateway).is_some() || is_configured(tx, store, gateway)?;
    Ok(if is_there && gateway != SIMULATED { Answers::Gateway } else { Answers::Nobody })
}

/// Makes sure that nobody pays a leg any more before it fails; those that wait for a person are in no outbox.
fn withdraw(
    tx: &mut Tx<'_>,
    (store, order): (i64, &Order),
    leg: &Leg,
    now_ms: i64,
) -> Result<Result<(), ToldFault>, StoreError> {
    let is_paid = matches!(leg.state, LegState::Succeeded { .. });
    if is_paid && (leg.route == Route::Outside || !told_success(tx, (store, order), leg)?) {
        return Ok(Err(ToldFault::PaidOtherwise));
    }
    // In one statement, so that no worker takes it between a look at it and its end.
    let is_nobodys = outbox::abandon(tx, store, leg.id, now_ms - ARRIVES_WITHIN_MS)?;
    let may_arrive = !is_nobodys && outbox::get(tx, store, leg.id)?.is_some();
    Ok(if may_arrive { Err(ToldFault::MayStillArrive) } else { Ok(()) })
}

/// Whether a leg counts as paid by the word of an app. One that only repeated what somebody else had said before moved
/// nothing, so that taking it back moves nothing either.
fn told_success(tx: &mut Tx<'_>, (store, order): (i64, &Order), leg: &Leg) -> Result<bool, StoreError> {
    let gateway = leg.gateway(order);
    // An app that gave no name to the refund leaves the leg the one that it had.
    for reference in [leg.reference.as_str(), ""] {
        let outcome = inbox::outcome(tx, store, gateway, &event_of(leg.id, Word::Success, reference))?;
        if outcome.is_some_and(|outcome| outcome == Effect::Settled.code()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn event_of(leg: Id, word: Word, reference: &str) -> String {
    format!("{} of leg {leg} as {reference}", word.code())
}

fn notice(told: &Told, (order, leg): (&Order, &Leg), now_ms: i64) -> Notice {
    let currency = order.payments.get(leg.payment).map_or(order.currency, |payment| payment.own_currency);
    let (amount_minor, currency) = (leg.own_amount.get(), currency.code().to_owned());
    let reference = told.reference.clone();
    let answer = match told.word.failure() {
        Some(code) => Answer::Declined { code: code.to_owned(), message: String::new() },
        None if told.word == Word::Pending => Answer::Pending { reference },
        None => Answer::Done { reference, amount_minor, currency: currency.clone() },
    };
    Notice {
        event: event_of(leg.id, told.word, &told.reference),
        kind: KIND.to_owned(),
        // An app does not say when: it comes after what is known, even within a millisecond.
        happened_ms: Some(now_ms.max(leg.finished_ms().map_or(0, |known_ms| known_ms.saturating_add(1)))),
        about: About::Refund {
            leg_id: Some(leg.id),
            refund_reference: told.reference.clone(),
            payment_reference: told.payment_reference.clone(),
            payment_alias: String::new(),
            answer,
            amount_minor,
            currency,
        },
    }
}

/// Whether a leg failed by the word of a payment app.
pub(super) fn failed_by_app(leg: &Leg) -> bool {
    let of_app = |code: &str| code == PAYMENT_APP_FAILURE || code == PAYMENT_APP_ERROR;
    matches!(&leg.state, LegState::Failed { code, .. } if of_app(code))
}
