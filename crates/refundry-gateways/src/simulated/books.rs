//! The simulated provider's books: pure, in memory; the time is an argument. What becomes of an order is decided in
//! [`super::scripts`] when it is taken, later changes included, and stands in the books from then on.
//!
//! A change is first a [`Line`], which is written down, and then applied: reading the lines again in their order gives
//! the same books.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::faults::{Call, Faults};
use super::line::{Asked, Line, Planned, RefundLine};
use super::scripts::{course, settled_by_lookup};
use crate::DisputeStage;

/// The code of a decline whose key was used before with other figures.
pub const IDEMPOTENCY_MISMATCH: &str = "idempotency_mismatch";

/// Every refund the provider was ever asked for, by key, and what else happened to its payments.
#[derive(Clone, Debug, Default)]
pub struct Books {
    entries: BTreeMap<String, Entry>,
    external: Vec<ExternalRefund>,
    disputes: BTreeMap<String, (Dispute, u32)>,
    /// When refunds change by themselves next, by time and key.
    plans: BTreeSet<(i64, String)>,
    /// How often keys were asked for: to pay, and what became of them.
    asked: BTreeMap<String, (u32, u32)>,
    clock_ahead_ms: i64,
}

impl Books {
    /// Takes an order, once for each key: the same figures again get the first answer again, other figures are declined
    /// with [`IDEMPOTENCY_MISMATCH`] and leave the books as they are. A key that was forgotten is a new one.
    pub fn refund(&mut self, order: &RefundOrder, faults: &Faults, now_ms: i64) -> Outcome {
        self.advance(now_ms);
        let (outcome, line) = self.refund_noting(order, faults, now_ms);
        if let Some(line) = line {
            self.apply(&line);
        }
        outcome
    }

    /// What became of the refund with this key; `None` if there is none. A refund that is scripted so settles by being
    /// looked up.
    pub fn lookup(&mut self, key: &str, now_ms: i64) -> Option<Outcome> {
        self.advance(now_ms);
        let (outcome, line) = self.lookup_noting(key, now_ms)?;
        if let Some(line) = line {
            self.apply(&line);
        }
        Some(outcome)
    }

    /// Lets happen what was to happen until now.
    pub fn advance(&mut self, now_ms: i64) {
        while let Some(line) = self.next_change(now_ms) {
            self.apply(&line);
        }
    }

    /// Every refund as it stands now, by key.
    pub fn refunds(&self) -> impl Iterator<Item = Outcome> {
        self.entries.values().map(Entry::outcome)
    }

    /// Every key, and what was paid under it.
    pub fn accounts(&self) -> impl Iterator<Item = Account> {
        self.entries.values().map(Entry::account)
    }

    /// What was paid under a key.
    pub fn account(&self, key: &str) -> Option<Account> {
        self.entries.get(key).map(Entry::account)
    }

    /// Keys that were paid more than once. Empty, unless the provider forgets keys and was trusted not to.
    pub fn paid_twice(&self) -> Vec<String> {
        self.accounts().filter(|account| account.times_paid > 1).map(|account| account.outcome.key).collect()
    }

    /// What was really paid out for orders, by currency, in minor units; what turned into a failure is taken off, and
    /// refunds made at the dashboard are not in it. As wide as a sum of any number of amounts needs.
    pub fn paid_minor(&self) -> BTreeMap<String, i128> {
        let mut totals = BTreeMap::new();
        let rounds = self.entries.values().flat_map(Entry::rounds);
        for round in rounds.filter(|round| round.now.status == Status::Done) {
            add(&mut totals, &round.order.currency, round.now.amount_minor);
        }
        totals
    }

    /// What was refunded at the dashboard, by currency, in minor units.
    pub fn external_minor(&self) -> BTreeMap<String, i128> {
        let mut totals = BTreeMap::new();
        self.external.iter().for_each(|external| add(&mut totals, &external.currency, external.amount_minor));
        totals
    }

    /// How many refunds are in the books, whatever became of them; those made at the dashboard are not.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Refunds that were made at the dashboard, oldest first.
    pub fn external(&self) -> &[ExternalRefund] {
        &self.external
    }

    /// Disputes, by id.
    pub fn disputes(&self) -> impl Iterator<Item = &Dispute> {
        self.disputes.values().map(|(dispute, _)| dispute)
    }

    /// When a refund changes by itself next.
    pub fn next_change_ms(&self) -> Option<i64> {
        self.plans.first().map(|(at_ms, _)| *at_ms)
    }

    /// How far the provider's clock was moved ahead.
    pub(super) fn clock_ahead_ms(&self) -> i64 {
        self.clock_ahead_ms
    }

    /// As [`refund`](Books::refund), with the line to write down and apply if the books change.
    pub(super) fn refund_noting(&self, order: &RefundOrder, faults: &Faults, now_ms: i64) -> (Outcome, Option<Line>) {
        let entry = self.entries.get(&order.key);
        let forgotten = |entry: &Entry| {
            faults.remembers_keys_ms.is_some_and(|kept_ms| now_ms.saturating_sub(entry.round.taken_ms) >= kept_ms)
        };
        match entry {
            Some(entry) if !forgotten(entry) => {
                let known = &entry.round;
                if known.order.same_figures(order) {
                    return (known.outcome(&known.first, entry.earlier.len()), None);
                }
                let told = "this key was used before with another payment, amount or currency";
                let verdict = Verdict::declined(order, IDEMPOTENCY_MISMATCH, told);
                (outcome(order, &verdict, 0), None)
            }
            entry => {
                let times = entry.map_or(0, |entry| entry.earlier.len() + 1);
                let course = course(order, faults, u32::try_from(times).unwrap_or(u32::MAX));
                let told = outcome(order, &course.first, times);
                let planned = |(after_ms, verdict)| Planned { at_ms: now_ms.saturating_add(after_ms), verdict };
                let line = RefundLine {
                    order: order.clone(),
                    verdict: course.first,
                    at_ms: now_ms,
                    plan: course.later.into_iter().map(planned).collect(),
                    again: times > 0,
                };
                (told, Some(Line::Refund(line)))
            }
        }
    }

    /// As [`lookup`](Books::lookup), with the line to write down and apply if the books change.
    pub(super) fn lookup_noting(&self, key: &str, now_ms: i64) -> Option<(Outcome, Option<Line>)> {
        let entry = self.entries.get(key)?;
        let settled = match entry.round.now.status {
            Status::Pending => settled_by_lookup(&entry.round.order),
            Status::Done | Status::Declined => None,
        };
        let told = match &settled {
            Some(verdict) => entry.round.outcome(verdict, entry.earlier.len()),
            None => entry.outcome(),
        };
        Some((told, settled.map(|verdict| entry.changed(verdict, now_ms))))
    }

    /// The oldest change that was to happen until now, as a line to write down and apply.
    pub(super) fn next_change(&self, now_ms: i64) -> Option<Line> {
        let (at_ms, key) = self.plans.first().filter(|(at_ms, _)| *at_ms <= now_ms)?;
        let entry = self.entries.get(key)?;
        let planned = entry.round.plan.front()?;
        Some(entry.changed(planned.verdict.clone(), *at_ms))
    }

    /// A refund made at the dashboard, as a line.
    pub(super) fn external_line(&self, dashboard: &Dashboard, now_ms: i64) -> ExternalRefund {
        let Dashboard { payment, amount_minor, currency } = dashboard.clone();
        let reference = format!("simx_{}", self.external.len() + 1);
        ExternalRefund { reference, payment, amount_minor, currency, made_ms: now_ms }
    }

    /// A dispute that is opened, as a line.
    pub(super) fn dispute_line(&self, dashboard: &Dashboard, now_ms: i64) -> Dispute {
        let Dashboard { payment, amount_minor, currency } = dashboard.clone();
        let (id, stage) = (format!("simd_{}", self.disputes.len() + 1), DisputeStage::Open);
        Dispute { id, payment, amount_minor, currency, stage, opened_ms: now_ms, changed_ms: now_ms }
    }

    /// A dispute that goes on, as a line; `None` for an unknown one.
    pub(super) fn dispute_moved(&self, id: &str, stage: DisputeStage, now_ms: i64) -> Option<Dispute> {
        let (dispute, _) = self.disputes.get(id)?;
        Some(Dispute { stage, changed_ms: now_ms, ..dispute.clone() })
    }

    /// How often a key was asked for in this way.
    pub(super) fn times_asked(&self, call: Call, key: &str) -> u32 {
        let (refunds, lookups) = self.asked.get(key).copied().unwrap_or_default();
        match call {
            Call::Refund => refunds,
            Call::Lookup => lookups,
        }
    }

    /// That a key was asked for once more, as a line.
    pub(super) fn asked_line(&self, call: Call, key: &str) -> Asked {
        let (refunds, lookups) = self.asked.get(key).copied().unwrap_or_default();
        let key = key.to_owned();
        match call {
            Call::Refund => Asked { key, refunds: refunds + 1, lookups },
            Call::Lookup => Asked { key, refunds, lookups: lookups + 1 },
        }
    }

    /// How many changes a refund or dispute has seen: the number of its newest event.
    pub(super) fn changes(&self, id: &str) -> u32 {
        let refund = self.entries.get(id).map(|entry| entry.changes);
        refund.or_else(|| self.disputes.get(id).map(|(_, changes)| *changes)).unwrap_or(1)
    }

    /// The provider's id of the refund with this key.
    pub(super) fn reference(&self, key: &str) -> String {
        reference(key, self.entries.get(key).map_or(0, |entry| entry.earlier.len()))
    }

    /// Every refund, one that was paid again included, and those made at the dashboard.
    pub(super) fn stated(&self) -> impl Iterator<Item = Stated<'_>> {
        let rounds = self.entries.values().flat_map(|entry| entry.rounds().enumerate());
        let ours = rounds.map(|(nth, round)| Stated {
            reference: reference(&round.order.key, nth),
            key: &round.order.key,
            payment: &round.order.payment,
            status: round.now.status,
            amount_minor: round.now.amount_minor,
            currency: &round.order.currency,
            made_ms: round.taken_ms,
        });
        ours.chain(self.external.iter().map(|external| Stated {
            reference: external.reference.clone(),
            key: "",
            payment: &external.payment,
            status: Status::Done,
            amount_minor: external.amount_minor,
            currency: &external.currency,
            made_ms: external.made_ms,
        }))
    }

    /// Makes the change that a line tells of, when it happens or when it is read again.
    pub(super) fn apply(&mut self, line: &Line) {
        match line {
            Line::Refund(line) => self.apply_refund(line),
            Line::External(external) => self.external.push(external.clone()),
            Line::Dispute(dispute) => {
                let known = self.disputes.entry(dispute.id.clone()).or_insert_with(|| (dispute.clone(), 0));
                *known = (dispute.clone(), known.1 + 1);
            }
            Line::Asked(Asked { key, refunds, lookups }) => {
                self.asked.insert(key.clone(), (*refunds, *lookups));
            }
            Line::Clock(ahead_ms) => self.clock_ahead_ms = *ahead_ms,
            Line::Delivered(_) => {}
        }
    }

    fn apply_refund(&mut self, line: &RefundLine) {
        let key = &line.order.key;
        let Some(entry) = self.entries.get_mut(key) else {
            self.plan(key, line.plan.first());
            self.entries.insert(key.clone(), Entry { round: Round::new(line), earlier: Vec::new(), changes: 1 });
            return;
        };
        entry.changes += 1;
        if let Some(planned) = entry.round.plan.front() {
            self.plans.remove(&(planned.at_ms, key.clone()));
        }
        if line.again {
            let before = std::mem::replace(&mut entry.round, Round::new(line));
            entry.earlier.push(before);
        } else {
            entry.round.plan.pop_front();
            entry.round.stand(line.verdict.clone(), line.at_ms);
        }
        let next = entry.round.plan.front().cloned();
        self.plan(key, next.as_ref());
    }

    fn plan(&mut self, key: &str, planned: Option<&Planned>) {
        if let Some(planned) = planned {
            self.plans.insert((planned.at_ms, key.to_owned()));
        }
    }
}

/// What was paid under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The refund as it stands.
    pub outcome: Outcome,
    /// The provider's id of the payment.
    pub payment: String,
    /// What is paid now, in minor units: nothing where it is pending, declined or turned into a failure.
    pub paid_minor: i128,
    /// How often it was really paid, whether or not the money came back: more than once is a loss.
    pub times_paid: usize,
    /// When it was taken, epoch milliseconds.
    pub taken_ms: i64,
    /// When it came to stand as it does.
    pub changed_ms: i64,
}

/// A refund as a list states it.
#[derive(Clone, Debug)]
pub(super) struct Stated<'b> {
    pub(super) reference: String,
    /// Empty for one made at the dashboard.
    pub(super) key: &'b str,
    pub(super) payment: &'b str,
    pub(super) status: Status,
    pub(super) amount_minor: i64,
    pub(super) currency: &'b str,
    pub(super) made_ms: i64,
}

/// What somebody enters at the provider's dashboard; also the body of `POST /dashboard/…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dashboard {
    /// The provider's id of the payment.
    pub payment: String,
    /// Refunded or disputed, in minor units.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// A refund that was made at the dashboard; also the answer to `POST /dashboard/refunds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalRefund {
    /// The provider's id of the refund.
    pub reference: String,
    /// The provider's id of the payment.
    pub payment: String,
    /// In minor units.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was made, epoch milliseconds.
    pub made_ms: i64,
}

/// A dispute; also the answer to `POST /dashboard/disputes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The provider's id of the dispute.
    pub id: String,
    /// The provider's id of the payment.
    pub payment: String,
    /// In minor units.
    pub amount_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// How it stands.
    #[serde(with = "stage_code")]
    pub stage: DisputeStage,
    /// When it was opened, epoch milliseconds.
    pub opened_ms: i64,
    /// When it came to stand as it does.
    pub changed_ms: i64,
}

mod stage_code {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::DisputeStage;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    pub(super) fn serialize<S: Serializer>(stage: &DisputeStage, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(stage.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DisputeStage, D::Error> {
        let code = String::deserialize(from)?;
        DisputeStage::parse(&code).ok_or_else(|| serde::de::Error::custom("it is no stage of a dispute"))
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

/// What is kept under a key.
#[derive(Clone, Debug)]
struct Entry {
    /// The order under it; the newest where the key was forgotten and came again.
    round: Round,
    /// Orders under it before.
    earlier: Vec<Round>,
    changes: u32,
}

#[derive(Clone, Debug)]
struct Round {
    order: RefundOrder,
    first: Verdict,
    now: Verdict,
    plan: VecDeque<Planned>,
    was_paid: bool,
    taken_ms: i64,
    changed_ms: i64,
}

/// How the provider decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdict {
    pub(super) status: Status,
    pub(super) amount_minor: i64,
    pub(super) code: String,
    pub(super) message: String,
}

impl Verdict {
    pub(super) fn paying(status: Status, amount_minor: i64) -> Verdict {
        Verdict { status, amount_minor, code: String::new(), message: String::new() }
    }

    pub(super) fn declined(order: &RefundOrder, code: &str, message: &str) -> Verdict {
        Verdict {
            status: Status::Declined,
            amount_minor: order.amount_minor,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl Entry {
    fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.earlier.iter().chain([&self.round])
    }

    fn outcome(&self) -> Outcome {
        self.round.outcome(&self.round.now, self.earlier.len())
    }

    fn account(&self) -> Account {
        let done = self.rounds().filter(|round| round.now.status == Status::Done);
        Account {
            outcome: self.outcome(),
            payment: self.round.order.payment.clone(),
            paid_minor: done.map(|round| i128::from(round.now.amount_minor)).sum(),
            times_paid: self.rounds().filter(|round| round.was_paid).count(),
            taken_ms: self.round.taken_ms,
            changed_ms: self.round.changed_ms,
        }
    }

    fn changed(&self, verdict: Verdict, at_ms: i64) -> Line {
        let order = self.round.order.clone();
        Line::Refund(RefundLine { order, verdict, at_ms, plan: Vec::new(), again: false })
    }
}

impl Round {
    fn new(line: &RefundLine) -> Round {
        Round {
            order: line.order.clone(),
            first: line.verdict.clone(),
            now: line.verdict.clone(),
            plan: line.plan.iter().cloned().collect(),
            was_paid: line.verdict.status == Status::Done,
            taken_ms: line.at_ms,
            changed_ms: line.at_ms,
        }
    }

    fn stand(&mut self, verdict: Verdict, at_ms: i64) {
        self.was_paid |= verdict.status == Status::Done;
        self.now = verdict;
        self.changed_ms = at_ms;
    }

    fn outcome(&self, verdict: &Verdict, nth: usize) -> Outcome {
        outcome(&self.order, verdict, nth)
    }
}

fn add(totals: &mut BTreeMap<String, i128>, currency: &str, amount_minor: i64) {
    match totals.get_mut(currency) {
        Some(total) => *total += i128::from(amount_minor),
        None => {
            totals.insert(currency.to_owned(), i128::from(amount_minor));
        }
    }
}

/// The provider's id of the refund that was made the nth time a key was taken, from 0.
fn reference(key: &str, nth: usize) -> String {
    if nth == 0 { format!("sim_{key}") } else { format!("sim_{key}_{}", nth + 1) }
}

fn outcome(order: &RefundOrder, verdict: &Verdict, nth: usize) -> Outcome {
    let reference = match verdict.status {
        Status::Done | Status::Pending => reference(&order.key, nth),
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
                told(&books.refund(&order, &Faults::default(), 0)),
                told(&books.lookup("1", 0).unwrap()),
                told(&books.lookup("1", 0).unwrap()),
                told(&books.refund(&order, &Faults::default(), 0)),
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
        books.refund(&first, &Faults::default(), 0);
        let others = [
            RefundOrder { amount_minor: 999, ..first.clone() },
            RefundOrder { currency: "EUR".to_owned(), ..first.clone() },
            RefundOrder { payment: "pay_2".to_owned(), ..first.clone() },
        ];
        for other in others {
            assert_eq!(books.refund(&other, &Faults::default(), 0).code, IDEMPOTENCY_MISMATCH);
        }
        let renamed = RefundOrder { account: "RefundFail".to_owned(), ..first };
        assert_eq!(
            books.refund(&renamed, &Faults::default(), 0).status,
            Status::Done,
            "the name is no figure: first answer again"
        );
        assert_eq!(books.count(), 1);
        assert_eq!(books.paid_minor(), BTreeMap::from([("USD".to_owned(), 1000)]));
    }

    #[test]
    fn totals_are_kept_apart_by_currency_and_never_overflow() {
        let mut books = Books::default();
        for key in ["1", "2", "3"] {
            books.refund(&order(key, "", i64::MAX), &Faults::default(), 0);
        }
        books.refund(&RefundOrder { currency: "JPY".to_owned(), ..order("4", "", 500) }, &Faults::default(), 0);
        let expected = BTreeMap::from([("USD".to_owned(), i128::from(i64::MAX) * 3), ("JPY".to_owned(), 500)]);
        assert_eq!(books.paid_minor(), expected);
        assert!(books.lookup("5", 0).is_none());
    }

    /// How a refund stands and what was paid, so many milliseconds after it was taken.
    type Standing = (i64, &'static str, i128);

    /// By payment reference.
    const COURSES: &[(&str, &[Standing])] = &[
        ("pay_1.sim-slow_settlement", &[(0, "Pending", 0), (9_999, "Pending", 0), (10_000, "Done", 1000)]),
        ("pay_1.sim-slow_failure", &[(0, "Pending", 0), (10_000, "Declined account_closed", 0)]),
        (
            "pay_1.sim-late_failure",
            &[(0, "Done", 1000), (59_999, "Done", 1000), (60_000, "Declined account_closed", 0)],
        ),
        ("pay_1.sim-never_settles", &[(0, "Pending", 0), (i64::MAX / 2, "Pending", 0)]),
        ("pay_1.sim-one_less", &[(0, "Done", 999), (i64::MAX / 2, "Done", 999)]),
    ];

    #[test]
    fn refunds_change_as_time_goes_by() {
        for (payment, course) in COURSES {
            let mut books = Books::default();
            let order = RefundOrder { payment: (*payment).to_owned(), ..order("1", "", 1000) };
            let first = books.refund(&order, &Faults::default(), 5_000);
            for (after_ms, standing, paid_minor) in *course {
                let now_ms = 5_000 + after_ms;
                assert_eq!(told(&books.lookup("1", now_ms).unwrap()), *standing, "{payment} {after_ms}");
                let paid = books.account("1").unwrap();
                assert_eq!(paid.paid_minor, *paid_minor, "{payment} {after_ms}");
                assert_eq!(books.paid_minor().get("USD").copied().unwrap_or(0), *paid_minor);
                let again = books.refund(&order, &Faults::default(), now_ms);
                assert_eq!(again, first, "the first answer again");
                assert!(paid.times_paid <= 1);
            }
            assert_eq!(books.next_change_ms(), None, "{payment}");
        }
    }

    #[test]
    fn a_forgotten_key_is_paid_again_and_that_shows() {
        let faults = Faults { remembers_keys_ms: Some(100), ..Faults::default() };
        let mut books = Books::default();
        let order = order("1", "", 1000);
        assert_eq!(books.refund(&order, &faults, 0).reference, "sim_1");
        assert_eq!(books.refund(&order, &faults, 99).reference, "sim_1");
        assert_eq!(books.paid_twice(), Vec::<String>::new());
        assert_eq!(books.refund(&order, &faults, 100).reference, "sim_1_2");
        assert_eq!(books.refund(&order, &faults, 199).reference, "sim_1_2");
        assert_eq!(books.paid_twice(), ["1"]);
        assert_eq!((books.count(), books.account("1").unwrap().paid_minor), (1, 2000));
        assert_eq!(books.stated().map(|stated| stated.reference).collect::<Vec<_>>(), ["sim_1", "sim_1_2"]);
    }

    #[test]
    fn the_lines_give_the_same_books_again() {
        let faults = Faults {
            seed: 1,
            slow_settlement: 500,
            turns_into_failure: 500,
            declined: 100,
            remembers_keys_ms: Some(50_000),
            ..Faults::default()
        };
        let (mut books, mut again) = (Books::default(), Books::default());
        let write = |books: &mut Books, again: &mut Books, line: Line| {
            books.apply(&line);
            again.apply(&Line::read(&line.write().unwrap()).expect("a line of these books"));
        };
        for now_ms in (0..200_000).step_by(1_000) {
            while let Some(line) = books.next_change(now_ms) {
                write(&mut books, &mut again, line);
            }
            let order = order(&(now_ms / 1_000 % 120).to_string(), "", 1000 + now_ms / 1_000);
            if let Some(line) = books.refund_noting(&order, &faults, now_ms).1 {
                write(&mut books, &mut again, line);
            }
        }
        let (external, dispute) = (
            books.external_line(&Dashboard { payment: "p".to_owned(), amount_minor: 5, currency: "USD".to_owned() }, 9),
            books.dispute_line(&Dashboard { payment: "p".to_owned(), amount_minor: 6, currency: "USD".to_owned() }, 9),
        );
        write(&mut books, &mut again, Line::External(external));
        write(&mut books, &mut again, Line::Dispute(dispute));
        let won = books.dispute_moved("simd_1", DisputeStage::Won, 10).unwrap();
        write(&mut books, &mut again, Line::Dispute(won));
        let line = Line::Asked(books.asked_line(Call::Lookup, "1"));
        write(&mut books, &mut again, line);
        write(&mut books, &mut again, Line::Clock(77));
        assert!(books.next_change_ms().is_some() && !books.paid_twice().is_empty());
        assert_eq!(format!("{books:?}"), format!("{again:?}"));
        assert_eq!((again.changes("simd_1"), again.times_asked(Call::Lookup, "1")), (2, 1));
    }

    #[test]
    fn a_line_of_before_still_reads() {
        let text = concat!(
            r#"{"order":{"key":"1","payment":"pay_1","currency":"USD","amount_minor":4002,"account":""},"#,
            r#""verdict":{"status":"pending","amount_minor":4002,"code":"","message":""}}"#
        );
        let mut books = Books::default();
        books.apply(&Line::read(text.as_bytes()).unwrap());
        assert_eq!(books.lookup("1", 0).unwrap().status, Status::Done);
        let same = Line::read(text.as_bytes()).unwrap().write().unwrap();
        assert_eq!(String::from_utf8(same).unwrap(), format!("{text}\n"));
        for wrong in ["{}", "[]", r#"{"order":{}}"#, r#"{"more":1}"#] {
            assert!(Line::read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
