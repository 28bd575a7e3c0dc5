//! Sends the simulated provider's events to where somebody wants to hear them.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::keeper::{BookKeeper, Posting};
use crate::{HttpOutcome, HttpRequest, Method, Transport};

/// The provider's clock may be moved or run ahead of ours, so it is looked at this often at least.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Posts every event to `url`, again and again until each was answered with a status of 200 to 299. Never ends by
/// itself. Needs a Tokio runtime with time and I/O.
pub async fn notify(books: BookKeeper, url: String, transport: Transport) {
    loop {
        let mut calls = JoinSet::new();
        for posting in books.due() {
            calls.spawn(post(books.clone(), url.clone(), transport.clone(), posting));
        }
        if calls.is_empty() {
            let wait_ms = books.next_ms().map(|next_ms| next_ms.saturating_sub(books.now_ms()).max(1));
            let wait = wait_ms.and_then(|ms| u64::try_from(ms).ok()).map_or(LOOK_AGAIN, Duration::from_millis);
            tokio::select! {
                () = books.stirred() => {}
                () = sleep(wait.min(LOOK_AGAIN)) => {}
            }
        } else {
            calls.join_all().await;
        }
    }
}

async fn post(books: BookKeeper, url: String, transport: Transport, posting: Posting) {
    let Posting { headers, body, .. } = posting.clone();
    let outcome = transport.call(HttpRequest { method: Method::Post, url, headers, body }).await;
    if matches!(outcome, HttpOutcome::Answered { status: 200..=299, .. }) {
        // Where that cannot be written down, the event comes again after a restart, which is all it has promised.
        let _ = books.delivered(&posting);
    }
}
