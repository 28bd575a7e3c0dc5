//! Payment slips: money that a merchant takes outside of any gateway, and tells of. A book of slips and an ask in, the
//! order and its transactions after it or a named refusal out.
//!
//! A slip is a payment of the order, with a transaction that tells of it. Nothing of it counts as captured until it is
//! paid, so nothing of it can be refunded before. Once paid it stays paid, and its amount only grows.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::balances::Facts;
use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::order::{Id, Order, Payment, PaymentKind, Reference, Status};
use crate::parcels::Fault;
use crate::paying::{self, Transaction, TransactionKind, TransactionState};

/// Whether a slip is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipState {
    /// Not yet.
    Unpaid,
    /// It is.
    Paid,
    /// It was tried, and no money came.
    Failed,
}

/// A slip to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlipDraft {
    /// Of which order.
    pub order: Reference,
    /// How much, above zero, in the order's currency.
    pub amount: Decimal,
    /// The code of that currency, as the caller has it.
    pub currency: Option<String>,
    /// Whether it is paid.
    pub state: SlipState,
    /// Payment channel.
    pub channel: String,
    /// What people call the payment, may be empty.
    pub name: String,
    /// The id of the payment where it was made, may be empty.
    pub reference: String,
    /// When the slip was made, epoch milliseconds; now where nobody says.
    pub created_ms: Option<i64>,
    /// When what it tells of happened, epoch milliseconds; now where nobody says.
    pub happened_ms: Option<i64>,
}

/// A change of a slip; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlipChange {
    /// Of which order.
    pub order: Reference,
    /// Which payment of it.
    pub slip: Reference,
    /// How much, above zero.
    pub amount: Option<Decimal>,
    /// The code of the currency that the amount is in, as the caller has it.
    pub currency: Option<String>,
    /// Whether it is paid.
    pub state: Option<SlipState>,
    /// The id of the payment where it was made.
    pub reference: Option<String>,
    /// When the slip was made, epoch milliseconds.
    pub created_ms: Option<i64>,
    /// When this happened, epoch milliseconds; now where nobody says.
    pub happened_ms: Option<i64>,
}

/// Why a slip is not made or changed as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlipFault {
    /// The order has no such payment.
    Unknown(String),
    /// The payment goes through a gateway, which alone can say what became of it.
    ThroughGateway(String),
    /// Its amount is in this currency, and no other.
    Currency {
        /// Which.
        wanted: Currency,
    },
    /// It is paid, and stays so.
    Paid(String),
    /// It is paid, and its amount only grows.
    Lowered(String),
}

/// A payment of an order, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Index of the payment in its order.
    pub payment: usize,
    /// Whether it is paid.
    pub state: SlipState,
    /// It is not, but its provider holds the money.
    pub held: bool,
    /// How much came, or would come, in the order's currency.
    pub amount: Amount,
    /// How much came, or would come, in what the payment settles in.
    pub own_amount: Amount,
    /// What the payment settles in.
    pub own_currency: Currency,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// What was told of it last.
    pub told: Transaction,
}

/// The payments of an order as they stand, each once, in the order's sequence. `told` are the transactions that are
/// kept, or those of [`paying::shown`].
pub fn slips(facts: &Facts, told: &[Transaction]) -> Vec<Slip> {
    let all = paying::shown(facts, told);
    (0..facts.order.payments.len()).filter_map(|index| slip(&facts.order, index, &all)).collect()
}

fn slip(order: &Order, index: usize, all: &[Transaction]) -> Option<Slip> {
    let payment = order.payments.get(index)?;
    let mut of_payment = all.iter().filter(|transaction| transaction.payment == Some(payment.id));
    let first = of_payment.next()?;
    let told = of_payment.next_back().unwrap_or(first).clone();
    let came = payment.captured.is_positive() || payment.own_captured.is_positive();
    let state = match told.state {
        _ if came => SlipState::Paid,
        TransactionState::Authorized | TransactionState::Processing => SlipState::Unpaid,
        TransactionState::Void | TransactionState::Error | TransactionState::Expired => SlipState::Failed,
        // Of an order that costs nothing.
        TransactionState::Success
        | TransactionState::Refunding
        | TransactionState::Refunded
        | TransactionState::RefundFailed => SlipState::Paid,
    };
    let (amount, own_amount, own_currency) = if state == SlipState::Paid {
        (payment.captured, payment.own_captured, payment.own_currency)
    } else {
        (told.amount, told.amount, told.currency)
    };
    let held = state == SlipState::Unpaid && told.state == TransactionState::Authorized;
    let created_ms = first.created_ms;
    Some(Slip { payment: index, state, held, amount, own_amount, own_currency, created_ms, told })
}

/// The slips of one order while they are made and changed: nothing is kept before all of it is agreed to.
#[derive(Clone, Debug)]
pub struct SlipBook {
    facts: Facts,
    told: Vec<Transaction>,
    made: BTreeSet<Id>,
    changed: BTreeSet<Id>,
    touched: bool,
}

/// What slips made of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The order after it; `None` where nothing changed.
    pub order: Option<Order>,
    /// Transactions that are new.
    pub made: Vec<Transaction>,
    /// Transactions that tell something else now.
    pub changed: Vec<Transaction>,
}

impl SlipBook {
    /// Opens the book of an order. `told` are the transactions that are kept.
    pub fn open(facts: &Facts, told: Vec<Transaction>) -> Self {
        let (made, changed) = (BTreeSet::new(), BTreeSet::new());
        Self { facts: facts.clone(), told, made, changed, touched: false }
    }

    /// The order as the slips so far left it.
    pub fn order(&self) -> &Arc<Order> {
        &self.facts.order
    }

    /// A payment as the slips so far left it.
    pub fn slip(&self, payment: usize) -> Option<Slip> {
        slip(&self.facts.order, payment, &paying::shown(&self.facts, &self.told))
    }

    /// What is to be kept of it.
    pub fn close(self) -> Booked {
        let Self { facts, told, made, changed, touched } = self;
        let of = |ids: &BTreeSet<Id>| told.iter().filter(|t| ids.contains(&t.id)).cloned().collect();
        let (made, changed) = (of(&made), of(&changed));
        Booked { order: touched.then(|| Order::clone(&facts.order)), made, changed }
    }

    /// Makes a slip, the request's entry of that number: the index of its payment. `next` numbers what is new.
    pub fn make(
        &mut self,
        entry: usize,
        draft: &SlipDraft,
        now_ms: i64,
        next: &mut dyn FnMut() -> Id,
    ) -> Result<usize, Fault> {
        let order = &*self.facts.order;
        if order.status == Status::Cancelled {
            return Err(Fault::OrderCancelled);
        }
        check_currency(draft.currency.as_deref(), order.currency)?;
        let amount = positive(entry, draft.amount, order.currency)?;
        check_shown(order, entry, (draft.amount, amount))?;
        if draft.state != SlipState::Failed {
            self.check_open(amount)?;
        }
        let mut order = Order::clone(order);
        let index = order.payments.len();
        let payment = new_payment(&order, draft, next());
        let sale = Transaction {
            state: told_as(draft.state),
            name: if draft.name.is_empty() { draft.channel.clone() } else { draft.name.clone() },
            updated_ms: draft.happened_ms.unwrap_or(now_ms),
            ..paying::of_payment(
                &order,
                &payment,
                TransactionKind::Sale,
                amount,
                next(),
                draft.created_ms.unwrap_or(now_ms),
            )
        };
        order.payments.push(payment);
        if draft.state == SlipState::Paid {
            add(&mut order, index, amount, sale.updated_ms);
        }
        self.put(order, now_ms)?;
        self.made.insert(sale.id);
        self.told.push(sale);
        Ok(index)
    }

    /// Changes a slip, the request's entry of that number: the index of its payment. `next` numbers what is new.
    pub fn change(
        &mut self,
        entry: usize,
        change: &SlipChange,
        now_ms: i64,
        next: &mut dyn FnMut() -> Id,
    ) -> Result<usize, Fault> {
        let order = &*self.facts.order;
        let named = || change.slip.text.clone();
        let unknown = || Fault::Slip(SlipFault::Unknown(named()));
        let index = order.find_payment(&change.slip).ok_or_else(unknown)?;
        let slip = self.slip(index).ok_or_else(unknown)?;
        let payment = order.payments.get(index).ok_or_else(unknown)?;
        if !payment.kind.settles_outside() {
            return Err(Fault::Slip(SlipFault::ThroughGateway(named())));
        }
        check_currency(change.currency.as_deref(), slip.own_currency)?;
        let asked = change.amount.map(|amount| positive(entry, amount, slip.own_currency)).transpose()?;
        if let (Some(stated), Some(amount)) = (change.amount, asked)
            && slip.own_currency == order.currency
        {
            check_shown(order, entry, (stated, amount))?;
        }
        let state = change.state.unwrap_or(slip.state);
        let after = if slip.state == SlipState::Paid {
            let amount = asked.unwrap_or(slip.own_amount);
            match () {
                () if state != SlipState::Paid => return Err(Fault::Slip(SlipFault::Paid(named()))),
                () if amount < slip.own_amount => return Err(Fault::Slip(SlipFault::Lowered(named()))),
                // What more of another currency is worth in the order's, nobody says.
                () if amount > slip.own_amount && slip.own_currency != order.currency => {
                    return Err(Fault::Slip(SlipFault::Currency { wanted: order.currency }));
                }
                () => After { state, amount, more: amount - slip.own_amount },
            }
        } else {
            let amount = asked.unwrap_or(slip.amount);
            let more = if state == SlipState::Paid { amount } else { Amount::ZERO };
            After { state, amount, more }
        };
        let moves = (after.state, after.amount) != (slip.state, slip.own_amount);
        if moves && after.state != SlipState::Failed {
            if order.status == Status::Cancelled {
                return Err(Fault::OrderCancelled);
            }
            // One that stood for all that was open may stand for nothing by now.
            if !after.amount.is_positive() {
                let (amount, why) = (Decimal::ZERO, AmountError::NotPositive);
                return Err(Fault::AmountInvalid { entry, amount, why });
            }
            self.check_open(if slip.state == SlipState::Paid { after.more } else { after.amount })?;
        }
        let renamed = change.reference.as_ref().is_some_and(|reference| *reference != payment.reference);
        let redated = change.created_ms.is_some_and(|ms| ms != slip.created_ms);
        if moves || renamed || redated {
            self.rewrite((index, &slip, after), change, now_ms, next)?;
        }
        Ok(index)
    }

    /// Keeps a change that was agreed to.
    fn rewrite(
        &mut self,
        (index, slip, after): (usize, &Slip, After),
        change: &SlipChange,
        now_ms: i64,
        next: &mut dyn FnMut() -> Id,
    ) -> Result<(), Fault> {
        let happened_ms = change.happened_ms.unwrap_or(now_ms);
        let mut order = Order::clone(&self.facts.order);
        add(&mut order, index, after.more, happened_ms);
        if let (Some(payment), Some(reference)) = (order.payments.get_mut(index), &change.reference) {
            payment.reference.clone_from(reference);
        }
        let payment = order.payments.get(index).cloned();
        self.put(order, now_ms)?;
        let Some(payment) = payment else { return Ok(()) };
        let brings = |kind| matches!(kind, TransactionKind::Sale | TransactionKind::Capture);
        let of_slip = |t: &Transaction| t.payment == Some(payment.id) && brings(t.kind);
        let place = self.told.iter().rposition(of_slip);
        if place.is_none() {
            let (kind, created_ms) = (TransactionKind::Sale, slip.created_ms);
            let told = paying::of_payment(&self.facts.order, &payment, kind, Amount::ZERO, next(), created_ms);
            self.made.insert(told.id);
            self.told.push(told);
        }
        let place = place.unwrap_or_else(|| self.told.len().saturating_sub(1));
        let Some(told) = self.told.get_mut(place) else { return Ok(()) };
        told.state = told_as(after.state);
        told.amount = after.amount;
        told.currency = slip.own_currency;
        told.trade_id.clone_from(&payment.reference);
        told.created_ms = change.created_ms.unwrap_or(told.created_ms);
        told.updated_ms = happened_ms;
        if !self.made.contains(&told.id) {
            self.changed.insert(told.id);
        }
        Ok(())
    }

    /// The order with what a slip changed of it.
    fn put(&mut self, mut order: Order, now_ms: i64) -> Result<(), Fault> {
        order.updated_ms = now_ms;
        order.validate().map_err(Fault::Order)?;
        self.facts.balances.fit(&order);
        self.facts.order = Arc::new(order);
        self.touched = true;
        Ok(())
    }

    fn check_open(&self, asked: Amount) -> Result<(), Fault> {
        let order = &*self.facts.order;
        let open = (order.charged() - order.captured()).or_zero();
        if asked > open { Err(Fault::PaysTooMuch { asked, open, currency: order.currency }) } else { Ok(()) }
    }
}

/// What a change leaves of a slip.
#[derive(Clone, Copy)]
struct After {
    state: SlipState,
    /// In what the payment settles in.
    amount: Amount,
    /// What comes in with it, in the order's currency.
    more: Amount,
}

/// More of a payment is captured.
fn add(order: &mut Order, index: usize, more: Amount, happened_ms: i64) {
    let currency = order.currency;
    let Some(payment) = order.payments.get_mut(index).filter(|_| more.is_positive()) else { return };
    payment.captured += more;
    payment.own_captured = payment.captured;
    payment.own_currency = currency;
    order.life.placed_ms = order.life.placed_ms.or(Some(happened_ms));
}

fn new_payment(order: &Order, draft: &SlipDraft, id: Id) -> Payment {
    Payment {
        id,
        external_id: None,
        channel: draft.channel.clone(),
        method: String::new(),
        kind: PaymentKind::Custom,
        gateway: "manual".to_owned(),
        reference: draft.reference.clone(),
        account: String::new(),
        captured: Amount::ZERO,
        own_currency: order.currency,
        own_captured: Amount::ZERO,
    }
}

const fn told_as(state: SlipState) -> TransactionState {
    match state {
        SlipState::Unpaid => TransactionState::Processing,
        SlipState::Paid => TransactionState::Success,
        SlipState::Failed => TransactionState::Error,
    }
}

fn check_currency(said: Option<&str>, wanted: Currency) -> Result<(), Fault> {
    match said {
        Some(code) if !code.eq_ignore_ascii_case(wanted.code()) => Err(Fault::Slip(SlipFault::Currency { wanted })),
        Some(_) | None => Ok(()),
    }
}

/// What failed is held against nothing that is open, and is shown in the store's currency all the same.
fn check_shown(order: &Order, entry: usize, (stated, minor): (Decimal, Amount)) -> Result<(), Fault> {
    let too_large = || Fault::AmountInvalid { entry, amount: stated, why: AmountError::TooLarge };
    if order.can_show(minor) { Ok(()) } else { Err(too_large()) }
}

fn positive(entry: usize, amount: Decimal, currency: Currency) -> Result<Amount, Fault> {
    let fault = |why| Fault::AmountInvalid { entry, amount, why };
    let minor = amount.to_minor(currency).map_err(fault)?;
    if minor.is_positive() { Ok(minor) } else { Err(fault(AmountError::NotPositive)) }
}
