//! `POST /hooks/{store}/{gateway}`: what providers say unasked. It needs no token, since the gateway's driver checks
//! the signature; what cannot be shown to be the provider's is refused and stored nowhere.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Response as HttpResponse, StatusCode};
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::store::stores;
use refundry_gateways::{Delivery, Gateway, Heard, Notice};

use super::service::text_of;
use crate::app::App;

/// Bytes of a delivery; providers send some thousands.
pub(super) const DELIVERY_BYTES_MAX: usize = 512 * 1024;
/// Calls that it may take to find out whether a delivery is the provider's.
const CONFIRMATIONS_MAX: usize = 3;
/// Characters of a provider's id of an event.
const EVENT_CHARS_MAX: usize = 255;

/// The store's handle and the gateway's name in the path of a delivery.
pub(super) fn place(path: &str) -> Option<(&str, &str)> {
    let (store, gateway) = path.strip_prefix("/hooks/")?.split_once('/')?;
    (!store.is_empty() && !gateway.is_empty() && !gateway.contains('/')).then_some((store, gateway))
}

/// Takes a delivery in.
pub(super) async fn deliver(
    app: &App,
    (store, name): (&str, &str),
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> HttpResponse<Full<Bytes>> {
    if method != Method::POST {
        let mut answer = answer(StatusCode::METHOD_NOT_ALLOWED, "deliveries are posted");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return answer;
    }
    let (tenant, gateway) = match found(app, store, name).await {
        Ok(Some(found)) => found,
        Ok(None) => return answer(StatusCode::NOT_FOUND, "there is no such gateway"),
        Err(Unavailable) => return later("the database cannot be read"),
    };
    let headers: Vec<(&str, Cow<'_, str>)> =
        headers.iter().map(|(name, value)| (name.as_str(), text_of(value))).collect();
    let delivery = Delivery { headers: &headers, body, now_ms: app.engine.clock().now_ms() };
    let mut heard = gateway.hear(&delivery);
    for _ in 0..CONFIRMATIONS_MAX {
        let Heard::Confirm(request) = heard else { break };
        heard = gateway.confirm(&delivery, app.transport.call(request).await);
    }
    match heard {
        Heard::Notices(notices) => keep(app, (tenant, name), &*gateway, notices).await,
        Heard::Refused { reason } => {
            app.metrics.delivered("refused");
            tracing::warn!(store, gateway = name, reason, "a delivery was refused");
            answer(StatusCode::UNAUTHORIZED, &reason)
        }
        Heard::Later { reason } => later(&reason),
        Heard::Confirm(_) => later("the provider has to be asked once more"),
    }
}

struct Unavailable;

async fn found(app: &App, store: &str, name: &str) -> Result<Option<(i64, Arc<dyn Gateway>)>, Unavailable> {
    let handle = store.to_owned();
    let tenant = app.off_runtime(move |engine| engine.store().read(|tx| stores::by_handle(tx, &handle))).await;
    let Some(Ok(tenant)) = tenant else { return Err(Unavailable) };
    let Some(tenant) = tenant.map(|tenant| tenant.id) else { return Ok(None) };
    let find = || app.engine.queue().registry().find(tenant, name);
    if let Some(gateway) = find() {
        return Ok(Some((tenant, gateway)));
    }
    // It may have been configured a moment ago.
    let book = Arc::clone(&app.book);
    match app.off_runtime(move |engine| book.refresh(engine)).await {
        Some(Ok(())) => Ok(find().map(|gateway| (tenant, gateway))),
        Some(Err(_)) | None => Err(Unavailable),
    }
}

async fn keep(
    app: &App,
    (tenant, name): (i64, &str),
    gateway: &dyn Gateway,
    notices: Vec<Notice>,
) -> HttpResponse<Full<Bytes>> {
    let is_named = |notice: &Notice| !notice.event.is_empty() && notice.event.chars().count() <= EVENT_CHARS_MAX;
    if !notices.iter().all(is_named) {
        app.metrics.delivered("refused");
        return answer(StatusCode::BAD_REQUEST, "an event has no id, or one that is too long");
    }
    if !notices.is_empty() {
        let job = Job::Hear { store: tenant, gateway: name.to_owned(), notices };
        match app.done(job).await {
            Ok(Outcome::Heard(heard)) => {
                for heard in heard {
                    app.metrics.delivered(heard.effect.code());
                }
            }
            Ok(_) | Err(_) => return later("it could not be kept"),
        }
    }
    answer(StatusCode::OK, gateway.acknowledgement())
}

/// The body is too long, or did not come to its end.
pub(super) fn unread() -> HttpResponse<Full<Bytes>> {
    answer(StatusCode::BAD_REQUEST, "the delivery is cut off, or too long")
}

/// The sender comes again.
fn later(reason: &str) -> HttpResponse<Full<Bytes>> {
    let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, reason);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    answer
}

fn answer(status: StatusCode, text: &str) -> HttpResponse<Full<Bytes>> {
    let mut answer = HttpResponse::new(Full::new(Bytes::from(text.to_owned())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_delivery_goes() {
        assert_eq!(place("/hooks/demo/stripe-eu"), Some(("demo", "stripe-eu")));
        for path in
            ["/hooks", "/hooks/", "/hooks/demo", "/hooks/demo/", "/hooks//x", "/hooks/demo/a/b", "/v1/hooks/a/b"]
        {
            assert_eq!(place(path), None, "{path}");
        }
    }
}
