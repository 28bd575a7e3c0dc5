//! A payment provider that speaks Stripe's words: it takes every refund, settles none by itself, and signs what it
//! tells of.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use refundry_engine::clock::Clock;
use refundry_gateways::signing::{Hash, to_hex};
use serde_json::{Value, json};

use crate::harness::{Answer, Client};

/// The key that requests carry.
pub(super) const KEY: &str = "sk_live_hush_this_is_the_key";
/// The secret that deliveries are signed with.
pub(super) const SIGNING: &str = "whsec_hush_this_signs";

/// What it was asked and what it answered.
#[derive(Default)]
struct Books {
    /// Heads of requests, in lower case.
    heads: Vec<String>,
    refunds: Vec<Value>,
}

/// The provider.
pub(super) struct Till {
    address: String,
    books: Arc<Mutex<Books>>,
}

impl Till {
    pub(super) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let books = Arc::new(Mutex::new(Books::default()));
        let kept = Arc::clone(&books);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let books = Arc::clone(&kept);
                // A caller that hangs up in between asks again.
                thread::spawn(move || serve(stream, &books).unwrap_or_default());
            }
        });
        Self { address, books }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The refunds that it took.
    pub(super) fn refunds(&self) -> Vec<Value> {
        self.books.lock().expect("no caller panicked").refunds.clone()
    }

    /// Whether every request carried the key.
    pub(super) fn knows_the_key(&self) -> bool {
        let books = self.books.lock().expect("no caller panicked");
        !books.heads.is_empty() && books.heads.iter().all(|head| head.contains(&format!("authorization: bearer {KEY}")))
    }
}

fn serve(stream: TcpStream, books: &Mutex<Books>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let answer = answer(&head, &String::from_utf8_lossy(&body), &mut books.lock().expect("no caller panicked"));
        let answer = answer.to_string();
        let length = answer.len();
        write!(
            stream.get_mut(),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
        )?;
    }
}

fn answer(head: &str, form: &str, books: &mut Books) -> Value {
    books.heads.push(head.to_owned());
    if head.starts_with("get /v1/refunds/") {
        return books.refunds.iter().find(|refund| head.contains(text(refund, "id"))).cloned().unwrap_or_default();
    }
    if head.starts_with("get ") {
        return json!({"object": "list", "url": "/v1/refunds", "has_more": false, "data": books.refunds});
    }
    let pairs: Vec<(&str, &str)> = form.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let of = |name: &str| pairs.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| *value);
    let amount: i64 = of("amount").parse().expect("an amount");
    let metadata =
        json!({"refundry_leg": of("metadata[refundry_leg]"), "refundry_refund": of("metadata[refundry_refund]")});
    let refund = refund(&format!("re_{}", books.refunds.len()), of("payment_intent"), amount, &metadata);
    books.refunds.push(refund.clone());
    refund
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// A refund that is on its way.
pub(super) fn refund(id: &str, payment: &str, amount: i64, metadata: &Value) -> Value {
    json!({"id": id, "object": "refund", "amount": amount, "currency": "usd", "payment_intent": payment,
        "charge": null, "status": "pending", "created": 1_760_000_000, "metadata": metadata})
}

/// The event that a refund has settled.
pub(super) fn event(id: &str, refund: &Value) -> Value {
    let mut settled = refund.clone();
    settled["status"] = json!("succeeded");
    json!({"id": id, "object": "event", "type": "refund.updated", "created": 1_760_000_001,
        "data": {"object": settled}})
}

/// Delivers an event, signed under a secret.
pub(super) fn deliver(client: &mut Client, event: &Value, secret: &str) -> Answer {
    let body = event.to_string();
    let stamp = (Clock::System.now_ms() / 1_000).to_string();
    let code = Hash::Sha256.sign(secret.as_bytes(), &[stamp.as_bytes(), b".", body.as_bytes()]);
    let signature = format!("t={stamp},v1={}", to_hex(&code));
    let headers = [("stripe-signature", signature.as_str()), ("content-type", "application/json")];
    client.send("POST", "/hooks/demo/stripe-eu", &headers, body.as_bytes()).expect("an answer")
}
