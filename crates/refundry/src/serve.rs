//! `refundry serve` and `refundry work`: store, engine, worker and HTTP server of one process, started and stopped in
//! order.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use refundry_core::limits::CALL_MS;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::store::stores;
use refundry_gateways::simulated::listen;
use refundry_gateways::{Transport, TransportLimits};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::cli::{DataArgs, ServeArgs, WorkArgs};
use crate::gateways::{Book, SecretsArgs, Vault};
use crate::postman::{self, Keyring, Posted, Postman};
use crate::{database, demo, http, worker};

/// How long requests under way may take to finish when the server is stopped.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until it is told to stop (SIGINT, SIGTERM).
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    ensure!(
        !args.demo || args.listen.ip().is_loopback(),
        "--demo has well-known tokens, so it only listens on a loopback address, not on {}",
        args.listen
    );
    let started = Started::new(&args.data, &args.secrets, args.simulated_url.as_deref(), !args.no_work)?;
    let demo = if args.demo {
        Some((demo::seed(&started.engine).context("cannot load the demo store")?, demo::WEBHOOK_SECRET))
    } else {
        None
    };
    let to_private = args.webhooks.to_private || args.demo;
    let started = started.with_postman(Keyring::new(Vault::open(&args.secrets)?, demo), to_private);
    let posted = Arc::clone(&started.posted);
    let wait = Duration::from_millis(args.wait_ms);
    let (book, transport) = (Arc::clone(&started.book), started.transport.clone());
    started.run(async |engine, stopped| {
        let listener = bind(args.listen)?;
        let address = listener.local_addr().context("the listening address is unknown")?;
        let app = App::new(engine, book, transport, wait).with_postman(posted, to_private);
        let app = if args.emulate_limits { app.with_limits() } else { app };
        let server = tokio::spawn(http::serve(listener, Arc::new(app), stopped, GRACE));
        say(&format!("listening on http://{address}"))?;
        Ok(Some(server))
    })
}

/// Pays refunds out that others accept, until it is told to stop.
pub(crate) fn work(args: &WorkArgs) -> anyhow::Result<()> {
    let started = Started::new(&args.data, &args.secrets, args.simulated_url.as_deref(), true)?;
    let started = started.with_postman(Keyring::new(Vault::open(&args.secrets)?, None), args.webhooks.to_private);
    started.run(async |_, _| say("working").map(|()| None))
}

/// What a process that serves or works has open.
struct Started {
    engine: Arc<Engine>,
    book: Arc<Book>,
    transport: Transport,
    arrived: Arc<Notify>,
    posted: Arc<Posted>,
    postman: Option<Arc<Postman>>,
    working: bool,
    /// Held until the end of the process, however it ends.
    _alone: Option<File>,
}

impl Started {
    /// Opens everything; done before there is a runtime, because the store may block.
    fn new(data: &DataArgs, secrets: &SecretsArgs, simulated_url: Option<&str>, working: bool) -> anyhow::Result<Self> {
        let book = Arc::new(Book::new(Vault::open(secrets)?));
        let store = database::open(data)?;
        if working && data.database.is_some() && simulated_url.is_none() {
            let text = "the simulated provider lives in this process alone; several need one --simulated-url";
            tracing::warn!("{text}");
        }
        let alone = if working { database::lock(data)? } else { None };
        let arrived = Arc::new(Notify::new());
        let wake = Arc::clone(&arrived);
        let engine = database::engine(store, simulated_url, working, Box::new(move || wake.notify_one()))?;
        book.refresh(&engine).context("cannot read the gateways that stores configured")?;
        if alone.is_some() {
            reclaim(&engine).context("cannot take over earlier work")?;
            postman::reclaim(&engine).context("cannot take over earlier deliveries")?;
        }
        let deadline = Duration::from_millis(CALL_MS.unsigned_abs());
        let transport = Transport::new(TransportLimits { deadline, ..TransportLimits::default() });
        let (engine, posted) = (Arc::new(engine), Arc::default());
        Ok(Self { engine, book, transport, arrived, posted, postman: None, working, _alone: alone })
    }

    /// The same with somebody who posts to subscribers, if this process works.
    fn with_postman(self, keyring: Keyring, to_private: bool) -> Self {
        let (engine, posted) = (Arc::clone(&self.engine), Arc::clone(&self.posted));
        let postman = self.working.then(|| Arc::new(Postman::new(engine, keyring, posted, to_private)));
        Self { postman, ..self }
    }

    /// Runs what the process is for beside the worker, and stops both in order.
    fn run(
        self,
        start: impl AsyncFnOnce(Arc<Engine>, watch::Receiver<bool>) -> anyhow::Result<Option<JoinHandle<()>>>,
    ) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("cannot start threads")?.block_on(async {
            let (stop, stopped) = watch::channel(false);
            let upkeep =
                tokio::spawn(worker::upkeep(Arc::clone(&self.engine), Arc::clone(&self.book), stopped.clone()));
            let waiting = tokio::spawn(worker::look_at_waiting(Arc::clone(&self.engine), stopped.clone()));
            let worker = self.working.then(|| self.worker(&stopped));
            let postman = self.postman.clone().map(|postman| tokio::spawn(postman.work(stopped.clone())));
            let server = start(Arc::clone(&self.engine), stopped).await?;
            wait_for_stop().await?;
            tracing::info!("stopping");
            let _ = stop.send(true);
            for task in [server, worker, postman, Some(waiting)].into_iter().flatten() {
                task.await.context("a part of the server ended by itself")?;
            }
            upkeep.await.context("the upkeep ended by itself")
        })
    }

    fn worker(&self, stopped: &watch::Receiver<bool>) -> JoinHandle<()> {
        let (engine, book, arrived) = (Arc::clone(&self.engine), Arc::clone(&self.book), Arc::clone(&self.arrived));
        tokio::spawn(worker::run(engine, book, self.transport.clone(), arrived, stopped.clone()))
    }
}

/// Nobody else pays out from this folder, so whatever is leased died with an earlier process.
fn reclaim(engine: &Engine) -> anyhow::Result<()> {
    for store in engine.store().read(stores::list)? {
        if let Outcome::Reclaimed(legs @ 1..) = engine.call(Job::Reclaim { store: store.id })? {
            tracing::info!(legs, store = store.handle, "legs of an earlier process are looked up");
        }
    }
    Ok(())
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
