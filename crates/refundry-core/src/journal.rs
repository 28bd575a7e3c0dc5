//! Double entries: every movement as postings that sum to zero.
//!
//! | account | what its balance means |
//! |---|---|
//! | `net:i`, `tax:i` | what component `i` may still give back |
//! | `paid:p` | minus what payment `p` holds (captured less paid back) |
//! | `flight:p` | on its way back through payment `p` |
//! | `difference` | minus the discrepancies of all refunds |
//! | `open` | captured less charged: what the buyer still owes, negative |
//! | `own_paid:p`, `own_flight:p` | the same in a payment's own currency, where that is another one |
//! | `own_open:p` | the other side of `own_paid:p` |
//! | `held:p`, `own_held:p` | minus what disputes hold of payment `p`, in the order's currency and in its own |
//!
//! An order opens with its components against its payments; a refund moves components into flight; a success moves
//! flight to the payment; a failure moves it back to the components. All of it sums to zero per entry and currency.

use std::fmt;

use crate::money::Amount;
use crate::order::Order;
use crate::refund::{Leg, Refund};

/// One side of a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Which account.
    pub account: Account,
    /// In minor units of the account's currency: the order's, or for `own_…` the payment's own.
    pub amount: Amount,
}

/// An account of an order; see the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// `net:i`
    Net(usize),
    /// `tax:i`
    Tax(usize),
    /// `paid:p`
    Paid(usize),
    /// `flight:p`
    Flight(usize),
    /// `difference`
    Difference,
    /// `open`
    Open,
    /// `own_paid:p`
    OwnPaid(usize),
    /// `own_flight:p`
    OwnFlight(usize),
    /// `own_open:p`
    OwnOpen(usize),
    /// `held:p`
    Held(usize),
    /// `own_held:p`
    OwnHeld(usize),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(i) => write!(f, "net:{i}"),
            Self::Tax(i) => write!(f, "tax:{i}"),
            Self::Paid(p) => write!(f, "paid:{p}"),
            Self::Flight(p) => write!(f, "flight:{p}"),
            Self::Difference => f.write_str("difference"),
            Self::Open => f.write_str("open"),
            Self::OwnPaid(p) => write!(f, "own_paid:{p}"),
            Self::OwnFlight(p) => write!(f, "own_flight:{p}"),
            Self::OwnOpen(p) => write!(f, "own_open:{p}"),
            Self::Held(p) => write!(f, "held:{p}"),
            Self::OwnHeld(p) => write!(f, "own_held:{p}"),
        }
    }
}

impl Account {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "difference" => Some(Self::Difference),
            None if text == "open" => Some(Self::Open),
            None => None,
            Some((kind, index)) => {
                let index = index.parse().ok()?;
                match kind {
                    "net" => Some(Self::Net(index)),
                    "tax" => Some(Self::Tax(index)),
                    "paid" => Some(Self::Paid(index)),
                    "flight" => Some(Self::Flight(index)),
                    "own_paid" => Some(Self::OwnPaid(index)),
                    "own_flight" => Some(Self::OwnFlight(index)),
                    "own_open" => Some(Self::OwnOpen(index)),
                    "held" => Some(Self::Held(index)),
                    "own_held" => Some(Self::OwnHeld(index)),
                    _ => None,
                }
            }
        }
    }
}

/// What happened, in the past tense: the kind of a journal entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The order came in.
    OrderOpened,
    /// The order's components or payments changed.
    OrderChanged,
    /// A refund was accepted.
    RefundAccepted,
    /// A leg's money went back.
    LegSucceeded,
    /// A leg's money did not go back.
    LegFailed,
    /// A dispute holds more of a payment, or less.
    DisputeHeld,
}

impl Happening {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrderOpened => "order_opened",
            Self::OrderChanged => "order_changed",
            Self::RefundAccepted => "refund_accepted",
            Self::LegSucceeded => "leg_succeeded",
            Self::LegFailed => "leg_failed",
            Self::DisputeHeld => "dispute_held",
        }
    }
}

/// Collects postings, leaving out zeros.
#[derive(Default)]
struct Entry(Vec<Posting>);

impl Entry {
    fn post(&mut self, account: Account, amount: Amount) {
        if !amount.is_zero() {
            self.0.push(Posting { account, amount });
        }
    }

    fn close(self) -> Vec<Posting> {
        assert!(balances(&self.0), "an entry sums to zero");
        self.0
    }
}

/// Whether postings sum to zero, in the order's currency and in each payment's own.
pub fn balances(postings: &[Posting]) -> bool {
    let mut books = Amount::ZERO;
    let mut own = std::collections::BTreeMap::<usize, Amount>::new();
    for posting in postings {
        match posting.account {
            Account::OwnPaid(p) | Account::OwnFlight(p) | Account::OwnOpen(p) | Account::OwnHeld(p) => {
                *own.entry(p).or_default() += posting.amount;
            }
            Account::Net(_)
            | Account::Tax(_)
            | Account::Paid(_)
            | Account::Flight(_)
            | Account::Difference
            | Account::Open
            | Account::Held(_) => books += posting.amount,
        }
    }
    books.is_zero() && own.values().all(|sum| sum.is_zero())
}

/// The order comes in, or changes: postings from what it was (`None` at first) to what it is.
///
/// What the order lost is taken back too, so the accounts always sum to the facts as they are.
pub fn opening(before: Option<&Order>, after: &Order) -> Vec<Posting> {
    let mut entry = Entry::default();
    let mut open = Amount::ZERO;
    let charged = |order: &Order, index: usize| order.components.get(index).map(|c| (c.net, c.tax)).unwrap_or_default();
    for index in 0..after.components.len().max(before.map_or(0, |o| o.components.len())) {
        let (now, was) = (charged(after, index), before.map(|o| charged(o, index)).unwrap_or_default());
        entry.post(Account::Net(index), now.0 - was.0);
        entry.post(Account::Tax(index), now.1 - was.1);
        open = open - (now.0 - was.0) - (now.1 - was.1);
    }
    for index in 0..after.payments.len().max(before.map_or(0, |o| o.payments.len())) {
        let (now, was) = (captured(after, index), before.map(|o| captured(o, index)).unwrap_or_default());
        entry.post(Account::Paid(index), was.0 - now.0);
        open += now.0 - was.0;
        entry.post(Account::OwnPaid(index), was.1 - now.1);
        entry.post(Account::OwnOpen(index), now.1 - was.1);
    }
    entry.post(Account::Open, open);
    entry.close()
}

/// Captured by a payment, and captured in its own currency where that is another one.
fn captured(order: &Order, index: usize) -> (Amount, Amount) {
    let Some(payment) = order.payments.get(index) else { return (Amount::ZERO, Amount::ZERO) };
    let own = if payment.own_currency == order.currency { Amount::ZERO } else { payment.own_captured };
    (payment.captured, own)
}

/// A refund is accepted: components and discrepancy go into flight; legs settled outside at once are paid as well.
pub fn acceptance(order: &Order, refund: &Refund) -> Vec<Posting> {
    let mut entry = Entry::default();
    for allocation in &refund.allocations {
        entry.post(Account::Net(allocation.component), -allocation.net);
        entry.post(Account::Tax(allocation.component), -allocation.tax);
    }
    entry.post(Account::Difference, -refund.discrepancy);
    for leg in &refund.legs {
        let (account, own_account) = if leg.state.is_final() {
            (Account::Paid(leg.payment), Account::OwnPaid(leg.payment))
        } else {
            (Account::Flight(leg.payment), Account::OwnFlight(leg.payment))
        };
        entry.post(account, leg.amount);
        if own_differs(order, leg) {
            entry.post(own_account, leg.own_amount);
            entry.post(Account::OwnOpen(leg.payment), -leg.own_amount);
        }
    }
    entry.close()
}

/// A leg's money went back.
pub fn success(order: &Order, leg: &Leg) -> Vec<Posting> {
    let mut entry = Entry::default();
    entry.post(Account::Flight(leg.payment), -leg.amount);
    entry.post(Account::Paid(leg.payment), leg.amount);
    if own_differs(order, leg) {
        entry.post(Account::OwnFlight(leg.payment), -leg.own_amount);
        entry.post(Account::OwnPaid(leg.payment), leg.own_amount);
    }
    entry.close()
}

/// A leg's money did not go back: it returns to the components it came from.
///
/// `returned` holds component, net and tax; `late` says that the leg had succeeded before.
pub fn failure(
    order: &Order,
    leg: &Leg,
    late: bool,
    returned: &[(usize, Amount, Amount)],
    discrepancy: Amount,
) -> Vec<Posting> {
    let mut entry = Entry::default();
    let (account, own_account) = if late {
        (Account::Paid(leg.payment), Account::OwnPaid(leg.payment))
    } else {
        (Account::Flight(leg.payment), Account::OwnFlight(leg.payment))
    };
    entry.post(account, -leg.amount);
    for (component, net, tax) in returned {
        entry.post(Account::Net(*component), *net);
        entry.post(Account::Tax(*component), *tax);
    }
    entry.post(Account::Difference, discrepancy);
    if own_differs(order, leg) {
        entry.post(own_account, -leg.own_amount);
        entry.post(Account::OwnOpen(leg.payment), leg.own_amount);
    }
    entry.close()
}

/// A dispute holds more of a payment, or (negative) less, in the order's currency and in the payment's own.
pub fn hold(order: &Order, payment: usize, amount: Amount, own_amount: Amount) -> Vec<Posting> {
    let mut entry = Entry::default();
    entry.post(Account::Paid(payment), amount);
    entry.post(Account::Held(payment), -amount);
    if order.payments.get(payment).is_some_and(|p| p.own_currency != order.currency) {
        entry.post(Account::OwnPaid(payment), own_amount);
        entry.post(Account::OwnHeld(payment), -own_amount);
    }
    entry.close()
}

fn own_differs(order: &Order, leg: &Leg) -> bool {
    order.payments.get(leg.payment).is_some_and(|p| p.own_currency != order.currency)
}
