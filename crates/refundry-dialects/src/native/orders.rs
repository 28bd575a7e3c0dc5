//! Writes an order with what is left of it.

use refundry_core::balances::Facts;
use refundry_core::order::{Capture, ComponentKind, Dialect, Status};
use refundry_core::refund::Bucket;
use serde_json::Value;

use super::answers as wire;
use super::encode::{line_id, order_id, payment_id, shown};
use super::read::id_text;
use crate::text::rfc3339_millis;
use crate::wire::OrderView;

/// Writes an order.
pub(super) fn order(view: &OrderView) -> wire::Order {
    let facts = &view.facts;
    let (order, balances) = (&facts.order, &facts.balances);
    let show = |amount| shown(amount, order.currency);
    wire::Order {
        id: order_id(order).into_owned(),
        uid: id_text(order.id),
        origin: order.origin.code().to_owned(),
        number: order.number.clone(),
        currency: order.currency.code().to_owned(),
        shop: order
            .shop
            .map(|shop| wire::ShopMoney { currency: shop.currency.code().to_owned(), rate: shop.rate.to_string() }),
        taxes_included: order.taxes_included,
        capture: match order.capture {
            Capture::Whole => "whole".to_owned(),
            Capture::ByFulfilment => "by_fulfilment".to_owned(),
        },
        status: match order.status {
            Status::Open => "open".to_owned(),
            Status::Cancelled => "cancelled".to_owned(),
        },
        disputed: order.disputed,
        test: order.test,
        created_at: rfc3339_millis(order.created_ms),
        updated_at: rfc3339_millis(order.updated_ms),
        total: show(order.charged()),
        paid: show(order.captured()),
        refundable: show(facts.payments_left()),
        refunded: show(balances.succeeded()),
        pending: show(balances.pending()),
        discrepancy: show(balances.discrepancy),
        refund_count: balances.refunds,
        lines: (0..order.lines.len()).filter_map(|index| line(facts, index)).collect(),
        shipping: charges(facts, ComponentKind::Shipping),
        tip: tip(facts),
        additional: charges(facts, ComponentKind::Additional),
        duties: charges(facts, ComponentKind::Duty),
        importer_tax: charges(facts, ComponentKind::ImporterTax),
        fees: charges(facts, ComponentKind::Fee),
        payments: (0..order.payments.len()).map(|index| payment(facts, index)).collect(),
        refunds: past_refunds(view),
    }
}

/// Only our own documents have refunds in the shape that this API reads.
fn past_refunds(view: &OrderView) -> Value {
    let ours = view.facts.order.origin == Dialect::Native;
    let document = serde_json::from_str::<Value>(&view.document).ok().filter(|_| ours);
    let refunds = document.and_then(|document| document.get("refunds").cloned());
    refunds.filter(Value::is_array).unwrap_or_else(|| Value::Array(Vec::new()))
}

fn line(facts: &Facts, index: usize) -> Option<wire::Line> {
    let order = &facts.order;
    let line = order.lines.get(index)?;
    let show = |amount| shown(amount, order.currency);
    let goods = order.goods(index);
    let (net, tax) = facts.component_left(index);
    let refunded = facts.units_refunded(index);
    Some(wire::Line {
        id: line_id(order, index).into_owned(),
        uid: id_text(line.id),
        sku: line.sku.clone(),
        title: line.title.clone(),
        variant_title: line.variant_title.clone(),
        product_id: line.product_id.clone(),
        variant_id: line.variant_id.clone(),
        location_id: line.location_id.clone(),
        quantity: line.quantity,
        shipped: line.shipped,
        cancelled: line.cancelled,
        unit_price: show(line.unit_price),
        discount: show(line.discount),
        net: show(goods.net),
        tax: show(goods.tax),
        left: wire::LineLeft {
            net: show(net),
            tax: show(tax),
            waiting: facts.units_left(index, Bucket::Waiting),
            shipped: facts.units_left(index, Bucket::Shipped),
        },
        refunded: wire::Units { waiting: refunded.waiting, shipped: refunded.shipped },
    })
}

fn charges(facts: &Facts, kind: ComponentKind) -> Vec<wire::Charge> {
    let order = &facts.order;
    let charge = |index: usize| {
        let component = order.components.get(index)?;
        let (net, tax) = facts.component_left(index);
        Some(wire::Charge {
            line: component.line.map(|line| line_id(order, line).into_owned()),
            name: component.name.clone(),
            net: shown(component.net, order.currency),
            tax: shown(component.tax, order.currency),
            left: wire::NetTax { net: shown(net, order.currency), tax: shown(tax, order.currency) },
        })
    };
    order.of_kind(kind).filter_map(charge).collect()
}

/// Platforms may list several tips; they are one here.
fn tip(facts: &Facts) -> Option<wire::Tip> {
    let order = &facts.order;
    let show = |amount| shown(amount, order.currency);
    let tips: Vec<usize> = order.of_kind(ComponentKind::Tip).collect();
    if tips.is_empty() {
        return None;
    }
    let charged = tips.iter().filter_map(|tip| order.components.get(*tip));
    let lefts = tips.iter().map(|tip| facts.component_left(*tip));
    let (net_left, tax_left) = lefts.fold(Default::default(), |(net, tax), left| (net + left.0, tax + left.1));
    Some(wire::Tip {
        net: show(charged.clone().map(|tip| tip.net).sum()),
        tax: show(charged.map(|tip| tip.tax).sum()),
        left: wire::NetTax { net: show(net_left), tax: show(tax_left) },
    })
}

fn payment(facts: &Facts, index: usize) -> wire::Payment {
    let order = &facts.order;
    let (payment, paid) = facts.payment(index);
    let show = |amount| shown(amount, order.currency);
    let own = (payment.own_currency != order.currency).then(|| wire::OwnMoney {
        currency: payment.own_currency.code().to_owned(),
        captured: shown(payment.own_captured, payment.own_currency),
        left: shown(facts.payment_own_left(index), payment.own_currency),
    });
    wire::Payment {
        id: payment_id(order, index).into_owned(),
        uid: id_text(payment.id),
        channel: payment.channel.clone(),
        method: payment.method.clone(),
        kind: payment.kind.code().to_owned(),
        gateway: payment.gateway.clone(),
        reference: payment.reference.clone(),
        account: payment.account.clone(),
        captured: show(payment.captured),
        own,
        refunded: show(paid.succeeded),
        pending: show(paid.pending),
        left: show(facts.payment_left(index)),
    }
}
