//! What providers say unasked: each event once, matched to a leg, a payment or a dispute, and applied in one
//! transaction with the note that it was heard.
//!
//! Events come late, twice and in any order, so nothing here trusts that order: a leg only moves forward
//! (`core::decide`), a dispute only on newer news than it had, and what fits nothing waits in the inbox for a person,
//! or for the order that it is about. What the provider paid is never dropped because it comes as a surprise.

pub(crate) mod app;
mod dispute;
mod notice;
mod refund;

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::order::{Id, Order, Payment, Reference};
use refundry_core::refund::{Leg, Refund};
use refundry_gateways::{About, Answer, Notice};
use refundry_store::inbox::{self, InboxRow};
use refundry_store::{StoreError, Tx, orders, refunds};

use crate::accept::LegNews;
use crate::ids::{Ids, lowest_refund};
use crate::world::World;

use notice::pack;
pub(crate) use notice::unpack;
use refund::Said;
pub(crate) use refund::failed_by_word;

/// The code of a leg that failed by a person's word; see [`crate::execute`].
pub const BY_HAND: &str = "settled_by_hand";

/// Events that wait and are tried again in one transaction.
const AGAIN_MAX: i64 = 100;

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// In a word.
    pub effect: Effect,
    /// The refund that it moved, or that was made of it.
    pub refund: Option<Arc<Refund>>,
}

/// What an event did, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was heard before.
    Known,
    /// It moved a leg.
    Settled,
    /// It told of a leg or a dispute what was known, or older than what is.
    Stale,
    /// A refund that was made at the provider is in the books now.
    External,
    /// It changed what a dispute holds.
    Disputed,
    /// Nothing here fits it: a person has to look.
    Waiting,
}

impl Effect {
    /// Stable code, as it is kept in the inbox.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Settled => "settled",
            Self::Stale => "stale",
            Self::External => "external",
            Self::Disputed => "disputed",
            Self::Waiting => inbox::WAITING,
        }
    }
}

/// What came of an event: effect, why, the refund it concerned.
type Verdict = (Effect, String, Option<Arc<Refund>>);

/// The orders that events are about, so that they can be held before anything is decided.
pub(crate) fn orders_of(tx: &mut Tx<'_>, store: i64, notices: &[Notice]) -> Result<BTreeSet<Id>, StoreError> {
    let mut held = BTreeSet::new();
    for notice in notices {
        let leg = match &notice.about {
            About::Refund { leg_id, .. } => *leg_id,
            About::Dispute { .. } => None,
        };
        match leg.map(|leg| refund_of(tx, store, leg)).transpose()?.flatten() {
            Some(refund) => held.extend([refund.order]),
            None => {
                for name in payment_names(notice) {
                    held.extend(orders::of_payment(tx, store, name)?);
                }
            }
        }
    }
    Ok(held)
}

/// What a provider calls the payment that an event is about.
fn payment_names(notice: &Notice) -> impl Iterator<Item = &str> {
    let (About::Refund { payment_reference, payment_alias, .. }
    | About::Dispute { payment_reference, payment_alias, .. }) = &notice.about;
    [payment_reference.as_str(), payment_alias.as_str()].into_iter().filter(|name| !name.is_empty())
}

/// The refund of a leg that a provider names. What is no number of ours is nobody's leg.
pub fn refund_of(tx: &mut Tx<'_>, store: i64, leg: Id) -> Result<Option<Refund>, StoreError> {
    if i64::try_from(leg).is_err() {
        return Ok(None);
    }
    refunds::of_leg(tx, store, leg, lowest_refund(leg))
}

/// Hears events of a gateway, each once.
pub(crate) fn hear(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, gateway): (i64, &str),
    notices: &[Notice],
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Vec<Heard>, StoreError> {
    let mut all = Vec::with_capacity(notices.len());
    for notice in notices {
        if inbox::is_known(tx, store, gateway, &notice.event)? {
            all.push(Heard { effect: Effect::Known, refund: None });
            continue;
        }
        let (effect, detail, refund) = Hearing { tx, world, ids, store, gateway, notice, now_ms }.apply()?;
        inbox::insert(
            tx,
            &[InboxRow {
                store,
                gateway: gateway.to_owned(),
                event: notice.event.clone(),
                id: ids.next(now_ms),
                heard_ms: now_ms,
                happened_ms: notice.happened_ms,
                kind: notice.kind.clone(),
                outcome: effect.code().to_owned(),
                detail,
                refund: refund.as_ref().map(|refund| refund.id),
                notice: pack(notice),
            }],
        )?;
        all.push(Heard { effect, refund });
    }
    Ok(all)
}

/// Hears a gateway's answer that a leg was paid which a person or a payment app has called failed: money that the order
/// got back, and that went out all the same.
pub(crate) fn hear_paid(
    tx: &mut Tx<'_>,
    world: &mut World,
    news: &LegNews,
    (refund, order, leg): (&Refund, &Order, &Leg),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(payment) = order.payments.get(leg.payment) else { return Ok(()) };
    let reference = news.news.reference().to_owned();
    let (amount_minor, currency) = (leg.own_amount.get(), payment.own_currency.code().to_owned());
    let about = About::Refund {
        leg_id: Some(leg.id),
        refund_reference: reference.clone(),
        payment_reference: payment.reference.clone(),
        payment_alias: String::new(),
        answer: Answer::Done { reference, amount_minor, currency: currency.clone() },
        amount_minor,
        currency,
    };
    let event = format!("answer about leg {} of refund {}", leg.id, refund.id);
    let notice = Notice { event, kind: "answer".to_owned(), happened_ms: Some(now_ms), about };
    hear(tx, world, (news.store, leg.gateway(order)), &[notice], ids, now_ms)?;
    Ok(())
}

/// Tries an event again that waits: the order that it is about may have come in since.
fn again(tx: &mut Tx<'_>, world: &mut World, row: &InboxRow, ids: &mut Ids, now_ms: i64) -> Result<Heard, StoreError> {
    // One that cannot be read must not hold up the others.
    let Some(notice) = readable(row) else { return Ok(Heard { effect: Effect::Waiting, refund: None }) };
    let (store, gateway) = (row.store, row.gateway.as_str());
    let hearing = Hearing { tx, world, ids, store, gateway, notice: &notice, now_ms };
    let (effect, detail, refund) = hearing.apply()?;
    if effect != Effect::Waiting && !inbox::settle(tx, row, effect.code(), &detail, refund.as_ref().map(|r| r.id))? {
        // Somebody else did it since it was read: begun anew, this is seen.
        return Err(StoreError::Busy);
    }
    Ok(Heard { effect, refund })
}

fn readable(row: &InboxRow) -> Option<Notice> {
    let notice = unpack(row);
    if let Err(error) = &notice {
        tracing::error!(event.id = row.id, event.gateway = row.gateway, %error, "an event that waits cannot be read");
    }
    notice.ok()
}

/// Events of a store that wait, above the number `after`: how many there were, and the last of them.
pub(crate) fn all_again(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, after): (i64, Id),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Vec<(Id, Heard)>, StoreError> {
    let waiting = inbox::waiting(tx, store, after, AGAIN_MAX)?;
    waiting.iter().map(|row| Ok((row.id, again(tx, world, row, ids, now_ms)?))).collect()
}

/// The notices of events that wait, to find the orders that they are about.
pub(crate) fn waiting(tx: &mut Tx<'_>, store: i64, after: Id) -> Result<Vec<Notice>, StoreError> {
    Ok(inbox::waiting(tx, store, after, AGAIN_MAX)?.iter().filter_map(readable).collect())
}

/// What a person says of an event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is nothing to us.
    Dismissed {
        /// Why.
        text: String,
    },
    /// It is a refund of this payment.
    Of {
        /// The order.
        order: Reference,
        /// The payment; the only one where it is left out.
        payment: Option<Reference>,
    },
}

/// Why a ruling cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulingFault {
    /// No such event waits.
    EventUnknown,
    /// No such order.
    OrderUnknown,
    /// The order has no such payment, or several and none was named.
    PaymentUnknown,
    /// It is still impossible: why.
    Impossible(String),
}

/// Follows a person's ruling on an event that waits.
pub(crate) fn rule(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, event): (i64, Id),
    ruling: &Ruling,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Result<Heard, RulingFault>, StoreError> {
    let Some(row) = inbox::get_waiting(tx, store, event)? else { return Ok(Err(RulingFault::EventUnknown)) };
    let (order, payment) = match ruling {
        Ruling::Dismissed { text } => {
            let settled = inbox::settle(tx, &row, "dismissed", text, None)?;
            let heard = Heard { effect: Effect::Stale, refund: None };
            return Ok(if settled { Ok(heard) } else { Err(RulingFault::EventUnknown) });
        }
        Ruling::Of { order, payment } => (order, payment),
    };
    let Some(order) = world.resolve(tx, store, order)? else { return Ok(Err(RulingFault::OrderUnknown)) };
    let facts = world.facts(tx, store, order)?;
    let index = match payment {
        Some(reference) => facts.order.find_payment(reference),
        None => Some(0).filter(|_| facts.order.payments.len() == 1),
    };
    let Some(index) = index else { return Ok(Err(RulingFault::PaymentUnknown)) };
    let notice = unpack(&row)?;
    let About::Refund { answer, amount_minor, currency, .. } = &notice.about else {
        return Ok(Err(RulingFault::Impossible("only a refund can be put to a payment".to_owned())));
    };
    let said = Said { answer, amount_minor: *amount_minor, currency };
    let mut hearing = Hearing { tx, world, ids, store, gateway: &row.gateway, notice: &notice, now_ms };
    let (effect, detail, refund) = hearing.ruled(said, (order, index))?;
    if effect == Effect::Waiting {
        return Ok(Err(RulingFault::Impossible(detail)));
    }
    if !inbox::settle(tx, &row, effect.code(), &detail, refund.as_ref().map(|r| r.id))? {
        return Err(StoreError::Busy);
    }
    Ok(Ok(Heard { effect, refund }))
}

/// One event, and all that it may move.
struct Hearing<'h, 't> {
    tx: &'h mut Tx<'t>,
    world: &'h mut World,
    ids: &'h mut Ids,
    store: i64,
    gateway: &'h str,
    notice: &'h Notice,
    now_ms: i64,
}

impl Hearing<'_, '_> {
    fn apply(mut self) -> Result<Verdict, StoreError> {
        match &self.notice.about {
            About::Refund { answer, amount_minor, currency, .. } => {
                self.refund(Said { answer, amount_minor: *amount_minor, currency })
            }
            About::Dispute { dispute_reference, stage, amount_minor, currency, .. } => {
                self.dispute((dispute_reference, *stage), (*amount_minor, currency))
            }
        }
    }

    /// The order and payment that a provider calls so: exactly one, or why not.
    fn payment_of(&mut self) -> Result<Result<(Id, usize), String>, StoreError> {
        let mut found = BTreeSet::new();
        for name in payment_names(self.notice) {
            found.extend(orders::of_payment(self.tx, self.store, name)?);
        }
        let found: Vec<Id> = found.into_iter().collect();
        let [order] = found[..] else {
            let why = match found.len() {
                0 => "no order has its payment".to_owned(),
                several => format!("{several} orders have its payment"),
            };
            return Ok(Err(why));
        };
        let facts = self.world.facts(self.tx, self.store, order)?;
        let is_meant = |payment: &Payment| payment_names(self.notice).any(|name| name == payment.reference);
        let index = facts.order.payments.iter().position(is_meant);
        Ok(index.map(|index| (order, index)).ok_or_else(|| "the order has this payment no more".to_owned()))
    }
}
