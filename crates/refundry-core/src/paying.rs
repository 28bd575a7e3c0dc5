//! Money that comes in for an order that was made before: payments, what is captured or called off of them, and the
//! transactions that tell of it.

use std::borrow::Cow;

use crate::balances::Facts;
use crate::money::{Amount, Currency, Decimal};
use crate::order::{Dialect, Id, Order, Payment, PaymentKind, Status};
use crate::parcels::Fault;
use crate::standing::{self, Money};

/// A payment that was made, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayLine {
    /// Payment channel, e.g. `paypal`.
    pub channel: String,
    /// Payment method, e.g. `credit_card`.
    pub method: String,
    /// What it is, as far as refunds care.
    pub kind: PaymentKind,
    /// Name of the gateway driver that pays back.
    pub gateway: String,
    /// What people call it, may be empty.
    pub name: String,
    /// The provider's id of it, may be empty.
    pub reference: String,
    /// Name on the payer's account, may be empty.
    pub account: String,
    /// How much; without one, the first such line pays all that is open, and the others nothing.
    pub amount: Option<Decimal>,
    /// No money moved.
    pub test: bool,
    /// The card it was paid with.
    pub card: Card,
}

/// What is known of a card, never its whole number; each text may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Its number with only the first six and the last four digits.
    pub number: String,
    /// Month in which it expires.
    pub month: String,
    /// Year in which it expires.
    pub year: String,
    /// First name of its holder.
    pub first_name: String,
    /// Last name of its holder.
    pub last_name: String,
    /// Answer to the check of the address.
    pub avs: String,
    /// Answer to the check of the security code.
    pub cvv: String,
}

impl Card {
    /// A card of which the number was told: digits between the first six and the last four are left out. What is too
    /// short for that keeps its last four.
    pub fn of_number(text: &str) -> Self {
        let plain: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let shown = if plain.len() > 12 { 6 } else { 0 };
        let last = plain.len().saturating_sub(4);
        let masked = plain.iter().enumerate().map(|(i, c)| if i < shown || i >= last { *c } else { '*' });
        Self { number: masked.collect(), ..Self::default() }
    }

    /// Its first six digits, empty where they are not known.
    pub fn first_six(&self) -> String {
        let first: String = self.number.chars().take(6).collect();
        if first.len() == 6 && first.bytes().all(|b| b.is_ascii_digit()) { first } else { String::new() }
    }

    /// Its last four digits, empty where they are not known.
    pub fn last_four(&self) -> String {
        let count = self.number.chars().count();
        let last: String = self.number.chars().skip(count.saturating_sub(4)).collect();
        if last.len() == 4 && last.bytes().all(|b| b.is_ascii_digit()) { last } else { String::new() }
    }
}

/// Something that happened to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Our number; one that nobody told of has that of its payment.
    pub id: Id,
    /// The order's number.
    pub order: Id,
    /// The payment's number, where the order has it.
    pub payment: Option<Id>,
    /// What it was to do.
    pub kind: TransactionKind,
    /// What became of it.
    pub state: TransactionState,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// Payment channel.
    pub channel: String,
    /// What people call the payment.
    pub name: String,
    /// The provider's id of it.
    pub trade_id: String,
    /// The provider's words, may be empty.
    pub message: String,
    /// The provider's code of an error, may be empty.
    pub error_code: String,
    /// No money moved.
    pub test: bool,
    /// The card it was made with.
    pub card: Card,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When what it tells last changed, epoch milliseconds.
    pub updated_ms: i64,
}

/// What a transaction was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    /// Authorise and capture at once.
    Sale,
    /// Hold money.
    Authorization,
    /// Take money that is held.
    Capture,
    /// Give up money that is held.
    Void,
}

/// What became of a transaction. What refunds do is never kept with it: [`shown`] works it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// Money is held.
    Authorized,
    /// What was held was given up.
    Void,
    /// Nobody knows yet.
    Processing,
    /// Money came.
    Success,
    /// No money came.
    Error,
    /// What was held ran out.
    Expired,
    /// Some is on its way back.
    Refunding,
    /// Some or all went back.
    Refunded,
    /// None of what was to go back arrived.
    RefundFailed,
}

impl TransactionKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sale, Self::Authorization, Self::Capture, Self::Void];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Authorization => "authorization",
            Self::Capture => "capture",
            Self::Void => "void",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl TransactionState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Authorized,
        Self::Void,
        Self::Processing,
        Self::Success,
        Self::Error,
        Self::Expired,
        Self::Refunding,
        Self::Refunded,
        Self::RefundFailed,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Authorized => "authorized",
            Self::Void => "void",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Error => "error",
            Self::Expired => "expired",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::RefundFailed => "refund_failed",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// Pays what is open of an order: the order after it, and a transaction for each line. `next` numbers what is new.
///
/// A line that tells of a payment which the order has, and of which nothing was captured, completes that payment.
pub fn pay(
    facts: &Facts,
    lines: &[PayLine],
    now_ms: i64,
    next: &mut dyn FnMut() -> Id,
) -> Result<(Order, Vec<Transaction>), Fault> {
    let before = &*facts.order;
    if before.status == Status::Cancelled {
        return Err(Fault::OrderCancelled);
    }
    let open = before.charged() - before.captured();
    let touched = before.captured().is_positive() || before.life.placed_ms.is_some();
    if open.is_negative() || (open.is_zero() && touched) {
        return Err(Fault::AlreadyPaid);
    }
    let amounts = amounts(before, lines, open)?;
    let mut order = before.clone();
    let mut completed = Vec::new();
    let mut transactions = Vec::new();
    for (line, amount) in lines.iter().zip(amounts) {
        let known =
            order.payments.iter().position(|payment| completes(line, payment) && !completed.contains(&payment.id));
        let line = with_reference(before, line);
        let payment = if let Some(index) = known {
            complete(&mut order, index, &line, amount)
        } else {
            let payment = new_payment(&order, &line, amount, next());
            order.payments.push(payment.clone());
            payment
        };
        completed.push(payment.id);
        order.test |= line.test;
        transactions.push(Transaction {
            test: line.test,
            name: if line.name.is_empty() { line.channel.clone() } else { line.name.clone() },
            card: line.card.clone(),
            ..of_payment(&order, &payment, TransactionKind::Sale, amount, next(), now_ms)
        });
    }
    order.life.placed_ms = order.life.placed_ms.or(Some(now_ms));
    order.updated_ms = now_ms;
    order.validate().map_err(Fault::Order)?;
    Ok((order, transactions))
}

/// Adds a payment of which nothing came, so far or at all, and gives the transaction that tells of it: what it was to
/// bring, what became of it, and when.
pub(crate) fn without_money(
    order: &mut Order,
    line: &PayLine,
    (amount, state, at_ms): (Amount, TransactionState, i64),
    next: &mut dyn FnMut() -> Id,
) -> Transaction {
    let payment = new_payment(order, line, Amount::ZERO, next());
    order.payments.push(payment.clone());
    Transaction {
        state,
        test: line.test,
        name: if line.name.is_empty() { line.channel.clone() } else { line.name.clone() },
        card: line.card.clone(),
        ..of_payment(order, &payment, TransactionKind::Sale, amount, next(), at_ms)
    }
}

/// What each line pays.
fn amounts(order: &Order, lines: &[PayLine], open: Amount) -> Result<Vec<Amount>, Fault> {
    let currency = order.currency;
    let mut stated = Vec::with_capacity(lines.len());
    let mut asked = Amount::ZERO;
    for (entry, line) in lines.iter().enumerate() {
        let Some(amount) = line.amount else {
            stated.push(None);
            continue;
        };
        let fault = |why| Fault::AmountInvalid { entry, amount, why };
        let minor = amount.to_minor(currency).map_err(fault)?;
        if minor.is_negative() {
            return Err(fault(crate::money::AmountError::NotPositive));
        }
        // Judged at once, so that no sum of many becomes too large to be one.
        if minor > open - asked {
            return Err(Fault::PaysTooMuch { asked: asked + minor, open, currency });
        }
        asked += minor;
        stated.push(Some(minor));
    }
    let mut rest = open - asked;
    Ok(stated.into_iter().map(|amount| amount.unwrap_or_else(|| std::mem::take(&mut rest))).collect())
}

fn completes(line: &PayLine, payment: &Payment) -> bool {
    payment.captured.is_zero()
        && payment.own_captured.is_zero()
        && payment.channel.eq_ignore_ascii_case(&line.channel)
        && (payment.reference.is_empty() || payment.reference == line.reference)
}

/// A test payment has no provider that gives it an id, so it takes one from its order.
fn with_reference<'l>(order: &Order, line: &'l PayLine) -> Cow<'l, PayLine> {
    if !line.test || !line.reference.is_empty() {
        return Cow::Borrowed(line);
    }
    let own = order.external_id.as_deref().filter(|_| order.origin != Dialect::Native);
    let reference = own.map_or_else(|| format!("test_{:018}", order.id), |own| format!("test_{own}"));
    Cow::Owned(PayLine { reference, ..line.clone() })
}

fn complete(order: &mut Order, index: usize, line: &PayLine, amount: Amount) -> Payment {
    let currency = order.currency;
    let payment = order.payments.get_mut(index).expect("a payment of this order");
    let told = new_payment_in(currency, line, amount, payment.id);
    let account = if told.account.is_empty() { payment.account.clone() } else { told.account.clone() };
    *payment = Payment { external_id: payment.external_id.take(), account, ..told };
    payment.clone()
}

fn new_payment(order: &Order, line: &PayLine, amount: Amount, id: Id) -> Payment {
    new_payment_in(order.currency, line, amount, id)
}

fn new_payment_in(currency: Currency, line: &PayLine, amount: Amount, id: Id) -> Payment {
    Payment {
        id,
        external_id: None,
        channel: line.channel.clone(),
        method: line.method.clone(),
        kind: line.kind,
        gateway: line.gateway.clone(),
        reference: line.reference.clone(),
        account: line.account.clone(),
        captured: amount,
        own_currency: currency,
        own_captured: amount,
    }
}

pub(crate) fn of_payment(
    order: &Order,
    payment: &Payment,
    kind: TransactionKind,
    amount: Amount,
    id: Id,
    created_ms: i64,
) -> Transaction {
    Transaction {
        id,
        order: order.id,
        payment: Some(payment.id),
        kind,
        state: TransactionState::Success,
        amount,
        currency: order.currency,
        channel: payment.channel.clone(),
        name: payment.channel.clone(),
        trade_id: payment.reference.clone(),
        message: String::new(),
        error_code: String::new(),
        test: order.test,
        card: Card::default(),
        created_ms,
        updated_ms: created_ms,
    }
}

/// Captures, or gives up, a payment of which nothing was captured yet. `told` are the transactions that are kept.
///
/// Gives the order after a capture, which takes all that is open; giving up leaves the order as it is.
pub fn capture(
    facts: &Facts,
    told: &[Transaction],
    (channel, void): (&str, bool),
    now_ms: i64,
    next: &mut dyn FnMut() -> Id,
) -> Result<(Option<Order>, Transaction), Fault> {
    let before = &*facts.order;
    if before.status == Status::Cancelled && !void {
        return Err(Fault::OrderCancelled);
    }
    let of_channel = |payment: &Payment| payment.channel.eq_ignore_ascii_case(channel);
    if !before.payments.iter().any(of_channel) {
        return Err(Fault::ChannelUnknown(channel.to_owned()));
    }
    let held = |payment: &Payment| of_channel(payment) && is_held(payment, told);
    let open = before.charged() - before.captured();
    let found = before.payments.iter().position(held).filter(|_| open.is_positive());
    let Some(index) = found else { return Err(Fault::NothingToCapture(channel.to_owned())) };
    let mut order = before.clone();
    let payment = order.payments.get_mut(index).expect("its index was just found");
    if void {
        let given_up = of_payment(before, payment, TransactionKind::Void, open, next(), now_ms);
        return Ok((None, Transaction { state: TransactionState::Void, ..given_up }));
    }
    take_all(payment, open, before.currency);
    let payment = payment.clone();
    order.life.placed_ms = order.life.placed_ms.or(Some(now_ms));
    order.updated_ms = now_ms;
    order.validate().map_err(Fault::Order)?;
    let captured = of_payment(&order, &payment, TransactionKind::Capture, open, next(), now_ms);
    Ok((Some(order), captured))
}

/// Nothing was captured of it, and nobody told that it ended.
fn is_held(payment: &Payment, told: &[Transaction]) -> bool {
    let ended = |t: &Transaction| t.payment == Some(payment.id) && t.kind != TransactionKind::Authorization;
    payment.captured.is_zero() && payment.own_captured.is_zero() && !told.iter().any(ended)
}

/// What came of the order's currency is what came of the payment's own: a capture tells of no other.
fn take_all(payment: &mut Payment, amount: Amount, currency: Currency) {
    payment.captured = amount;
    payment.own_captured = amount;
    payment.own_currency = currency;
}

/// Cash on delivery is in hand once everything is delivered, unless something was paid before.
pub(crate) fn collect_on_delivery(order: &mut Order, now_ms: i64, next: &mut dyn FnMut() -> Id) -> Option<Transaction> {
    let (charged, currency) = (order.charged(), order.currency);
    if !order.captured().is_zero() || charged.is_zero() {
        return None;
    }
    let payment = order.payments.iter_mut().find(|payment| payment.kind == PaymentKind::CashOnDelivery)?;
    take_all(payment, charged, currency);
    let payment = payment.clone();
    order.life.placed_ms = order.life.placed_ms.or(Some(now_ms));
    Some(of_payment(order, &payment, TransactionKind::Capture, charged, next(), now_ms))
}

/// The transactions of an order as they are now, oldest first: those that are kept, one for each payment that nobody
/// told of, and what refunds did since. A payment of which nothing came counts as held, cash on delivery as unsettled.
pub fn shown(facts: &Facts, told: &[Transaction]) -> Vec<Transaction> {
    let order = &*facts.order;
    let mut all = told.to_vec();
    let paid_ms = order.life.placed_ms.unwrap_or(order.created_ms);
    for payment in &order.payments {
        if told.iter().any(|t| t.payment == Some(payment.id)) {
            continue;
        }
        let came = payment.own_captured.is_positive();
        let kind = if came { TransactionKind::Sale } else { TransactionKind::Authorization };
        let amount = if came { payment.own_captured } else { (order.charged() - order.captured()).or_zero() };
        let state = match (came, payment.kind.settles_outside()) {
            (true, _) => TransactionState::Success,
            (false, true) => TransactionState::Processing,
            (false, false) => TransactionState::Authorized,
        };
        let created_ms = if came { paid_ms } else { order.created_ms };
        let currency = if came { payment.own_currency } else { order.currency };
        let id = payment.id;
        all.push(Transaction { state, currency, ..of_payment(order, payment, kind, amount, id, created_ms) });
    }
    for transaction in &mut all {
        transaction.state = state_now(facts, transaction);
    }
    all.sort_by_key(|transaction| (transaction.created_ms, transaction.id));
    all
}

/// What refunds made of a transaction that brought money in.
fn state_now(facts: &Facts, transaction: &Transaction) -> TransactionState {
    let brought = transaction.state == TransactionState::Success && transaction.amount.is_positive();
    let named = transaction.payment.filter(|_| brought);
    let payment = named.and_then(|id| facts.order.payments.iter().position(|payment| payment.id == id));
    let Some(payment) = payment else { return transaction.state };
    let back = facts.payment(payment).1;
    match () {
        () if back.pending.is_positive() || back.own_pending.is_positive() => TransactionState::Refunding,
        () if back.succeeded.is_positive() || back.own_succeeded.is_positive() => TransactionState::Refunded,
        () if standing::money(facts) == Money::RefundFailed => TransactionState::RefundFailed,
        () => transaction.state,
    }
}
