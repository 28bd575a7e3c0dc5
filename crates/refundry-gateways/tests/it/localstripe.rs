//! The Stripe driver against localstripe, an emulator that others wrote, over real sockets.
//!
//! It lives in a virtual environment below the target folder, made when it is missing, so a first run needs Python 3
//! and the Python package index. `serve_localstripe.py`, beside this file, says what the emulator lacks and how it is
//! served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use refundry_gateways::{
    Answer, Ask, Gateway, HttpOutcome, Purpose, Settings, Step, Stripe, Transport, TransportLimits,
};
use serde_json::Value;

use crate::{get, post};

const PACKAGE: &str = "localstripe==1.15.10";
const KEY: &str = "sk_test_refundry";
const HOUR_MS: i64 = 3_600_000;

/// The emulator as a process of its own, ended with the test.
struct Emulator {
    process: Child,
    base_url: String,
    transport: Transport,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself already; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Emulator {
    fn start(mode: &str) -> Emulator {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve_localstripe.py");
        let mut command = Command::new(python());
        command.arg(script).arg(mode).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the virtual environment has a Python");
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe was asked for");
        BufReader::new(output).read_line(&mut line).expect("the emulator's output can be read");
        let base_url = format!("http://127.0.0.1:{}", line.trim());
        let emulator = Emulator { process, base_url, transport: Transport::new(TransportLimits::default()) };
        assert!(line.trim().parse::<u16>().is_ok(), "localstripe did not start, see its words above: {line:?}");
        emulator
    }

    fn driver(&self, key: &str) -> Stripe {
        let settings = [("secret_key", key), ("base_url", &self.base_url)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Stripe::open(&Settings(BTreeMap::from(settings))).expect("good settings")
    }

    async fn ask(&self, purpose: Purpose, ask: &Ask) -> Answer {
        self.transport.ask(&self.driver(KEY), purpose, ask).await
    }

    /// A call as a shop's checkout makes it, not the driver.
    async fn plain(&self, path: &str, form: Option<&str>) -> Value {
        let url = format!("{}{path}", self.base_url);
        let mut request = form.map_or_else(|| get(url.clone()), |form| post(url.clone(), form));
        request.headers.push(("authorization".to_owned(), format!("Bearer {KEY}")));
        request.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        match self.transport.call(request).await {
            HttpOutcome::Answered { status: 200, body } if body.is_empty() => Value::Null,
            HttpOutcome::Answered { status: 200, body } => serde_json::from_slice(&body).expect("a JSON body"),
            HttpOutcome::Answered { status, body } => panic!("{path}: {status} {}", String::from_utf8_lossy(&body)),
            other => panic!("{path}: {other:?}"),
        }
    }

    /// A payment by card: its payment intent.
    async fn pay(&self, amount: i64) -> String {
        let card = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123";
        let method = text(&self.plain("/v1/payment_methods", Some(card)).await["id"]);
        let form = format!("amount={amount}&currency=usd&payment_method={method}&confirm=true");
        let intent = self.plain("/v1/payment_intents", Some(&form)).await;
        assert_eq!(intent["status"], "succeeded");
        text(&intent["id"])
    }

    /// What the emulator says was paid back of a payment: how often, and how much.
    async fn paid_back(&self, intent: &str) -> (usize, i64) {
        let list = self.plain(&format!("/v1/refunds?payment_intent={intent}&limit=100"), None).await;
        let refunds = list["data"].as_array().expect("a list");
        (refunds.len(), refunds.iter().map(|refund| refund["amount"].as_i64().expect("an amount")).sum())
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn ask(leg_id: u64, payment: &str, amount_minor: i64, key_age_ms: i64) -> Ask {
    Ask { payment_reference: payment.to_owned(), key_age_ms, ..crate::ask(leg_id, amount_minor, "") }
}

/// Figures and reference of a refund that is paid.
#[track_caller]
fn done(answer: Answer) -> (i64, String) {
    match answer {
        Answer::Done { reference, amount_minor, currency } if currency == "USD" => (amount_minor, reference),
        other => panic!("not paid: {other:?}"),
    }
}

#[tokio::test]
async fn refunds_in_parts_and_never_twice() {
    let emulator = Emulator::start("strict");
    let payment = emulator.pay(5000).await;
    assert_eq!(emulator.ask(Purpose::Lookup, &ask(1, &payment, 2000, HOUR_MS)).await, Answer::NotFound);

    let (amount, reference) = done(emulator.ask(Purpose::Refund, &ask(1, &payment, 2000, 0)).await);
    assert_eq!(amount, 2000);
    // The same key, the list before the key, the list alone, and the id: one refund.
    let by_id = Ask { refund_reference: reference.clone(), ..ask(1, &payment, 2000, 0) };
    for (purpose, ask) in [
        (Purpose::Refund, ask(1, &payment, 2000, 0)),
        (Purpose::Refund, ask(1, &payment, 2000, 5_000)),
        (Purpose::Lookup, ask(1, &payment, 2000, 5_000)),
        (Purpose::Lookup, by_id),
    ] {
        assert_eq!(done(emulator.ask(purpose, &ask).await), (2000, reference.clone()), "{purpose:?} {ask:?}");
    }
    assert_eq!(emulator.paid_back(&payment).await, (1, 2000));

    // An answer that is lost: the refund is found, not made again.
    let Step::Http(request) = emulator.driver(KEY).refund(&ask(2, &payment, 1500, 0)) else { panic!("a request") };
    drop(emulator.transport.call(request).await);
    done(emulator.ask(Purpose::Lookup, &ask(2, &payment, 1500, 1_000)).await);
    assert_eq!(emulator.paid_back(&payment).await, (2, 3500));

    let above = emulator.ask(Purpose::Refund, &ask(3, &payment, 2000, 0)).await;
    assert!(matches!(&above, Answer::Declined { code, .. } if code == "invalid_request_error"), "{above:?}");
    assert_eq!(emulator.ask(Purpose::Lookup, &ask(3, &payment, 2000, HOUR_MS)).await, Answer::NotFound);
    done(emulator.ask(Purpose::Refund, &ask(4, &payment, 1500, 0)).await);
    let beyond = emulator.ask(Purpose::Refund, &ask(5, &payment, 1, 0)).await;
    assert!(matches!(&beyond, Answer::Declined { code, .. } if code == "charge_already_refunded"), "{beyond:?}");
    assert_eq!(emulator.paid_back(&payment).await, (3, 5000));

    let other_figures = emulator.ask(Purpose::Refund, &ask(1, &payment, 1999, 0)).await;
    assert!(matches!(other_figures, Answer::Unknown { .. }), "{other_figures:?}");
    let wrong_key = emulator.transport.ask(&emulator.driver("sk_x"), Purpose::Refund, &ask(6, &payment, 1, 0)).await;
    assert!(matches!(wrong_key, Answer::NotTaken { .. }), "{wrong_key:?}");
    // Stripe says `resource_missing` of a payment it does not have, and the leg is declined. The emulator says nothing
    // but 404, which may also come from a wrong address, so its leg stays in doubt.
    let unknown = emulator.ask(Purpose::Refund, &ask(7, "pi_unknown", 1, 0)).await;
    assert!(matches!(unknown, Answer::Unknown { .. }), "{unknown:?}");
    assert_eq!(emulator.paid_back(&payment).await, (3, 5000));
}

#[tokio::test]
async fn a_charge_with_more_refunds_than_a_page_holds() {
    const REFUNDS: u64 = 52;
    let emulator = Emulator::start("strict");
    let intent = emulator.pay(5200).await;
    let charge = text(&emulator.plain(&format!("/v1/payment_intents/{intent}"), None).await["latest_charge"]["id"]);
    for leg_id in 1..=REFUNDS {
        done(emulator.ask(Purpose::Refund, &ask(leg_id, &charge, 100, 0)).await);
    }
    for leg_id in 1..=REFUNDS {
        done(emulator.ask(Purpose::Lookup, &ask(leg_id, &charge, 100, HOUR_MS)).await);
    }
    assert_eq!(emulator.ask(Purpose::Lookup, &ask(REFUNDS + 1, &charge, 100, HOUR_MS)).await, Answer::NotFound);

    // Keys that are forgotten, as Stripe may after a day: the list still knows.
    emulator.plain("/_config/forget_keys", Some("")).await;
    done(emulator.ask(Purpose::Refund, &ask(1, &charge, 100, 25 * HOUR_MS)).await);
    assert_eq!(emulator.paid_back(&intent).await, (52, 5200));
}

/// The emulator as it is knows no keys and no limit. What it does wrong, Stripe may not; but a leg that was paid twice
/// is never taken for one that was paid.
#[tokio::test]
async fn a_provider_that_pays_twice_is_seen() {
    let emulator = Emulator::start("as-is");
    let payment = emulator.pay(1000).await;
    for _ in 0..2 {
        done(emulator.ask(Purpose::Refund, &ask(1, &payment, 600, 0)).await);
    }
    assert_eq!(emulator.paid_back(&payment).await, (2, 1200), "it ignores the key, and pays more than it took");
    let seen = emulator.ask(Purpose::Lookup, &ask(1, &payment, 600, HOUR_MS)).await;
    assert_eq!(seen, Answer::unknown("two refunds carry this leg"));
}

/// The Python of the virtual environment, which is made first if it is not whole.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = home.join(PACKAGE.replace("==", "-"));
    let python = environment.join("bin/python");
    let whole = environment.join("whole");
    // Tests of other processes may be at it, too.
    let lock = File::create(home.join("localstripe.lock")).expect("the target folder can be written");
    lock.lock().expect("the target folder can hold a lock");
    if !whole.exists() {
        if environment.exists() {
            fs::remove_dir_all(&environment).expect("half an environment can be removed");
        }
        let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).output();
        let hint = "tests need Python 3 with venv; on Debian: apt-get install python3 python3-venv";
        succeeded(made.unwrap_or_else(|error| panic!("python3: {error}; {hint}")), hint);
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", PACKAGE]);
        let hint = "tests install it from the Python package index";
        succeeded(pip.output().expect("the virtual environment has a Python"), hint);
        File::create(&whole).expect("the target folder can be written");
    }
    python
}

fn succeeded(output: Output, hint: &str) {
    let words = [output.stdout, output.stderr].map(|words| String::from_utf8_lossy(&words).into_owned());
    assert!(output.status.success(), "{hint}\n{}{}", words[0], words[1]);
}
