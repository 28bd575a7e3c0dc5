//! What providers say unasked: each event once, matched to a leg, a payment or a dispute, and applied in one
//! transaction with the note that it was heard.
//!
//! Events come late, twice and in any order, so nothing here trusts that order: a leg only moves forward
//! (`core::decide`), a dispute only on newer news than it had, and what fits nothing waits in the inbox for a person,
//! or for the order that it is about. What the provider paid is never dropped because it comes as a surprise.

mod notice;

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::decide::News;
use refundry_core::dispute::{Hold, hold};
use refundry_core::intake::PastRefund;
use refundry_core::journal::Happening;
use refundry_core::money::Amount;
use refundry_core::order::{Id, Payment, Reference};
use refundry_core::refund::{Leg, LegState, Refund};
use refundry_gateways::{About, Answer, DisputeStage, Notice};
use refundry_store::disputes::{self, DisputeRecord};
use refundry_store::inbox::{self, InboxRow};
use refundry_store::outbox::UNASKED;
use refundry_store::{StoreError, Tx, orders, refunds};

use crate::accept::{LegNews, Source, missing_refund};
use crate::execute::{record, same_figures};
use crate::ids::{Ids, lowest_refund};
use crate::intake::{fits, take_past};
use crate::world::World;

use notice::pack;
pub(crate) use notice::unpack;

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

/// An event of a gateway of a store.
#[derive(Clone, Copy)]
struct Told<'n> {
    store: i64,
    gateway: &'n str,
    notice: &'n Notice,
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
        let told = Told { store, gateway, notice };
        let (effect, detail, refund) = apply(tx, world, told, ids, now_ms)?;
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

/// Tries an event again that waits: the order that it is about may have come in since.
fn again(tx: &mut Tx<'_>, world: &mut World, row: &InboxRow, ids: &mut Ids, now_ms: i64) -> Result<Heard, StoreError> {
    let notice = unpack(row)?;
    let told = Told { store: row.store, gateway: &row.gateway, notice: &notice };
    let (effect, detail, refund) = apply(tx, world, told, ids, now_ms)?;
    if effect != Effect::Waiting && !inbox::settle(tx, row, effect.code(), &detail, refund.as_ref().map(|r| r.id))? {
        // Somebody else did it since it was read: begun anew, this is seen.
        return Err(StoreError::Busy);
    }
    Ok(Heard { effect, refund })
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
    inbox::waiting(tx, store, after, AGAIN_MAX)?.iter().map(unpack).collect()
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
    let told = Told { store, gateway: &row.gateway, notice: &notice };
    if !matches!(notice.about, About::Refund { .. }) {
        return Ok(Err(RulingFault::Impossible("only a refund can be put to a payment".to_owned())));
    }
    let (effect, detail, refund) = made_there(tx, world, told, (order, index), ids, now_ms)?;
    if effect == Effect::Waiting {
        return Ok(Err(RulingFault::Impossible(detail)));
    }
    if !inbox::settle(tx, &row, effect.code(), &detail, refund.as_ref().map(|r| r.id))? {
        return Err(StoreError::Busy);
    }
    Ok(Ok(Heard { effect, refund }))
}

fn apply(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    match &told.notice.about {
        About::Refund { leg_id, .. } => {
            if let Some(leg) = *leg_id
                && let Some(refund) = refund_of(tx, told.store, leg)?
            {
                return ours(tx, world, told, (refund.id, leg), ids, now_ms);
            }
            elsewhere(tx, world, told, ids, now_ms)
        }
        About::Dispute { .. } => dispute(tx, world, told, ids, now_ms),
    }
}

/// An event about one of our legs.
fn ours(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (refund, leg): (Id, Id),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Refund { answer, amount_minor, currency, .. } = &told.notice.about else { return Ok(nothing()) };
    let (known, order) = world.refund(tx, told.store, refund)?.ok_or_else(missing_refund)?;
    let found = known.legs.iter().find(|l| l.id == leg).ok_or_else(missing_refund)?;
    if found.gateway(&order) != told.gateway {
        let why = format!("leg {leg} goes through the gateway {}, not this one", found.gateway(&order));
        return Ok((Effect::Waiting, why, None));
    }
    let own = order.payments.get(found.payment).map_or("", |payment| payment.own_currency.code());
    let figures = same_figures((found.own_amount.get(), own), (*amount_minor, currency));
    let news = match (figures, news_of(answer)) {
        (_, None) => return Ok(nothing()),
        (Err(reason), Some(_)) if found.state.is_final() => return Ok((Effect::Waiting, reason, Some(known))),
        (Err(reason), Some(_)) => News::Contradicted { reason },
        (Ok(()), Some(_)) if failed_by_hand(found) => {
            // The money was given back to the order when a person said so. If it was paid after all, it is money that
            // went out by another way.
            let (order, payment) = (known.order, found.payment);
            return made_there(tx, world, told, (order, payment), ids, now_ms);
        }
        (Ok(()), Some(news)) => news,
    };
    settle(tx, world, told, (known.order, refund, leg), news, ids, now_ms)
}

fn failed_by_hand(leg: &Leg) -> bool {
    matches!(&leg.state, LegState::Failed { code, .. } if code == BY_HAND)
}

fn news_of(answer: &Answer) -> Option<News> {
    match answer.clone() {
        Answer::Done { reference, .. } => Some(News::Succeeded { reference }),
        Answer::Pending { reference } => Some(News::Sent { reference }),
        Answer::Declined { code, message } => Some(News::Failed { code, message }),
        Answer::Unknown { .. } | Answer::NotTaken { .. } | Answer::NotFound => None,
    }
}

fn nothing() -> Verdict {
    (Effect::Stale, "it says nothing of how the refund stands".to_owned(), None)
}

/// An event about a refund that is none of our legs by name: one of them all the same, or one made at the provider.
fn elsewhere(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Refund { refund_reference, amount_minor, .. } = &told.notice.about else { return Ok(nothing()) };
    let (order, payment) = match payment_of(tx, world, told)? {
        Ok(found) => found,
        Err(why) => return Ok((Effect::Waiting, why, None)),
    };
    let known = world.refunds_of(tx, told.store, order)?;
    let is_known = known.iter().any(|refund| leg_called(refund, refund_reference).is_some());
    let may_be = known.iter().flat_map(|refund| &refund.legs).find(|leg| {
        let open = !leg.state.is_final() && leg.payment == payment;
        open && leg.own_amount.get() == *amount_minor
    });
    if let Some(leg) = may_be.filter(|_| !is_known) {
        let why = format!("it names no leg of ours, and may be leg {}, which is under way", leg.id);
        return Ok((Effect::Waiting, why, None));
    }
    made_there(tx, world, told, (order, payment), ids, now_ms)
}

/// An event about a refund of a payment, by the provider's name of it: one that is known moves, a new one comes in.
fn made_there(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (order, payment): (Id, usize),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Refund { answer, .. } = &told.notice.about else { return Ok(nothing()) };
    let name = name_of(told.notice);
    let known = world.refunds_of(tx, told.store, order)?;
    let by_reference = known.iter().find_map(|refund| Some((refund.id, leg_called(refund, &name)?.id)));
    let Some((refund, leg)) = by_reference else {
        return match answer {
            Answer::Done { .. } | Answer::Pending { .. } => external(tx, world, told, (order, payment), ids, now_ms),
            _ => failed_there(tx, world, told, (order, payment), ids, now_ms),
        };
    };
    let news = match news_of(answer) {
        None => return Ok(nothing()),
        Some(News::Sent { .. }) => return Ok((Effect::Stale, "the refund is known".to_owned(), None)),
        Some(news) => news,
    };
    settle(tx, world, told, (order, refund, leg), news, ids, now_ms)
}

/// A refund that was made at the provider and failed there, before anything else was heard of it: it is taken in and
/// fails at once, so that an event of its beginning which comes later finds it known.
fn failed_there(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (order, payment): (Id, usize),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Refund { answer, .. } = &told.notice.about else { return Ok(nothing()) };
    let Some(news @ News::Failed { .. }) = news_of(answer) else { return Ok(nothing()) };
    let (_, _, begun) = external(tx, world, told, (order, payment), ids, now_ms)?;
    let Some((refund, leg)) = begun.and_then(|refund| Some((refund.id, refund.legs.first()?.id))) else {
        // It does not fit, and moved nothing.
        return Ok((Effect::Stale, "a refund that was made elsewhere and failed there".to_owned(), None));
    };
    settle(tx, world, told, (order, refund, leg), news, ids, now_ms)
}

/// Records what a leg's provider says of it.
fn settle(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (order, refund, leg): (Id, Id, Id),
    news: News,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    if let News::Succeeded { .. } = news
        && let Some(why) = paid_after_all(tx, world, told, (refund, leg))?
    {
        return Ok((Effect::Waiting, why, None));
    }
    let news = LegNews {
        store: told.store,
        order,
        refund,
        leg,
        news,
        source: Source::Delivery,
        again_ms: now_ms,
        attempts: UNASKED,
        lane: 0,
    };
    Ok(match record(tx, world, &news, ids, now_ms)? {
        Some(moved) => (Effect::Settled, format!("leg {leg}"), Some(moved)),
        None => (Effect::Stale, format!("leg {leg}"), None),
    })
}

/// Why a person must look where a provider says that it paid what it called failed before: the money may have been
/// promised to somebody else since. `None` for what came late and is older than the failure.
fn paid_after_all(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (refund, leg): (Id, Id),
) -> Result<Option<String>, StoreError> {
    let (known, _) = world.refund(tx, told.store, refund)?.ok_or_else(missing_refund)?;
    let state = known.legs.iter().find(|known| known.id == leg).map(|known| &known.state);
    let Some(LegState::Failed { at_ms, code, .. }) = state else { return Ok(None) };
    let is_newer = told.notice.happened_ms.is_some_and(|happened_ms| happened_ms > *at_ms);
    Ok(is_newer.then(|| format!("leg {leg} failed with {code}, and is said to be paid now")))
}

/// What a refund made at the provider is called: by the provider, else by the event that told of it.
fn name_of(notice: &Notice) -> String {
    match &notice.about {
        About::Refund { refund_reference, .. } if !refund_reference.is_empty() => refund_reference.clone(),
        About::Refund { .. } | About::Dispute { .. } => format!("event {}", notice.event),
    }
}

/// The leg that a provider calls so.
fn leg_called<'r>(refund: &'r Refund, reference: &str) -> Option<&'r Leg> {
    if refund.external_id.as_deref() == Some(reference) {
        return refund.legs.first();
    }
    refund.legs.iter().find(|leg| match &leg.state {
        LegState::Sent { reference: known } | LegState::Succeeded { reference: known, .. } => known == reference,
        LegState::Waiting | LegState::InDoubt { .. } | LegState::Failed { .. } | LegState::Parked { .. } => false,
    })
}

/// Takes a refund into the books that was made at the provider: it lowers what is refundable, unless that cannot be.
fn external(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    (order, payment): (Id, usize),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Refund { amount_minor, currency, .. } = &told.notice.about else { return Ok(nothing()) };
    let facts = world.facts(tx, told.store, order)?;
    let (paid, _) = facts.payment(payment);
    if paid.own_currency.code() != currency {
        let why = format!("it is in {currency}, the payment in {}", paid.own_currency.code());
        return Ok((Effect::Waiting, why, None));
    }
    let own_amount = Amount::minor(*amount_minor);
    let amount = if own_amount == facts.payment_own_left(payment) {
        facts.payment_left(payment)
    } else {
        paid.booked_of(own_amount)
    };
    let past = PastRefund {
        external_id: Some(name_of(told.notice)),
        created_ms: told.notice.happened_ms.unwrap_or(now_ms),
        note: format!("made at the provider, heard through {}", told.gateway),
        reason: String::new(),
        allocations: Vec::new(),
        units: Vec::new(),
        legs: vec![(payment, amount, own_amount)],
    };
    if !own_amount.is_positive() {
        return Ok((Effect::Waiting, "its amount is not above zero".to_owned(), None));
    }
    if let Err(why) = fits(facts, &past) {
        return Ok((Effect::Waiting, why, None));
    }
    let refund = take_past(tx, world, (told.store, order), &past, ids, now_ms)?;
    Ok((Effect::External, format!("refund {}", refund.id), Some(refund)))
}

/// The order and payment that a provider calls so: exactly one, or why not.
fn payment_of(tx: &mut Tx<'_>, world: &mut World, told: Told<'_>) -> Result<Result<(Id, usize), String>, StoreError> {
    let mut found = BTreeSet::new();
    for name in payment_names(told.notice) {
        found.extend(orders::of_payment(tx, told.store, name)?);
    }
    let found: Vec<Id> = found.into_iter().collect();
    let [order] = found[..] else {
        let why = match found.len() {
            0 => "no order has its payment".to_owned(),
            several => format!("{several} orders have its payment"),
        };
        return Ok(Err(why));
    };
    let facts = world.facts(tx, told.store, order)?;
    let is_meant = |payment: &Payment| payment_names(told.notice).any(|name| name == payment.reference);
    let index = facts.order.payments.iter().position(is_meant);
    Ok(index.map(|index| (order, index)).ok_or_else(|| "the order has this payment no more".to_owned()))
}

fn dispute(
    tx: &mut Tx<'_>,
    world: &mut World,
    told: Told<'_>,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Verdict, StoreError> {
    let About::Dispute { dispute_reference, stage, amount_minor, currency, .. } = &told.notice.about else {
        return Ok(nothing());
    };
    let Told { store, gateway, notice } = told;
    let (order, index) = match payment_of(tx, world, told)? {
        Ok(found) => found,
        Err(why) => return Ok((Effect::Waiting, why, None)),
    };
    let before = disputes::get(tx, store, gateway, dispute_reference)?;
    let facts = world.facts(tx, store, order)?;
    let (payment, _) = facts.payment(index);
    if payment.own_currency.code() != currency && *stage != DisputeStage::Won {
        let why = format!("it is in {currency}, the payment in {}", payment.own_currency.code());
        return Ok((Effect::Waiting, why, None));
    }
    // What it holds is held of one payment, and cannot be let go of another.
    if let Some(before) = before.as_ref().filter(|before| (before.order, before.payment) != (order, payment.id)) {
        let why = format!("the dispute is known of payment {} of order {}", before.payment, before.order);
        return Ok((Effect::Waiting, why, None));
    }
    let happened_ms = notice.happened_ms.unwrap_or(now_ms);
    if before.as_ref().is_some_and(|before| is_older(before, *stage, happened_ms)) {
        return Ok((Effect::Stale, "what is known of the dispute is newer".to_owned(), None));
    }
    let held = before.as_ref().map_or_else(Hold::default, |b| Hold { amount: b.amount, own_amount: b.own_amount });
    let wanted = if *stage == DisputeStage::Won { Amount::ZERO } else { Amount::minor(*amount_minor) };
    let decided = hold(facts, index, held, wanted);
    let record = DisputeRecord {
        store,
        gateway: gateway.to_owned(),
        reference: dispute_reference.clone(),
        order,
        payment: payment.id,
        stage: stage.code().to_owned(),
        amount: decided.hold.amount,
        own_amount: decided.hold.own_amount,
        opened_ms: before.map_or(happened_ms, |before| before.opened_ms),
        updated_ms: happened_ms,
    };
    disputes::put(tx, &record)?;
    let entry = ids.next(now_ms);
    world.apply_to_order((store, order), decided.balances, Happening::DisputeHeld, decided.postings, entry, now_ms)?;
    Ok((Effect::Disputed, format!("{} {} held", decided.hold.own_amount.get(), currency), None))
}

/// Whether what is known of a dispute is newer than this. Of the same moment, an end counts more than a beginning.
fn is_older(before: &DisputeRecord, stage: DisputeStage, happened_ms: i64) -> bool {
    let ended = before.stage != DisputeStage::Open.code();
    happened_ms < before.updated_ms || (happened_ms == before.updated_ms && ended && stage == DisputeStage::Open)
}
