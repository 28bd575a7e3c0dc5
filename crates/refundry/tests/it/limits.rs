//! The platforms' rate limits: emulated where the server is told to, and nowhere else.
//!
//! The server's clock runs while a test calls, and what drains meanwhile is let in: so these tests say after how many
//! calls the first refusal may come at the earliest, and the limit's own tests say when exactly it does.

use serde_json::json;

use crate::harness::{Answer, Backend, Client, Place, TOKEN};

const OTHER: &str = "sk_test_demo_read";
const MODERN: &str = "/openapi/2026-01/orders/refund_records";
const LEGACY: &str = "/openapi/2022-01/orders/refund_records";
const SHOPLINE: &str = "/admin/openapi/v20250601/orders/21057520029298437725459999/refunds.json";
const CALL_LIMIT: &str = "x-shoplazza-shop-api-call-limit";
/// Many more than a bucket holds, so that it fills unless each call takes the time in which one drains.
const CALLS_MAX: usize = 200;

on_both!(
    with_the_option_the_forty_first_call_is_refused,
    with_the_option_other_answers_tell_the_limit_too,
    without_the_option_nothing_is_limited
);

/// Reads in the way of any API.
#[track_caller]
fn read(client: &mut Client, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    client.send("GET", path, &[("authorization", &bearer), ("access-token", token)], b"").expect("an answer")
}

/// Calls of the first token in the server's life: how many are taken, and the first that is refused.
#[track_caller]
fn until_refused(client: &mut Client, path: &str, mut taken: impl FnMut(usize, &Answer)) -> (usize, Answer) {
    for calls in 0..CALLS_MAX {
        let answer = read(client, path, TOKEN);
        if answer.status == 429 {
            return (calls, answer);
        }
        taken(calls + 1, &answer);
    }
    panic!("{CALLS_MAX} calls of {path} and none is refused");
}

fn used(answer: &Answer) -> usize {
    let told = answer.header(CALL_LIMIT).and_then(|value| value.strip_suffix("/40"));
    told.and_then(|used| used.parse().ok()).unwrap_or_else(|| panic!("no limit in {:?}", answer.headers))
}

fn with_the_option_the_forty_first_call_is_refused(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&["--emulate-limits"]);
    let mut client = server.client();
    let (calls, refused) = until_refused(&mut client, MODERN, |calls, answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!((1..=calls).contains(&used(answer)), "call {calls} says {}", used(answer));
    });
    assert!(calls >= 40, "only {calls} calls were taken");
    assert_eq!((refused.header("retry-after"), used(&refused)), (Some("1"), 40));
    assert_eq!(refused.json()["code"], "TooManyRequests");
    assert!(refused.header("request-id").is_some());

    // The same bucket, whichever version is called.
    let (more, refused) = until_refused(&mut client, LEGACY, |_, _| {});
    assert!(more < 40, "an older version took {more} more calls");
    assert_eq!(refused.json(), json!({"errors": ["Too Many Requests"]}));
    assert_eq!((refused.header("retry-after"), used(&refused)), (Some("1"), 40));

    let other = read(&mut client, MODERN, OTHER);
    assert_eq!((other.status, used(&other)), (200, 1), "another token still has room");

    // Another platform has a bucket of its own, and our own API has none.
    let (calls, refused) = until_refused(&mut client, SHOPLINE, |_, answer| {
        assert_eq!((answer.status, answer.header(CALL_LIMIT)), (404, None), "{}", answer.text());
    });
    assert!(calls >= 40, "only {calls} calls were taken");
    assert_eq!((refused.header("retry-after"), refused.header(CALL_LIMIT)), (Some("1"), None));
    assert_eq!(refused.json(), json!({"errors": "Too many request"}));
    for _ in 0..60 {
        assert_eq!(client.get("/v1/refunds?limit=1").status, 200);
    }
    place.assert_clean();
}

fn with_the_option_other_answers_tell_the_limit_too(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&["--emulate-limits"]);
    let mut client = server.client();
    let unknown = read(&mut client, MODERN, "sk_test_nobody");
    assert_eq!((unknown.status, used(&unknown)), (401, 0));
    let nowhere = read(&mut client, "/openapi/2019-01/orders", OTHER);
    assert_eq!((nowhere.status, used(&nowhere)), (404, 0), "where nothing is, nothing counts");
    let headers = [("access-token", OTHER), ("content-type", "application/json")];
    let body = br#"{"refund": {"refund_total": "1.00"}}"#;
    let path = "/openapi/2026-01/orders/1/refund";
    let forbidden = client.send("POST", path, &headers, body).expect("an answer");
    assert_eq!((forbidden.status, used(&forbidden)), (403, 1), "a call is one, whatever it is answered");
    let malformed = read(&mut client, "/openapi/2026-01/orders/refund_records?per_page=x", OTHER);
    assert_eq!(malformed.status, 400, "{}", malformed.text());
    assert!((1..=2).contains(&used(&malformed)));
    assert_eq!(client.get("/healthz").header(CALL_LIMIT), None);
}

fn without_the_option_nothing_is_limited(on: Backend) {
    let place = Place::new(on);
    let server = place.serve(&[]);
    let mut client = server.client();
    for path in [MODERN, LEGACY, SHOPLINE, "/refunds"] {
        for _ in 0..60 {
            let answer = read(&mut client, path, TOKEN);
            assert!(matches!(answer.status, 200 | 404), "{} {}", answer.status, answer.text());
            assert_eq!((answer.header(CALL_LIMIT), answer.header("retry-after")), (None, None));
        }
    }
}
