//! The payments of an order, as it shows them: one slip each.

use refundry_core::money::{Amount, Currency, Decimal};
use refundry_core::order::{Order, Payment, PaymentKind};
use refundry_core::paying::{Transaction, TransactionState};
use serde_json::{Value, json};

use super::kept::Kept;
use crate::shopline::ids;
use crate::shopline::money::{Money, decimal, number};
use crate::text::rfc3339_offset;
use crate::wire::OrderView;

/// `payment_details`; in the answer that made the order, amounts in the store's currency are texts.
pub(super) fn all(view: &OrderView, kept: Kept<'_>, made: bool) -> Vec<Value> {
    let entries = kept.list("payment_details");
    let one = |payment: &Payment| {
        let id = ids::payment_id(&view.facts.order, payment);
        let kept = entries.iter().copied().find(|entry| entry.text("pay_seq") == id).unwrap_or_else(Kept::nothing);
        slip(view, payment, kept, made)
    };
    view.facts.order.payments.iter().map(one).collect()
}

/// How the payments were made, each way once.
pub(super) fn ways(order: &Order) -> Vec<&str> {
    let mut ways: Vec<&str> = Vec::new();
    for payment in &order.payments {
        if !payment.channel.is_empty() && !ways.contains(&payment.channel.as_str()) {
            ways.push(&payment.channel);
        }
    }
    ways
}

fn slip(view: &OrderView, payment: &Payment, kept: Kept<'_>, made: bool) -> Value {
    let order = &*view.facts.order;
    let told: Vec<&Transaction> = view.transactions.iter().filter(|t| t.payment == Some(payment.id)).collect();
    let (own, own_currency, booked) = amounts(order, payment, told.last().copied(), kept);
    let shop = Money::converted(order, booked).plain();
    let gift = if payment.kind == PaymentKind::GiftCard { own } else { Amount::ZERO };
    let of_last = |text: fn(&Transaction) -> &str| told.last().map_or("", |last| text(last)).to_owned();
    json!({
        "pay_seq": ids::payment_id(order, payment),
        "pay_amount": if made { shop.into() } else { number(&shop) },
        "settle_currency": own_currency.code(),
        "settle_pay_amount": number(&decimal(own, own_currency)),
        "pay_status": status(payment, told.last().copied(), kept),
        "gateway": payment.channel,
        "pay_channel": kept.some_text("pay_channel").unwrap_or_else(|| payment.channel.clone()),
        "pay_channel_deal_id": payment.reference,
        "payment_method": payment.method,
        "status_code": kept.some_text("status_code").unwrap_or_else(|| of_last(|t| &t.error_code)),
        "status_msg": kept.some_text("status_msg").unwrap_or_else(|| of_last(|t| &t.message)),
        "create_time": told.first().map_or_else(|| kept.time("create_time"), |first| rfc3339_offset(first.created_ms)),
        "processed_at": processed_at(payment, &told, kept),
        "giftcard_presentment_money": { "amount": decimal(gift, own_currency), "currency_code": own_currency.code() },
    })
}

/// What a slip is about, in its own currency and in the order's: what was captured, or else what is to be.
fn amounts(order: &Order, payment: &Payment, told: Option<&Transaction>, kept: Kept<'_>) -> (Amount, Currency, Amount) {
    let own_currency = payment.own_currency;
    if payment.captured.is_positive() || payment.own_captured.is_positive() {
        return (payment.own_captured, own_currency, payment.captured);
    }
    let stated = || {
        let stated = Decimal::parse_json_number(&kept.text("settle_pay_amount")).ok()?;
        Some((stated.to_minor(own_currency).ok()?, own_currency))
    };
    let open = told.map(|told| (told.amount, told.currency)).or_else(stated);
    match open {
        Some((amount, currency)) if currency == order.currency => (amount, currency, amount),
        // What was not paid is in no books, so nothing says what it is worth in the order's currency.
        Some((amount, currency)) => (amount, currency, Amount::ZERO),
        None => (Amount::ZERO, own_currency, Amount::ZERO),
    }
}

fn status(payment: &Payment, told: Option<&Transaction>, kept: Kept<'_>) -> &'static str {
    let said = kept.text("pay_status");
    if payment.captured.is_positive() {
        return if said == "paid_overtime" { "paid_overtime" } else { "paid" };
    }
    match told.map(|told| told.state) {
        Some(TransactionState::Error | TransactionState::Void | TransactionState::Expired) => "paid_failed",
        Some(TransactionState::Authorized) => "pending",
        Some(_) => "unpaid",
        None => ["pending", "risking", "paid_failed"].into_iter().find(|word| *word == said).unwrap_or("unpaid"),
    }
}

/// When it was paid.
fn processed_at(payment: &Payment, told: &[&Transaction], kept: Kept<'_>) -> String {
    let paid = told.iter().rev().find(|told| told.state == TransactionState::Success);
    match paid.filter(|_| payment.captured.is_positive()) {
        Some(paid) => rfc3339_offset(paid.updated_ms),
        None => kept.time("processed_at"),
    }
}
