//! The example orders: what each is called in which API, and what our own API says of it.

use std::path::{Path, PathBuf};

use serde_json::{Number, Value, json};

use crate::harness::Client;

/// One example, with the names of its parts.
pub(super) struct Sample {
    /// For messages.
    pub(super) file: String,
    /// The folder it lies in: `native`, `shoplazza`, `shopline` or `digital-river`.
    pub(super) origin: String,
    /// The id on its platform.
    id: String,
    /// Our number.
    pub(super) uid: String,
    /// The platform's ids of lines.
    lines: Vec<String>,
    /// The platform's ids of payments; none where they have none, or no request names them.
    payments: Vec<String>,
}

/// All examples, in the order of their names.
pub(super) fn samples(client: &mut Client) -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders");
    let mut files: Vec<PathBuf> = Vec::new();
    for origin in ["native", "shoplazza", "shopline", "digital-river"] {
        let listed = std::fs::read_dir(root.join(origin)).expect("a folder of examples");
        files.extend(listed.map(|entry| entry.expect("an entry").path()));
    }
    files.sort();
    assert!(files.len() >= 24, "{} examples", files.len());
    files.iter().map(|file| sample(client, file)).collect()
}

fn sample(client: &mut Client, path: &Path) -> Sample {
    let text = std::fs::read_to_string(path).expect("an example");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let order = document.get("order").unwrap_or(&document);
    let origin = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned();
    let ids = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|entry| plain(&entry[key])).collect()
    };
    let (lines, payments) = match origin.as_str() {
        "native" => (ids(&order["lines"], "id"), ids(&order["payments"], "id")),
        "shoplazza" => (ids(&order["line_items"], "id"), ids(&order["payment_lines"], "id")),
        "shopline" => (ids(&order["line_items"], "id"), ids(&order["payment_details"], "pay_seq")),
        _ => (ids(&order["items"], "id"), Vec::new()),
    };
    let file = format!("{origin}/{}", path.file_name().expect("a name").to_string_lossy());
    let id = plain(&order["id"]);
    let uid = client.get(&format!("/v1/orders/{id}")).json()["uid"].as_str().expect("a number").to_owned();
    Sample { file, origin, id, uid, lines, payments }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Sample {
    /// How an API names the order: by the platform's id where the order came from there, else by our number in its
    /// shape.
    pub(super) fn id(&self, api: &str) -> String {
        if self.origin == api {
            return self.id.clone();
        }
        match api {
            "shopline" => format!("210{:0>23}", self.uid),
            "digital-river" => format!("ord_{}", self.uid),
            _ => self.uid.clone(),
        }
    }

    /// How an API names a line.
    pub(super) fn line(&self, api: &str, order: &View, index: usize) -> String {
        assert_eq!(self.lines.len(), order.list("lines").len(), "{}", self.file);
        if self.origin == api { self.lines[index].clone() } else { text(&order.list("lines")[index]["uid"]) }
    }

    /// How an API names a payment.
    pub(super) fn payment(&self, api: &str, order: &View, index: usize) -> String {
        if self.origin == api && !self.payments.is_empty() {
            assert_eq!(self.payments.len(), order.list("payments").len(), "{}", self.file);
            return self.payments[index].clone();
        }
        let number = text(&order.list("payments")[index]["uid"]);
        if api == "shopline" { format!("230{number:0>23}") } else { number }
    }
}

/// An order as our own API shows it.
#[derive(Clone)]
pub(super) struct View {
    pub(super) value: Value,
    /// Decimals of its currency.
    pub(super) exponent: u32,
}

/// What a part of the price can still give back.
pub(super) struct Charge {
    /// The line it belongs to, as our own API names it; blank where it belongs to none.
    pub(super) line: String,
    pub(super) name: String,
    pub(super) net: i64,
    pub(super) tax: i64,
}

impl Charge {
    pub(super) fn gross(&self) -> i64 {
        self.net + self.tax
    }
}

impl View {
    pub(super) fn read(client: &mut Client, sample: &Sample) -> Self {
        let value = client.get(&format!("/v1/orders/{}", sample.uid)).json();
        let exponent = exponent(value["currency"].as_str().expect("a currency"));
        Self { value, exponent }
    }

    pub(super) fn list(&self, key: &str) -> &[Value] {
        self.value[key].as_array().expect("a list")
    }

    pub(super) fn currency(&self) -> String {
        text(&self.value["currency"])
    }

    pub(super) fn figure(&self, key: &str) -> i64 {
        minor(&self.value[key], self.exponent)
    }

    pub(super) fn refundable(&self) -> i64 {
        self.figure("refundable")
    }

    pub(super) fn count(&self) -> u64 {
        self.value["refund_count"].as_u64().expect("a count")
    }

    pub(super) fn taxes_included(&self) -> bool {
        self.value["taxes_included"] == true
    }

    /// With the decimals that the platforms print: two, or more where the currency has more.
    pub(super) fn print(&self, amount: i64) -> String {
        decimal(amount, self.exponent)
    }

    /// What a charge (`lines`, `shipping`, `duties`, …) has left, entry by entry.
    pub(super) fn left(&self, key: &str) -> Vec<Charge> {
        let entries: Vec<&Value> = match &self.value[key] {
            Value::Array(entries) => entries.iter().collect(),
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let charge = |entry: &Value| Charge {
            line: name(if key == "lines" { &entry["id"] } else { &entry["line"] }),
            name: name(&entry["name"]),
            net: minor(&entry["left"]["net"], self.exponent),
            tax: minor(&entry["left"]["tax"], self.exponent),
        };
        entries.into_iter().map(charge).collect()
    }

    pub(super) fn gross_left(&self, keys: &[&str]) -> i64 {
        keys.iter().flat_map(|key| self.left(key)).map(|charge| charge.gross()).sum()
    }

    /// What all parts of the price have left.
    pub(super) fn components_left(&self) -> i64 {
        self.gross_left(&["lines", "shipping", "tip", "additional", "duties", "importer_tax", "fees"])
    }

    /// What payments have left, in the order's currency.
    pub(super) fn payments_left(&self) -> Vec<i64> {
        self.list("payments").iter().map(|payment| minor(&payment["left"], self.exponent)).collect()
    }

    /// The currency of a payment and what it has left in that currency.
    pub(super) fn own_left(&self, payment: usize) -> (String, i64) {
        let payment = &self.list("payments")[payment];
        match payment["own"]["currency"].as_str() {
            Some(currency) => (currency.to_owned(), minor(&payment["own"]["left"], exponent(currency))),
            None => (self.currency(), minor(&payment["left"], self.exponent)),
        }
    }

    /// Units of a line that wait to be shipped, and that were.
    pub(super) fn units(&self, line: usize) -> (i64, i64) {
        let left = &self.list("lines")[line]["left"];
        (left["waiting"].as_i64().expect("units"), left["shipped"].as_i64().expect("units"))
    }

    /// What a refund would come to, and how much of it no part explains; `None` where it would be refused.
    pub(super) fn quote(&self, client: &mut Client, ask: &Value) -> Option<(i64, i64)> {
        let path = format!("/v1/orders/{}/quote", self.value["uid"].as_str().expect("a number"));
        let answer = client.post(&path, &json!({ "ask": ask }));
        assert!(matches!(answer.status, 200 | 422), "{} {ask} {}", answer.status, answer.text());
        let quote = answer.json();
        let figure = |key: &str| minor(&quote[key], self.exponent);
        (answer.status == 200).then(|| (figure("amount"), figure("discrepancy")))
    }

    /// Nothing is negative, and the parts make the whole.
    pub(super) fn check(&self, file: &str) {
        not_negative(&self.value, file);
        assert_eq!(
            self.figure("paid"),
            self.figure("refunded") + self.figure("pending") + self.refundable(),
            "{file}: {:#}",
            self.value
        );
        assert_eq!(self.payments_left().iter().sum::<i64>(), self.refundable(), "{file}: {:#}", self.value);
    }
}

fn not_negative(value: &Value, file: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "discrepancy") {
                let negative = value.as_str().and_then(|text| text.strip_prefix('-'));
                let negative = negative.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                assert!(!negative, "{file}: {key} is {value}");
                not_negative(value, file);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| not_negative(entry, file)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Decimals of the currencies that the examples use.
pub(super) fn exponent(currency: &str) -> u32 {
    match currency {
        "JPY" => 0,
        "KWD" => 3,
        "USD" | "EUR" | "GBP" | "CAD" => 2,
        other => panic!("an example has a new currency: {other}"),
    }
}

/// Reads an amount, as text or JSON number, in minor units; surplus decimals must be zeros.
#[track_caller]
pub(super) fn minor(value: &Value, exponent: u32) -> i64 {
    let text = plain(value);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let places = usize::try_from(exponent).expect("few decimals");
    let (kept, surplus) = fraction.split_at(fraction.len().min(places));
    assert!(surplus.bytes().all(|digit| digit == b'0'), "{text} has more decimals than {exponent}");
    let digits = format!("{whole}{kept:0<places$}");
    digits.parse().unwrap_or_else(|_| panic!("{text} is no amount"))
}

/// Prints minor units with at least two decimals.
pub(super) fn decimal(amount: i64, exponent: u32) -> String {
    let scale = 10_i64.pow(exponent);
    let places = usize::try_from(exponent).expect("few decimals");
    match places {
        0 => format!("{amount}.00"),
        _ => format!("{}.{:0>places$}", amount / scale, amount % scale),
    }
}

/// The same digits as a JSON number.
pub(super) fn number(text: &str) -> Value {
    Value::Number(text.parse::<Number>().expect("a number"))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What each API may ask of an order: all of it, and some of it.
pub(super) fn unpaid_asks(sample: &Sample) -> Vec<(String, Value)> {
    let (uid, shoplazza, shopline) = (&sample.uid, sample.id("shoplazza"), sample.id("shopline"));
    let river = |how: (&str, &str)| json!({"orderId": sample.id("digital-river"), "currency": "USD", how.0: how.1});
    vec![
        ("/v1/refunds".to_owned(), json!({"order": uid, "ask": {"everything": true}})),
        ("/v1/refunds".to_owned(), json!({"order": uid, "ask": {"amount": "1.00"}})),
        (format!("/openapi/2022-01/orders/{shoplazza}/refund"), Value::Null),
        (format!("/openapi/2025-06/orders/{shoplazza}/refund"), json!({"refund": {"refund_total": "1.00"}})),
        (
            "/admin/openapi/v20220901/order/refund.json".to_owned(),
            json!({"order_id": shopline, "transactions": [{"amount": "1.00", "type": true}]}),
        ),
        ("/refunds".to_owned(), river(("percent", "100"))),
        ("/refunds".to_owned(), river(("amount", "1.00"))),
    ]
}
