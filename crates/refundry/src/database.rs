//! Where the books are: opening the database that a command names, and the engine that writes to it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use refundry_engine::Engine;
use refundry_engine::clock::Clock;
use refundry_engine::execute::WorkQueue;
use refundry_engine::store::{DatabaseUrl, Options, Store};
use refundry_gateways::simulated::{BookKeeper, Setup, Simulated, Time};
use refundry_gateways::{Gateway, Manual, Registry};

use crate::cli::DataArgs;

/// Opens the database that is named, and makes it where there is none.
pub(crate) fn open(data: &DataArgs) -> anyhow::Result<Store> {
    let now_ms = Clock::System.now_ms();
    let Some(url) = &data.database else {
        let path = file(data);
        ensure!(!data.distributed, "--distributed is about a PostgreSQL server, so it needs --database");
        return Store::open(&Options::file(&path, now_ms))
            .with_context(|| format!("cannot open the database {}", path.display()));
    };
    // It may hold a password, so it is never repeated.
    ensure!(DatabaseUrl::is_one(url), "--database is a URL such as postgres://user@host/name");
    let defaults = Options::server(DatabaseUrl::new(url), now_ms);
    ensure!(data.connections >= 3, "--connections is at least 3: one that reads, two that write");
    let writers_max = (data.connections / 4).max(2);
    let readers_max = data.connections - writers_max;
    let options = Options { readers_max, writers_max, distributed: data.distributed, ..defaults };
    Store::open(&options).context("cannot open the database that --database names")
}

/// Like [`open`] for a command that only makes sense on books that are there: a mistyped folder is an error, not an
/// empty database.
pub(crate) fn open_existing(data: &DataArgs) -> anyhow::Result<Store> {
    let path = file(data);
    ensure!(data.database.is_some() || path.exists(), "there is no database {}", path.display());
    open(data)
}

fn file(data: &DataArgs) -> PathBuf {
    data.data.join("refundry.db")
}

/// Makes sure that one process pays out from a data folder: two would not pay twice, but wait for each other's leases.
/// `None` on a server, where any number may: whoever dies there is found out by its leases.
pub(crate) fn lock(data: &DataArgs) -> anyhow::Result<Option<File>> {
    if data.database.is_some() {
        return Ok(None);
    }
    let path = data.data.join("refundry.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.try_lock().with_context(|| format!("another process pays out from the folder {}", data.data.display()))?;
    Ok(Some(file))
}

/// An engine for a command that writes beside a running server: it leases no legs.
pub(crate) fn idle_engine(data: &DataArgs) -> anyhow::Result<Engine> {
    engine(open(data)?, None, false, Box::new(|| {}))
}

/// Starts an engine. Where it is `working` it leases legs and tells `arrived` of them.
pub(crate) fn engine(
    store: Store,
    simulated_url: Option<&str>,
    working: bool,
    arrived: Box<dyn Fn() + Send + Sync>,
) -> anyhow::Result<Engine> {
    let queue = Arc::new(WorkQueue::new(registry(simulated_url)?, working, arrived));
    Engine::start(store, Clock::System, queue).context("cannot start the engine")
}

fn registry(simulated_url: Option<&str>) -> anyhow::Result<Arc<Registry>> {
    let here = || {
        let time = Time::Read(|| Clock::System.now_ms());
        Simulated::local(BookKeeper::in_memory_with(Setup { time, ..Setup::default() }))
    };
    let simulated = simulated_url.map_or_else(here, Simulated::remote);
    let drivers: Vec<Box<dyn Gateway>> = vec![Box::new(simulated), Box::new(Manual)];
    let registry = Registry::new(drivers).map_err(|taken| anyhow::anyhow!("two drivers are called {}", taken.name))?;
    Ok(Arc::new(registry))
}
