//! A server with a data set in it: started for the run, or somebody else's, filled over HTTP.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hyper::Uri;
use refundry_engine::clock::Clock;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval};

use super::args::BenchArgs;
use super::ask::{Kind, Source};
use super::client::{Access, Connection};
use super::dataset::document::document;
use super::dataset::order::intake;
use super::dataset::scripted::DECLINED;
use super::dataset::{self, Catalog, Size};
use super::progress::Progress;
use super::random::Random;
use super::report::{Report, processors};
use super::server::{Memory, Place, Server};
use crate::database::idle_engine;

/// Orders of a data set whose size nobody says.
pub(super) const ORDERS_DEFAULT: u32 = 2_000;
/// Orders of one import request.
const IMPORT_ORDERS: u32 = 500;
/// Refunds to get, and lists of single orders that are read to find them.
const REFUNDS_SOUGHT: usize = 2_000;
const LISTS_READ: u32 = 500;
/// Refunds made where the data set has none to get.
const REFUNDS_MADE: u32 = 500;
/// How often a new server is asked whether it has sent what is left to send, and how many times.
const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: u32 = 2_400;

/// What a scenario over HTTP works with.
pub(super) struct Session {
    pub(super) access: Access,
    pub(super) catalog: Catalog,
    url: String,
    // Stopped before its place is removed: fields are dropped in this order.
    server: Option<Server>,
    pub(super) place: Option<Place>,
}

impl Session {
    /// Makes the data set, or finds it, and starts a server on it; or fills the server that is named.
    pub(super) fn open(args: &BenchArgs, runtime: &Runtime, progress: &Progress) -> anyhow::Result<Self> {
        if let Some(target) = &args.url {
            let access = Access::new(target, &args.token)?;
            let prefix = format!("{}-", run_name());
            let size = Size { orders: args.orders.unwrap_or(ORDERS_DEFAULT), refunds: 0, seed: args.seed };
            let catalog = Catalog { prefix, size };
            progress.say("importing orders");
            runtime.block_on(import(&access, &catalog)).context("the orders cannot be imported")?;
            return Ok(Self { access, catalog, url: target.to_string(), server: None, place: None });
        }
        let place = Place::new(args.data.as_deref(), args.database.as_deref())?;
        let catalog = data_set(args, &place, progress)?;
        let server = Server::start(&place)?;
        let access = Access::new(&server.target, &args.token)?;
        progress.say("waiting for refunds that are declined on purpose");
        runtime.block_on(until_declined(&access)).context("refunds that the provider declines are not sent")?;
        Ok(Self { access, catalog, url: server.target.to_string(), server: Some(server), place: Some(place) })
    }

    /// Requests of these kinds.
    pub(super) fn source(&self, runtime: &Runtime, mix: &'static [Kind], seed: u64) -> anyhow::Result<Source> {
        let mut source = Source { catalog: self.catalog.clone(), run: run_name(), mix, refunds: Vec::new() };
        if mix.contains(&Kind::Get) {
            source.refunds = runtime.block_on(find_refunds(&self.access, &source, seed))?;
        }
        Ok(source)
    }

    /// Adds to a report what is known of the server.
    pub(super) fn describe(&self, report: &mut Report) {
        let memory = self.server.as_ref().and_then(Server::memory);
        report.figures.extend(memory.map(Memory::figure));
        report.setup.push(("data set", self.catalog.size.to_string()));
        report.setup.push(("server", self.url.clone()));
        if let Some(place) = &self.place {
            report.setup.push(("data", place.described()));
            report.setup.push(("processors", format!("{}, shared by server and load", processors())));
        }
    }

    /// Stops the server; what is measured next has the machine to itself.
    pub(super) fn stop(self) -> Option<Place> {
        drop(self.server);
        self.place
    }
}

/// A name that no other run has.
pub(super) fn run_name() -> String {
    format!("run-{}", Clock::System.now_ms())
}

/// Makes the data set in a place, or finds it there.
pub(super) fn data_set(args: &BenchArgs, place: &Place, progress: &Progress) -> anyhow::Result<Catalog> {
    let engine = idle_engine(&place.data_args())?;
    let show = |done, of| progress.count("orders of the data set", done, of);
    let made = dataset::ready(&engine, args.wish(), ORDERS_DEFAULT, &show);
    progress.clear();
    made.context("the data set cannot be made")
}

/// Imports the orders over HTTP.
async fn import(access: &Access, catalog: &Catalog) -> anyhow::Result<()> {
    let mut control = Connection::open(access).await?;
    let count = catalog.size.orders;
    for first in (0..count).step_by(IMPORT_ORDERS as usize) {
        let last = count.min(first.saturating_add(IMPORT_ORDERS));
        let documents: Vec<String> = (first..last).map(|i| document(&intake(catalog, i).order).to_string()).collect();
        let uri = Uri::from_static("/v1/orders/import?from=native");
        let answer = control.ask(access.post(uri, None, documents.join("\n"))?).await?;
        let created = answer.get("created").and_then(Value::as_u64);
        ensure!(created == Some(u64::from(last - first)), "not all are new: {answer}");
    }
    Ok(())
}

/// Waits until the server has sent what the data set left it to send, so that nothing is measured meanwhile.
async fn until_declined(access: &Access) -> anyhow::Result<()> {
    let mut control = Connection::open(access).await?;
    let reason = DECLINED.replace(' ', "%20");
    let uri: Uri = format!("/v1/refunds?state=pending&reason={reason}&limit=1").parse()?;
    let mut poll = interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..POLLS_MAX {
        poll.tick().await;
        let page = control.ask(access.get(uri.clone())).await?;
        if page.get("data").and_then(Value::as_array).context("a list has no data")?.is_empty() {
            return Ok(());
        }
    }
    bail!("some are still pending")
}

/// Ids of refunds of random orders; some are made where there are none.
async fn find_refunds(access: &Access, source: &Source, seed: u64) -> anyhow::Result<Vec<String>> {
    let mut control = Connection::open(access).await?;
    let mut random = Random::new(seed, u32::MAX - 1);
    let mut found = Vec::new();
    let lists = if source.catalog.size.refunds == 0 { 0 } else { LISTS_READ };
    for _ in 0..lists {
        let order = source.catalog.order_id(random.below(source.catalog.size.orders));
        let page = control.ask(access.get(format!("/v1/refunds?order={order}").parse()?)).await?;
        let refunds = page.get("data").and_then(Value::as_array).into_iter().flatten();
        found.extend(refunds.filter_map(|refund| refund.get("id")?.as_str().map(str::to_owned)));
        if found.len() >= REFUNDS_SOUGHT {
            break;
        }
    }
    let missing = if found.is_empty() { REFUNDS_MADE } else { 0 };
    for number in 0..missing {
        let key = Some(format!("{}-sought-{number}", source.run));
        let request = access.post(Uri::from_static("/v1/refunds"), key, source.refund(&mut random))?;
        let (status, body) = control.send(request).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == Kind::Create.expected(), "a refund to get later: {}: {}", status.as_u16(), text.trim());
        let refund: Value = serde_json::from_slice(&body).context("a refund is not JSON")?;
        found.extend(refund.get("id").and_then(Value::as_str).map(str::to_owned));
    }
    Ok(found)
}
