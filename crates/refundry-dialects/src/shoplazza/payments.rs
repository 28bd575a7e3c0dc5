//! The payments of an order: payment lines say through what, transactions say how much.

use refundry_core::intake::IntakeFault;
use refundry_core::limits::PAYMENTS_PER_ORDER_MAX;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Order, Payment, PaymentKind};
use refundry_core::paying::PayLine;
use serde_json::{Map, Value, json};

use super::order::{Reader, unreadable};
use crate::body::Fields;

/// Channels and methods that no gateway answers for.
const OUTSIDE: [&str; 9] = [
    "custom",
    "custom_payment",
    "manual",
    "offline",
    "cash",
    "bank_transfer",
    "bank_deposit",
    "wire_transfer",
    "money_order",
];

/// Reads the payments. A transaction belongs to the payment line with its channel whose `transaction_no` is its
/// `trade_id`.
pub(super) fn read(
    reader: &Reader<'_>,
    order: &Order,
    transactions: &[Fields<'_>],
) -> Result<Vec<Payment>, IntakeFault> {
    let lines = payment_lines(reader)?;
    let paid = paid(reader, order, &lines)?;
    let mut payments = Vec::new();
    // Two payment lines may look alike; a transaction still counts once.
    let mut unclaimed: Vec<&Fields<'_>> = transactions.iter().collect();
    for line in &lines {
        let mut payment = payment(reader, order, line)?;
        let mine;
        (mine, unclaimed) = unclaimed.into_iter().partition(|t| belongs(t, &payment));
        collect(reader, &mut payment, &mine, paid.filter(|_| lines.len() == 1))?;
        payments.push(payment);
    }
    if transactions.is_empty() {
        share_untold(reader, &mut payments, paid)?;
    }
    let sum: Amount = payments.iter().map(|p| p.captured).sum();
    if let Some(paid) = paid {
        reader.agrees("total_paid", paid, sum, "its payments")?;
    }
    Ok(payments)
}

/// Where an order's document keeps what payments that were made here are called, by [`told_under`].
const TOLD_HERE: &str = "payments_here";

/// What the document is to keep of payments that are being made, as a key of its order; `None` for nothing.
pub(super) fn told_here(lines: &[PayLine]) -> Option<(String, Value)> {
    let worth = |line: &&PayLine| (!line.name.is_empty() && line.name != line.channel) || !line.card.number.is_empty();
    let told = |line: &PayLine| {
        let words = json!({ "payment_name": line.name, "credit_card_number": line.card.number });
        (told_under(&line.channel, &line.reference), words)
    };
    let told: Map<String, Value> = lines.iter().filter(worth).map(told).collect();
    (!told.is_empty()).then(|| (TOLD_HERE.to_owned(), told.into()))
}

/// A word that an order's document keeps of a payment that was made here; `""` where it has none.
pub(super) fn told_of<'a>(order: &'a Map<String, Value>, payment: &Payment, key: &str) -> &'a str {
    let told = order.get(TOLD_HERE).and_then(|told| told.get(told_under(&payment.channel, &payment.reference)));
    told.and_then(|told| told.get(key)).and_then(Value::as_str).unwrap_or_default()
}

fn told_under(channel: &str, reference: &str) -> String {
    format!("{channel} {reference}")
}

/// What was paid: stated, or all of it where the status says so.
fn paid(reader: &Reader<'_>, order: &Order, lines: &[Reader<'_>]) -> Result<Option<Amount>, IntakeFault> {
    let stated = reader.amount("total_paid")?;
    let status = reader.text("financial_status")?;
    let is_paid = matches!(status.as_str(), "paid" | "refunding" | "refund_failed" | "refunded" | "partially_refunded");
    // Cash on delivery is in hand once the parcel is.
    let delivered = reader.text("fulfillment_status")? == "finished" && {
        let kinds = lines.iter().map(kind_of).collect::<Result<Vec<_>, _>>()?;
        kinds == [PaymentKind::CashOnDelivery]
    };
    match stated {
        Some(paid) if paid.is_zero() && delivered => Ok(Some(order.charged())),
        Some(paid) => Ok(Some(paid)),
        None if is_paid || delivered => Ok(Some(order.charged())),
        None => Ok(None),
    }
}

fn payment_lines<'a>(reader: &Reader<'a>) -> Result<Vec<Reader<'a>>, IntakeFault> {
    let lines = reader.list("payment_lines", PAYMENTS_PER_ORDER_MAX)?;
    if !lines.is_empty() {
        return Ok(lines);
    }
    let single = reader.fields.object("payment_line").map_err(unreadable)?;
    let single = single.map(|fields| reader.within(fields));
    let Some(line) = single else { return Ok(Vec::new()) };
    let named = !line.text("payment_channel")?.is_empty() || !line.text("id")?.is_empty();
    Ok(if named { vec![line] } else { Vec::new() })
}

fn kind_of(line: &Reader<'_>) -> Result<PaymentKind, IntakeFault> {
    Ok(kind_named(&line.text("payment_channel")?, &line.text("payment_method")?))
}

/// What a payment is, by its channel and method.
pub(super) fn kind_named(channel: &str, method: &str) -> PaymentKind {
    let names = [channel.to_lowercase(), method.to_lowercase()];
    let is = |wanted: &[&str]| names.iter().any(|name| wanted.contains(&name.as_str()));
    match () {
        () if is(&["gift_card", "giftcard"]) => PaymentKind::GiftCard,
        () if is(&["cod", "cash_on_delivery"]) => PaymentKind::CashOnDelivery,
        () if is(&OUTSIDE) => PaymentKind::Custom,
        () => PaymentKind::Online,
    }
}

fn payment(reader: &Reader<'_>, order: &Order, line: &Reader<'_>) -> Result<Payment, IntakeFault> {
    let kind = kind_of(line)?;
    let id = line.text("id")?;
    Ok(Payment {
        id: 0,
        external_id: (!id.is_empty()).then_some(id),
        channel: line.text("payment_channel")?,
        method: line.text("payment_method")?,
        kind,
        gateway: if kind.settles_outside() { "manual" } else { "simulated" }.to_owned(),
        reference: line.text("transaction_no")?,
        account: payer(reader)?,
        captured: Amount::ZERO,
        own_currency: order.currency,
        own_captured: Amount::ZERO,
    })
}

/// The payer as the billing address names them; a card names its holder better, where it does.
fn payer(reader: &Reader<'_>) -> Result<String, IntakeFault> {
    for key in ["billing_address", "customer"] {
        let Some(person) = reader.fields.object(key).map_err(unreadable)? else { continue };
        let person = reader.within(person);
        let full = person.text("name")?;
        let name = if full.is_empty() { joined(&person, "first_name", "last_name")? } else { full };
        if !name.is_empty() {
            return Ok(name);
        }
    }
    Ok(String::new())
}

fn joined(reader: &Reader<'_>, first: &str, last: &str) -> Result<String, IntakeFault> {
    Ok(format!("{} {}", reader.text(first)?, reader.text(last)?).trim().to_owned())
}

fn belongs(transaction: &Fields<'_>, payment: &Payment) -> bool {
    let says = |key: &str, text: &str| {
        let given = transaction.text_or_number(key).ok().flatten().unwrap_or_default();
        given.trim().eq_ignore_ascii_case(text)
    };
    says("trade_id", &payment.reference) && says("payment_channel", &payment.channel)
}

/// Adds up the transactions that moved money to the merchant; a refunded one did, before.
fn collect(
    reader: &Reader<'_>,
    payment: &mut Payment,
    transactions: &[&Fields<'_>],
    only: Option<Amount>,
) -> Result<(), IntakeFault> {
    for fields in transactions {
        let transaction = reader.within((*fields).clone());
        let status = transaction.text("status")?;
        if !matches!(status.as_str(), "success" | "refunding" | "refunded" | "refund_failed") {
            continue;
        }
        let currency = currency_of(&transaction)?;
        let amount = transaction.amount_in("amount", currency)?.ok_or_else(|| transaction.missing("amount"))?;
        if currency != payment.own_currency && !payment.own_captured.is_zero() {
            let reason = format!("is {currency}, but another transaction of the payment is {}", payment.own_currency);
            return Err(transaction.contradicts("currency", reason));
        }
        payment.own_currency = currency;
        payment.own_captured += amount;
        if let Some(details) = holder(&transaction)? {
            payment.account = details;
        }
    }
    if payment.own_currency == reader.currency {
        payment.captured = payment.own_captured;
        return Ok(());
    }
    // Only the order says what a foreign amount is worth in its own currency, and only for one payment.
    let unknown = || {
        let reason = format!("cannot tell what {} is worth in {}", payment.own_currency, reader.currency);
        reader.wrong("total_paid", reason)
    };
    payment.captured = only.ok_or_else(unknown)?;
    Ok(())
}

fn currency_of(transaction: &Reader<'_>) -> Result<Currency, IntakeFault> {
    let code = transaction.text("currency")?;
    if code.is_empty() {
        return Ok(transaction.currency);
    }
    let wrong = || transaction.wrong("currency", "must be an ISO 4217 code such as USD".to_owned());
    Currency::parse(&code).ok_or_else(wrong)
}

/// The name on the card; legacy transactions call the object `payment_details`.
fn holder(transaction: &Reader<'_>) -> Result<Option<String>, IntakeFault> {
    for key in ["payment_detail", "payment_details"] {
        let Some(card) = transaction.fields.object(key).map_err(unreadable)? else { continue };
        let name = joined(&transaction.within(card), "card_first_name", "card_last_name")?;
        if !name.is_empty() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Without transactions, one payment line bears all that was paid, and gift cards what the order says of them.
fn share_untold(reader: &Reader<'_>, payments: &mut [Payment], paid: Option<Amount>) -> Result<(), IntakeFault> {
    let paid = paid.unwrap_or_default();
    let gift_cards = reader.amount_or_zero("gift_card_total")?;
    let amounts: Vec<Amount> = match payments {
        [_] => vec![paid],
        [first, second] if (first.kind == PaymentKind::GiftCard) != (second.kind == PaymentKind::GiftCard) => {
            let rest = (paid - gift_cards).or_zero();
            let share = |payment: &Payment| if payment.kind == PaymentKind::GiftCard { gift_cards } else { rest };
            vec![share(first), share(second)]
        }
        _ if paid.is_zero() => return Ok(()),
        [] => return Ok(()),
        _ => {
            let reason = "transactions are needed to tell what each payment line paid".to_owned();
            return Err(reader.wrong("payment_lines", reason));
        }
    };
    for (payment, amount) in payments.iter_mut().zip(amounts) {
        payment.captured = amount;
        payment.own_captured = amount;
    }
    Ok(())
}
