//! After-sales cases: lists, finishing a refund that waits, deleting one. Each refund is a case.

use std::collections::BTreeSet;
use std::sync::Arc;

use refundry_core::decide::{News, settle_at};
use refundry_core::limits::METADATA_PAIRS_MAX;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::query::CaseQuery;
use refundry_core::refund::{CASE_DELETED, Leg, LegState, MetaValue, Progress, Refund, RefundState, Route};
use refundry_store::refunds::cases::{CaseCounts, counts, page};
use refundry_store::{Store, StoreError, Tx, refunds};

use crate::accept::{Means, Named, missing_refund};
use crate::by_hand::{self, CancelFault};
use crate::read::{self, Shown};
use crate::settings::{self, StoreSettings};
use crate::world::{Found, World};

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum CaseAsk {
    /// Say that all money of a refund that waits for a person went back.
    Finish(FinishAsk),
    /// Delete a case of which nothing was sent: its money and units come free.
    Delete {
        /// Which refund's.
        case: Reference,
    },
    /// Hold the money of a payment channel back, or no more.
    Hold {
        /// The channel, in any case.
        channel: String,
        /// Whether it is held from now on.
        held: bool,
    },
}

/// What is said of a refund that is finished by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishAsk {
    /// Which order.
    pub order: Reference,
    /// Which refund, as the case's id names it.
    pub case: Reference,
    /// The same refund, as its record's id names it.
    pub record: Reference,
    /// When the money went back, epoch milliseconds, in whole seconds or finer; now where it is left out.
    pub at_ms: Option<i64>,
    /// What the money's way calls it, may be empty.
    pub reference: String,
    /// The channel it went through, may be empty.
    pub channel: String,
    /// Pairs that are kept with the refund.
    pub metadata: Vec<(String, String)>,
}

/// Why a refund cannot be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishFault {
    /// No such order.
    OrderUnknown,
    /// The order has no such refund, or case and record are not the same one.
    NotOne,
    /// No payment of the refund has this channel.
    OtherChannel,
    /// It failed.
    Failed,
    /// A gateway answers for some of it.
    NotByHand,
    /// The time lies before the refund, or in the future.
    TimeOutOfRange,
    /// With the pairs that it has, they would be more than [`METADATA_PAIRS_MAX`].
    TooManyPairs,
}

/// Why a case cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteFault {
    /// No such case.
    Unknown,
    /// Money of it was sent, or may have been; or it is over.
    NotPending,
}

impl CaseAsk {
    /// What it names, so that the order is held before anything is read.
    pub(crate) const fn named(&self) -> Named<'_> {
        match self {
            Self::Finish(FinishAsk { case, .. }) | Self::Delete { case } => Named::Refund(case),
            Self::Hold { .. } => Named::Nothing,
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub enum CaseDone {
    /// To `Finish`: the refund after it.
    Finished(Result<Found, FinishFault>),
    /// To `Delete`.
    Deleted(Result<Found, DeleteFault>),
    /// To `Hold`: the settings after it.
    Held(StoreSettings),
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &CaseAsk,
    means: Means<'_>,
) -> Result<CaseDone, StoreError> {
    Ok(match ask {
        CaseAsk::Finish(ask) => CaseDone::Finished(finish(tx, world, store, ask, means)?),
        CaseAsk::Delete { case } => CaseDone::Deleted(delete(tx, world, store, case, means)?),
        CaseAsk::Hold { channel, held } => CaseDone::Held(settings::hold(tx, store, channel, *held)?),
    })
}

/// Settles every leg that waits for a person, all or none. A refund that is done stays as it is.
fn finish(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &FinishAsk,
    means: Means<'_>,
) -> Result<Result<Found, FinishFault>, StoreError> {
    let Means { ids, queue, now_ms, .. } = means;
    let Some(order) = world.resolve(tx, store, &ask.order)? else { return Ok(Err(FinishFault::OrderUnknown)) };
    let Some(id) = world.find_refund(tx, store, &ask.case)? else { return Ok(Err(FinishFault::NotOne)) };
    let (mut refund, of) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    if of.id != order || !ask.record.names(refund.id, refund.external_id.as_deref()) || refund.is_case_deleted() {
        return Ok(Err(FinishFault::NotOne));
    }
    let by_hand = |leg: &Leg| leg.route == Route::Outside || queue.settled_by_person(store, leg.gateway(&of));
    let at_ms = match may_finish(&refund, &of, ask, by_hand, now_ms) {
        Ok(Some(at_ms)) => at_ms,
        Ok(None) => return Ok(Ok((refund, of))),
        Err(fault) => return Ok(Err(fault)),
    };
    for index in 0..refund.legs.len() {
        if refund.legs.get(index).is_none_or(|leg| leg.state.is_final()) {
            continue;
        }
        let news = News::Succeeded { reference: ask.reference.clone() };
        let decision = settle_at(world.facts(tx, store, order)?, &refund, index, news, (at_ms, now_ms));
        let decision = decision.map_err(|_| StoreError::defect("a leg that waits can succeed"))?;
        let entry = ids.next(now_ms);
        refund = world.apply(store, order, decision, false, entry, at_ms)?.0;
    }
    if !ask.metadata.is_empty() {
        let mut noted = Refund::clone(&refund);
        let pairs = ask.metadata.iter().map(|(key, value)| (key.clone(), MetaValue::Text(value.clone())));
        noted.metadata.extend(pairs);
        refund = Arc::new(noted);
        refunds::update_metadata(tx, store, &refund)?;
        world.replace_refund(store, &refund);
    }
    Ok(Ok((refund, of)))
}

/// When the money went back, if the refund may be finished; `None` if it was already.
fn may_finish(
    refund: &Refund,
    order: &Order,
    ask: &FinishAsk,
    by_hand: impl Fn(&Leg) -> bool,
    now_ms: i64,
) -> Result<Option<i64>, FinishFault> {
    let channels = refund.legs.iter().filter_map(|leg| order.payments.get(leg.payment)).map(|paid| &paid.channel);
    let mut channels = channels.map(|channel| channel.to_lowercase());
    if !ask.channel.is_empty() && !channels.any(|channel| channel == ask.channel.to_lowercase()) {
        return Err(FinishFault::OtherChannel);
    }
    match refund.state() {
        RefundState::Succeeded => return Ok(None),
        RefundState::Failed => return Err(FinishFault::Failed),
        RefundState::Pending => {}
    }
    let mut open = refund.legs.iter().filter(|leg| !leg.state.is_final());
    // Sent are those that a payment app has said to have: a person may know better how they ended.
    if !open.all(|leg| matches!(leg.state, LegState::Waiting | LegState::Sent) && by_hand(leg)) {
        return Err(FinishFault::NotByHand);
    }
    let new = ask.metadata.iter().filter(|(key, _)| !refund.metadata.contains_key(key)).count();
    if new > 0 && refund.metadata.len() + new > METADATA_PAIRS_MAX {
        return Err(FinishFault::TooManyPairs);
    }
    let at_ms = ask.at_ms.unwrap_or(now_ms);
    // Times are told in whole seconds: the second in which the refund was accepted is not before it.
    if at_ms > now_ms || at_ms.div_euclid(1_000) < refund.created_ms.div_euclid(1_000) {
        return Err(FinishFault::TimeOutOfRange);
    }
    Ok(Some(at_ms.max(refund.created_ms)))
}

fn delete(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    case: &Reference,
    means: Means<'_>,
) -> Result<Result<Found, DeleteFault>, StoreError> {
    let Means { ids, queue, now_ms, .. } = means;
    let Some(id) = world.find_refund(tx, store, case)? else { return Ok(Err(DeleteFault::Unknown)) };
    let (refund, _) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    if refund.is_case_deleted() {
        return Ok(Err(DeleteFault::Unknown));
    }
    if refund.progress() != Progress::Untouched {
        return Ok(Err(DeleteFault::NotPending));
    }
    let why = (CASE_DELETED, "");
    let done = by_hand::cancel(tx, world, (store, case), why, ids, queue, now_ms)?;
    Ok(done.map_err(|fault| match fault {
        CancelFault::RefundUnknown => DeleteFault::Unknown,
        CancelFault::MayBeSent => DeleteFault::NotPending,
    }))
}

/// A refund with its order, both as they are now.
#[derive(Clone, Debug)]
pub struct Case {
    /// The refund.
    pub refund: Refund,
    /// The order.
    pub order: Shown,
}

/// A page of cases.
#[derive(Clone, Debug)]
pub struct CasePage {
    /// The page, newest first.
    pub cases: Vec<Case>,
    /// More follow.
    pub has_more: bool,
    /// How many there are, where that was asked for.
    pub counts: CaseCounts,
}

/// A page of cases, with their number where the query asks for it.
pub fn list(store: &Store, tenant: i64, query: &CaseQuery) -> Result<CasePage, StoreError> {
    store.read(|tx| {
        let (found, has_more) = page(tx, tenant, query)?;
        let orders: BTreeSet<Id> = found.iter().map(|refund| refund.order).collect();
        let shown = read::shown_each(tx, tenant, &orders.into_iter().collect::<Vec<_>>())?;
        let mut cases = Vec::with_capacity(found.len());
        for refund in found {
            let order = shown.get(&refund.order).cloned().ok_or_else(missing_refund)?;
            cases.push(Case { refund, order });
        }
        let counts = if query.counted { counts(tx, tenant, query)? } else { CaseCounts::default() };
        Ok(CasePage { cases, has_more, counts })
    })
}
