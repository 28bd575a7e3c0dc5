//! Pays legs out: takes what the engine leased, calls gateways outside of any transaction, hands the answers back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use refundry_core::limits::CALLS_IN_FLIGHT_MAX;
use refundry_core::order::Id;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, LegNews, Outcome};
use refundry_engine::execute::GatewayCall;
use refundry_engine::hooks::HookAsk;
use refundry_engine::store::{StoreError, inbox, outbox, stores};
use refundry_gateways::{Answer, Ask, Gateway, Inquiry, Purpose, Transport};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use crate::gateways::Book;

/// How often the outbox is looked at for legs that nobody was told of: put off, or left by a process that died.
const LOOK: Duration = Duration::from_millis(200);
/// How often those who wait for a refund are served by a look at the database.
const WAITERS: Duration = Duration::from_millis(100);
/// Rounds of [`WAITERS`] between two clean-ups: an hour.
const CLEAN_UP_ROUNDS: u32 = 36_000;
/// Rounds of [`WAITERS`] between two looks at the gateways that stores configured: a second.
const BOOK_ROUNDS: u32 = 10;
/// How often events are tried again that wait for their order.
const INBOX: Duration = Duration::from_mins(1);
/// Waiting events of a store that are tried in one round, about: an account that serves other shops too may have any
/// number of them, and none will ever fit here.
const EVENTS_A_ROUND: usize = 500;

/// Works until it is told to stop; calls under way are finished.
pub(crate) async fn run(
    engine: Arc<Engine>,
    book: Arc<Book>,
    transport: Transport,
    arrived: Arc<Notify>,
    mut stopped: watch::Receiver<bool>,
) {
    let flights = Arc::new(Semaphore::new(CALLS_IN_FLIGHT_MAX));
    let looks = tokio::spawn(look_for_due(Arc::clone(&engine), stopped.clone()));
    while !*stopped.borrow() {
        for call in engine.queue().take(flights.available_permits()) {
            // Permits were counted just now, and nobody else takes any.
            let Ok(permit) = Arc::clone(&flights).acquire_owned().await else { return };
            let (engine, book, transport) = (Arc::clone(&engine), Arc::clone(&book), transport.clone());
            let arrived = Arc::clone(&arrived);
            tokio::spawn(async move {
                perform(&engine, &book, &transport, call).await;
                drop(permit);
                arrived.notify_one();
            });
        }
        tokio::select! {
            () = arrived.notified() => {}
            _ = stopped.changed() => {}
        }
    }
    looks.abort();
    // Whoever holds all permits knows that no call is under way.
    let all = u32::try_from(CALLS_IN_FLIGHT_MAX).unwrap_or(u32::MAX);
    drop(flights.acquire_many(all).await);
}

/// Leases legs that nobody was told of, on a beat of its own: a busy worker is told of new legs all the time, and the
/// others must have their turn too.
async fn look_for_due(engine: Arc<Engine>, mut stopped: watch::Receiver<bool>) {
    while timeout(LOOK, stopped.changed()).await.is_err() {
        let engine = Arc::clone(&engine);
        match tokio::task::spawn_blocking(move || lease_due(&engine)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the outbox cannot be read"),
            Err(panic) => tracing::error!(%panic, "the outbox could not be looked at"),
        }
    }
}

/// Serves those who wait, and forgets what is too old to count.
pub(crate) async fn upkeep(engine: Arc<Engine>, book: Arc<Book>, mut stopped: watch::Receiver<bool>) {
    let mut rounds: u32 = 0;
    while timeout(WAITERS, stopped.changed()).await.is_err() {
        if !engine.waiters().is_empty() {
            let engine = Arc::clone(&engine);
            let looked = tokio::task::spawn_blocking(move || engine.waiters().look(engine.store())).await;
            if let Ok(Err(error)) = looked {
                tracing::error!(%error, "refunds that requests wait for cannot be read");
            }
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(BOOK_ROUNDS) {
            let (engine, book) = (Arc::clone(&engine), Arc::clone(&book));
            let read = tokio::task::spawn_blocking(move || book.refresh(&engine)).await;
            if let Ok(Err(error)) = read {
                tracing::error!(%error, "the gateways that stores configured cannot be read");
            }
        }
        if rounds.is_multiple_of(CLEAN_UP_ROUNDS) {
            let engine = Arc::clone(&engine);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || forget_keys(&engine)).await {
                tracing::error!(%error, "old idempotency keys cannot be forgotten");
            }
        }
    }
}

/// Tries events again that wait for their order, on a beat of its own: however many there are, nobody waits for them.
pub(crate) async fn look_at_waiting(engine: Arc<Engine>, mut stopped: watch::Receiver<bool>) {
    let mut places = HashMap::new();
    while timeout(INBOX, stopped.changed()).await.is_err() {
        let (engine, from) = (Arc::clone(&engine), places.clone());
        match tokio::task::spawn_blocking(move || hear_again(&engine, from)).await {
            Ok(Ok(reached)) => places = reached,
            Ok(Err(error)) => tracing::error!(%error, "events that wait cannot be read"),
            Err(panic) => tracing::error!(%panic, "events that wait could not be tried again"),
        }
    }
}

/// One round over the events that wait, each store from where the last round ended; gives where this one did.
fn hear_again(engine: &Engine, mut places: HashMap<i64, Id>) -> Result<HashMap<i64, Id>, StoreError> {
    for store in engine.store().read(stores::list)? {
        let mut after = places.remove(&store.id).unwrap_or(0);
        let mut tried = 0;
        while tried < EVENTS_A_ROUND {
            let Some(next) = engine.store().read(|tx| inbox::waiting(tx, store.id, after, 1))?.pop() else {
                after = 0;
                break;
            };
            let heard = match engine.call(Job::HearAgain { store: store.id, after }) {
                Ok(Outcome::HeardAgain(heard)) => heard,
                Ok(_) => Vec::new(),
                Err(error) => {
                    tracing::error!(%error, event = next.id, "an event that waits cannot be tried again");
                    Vec::new()
                }
            };
            // One that cannot be tried must not hold up those behind it.
            after = heard.last().map_or(next.id, |(last, _)| *last);
            tried += heard.len().max(1);
        }
        places.insert(store.id, after);
    }
    Ok(places)
}

/// Forgets idempotency keys and events that are too old to count.
fn forget_keys(engine: &Engine) -> Result<(), StoreError> {
    for store in engine.store().read(stores::list)? {
        // A full queue only means that the next round does it.
        let _ = engine.submit(Job::ForgetKeys { store: store.id }, Box::new(|_| {}));
        let _ = engine.submit(Job::Hooks { store: store.id, ask: Box::new(HookAsk::Forget) }, Box::new(|_| {}));
    }
    Ok(())
}

/// Leases legs that are due, if there are any; a look costs no write.
fn lease_due(engine: &Engine) -> Result<(), StoreError> {
    if !engine.queue().has_room() {
        return Ok(());
    }
    let now_ms = engine.clock().now_ms();
    let due = engine.store().read(|tx| {
        let stores: Vec<i64> = stores::list(tx)?.into_iter().map(|store| store.id).collect();
        if engine.store().is_distributed() {
            // A statement names one store there.
            let due = stores.iter().map(|store| outbox::due(tx, &[*store], now_ms));
            return Ok(due.collect::<Result<Vec<_>, _>>()?.concat());
        }
        outbox::due(tx, &stores, now_ms)
    })?;
    let limit = i64::try_from(CALLS_IN_FLIGHT_MAX / due.len().max(1)).unwrap_or(i64::MAX).max(1);
    for store in due {
        // A full queue only means that the next look leases them.
        let _ = engine.submit(Job::Lease { store, limit }, Box::new(|_| {}));
    }
    Ok(())
}

async fn perform(engine: &Arc<Engine>, book: &Arc<Book>, transport: &Transport, call: GatewayCall) {
    if !call.in_time(engine.clock().now_ms()) {
        // Somebody else may have it before it is answered.
        engine.queue().finished(1);
        return;
    }
    let (answer, inquiry) = match gateway_of(engine, book, &call).await {
        Some(gateway) => (ask(engine, transport, &*gateway, &call).await, gateway.capabilities().inquiry),
        None => (unknown_gateway(&call), Inquiry::USUAL),
    };
    record(engine, call.news(answer, inquiry, engine.clock().now_ms()));
}

/// The gateway of a leg. One that is not known here may have been configured a moment ago.
async fn gateway_of(engine: &Arc<Engine>, book: &Arc<Book>, call: &GatewayCall) -> Option<Arc<dyn Gateway>> {
    let find = || engine.queue().registry().find(call.store, &call.gateway);
    if let Some(gateway) = find() {
        return Some(gateway);
    }
    let (read, known) = (Arc::clone(engine), Arc::clone(book));
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || known.refresh(&read)).await {
        tracing::error!(%error, "the gateways that stores configured cannot be read");
    }
    find()
}

/// What is known of a leg whose gateway this process does not have.
fn unknown_gateway(call: &GatewayCall) -> Answer {
    let reason = format!("no gateway is called {}", call.gateway);
    if call.may_have_been_sent() { Answer::Unknown { reason } } else { Answer::NotTaken { reason } }
}

/// A leg that may have been sent before is looked up first; it is sent only when the provider surely never had it.
async fn ask(engine: &Engine, transport: &Transport, gateway: &dyn Gateway, call: &GatewayCall) -> Answer {
    // It may have waited in the queue since it was leased.
    let asked_now = || Ask { now_ms: engine.clock().now_ms(), ..call.ask.clone() };
    let answer = transport.ask(gateway, call.first(), &asked_now()).await;
    // After a slow look-up the leg is left to whoever takes it next.
    if call.first() == Purpose::Lookup && call.may_be_sent_after(&answer, engine.clock().now_ms()) {
        return transport.ask(gateway, Purpose::Refund, &asked_now()).await;
    }
    answer
}

fn record(engine: &Arc<Engine>, news: LegNews) {
    let queue = Arc::clone(engine.queue());
    let done = Box::new(move |outcome: Result<Outcome, _>| {
        queue.finished(1);
        if let Err(error) = outcome {
            // The lease runs out and the leg is looked up again: nothing is lost.
            tracing::error!(%error, "a provider's answer could not be recorded");
        }
    });
    if engine.submit(Job::Record(news), done).is_err() {
        engine.queue().finished(1);
        tracing::warn!("the writer's queue is full; a provider's answer will be asked for again");
    }
}
