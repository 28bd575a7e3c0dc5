//! Reply → wire: the payments of an order, its transactions with what refunds did, and slips that were made.
//!
//! A payment is named by its own id wherever it stands, the one that refunds are asked to pay back to.

use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Order, Payment};
use refundry_core::paying::{Card, Transaction, TransactionKind, TransactionState};
use refundry_core::refund::{Leg, LegState, Refund};
use refundry_core::slips::{Slip, SlipState};
use serde_json::{Value, json};

use crate::parcels::SlipView;
use crate::shopline::ids;
use crate::shopline::money::{decimal, number};
use crate::text::rfc3339_offset;

/// `{"transactions":[…]}`, one for each payment.
pub(super) fn transactions(order: &Order, slips: &[Slip]) -> Value {
    let shown = slips.iter().filter_map(|slip| {
        let payment = order.payments.get(slip.payment)?;
        Some(json!({
            "id": ids::payment_id(order, payment),
            "order_id": ids::order_id(order),
            "kind": "sale",
            "status": match (slip.state, slip.held) {
                (SlipState::Unpaid, true) => "pending",
                (SlipState::Unpaid, false) => "create",
                (SlipState::Paid, _) => "success",
                (SlipState::Failed, _) => "failure",
            },
            "amount": decimal(slip.own_amount, slip.own_currency),
            "currency": slip.own_currency.code(),
            "gateway": payment.channel,
            "error_code": slip.told.error_code,
            "error_msg": slip.told.message,
            "status_code": "",
            "status_msg": "",
            "receipt": {},
            "payment_details": card(&slip.told.card),
        }))
    });
    json!({ "transactions": shown.collect::<Vec<Value>>() })
}

/// What is known of a card; its brand is not.
fn card(card: &Card) -> Value {
    json!({
        "credit_card_number": card.number,
        "credit_card_bin": card.first_six(),
        "credit_card_brand": "",
        "credit_card_expire_month": card.month,
        "credit_card_expire_year": card.year,
    })
}

/// `{"transaction_list":[…]}` after slips were made or changed.
pub(super) fn slips(slips: &[SlipView]) -> Value {
    let shown = slips.iter().filter_map(|SlipView { order, slip }| {
        let payment = order.payments.get(slip.payment)?;
        Some(json!({
            "id": ids::payment_id(order, payment),
            "order_id": ids::order_id(order),
            "amount": number(&decimal(slip.own_amount, slip.own_currency)),
            "status": slip_word(slip.state),
            "create_at": rfc3339_offset(slip.created_ms),
            "pay_channel_deal_id": payment.reference,
        }))
    });
    json!({ "transaction_list": shown.collect::<Vec<Value>>() })
}

/// The platform's word for where a slip stands.
pub(super) const fn slip_word(state: SlipState) -> &'static str {
    match state {
        SlipState::Unpaid => "unpaid",
        SlipState::Paid => "paid",
        SlipState::Failed => "paid_failed",
    }
}

/// One row of a query: something that money did.
struct Row<'r> {
    id: String,
    parent: Option<String>,
    kind: &'static str,
    status: &'static str,
    amount: (Amount, Currency),
    payment: &'r Payment,
    error: (&'r str, &'r str),
    times_ms: (i64, i64),
    card: Card,
    deal: &'r str,
}

/// `{"transaction_list":[…]}`: what came in, and what went back since; only the one that is wanted, where one is.
pub(super) fn found(
    order: &Order,
    slips: &[Slip],
    transactions: &[Transaction],
    refunds: &[Refund],
    wanted: Option<&String>,
) -> Value {
    let mut rows: Vec<Row<'_>> = slips.iter().flat_map(|slip| rows_of(order, slip, transactions)).collect();
    rows.extend(refunds.iter().flat_map(|refund| refund.legs.iter().filter_map(|leg| row_of_leg(order, refund, leg))));
    rows.retain(|row| wanted.is_none_or(|wanted| *wanted == row.id));
    // What happened in the same instant stays in the sequence in which it can have happened.
    rows.sort_by_key(|row| row.times_ms.0);
    json!({ "transaction_list": rows.iter().map(|row| row.write(order)).collect::<Vec<Value>>() })
}

/// What a payment did. One that was made outside is paid or it is not; one through a gateway may be held first.
fn rows_of<'r>(order: &'r Order, slip: &'r Slip, transactions: &'r [Transaction]) -> Vec<Row<'r>> {
    let Some(payment) = order.payments.get(slip.payment) else { return Vec::new() };
    let id = ids::payment_id(order, payment);
    if payment.kind.settles_outside() {
        let status = match slip.state {
            SlipState::Unpaid => "created",
            SlipState::Paid => "success",
            SlipState::Failed => "fail",
        };
        let times_ms = (slip.created_ms, slip.told.updated_ms);
        let amount = (slip.own_amount, slip.own_currency);
        let row = Row { id, kind: "sale", status, amount, times_ms, ..Row::told(payment, &slip.told) };
        return vec![row];
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for told in transactions.iter().filter(|told| told.payment == Some(payment.id)) {
        let follows = matches!(told.kind, TransactionKind::Capture | TransactionKind::Void);
        if follows && rows.is_empty() {
            // What is captured or given up was held before, though nobody told of it by itself.
            let times_ms = (order.created_ms, order.created_ms);
            let id = id.clone();
            rows.push(Row { id, kind: "authorization", status: "success", times_ms, ..Row::told(payment, told) });
        }
        let row = Row::told(payment, told);
        rows.push(if rows.is_empty() {
            Row { id: id.clone(), ..row }
        } else {
            Row { parent: follows.then(|| id.clone()), ..row }
        });
    }
    rows
}

fn row_of_leg<'r>(order: &'r Order, refund: &'r Refund, leg: &'r Leg) -> Option<Row<'r>> {
    let payment = order.payments.get(leg.payment)?;
    let (status, error) = match &leg.state {
        LegState::Waiting | LegState::Sent | LegState::InDoubt { .. } | LegState::Parked { .. } => {
            ("pending", ("", ""))
        }
        LegState::Succeeded { .. } => ("success", ("", "")),
        LegState::Failed { code, message, .. } => ("fail", (code.as_str(), message.as_str())),
    };
    Some(Row {
        id: ids::leg_id(leg),
        parent: None,
        kind: "refund",
        status,
        amount: (leg.own_amount, payment.own_currency),
        payment,
        error,
        times_ms: (refund.created_ms, leg.finished_ms().unwrap_or(refund.updated_ms)),
        card: Card::default(),
        deal: &leg.reference,
    })
}

impl<'r> Row<'r> {
    fn told(payment: &'r Payment, told: &'r Transaction) -> Self {
        Self {
            id: ids::transaction_id(told.id),
            parent: None,
            kind: told.kind.code(),
            status: match told.state {
                TransactionState::Processing => "pending",
                TransactionState::Error | TransactionState::Expired => "fail",
                // That money is held, or was given up, is what was to happen; refunds are rows of their own.
                TransactionState::Authorized
                | TransactionState::Void
                | TransactionState::Success
                | TransactionState::Refunding
                | TransactionState::Refunded
                | TransactionState::RefundFailed => "success",
            },
            amount: (told.amount, told.currency),
            payment,
            error: (&told.error_code, &told.message),
            times_ms: (told.created_ms, told.updated_ms),
            card: told.card.clone(),
            deal: &told.trade_id,
        }
    }

    fn write(&self, order: &Order) -> Value {
        let mut shown = json!({
            "id": self.id,
            "order_id": ids::order_id(order),
            "kind": self.kind,
            "status": self.status,
            "amount": decimal(self.amount.0, self.amount.1),
            "currency": self.amount.1.code(),
            "gateway": self.payment.channel,
            "payment_method": self.payment.method,
            "error_code": self.error.0,
            "error_msg": self.error.1,
            "create_at": rfc3339_offset(self.times_ms.0),
            "update_at": rfc3339_offset(self.times_ms.1),
            "payment_details": {
                "credit_card": card(&self.card),
                "pay_channel_deal_id": self.deal,
                "receipt_json": "",
            },
        });
        if let (Some(map), Some(parent)) = (shown.as_object_mut(), &self.parent) {
            map.insert("parent_transaction_id".to_owned(), parent.as_str().into());
        }
        shown
    }
}
