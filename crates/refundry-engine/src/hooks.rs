//! Subscriptions to what happens, and deliveries of it.
//!
//! What happened is written with its cause, and so is a delivery of it to everybody who subscribed. Posting it is not
//! done here: whoever owns the connections asks what is [`due`], takes it, posts it outside of any transaction, and
//! records what became of it. A delivery that was posted and not recorded is posted again, under the same number.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use refundry_core::event::EventKind;
use refundry_core::limits::{
    DELIVERY_LEASE_MS, DELIVERY_WAITS_MAX, DELIVERY_WAITS_MS, DELIVERY_WAITS_S_MAX, EVENT_LIFE_MS, SUBSCRIPTIONS_MAX,
};
use refundry_core::order::Id;
use refundry_core::query::{Page, TimeRange};
use refundry_store::deliveries::{self, Delivery, DeliveryKey, Take};
use refundry_store::signing::{self, SigningRecord};
use refundry_store::subscriptions::{self, Subscription};
use refundry_store::{Store, StoreError, Tx, events, series, stores};

use crate::accept::{Means, Named};
use crate::settings::{self, StoreSettings};
use crate::world::World;

mod due;

pub use due::{Due, DueNow, due};

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum HookAsk {
    /// Subscribe.
    Subscribe(NewSubscription),
    /// Change a subscription.
    Change {
        /// The public API that it was made with.
        dialect: &'static str,
        /// Which.
        hook: HookName,
        /// What it wants to hear from now on: the API's words, and the events that these mean.
        topic: Option<(String, Option<EventKind>)>,
        /// Where from now on.
        address: Option<String>,
    },
    /// End a subscription, and all that it would have been told.
    Unsubscribe {
        /// The public API that it was made with.
        dialect: &'static str,
        /// Which.
        hook: HookName,
    },
    /// Take deliveries to post them; put those off that wait for an older one; drop those that lead nowhere.
    Take {
        /// To be posted.
        take: Vec<Take>,
        /// To be put off until then.
        wait: Vec<(DeliveryKey, i64)>,
        /// To be dropped.
        drop: Vec<DeliveryKey>,
    },
    /// Record what became of a delivery that was posted.
    Record {
        /// The delivery, as it was taken.
        delivery: Delivery,
        /// The receiver has it.
        got_through: bool,
    },
    /// Post now what failed before and waits.
    Hasten,
    /// Post again what other processes took: only for one that knows it is alone.
    Reclaim,
    /// Forget what happened long ago.
    Forget,
    /// Set the secret that deliveries are signed with.
    PutSecret(SigningRecord),
    /// Try failed deliveries again after these waits from now on, seconds that [`can_wait`]; none for the usual ones.
    Wait(Vec<u32>),
}

/// Whether failed deliveries can be tried again after these waits, in seconds.
pub fn can_wait(waits_s: &[u32]) -> bool {
    let all: u64 = waits_s.iter().map(|wait| u64::from(*wait)).sum();
    waits_s.len() <= DELIVERY_WAITS_MAX && all <= DELIVERY_WAITS_S_MAX && !waits_s.contains(&0)
}

/// What a caller calls a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookName {
    /// Our number.
    Ours(Id),
    /// Its place among all that its store ever had.
    Place(i64),
}

impl HookName {
    fn is_of(self, subscription: &Subscription) -> bool {
        match self {
            Self::Ours(id) => subscription.id == id,
            Self::Place(number) => subscription.number == number,
        }
    }
}

/// A subscription that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubscription {
    /// Code of the public API.
    pub dialect: &'static str,
    /// Version of that API.
    pub version: String,
    /// What it wants to hear, in that API's words.
    pub topic: String,
    /// The events that this means.
    pub kind: Option<EventKind>,
    /// Where events are posted to.
    pub address: String,
    /// In which format.
    pub format: &'static str,
}

impl HookAsk {
    /// What it names, so that the order is held before anything is read.
    #[expect(clippy::unused_self, reason = "every area answers the same question")]
    pub(crate) const fn named(&self) -> Named<'_> {
        Named::Nothing
    }
}

/// What became of it.
#[derive(Debug)]
pub enum HookDone {
    /// To `Subscribe` and `Change`: the subscription after it.
    Subscribed(Result<Subscription, SubscriptionFault>),
    /// To `Unsubscribe`: `false` means that there was none.
    Unsubscribed(bool),
    /// To `Take`: those that were taken.
    Taken(Vec<Delivery>),
    /// To `Record`.
    Recorded(Fate),
    /// To `Hasten`, `Reclaim` and `Forget`: how many.
    Counted(u64),
    /// To `PutSecret` and `Wait`.
    Kept,
}

/// Why a subscription cannot be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionFault {
    /// There is none of that number.
    Unknown,
    /// There is another one of this topic and address.
    Taken,
    /// The store has [`SUBSCRIPTIONS_MAX`].
    TooMany,
}

/// What became of a delivery that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Delivered,
    /// It is posted again then, epoch milliseconds.
    PutOff(i64),
    /// It was tried for the last time; others got through in the meantime.
    GivenUp,
    /// Nothing got through since it failed first, so the subscription is over.
    Ended(Box<Subscription>),
    /// Somebody else took it, or it is gone.
    Stale,
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    _world: &mut World,
    store: i64,
    ask: &HookAsk,
    means: Means<'_>,
) -> Result<HookDone, StoreError> {
    let Means { ids, holder, now_ms, .. } = means;
    Ok(match ask {
        HookAsk::Subscribe(new) => HookDone::Subscribed(subscribe(tx, store, new, ids.next(now_ms), now_ms)?),
        HookAsk::Change { dialect, hook, topic, address } => {
            HookDone::Subscribed(change(tx, (store, dialect, *hook), topic.as_ref(), address.as_deref(), now_ms)?)
        }
        HookAsk::Unsubscribe { dialect, hook } => {
            let Some(Subscription { id, .. }) = own(tx, store, dialect, *hook)? else {
                return Ok(HookDone::Unsubscribed(false));
            };
            deliveries::drop_of(tx, store, id)?;
            HookDone::Unsubscribed(subscriptions::remove(tx, store, id)?)
        }
        HookAsk::Take { take, wait, drop } => {
            deliveries::wait(tx, wait)?;
            for key in drop {
                deliveries::remove(tx, key, now_ms)?;
            }
            let until_ms = now_ms + DELIVERY_LEASE_MS;
            // Another name each time, so that whoever comes second gets none, in this process, too.
            let holder = format!("{holder}/{}", ids.next(now_ms));
            HookDone::Taken(deliveries::take(tx, take, &holder, now_ms, until_ms)?)
        }
        HookAsk::Record { delivery, got_through: true } => {
            deliveries::remove(tx, &delivery.key, now_ms)?;
            let subscriber = subscriptions::get(tx, store, delivery.key.subscription)?;
            if subscriber.is_some_and(|subscription| subscription.failing_ms.is_some()) {
                subscriptions::note_failing(tx, store, delivery.key.subscription, None)?;
            }
            HookDone::Recorded(Fate::Delivered)
        }
        HookAsk::Record { delivery, got_through: false } => HookDone::Recorded(failed(tx, store, delivery, now_ms)?),
        HookAsk::Hasten => HookDone::Counted(deliveries::hasten(tx, store, now_ms)?),
        HookAsk::Reclaim => HookDone::Counted(deliveries::reclaim(tx, store, now_ms)?),
        HookAsk::Forget => {
            let before_ms = now_ms - EVENT_LIFE_MS;
            let dropped = deliveries::forget(tx, store, before_ms)?;
            HookDone::Counted(dropped + events::forget(tx, store, before_ms)?)
        }
        HookAsk::PutSecret(record) => {
            signing::put(tx, record)?;
            HookDone::Kept
        }
        HookAsk::Wait(waits_s) => {
            settings::wait(tx, store, waits_s)?;
            HookDone::Kept
        }
    })
}

/// The series that numbers the subscriptions of a store. Numbers of orders begin with something else.
const NUMBERS: &str = "subscriptions";

/// All subscriptions of a store, which is held, so that two of the same cannot be made side by side.
fn held(tx: &mut Tx<'_>, store: i64) -> Result<Vec<Subscription>, StoreError> {
    stores::hold(tx, store)?.ok_or_else(|| StoreError::defect("a job names no store"))?;
    subscriptions::list(tx, store)
}

fn own(tx: &mut Tx<'_>, store: i64, dialect: &str, hook: HookName) -> Result<Option<Subscription>, StoreError> {
    // A store has few.
    Ok(subscriptions::list(tx, store)?.into_iter().find(|known| known.dialect == dialect && hook.is_of(known)))
}

fn same(one: &Subscription, other: &Subscription) -> bool {
    (&one.dialect, &one.topic, &one.address) == (&other.dialect, &other.topic, &other.address)
}

fn subscribe(
    tx: &mut Tx<'_>,
    store: i64,
    new: &NewSubscription,
    id: Id,
    now_ms: i64,
) -> Result<Result<Subscription, SubscriptionFault>, StoreError> {
    let all = held(tx, store)?;
    let NewSubscription { dialect, version, topic, kind, address, format } = new;
    let mut row = Subscription {
        store,
        id,
        number: 0,
        dialect: (*dialect).to_owned(),
        version: version.clone(),
        topic: topic.clone(),
        kind: *kind,
        address: address.clone(),
        format: (*format).to_owned(),
        created_ms: now_ms,
        updated_ms: now_ms,
        failing_ms: None,
    };
    if all.iter().any(|known| same(known, &row)) {
        return Ok(Err(SubscriptionFault::Taken));
    }
    if all.len() >= SUBSCRIPTIONS_MAX {
        return Ok(Err(SubscriptionFault::TooMany));
    }
    row.number = series::advance(tx, store, NUMBERS, 1)?;
    subscriptions::insert(tx, &row)?;
    Ok(Ok(row))
}

fn change(
    tx: &mut Tx<'_>,
    (store, dialect, hook): (i64, &str, HookName),
    topic: Option<&(String, Option<EventKind>)>,
    address: Option<&str>,
    now_ms: i64,
) -> Result<Result<Subscription, SubscriptionFault>, StoreError> {
    let all = held(tx, store)?;
    let Some(before) = all.iter().find(|known| known.dialect == dialect && hook.is_of(known)) else {
        return Ok(Err(SubscriptionFault::Unknown));
    };
    let id = before.id;
    let mut after = before.clone();
    if let Some((topic, kind)) = topic {
        (after.topic, after.kind) = (topic.clone(), *kind);
    }
    if let Some(address) = address {
        address.clone_into(&mut after.address);
    }
    if after == *before {
        return Ok(Ok(after));
    }
    if all.iter().any(|known| known.id != id && same(known, &after)) {
        return Ok(Err(SubscriptionFault::Taken));
    }
    after.updated_ms = now_ms;
    if after.topic != before.topic {
        // What waits is about something that it does not want to hear any more.
        deliveries::drop_of(tx, store, id)?;
    }
    subscriptions::update(tx, &after)?;
    Ok(Ok(after))
}

/// The next rung of the ladder, or its end.
fn failed(tx: &mut Tx<'_>, store: i64, posted: &Delivery, now_ms: i64) -> Result<Fate, StoreError> {
    let Some(delivery) = deliveries::get(tx, &posted.key)?.filter(|known| known.takes == posted.takes) else {
        return Ok(Fate::Stale);
    };
    let Some(subscription) = subscriptions::get(tx, store, posted.key.subscription)? else {
        deliveries::remove(tx, &posted.key, now_ms)?;
        return Ok(Fate::Stale);
    };
    let failed_ms = delivery.failed_ms.unwrap_or(now_ms);
    let failing_ms = subscription.failing_ms.unwrap_or(now_ms);
    if subscription.failing_ms.is_none() {
        subscriptions::note_failing(tx, store, subscription.id, Some(now_ms))?;
    }
    let rung = usize::try_from(delivery.failures).unwrap_or(usize::MAX);
    if let Some(wait_ms) = waits_ms(tx, store)?.get(rung) {
        let due_ms = now_ms + wait_ms;
        deliveries::put_off(tx, &delivery, due_ms, delivery.failures + 1, failed_ms)?;
        return Ok(Fate::PutOff(due_ms));
    }
    if failing_ms <= failed_ms {
        deliveries::drop_of(tx, store, subscription.id)?;
        subscriptions::remove(tx, store, subscription.id)?;
        return Ok(Fate::Ended(Box::new(subscription)));
    }
    deliveries::remove(tx, &posted.key, now_ms)?;
    Ok(Fate::GivenUp)
}

/// How long a store waits before each further attempt.
fn waits_ms(tx: &mut Tx<'_>, store: i64) -> Result<Vec<i64>, StoreError> {
    let record = stores::by_id(tx, store)?.ok_or_else(|| StoreError::defect("a delivery is of no store"))?;
    let chosen = StoreSettings::read(&record.settings)?.webhook_waits_s;
    if chosen.is_empty() {
        return Ok(DELIVERY_WAITS_MS.to_vec());
    }
    Ok(chosen.into_iter().map(|wait_s| i64::from(wait_s) * 1_000).collect())
}

/// Which subscriptions, oldest first, and which page of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionQuery {
    /// Only with exactly this address.
    pub address: Option<String>,
    /// Only with one of these topics.
    pub topics: Option<Vec<String>>,
    /// When it was made.
    pub created: TimeRange,
    /// When it was changed last.
    pub updated: TimeRange,
    /// Where the page starts.
    pub page: Page,
    /// At most this many.
    pub limit: u32,
    /// In the order of their places among all that their store ever had, which is what the page starts at; else in that
    /// of our numbers.
    pub by_place: bool,
}

impl SubscriptionQuery {
    /// What a page starts at.
    fn key(&self, subscription: &Subscription) -> Id {
        if self.by_place { Id::try_from(subscription.number).unwrap_or(0) } else { subscription.id }
    }

    fn takes(&self, subscription: &Subscription) -> bool {
        let within = |range: &TimeRange, ms: i64| {
            range.from_ms.is_none_or(|from| ms >= from) && range.to_ms.is_none_or(|to| ms <= to)
        };
        self.address.as_ref().is_none_or(|address| *address == subscription.address)
            && self.topics.as_ref().is_none_or(|topics| topics.contains(&subscription.topic))
            && within(&self.created, subscription.created_ms)
            && within(&self.updated, subscription.updated_ms)
    }
}

/// One subscription that was made with a public API.
pub fn subscription(
    store: &Store,
    tenant: i64,
    dialect: &str,
    hook: HookName,
) -> Result<Option<Subscription>, StoreError> {
    store.read(|tx| own(tx, tenant, dialect, hook))
}

/// All subscriptions that a filter takes, whatever page it asks for. A store has few, so they are read whole.
pub fn subscriptions_of(
    store: &Store,
    tenant: i64,
    dialect: &str,
    query: &SubscriptionQuery,
) -> Result<Vec<Subscription>, StoreError> {
    let all = store.read(|tx| subscriptions::list(tx, tenant))?;
    let mut found: Vec<Subscription> =
        all.into_iter().filter(|known| known.dialect == dialect && query.takes(known)).collect();
    found.sort_by_key(|known| query.key(known));
    Ok(found)
}

/// A page of subscriptions, and whether more follow.
pub fn list_subscriptions(
    store: &Store,
    tenant: i64,
    dialect: &str,
    query: &SubscriptionQuery,
) -> Result<(Vec<Subscription>, bool), StoreError> {
    let all = subscriptions_of(store, tenant, dialect, query)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let skip = match query.page {
        Page::Skip(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
        Page::Key { id, .. } => all.iter().take_while(|known| query.key(known) <= id).count(),
        Page::Start | Page::After(_) | Page::Before(_) => 0,
    };
    let has_more = all.len().saturating_sub(skip) > limit;
    Ok((all.into_iter().skip(skip).take(limit).collect(), has_more))
}

/// What a store signs deliveries of a public API with, encrypted.
pub fn secret(store: &Store, tenant: i64, dialect: &str) -> Result<Option<SigningRecord>, StoreError> {
    store.read(|tx| signing::get(tx, tenant, dialect))
}

/// Rings after a commit that left events for somebody to hear, so that nobody has to wait for the next look.
#[derive(Default)]
pub struct Bell {
    prepared: AtomicBool,
    rung: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
}

impl Bell {
    /// Who is rung for from now on.
    pub fn set(&self, rung: Box<dyn Fn() + Send + Sync>) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = Some(rung);
    }

    /// There is something to ring for, once it is committed.
    pub(crate) fn prepare(&self) {
        self.prepared.store(true, Ordering::Release);
    }

    /// Something was committed.
    pub(crate) fn ring(&self) {
        // Rung a batch too early or too late it wakes somebody for nothing, or the next look finds it.
        if self.prepared.swap(false, Ordering::AcqRel)
            && let Some(rung) = &*self.rung.lock().unwrap_or_else(PoisonError::into_inner)
        {
            rung();
        }
    }
}
