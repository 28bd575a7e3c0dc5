//! A payment provider to try things on, with books of its own.
//!
//! The books are what makes it worth having: whatever the engine believes, they say what was really paid, so a test can
//! end by comparing the two. They live in this process ([`Simulated::local`]) or behind HTTP ([`Simulated::remote`]
//! against [`serve`]), where they outlive a crash of the engine. No money moves. Its time is given to it ([`Time`]) and
//! its chance is a seed ([`Faults`]): the same calls at the same times get the same answers.
//!
//! Everything is paid at once, unless the account name, the payment reference or the last four digits of the amount in
//! minor units are a script, or the faults have something else for the key. A name goes before a reference, that before
//! an amount, and all of them before what the faults have for an order.
//!
//! | Account name | First answer | Look-up |
//! |---|---|---|
//! | `RefundFail`, `refundFail`, `RefundFailAfterPaymentInfo` | declined `refund_failed` | the same |
//! | `RefundFailWhileCreation` | declined `refund_not_created` | the same |
//! | `RefundFailedAfterPending` | pending | declined `refund_failed_after_pending` |
//! | `RefundPending` | pending | pending for ever |
//!
//! A payment reference asks for a script by its end: `pay_1.sim-late_failure`.
//!
//! | Amount ends in | Reference ends in `.sim-` and | First answer | Look-up |
//! |---|---|---|---|
//! | `4001` | `declined` | declined `expired_or_canceled_card` | the same |
//! | `4002` | `settles_on_lookup` | pending | done |
//! | `4003` | `answer_lost` | none, every time: paid, but the answer is lost (HTTP 500) | done |
//! | `4004` | `one_less` | done with one minor unit less than asked | the same |
//! | `4005` | `not_taken` | none, every time: not taken (HTTP 503) | unknown key |
//! | `4006` | `slow_settlement` | pending | done, from 10 seconds on |
//! | `4007` | `late_failure` | done | declined `account_closed`, from a minute on |
//! | `4008` | `rate_limited_once` | HTTP 429 the first time; done the second | unknown key, then done |
//! | `4009` | `down_once` | HTTP 503 the first time; done the second | unknown key, then done |
//! | `4010` | `cut_before_once` | cut and not taken the first time; done the second | unknown key, then done |
//! | `4011` | `cut_after_once` | cut and paid the first time; done the second | done |
//! | `4012` | `slow_failure` | pending | declined `account_closed`, from 10 seconds on |
//! | `4013` | `never_settles` | pending | pending for ever |
//! | `4014` | `slow_answer` | done, after 2 seconds | done |
//! | `4015` | `delivered_twice` | done; its event is delivered twice | done |
//! | `4016` | `delivered_late` | done; its event is delivered an hour late | done |
//! | `4017` | `never_delivered` | done; its event is never delivered | done |
//!
//! Amounts of zero or less are declined `invalid_amount`. What a call meets (`4003`, `4005`, `4008` to `4011`) holds
//! for every name. Times are by the provider's clock, which can be moved.
//!
//! The wire:
//! ```text
//! POST /refunds        {"key","payment","currency","amount_minor","account"}
//!   200                {"key","reference","status":"done|pending|declined","amount_minor","currency","code","message"}
//!   400 413            the body is not such an order, or is over 64 KiB
//!   429 500 503        {"error"}: too many requests (Retry-After); perhaps taken; not taken. Or the connection is cut.
//! GET /refunds/{key}   200 as above, 404 {"error":"unknown_key"}; 429, 500, 503 and cut as above
//! GET /refunds?from_ms=&to_ms=&after=   the refunds made from the first moment on and before the second
//!   200                {"refunds":[{"refund","key","payment","status","amount_minor","currency","made_ms"}],"next"}
//! GET /statement.csv?from_ms=&to_ms=    the same as CSV: refund,key,payment,status,amount_minor,currency,made_ms
//! GET /books           200 {"now_ms","count","paid_minor":{"USD":n},"external_minor":{},"paid_twice":[key],
//!                           "undelivered","refunds":[{"key","reference","payment","amount_minor","currency","status",
//!                           "code","paid_minor","times_paid","taken_ms","changed_ms"}],"external":[],"disputes":[]}
//! POST /dashboard/refunds         {"payment","amount_minor","currency"}: a refund that we did not ask for
//! POST /dashboard/disputes        the same: a dispute is opened, answered with its "id"
//! POST /dashboard/disputes/{id}   {"stage":"won|lost|open"}
//! POST /clock                     {"advance_ms"}: moves the provider's clock ahead; answers {"now_ms"}
//! ```
//!
//! Its events, where somebody wants to hear them (`--notify`), delivered until a status of 200 to 299 confirms them:
//! ```text
//! Simulated-Signature: t=SECONDS,v1=HEX     HMAC-SHA-256 with the shared secret over SECONDS, a dot and the body
//! {"id","type":"refund.succeeded|refund.updated|refund.failed","created_ms",
//!  "refund":{"reference","key","payment","status","amount_minor","currency","code","message"}}
//! {"id","type":"dispute.opened|dispute.won|dispute.lost","created_ms",
//!  "dispute":{"id","payment","amount_minor","currency","stage","opened_ms","changed_ms"}}
//! ```
//!
//! A simulation keeps a [`BookKeeper`] with a [`Time::Shared`] clock and a [`Secret`], hands a clone of it to
//! [`Simulated::local`], and between its steps delivers what is [`due`](BookKeeper::due). When nothing is left to do,
//! [`next_ms`](BookKeeper::next_ms) is the moment to set the clock to. [`Faults::calmed`] lets what was begun come to
//! its end, and then [`Books::accounts`] has what was paid.

mod books;
mod events;
mod faults;
mod keeper;
mod line;
mod lists;
mod notify;
mod outbox;
mod scripts;
mod server;

use serde::Deserialize;

pub use books::{
    Account, Books, Dashboard, Dispute, ExternalRefund, IDEMPOTENCY_MISMATCH, Outcome, RefundOrder, Status,
};
pub use faults::{Faults, Millis, Outage};
pub use keeper::{BookKeeper, NoAnswer, Posting, Secret, Setup, Time};
pub use notify::notify;
pub use server::{listen, serve};

use crate::text::form_encoded;
use crate::{
    Answer, Ask, Capabilities, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, KeyMemory, Method, Page, Purpose,
    Span, StatementFault, StatementLine, Step,
};

/// The driver of the simulated provider.
#[derive(Clone, Debug)]
pub struct Simulated {
    place: Place,
    secret: Option<Secret>,
    remembers_keys: KeyMemory,
}

#[derive(Clone, Debug)]
enum Place {
    Local(BookKeeper),
    Remote { base_url: String },
}

impl Simulated {
    /// A provider in this process. Its steps answer directly; keep a clone of the books to look into them.
    pub fn local(books: BookKeeper) -> Simulated {
        const DAY_MS: i64 = 24 * 3_600_000;
        let remembers_keys = match books.faults().remembers_keys_ms {
            None => KeyMemory::Forever,
            Some(kept_ms) => KeyMemory::Days(u32::try_from(kept_ms / DAY_MS).unwrap_or(0)),
        };
        Simulated { place: Place::Local(books), secret: None, remembers_keys }
    }

    /// A provider behind HTTP, for example `http://127.0.0.1:9090`.
    pub fn remote(base_url: &str) -> Simulated {
        let place = Place::Remote { base_url: base_url.trim_end_matches('/').to_owned() };
        Simulated { place, secret: None, remembers_keys: KeyMemory::Forever }
    }

    /// The same, hearing deliveries that are signed with this secret. An empty one is none.
    #[must_use]
    pub fn with_secret(self, secret: &str) -> Simulated {
        Simulated { secret: Some(Secret(secret.to_owned())).filter(|secret| !secret.0.is_empty()), ..self }
    }

    /// The same, for a provider that forgets keys.
    #[must_use]
    pub fn remembering(self, remembers_keys: KeyMemory) -> Simulated {
        Simulated { remembers_keys, ..self }
    }
}

impl Gateway for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::without_limits(self.remembers_keys)
    }

    fn refund(&self, ask: &Ask) -> Step {
        let order = order(ask);
        match &self.place {
            Place::Local(books) => Step::Answer(match books.refund(&order) {
                Ok(outcome) => understood(ask, outcome),
                Err(no_answer) => unanswered(Purpose::Refund, no_answer),
            }),
            Place::Remote { base_url } => match serde_json::to_vec(&order) {
                Ok(body) => Step::Http(HttpRequest {
                    method: Method::Post,
                    url: format!("{base_url}/refunds"),
                    headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                    body,
                }),
                Err(_) => Step::Answer(unknown("the order could not be written as JSON")),
            },
        }
    }

    fn lookup(&self, ask: &Ask) -> Step {
        let key = ask.key();
        match &self.place {
            Place::Local(books) => Step::Answer(match books.lookup(&key) {
                Ok(Some(outcome)) => understood(ask, outcome),
                Ok(None) => Answer::NotFound,
                Err(no_answer) => unanswered(Purpose::Lookup, no_answer),
            }),
            Place::Remote { base_url } => Step::Http(HttpRequest {
                method: Method::Get,
                url: format!("{base_url}/refunds/{key}"),
                headers: Vec::new(),
                body: Vec::new(),
            }),
        }
    }

    fn read(&self, purpose: Purpose, ask: &Ask, outcome: HttpOutcome) -> Step {
        let (status, body) = match outcome {
            HttpOutcome::Answered { status, body } => (status, body),
            unanswered => return Answer::unanswered(purpose, unanswered).into(),
        };
        Step::Answer(match (purpose, status) {
            (_, 200) => match serde_json::from_slice(&body) {
                Ok(outcome) => understood(ask, outcome),
                Err(_) => unknown("status 200, but the body is not an outcome"),
            },
            (Purpose::Lookup, 404) if says(server::UNKNOWN_KEY, &body) => Answer::NotFound,
            (Purpose::Refund, 429) if says(server::RATE_LIMITED, &body) => {
                Answer::NotTaken { reason: TOO_MANY.to_owned() }
            }
            (_, other) => Answer::Unknown { reason: format!("status {other}") },
        })
    }

    fn hear(&self, delivery: &Delivery<'_>) -> Heard {
        events::hear(self.secret.as_ref().map(|secret| secret.0.as_bytes()), delivery)
    }

    fn statement(&self, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
        lists::read_csv(file)
    }

    fn list(&self, span: Span) -> Option<HttpRequest> {
        self.page(span, "")
    }

    fn read_list(&self, span: Span, _: &HttpRequest, outcome: HttpOutcome) -> Result<Page, StatementFault> {
        let page: lists::ListPage = match outcome {
            HttpOutcome::Answered { status: 200, body } => serde_json::from_slice(&body)
                .map_err(|_| StatementFault::whole("status 200, but the body is not a page of refunds"))?,
            HttpOutcome::Answered { status, .. } => return Err(StatementFault::whole(format!("status {status}"))),
            HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => {
                return Err(StatementFault::whole(reason));
            }
        };
        let next = if page.next.is_empty() { None } else { self.page(span, &page.next) };
        Ok(Page { lines: page.refunds.into_iter().map(|listed| listed.line(0)).collect(), next })
    }
}

impl Simulated {
    /// How to ask for a page of the refunds of a span, behind the refund `after`.
    fn page(&self, span: Span, after: &str) -> Option<HttpRequest> {
        let Place::Remote { base_url } = &self.place else {
            return None;
        };
        let (Span { from_ms, to_ms, .. }, after) = (span, form_encoded(after));
        let url = format!("{base_url}/refunds?from_ms={from_ms}&to_ms={to_ms}&after={after}");
        Some(HttpRequest { method: Method::Get, url, headers: Vec::new(), body: Vec::new() })
    }
}

const TOO_MANY: &str = "too many requests";

fn order(ask: &Ask) -> RefundOrder {
    RefundOrder {
        key: ask.key(),
        payment: ask.payment_reference.clone(),
        currency: ask.currency.clone(),
        amount_minor: ask.amount_minor,
        account: ask.script.clone(),
    }
}

fn understood(ask: &Ask, outcome: Outcome) -> Answer {
    if outcome.key != ask.key() {
        return unknown("the answer is about another key");
    }
    match outcome.status {
        // It refuses this request but says nothing about the money: an earlier one under the key may have been paid.
        Status::Declined if outcome.code == IDEMPOTENCY_MISMATCH => unknown("the key was used with other figures"),
        Status::Done | Status::Pending | Status::Declined => outcome.into(),
    }
}

/// A 404 alone may come from a wrong address or a proxy; only the provider's own words free the money to be sent again.
fn says(word: &str, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    serde_json::from_slice(body).is_ok_and(|refusal: Refusal| refusal.error == word)
}

fn unanswered(purpose: Purpose, no_answer: NoAnswer) -> Answer {
    unknown(match (purpose, no_answer) {
        (Purpose::Refund, NoAnswer::Refused) => return Answer::NotTaken { reason: TOO_MANY.to_owned() },
        (Purpose::Lookup, NoAnswer::Refused) => TOO_MANY,
        (_, NoAnswer::Cut) => "simulated: the connection was cut",
        (_, NoAnswer::Lost) => "simulated: the answer got lost",
        (_, NoAnswer::NotTaken) => "simulated: out of service",
        (_, NoAnswer::FileBroken) => "the simulated provider cannot write its books",
    })
}

fn unknown(reason: &str) -> Answer {
    Answer::Unknown { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask {
            leg_id: 123_456_789_012_345_678,
            refund_id: 1,
            payment_reference: "pay_1".to_owned(),
            channel: "credit_card".to_owned(),
            amount_minor: 1000,
            currency: "USD".to_owned(),
            script: "Ada Byron".to_owned(),
            refund_reference: String::new(),
            key_age_ms: 0,
            now_ms: 0,
        }
    }

    const DONE: &str = concat!(
        r#"{"key":"123456789012345678","reference":"sim_1","status":"done","#,
        r#""amount_minor":1000,"currency":"USD","code":"","message":""}"#
    );

    #[test]
    fn asks_in_the_documented_words() {
        let gateway = Simulated::remote("http://provider:9090/");
        let Step::Http(refund) = gateway.refund(&ask()) else { panic!("a remote step is a request") };
        assert_eq!((refund.method, refund.url.as_str()), (Method::Post, "http://provider:9090/refunds"));
        assert_eq!(
            String::from_utf8(refund.body.clone()).unwrap(),
            concat!(
                r#"{"key":"123456789012345678","payment":"pay_1","currency":"USD","#,
                r#""amount_minor":1000,"account":"Ada Byron"}"#
            )
        );
        assert!(!format!("{refund:?} {:?}", ask()).contains("Ada"), "no personal data in debug output");

        let Step::Http(lookup) = gateway.lookup(&ask()) else { panic!("a remote step is a request") };
        assert_eq!(
            (lookup.method, lookup.url.as_str()),
            (Method::Get, "http://provider:9090/refunds/123456789012345678")
        );
    }

    #[test]
    fn the_figures_of_an_answer_are_the_providers() {
        let other = DONE.replace("1000", "999").replace("USD", "EUR");
        let answer = read(Purpose::Refund, 200, &other);
        let expected = Answer::Done { reference: "sim_1".to_owned(), amount_minor: 999, currency: "EUR".to_owned() };
        assert_eq!(answer, expected);
    }

    #[test]
    fn amounts_are_read_from_their_text() {
        let large = DONE.replace("1000", "9007199254740993");
        assert!(matches!(read(Purpose::Lookup, 200, &large), Answer::Done { amount_minor: 9_007_199_254_740_993, .. }));
        for amount in ["10.00", "1e3", "\"1000\"", "9223372036854775808", "null"] {
            assert_unknown(Purpose::Refund, 200, &DONE.replace("1000", amount));
        }
    }

    #[test]
    fn only_an_explicit_yes_or_no_is_final() {
        for purpose in [Purpose::Refund, Purpose::Lookup] {
            for status in [201, 204, 301, 400, 401, 404, 409, 413, 429, 500, 503] {
                assert_unknown(purpose, status, DONE);
                assert_unknown(purpose, status, "");
            }
            for body in ["", "null", "[]", "<html>", "{}", &DONE[..DONE.len() - 1]] {
                assert_unknown(purpose, 200, body);
            }
            assert_unknown(purpose, 200, &DONE.replace("done", "paid"));
            assert_unknown(purpose, 200, &DONE.replace("123456789012345678", "1"));
            let mismatch = DONE.replace("done", "declined").replace(r#""code":"""#, r#""code":"idempotency_mismatch""#);
            assert_unknown(purpose, 200, &mismatch);
            let broken = HttpOutcome::Broken { reason: "cut".to_owned() };
            assert!(matches!(understood_as(purpose, broken), Answer::Unknown { .. }));
        }
        let not_sent = || HttpOutcome::NotSent { reason: "refused".to_owned() };
        assert!(matches!(understood_as(Purpose::Lookup, not_sent()), Answer::Unknown { .. }));
        assert!(matches!(understood_as(Purpose::Refund, not_sent()), Answer::NotTaken { .. }));
    }

    #[test]
    fn not_found_needs_the_providers_own_words_and_a_look_up() {
        let words = r#"{"error":"unknown_key"}"#;
        assert_eq!(read(Purpose::Lookup, 404, words), Answer::NotFound);
        assert_unknown(Purpose::Refund, 404, words);
        assert_unknown(Purpose::Lookup, 404, r#"{"error":"not_found"}"#);
        assert_unknown(Purpose::Lookup, 410, words);
    }

    #[test]
    fn local_answers_directly() {
        let books = BookKeeper::in_memory();
        let gateway = Simulated::local(books.clone());
        let done =
            Answer::Done { reference: format!("sim_{}", ask().key()), amount_minor: 1000, currency: "USD".to_owned() };
        assert_eq!(direct(gateway.lookup(&ask())), Answer::NotFound);
        assert_eq!(direct(gateway.refund(&ask())), done);
        assert_eq!(direct(gateway.refund(&ask())), done);
        assert_eq!(direct(gateway.lookup(&ask())), done);

        let clash = Ask { amount_minor: 2000, ..ask() };
        assert!(matches!(direct(gateway.refund(&clash)), Answer::Unknown { .. }));
        assert_eq!(direct(gateway.lookup(&clash)), done, "the look-up tells what was paid under the key");

        let lost = Ask { leg_id: 2, amount_minor: 4003, ..ask() };
        assert!(matches!(direct(gateway.refund(&lost)), Answer::Unknown { .. }));
        assert!(matches!(direct(gateway.lookup(&lost)), Answer::Done { amount_minor: 4003, .. }));

        let not_taken = Ask { leg_id: 3, amount_minor: 4005, ..ask() };
        assert!(matches!(direct(gateway.refund(&not_taken)), Answer::Unknown { .. }));
        assert_eq!(direct(gateway.lookup(&not_taken)), Answer::NotFound);
        assert_eq!(books.read(Books::count), 2);
    }

    fn direct(step: Step) -> Answer {
        match step {
            Step::Answer(answer) => answer,
            Step::Http(request) => panic!("nothing more is to be sent: {request:?}"),
        }
    }

    fn read(purpose: Purpose, status: u16, body: &str) -> Answer {
        understood_as(purpose, HttpOutcome::Answered { status, body: body.as_bytes().to_vec() })
    }

    fn understood_as(purpose: Purpose, outcome: HttpOutcome) -> Answer {
        direct(Simulated::remote("http://provider").read(purpose, &ask(), outcome))
    }

    #[track_caller]
    fn assert_unknown(purpose: Purpose, status: u16, body: &str) {
        let answer = read(purpose, status, body);
        assert!(matches!(answer, Answer::Unknown { .. }), "{purpose:?} {status} {body}: {answer:?}");
    }
}
