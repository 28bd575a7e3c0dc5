//! Bad input for every endpoint: the right status, the API's own words for it, and nothing stored.
//!
//! One table per API. After each row the orders, refunds, stores and tokens must read exactly as before; at the end the
//! books are audited.

mod digital_river;
mod native;
mod shoplazza;
mod shopline;
mod shopline_parcels;
mod shopline_returns;
mod transport;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Client, Process, TOKEN, audit, put_orders, settled};

/// Token of the demo store that may read orders only.
const READER: &str = "sk_test_demo_read";
/// The largest body that is taken.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A server with a few orders, and how they are called.
struct World {
    folder: TempDir,
    server: Process,
    client: Client,
    /// 124.00 USD in two payments of 100.00 and 24.00.
    bad: Ids,
    /// Another order of the same shape.
    other: Ids,
    /// 1000 JPY.
    yen: Ids,
    /// Nothing captured.
    unpaid: Ids,
    /// Refunded whole.
    spent: Ids,
}

/// Our numbers of an order and what belongs to it.
struct Ids {
    order: String,
    lines: Vec<String>,
    payments: Vec<String>,
}

impl Ids {
    fn shopline_order(&self) -> String {
        format!("210{:0>23}", self.order)
    }

    fn shopline_slip(&self, payment: usize) -> String {
        format!("230{:0>23}", self.payments[payment])
    }

    /// A line as SHOPLINE takes it.
    fn line_number(&self, line: usize) -> i64 {
        self.lines[line].parse().expect("a number")
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Process::server(folder.path(), &[]);
        let mut client = server.client();
        let yen = json!({"id": "yen", "currency": "JPY",
            "lines": [{"id": "yen-cup", "sku": "YEN-CUP", "quantity": 2, "unit_price": "500"}],
            "payments": [payment("yen-card", "card", "1000")]});
        let unpaid = json!({"id": "unpaid", "currency": "USD",
            "lines": [{"id": "unpaid-cup", "quantity": 1, "unit_price": "10.00"}], "payments": []});
        put_orders(&mut client, &[order("bad"), order("other"), yen, unpaid, order("spent")]);
        let everything = client.post("/v1/refunds", &json!({"order": "spent", "ask": {"everything": true}}));
        assert_eq!(everything.status, 201, "{}", everything.text());
        settled(&mut client);
        let [bad, other, yen, unpaid, spent] =
            ["bad", "other", "yen", "unpaid", "spent"].map(|name| ids(&mut client, name));
        Self { folder, server, client, bad, other, yen, unpaid, spent }
    }

    /// Everything that a refused request must leave as it was.
    fn picture(&mut self) -> Vec<String> {
        // Newest first: the five orders made here, so that another one, or another refund, would push the last out.
        let paths = [
            "/v1/orders?limit=5",
            "/v1/refunds?limit=3",
            "/v1/tokens",
            "/v1/stores",
            "/v1/gateways",
            "/v1/routes",
            "/v1/events",
        ];
        let read = |path| {
            let answer = self.client.get(path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            answer.text()
        };
        let picture: Vec<String> = paths.into_iter().map(read).collect();
        let five = ["bad", "other", "yen", "unpaid", "spent"];
        assert!(five.iter().all(|id| picture[0].contains(&format!("\"id\":\"{id}\""))), "{}", picture[0]);
        picture
    }

    /// Sends every row, and says by name what is wrong with any of them.
    #[track_caller]
    fn check(&mut self, rows: &[Row]) {
        let mut before = self.picture();
        let mut faults = Vec::new();
        for row in rows {
            faults.extend(self.fault(row));
            let after = self.picture();
            if after != before {
                faults.push(format!("{row}: something was stored"));
                before = after;
            }
        }
        assert!(faults.is_empty(), "{} of {} rows:\n{}", faults.len(), rows.len(), faults.join("\n"));
    }

    /// What is odd and yet allowed: each row makes one refund of this amount.
    #[track_caller]
    fn check_taken(&mut self, rows: &[(Row, &str)]) {
        for (row, amount) in rows {
            let refunds = |client: &mut Client| client.get("/v1/refunds?limit=100").json()["data"].clone();
            let before = refunds(&mut self.client);
            let answer = row.send(&mut self.client);
            assert_eq!(answer.status, row.status, "{row}: {}", answer.text());
            let after = refunds(&mut self.client);
            let length = |list: &Value| list.as_array().map_or(0, Vec::len);
            assert_eq!(length(&after), length(&before) + 1, "{row}: {}", answer.text());
            assert_eq!(after[0]["amount"], *amount, "{row}: {}", answer.text());
            settled(&mut self.client);
        }
    }

    fn fault(&mut self, row: &Row) -> Option<String> {
        let answer = row.send(&mut self.client);
        let text = answer.text();
        let text: String = text.chars().take(400).collect();
        if answer.status != row.status {
            return Some(format!("{row}: {} instead of {}: {text}", answer.status, row.status));
        }
        let message = match words(&row.path, &answer) {
            Ok(message) => message,
            Err(why) => return Some(format!("{row}: {why}: {text}")),
        };
        match &row.says {
            Says::Exactly(body) if answer.json() == *body => None,
            Says::Exactly(body) => Some(format!("{row}:\n  not  {body}\n  but  {text}")),
            Says::Naming(names) => {
                let lacking = names.iter().find(|name| !message.contains(**name))?;
                Some(format!("{row}: does not name {lacking:?}: {text}"))
            }
        }
    }

    /// Ends the server and audits its books.
    #[track_caller]
    fn close(self) {
        let Self { folder, mut server, .. } = self;
        server.kill();
        let (nothing_found, words) = audit(["--data", folder.path().to_str().expect("a UTF-8 path")]);
        assert!(nothing_found, "{words}");
    }
}

/// What the answer must say.
#[derive(Clone)]
enum Says {
    /// This body, to the letter.
    Exactly(Value),
    /// The API's own error shape with a message that names all of these.
    Naming(Vec<&'static str>),
}

/// A request and what must come of it.
#[derive(Clone)]
struct Row {
    what: String,
    method: &'static str,
    path: String,
    token: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    status: u16,
    says: Says,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path: String = self.path.chars().take(120).collect();
        write!(f, "[{}] {} {path}", self.what, self.method)
    }
}

impl Row {
    fn new(what: impl Into<String>, method: &'static str, path: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        let says = Says::Naming(Vec::new());
        Self { what: what.into(), method, path: path.into(), token: TOKEN, headers, body: Vec::new(), status: 0, says }
    }

    fn post(what: impl Into<String>, path: impl Into<String>, body: &Value) -> Self {
        Self::new(what, "POST", path).body(body.to_string())
    }

    fn get(what: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new(what, "GET", path)
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A header instead of the one of this name, or beside the others.
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Another token; an empty one is not sent.
    fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn says(mut self, status: u16, body: Value) -> Self {
        self.says = Says::Exactly(body);
        self.status(status)
    }

    fn names(mut self, status: u16, names: &[&'static str]) -> Self {
        self.says = Says::Naming(names.to_vec());
        self.status(status)
    }

    #[track_caller]
    fn send(&self, client: &mut Client) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        if !self.token.is_empty() {
            headers.extend([("authorization", bearer.as_str()), ("access-token", self.token)]);
        }
        match client.send(self.method, &self.path, &headers, &self.body) {
            Ok(answer) => answer,
            Err(error) => panic!("{self}: the connection broke: {error}"),
        }
    }
}

/// An answer that may name the method.
type Worded<'a> = &'a dyn Fn(&str) -> (u16, Value);

/// What an endpoint answers to requests that no endpoint takes.
struct Basics<'a> {
    /// A request that would be taken.
    good: Row,
    unauthorized: (u16, Value),
    /// For an endpoint that writes.
    forbidden: Option<(u16, Value)>,
    /// Methods that the path does not take, and the answer.
    other_methods: (&'a [&'static str], Worded<'a>),
    too_large: (u16, Value),
    /// What a body that is no JSON gets; `None` where bodies are not read.
    malformed: Option<&'a dyn Fn(Row) -> Row>,
}

impl Basics<'_> {
    fn rows(&self) -> Vec<Row> {
        let named = |what: &str| Row { what: what.to_owned(), ..self.good.clone() };
        let says = |row: Row, (status, body): &(u16, Value)| row.says(*status, body.clone());
        let mut rows = vec![
            says(named("no token").token(""), &self.unauthorized),
            says(named("a wrong token").token("sk_test_nobody"), &self.unauthorized),
            says(named("a token of odd characters").token("sk_test_d\u{e9}mo"), &self.unauthorized),
        ];
        rows.extend(self.forbidden.iter().map(|answer| says(named("a token that only reads").token(READER), answer)));
        for method in self.other_methods.0 {
            let row = Row { method, ..named("a method that is not taken") };
            rows.push(says(row, &(self.other_methods.1)(method)));
        }
        let large = vec![b' '; BODY_BYTES_MAX + 1];
        rows.push(says(named("a body of one byte too many").body(large), &self.too_large));
        let Some(malformed) = self.malformed else { return rows };
        for (what, body) in unreadable() {
            rows.push(malformed(named(what).body(body)));
        }
        rows
    }
}

/// Bodies that are no JSON.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(10_000), close.repeat(10_000)).into_bytes()
    };
    vec![
        ("half a body", b"{\"order_id\":".to_vec()),
        ("a trailing comma", b"{\"a\":1,}".to_vec()),
        ("two bodies", b"{}{}".to_vec()),
        ("single quotes", b"{'a':1}".to_vec()),
        ("a form", b"refund_total=1.00".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("no UTF-8", b"{\"note\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate pair", b"{\"note\":\"\\ud800\"}".to_vec()),
        ("NaN", b"{\"amount\":NaN}".to_vec()),
        ("lists 10,000 deep", deep("[", "", "]")),
        ("objects 10,000 deep", deep("{\"a\":", "1", "}")),
        ("10,000 brackets that never close", "[".repeat(10_000).into_bytes()),
    ]
}

/// The message of a refusal, or why its shape is not the API's.
fn words(path: &str, answer: &Answer) -> Result<String, String> {
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("no JSON: {error}"))?;
    let (kind, id, message) = match path.split(['/', '?']).nth(1) {
        Some("v1") => ("application/problem+json", "x-request-id", problem(answer, &body)),
        Some("openapi") => ("application/json", "request-id", shoplazza::message(&body)),
        Some("admin" | "payments_apps") => ("application/json", "traceid", shopline::message(&body)),
        _ => ("application/json", "x-dr-requestid", digital_river::message(answer.status, &body)),
    };
    let message = message.filter(|message| !message.trim().is_empty()).ok_or("not the API's error body")?;
    if answer.header("content-type") != Some(kind) {
        return Err(format!("content type {:?}", answer.header("content-type")));
    }
    let traced = answer.header(id).is_some_and(|id| !id.is_empty());
    if traced { Ok(message) } else { Err(format!("no {id}")) }
}

fn problem(answer: &Answer, body: &Value) -> Option<String> {
    let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty());
    let fits = body["status"] == answer.status && text("type")? == format!("/problems/{}", text("code")?);
    let (title, detail) = (text("title")?, text("detail")?);
    fits.then(|| format!("{} {title} {detail} {}", body["code"], body["field"]))
}

fn ids(client: &mut Client, name: &str) -> Ids {
    let order = client.get(&format!("/v1/orders/{name}")).json();
    let all = |key: &str| {
        let entries = order[key].as_array().into_iter().flatten();
        entries.map(|entry| entry["uid"].as_str().expect("our number").to_owned()).collect()
    };
    let number = order["uid"].as_str().expect("our number").to_owned();
    Ids { order: number, lines: all("lines"), payments: all("payments") }
}

fn payment(id: &str, channel: &str, captured: &str) -> Value {
    json!({"id": id, "channel": channel, "method": channel, "kind": "online", "gateway": "simulated",
        "captured": captured})
}

/// 4 cups (2 shipped) at 11.00 with tax, 2 pans at 30.00, shipping 10.00, tip 5.00, gift wrapping 5.00.
fn order(id: &str) -> Value {
    json!({"id": id, "currency": "USD", "shipping": [{"net": "10.00"}], "tip": {"net": "5.00"},
    "additional": [{"name": "Gift Wrapping", "net": "5.00"}],
    "lines": [
        {"id": format!("{id}-cup"), "sku": "CUP", "quantity": 4, "shipped": 2, "unit_price": "10.00", "tax": "4.00"},
        {"id": format!("{id}-pan"), "sku": "PAN", "quantity": 2, "unit_price": "30.00"},
    ],
    "payments": [
        payment(&format!("{id}-card"), "card", "100.00"), payment(&format!("{id}-wallet"), "wallet", "24.00"),
    ]})
}

/// Rows of a table whose messages stand in a body of the API.
fn fields(table: &'static str, path: &str, good: &Value, body: impl Fn(&str) -> Value) -> Vec<Row> {
    fields_of(table, good, |what, changed, status, text| Row::post(what, path, &changed).says(status, body(text)))
}

/// Reads a table of values, each put into an otherwise good body: pointer and value in one line, status and message in
/// the next. A value is JSON, or a text so many times: `n×2001`.
fn fields_of(
    table: &'static str,
    good: &Value,
    row: impl Fn(&'static str, Value, u16, &'static str) -> Row,
) -> Vec<Row> {
    let mut lines = table.lines().filter(|line| !line.is_empty());
    let mut rows = Vec::new();
    while let (Some(what), Some(says)) = (lines.next(), lines.next()) {
        let (pointer, value) = what.split_once(' ').expect("a pointer and a value");
        let value = match value.split_once('×') {
            Some((text, times)) => json!(text.repeat(times.parse().expect("a count"))),
            None => number(value),
        };
        let (status, text) = says.trim().split_once(' ').expect("a status and a message");
        rows.push(row(what, put(good, pointer, value), status.parse().expect("a status"), text));
    }
    assert!(!rows.is_empty(), "an empty table");
    rows
}

/// A body with another value at a JSON pointer.
#[track_caller]
fn put(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match body.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.insert(key.to_owned(), value)),
        Some(Value::Array(list)) => list[key.parse::<usize>().expect("a position")] = value,
        _ => panic!("nothing at {parent}"),
    }
    body
}

/// A body without what a JSON pointer names.
#[track_caller]
fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.remove(key).expect("a key to remove");
    body
}

/// A JSON value with this very text: numbers keep their spelling.
fn number(text: &str) -> Value {
    serde_json::from_str(text).expect("a number")
}
