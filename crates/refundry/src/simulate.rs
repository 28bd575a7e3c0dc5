//! `refundry simulate-provider`: the simulated payment provider as a process of its own.

use anyhow::Context as _;
use refundry_gateways::simulated::{BookKeeper, listen, serve as serve_books};

use crate::cli::SimulateArgs;
use crate::serve::{say, wait_for_stop};

/// Serves the provider's wire until it is told to stop.
pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<()> {
    let books = match &args.books {
        None => BookKeeper::in_memory(),
        Some(path) => BookKeeper::open(path).with_context(|| format!("cannot open the books {}", path.display()))?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(async {
        let listener = listen(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
        let address = listener.local_addr().context("the listening address is unknown")?;
        say(&format!("listening on http://{address}"))?;
        serve_books(listener, books, async {
            if let Err(error) = wait_for_stop().await {
                tracing::error!(%error, "stopping, because signals cannot be waited for");
            }
        })
        .await;
        Ok(())
    })
}
