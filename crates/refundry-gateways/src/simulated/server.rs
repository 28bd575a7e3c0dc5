//! The simulated provider's books behind HTTP/1, as the parent's wire says. No TLS and no authentication: it is for a
//! laptop or a test network.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::books::{Account, Dashboard, Dispute, ExternalRefund, Outcome, RefundOrder, Status};
use super::keeper::{BookKeeper, Held, NoAnswer};
use super::lists;
use crate::{DisputeStage, Span};

/// The word by which a look-up says that the key was never used.
pub(super) const UNKNOWN_KEY: &str = "unknown_key";
/// The word by which a call is refused for being one too many.
pub(super) const RATE_LIMITED: &str = "rate_limited";

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

/// No answer is to be given: hyper closes a connection whose service fails.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl std::error::Error for Cut {}

type Reply = Result<Response<Full<Bytes>>, Cut>;

async fn respond(books: BookKeeper, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query());
    if head.method == Method::POST {
        let is_known = ["/refunds", "/clock"].contains(&path) || path.starts_with("/dashboard/");
        if !is_known {
            return Ok(refusal(StatusCode::NOT_FOUND, "not_found"));
        }
        let body = match timeout(BODY_DEADLINE, read_body(body)).await {
            Ok(Ok(body)) => body,
            Ok(Err(Unread::TooLong)) => return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long")),
            Ok(Err(Unread::Cut)) => return Ok(refusal(StatusCode::BAD_REQUEST, "body_cut")),
            Err(_elapsed) => return Ok(refusal(StatusCode::REQUEST_TIMEOUT, "body_too_slow")),
        };
        return match path {
            "/refunds" => refund(&books, &body).await,
            "/clock" => advance_clock(&books, &body),
            _ => dashboard(&books, path, &body),
        };
    }
    match (&head.method, path, path.strip_prefix("/refunds/")) {
        (&Method::GET, _, Some(key)) => lookup(&books, key).await,
        (&Method::GET, "/books", _) => Ok(whole_books(&books)),
        (&Method::GET, "/refunds" | "/statement.csv", _) if books.out_of_service() => answer_of(NoAnswer::NotTaken),
        (&Method::GET, "/statement.csv", _) => Ok(statement(&books, span(query))),
        (&Method::GET, "/refunds", _) if query.is_some() => {
            let after = parameter(query, "after").unwrap_or_default();
            Ok(json(StatusCode::OK, &books.read(|books| lists::page(books, span(query), after))))
        }
        _ => Ok(refusal(StatusCode::NOT_FOUND, "not_found")),
    }
}

async fn refund(books: &BookKeeper, body: &[u8]) -> Reply {
    let Ok(order) = serde_json::from_slice::<RefundOrder>(body) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "malformed_order"));
    };
    if !is_key(&order.key) {
        return Ok(refusal(StatusCode::BAD_REQUEST, "malformed_key"));
    }
    let Held { answer, held_ms } = books.refund_held(&order);
    hold(held_ms).await;
    answer.map_or_else(answer_of, |outcome| Ok(json(StatusCode::OK, &outcome)))
}

async fn lookup(books: &BookKeeper, key: &str) -> Reply {
    let Held { answer, held_ms } = books.lookup_held(key);
    hold(held_ms).await;
    match answer {
        Ok(Some(outcome)) => Ok(json(StatusCode::OK, &outcome)),
        Ok(None) => Ok(refusal(StatusCode::NOT_FOUND, UNKNOWN_KEY)),
        Err(no_answer) => answer_of(no_answer),
    }
}

/// Keeps a caller waiting, and no thread.
async fn hold(held_ms: i64) {
    if let Ok(held_ms @ 1..) = u64::try_from(held_ms) {
        sleep(Duration::from_millis(held_ms)).await;
    }
}

fn dashboard(books: &BookKeeper, path: &str, body: &[u8]) -> Reply {
    #[derive(Deserialize)]
    struct Move {
        stage: String,
    }
    let entered = || serde_json::from_slice::<Dashboard>(body).ok().filter(|entered| entered.amount_minor > 0);
    let malformed = || Ok(refusal(StatusCode::BAD_REQUEST, "malformed_entry"));
    if let Some(id) = path.strip_prefix("/dashboard/disputes/") {
        let stage = serde_json::from_slice::<Move>(body).ok().and_then(|entered| DisputeStage::parse(&entered.stage));
        return match stage.map(|stage| books.move_dispute(id, stage)) {
            None => malformed(),
            Some(Ok(Some(dispute))) => Ok(json(StatusCode::OK, &dispute)),
            Some(Ok(None)) => Ok(refusal(StatusCode::NOT_FOUND, "unknown_dispute")),
            Some(Err(no_answer)) => answer_of(no_answer),
        };
    }
    match (path, entered()) {
        ("/dashboard/refunds" | "/dashboard/disputes", None) => malformed(),
        ("/dashboard/refunds", Some(entered)) => {
            let made = books.refund_at_dashboard(&entered);
            made.map_or_else(answer_of, |external| Ok(json(StatusCode::OK, &external)))
        }
        ("/dashboard/disputes", Some(entered)) => {
            let opened = books.open_dispute(&entered);
            opened.map_or_else(answer_of, |dispute| Ok(json(StatusCode::OK, &dispute)))
        }
        _ => Ok(refusal(StatusCode::NOT_FOUND, "not_found")),
    }
}

fn advance_clock(books: &BookKeeper, body: &[u8]) -> Reply {
    #[derive(Deserialize)]
    struct Advance {
        advance_ms: u32,
    }
    #[derive(Serialize)]
    struct Clock {
        now_ms: i64,
    }
    let Ok(Advance { advance_ms }) = serde_json::from_slice(body) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "malformed_advance"));
    };
    books.advance_clock(advance_ms).map_or_else(answer_of, |now_ms| Ok(json(StatusCode::OK, &Clock { now_ms })))
}

fn whole_books(books: &BookKeeper) -> Response<Full<Bytes>> {
    #[derive(Serialize)]
    struct Page {
        now_ms: i64,
        count: usize,
        paid_minor: BTreeMap<String, i128>,
        external_minor: BTreeMap<String, i128>,
        paid_twice: Vec<String>,
        undelivered: usize,
        refunds: Vec<Row>,
        external: Vec<ExternalRefund>,
        disputes: Vec<Dispute>,
    }
    #[derive(Serialize)]
    struct Row {
        key: String,
        reference: String,
        payment: String,
        amount_minor: i64,
        currency: String,
        status: Status,
        code: String,
        paid_minor: i128,
        times_paid: usize,
        taken_ms: i64,
        changed_ms: i64,
    }
    let row = |account: Account| {
        let Account { outcome, payment, paid_minor, times_paid, taken_ms, changed_ms } = account;
        let Outcome { key, reference, status, amount_minor, currency, code, .. } = outcome;
        Row {
            key,
            reference,
            payment,
            amount_minor,
            currency,
            status,
            code,
            paid_minor,
            times_paid,
            taken_ms,
            changed_ms,
        }
    };
    let (now_ms, undelivered) = (books.now_ms(), books.undelivered());
    let page = books.read(|books| Page {
        now_ms,
        count: books.count(),
        paid_minor: books.paid_minor(),
        external_minor: books.external_minor(),
        paid_twice: books.paid_twice(),
        undelivered,
        refunds: books.accounts().map(row).collect(),
        external: books.external().to_vec(),
        disputes: books.disputes().cloned().collect(),
    });
    json(StatusCode::OK, &page)
}

fn statement(books: &BookKeeper, span: Span) -> Response<Full<Bytes>> {
    let text = books.read(|books| lists::csv(books, span));
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    response
}

/// The span that a query asks for; without an end where it names none.
fn span(query: Option<&str>) -> Span {
    let number = |name| parameter(query, name).and_then(|text| text.parse().ok());
    let (from_ms, to_ms) = (number("from_ms").unwrap_or(i64::MIN), number("to_ms").unwrap_or(i64::MAX));
    Span { from_ms, to_ms, now_ms: to_ms }
}

fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
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

fn answer_of(no_answer: NoAnswer) -> Reply {
    Ok(match no_answer {
        NoAnswer::Cut => return Err(Cut),
        NoAnswer::Lost => refusal(StatusCode::INTERNAL_SERVER_ERROR, "answer_lost"),
        NoAnswer::NotTaken => refusal(StatusCode::SERVICE_UNAVAILABLE, "not_taken"),
        NoAnswer::FileBroken => refusal(StatusCode::INTERNAL_SERVER_ERROR, "books_broken"),
        NoAnswer::Refused => {
            let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, RATE_LIMITED);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    })
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
