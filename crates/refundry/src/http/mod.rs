//! HTTP in: connections, limits, and the way of one request through its dialect.

mod hooks;
pub(crate) mod limits;
pub(crate) mod metrics;
mod service;

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::app::App;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a client may take to send its headers.
const HEADERS: Duration = Duration::from_secs(15);

/// Answers requests until it is told to stop, then gives those under way `grace` to finish.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, mut stopped: watch::Receiver<bool>, grace: Duration) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, or a client that left at once: the next one may do better.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        // Answers are small and complete; waiting for more to send would only add delay.
        let _ = stream.set_nodelay(true);
        let app = Arc::clone(&app);
        let service = service_fn(move |request| {
            let app = Arc::clone(&app);
            async move { Ok::<_, std::convert::Infallible>(service::answer(&app, request).await) }
        });
        let mut builder = http1::Builder::new();
        // No `pipeline_flush`: it would keep back the answer to a request that cannot be parsed.
        let builder = builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}
