//! Posts what happened to those who subscribed: takes what is due, posts it outside of any transaction, records what
//! became of it. A delivery that got through and could not be recorded is posted again, with the same bytes under the
//! same number; none is ever lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use refundry_core::limits::{DELIVERIES_IN_FLIGHT_MAX, DELIVERIES_TO_FAILING_MAX, DELIVERY_MS};
use refundry_core::order::{Dialect, Id};
use refundry_dialects::hooks::{About, Envelope, HookEvent, OrderTold, Sender, Subject, body, headers};
use refundry_dialects::stock::LevelView;
use refundry_dialects::wire::OrderView;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::hooks::{self, Due, DueNow, Fate, HookAsk, HookDone};
use refundry_engine::settings::{Shopline, SignatureText, StoreSettings};
use refundry_engine::store::deliveries::{Delivery, DeliveryKey, Take};
use refundry_engine::store::events::Detail;
use refundry_engine::store::stores::{self, StoreRecord};
use refundry_engine::store::subscriptions::Subscription;
use refundry_gateways::signing::{Hash, to_base64, to_hex};
use refundry_gateways::{HttpOutcome, HttpRequest, Method, Transport, TransportLimits};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

mod commands;
mod keyring;

pub(crate) use commands::{WebhookCommand, run};
pub(crate) use keyring::Keyring;

/// How often it looks for what nobody was told of: put off, or left by a process that died.
const LOOK: Duration = Duration::from_millis(200);
/// How long what cannot be signed waits for a secret.
const UNSIGNED_MS: i64 = 60_000;
/// How long what would crowd out others waits.
const CROWDED_MS: i64 = 1_000;
/// Bytes of an answer that are read; only its status counts.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a process posted.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    /// Deliveries that got through.
    pub(crate) delivered: AtomicU64,
    /// Attempts that did not.
    pub(crate) failed: AtomicU64,
}

/// Posts deliveries.
pub(crate) struct Postman {
    engine: Arc<Engine>,
    keyring: Keyring,
    transport: Transport,
    posted: Arc<Posted>,
    /// How many deliveries are in flight, by subscription.
    in_flight: Mutex<BTreeMap<Id, usize>>,
}

/// A delivery that was taken, ready to go.
struct Errand {
    delivery: Delivery,
    topic: String,
    address: String,
    headers: Vec<(String, String)>,
}

impl Postman {
    /// A postman; `to_private` lets it post into private networks.
    pub(crate) fn new(engine: Arc<Engine>, keyring: Keyring, posted: Arc<Posted>, to_private: bool) -> Self {
        let transport = Transport::new(TransportLimits {
            deadline: Duration::from_millis(DELIVERY_MS.unsigned_abs()),
            connect_deadline: Duration::from_millis(DELIVERY_MS.unsigned_abs()),
            in_flight_max: DELIVERIES_IN_FLIGHT_MAX,
            body_bytes_max: ANSWER_BYTES_MAX,
            public_only: !to_private,
        });
        Self { engine, keyring, transport, posted, in_flight: Mutex::default() }
    }

    /// Works until it is told to stop; calls under way are finished.
    pub(crate) async fn work(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let (flights, rung) = (Arc::new(Semaphore::new(DELIVERIES_IN_FLIGHT_MAX)), Arc::new(Notify::new()));
        let wake = Arc::clone(&rung);
        self.engine.bell().set(Box::new(move || wake.notify_one()));
        while !*stopped.borrow() {
            let free = flights.available_permits();
            let errands = if free == 0 { Vec::new() } else { self.errands(free).await };
            for errand in errands {
                let Ok(permit) = Arc::clone(&flights).acquire_owned().await else { return };
                let (postman, wake) = (Arc::clone(&self), Arc::clone(&rung));
                tokio::spawn(async move {
                    let subscription = errand.delivery.key.subscription;
                    postman.post(errand).await;
                    postman.landed(subscription);
                    drop(permit);
                    // The next of the same order may be due now.
                    wake.notify_one();
                });
            }
            tokio::select! {
                _ = timeout(LOOK, rung.notified()) => {}
                _ = stopped.changed() => {}
            }
        }
        // Whoever holds all permits knows that no call is under way.
        drop(flights.acquire_many(u32::try_from(DELIVERIES_IN_FLIGHT_MAX).unwrap_or(u32::MAX)).await);
    }

    async fn errands(self: &Arc<Self>, limit: usize) -> Vec<Errand> {
        let postman = Arc::clone(self);
        match tokio::task::spawn_blocking(move || postman.take_due(limit)).await {
            Ok(Ok(errands)) => errands,
            Ok(Err(error)) => {
                tracing::error!("deliveries that are due cannot be taken: {error:#}");
                Vec::new()
            }
            Err(panic) => {
                tracing::error!(%panic, "deliveries could not be looked at");
                Vec::new()
            }
        }
    }

    fn take_due(&self, limit: usize) -> anyhow::Result<Vec<Errand>> {
        let now_ms = self.engine.clock().now_ms();
        let mut errands = Vec::new();
        for due in hooks::due(self.engine.store(), now_ms, limit)? {
            let handle = due.store.handle.clone();
            // What was taken in other stores is on its way, and counts as such, so it is posted all the same.
            match self.take_in(due, now_ms) {
                Ok(taken) => errands.extend(taken),
                Err(error) => tracing::error!(store = handle, "deliveries that are due cannot be taken: {error:#}"),
            }
        }
        Ok(errands)
    }

    /// Writes the bodies that are not written yet, and takes what can be signed.
    fn take_in(&self, now: DueNow, now_ms: i64) -> anyhow::Result<Vec<Errand>> {
        let DueNow { store, due, mut wait, mut drop } = now;
        let mut take = Vec::with_capacity(due.len());
        let mut secrets: Vec<(Dialect, Vec<u8>)> = Vec::new();
        for due in &due {
            let key = due.delivery.key;
            let Some(dialect) = Dialect::parse(&due.subscription.dialect) else {
                drop.push(key);
                continue;
            };
            if !secrets.iter().any(|(known, _)| *known == dialect) {
                let Some(secret) = self.secret(&store, dialect) else {
                    wait.push((key, now_ms + UNSIGNED_MS));
                    continue;
                };
                secrets.push((dialect, secret));
            }
            if self.is_crowded(&due.subscription, &take) {
                wait.push((key, now_ms + CROWDED_MS));
                continue;
            }
            match written(dialect, due) {
                Some(body) => take.push(Take { key, takes: due.delivery.takes, body }),
                None => drop.push(key),
            }
        }
        // In key order, as everything that two processes may both want.
        take.sort_by_key(|take| take.key);
        wait.sort_unstable();
        drop.sort_unstable();
        if take.is_empty() && wait.is_empty() && drop.is_empty() {
            return Ok(Vec::new());
        }
        let ask = Box::new(HookAsk::Take { take, wait, drop });
        let Outcome::Hooks(HookDone::Taken(taken)) = self.engine.call(Job::Hooks { store: store.id, ask })? else {
            bail!("the writer answered something else than was asked");
        };
        let says = StoreSettings::read(&store.settings)?.shopline;
        let sender = sender(&store, &says);
        let of = |key: DeliveryKey| due.iter().find(|due| due.delivery.key == key);
        let ready = taken.into_iter().filter_map(|delivery| {
            let due = of(delivery.key)?;
            let dialect = Dialect::parse(&due.subscription.dialect)?;
            let (_, secret) = secrets.iter().find(|(known, _)| *known == dialect)?;
            let signature = Hash::Sha256.sign(secret, &[delivery.body.as_bytes()]);
            let signature = match (dialect, says.signature()) {
                (Dialect::Shopline, SignatureText::Hex) => to_hex(&signature),
                _ => to_base64(&signature),
            };
            Some(errand(dialect, &sender, &signature, due, delivery))
        });
        let ready: Vec<Errand> = ready.collect();
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        for errand in &ready {
            *in_flight.entry(errand.delivery.key.subscription).or_default() += 1;
        }
        Ok(ready)
    }

    /// What signs deliveries of a store; `None` where that cannot be told, which is logged.
    fn secret(&self, store: &StoreRecord, dialect: Dialect) -> Option<Vec<u8>> {
        let handle = &store.handle;
        match self.keyring.secret(&self.engine, store.id, dialect) {
            Ok(Some(secret)) => return Some(secret),
            Ok(None) => {
                let api = dialect.code();
                tracing::warn!(store = handle, api, "deliveries wait: `refundry webhook secret` sets what signs them");
            }
            Err(error) => tracing::error!(store = handle, "deliveries wait: {error:#}"),
        }
        None
    }

    /// Whether so much is on its way to somebody whom nothing reaches that more would be in the way of the others.
    fn is_crowded(&self, subscription: &Subscription, taking: &[Take]) -> bool {
        if subscription.failing_ms.is_none() {
            return false;
        }
        let in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let taking = taking.iter().filter(|take| take.key.subscription == subscription.id).count();
        in_flight.get(&subscription.id).copied().unwrap_or(0) + taking >= DELIVERIES_TO_FAILING_MAX
    }

    fn landed(&self, subscription: Id) {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&subscription) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                in_flight.remove(&subscription);
            }
        }
    }

    async fn post(self: &Arc<Self>, errand: Errand) {
        let Errand { delivery, topic, address, headers } = errand;
        let body = delivery.body.clone().into_bytes();
        let request = HttpRequest { method: Method::Post, url: address.clone(), headers, body };
        let outcome = self.transport.call(request).await;
        let reason = match outcome {
            HttpOutcome::Answered { status: 200..300, .. } => None,
            HttpOutcome::Answered { status, .. } => Some(format!("answered {status}")),
            HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => Some(reason),
        };
        let counter = if reason.is_none() { &self.posted.delivered } else { &self.posted.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        let postman = Arc::clone(self);
        let got_through = reason.is_none();
        let recorded = tokio::task::spawn_blocking(move || postman.record(delivery, got_through)).await;
        let reason = reason.unwrap_or_default();
        match recorded {
            Ok(Ok(Fate::Delivered)) => tracing::debug!(topic, address, "delivered"),
            Ok(Ok(Fate::PutOff(again_ms))) => {
                tracing::warn!(topic, address, reason, again_ms, "not delivered, and tried again");
            }
            Ok(Ok(Fate::GivenUp)) => tracing::error!(topic, address, reason, "not delivered, and given up"),
            Ok(Ok(Fate::Ended(_))) => {
                tracing::error!(topic, address, reason, "nothing was delivered for two days; the subscription is over");
            }
            Ok(Ok(Fate::Stale)) => {}
            // Its lease runs out, and it is posted again.
            Ok(Err(error)) => tracing::error!(topic, address, "what became of a delivery is not recorded: {error:#}"),
            Err(panic) => tracing::error!(%panic, "what became of a delivery is not recorded"),
        }
    }

    fn record(&self, delivery: Delivery, got_through: bool) -> anyhow::Result<Fate> {
        let store = delivery.key.store;
        let ask = Box::new(HookAsk::Record { delivery, got_through });
        match self.engine.call(Job::Hooks { store, ask })? {
            Outcome::Hooks(HookDone::Recorded(fate)) => Ok(fate),
            _ => bail!("the writer answered something else than was asked"),
        }
    }
}

/// What is posted; `None` for what has no body, such as a parcel that is gone.
fn written(dialect: Dialect, due: &Due) -> Option<String> {
    if !due.delivery.body.is_empty() {
        return Some(due.delivery.body.clone());
    }
    let about = about(dialect, due)?;
    body(dialect, &HookEvent { kind: due.event.kind, version: due.subscription.version.clone(), about })
}

fn about(dialect: Dialect, due: &Due) -> Option<About> {
    let Due { event, beside, .. } = due;
    if let Some(Detail::Level(level)) = &event.detail {
        let (variant, place) = beside.goods.as_ref()?;
        return Some(About::Level(LevelView {
            variant: level.variant,
            variant_external_id: variant.external_id.clone(),
            location: level.location,
            location_external_id: place.external_id.clone(),
            units: level.quantity,
            updated_ms: level.updated_ms,
        }));
    }
    let (facts, document, parcels) = (event.facts.clone()?, beside.document.clone(), beside.parcels.clone());
    // Shoplazza's are told of parcels as these are when it is posted.
    let shown = parcels.iter().find(|parcel| Some(parcel.id) == event.subject).cloned();
    let subject = match &event.detail {
        Some(Detail::Refund(refund)) => Subject::Refund(Box::new((**refund).clone())),
        Some(Detail::Transaction(told)) => Subject::Transaction(told.clone()),
        Some(Detail::Return(back)) => Subject::Return(Box::new(back.clone())),
        Some(Detail::Parcel(parcel)) if dialect == Dialect::Shopline => Subject::Parcel(parcel.clone()),
        Some(Detail::Parcel(_) | Detail::Level(_)) | None => shown.map_or(Subject::Order, Subject::Parcel),
    };
    let (refunds, transactions) = (beside.refunds.clone(), beside.transactions.clone());
    let store = Id::try_from(due.delivery.key.store).unwrap_or_default();
    let order = OrderView { facts, document, parcels, refunds, transactions, store };
    Some(About::Order(Box::new(OrderTold { order, asked_last: beside.asked_last, subject })))
}

fn sender(store: &StoreRecord, says: &Shopline) -> Sender {
    Sender {
        handle: store.handle.clone(),
        id: store.id,
        domain: says.domain(&store.handle),
        merchant_id: says.merchant_id(store.id),
    }
}

fn errand(dialect: Dialect, store: &Sender, signature: &str, due: &Due, delivery: Delivery) -> Errand {
    let subscription = &due.subscription;
    let (topic, version) = (subscription.topic.as_str(), subscription.version.as_str());
    let (event, number) = (due.event.id, subscription.number);
    let envelope = Envelope { topic, version, store, event, subscription: number, signature };
    let mut all = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    all.extend(headers(dialect, &envelope).into_iter().map(|(name, value)| (name.to_owned(), value)));
    Errand { delivery, topic: topic.to_owned(), address: subscription.address.clone(), headers: all }
}

/// Whether an address leads into a private network, as far as it tells by itself: digits, or a name without a dot.
/// What a name leads to is judged when it is called.
pub(crate) fn is_private_host(host: &str) -> bool {
    if let Ok(ip) = host.parse() {
        return !refundry_gateways::is_public(ip);
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let ends = |end: &str| host.ends_with(end);
    !host.contains('.') || ends(".localhost") || ends(".local") || ends(".internal")
}

/// Nobody else posts from this folder, so whatever is taken died with an earlier process.
pub(crate) fn reclaim(engine: &Engine) -> anyhow::Result<()> {
    for store in engine.store().read(stores::list)? {
        engine
            .call(Job::Hooks { store: store.id, ask: Box::new(HookAsk::Reclaim) })
            .with_context(|| format!("deliveries of {}", store.handle))?;
    }
    Ok(())
}
