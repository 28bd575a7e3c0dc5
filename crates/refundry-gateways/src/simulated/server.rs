//! The simulated provider's books behind HTTP/1, as the parent's wire says. No TLS and no authentication: it is for a
//! laptop or a test network.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::books::{RefundOrder, Status};
use super::keeper::{BookKeeper, NoAnswer};

/// The word by which a look-up says that the key was never used.
pub(super) const UNKNOWN_KEY: &str = "unknown_key";

/// Twice what one transport keeps open.
const CONNECTIONS_MAX: usize = 1024;
const CONNECTIONS_WAITING_MAX: u32 = 1024;
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How much of a body that is too long is still read, so that its sender hears 413 instead of a cut connection.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);
/// The pause after a failed accept, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const KEY_BYTES_MAX: usize = 64;

/// Opens a port for [`serve`], with room for as many connections as are served; the 128 that `TcpListener::bind` leaves
/// waiting are too few when hundreds of calls start together, and each one over it is delayed by a second. Needs a
/// Tokio runtime with I/O; fails if the port is taken.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a provider that was killed can come back on its port at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CONNECTIONS_WAITING_MAX)
}

/// Serves the books until `shutdown` is ready, then lets calls under way finish for up to five seconds. Needs a Tokio
/// runtime with time and I/O.
pub async fn serve(listener: TcpListener, books: BookKeeper, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &free) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            continue;
        };
        let books = books.clone();
        let service = service_fn(move |request| respond(books.clone(), request));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection ends in an error when its client goes away, which is the client's affair.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    let _ = timeout(DRAIN_DEADLINE, graceful.shutdown()).await;
}

async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(free).acquire_owned().await.ok()?;
    let Ok((stream, _)) = listener.accept().await else {
        sleep(ACCEPT_PAUSE).await;
        return None;
    };
    // Answers are small and whole, so waiting for more to send would only delay them.
    stream.set_nodelay(true).ok().map(|()| (stream, slot))
}

async fn respond(books: BookKeeper, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    Ok(match (&head.method, path, path.strip_prefix("/refunds/")) {
        (&Method::POST, "/refunds", _) => match timeout(BODY_DEADLINE, read_body(body)).await {
            Ok(Ok(body)) => refund(&books, &body),
            Ok(Err(Unread::TooLong)) => refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Ok(Err(Unread::Cut)) => refusal(StatusCode::BAD_REQUEST, "body_cut"),
            Err(_elapsed) => refusal(StatusCode::REQUEST_TIMEOUT, "body_too_slow"),
        },
        (&Method::GET, _, Some(key)) => lookup(&books, key),
        (&Method::GET, "/books", _) => whole_books(&books),
        _ => refusal(StatusCode::NOT_FOUND, "not_found"),
    })
}

fn refund(books: &BookKeeper, body: &[u8]) -> Response<Full<Bytes>> {
    let Ok(order) = serde_json::from_slice::<RefundOrder>(body) else {
        return refusal(StatusCode::BAD_REQUEST, "malformed_order");
    };
    if !is_key(&order.key) {
        return refusal(StatusCode::BAD_REQUEST, "malformed_key");
    }
    match books.refund(&order) {
        Ok(outcome) => json(StatusCode::OK, &outcome),
        Err(no_answer) => unanswered(no_answer),
    }
}

fn lookup(books: &BookKeeper, key: &str) -> Response<Full<Bytes>> {
    match books.lookup(key) {
        Ok(Some(outcome)) => json(StatusCode::OK, &outcome),
        Ok(None) => refusal(StatusCode::NOT_FOUND, UNKNOWN_KEY),
        Err(no_answer) => unanswered(no_answer),
    }
}

fn whole_books(books: &BookKeeper) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Page {
        count: usize,
        paid_minor: BTreeMap<String, i128>,
        refunds: Vec<Row>,
    }
    #[derive(Serialize)]
    struct Row {
        key: String,
        amount_minor: i64,
        currency: String,
        status: Status,
    }
    let page = books.read(|books| Page {
        count: books.count(),
        paid_minor: books.paid_minor(),
        refunds: books
            .refunds()
            .map(|refund| Row {
                key: refund.key,
                amount_minor: refund.amount_minor,
                currency: refund.currency,
                status: refund.status,
            })
            .collect(),
    });
    json(StatusCode::OK, &page)
}

/// A key must fit into a path as it is, or the refund could never be looked up.
fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.bytes().all(plain)
}

enum Unread {
    TooLong,
    Cut,
}

async fn read_body(mut body: Incoming) -> Result<Vec<u8>, Unread> {
    let mut kept = Vec::new();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Cut)?.into_data() else {
            continue;
        };
        received += data.len();
        if received <= BODY_BYTES_MAX {
            kept.extend_from_slice(&data);
        } else if received > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if received > BODY_BYTES_MAX { Err(Unread::TooLong) } else { Ok(kept) }
}

fn unanswered(no_answer: NoAnswer) -> Response<Full<Bytes>> {
    match no_answer {
        NoAnswer::Lost => refusal(StatusCode::INTERNAL_SERVER_ERROR, "answer_lost"),
        NoAnswer::NotTaken => refusal(StatusCode::SERVICE_UNAVAILABLE, "not_taken"),
        NoAnswer::FileBroken => refusal(StatusCode::INTERNAL_SERVER_ERROR, "books_broken"),
    }
}

fn refusal(status: StatusCode, error: &str) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Refusal<'a> {
        error: &'a str,
    }
    json(status, &Refusal { error })
}

fn json(status: StatusCode, content: &impl Serialize) -> Response<Full<Bytes>> {
    let (status, text) = match serde_json::to_vec(content) {
        Ok(text) => (status, text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
