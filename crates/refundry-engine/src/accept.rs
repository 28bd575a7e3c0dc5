//! Command → one transaction for many commands → outcomes. The only writer.
//!
//! A batch loads every order it touches, in key order, decides job after job on what the jobs before it left, and
//! writes each row once with its final value. A refusal writes nothing and costs its neighbours nothing. What is kept
//! between two batches is only used while nobody else has written in between.

use refundry_core::command::CreateRefund;
use refundry_core::decide::{News, accept, decide_at};
use refundry_core::intake::IntakeFault;
use refundry_core::limits::{KEY_LIFE_MS, LEASE_MS, METADATA_PAIRS_MAX};
use refundry_core::order::{Id, Order, Reference};
use refundry_core::refund::{MetaValue, Refund, Route};
use refundry_core::rejection::Rejection;
use refundry_core::told::ToldFault;
use refundry_store::gateways;
use refundry_store::keys::{self, KeyRecord};
use refundry_store::outbox::{self, OutboxRow, Stage};
use refundry_store::{Batch, Herald, Recent, StoreError, Tx};
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::by_hand::{AskFault, CancelFault, HandFault, RetryAsk, RetryFault};
use crate::call_off::{CallOff, CalledOff};
use crate::cases::CaseDone;
use crate::clock::Clock;
use crate::execute::{GatewayCall, Lease, Lessee, WorkQueue};
use crate::hear::{Heard, RulingFault};
use crate::hooks::{Bell, HookDone};
use crate::ids::Ids;
use crate::parcels::ParcelDone;
use crate::publish::Waiters;
use crate::returns::ReturnDone;
use crate::settings::StoreSettings;
use crate::shop::{ShopAsk, ShopDone};
use crate::slips::SlipDone;
use crate::stock::StockDone;
use crate::world::{Found, World};
use crate::{by_hand, cases, execute, hear, hooks, intake, parcels, returns, settings, shop, slips, stock, tenants};

mod job;

pub use job::Job;
pub(crate) use job::Named;

/// What a job is done with.
pub(crate) struct Means<'a> {
    /// Gives numbers.
    pub(crate) ids: &'a mut Ids,
    /// Legs that this process leased, and the gateways that it knows.
    pub(crate) queue: &'a WorkQueue,
    /// A name for this process that no other has.
    pub(crate) holder: &'a str,
    /// Now, epoch milliseconds.
    pub(crate) now_ms: i64,
}

/// What a caller was let in with: it must still hold when the job is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The store that the token opens.
    pub store: i64,
    /// Hash of the token.
    pub hash: String,
    /// What it allowed.
    pub scopes: Vec<String>,
}

/// An idempotency key with the hash of the request it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// As the caller sent it.
    pub key: String,
    /// Over dialect, method, path and raw body.
    pub hash: String,
}

/// What is known of a leg, and when to ask again if that is not final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegNews {
    /// The store.
    pub store: i64,
    /// The order.
    pub order: Id,
    /// The refund.
    pub refund: Id,
    /// The leg's number.
    pub leg: Id,
    /// What is known.
    pub news: News,
    /// Who says so.
    pub source: Source,
    /// When to ask again, epoch milliseconds.
    pub again_ms: i64,
    /// How often the leg had been taken by then.
    pub attempts: i64,
    /// The lane that leased the leg, and so has the order at hand.
    pub lane: usize,
}

/// Who says what is known of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The gateway, when asked.
    Answer,
    /// The gateway, unasked.
    Delivery,
    /// A person.
    Person,
}

impl Source {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Delivery => "delivery",
            Self::Person => "person",
        }
    }
}

/// What became of a job.
#[derive(Debug)]
pub enum Outcome {
    /// To `On`: the token does not work any more, or no longer allows the same. Nothing was done.
    TurnedAway,
    /// To `Create`.
    Created(Result<Accepted, Rejection>),
    /// To `Lease`.
    Leased(Vec<GatewayCall>),
    /// To `Reclaim`: how many legs.
    Reclaimed(u64),
    /// To `Record`; `None` if the news was stale.
    Recorded(Option<Arc<Refund>>),
    /// To `PutOrder`.
    Put(Result<intake::Taken, IntakeFault>),
    /// To `Fulfil` and `AddPayment`.
    Changed(Result<Arc<Order>, intake::ChangeFault>),
    /// To `Annotate`.
    Annotated(Result<(Arc<Refund>, Arc<Order>), AnnotateFault>),
    /// To `SettleByHand`.
    Settled(Result<(Arc<Refund>, Arc<Order>), HandFault>),
    /// To `Shop`.
    Shop(ShopDone),
    /// To `Shop` with [`ShopAsk::CallOff`].
    CalledOff(CalledOff),
    /// To `Parcels`.
    Parcels(ParcelDone),
    /// To `Returns`.
    Returns(ReturnDone),
    /// To `Slips`.
    Slips(SlipDone),
    /// To `Cases`.
    Cases(CaseDone),
    /// To `Hooks`.
    Hooks(HookDone),
    /// To `Stock`.
    Stock(StockDone),
    /// To `PutGateway`: `false` means that the name is taken by another driver.
    Configured(bool),
    /// To `Route`: the settings after it; `None` where there is no such gateway, or it takes the last route away.
    Routed(Option<StoreSettings>),
    /// To `Choose`: the settings after it.
    Chosen(StoreSettings),
    /// To `AskNow`.
    Asked(Result<(Arc<Refund>, Arc<Order>), AskFault>),
    /// To `Cancel`.
    Cancelled(Result<(Arc<Refund>, Arc<Order>), CancelFault>),
    /// To `Retry`, where there is nothing to try again; else `Created`.
    NotRetried(RetryFault),
    /// To `Hear`, one for each notice.
    Heard(Vec<Heard>),
    /// To `Told`.
    Told(Result<Heard, ToldFault>),
    /// To `HearAgain`: each event by our number.
    HeardAgain(Vec<(Id, Heard)>),
    /// To `Rule`.
    Ruled(Result<Heard, RulingFault>),
    /// To `AddStore` and `AddToken`: `false` means that the name or secret is taken.
    Added(bool),
    /// To `RevokeToken`.
    Revoked(bool),
    /// To `ForgetKeys`: how many.
    Forgotten(u64),
}

/// Why metadata cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotateFault {
    /// No such refund.
    RefundUnknown,
    /// With the pairs that it has, they would be more than [`METADATA_PAIRS_MAX`].
    TooManyPairs,
}

/// A refund that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The refund as it is after this batch.
    pub refund: Arc<Refund>,
    /// Its order.
    pub order: Arc<Order>,
    /// An earlier request with the same key created it.
    pub replayed: bool,
    /// Legs that this process took for itself at once.
    pub(crate) calls: Vec<GatewayCall>,
}

/// What runs the batches of one lane.
pub(crate) struct Writer {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) holder: String,
    /// Number of its lane.
    pub(crate) lane: usize,
    /// A transaction holds one store.
    pub(crate) distributed: bool,
    pub(crate) queue: Arc<WorkQueue>,
    pub(crate) waiters: Arc<Waiters>,
    /// Told of events that somebody is to hear.
    pub(crate) bell: Arc<Bell>,
    /// The last transaction did not commit, as far as this side knows.
    pub(crate) uncommitted: bool,
    /// What the last transaction left behind.
    pub(crate) recent: Recent,
}

impl Batch for Writer {
    type Job = Job;
    type Outcome = Outcome;

    fn group(&self, job: &Job) -> i64 {
        if self.distributed { job.store() } else { 0 }
    }

    fn run(&mut self, tx: &mut Tx<'_>, jobs: &[Job]) -> Result<Vec<Outcome>, StoreError> {
        // A transaction that was not committed took its node lease and marks back with it.
        if std::mem::replace(&mut self.uncommitted, true) {
            self.ids.forget();
            self.recent = Recent::default();
        }
        let mut world = World::load(tx, jobs, std::mem::take(&mut self.recent))?;
        // Only now: others may have held the orders until a moment ago, and this comes after what they did.
        let now_ms = self.clock.now_ms();
        self.ids.begin_above(tx, world.newest(), now_ms)?;
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(self.run_one(tx, &mut world, job, now_ms)?);
        }
        stock::settle(tx, &mut world, &mut self.ids, now_ms)?;
        if world.has_news() {
            self.bell.prepare();
        }
        self.recent = world.write(tx, &mut self.ids, now_ms)?;
        Ok(outcomes)
    }

    fn committed(&mut self) {
        self.uncommitted = false;
    }

    fn herald(&self) -> Herald<Self> {
        let (queue, waiters) = (Arc::clone(&self.queue), Arc::clone(&self.waiters));
        let bell = Arc::clone(&self.bell);
        Box::new(move |_, outcomes| {
            bell.ring();
            let mut calls = Vec::new();
            for outcome in outcomes {
                match outcome {
                    Outcome::Created(Ok(accepted)) | Outcome::CalledOff(Ok((_, Some(accepted)))) => {
                        calls.extend(accepted.calls.iter().cloned());
                    }
                    Outcome::Leased(leased) => calls.extend(leased.iter().cloned()),
                    Outcome::Recorded(Some(refund))
                    | Outcome::Settled(Ok((refund, _)))
                    | Outcome::Cases(CaseDone::Finished(Ok((refund, _))) | CaseDone::Deleted(Ok((refund, _))))
                    | Outcome::Told(Ok(Heard { refund: Some(refund), .. }))
                    | Outcome::Cancelled(Ok((refund, _))) => waiters.tell(refund),
                    Outcome::Heard(heard) => {
                        heard.iter().filter_map(|h| h.refund.as_ref()).for_each(|refund| waiters.tell(refund));
                    }
                    _ => {}
                }
            }
            queue.push(calls);
        })
    }
}

impl Writer {
    fn run_one(&mut self, tx: &mut Tx<'_>, world: &mut World, job: &Job, now_ms: i64) -> Result<Outcome, StoreError> {
        Ok(match job {
            Job::On { pass, job } => {
                if !world.pass_holds(tx, pass)? {
                    return Ok(Outcome::TurnedAway);
                }
                return self.run_one(tx, world, job, now_ms);
            }
            Job::Create { store, command, key } => {
                Outcome::Created(self.create(tx, world, *store, command, key.as_ref(), now_ms)?)
            }
            Job::Lease { store, limit } => {
                let by = Lessee { holder: &self.holder, lane: self.lane };
                Outcome::Leased(execute::lease(tx, world, *store, by, now_ms, *limit)?)
            }
            Job::Reclaim { store } => Outcome::Reclaimed(outbox::reclaim(tx, *store, &self.holder, now_ms, LEASE_MS)?),
            Job::Record(news) => Outcome::Recorded(execute::record(tx, world, news, &mut self.ids, now_ms)?),
            Job::PutOrder { store, intake } => {
                Outcome::Put(intake::put(tx, world, *store, intake, &mut self.ids, now_ms)?)
            }
            Job::Fulfil { store, order, units } => {
                Outcome::Changed(intake::fulfil(tx, world, *store, order, units, &mut self.ids, now_ms)?)
            }
            Job::AddPayment { store, order, currency, payment } => {
                let payment = (*currency, &**payment);
                Outcome::Changed(intake::add_payment(tx, world, *store, order, payment, &mut self.ids, now_ms)?)
            }
            Job::Annotate { store, refund, metadata } => {
                Outcome::Annotated(annotate(tx, world, *store, refund, metadata)?)
            }
            Job::SettleByHand { store, refund, leg, news } => {
                let means = (&mut self.ids, &*self.queue);
                Outcome::Settled(by_hand::settle_by_hand(tx, world, (*store, refund, *leg), news, means, now_ms)?)
            }
            Job::AskNow { store, refund, leg } => {
                Outcome::Asked(by_hand::ask_now(tx, world, (*store, refund, *leg), now_ms)?)
            }
            Job::Cancel { store, refund, text } => {
                let (ids, queue) = (&mut self.ids, &*self.queue);
                let why = (by_hand::CANCELLED, text.as_str());
                Outcome::Cancelled(by_hand::cancel(tx, world, (*store, refund), why, ids, queue, now_ms)?)
            }
            Job::Retry { store, ask, key } => self.retry(tx, world, *store, ask, key.as_ref(), now_ms)?,
            Job::Hear { store, gateway, notices } => {
                Outcome::Heard(hear::hear(tx, world, (*store, gateway), notices, &mut self.ids, now_ms)?)
            }
            Job::Told { store, told } => Outcome::Told(hear::app::tell(tx, world, *store, told, self.means(now_ms))?),
            Job::HearAgain { store, after } => {
                Outcome::HeardAgain(hear::all_again(tx, world, (*store, *after), &mut self.ids, now_ms)?)
            }
            Job::Rule { store, event, ruling } => {
                Outcome::Ruled(hear::rule(tx, world, (*store, *event), ruling, &mut self.ids, now_ms)?)
            }
            Job::Shop { store, ask } => self.on_shop(tx, world, *store, ask, now_ms)?,
            Job::Parcels { store, ask } => Outcome::Parcels(parcels::run(tx, world, *store, ask, self.means(now_ms))?),
            Job::Returns { store, ask } => Outcome::Returns(returns::run(tx, world, *store, ask, self.means(now_ms))?),
            Job::Slips { store, ask } => Outcome::Slips(slips::run(tx, world, *store, ask, &mut self.means(now_ms))?),
            Job::Cases { store, ask } => Outcome::Cases(cases::run(tx, world, *store, ask, self.means(now_ms))?),
            Job::Hooks { store, ask } => Outcome::Hooks(hooks::run(tx, world, *store, ask, self.means(now_ms))?),
            Job::Stock { store, ask } => Outcome::Stock(stock::run(tx, world, *store, ask, self.means(now_ms))?),
            Job::PutGateway(record) => Outcome::Configured(gateways::put(tx, record)?),
            Job::Choose { store, strategy } => Outcome::Chosen(settings::choose(tx, *store, *strategy)?),
            Job::Route { store, ask } => Outcome::Routed(settings::route(tx, *store, ask)?),
            Job::AddStore(record) => Outcome::Added(tenants::add_store(tx, record, self.ids.next(now_ms))?),
            Job::AddToken(record) => Outcome::Added(tenants::add_token(tx, record)?),
            Job::RevokeToken { store, id } => Outcome::Revoked(tenants::revoke(tx, *store, id, now_ms)?),
            Job::ForgetKeys { store } => Outcome::Forgotten(keys::forget(tx, *store, now_ms - KEY_LIFE_MS)?),
        })
    }

    fn on_shop(
        &mut self,
        tx: &mut Tx<'_>,
        world: &mut World,
        store: i64,
        ask: &ShopAsk,
        now_ms: i64,
    ) -> Result<Outcome, StoreError> {
        if let ShopAsk::CallOff { order, reason, restock, refund } = ask {
            let ask = CallOff { order, reason, restock: *restock, refund: refund.as_deref() };
            return Ok(Outcome::CalledOff(self.call_off(tx, world, store, &ask, now_ms)?));
        }
        Ok(Outcome::Shop(shop::run(tx, world, store, ask, &mut self.means(now_ms))?))
    }

    pub(crate) fn means(&mut self, now_ms: i64) -> Means<'_> {
        Means { ids: &mut self.ids, queue: &self.queue, holder: &self.holder, now_ms }
    }

    /// Key, order, decision, and the work that the refund leaves behind.
    pub(crate) fn create(
        &mut self,
        tx: &mut Tx<'_>,
        world: &mut World,
        store: i64,
        command: &CreateRefund,
        key: Option<&RequestKey>,
        now_ms: i64,
    ) -> Result<Result<Accepted, Rejection>, StoreError> {
        if let Some(answer) = replay(tx, world, store, key, now_ms)? {
            return Ok(answer);
        }
        let Some(order) = world.resolve(tx, store, &command.order)? else {
            return Ok(Err(Rejection::OrderUnknown { order: command.order.text.clone() }));
        };
        world.set_terms(tx, store, order, self.queue.registry(), now_ms)?;
        let lost = if command.known_places {
            stock::lost_place(tx, world, store, &command.request, (&mut self.ids, now_ms))?
        } else {
            None
        };
        let facts = world.facts(tx, store, order)?;
        let quote = match decide_at(facts, &command.request, lost.as_deref()) {
            Ok(quote) => quote,
            Err(rejection) => return Ok(Err(rejection)),
        };
        // From here on it succeeds.
        let ids = &mut self.ids;
        let decision = accept(facts, command, quote, now_ms, &mut || ids.next(now_ms));
        let entry = self.ids.next(now_ms);
        let (refund, order) = world.apply(store, order, decision, true, entry, now_ms)?;
        if let Some(key) = key {
            let RequestKey { key, hash } = key.clone();
            world.bind(KeyRecord { store, key, hash, refund: refund.id, created_ms: now_ms });
        }
        let calls = self.enqueue(world, store, &refund, &order, now_ms);
        Ok(Ok(Accepted { refund, order, replayed: false, calls }))
    }

    /// A refund that tries again what failed of another one; each failed leg is tried again once.
    fn retry(
        &mut self,
        tx: &mut Tx<'_>,
        world: &mut World,
        store: i64,
        ask: &RetryAsk,
        key: Option<&RequestKey>,
        now_ms: i64,
    ) -> Result<Outcome, StoreError> {
        if let Some(answer) = replay(tx, world, store, key, now_ms)? {
            return Ok(Outcome::Created(answer));
        }
        let (failed, command) = match by_hand::retry_of(tx, world, store, ask)? {
            Ok(found) => found,
            Err(fault) => return Ok(Outcome::NotRetried(fault)),
        };
        let created = self.create(tx, world, store, &command, key, now_ms)?;
        if let Ok(accepted) = &created {
            by_hand::note_retry(world, store, &failed, accepted.refund.id);
        }
        Ok(Outcome::Created(created))
    }

    /// Puts the legs that a gateway answers for into the outbox. While this process has room to send them, it takes
    /// them at once: the row is born leased, which saves a transaction. After a crash the lease runs out, and whoever
    /// takes the leg then looks it up first.
    fn enqueue(
        &self,
        world: &mut World,
        store: i64,
        refund: &Arc<Refund>,
        order: &Arc<Order>,
        now_ms: i64,
    ) -> Vec<GatewayCall> {
        let mut calls = Vec::new();
        for leg in refund.legs.iter().filter(|leg| leg.route == Route::Original && !leg.state.is_final()) {
            let until_ms = now_ms + LEASE_MS;
            let lease = Lease { lane: self.lane, attempts: 1, rung: 0, surely_unsent: true, before_ms: 0, until_ms };
            let call = execute::call_for(store, order, refund, leg, lease);
            if self.queue.settled_by_person(store, &call.gateway) {
                continue;
            }
            let mine = self.queue.has_room();
            let row = OutboxRow {
                store,
                leg: leg.id,
                refund: refund.id,
                order: order.id,
                due_ms: if mine { now_ms + LEASE_MS } else { now_ms },
                holder: if mine { self.holder.clone() } else { String::new() },
                attempts: i64::from(mine),
                stage: if mine { Stage::Calling } else { Stage::Waiting },
                taken_ms: if mine { now_ms } else { 0 },
                before_ms: 0,
                rung: 0,
            };
            world.send(row);
            if mine {
                calls.push(call);
            }
        }
        calls
    }
}

/// What was answered under this key before.
fn replay(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    key: Option<&RequestKey>,
    now_ms: i64,
) -> Result<Option<Result<Accepted, Rejection>>, StoreError> {
    let Some(key) = key else { return Ok(None) };
    let Some(bound) = world.key(tx, store, &key.key, now_ms - KEY_LIFE_MS)? else { return Ok(None) };
    if bound.hash != key.hash {
        return Ok(Some(Err(Rejection::KeyReused)));
    }
    let (refund, order) = world.refund(tx, store, bound.refund)?.ok_or_else(missing_refund)?;
    Ok(Some(Ok(Accepted { refund, order, replayed: true, calls: Vec::new() })))
}

fn annotate(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    refund: &Reference,
    metadata: &BTreeMap<String, Option<MetaValue>>,
) -> Result<Result<Found, AnnotateFault>, StoreError> {
    let Some(id) = world.find_refund(tx, store, refund)? else { return Ok(Err(AnnotateFault::RefundUnknown)) };
    let (current, order) = world.refund(tx, store, id)?.ok_or_else(missing_refund)?;
    let mut changed = (*current).clone();
    for (key, value) in metadata {
        match value {
            Some(value) => changed.metadata.insert(key.clone(), value.clone()),
            None => changed.metadata.remove(key),
        };
    }
    // A refund that came with more may keep them, but gets no more.
    if changed.metadata.len() > METADATA_PAIRS_MAX.max(current.metadata.len()) {
        return Ok(Err(AnnotateFault::TooManyPairs));
    }
    let changed = Arc::new(changed);
    refundry_store::refunds::update_metadata(tx, store, &changed)?;
    world.replace_refund(store, &changed);
    Ok(Ok((changed, order)))
}

pub(crate) fn missing_refund() -> StoreError {
    StoreError::defect("a refund that a row names is not there")
}
