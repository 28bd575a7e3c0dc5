//! The simulated provider's books: pure, in memory, no clock. The scripts it reacts to are in the parent's table.

use std::collections::BTreeMap;
use std::collections::btree_map;

use serde::{Deserialize, Serialize};

/// The code of a decline whose key was used before with other figures.
pub const IDEMPOTENCY_MISMATCH: &str = "idempotency_mismatch";

/// Every refund the provider was ever asked for, by key.
#[derive(Clone, Debug, Default)]
pub struct Books {
    entries: BTreeMap<String, Entry>,
}

impl Books {
    /// Takes an order, once for each key: the same figures again get the first answer again, other figures are declined
    /// with [`IDEMPOTENCY_MISMATCH`] and leave the books as they are.
    pub fn refund(&mut self, order: &RefundOrder) -> Outcome {
        self.refund_noting(order).0
    }

    /// What became of the refund with this key; `None` if there is none. A scripted refund may settle by being looked
    /// up, for there is no clock that could settle it.
    pub fn lookup(&mut self, key: &str) -> Option<Outcome> {
        self.lookup_noting(key).map(|(outcome, _)| outcome)
    }

    /// Every refund as it stands now, by key.
    pub fn refunds(&self) -> impl Iterator<Item = Outcome> {
        self.entries.values().map(|entry| outcome(&entry.order, &entry.now))
    }

    /// What was really paid out, by currency, in minor units. As wide as a sum of any number of amounts needs.
    pub fn paid_minor(&self) -> BTreeMap<String, i128> {
        let mut totals = BTreeMap::new();
        for entry in self.entries.values().filter(|entry| entry.now.status == Status::Done) {
            *totals.entry(entry.order.currency.clone()).or_insert(0) += i128::from(entry.now.amount_minor);
        }
        totals
    }

    /// How many refunds are in the books, whatever became of them.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// As [`refund`](Books::refund), with the line to write down if the books changed.
    pub(super) fn refund_noting(&mut self, order: &RefundOrder) -> (Outcome, Option<Line>) {
        match self.entries.entry(order.key.clone()) {
            btree_map::Entry::Occupied(known) if known.get().order.same_figures(order) => {
                (outcome(order, &known.get().first), None)
            }
            btree_map::Entry::Occupied(_) => {
                let told = "this key was used before with another payment, amount or currency";
                (outcome(order, &Verdict::declined(order, IDEMPOTENCY_MISMATCH, told)), None)
            }
            btree_map::Entry::Vacant(free) => {
                let verdict = first_verdict(order);
                free.insert(Entry { order: order.clone(), first: verdict.clone(), now: verdict.clone() });
                (outcome(order, &verdict), Some(Line { order: order.clone(), verdict }))
            }
        }
    }

    /// As [`lookup`](Books::lookup), with the line to write down if the books changed.
    pub(super) fn lookup_noting(&mut self, key: &str) -> Option<(Outcome, Option<Line>)> {
        let entry = self.entries.get_mut(key)?;
        let settled = match entry.now.status {
            Status::Pending => later_verdict(&entry.order),
            Status::Done | Status::Declined => None,
        };
        if let Some(verdict) = &settled {
            entry.now = verdict.clone();
        }
        let line = settled.map(|verdict| Line { order: entry.order.clone(), verdict });
        Some((outcome(&entry.order, &entry.now), line))
    }

    /// Puts a written line back: the first of a key is its first answer, the last is how it stands.
    pub(super) fn restore(&mut self, line: Line) {
        let Line { order, verdict } = line;
        self.entries
            .entry(order.key.clone())
            .and_modify(|entry| entry.now = verdict.clone())
            .or_insert_with(|| Entry { order, first: verdict.clone(), now: verdict });
    }
}

/// What the provider is asked to pay; also the body of `POST /refunds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundOrder {
    /// The idempotency key.
    pub key: String,
    /// The provider's id of the original payment; may be empty.
    #[serde(default)]
    pub payment: String,
    /// ISO 4217 code.
    pub currency: String,
    /// What to pay back, in minor units.
    pub amount_minor: i64,
    /// The account name on the payment; may be empty. Some names are scripts.
    #[serde(default)]
    pub account: String,
}

impl RefundOrder {
    /// The account name is left out: it moves no money.
    fn same_figures(&self, other: &RefundOrder) -> bool {
        self.payment == other.payment && self.currency == other.currency && self.amount_minor == other.amount_minor
    }
}

/// How a refund stands, as the provider tells it; also the body of its answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The idempotency key.
    pub key: String,
    /// The provider's id of the refund; empty when declined.
    pub reference: String,
    /// How it stands.
    pub status: Status,
    /// What was or will be paid, in minor units; when declined, what was asked.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// Why it was declined; else empty.
    #[serde(default)]
    pub code: String,
    /// The same for a person; else empty.
    #[serde(default)]
    pub message: String,
}

/// How a refund stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Paid.
    Done,
    /// Taken, not paid yet.
    Pending,
    /// Not paid, and never will be.
    Declined,
}

/// Something that keeps a refund order from being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// It is booked and paid, but the answer is lost.
    AnswerLost,
    /// It never gets into the books.
    NotTaken,
}

/// The mishap scripted for an order. A function of the order alone, so every repetition meets it too.
pub(super) fn mishap(order: &RefundOrder) -> Option<Mishap> {
    match magic(order.amount_minor) {
        4003 => Some(Mishap::AnswerLost),
        4005 => Some(Mishap::NotTaken),
        _ => None,
    }
}

/// A change of the books, as it is written down.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    order: RefundOrder,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
struct Entry {
    order: RefundOrder,
    first: Verdict,
    now: Verdict,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Verdict {
    status: Status,
    amount_minor: i64,
    code: String,
    message: String,
}

impl Verdict {
    fn paying(status: Status, amount_minor: i64) -> Verdict {
        Verdict { status, amount_minor, code: String::new(), message: String::new() }
    }

    fn declined(order: &RefundOrder, code: &str, message: &str) -> Verdict {
        Verdict {
            status: Status::Declined,
            amount_minor: order.amount_minor,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

/// What the provider says when it first hears of an order. A name goes before an amount.
fn first_verdict(order: &RefundOrder) -> Verdict {
    if order.amount_minor <= 0 {
        return Verdict::declined(order, "invalid_amount", "an amount must be above zero");
    }
    match order.account.as_str() {
        "RefundFail" | "refundFail" | "RefundFailAfterPaymentInfo" => {
            return Verdict::declined(order, "refund_failed", "scripted by the account name");
        }
        "RefundFailWhileCreation" => {
            return Verdict::declined(order, "refund_not_created", "scripted by the account name");
        }
        "RefundPending" | "RefundFailedAfterPending" => {
            return Verdict::paying(Status::Pending, order.amount_minor);
        }
        _ => {}
    }
    match magic(order.amount_minor) {
        4001 => Verdict::declined(order, "expired_or_canceled_card", "scripted by the amount"),
        4002 => Verdict::paying(Status::Pending, order.amount_minor),
        4004 => Verdict::paying(Status::Done, order.amount_minor - 1),
        _ => Verdict::paying(Status::Done, order.amount_minor),
    }
}

/// What a pending order becomes when it is looked up; `None` leaves it pending.
fn later_verdict(order: &RefundOrder) -> Option<Verdict> {
    match order.account.as_str() {
        "RefundPending" => None,
        "RefundFailedAfterPending" => {
            Some(Verdict::declined(order, "refund_failed_after_pending", "scripted by the account name"))
        }
        _ => Some(Verdict::paying(Status::Done, order.amount_minor)),
    }
}

/// The last four digits of an amount, which may be a script.
fn magic(amount_minor: i64) -> i64 {
    amount_minor % 10_000
}

fn outcome(order: &RefundOrder, verdict: &Verdict) -> Outcome {
    let reference = match verdict.status {
        Status::Done | Status::Pending => format!("sim_{}", order.key),
        Status::Declined => String::new(),
    };
    Outcome {
        key: order.key.clone(),
        reference,
        status: verdict.status,
        amount_minor: verdict.amount_minor,
        currency: order.currency.clone(),
        code: verdict.code.clone(),
        message: verdict.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(key: &str, account: &str, amount_minor: i64) -> RefundOrder {
        RefundOrder {
            key: key.to_owned(),
            payment: "pay_1".to_owned(),
            currency: "USD".to_owned(),
            amount_minor,
            account: account.to_owned(),
        }
    }

    /// account name, amount: status and code at first, after a look-up, after another; paid in the end.
    const SCRIPTS: &[(&str, i64, &str, &str, &str, i128)] = &[
        ("Ada Byron", 1000, "Done", "Done", "Done", 1000),
        ("RefundFail", 1000, "Declined refund_failed", "Declined refund_failed", "Declined refund_failed", 0),
        ("refundFail", 1000, "Declined refund_failed", "Declined refund_failed", "Declined refund_failed", 0),
        (
            "RefundFailAfterPaymentInfo",
            1000,
            "Declined refund_failed",
            "Declined refund_failed",
            "Declined refund_failed",
            0,
        ),
        (
            "RefundFailWhileCreation",
            1000,
            "Declined refund_not_created",
            "Declined refund_not_created",
            "Declined refund_not_created",
            0,
        ),
        (
            "RefundFailedAfterPending",
            1000,
            "Pending",
            "Declined refund_failed_after_pending",
            "Declined refund_failed_after_pending",
            0,
        ),
        ("RefundPending", 1000, "Pending", "Pending", "Pending", 0),
        ("RefundPending", 4001, "Pending", "Pending", "Pending", 0),
        (
            "",
            4001,
            "Declined expired_or_canceled_card",
            "Declined expired_or_canceled_card",
            "Declined expired_or_canceled_card",
            0,
        ),
        ("", 5_684_002, "Pending", "Done", "Done", 5_684_002),
        ("", 14003, "Done", "Done", "Done", 14003),
        ("", 4004, "Done", "Done", "Done", 4003),
        ("", 0, "Declined invalid_amount", "Declined invalid_amount", "Declined invalid_amount", 0),
        ("", -4001, "Declined invalid_amount", "Declined invalid_amount", "Declined invalid_amount", 0),
        ("", i64::MIN, "Declined invalid_amount", "Declined invalid_amount", "Declined invalid_amount", 0),
    ];

    #[test]
    fn scripts() {
        for (account, amount_minor, first, second, third, paid_minor) in SCRIPTS {
            let mut books = Books::default();
            let order = order("1", account, *amount_minor);
            let said = [
                told(&books.refund(&order)),
                told(&books.lookup("1").unwrap()),
                told(&books.lookup("1").unwrap()),
                told(&books.refund(&order)),
            ];
            assert_eq!(said, [*first, *second, *third, *first], "{account} {amount_minor}");
            assert_eq!(books.paid_minor().get("USD").copied().unwrap_or(0), *paid_minor, "{account} {amount_minor}");
            assert_eq!(books.count(), 1);
        }
    }

    fn told(outcome: &Outcome) -> String {
        format!("{:?} {}", outcome.status, outcome.code).trim_end().to_owned()
    }

    #[test]
    fn a_key_is_bound_to_its_first_figures() {
        let mut books = Books::default();
        let first = order("1", "", 1000);
        books.refund(&first);
        let others = [
            RefundOrder { amount_minor: 999, ..first.clone() },
            RefundOrder { currency: "EUR".to_owned(), ..first.clone() },
            RefundOrder { payment: "pay_2".to_owned(), ..first.clone() },
        ];
        for other in others {
            assert_eq!(books.refund(&other).code, IDEMPOTENCY_MISMATCH);
        }
        let renamed = RefundOrder { account: "RefundFail".to_owned(), ..first };
        assert_eq!(books.refund(&renamed).status, Status::Done, "the name is no figure: first answer again");
        assert_eq!(books.count(), 1);
        assert_eq!(books.paid_minor(), BTreeMap::from([("USD".to_owned(), 1000)]));
    }

    #[test]
    fn totals_are_kept_apart_by_currency_and_never_overflow() {
        let mut books = Books::default();
        for key in ["1", "2", "3"] {
            books.refund(&order(key, "", i64::MAX));
        }
        books.refund(&RefundOrder { currency: "JPY".to_owned(), ..order("4", "", 500) });
        let expected = BTreeMap::from([("USD".to_owned(), i128::from(i64::MAX) * 3), ("JPY".to_owned(), 500)]);
        assert_eq!(books.paid_minor(), expected);
        assert!(books.lookup("5").is_none());
    }
}
