//! What is wrong before any API reads it: requests that are no HTTP, bodies that are too large or never end.

use serde_json::json;

use super::{BODY_BYTES_MAX, World, order};
use crate::harness::{TOKEN, settled};

/// A request of these lines with a body.
fn request(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{}\r\n\r\n", lines.join("\r\n")).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn what_is_no_http_is_refused_and_stores_nothing() {
    let mut world = World::new();
    let before = world.picture();
    let refund = br#"{"order":"bad","ask":{"amount":"1.00"}}"#;
    let (bearer, length) = (format!("authorization: Bearer {TOKEN}"), format!("content-length: {}", refund.len()));
    let post = "POST /v1/refunds HTTP/1.1";
    let many = "x-many: 1\r\n".repeat(500);
    let rows: [(&str, Vec<u8>, u16); 9] = [
        ("no request line", b"\x00\x01\x02\r\n\r\n".to_vec(), 400),
        ("another protocol", request(&["GET / FTP/1.0", "host: x"], b""), 400),
        ("NUL in the path", request(&["GET /v1/orders/\0 HTTP/1.1", "host: x"], b""), 400),
        ("NUL in a header", request(&[post, "host: x", &bearer, &length, "refundable-before: 1\x002"], refund), 400),
        ("a header without name", request(&[post, "host: x", &bearer, &length, ": 1"], refund), 400),
        ("two lengths", request(&[post, "host: x", &bearer, &length, "content-length: 5"], refund), 400),
        ("a length below zero", request(&[post, "host: x", &bearer, "content-length: -1"], refund), 400),
        ("too many headers", request(&[post, "host: x", &bearer, &length, many.trim_end()], refund), 431),
        ("a path of 100,000 characters", request(&[&format!("GET /v1/{} HTTP/1.1", "x".repeat(100_000))], b""), 414),
    ];
    for (what, bytes, wanted) in rows {
        let answer = world.server.client().raw(&bytes);
        let status = answer.unwrap_or_else(|error| panic!("{what}: the connection broke: {error}")).status;
        assert_eq!(status, wanted, "{what}");
    }
    assert_eq!(world.picture(), before, "something was stored");
    world.close();
}

#[test]
fn headers_that_are_no_text_are_not_overlooked() {
    let mut world = World::new();
    let refund = br#"{"order":"bad","ask":{"amount":"1.00"}}"#;
    let send = |world: &World, name: &str, value: &[u8]| {
        let head = format!("POST /v1/refunds HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n");
        let mut bytes = format!("{head}content-length: {}\r\n{name}: ", refund.len()).into_bytes();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(refund);
        world.server.client().raw(&bytes).expect("an answer")
    };
    let before = world.picture();
    assert_eq!(send(&world, "refundable-before", b"124.00\xff").status, 400);
    assert_eq!(world.picture(), before, "something was stored");
    // A key need not be readable to be a key: the second request is the first one again.
    let first = send(&world, "idempotency-key", b"\xff\xfe");
    let again = send(&world, "idempotency-key", b"\xff\xfe");
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json()["id"], again.json()["id"]);
    settled(&mut world.client);
    world.close();
}

#[test]
fn bodies_far_too_large_get_an_answer() {
    let mut world = World::new();
    let before = world.picture();
    let paths = [
        "/v1/refunds",
        "/v1/orders",
        "/openapi/2025-06/orders/1/refund",
        "/openapi/2022-01/orders/1/refund",
        "/admin/openapi/v20220901/order/refund.json",
        "/refunds",
    ];
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", &*bearer), ("access-token", TOKEN), ("content-type", "application/json")];
    for path in paths {
        for size in [BODY_BYTES_MAX + 1, 16 * BODY_BYTES_MAX] {
            let sent = world.client.send("POST", path, &headers, &vec![b' '; size]);
            let answer = sent.unwrap_or_else(|error| panic!("{path}, {size} bytes: the connection broke: {error}"));
            assert_eq!(answer.status, 413, "{path}: {}", answer.text());
            super::words(path, &answer).unwrap_or_else(|why| panic!("{path}: {why}: {}", answer.text()));
        }
    }
    assert_eq!(world.picture(), before, "something was stored");
    world.close();
}

#[test]
fn the_largest_body_is_read() {
    let mut world = World::new();
    let mut body = order("large").to_string().into_bytes();
    body.resize(BODY_BYTES_MAX, b' ');
    let bearer = format!("Bearer {TOKEN}");
    let answer = world.client.send("POST", "/v1/orders", &[("authorization", &*bearer)], &body).expect("an answer");
    assert_eq!(answer.status, 201, "{}", answer.text());
    let quote = json!({"ask": {"everything": true}});
    assert_eq!(world.client.post("/v1/orders/large/quote", &quote).status, 200);
    world.close();
}

#[test]
fn a_body_in_chunks_is_a_body() {
    let mut world = World::new();
    let head = format!("POST /v1/refunds HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}");
    let chunked = |body: &str| request(&[&head, "transfer-encoding: chunked"], body.as_bytes());
    let mut client = world.server.client();
    let good = "12\r\n{\"order\":\"bad\",\"as\r\n15\r\nk\":{\"amount\":\"1.00\"}}\r\n0\r\n\r\n";
    let answer = client.raw(&chunked(good)).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (201, None), "{}", answer.text());
    settled(&mut world.client);
    let before = world.picture();
    let piece = format!("{BODY_BYTES_MAX:x}\r\n{}\r\n", " ".repeat(BODY_BYTES_MAX));
    let answer = client.raw(&chunked(&format!("{piece}1\r\n \r\n0\r\n\r\n"))).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (413, None), "{}", answer.text());
    // A size that is none breaks the body off, and with it the connection.
    let answer = client.raw(&chunked("zz\r\n{}\r\n0\r\n\r\n")).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")), "{}", answer.text());
    assert_eq!(world.picture(), before, "something was stored");
    world.close();
}

#[test]
fn a_revoked_token_opens_nothing_however_well_it_is_remembered() {
    let mut world = World::new();
    let made =
        world.client.post("/v1/tokens", &json!({"label": "gone soon", "scopes": ["read_orders", "write_orders"]}));
    assert_eq!(made.status, 201, "{}", made.text());
    let bearer = format!("Bearer {}", made.json()["secret"].as_str().expect("a secret"));
    let send = |world: &mut World, method: &str, path: &str, more: (&str, &str), body: &str| {
        let headers = [("authorization", bearer.as_str()), more];
        world.client.send(method, path, &headers, body.as_bytes()).expect("an answer").status
    };
    let refund = r#"{"order":"bad","ask":{"amount":"1.00"}}"#;
    let key = "k".repeat(300);
    let rows = [
        ("GET", "/v1/orders/bad", ("accept", "*/*"), "", 200),
        ("GET", "/v1/orders/nowhere", ("accept", "*/*"), "", 404),
        ("GET", "/v1/orders", ("accept", "*/*"), "", 200),
        ("GET", "/v1/refunds?order=bad", ("accept", "*/*"), "", 200),
        ("GET", "/v1/refunds?limit=x", ("accept", "*/*"), "", 400),
        ("POST", "/v1/orders/bad/quote", ("accept", "*/*"), refund, 200),
        ("POST", "/v1/orders/import", ("accept", "*/*"), "", 200),
        ("POST", "/v1/refunds", ("accept", "*/*"), "{", 400),
        ("POST", "/v1/refunds", ("idempotency-key", key.as_str()), refund, 422),
        ("POST", "/v1/refunds", ("accept", "*/*"), refund, 201),
    ];
    // Twice: from the second request on, the server remembers the token.
    for (method, path, more, body, wanted) in rows.iter().chain(&rows) {
        assert_eq!(send(&mut world, method, path, *more, body), *wanted, "{method} {path} {body}");
    }
    settled(&mut world.client);
    let admin = format!("Bearer {TOKEN}");
    let revoke = format!("/v1/tokens/{}", made.json()["id"].as_str().expect("an id"));
    let revoked = world.client.send("DELETE", &revoke, &[("authorization", &admin)], b"").expect("an answer");
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    let before = world.picture();
    for (method, path, more, body, _) in rows {
        assert_eq!(send(&mut world, method, path, more, body), 401, "{method} {path} {body}");
    }
    assert_eq!(world.picture(), before, "something was stored");
    world.close();
}
