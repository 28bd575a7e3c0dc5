//! One request: bytes → dialect → engine → dialect → bytes.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Request as HttpRequest, Response as HttpResponse, StatusCode};
use refundry_core::limits::BODY_BYTES_MAX;
use refundry_core::order::Dialect;
use refundry_dialects::{
    Call, Endpoint, Refusal, Reply, Request, Response, Routed, Scope, dialect_of, refuse, route, token,
};
use refundry_engine::accept::RequestKey;
use refundry_engine::clock::Stopwatch;
use refundry_engine::settings::StoreSettings;
use refundry_engine::store::stores::{self, StoreRecord};
use refundry_engine::tenants::{self, Caller};

use super::hooks::{self, DELIVERY_BYTES_MAX};
use super::metrics;
use crate::app::{App, checks_token};

/// How long a client may take to send a body.
const BODY: Duration = Duration::from_secs(30);
/// Bytes of an import over HTTP; larger ones are sent in pieces, or read by the command line.
const IMPORT_BYTES_MAX: usize = 64 << 20;
/// Bytes of a body beyond its limit that are read all the same, so that the client gets to see the answer.
const SKIPPED_BYTES_MAX: usize = 64 << 20;
/// Characters of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

type Answer = HttpResponse<Full<Bytes>>;

/// Answers one request. Never fails: whatever goes wrong is an answer in the dialect's own words.
pub(crate) async fn answer(app: &App, request: HttpRequest<Incoming>) -> Answer {
    let started = Stopwatch::start();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(answer) = own_pages(app, path).await {
        return answer;
    }
    let headers: Vec<(&str, Cow<'_, str>)> =
        parts.headers.iter().map(|(name, value)| (name.as_str(), text_of(value))).collect();
    let (read, at_end) = read_body(body, limit_of(path)).await;
    if let Some(place) = hooks::place(path) {
        let mut answer = match &read {
            Ok(body) => hooks::deliver(app, place, &parts.method, &parts.headers, body).await,
            Err(_) => hooks::unread(),
        };
        if !at_end {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        return answer;
    }
    let request = Request {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &headers,
        body: read.as_deref().unwrap_or_default(),
        now_ms: app.engine.clock().now_ms(),
    };
    let broken = read.as_ref().err().cloned();
    let response = respond(app, &request, broken).await;
    let response = match call_limit(app, &request) {
        Some((name, value)) => response.with(name, value),
        None => response,
    };
    // What is left of a body would be read as the next request, so the client must not send one.
    let response = if at_end { response } else { response.with("connection", "close") };
    let dialect = dialect_of(path);
    app.metrics.answered(dialect.code(), response.status, started);
    let id = request_id();
    if response.status >= 400 {
        // The one line that a refused request leaves; what it said stays with the caller.
        tracing::info!(
            api = dialect.code(),
            method = request.method,
            status = response.status,
            request.id = id,
            "a request was refused"
        );
    }
    finish(dialect, response, &id)
}

/// Route, body, token, scope, decode, run, encode: the first that says no decides.
async fn respond(app: &App, request: &Request<'_>, broken: Option<Refusal>) -> Response {
    let endpoint = match route(request.method, request.path) {
        Routed::To(endpoint) => endpoint,
        Routed::MethodNotAllowed(allow) => return refuse(None, request, &Refusal::MethodNotAllowed(allow)),
        Routed::NotFound => return refuse(None, request, &Refusal::NoSuchPath),
    };
    match run(app, &endpoint, request, broken).await {
        Ok(response) => response,
        Err(refusal) => refuse(Some(&endpoint), request, &refusal),
    }
}

async fn run(
    app: &App,
    endpoint: &Endpoint,
    request: &Request<'_>,
    broken: Option<Refusal>,
) -> Result<Response, Refusal> {
    let Some(scope) = endpoint.scope() else { return open_to_all(endpoint, request, broken) };
    let scope = (!endpoint.takes_any_token()).then_some(scope);
    // A limit is told to nobody whose token does not work, so with limits every token is looked up at once.
    let guessed = if broken.is_none() && app.limits.is_none() { guess(app, request, scope) } else { None };
    let (caller, understood) = if let Some(caller) = guessed {
        match understand(endpoint, request) {
            Ok((call, key)) if checks_token(&call) => (caller, Ok((call, key))),
            // Nothing is answered on a guess.
            understood => (let_in(app, request, scope).await?, understood),
        }
    } else {
        let caller = let_in(app, request, scope).await?;
        if let Some(refusal) = broken {
            return Err(refusal);
        }
        (caller, understand(endpoint, request))
    };
    let (call, key) = match understood {
        Ok(understood) => understood,
        Err(response) => return Ok(response),
    };
    if let Some(warning) = endpoint.warning(request) {
        tracing::warn!(api = endpoint.dialect().code(), path = request.path, "{warning}");
    }
    let reply = app.run(&caller, call, key).await?;
    let response = endpoint.encode(request, &reply);
    let replayed = matches!(&reply, Reply::Created(answer) if answer.replayed);
    Ok(if replayed { response.with("idempotent-replayed", "true") } else { response })
}

/// An endpoint that asks for no token answers by itself.
fn open_to_all(endpoint: &Endpoint, request: &Request<'_>, broken: Option<Refusal>) -> Result<Response, Refusal> {
    if let Some(refusal) = broken {
        return Err(refusal);
    }
    match endpoint.decode(request) {
        Ok(Call::Ready(response)) | Err(response) => Ok(response),
        Ok(_) => Err(Refusal::Unauthorized),
    }
}

/// What a request asks for and its idempotency key, or what it is answered without the engine.
fn understand(endpoint: &Endpoint, request: &Request<'_>) -> Result<(Call, Option<RequestKey>), Response> {
    match endpoint.decode(request)? {
        Call::Ready(response) => Err(response),
        call => match request_key(endpoint, request) {
            Ok(key) => Ok((call, key)),
            Err(refusal) => Err(refuse(Some(endpoint), request, &refusal)),
        },
    }
}

/// The caller whom the same token let in before; see [`App::guess`].
fn guess(app: &App, request: &Request<'_>, scope: Option<Scope>) -> Option<Arc<Caller>> {
    let caller = app.guess(&token(request)?)?;
    may(&caller, request, scope).ok().map(|()| caller)
}

/// The caller behind the request's token, who may do this; without a scope, any token that works may.
async fn let_in(app: &App, request: &Request<'_>, scope: Option<Scope>) -> Result<Arc<Caller>, Refusal> {
    let token = token(request).filter(|token| !token.is_empty()).ok_or(Refusal::Unauthorized)?;
    let caller = app.authenticate(token).await?;
    if let Some(limits) = &app.limits {
        // Whatever becomes of the call, it was one.
        limits.admit(dialect_of(request.path), &caller)?;
    }
    may(&caller, request, scope)?;
    Ok(caller)
}

/// The header that tells a caller how much of its limit is used, where its platform has one and limits are emulated.
fn call_limit(app: &App, request: &Request<'_>) -> Option<(&'static str, String)> {
    let limits = app.limits.as_ref()?;
    limits.header(dialect_of(request.path), token(request).map(|token| tenants::hash(token.as_bytes())))
}

fn may(caller: &Caller, request: &Request<'_>, scope: Option<Scope>) -> Result<(), Refusal> {
    // A platform's own host name, in any case, names the store, which must then be the token's.
    let host = request.header("host").unwrap_or_default().split(':').next().unwrap_or_default().to_ascii_lowercase();
    let named = host.strip_suffix(".myshopline.com");
    let is_other =
        |handle: &str| !handle.eq_ignore_ascii_case(&caller.store.handle) && !is_domain(&host, &caller.store);
    if named.is_some_and(is_other) {
        return Err(Refusal::Unauthorized);
    }
    match scope {
        Some(scope) if caller.scopes.iter().all(|s| s != scope.code()) => Err(Refusal::Forbidden(scope)),
        Some(_) | None => Ok(()),
    }
}

/// Whether a store chose this host name for its shop at SHOPLINE. Settings that cannot be read name none.
fn is_domain(host: &str, store: &StoreRecord) -> bool {
    let domain = StoreSettings::read(&store.settings).ok().and_then(|settings| settings.shopline.domain);
    domain.is_some_and(|domain| domain.eq_ignore_ascii_case(host))
}

/// The idempotency key of a request that writes, with what it was sent for.
fn request_key(endpoint: &Endpoint, request: &Request<'_>) -> Result<Option<RequestKey>, Refusal> {
    let Some(key) = request.header("idempotency-key").filter(|_| request.method == "POST") else { return Ok(None) };
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        let reason = format!("between 1 and {KEY_CHARS_MAX} characters long");
        return Err(Refusal::Setting { field: "Idempotency-Key", reason });
    }
    let mut hashed = Vec::with_capacity(request.body.len() + request.path.len() + 32);
    for part in [endpoint.dialect().code(), request.method, request.path, request.query] {
        hashed.extend_from_slice(part.as_bytes());
        hashed.push(0);
    }
    hashed.extend_from_slice(request.body);
    Ok(Some(RequestKey { key: key.to_owned(), hash: tenants::hash(&hashed) }))
}

fn limit_of(path: &str) -> usize {
    if hooks::place(path).is_some() {
        return DELIVERY_BYTES_MAX;
    }
    if path == "/v1/orders/import" { IMPORT_BYTES_MAX } else { BODY_BYTES_MAX }
}

/// The body, and whether it was read to its end.
async fn read_body(mut body: Incoming, limit: usize) -> (Result<Bytes, Refusal>, bool) {
    let whole = async {
        match Limited::new(&mut body, limit).collect().await {
            Ok(whole) => (Ok(whole.to_bytes()), true),
            Err(error) if error.is::<LengthLimitError>() => {
                let at_end = skip(&mut body, SKIPPED_BYTES_MAX).await;
                (Err(Refusal::BodyTooLarge), at_end)
            }
            Err(_) => (Err(Refusal::BodyBroken), false),
        }
    };
    tokio::time::timeout(BODY, whole).await.unwrap_or((Err(Refusal::BodyBroken), false))
}

/// Reads on and forgets what it reads, and says whether it came to the end: most clients look for an answer only after
/// they sent everything, and would find the connection reset instead of the reason.
async fn skip(body: &mut Incoming, limit: usize) -> bool {
    let mut skipped = 0;
    while let Some(frame) = body.frame().await {
        skipped += frame.as_ref().ok().and_then(|frame| frame.data_ref()).map_or(0, Bytes::len);
        if frame.is_err() || skipped > limit {
            return false;
        }
    }
    true
}

/// A header's value as text, whatever its bytes: an idempotency key that was left out would be no protection.
pub(super) fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into();
    std::str::from_utf8(value.as_bytes()).map_or_else(|_| latin(value.as_bytes()), Cow::Borrowed)
}

/// Pages of the server itself, which belong to no API.
async fn own_pages(app: &App, path: &str) -> Option<Answer> {
    let text = |status, text: Cow<'static, str>| {
        let mut answer = HttpResponse::new(Full::new(Bytes::from(text.into_owned())));
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Some(answer)
    };
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => match app.off_runtime(|engine| engine.store().read(stores::list)).await {
            Some(Ok(_)) => text(StatusCode::OK, "ready\n".into()),
            Some(Err(error)) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n").into()),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read\n".into()),
        },
        "/metrics" => {
            let backlog = app.off_runtime(metrics::backlog).await.flatten();
            text(StatusCode::OK, app.metrics.print(&app.engine, &app.posted, backlog).into())
        }
        _ => None,
    }
}

/// Adds what every answer of a dialect carries.
fn finish(dialect: Dialect, response: Response, id: &str) -> Answer {
    let mut answer = HttpResponse::new(Full::new(Bytes::from(response.body)));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let name = match dialect {
        Dialect::Native => "x-request-id",
        Dialect::Shoplazza => "request-id",
        Dialect::Shopline => "traceid",
        Dialect::DigitalRiver => "x-dr-requestid",
    };
    if let Ok(value) = HeaderValue::try_from(id) {
        headers.insert(HeaderName::from_static(name), value);
    }
    answer
}

/// 32 hex digits: 16 drawn at random when the process started, 16 counted.
fn request_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let secret = tenants::new_secret(false).unwrap_or_default();
        secret.chars().rev().take(16).collect()
    });
    format!("{}{:016x}", *START, COUNTER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_is_left_out_for_its_bytes() {
        let read = |bytes: &[u8]| text_of(&HeaderValue::from_bytes(bytes).unwrap()).into_owned();
        assert_eq!(read("Rückgabe-1".as_bytes()), "Rückgabe-1");
        assert_eq!(read(b"R\xfcckgabe-1"), "Rückgabe-1");
    }
}
