//! Lease → gateway → record. The gateway is called outside of any transaction; this file holds the two around it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use refundry_core::decide::{News, settle};
use refundry_core::limits::{CALL_MS, CALLS_IN_FLIGHT_MAX, LEASE_MS};
use refundry_core::order::{Id, Order};
use refundry_core::refund::{Leg, LegState, Refund};
use refundry_gateways::{Answer, Ask, Inquiry, Purpose, Registry, SettledBy};
use refundry_store::evidence::Evidence;
use refundry_store::outbox::{self, OutboxRow, PutOff, Stage};
use refundry_store::{StoreError, Tx, orders, refunds};

use crate::accept::{LegNews, Source, missing_refund};
use crate::hear;
use crate::ids::{Ids, made_ms};
use crate::world::World;

/// A request that was sent arrives within this time, or never: twice as long as a call may take, and as much again for
/// what stands between us and the provider.
pub(crate) const ARRIVES_WITHIN_MS: i64 = 4 * CALL_MS;

/// A leg that the provider has acknowledged is asked about at least so often.
const DAY_MS: i64 = 24 * 3_600_000;

/// A leg that this process has leased, with all that its gateway needs.
#[derive(Clone, Debug)]
pub struct GatewayCall {
    /// The store.
    pub store: i64,
    /// The order.
    pub order: Id,
    /// The driver's name.
    pub gateway: String,
    /// What is asked of it.
    pub ask: Ask,
    /// The provider said that it has the leg.
    pub acknowledged: bool,
    /// A person decides about it, and wants to know how it stands.
    pub parked: bool,
    /// How often the leg was taken.
    pub attempts: i64,
    /// How many answers settled nothing so far.
    pub rung: i64,
    /// It surely was not sent before. Else it is looked up before it may be sent.
    pub surely_unsent: bool,
    /// When it was taken the time before, epoch milliseconds; 0 the first time.
    pub before_ms: i64,
    /// Until when it is ours, epoch milliseconds; see [`GatewayCall::in_time`].
    pub until_ms: i64,
    /// The lane that leased it.
    pub lane: usize,
}

impl GatewayCall {
    /// Whether the leg must be looked up before it may be sent.
    pub fn may_have_been_sent(&self) -> bool {
        !self.surely_unsent
    }

    /// What the gateway is asked first: a leg that may have been sent before is looked up.
    pub fn first(&self) -> Purpose {
        if self.may_have_been_sent() { Purpose::Lookup } else { Purpose::Refund }
    }

    /// Whether the leg may be sent after this answer to a look-up: only if the provider surely never had it, and there
    /// is time. A leg that the provider once acknowledged is not sent again on its denial, and one that a person
    /// decides about is not sent at all: what made it wait for one may have been an acknowledgement.
    pub fn may_be_sent_after(&self, found: &Answer, now_ms: i64) -> bool {
        *found == Answer::NotFound && !self.acknowledged && !self.parked && self.in_time(now_ms)
    }

    /// Whether a call that begins now ends while the leg is ours.
    ///
    /// Two calls for one leg at the same time would leave it to the provider to pay once, and their answers, which may
    /// contradict each other, would come in any order.
    pub fn in_time(&self, now_ms: i64) -> bool {
        now_ms + CALL_MS <= self.until_ms
    }

    /// Turns the gateway's answer into news of the leg. Where that is not final, `inquiry` says when to ask again, or
    /// that it was asked often enough.
    pub fn news(&self, answer: Answer, inquiry: Inquiry, now_ms: i64) -> LegNews {
        let Ask { refund_id, leg_id, .. } = self.ask;
        let news = match answer {
            Answer::Done { reference, amount_minor, currency } => {
                match same_figures((self.ask.amount_minor, &self.ask.currency), (amount_minor, &currency)) {
                    Ok(()) => News::Succeeded { reference },
                    Err(reason) => News::Contradicted { reference, reason },
                }
            }
            Answer::Pending { reference } => News::Sent { reference },
            Answer::Declined { code, message } => News::Failed { code, message },
            Answer::Unknown { reason } => News::InDoubt { reason },
            Answer::NotFound if self.acknowledged => {
                let reason = "the provider acknowledged the refund and now denies it".to_owned();
                News::Contradicted { reference: String::new(), reason }
            }
            Answer::NotFound if self.may_be_on_its_way(now_ms) => {
                News::InDoubt { reason: "the provider does not have it yet".to_owned() }
            }
            Answer::NotFound => News::NotSent { reason: "the provider does not have it".to_owned() },
            Answer::NotTaken { reason } if self.may_be_on_its_way(now_ms) => News::InDoubt { reason },
            Answer::NotTaken { reason } => News::NotSent { reason },
        };
        let (news, again_ms) = self.patience(news, inquiry, now_ms);
        let (store, order, attempts, lane) = (self.store, self.order, self.attempts, self.lane);
        let source = Source::Answer;
        LegNews { store, order, refund: refund_id, leg: leg_id, news, source, again_ms, attempts, lane }
    }

    /// Whether an earlier request may still arrive. Its key keeps it from paying twice, but nobody may say that the leg
    /// surely was not sent.
    fn may_be_on_its_way(&self, now_ms: i64) -> bool {
        self.may_have_been_sent() && now_ms < self.before_ms + ARRIVES_WITHIN_MS
    }

    /// When to ask again. At the end of the ladder a person decides.
    fn patience(&self, news: News, inquiry: Inquiry, now_ms: i64) -> (News, i64) {
        let step = usize::try_from(self.rung).unwrap_or(0);
        let rung = inquiry.doubt_ms.get(step).copied();
        match news {
            News::InDoubt { reason } | News::NotSent { reason } if rung.is_none() => {
                let reason = format!("asked {} times, the last time: {reason}", self.rung.saturating_add(1));
                (News::GivenUp { reason }, now_ms)
            }
            News::Sent { .. } => {
                let days = (now_ms - made_ms(self.ask.leg_id)) / DAY_MS;
                if days >= i64::from(inquiry.settles_within_days) {
                    let reason = format!("the provider has it and has not settled it within {days} days");
                    return (News::GivenUp { reason }, now_ms);
                }
                (news, now_ms + rung.unwrap_or(DAY_MS).min(DAY_MS))
            }
            news => (news, now_ms + rung.unwrap_or(LEASE_MS)),
        }
    }
}

/// Whether a provider speaks of the figures that it was asked for; else what it says.
pub(crate) fn same_figures(asked: (i64, &str), told: (i64, &str)) -> Result<(), String> {
    if asked == told {
        return Ok(());
    }
    Err(format!("the provider says {} {} where {} {} was asked (minor units)", told.0, told.1, asked.0, asked.1))
}

/// Legs of this process that wait for their call. Unbounded for those pushed, because they are leased already; whoever
/// leases asks [`WorkQueue::has_room`] first.
pub struct WorkQueue {
    waiting: Mutex<VecDeque<GatewayCall>>,
    /// Waiting or being called.
    taken: AtomicUsize,
    registry: Arc<Registry>,
    arrived: Box<dyn Fn() + Send + Sync>,
    working: bool,
}

impl WorkQueue {
    /// A queue that tells `arrived` when something was pushed; without `working` nothing is ever leased here.
    pub fn new(registry: Arc<Registry>, working: bool, arrived: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), taken: AtomicUsize::new(0), registry, arrived, working }
    }

    /// Whether this process should lease more legs.
    pub fn has_room(&self) -> bool {
        self.working && self.taken.load(Ordering::Relaxed) < CALLS_IN_FLIGHT_MAX * 4
    }

    /// The oldest waiting calls, at most `max`. Each must come back through [`WorkQueue::finished`].
    pub fn take(&self, max: usize) -> Vec<GatewayCall> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(max);
        waiting.drain(..count).collect()
    }

    /// Calls whose answer was recorded, or that were given up.
    pub fn finished(&self, count: usize) {
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }

    /// Calls waiting or under way.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// The drivers.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn push(&self, calls: Vec<GatewayCall>) {
        if calls.is_empty() {
            return;
        }
        self.taken.fetch_add(calls.len(), Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(calls);
        (self.arrived)();
    }

    /// Legs through such a driver are finished by a person; there is nothing to send.
    pub(crate) fn settled_by_person(&self, store: i64, gateway: &str) -> bool {
        self.registry.find(store, gateway).is_some_and(|g| matches!(g.capabilities().settled_by, SettledBy::Person))
    }
}

/// How a leg was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    /// By which lane of this process.
    pub(crate) lane: usize,
    /// How often it was, this time included.
    pub(crate) attempts: i64,
    /// How many answers settled nothing so far.
    pub(crate) rung: i64,
    /// It surely was not sent before.
    pub(crate) surely_unsent: bool,
    /// When it was taken the time before, epoch milliseconds.
    pub(crate) before_ms: i64,
    /// Until when, epoch milliseconds.
    pub(crate) until_ms: i64,
}

pub(crate) fn call_for(store: i64, order: &Order, refund: &Refund, leg: &Leg, lease: Lease) -> GatewayCall {
    let Lease { lane, attempts, rung, surely_unsent, before_ms, until_ms } = lease;
    let payment = order.payments.get(leg.payment).expect("a leg names a payment of its order");
    let ask = Ask {
        leg_id: leg.id,
        refund_id: refund.id,
        payment_reference: payment.reference.clone(),
        channel: payment.channel.clone(),
        amount_minor: leg.own_amount.get(),
        currency: payment.own_currency.code().to_owned(),
        script: payment.account.clone(),
        refund_reference: leg.reference.clone(),
        now_ms: until_ms - LEASE_MS,
        key_age_ms: if surely_unsent { 0 } else { (until_ms - LEASE_MS - made_ms(leg.id)).max(0) },
    };
    GatewayCall {
        store,
        order: order.id,
        gateway: leg.gateway(order).to_owned(),
        ask,
        acknowledged: matches!(leg.state, LegState::Sent),
        parked: matches!(leg.state, LegState::Parked { .. }),
        attempts,
        rung,
        surely_unsent,
        before_ms,
        until_ms,
        lane,
    }
}

/// Who takes legs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lessee<'h> {
    /// The process.
    pub(crate) holder: &'h str,
    /// Its lane.
    pub(crate) lane: usize,
}

/// Takes legs of a store that are due.
///
/// Their orders are not held: what is read of them here decides nothing, and orders are held in key order only. A leg
/// that was settled a moment ago by somebody else is looked up in vain, at worst.
pub(crate) fn lease(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    by: Lessee<'_>,
    now_ms: i64,
    limit: i64,
) -> Result<Vec<GatewayCall>, StoreError> {
    let until_ms = now_ms + LEASE_MS;
    let mut calls = Vec::new();
    for row in outbox::lease(tx, store, by.holder, now_ms, until_ms, limit)? {
        let (refund, order) = match read_leg(tx, store, &row) {
            Ok(found) => found,
            // One row that cannot be read must not hold up everybody's money; it is tried again when its lease runs
            // out, and says so each time.
            Err(StoreError::Defect { detail }) => {
                tracing::error!(refund.id = row.refund, leg.id = row.leg, detail, "a leg cannot be read");
                continue;
            }
            Err(error) => return Err(error),
        };
        let leg = refund.legs.iter().find(|leg| leg.id == row.leg && !leg.state.is_final());
        let surely_unsent = row.stage == Stage::Calling;
        let OutboxRow { attempts, rung, before_ms, .. } = row;
        let lease = Lease { lane: by.lane, attempts, rung, surely_unsent, before_ms, until_ms };
        match leg {
            Some(leg) => calls.push(call_for(store, &order, &refund, leg, lease)),
            None => world.finish(store, row.leg),
        }
    }
    Ok(calls)
}

fn read_leg(tx: &mut Tx<'_>, store: i64, row: &OutboxRow) -> Result<(Refund, Arc<Order>), StoreError> {
    let refund = refunds::get(tx, store, row.refund)?.ok_or_else(missing_refund)?;
    let facts = orders::facts(tx, store, refund.order)?;
    let facts = facts.ok_or_else(|| StoreError::defect("an order that a refund names is not there"))?;
    Ok((refund, facts.order))
}

/// Records what is known of a leg; `None` if that was known, or older than what is.
pub(crate) fn record(
    tx: &mut Tx<'_>,
    world: &mut World,
    news: &LegNews,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Option<Arc<Refund>>, StoreError> {
    let (refund, order) = world.refund(tx, news.store, news.refund)?.ok_or_else(missing_refund)?;
    if matches!(news.news, News::NotSent { .. }) && !is_newest(tx, news)? {
        return Ok(None);
    }
    let index = refund.legs.iter().position(|leg| leg.id == news.leg).ok_or_else(missing_refund)?;
    let facts = world.facts(tx, news.store, news.order)?;
    let decision = settle(facts, &refund, index, news.news.clone(), now_ms);
    let before = refund.legs.get(index).map(|leg| leg.state.clone());
    let updated = match decision {
        Ok(decision) => {
            let entry = ids.next(now_ms);
            Some(world.apply(news.store, news.order, decision, false, entry, now_ms)?.0)
        }
        Err(_stale) => None,
    };
    let paid = matches!((&news.source, &news.news), (Source::Answer, News::Succeeded { .. }));
    if let Some(leg) = refund.legs.get(index).filter(|leg| paid && hear::failed_by_word(leg)) {
        hear::hear_paid(tx, world, news, (&refund, &order, leg), ids, now_ms)?;
    }
    if before.is_some_and(|before| is_telling(&before, &news.news, updated.is_some())) {
        world.testify(Evidence {
            store: news.store,
            leg: news.leg,
            id: ids.next(now_ms),
            heard_ms: now_ms,
            source: news.source.code().to_owned(),
            heard: news.news.code().to_owned(),
            detail: news.news.words(),
        });
    }
    let state = updated.as_ref().unwrap_or(&refund).legs.get(index).map(|leg| &leg.state);
    match state.and_then(stage_of) {
        None => world.finish(news.store, news.leg),
        Some(standing) => {
            let LegNews { store, leg, again_ms, attempts, .. } = *news;
            let due_ms = (standing != Stage::Parked).then_some(again_ms);
            world.put_off(PutOff { store, leg, due_ms, stage: standing, attempts });
        }
    }
    Ok(updated)
}

/// Whether nobody has taken the leg since: a call that was not taken says nothing of a later one.
fn is_newest(tx: &mut Tx<'_>, news: &LegNews) -> Result<bool, StoreError> {
    Ok(outbox::get(tx, news.store, news.leg)?.is_some_and(|row| row.attempts == news.attempts))
}

/// Whether news belongs to what a person must see who decides about the leg: everything but the plain course of things.
fn is_telling(before: &LegState, news: &News, changed: bool) -> bool {
    let plain = match before {
        LegState::Waiting | LegState::Sent => {
            matches!(news, News::Sent { .. } | News::Succeeded { .. } | News::Failed { .. })
        }
        LegState::InDoubt { .. } | LegState::Parked { .. } => false,
        // What repeats the end is nothing new; what contradicts it is.
        LegState::Succeeded { .. } => !changed && !matches!(news, News::Contradicted { .. } | News::Failed { .. }),
        LegState::Failed { .. } => !matches!(news, News::Contradicted { .. } | News::Succeeded { .. }),
    };
    !plain
}

/// Where a leg stands on its way out; `None` once nothing more is to be done.
pub(crate) fn stage_of(state: &LegState) -> Option<Stage> {
    match state {
        LegState::Waiting => Some(Stage::Waiting),
        LegState::Sent => Some(Stage::Sent),
        LegState::InDoubt { .. } => Some(Stage::InDoubt),
        LegState::Parked { .. } => Some(Stage::Parked),
        LegState::Succeeded { .. } | LegState::Failed { .. } => None,
    }
}
