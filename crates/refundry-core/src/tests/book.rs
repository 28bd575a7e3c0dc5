//! The books of one order while a test refunds it: every step is decided twice, stored, posted and checked against
//! what must always hold. It re-derives each figure from the refunds and shares no code with the writer.

use std::collections::BTreeMap;

use super::world::by_name;
use crate::balances::Facts;
use crate::command::{Ask, CreateRefund, RefundRequest};
use crate::decide::{Decision, News, accept, decide, record, settle};
use crate::dispute::{Hold, hold};
use crate::journal::{Account, balances, opening};
use crate::money::Amount;
use crate::order::{Dialect, Order};
use crate::quote::{Quote, quote};
use crate::refund::{Bucket, LegState, Refund, RefundState, Why};
use crate::rejection::Rejection;

/// An order, its refunds and the sums of its accounts.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) facts: Facts,
    pub(crate) refunds: Vec<Refund>,
    /// Each refund as its creating request was answered; none for those made elsewhere.
    answers: Vec<Option<Refund>>,
    sums: BTreeMap<Account, Amount>,
    /// What a dispute holds of each payment.
    holds: BTreeMap<usize, Hold>,
    next_id: u64,
    now_ms: i64,
}

impl Book {
    pub(crate) fn open(order: Order) -> Self {
        assert_eq!(order.validate(), Ok(()), "the test's order is one");
        let postings = opening(None, &order);
        let facts = Facts::fresh(order);
        let mut book = Self {
            facts,
            refunds: Vec::new(),
            answers: Vec::new(),
            sums: BTreeMap::new(),
            holds: BTreeMap::new(),
            next_id: 1000,
            now_ms: 1,
        };
        book.post(&postings);
        book.check();
        book
    }

    /// Decides, and stores what was decided; the refund's index, or the refusal.
    pub(crate) fn ask(&mut self, request: &RefundRequest) -> Result<usize, Rejection> {
        let before = self.facts.clone();
        let promised = quote(&self.facts, request);
        assert_eq!(promised, decide(&self.facts, request), "a quote is a promise");
        assert_eq!(before, self.facts, "deciding changes nothing");
        let promised = promised?;
        let next_id = &mut self.next_id;
        let mut give_id = || {
            *next_id += 1;
            *next_id
        };
        let decision = accept(&self.facts, &create(request), promised.clone(), self.now_ms, &mut give_id);
        assert_kept(&promised, &decision.refund);
        assert_eq!(decision.refund.number, before.balances.refunds + 1);
        self.refunds.push(decision.refund.clone());
        self.answers.push(Some(decision.refund.clone()));
        self.store(self.refunds.len() - 1, decision);
        self.check_nearest_cap(&before);
        Ok(self.refunds.len() - 1)
    }

    /// [`Book::ask`] with the defaults.
    pub(crate) fn ask_for(&mut self, ask: Ask) -> Result<usize, Rejection> {
        self.ask(&RefundRequest::of(ask))
    }

    /// Takes in a refund that was made elsewhere.
    pub(crate) fn import(&mut self, refund: Refund) {
        let decision = record(&self.facts, refund, self.now_ms);
        self.refunds.push(decision.refund.clone());
        self.answers.push(None);
        self.store(self.refunds.len() - 1, decision);
    }

    /// Settles a leg; `false` for news that changes nothing. The same news a second time never changes anything.
    pub(crate) fn news(&mut self, refund: usize, leg: usize, news: &News) -> bool {
        let Ok(decision) = settle(&self.facts, &self.refunds[refund], leg, news.clone(), self.now_ms) else {
            return false;
        };
        self.store(refund, decision);
        let again = settle(&self.facts, &self.refunds[refund], leg, news.clone(), self.now_ms + 5);
        assert!(again.is_err(), "a repetition changes nothing: {news:?}");
        true
    }

    /// A dispute of a payment is about so much of its own currency from now on; nothing ends it.
    pub(crate) fn dispute(&mut self, payment: usize, own_amount: i64) {
        let before = self.holds.get(&payment).copied().unwrap_or_default();
        let held = hold(&self.facts, payment, before, Amount::minor(own_amount));
        self.holds.insert(payment, held.hold);
        self.facts.balances = held.balances;
        self.post(&held.postings);
        self.check();
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    fn store(&mut self, refund: usize, decision: Decision) {
        self.facts.balances = decision.balances;
        self.refunds[refund] = decision.refund;
        if let Some(answer) = &self.answers[refund] {
            assert_eq!(self.refunds[refund].as_accepted(), *answer, "a repeated request gets the same answer");
        }
        assert_eq!(self.facts.balances.updated_ms, self.now_ms);
        self.now_ms += 1;
        self.post(&decision.postings);
        self.check();
    }

    fn post(&mut self, postings: &[crate::journal::Posting]) {
        assert!(balances(postings), "an entry sums to zero");
        for posting in postings {
            *self.sums.entry(posting.account).or_default() += posting.amount;
        }
    }

    /// Σ of what the components were given, in the order's currency.
    pub(crate) fn held(&self) -> Amount {
        self.facts.balances.components.iter().map(|c| c.net + c.tax).sum()
    }

    /// Σ of legs under way or succeeded.
    pub(crate) fn paid_back(&self) -> Amount {
        self.facts.balances.pending() + self.facts.balances.succeeded()
    }

    /// What must hold after every step, whatever was asked.
    pub(crate) fn check(&self) {
        self.refunds.iter().for_each(check_refund);
        self.check_components();
        self.check_units();
        self.check_payments();
        self.check_accounts();
        assert_eq!(self.paid_back(), self.held() + self.facts.balances.discrepancy, "parts make the whole");
    }

    /// The nearest cap is the least that a touched component or payment has left.
    fn check_nearest_cap(&self, before: &Facts) {
        let refund = self.refunds.last().expect("a refund");
        let components = refund.allocations.iter().map(|a| self.facts.component_left_gross(a.component));
        let payments = refund.legs.iter().map(|l| self.facts.payment_left(l.payment));
        assert_eq!(components.chain(payments).min(), Some(refund.nearest_cap.left), "the nearest cap");
        assert!(refund.amount <= before.payments_left(), "never above the payments");
    }

    fn check_components(&self) {
        for (index, component) in self.facts.order.components.iter().enumerate() {
            let of_it = self.refunds.iter().flat_map(|r| &r.allocations).filter(|a| a.component == index);
            let (net, tax) = of_it.fold((Amount::ZERO, Amount::ZERO), |(net, tax), a| {
                (net + a.net - a.returned.0, tax + a.tax - a.returned.1)
            });
            let held = self.facts.balances.components[index];
            assert_eq!((held.net, held.tax), (net, tax), "component {index}");
            let (net_most, tax_most) = self.facts.order.captured_part(component);
            assert!(!net.is_negative() && net <= net_most, "net of component {index}: {net:?} of {net_most:?}");
            assert!(!tax.is_negative() && tax <= tax_most, "tax of component {index}: {tax:?} of {tax_most:?}");
        }
    }

    fn check_units(&self) {
        for (index, line) in self.facts.order.lines.iter().enumerate() {
            let of = |bucket: Bucket| -> u32 {
                let moves = self.refunds.iter().flat_map(|r| &r.units);
                let open = moves.filter(|u| u.line == index && u.bucket == bucket && !u.reopened);
                open.map(|u| u.quantity).sum()
            };
            let refunded = self.facts.balances.lines[index];
            assert_eq!((refunded.waiting, refunded.shipped), (of(Bucket::Waiting), of(Bucket::Shipped)));
            assert!(refunded.waiting <= line.quantity - line.shipped - line.cancelled, "waiting units of {index}");
            assert!(refunded.shipped <= line.shipped, "shipped units of {index}");
        }
    }

    fn check_payments(&self) {
        for (index, payment) in self.facts.order.payments.iter().enumerate() {
            let of = |wanted: fn(&LegState) -> bool| {
                let legs = self.refunds.iter().flat_map(|r| &r.legs);
                let of_it = legs.filter(|l| l.payment == index && wanted(&l.state));
                of_it.fold((Amount::ZERO, Amount::ZERO), |(sum, own), l| (sum + l.amount, own + l.own_amount))
            };
            let pending = of(|state| !state.is_final());
            let succeeded = of(|state| matches!(state, LegState::Succeeded { .. }));
            let paid = self.facts.balances.payments[index];
            assert_eq!((paid.pending, paid.own_pending), pending, "pending of payment {index}");
            assert_eq!((paid.succeeded, paid.own_succeeded), succeeded, "succeeded of payment {index}");
            assert!(paid.held() <= payment.captured, "never above payment {index}");
            assert!(paid.own_held() <= payment.own_captured, "never above payment {index} in its own currency");
            if payment.own_currency == self.facts.order.currency {
                let booked = (paid.pending, paid.succeeded, paid.disputed);
                assert_eq!(
                    booked,
                    (paid.own_pending, paid.own_succeeded, paid.own_disputed),
                    "one currency, one amount"
                );
            }
            let hold = self.holds.get(&index).copied().unwrap_or_default();
            assert_eq!((paid.disputed, paid.own_disputed), (hold.amount, hold.own_amount), "held of payment {index}");
        }
    }

    fn check_accounts(&self) {
        let order = &self.facts.order;
        let mut expected = BTreeMap::new();
        let held = &self.facts.balances;
        for (i, (component, taken)) in order.components.iter().zip(&held.components).enumerate() {
            expected.insert(Account::Net(i), component.net - taken.net);
            expected.insert(Account::Tax(i), component.tax - taken.tax);
        }
        for (p, (payment, paid)) in order.payments.iter().zip(&held.payments).enumerate() {
            expected.insert(Account::Paid(p), paid.succeeded + paid.disputed - payment.captured);
            expected.insert(Account::Held(p), -paid.disputed);
            expected.insert(Account::Flight(p), paid.pending);
            if payment.own_currency != order.currency {
                expected.insert(Account::OwnPaid(p), paid.own_succeeded + paid.own_disputed - payment.own_captured);
                expected.insert(Account::OwnHeld(p), -paid.own_disputed);
                expected.insert(Account::OwnFlight(p), paid.own_pending);
                expected.insert(Account::OwnOpen(p), payment.own_captured - paid.own_held());
            }
        }
        expected.insert(Account::Difference, -held.discrepancy);
        expected.insert(Account::Open, order.captured() - order.charged());
        expected.retain(|_, amount| !amount.is_zero());
        let mut sums = self.sums.clone();
        sums.retain(|_, amount| !amount.is_zero());
        assert_eq!(sums, expected, "accounts equal balances");
    }
}

/// A command around a request.
pub(crate) fn create(request: &RefundRequest) -> CreateRefund {
    CreateRefund::new(by_name("T1"), Dialect::Native, request.clone())
}

fn assert_kept(promised: &Quote, refund: &Refund) {
    assert_eq!(promised.amount, refund.amount);
    assert_eq!(promised.discrepancy, refund.discrepancy);
    assert_eq!(promised.allocations, refund.allocations);
    assert_eq!(promised.units, refund.units);
    assert_eq!(promised.shape, refund.shape);
    assert_eq!(promised.nearest_cap, refund.nearest_cap);
    let planned = promised.legs.iter().map(|l| (l.payment, l.amount, l.own_amount, l.route, &l.named_channel));
    let stored = refund.legs.iter().map(|l| (l.payment, l.amount, l.own_amount, l.route, &l.named_channel));
    assert!(planned.eq(stored), "legs as promised");
}

fn check_refund(refund: &Refund) {
    let legs: Amount = refund.legs.iter().map(|l| l.amount).sum();
    let allocated: Amount = refund.allocations.iter().map(crate::refund::Allocation::gross).sum();
    assert_eq!(legs, refund.amount, "legs make the amount");
    assert_eq!(allocated + refund.discrepancy, refund.amount, "allocations and discrepancy make the amount");
    for allocation in &refund.allocations {
        let (net, tax) = allocation.kept();
        assert!(!allocation.net.is_negative() && !allocation.tax.is_negative(), "an allocation is not negative");
        assert!(!net.is_negative() && !tax.is_negative(), "no more comes back than was given");
        assert!(net <= allocation.net && tax <= allocation.tax, "nothing negative comes back");
    }
    for allocation in &refund.allocations {
        let Why::Units { units, .. } = allocation.why else { continue };
        let of_line = || refund.units.iter().filter(|u| u.line == allocation.component);
        assert_eq!(of_line().map(|u| u.quantity).sum::<u32>(), units, "units of an allocation");
        assert_eq!(of_line().map(|u| u.net).sum::<Amount>(), allocation.net, "shares make the allocation");
        assert_eq!(of_line().map(|u| u.tax).sum::<Amount>(), allocation.tax, "shares make the allocation");
        let shadows = of_line().fold((Amount::ZERO, Amount::ZERO), |(n, t), u| (n + u.shop.0, t + u.shop.1));
        assert_eq!(shadows, allocation.shop, "shadows of shares make the allocation's");
    }
    let failed = refund.state() == RefundState::Failed;
    assert!(refund.units.iter().all(|u| u.reopened == failed), "units reopen when all of it failed, only then");
    if failed {
        assert!(refund.allocations.iter().all(|a| a.kept() == (Amount::ZERO, Amount::ZERO)), "all of it came back");
    }
}
