//! `refundry serve`: store, engine, worker and HTTP server of one process, started and stopped in order.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use refundry_core::limits::CALL_MS;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::clock::Clock;
use refundry_engine::execute::WorkQueue;
use refundry_engine::store::{Options, Store};
use refundry_gateways::simulated::{BookKeeper, Simulated, listen};
use refundry_gateways::{Gateway, Manual, Registry, Transport, TransportLimits};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::app::App;
use crate::cli::{DataArgs, ServeArgs};
use crate::{demo, http, worker};

/// How long requests under way may take to finish when the server is stopped.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until it is told to stop (SIGINT, SIGTERM).
pub(crate) fn run(args: ServeArgs) -> anyhow::Result<()> {
    ensure!(
        !args.demo || args.listen.ip().is_loopback(),
        "--demo has well-known tokens, so it only listens on a loopback address, not on {}",
        args.listen
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(serve(args))
}

async fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let store = open(&args.data)?;
    // Held until the end of the process, however it ends.
    let _alone = lock(&args.data)?;
    let arrived = Arc::new(Notify::new());
    let engine = engine(store, args.simulated_url.as_deref(), &arrived)?;
    // Nobody else pays out from this folder, so whatever is leased died with an earlier process.
    if let Outcome::Reclaimed(legs @ 1..) = engine.call(Job::Reclaim).context("cannot take over earlier work")? {
        tracing::info!(legs, "legs of an earlier process are looked up");
    }
    if args.demo {
        demo::seed(&engine).context("cannot load the demo store")?;
    }
    let listener = bind(args.listen)?;
    let address = listener.local_addr().context("the listening address is unknown")?;
    let (stop, stopped) = watch::channel(false);
    let app = Arc::new(App::new(Arc::clone(&engine), Duration::from_millis(args.wait_ms)));
    let deadline = Duration::from_millis(CALL_MS.unsigned_abs());
    let transport = Transport::new(TransportLimits { deadline, ..TransportLimits::default() });
    let worker = tokio::spawn(worker::run(Arc::clone(&engine), transport, arrived, stopped.clone()));
    let upkeep = tokio::spawn(worker::upkeep(Arc::clone(&engine), stopped.clone()));
    let server = tokio::spawn(http::serve(listener, app, stopped, GRACE));
    say(&format!("listening on http://{address}"))?;
    wait_for_stop().await?;
    tracing::info!("stopping");
    let _ = stop.send(true);
    let _ = tokio::join!(server, worker, upkeep);
    Ok(())
}

/// Opens the embedded database of a data folder that has one: a mistyped folder is an error, not an empty database.
pub(crate) fn open_existing(data: &DataArgs) -> anyhow::Result<Store> {
    let path = database(data);
    ensure!(path.exists(), "there is no database {}", path.display());
    open(data)
}

fn database(data: &DataArgs) -> PathBuf {
    data.data.join("refundry.db")
}

/// Opens the embedded database of a data folder, and makes it where there is none.
pub(crate) fn open(data: &DataArgs) -> anyhow::Result<Store> {
    let path = database(data);
    let options = Options::file(&path, Clock::System.now_ms());
    Store::open(&options).with_context(|| format!("cannot open the database {}", path.display()))
}

/// Makes sure that one process pays out from a data folder: two would not pay twice, but wait for each other's leases.
fn lock(data: &DataArgs) -> anyhow::Result<File> {
    let path = data.data.join("refundry.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.try_lock().with_context(|| format!("another server uses the data folder {}", data.data.display()))?;
    Ok(file)
}

/// An engine for a command that writes beside a running server: it leases no legs.
pub(crate) fn idle_engine(data: &DataArgs) -> anyhow::Result<Engine> {
    let registry = registry(None)?;
    let queue = Arc::new(WorkQueue::new(registry, false, Box::new(|| {})));
    Engine::start(open(data)?, Clock::System, queue).context("cannot start the engine")
}

/// Starts the engine of a server: it pays out over the drivers of this process.
fn engine(store: Store, simulated_url: Option<&str>, arrived: &Arc<Notify>) -> anyhow::Result<Arc<Engine>> {
    let wake = Arc::clone(arrived);
    let queue = Arc::new(WorkQueue::new(registry(simulated_url)?, true, Box::new(move || wake.notify_one())));
    let engine = Engine::start(store, Clock::System, queue).context("cannot start the engine")?;
    Ok(Arc::new(engine))
}

fn registry(simulated_url: Option<&str>) -> anyhow::Result<Arc<Registry>> {
    let simulated = match simulated_url {
        Some(url) => Simulated::remote(url),
        None => Simulated::local(BookKeeper::in_memory()),
    };
    let drivers: Vec<Box<dyn Gateway>> = vec![Box::new(simulated), Box::new(Manual)];
    let registry = Registry::new(drivers).map_err(|taken| anyhow::anyhow!("two drivers are called {}", taken.name))?;
    Ok(Arc::new(registry))
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("cannot listen on {address}"))
}

pub(crate) async fn wait_for_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot wait for signals")?,
    }
    Ok(())
}

/// Prints a line that scripts read.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}
