//! Reply → wire.

use std::borrow::Cow;
use std::fmt::Write as _;

use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Dialect, Order};
use refundry_core::payouts::Strategy;
use refundry_core::query::SortBy;
use refundry_core::quote::{Alternative, PlannedLeg, Quote};
use refundry_core::refund::{Allocation, Cap, CapKind, Class, Leg, LegState, MetaValue, Route, Shape, UnitMove};
use serde::Serialize;
use serde_json::Value;

use super::answers as wire;
use super::explain::{because, component_name, rule};
use super::read::id_text;
use super::{Endpoint, events, gateways, legs, orders, query, reject};
use crate::payouts::PayoutReply;
use crate::text::rfc3339_millis;
use crate::wire::{RefundPage, RefundView, Refusal, Reply, Request, Response, StoreView, TokenView};

/// Writes the answer.
pub(super) fn reply(endpoint: &Endpoint, request: &Request<'_>, reply: &Reply) -> Response {
    match reply {
        Reply::Created(answer) => {
            let refund = refund(&answer.view);
            let at = format!("/v1/refunds/{}", percent_encode(&refund.id));
            json(201, &refund).with("location", at)
        }
        Reply::Refund(view) => json(200, &refund(view)),
        Reply::Refunds(page) => json(200, &refunds(request, page)),
        Reply::Quoted { facts, quote: quoted, plans } => {
            json(200, &quote(&facts.order, quoted, plans, facts.payments_left()))
        }
        Reply::Order { order, created } => {
            let order = orders::order(order);
            let at = format!("/v1/orders/{}", percent_encode(&order.id));
            if *created { json(201, &order).with("location", at) } else { json(200, &order) }
        }
        Reply::Orders { orders: page, has_more } => {
            let last = page.last().filter(|_| *has_more).map(|view| &view.facts.order);
            let next_cursor = last.map(|order| query::cursor(query::ORDER_LIST, order.created_ms, order.id));
            json(200, &wire::Page { data: page.iter().map(orders::order).collect(), next_cursor })
        }
        Reply::Imported { created, changed, unchanged, faults } => {
            let fault = |(line, fault): &(usize, _)| reject::import_fault(*line, fault);
            let faults: Vec<wire::ImportFault> = faults.iter().map(fault).collect();
            let (created, changed, unchanged) = (*created, *changed, *unchanged);
            json(200, &wire::Imported { created, changed, unchanged, failed: faults.len(), faults })
        }
        Reply::Stores(stores) => listed(matches!(endpoint, Endpoint::CreateStore), stores.iter().map(store).collect()),
        Reply::Tokens(tokens) => listed(matches!(endpoint, Endpoint::CreateToken), tokens.iter().map(token).collect()),
        Reply::Revoked => {
            Response { status: 204, headers: Vec::new(), content_type: "application/json", body: Vec::new() }
        }
        Reply::Payouts(reply) => payouts(reply),
        // No endpoint of this API asks for these.
        Reply::Counted(_)
        | Reply::OrderWithRefunds { .. }
        | Reply::Tried { .. }
        | Reply::Heard
        | Reply::Shop(_)
        | Reply::Parcels(_)
        | Reply::Returns(_)
        | Reply::Cases(_)
        | Reply::Hooks(_)
        | Reply::Stock(_) => reject::refuse(Some(endpoint), &Refusal::Internal),
    }
}

fn payouts(reply: &PayoutReply) -> Response {
    match reply {
        PayoutReply::Legs { legs, has_more } => legs::page(legs, *has_more),
        PayoutReply::Leg { leg, evidence } => json(200, &legs::file(leg, evidence)),
        PayoutReply::Events { events, has_more } => events::page(events, *has_more),
        PayoutReply::Resolved { event, outcome, refund } => json(200, &events::resolved(*event, outcome, *refund)),
        PayoutReply::Gateways(all) => listed(false, all.iter().map(gateways::gateway).collect()),
        PayoutReply::Gateway { gateway, created } => {
            json(if *created { 201 } else { 200 }, &gateways::gateway(gateway))
        }
        PayoutReply::Routes(all) => listed(false, all.iter().map(gateways::route).collect()),
        PayoutReply::Route(route) => json(200, &gateways::route(route)),
    }
}

/// An answer, straight from its wire type.
pub(super) fn json(status: u16, body: &impl Serialize) -> Response {
    // Wire types are structs of texts, numbers and maps with text keys: they always serialise.
    let body = serde_json::to_vec(body).unwrap_or_default();
    Response { status, headers: Vec::new(), content_type: "application/json", body }
}

/// The one thing that was made, or the list of all.
fn listed<T: Serialize>(made: bool, mut all: Vec<T>) -> Response {
    match all.pop() {
        Some(one) if made => json(201, &one),
        last => {
            all.extend(last);
            json(200, &wire::Page { data: all, next_cursor: None })
        }
    }
}

/// Writes a store.
pub(super) fn store(view: &StoreView) -> wire::Store {
    wire::Store {
        id: id_text(view.id),
        handle: view.handle.clone(),
        name: view.name.clone(),
        currency: view.currency.clone(),
        created_at: rfc3339_millis(view.created_ms),
    }
}

/// Writes a token.
pub(super) fn token(view: &TokenView) -> wire::Token {
    wire::Token {
        id: view.id.clone(),
        label: view.label.clone(),
        scopes: view.scopes.iter().map(|scope| scope.code().to_owned()).collect(),
        created_at: rfc3339_millis(view.created_ms),
        secret: view.secret.clone(),
    }
}

fn refunds<'a>(request: &Request<'_>, page: &'a RefundPage) -> wire::Page<wire::Refund<'a>> {
    let last = page.refunds.last().filter(|_| page.has_more);
    let next_cursor = last.zip(query::refunds(request).ok()).map(|(view, asked)| {
        let key_ms = match asked.sort {
            SortBy::Created => view.refund.created_ms,
            SortBy::Updated => view.refund.updated_ms,
        };
        query::cursor(query::refund_list(asked.sort, asked.descending), key_ms, view.refund.id)
    });
    wire::Page { data: page.refunds.iter().map(refund).collect(), next_cursor }
}

/// An amount as this API writes it: with the currency's own decimals.
pub(super) fn shown(amount: Amount, currency: Currency) -> wire::Money {
    wire::Money::of(amount, currency)
}

/// The platform's own id where it is our platform's, else our number.
pub(super) fn named<'a>(order: &Order, external_id: Option<&'a str>, id: u64) -> Cow<'a, str> {
    let external = external_id.filter(|_| order.origin == Dialect::Native);
    external.map_or_else(|| id_text(id).into(), Cow::Borrowed)
}

/// How this API names an order.
pub(super) fn order_id(order: &Order) -> Cow<'_, str> {
    named(order, order.external_id.as_deref(), order.id)
}

/// How this API names a line.
pub(super) fn line_id(order: &Order, line: usize) -> Cow<'_, str> {
    order.lines.get(line).map_or_else(Cow::default, |line| named(order, line.external_id.as_deref(), line.id))
}

/// How this API names a payment.
pub(super) fn payment_id(order: &Order, payment: usize) -> Cow<'_, str> {
    order.payments.get(payment).map_or_else(Cow::default, |p| named(order, p.external_id.as_deref(), p.id))
}

/// Writes a refund.
pub(super) fn refund(view: &RefundView) -> wire::Refund<'_> {
    let (refund, order) = (&view.refund, &view.order);
    let show = |amount| shown(amount, order.currency);
    wire::Refund {
        id: named(order, refund.external_id.as_deref(), refund.id),
        order: order_id(order),
        number: refund.number,
        state: refund.state().code(),
        via: refund.via.code(),
        amount: show(refund.amount),
        refunded: show(refund.refunded()),
        discrepancy: show(refund.discrepancy),
        currency: order.currency.code(),
        created_at: rfc3339_millis(refund.created_ms),
        updated_at: rfc3339_millis(refund.updated_ms),
        processed_at: refund.processed_ms.map(rfc3339_millis),
        note: &refund.note,
        reason: &refund.reason,
        notify: refund.notify,
        metadata: refund.metadata.iter().map(|(key, value)| (key.as_str(), meta(value))).collect(),
        allocations: refund.allocations.iter().map(|a| allocation(order, a)).collect(),
        units: refund.units.iter().map(|u| units(order, u)).collect(),
        legs: refund.legs.iter().map(|l| leg(order, l)).collect(),
        explanation: explanation(order, refund.shape, &refund.allocations, refund.nearest_cap),
        retry_of: refund.retry_of.map(id_text),
    }
}

/// Writes a quote.
pub(super) fn quote<'a>(
    order: &'a Order,
    quote: &'a Quote,
    plans: &'a [Alternative],
    refundable: Amount,
) -> wire::Quote<'a> {
    let show = |amount| shown(amount, order.currency);
    let legs = quote.legs.iter().map(|leg| {
        let own = order.payments.get(leg.payment).map_or(order.currency, |p| p.own_currency);
        wire::QuotedLeg {
            payment: payment_id(order, leg.payment),
            amount: show(leg.amount),
            own_amount: shown(leg.own_amount, own),
            own_currency: own.code(),
            route: route(leg.route),
            gateway: leg.gateway(order),
        }
    });
    wire::Quote {
        order: order_id(order),
        amount: show(quote.amount),
        discrepancy: show(quote.discrepancy),
        currency: order.currency.code(),
        refundable: show(refundable),
        strategy: quote.strategy.map(Strategy::code),
        plans: plans.iter().map(|plan| payment_plan(order, plan)).collect(),
        allocations: quote.allocations.iter().map(|a| allocation(order, a)).collect(),
        units: quote.units.iter().map(|u| units(order, u)).collect(),
        legs: legs.collect(),
        explanation: explanation(order, quote.shape, &quote.allocations, quote.nearest_cap),
    }
}

fn payment_plan<'a>(order: &'a Order, plan: &'a Alternative) -> wire::PaymentPlan<'a> {
    let leg = |leg: &'a PlannedLeg| wire::PlannedLeg {
        payment: payment_id(order, leg.payment),
        amount: shown(leg.amount, order.currency),
        gateway: leg.gateway(order),
    };
    wire::PaymentPlan {
        strategies: plan.strategies.iter().map(|strategy| strategy.code()).collect(),
        legs: plan.legs.iter().map(leg).collect(),
    }
}

/// A number was checked to be JSON when it came in; one that is not any more is shown as text.
fn meta(value: &MetaValue) -> Value {
    match value {
        MetaValue::Text(text) => Value::from(text.as_str()),
        MetaValue::Number(text) => {
            serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| Value::from(text.as_str()), Value::Number)
        }
        MetaValue::Bool(flag) => Value::Bool(*flag),
    }
}

fn allocation<'a>(order: &'a Order, allocation: &Allocation) -> wire::Allocation<'a> {
    let show = |amount| shown(amount, order.currency);
    let component = order.components.get(allocation.component);
    let shadow = order.shop.map(|shop| wire::ShopNetTax {
        currency: shop.currency.code(),
        net: shown(allocation.shop.0, shop.currency),
        tax: shown(allocation.shop.1, shop.currency),
    });
    wire::Allocation {
        component: component_name(order, allocation.component),
        kind: component.map_or("", |c| c.kind.code()),
        line: component.and_then(|c| c.line).map(|line| line_id(order, line)),
        name: component.map_or("", |c| &c.name),
        net: show(allocation.net),
        tax: show(allocation.tax),
        shop: shadow,
        quantity: allocation.quantity,
        why: allocation.why.code(),
        because: because(order, allocation),
        returned: wire::NetTax { net: show(allocation.returned.0), tax: show(allocation.returned.1) },
    }
}

fn units<'a>(order: &'a Order, units: &'a UnitMove) -> wire::UnitMove<'a> {
    let show = |amount| shown(amount, order.currency);
    wire::UnitMove {
        line: line_id(order, units.line),
        from: units.bucket.code(),
        quantity: units.quantity,
        returned: units.returned_goods,
        net: show(units.net),
        tax: show(units.tax),
        restock: units.restock.code(),
        location: &units.location,
        reopened: units.reopened,
    }
}

/// Writes a leg.
pub(super) fn leg<'a>(order: &'a Order, leg: &'a Leg) -> wire::Leg<'a> {
    let own = order.payments.get(leg.payment).map_or(order.currency, |p| p.own_currency);
    let filled = |text: &'a str| (!text.is_empty()).then_some(text);
    let (code, reason) = match &leg.state {
        LegState::Waiting | LegState::Sent | LegState::Succeeded { .. } => (None, None),
        LegState::InDoubt { reason } | LegState::Parked { reason } => (None, filled(reason)),
        LegState::Failed { code, message, .. } => (filled(code), filled(message)),
    };
    wire::Leg {
        id: id_text(leg.id).into(),
        payment: payment_id(order, leg.payment),
        amount: shown(leg.amount, order.currency),
        own_amount: shown(leg.own_amount, own),
        own_currency: own.code(),
        route: route(leg.route),
        state: leg.state.code(),
        channel: &leg.named_channel,
        reference: filled(&leg.reference),
        code,
        reason,
        finished_at: leg.finished_ms().map(rfc3339_millis),
        gateway: Some(leg.gateway(order)).filter(|_| leg.route == Route::Original),
        retried_by: leg.retried_by.map(id_text),
    }
}

const fn route(route: Route) -> &'static str {
    match route {
        Route::Original => "original",
        Route::Outside => "outside",
    }
}

fn explanation<'a>(order: &'a Order, shape: Shape, allocations: &[Allocation], cap: Cap) -> wire::Explanation<'a> {
    let (by, id) = match cap.by {
        CapKind::Component(index) => ("component", component_name(order, index).into()),
        CapKind::Payment(index) => ("payment", payment_id(order, index)),
    };
    let odd = allocations.iter().enumerate().filter(|(_, a)| !a.odd.is_zero()).map(|(index, a)| wire::Odd {
        allocation: index,
        component: component_name(order, a.component),
        minor_units: a.odd.get(),
    });
    wire::Explanation {
        rule: rule(shape),
        class: shape.class().map(Class::code),
        nearest_cap: wire::Cap { by, id, left: shown(cap.left, order.currency) },
        odd: odd.collect(),
    }
}

/// A name as a path segment.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text never fails.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
