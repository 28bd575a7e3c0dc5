//! Pays legs out: takes what the engine leased, calls gateways outside of any transaction, hands the answers back.

use std::sync::Arc;
use std::time::Duration;

use refundry_core::limits::CALLS_IN_FLIGHT_MAX;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, LegNews, Outcome};
use refundry_engine::execute::GatewayCall;
use refundry_engine::store::{StoreError, outbox, stores};
use refundry_gateways::{Answer, Purpose, Transport};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the outbox is looked at for legs that nobody was told of: put off, or left by a process that died.
const LOOK: Duration = Duration::from_millis(200);
/// How often those who wait for a refund are served by a look at the database.
const WAITERS: Duration = Duration::from_millis(100);
/// Rounds of [`WAITERS`] between two clean-ups: an hour.
const CLEAN_UP_ROUNDS: u32 = 36_000;

/// Works until it is told to stop; calls under way are finished.
pub(crate) async fn run(
    engine: Arc<Engine>,
    transport: Transport,
    arrived: Arc<Notify>,
    mut stopped: watch::Receiver<bool>,
) {
    let flights = Arc::new(Semaphore::new(CALLS_IN_FLIGHT_MAX));
    // On its own beat: a busy server is told of new legs all the time, and the others must have their turn too.
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        for call in engine.queue().take(flights.available_permits()) {
            // Permits were counted just now, and nobody else takes any.
            let Ok(permit) = Arc::clone(&flights).acquire_owned().await else { return };
            let (engine, transport) = (Arc::clone(&engine), transport.clone());
            let arrived = Arc::clone(&arrived);
            tokio::spawn(async move {
                perform(&engine, &transport, call).await;
                drop(permit);
                arrived.notify_one();
            });
        }
        let look = tokio::select! {
            () = arrived.notified() => false,
            _ = looks.tick() => true,
            _ = stopped.changed() => false,
        };
        if look && let Err(error) = lease_due(&engine) {
            tracing::error!(%error, "the outbox cannot be read");
        }
    }
    // Whoever holds all permits knows that no call is under way.
    let all = u32::try_from(CALLS_IN_FLIGHT_MAX).unwrap_or(u32::MAX);
    drop(flights.acquire_many(all).await);
}

/// Serves those who wait, and forgets what is too old to count.
pub(crate) async fn upkeep(engine: Arc<Engine>, mut stopped: watch::Receiver<bool>) {
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
        if rounds.is_multiple_of(CLEAN_UP_ROUNDS) {
            // A full queue only means that the next round does it.
            let _ = engine.submit(Job::ForgetKeys, Box::new(|_| {}));
        }
    }
}

/// Leases legs that are due, if there are any; a look costs no write.
fn lease_due(engine: &Engine) -> Result<(), StoreError> {
    if !engine.queue().has_room() {
        return Ok(());
    }
    let now_ms = engine.clock().now_ms();
    let due = engine.store().read(|tx| {
        for store in stores::list(tx)? {
            if outbox::next_due(tx, store.id)?.is_some_and(|due_ms| due_ms <= now_ms) {
                return Ok(true);
            }
        }
        Ok(false)
    })?;
    if due {
        let limit = i64::try_from(CALLS_IN_FLIGHT_MAX).unwrap_or(i64::MAX);
        // A full queue only means that the next look leases them.
        let _ = engine.submit(Job::Lease { limit }, Box::new(|_| {}));
    }
    Ok(())
}

async fn perform(engine: &Arc<Engine>, transport: &Transport, call: GatewayCall) {
    if !call.in_time(engine.clock().now_ms()) {
        // Somebody else may have it before it is answered.
        engine.queue().finished(1);
        return;
    }
    let answer = ask(engine, transport, &call).await;
    let news = call.news(answer, engine.clock().now_ms());
    record(engine, news);
}

/// A leg that may have been sent before is looked up first; it is sent only when the provider surely never had it.
async fn ask(engine: &Engine, transport: &Transport, call: &GatewayCall) -> Answer {
    let Some(gateway) = engine.queue().registry().find(&call.gateway) else {
        return Answer::Unknown { reason: format!("no driver is called {}", call.gateway) };
    };
    if call.may_have_been_sent() {
        let found = transport.ask(gateway, Purpose::Lookup, &call.ask).await;
        // A leg that the provider once acknowledged is not sent again on its denial. After a slow look-up it is left to
        // whoever takes it next.
        if found != Answer::NotFound || call.acknowledged || !call.in_time(engine.clock().now_ms()) {
            return found;
        }
    }
    transport.ask(gateway, Purpose::Refund, &call.ask).await
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
