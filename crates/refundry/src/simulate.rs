//! `refundry simulate-provider`: the simulated payment provider as a process of its own.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use refundry_engine::clock::Clock;
use refundry_gateways::simulated::{
    BookKeeper, Faults, Millis, Secret, Setup, Time, listen, notify, serve as serve_books,
};
use refundry_gateways::{Transport, TransportLimits};

use crate::cli::SimulateArgs;
use crate::serve::{say, wait_for_stop};

/// Events are posted by few connections, each of which may be slow: a receiver that hangs is asked again soon.
const NOTIFY_LIMITS: TransportLimits = TransportLimits {
    deadline: Duration::from_secs(10),
    connect_deadline: Duration::from_secs(5),
    in_flight_max: 16,
    body_bytes_max: 64 * 1024,
    public_only: false,
};

/// Serves the provider's wire until it is told to stop.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let setup = Setup {
        faults: faults(args)?,
        time: Time::Read(|| Clock::System.now_ms()),
        // Without anybody to hear them, events would only pile up.
        secret: args.notify.as_ref().and(args.notify_secret.clone()).map(Secret),
    };
    let books = match &args.books {
        None => BookKeeper::in_memory_with(setup),
        Some(path) => {
            BookKeeper::open_with(path, setup).with_context(|| format!("cannot open the books {}", path.display()))?
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let listener = listen(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
        let address = listener.local_addr().context("the listening address is unknown")?;
        say(&format!("listening on http://{address}"))?;
        if let Some(url) = &args.notify {
            // Ends with the runtime. What is not delivered by then follows from the books.
            tokio::spawn(notify(books.clone(), url.clone(), Transport::new(NOTIFY_LIMITS)));
        }
        serve_books(listener, books, async {
            if let Err(error) = wait_for_stop().await {
                tracing::error!(%error, "stopping, because signals cannot be waited for");
            }
        })
        .await;
        Ok(())
    })
}

/// What goes wrong: the file, and then what the command line has beside it.
fn faults(args: &SimulateArgs) -> anyhow::Result<Faults> {
    let mut faults = Faults::default();
    if let Some(path) = &args.faults {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        faults = Faults::parse(&text).map_err(|reason| anyhow!("{}: {reason}", path.display()))?;
    }
    for fault in &args.fault {
        let (name, value) = fault.split_once('=').with_context(|| format!("{fault} is not NAME=JSON"))?;
        faults.set(name, value).map_err(|reason| anyhow!(reason))?;
    }
    if let Some(seed) = args.seed {
        faults.seed = seed;
    }
    if let Some(held_ms) = args.answer_after_ms.map(i64::from) {
        faults.answer_after_ms = Millis(held_ms, held_ms);
    }
    Ok(faults)
}
