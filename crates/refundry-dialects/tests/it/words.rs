//! What the engine did, in words for the sections `call`, `outcome` and `response` of a golden file.

use std::fmt::{Debug, Write};

use refundry_core::balances::Facts;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Order, Payment};
use refundry_core::payouts::Strategy;
use refundry_core::quote::{Alternative, Quote};
use refundry_core::refund::{Allocation, CapKind, LegState, Refund, Route, UnitMove};
use refundry_core::returns::ReturnReason;
use refundry_core::slips::Slip;
use refundry_core::trial::{Trial, TrialShipping};
use refundry_dialects::cases::{CaseReply, CaseView};
use refundry_dialects::parcels::ParcelReply;
use refundry_dialects::payouts::{LegView, PayoutReply};
use refundry_dialects::returns::{ReturnReply, ReturnView};
use refundry_dialects::shop::ShopReply;
use refundry_dialects::{Call, OrderView, RefundPage, RefundView, Refusal, Reply, Response};

use crate::engine::Answer;

/// A bracket that fits into this many columns stands on one line.
const DEBUG_WIDTH: usize = 110;
/// Longer lines of a call (an order's whole document) are cut; the response shows what became of them.
const CALL_LINE_MAX: usize = 300;

/// The sections that follow a request.
pub(crate) fn record(answer: &Answer) -> String {
    let mut text = format!("=== call\n{}\n\n", call(answer));
    if let Some(outcome) = &answer.outcome {
        let outcome = match outcome {
            Ok(reply) => self::reply(reply),
            Err(refusal) => self::refusal(refusal),
        };
        let _ = write!(text, "=== outcome\n{}\n\n", outcome.trim_end());
    }
    let _ = write!(text, "=== response\n{}\n\n", response(&answer.response).trim_end());
    text
}

/// The section that follows a delivery: headers, and the body with its keys in order.
pub(crate) fn delivery((headers, body): &(Vec<(&'static str, String)>, String)) -> String {
    let mut text = "=== delivery\n".to_owned();
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    let body: serde_json::Value = serde_json::from_str(body).expect("a body is JSON");
    let _ = write!(text, "\n{}\n\n", serde_json::to_string_pretty(&body).expect("it was read"));
    text
}

fn call(answer: &Answer) -> String {
    match (&answer.call, &answer.outcome) {
        (None, None) => "refused by decode".to_owned(),
        (None, Some(_)) => "refused before decode".to_owned(),
        (Some(Call::Ready(_)), _) => "answered by the dialect".to_owned(),
        (Some(call), _) => debug(call).lines().map(clip).collect::<Vec<_>>().join("\n"),
    }
}

fn clip(line: &str) -> String {
    if line.chars().count() <= CALL_LINE_MAX {
        return line.to_owned();
    }
    line.chars().take(CALL_LINE_MAX).chain(['…']).collect()
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Rejected(rejection) => format!("rejected {}: {}", rejection.code(), debug(rejection)),
        refusal => format!("refused {}", debug(refusal)),
    }
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Created(answer) => {
            let head = if answer.replayed { "accepted before" } else { "accepted" };
            let order = answer.order.as_ref().map(|view| order(&view.facts)).unwrap_or_default();
            format!("{head}: {}{order}", refund(&answer.view))
        }
        Reply::Refund(view) => format!("reply refund: {}", refund(view)),
        Reply::Refunds(page) => format!("reply refunds: {}", refunds(page)),
        Reply::Quoted { facts, quote, plans } => format!("reply quoted: {}", quoted(facts, quote, plans)),
        Reply::Tried { facts, trial } => format!("reply tried: {}", tried(facts, trial)),
        Reply::Order { order: view, created } => {
            format!("reply order{}: {}", if *created { ", new" } else { "" }, order(&view.facts))
        }
        Reply::OrderWithRefunds { order: view, refunds } => {
            let refunds: String = refunds.iter().map(refund).collect();
            format!("reply order with refunds: {}{refunds}", order(&view.facts))
        }
        Reply::Orders { orders, has_more } => orders_in_words(orders, *has_more),
        Reply::Payouts(reply) => payouts(reply),
        Reply::Shop(reply) => match &**reply {
            ShopReply::Order(view) => format!("reply order: {}", order(&view.facts)),
            ShopReply::Orders { orders, has_more } => orders_in_words(orders, *has_more),
            other => format!("reply shop: {}", debug(other)),
        },
        Reply::Cases(reply) => cases(reply),
        Reply::Returns(reply) => match &**reply {
            ReturnReply::Return(view) => format!("reply {}", goods_back(view)),
            ReturnReply::Returns(views) => {
                format!("reply returns: {}\n{}", views.len(), views.iter().map(goods_back).collect::<String>())
            }
        },
        Reply::Parcels(reply) => parcels(reply),
        other => format!("reply {}", debug(other)),
    }
}

fn orders_in_words(orders: &[OrderView], has_more: bool) -> String {
    let number = |view: &OrderView| format!("order {}\n", view.facts.order.number);
    let numbers: String = orders.iter().map(number).collect();
    format!("reply orders: {}{}\n{numbers}", orders.len(), more(has_more))
}

fn payouts(reply: &PayoutReply) -> String {
    match reply {
        PayoutReply::Legs { legs, has_more } => {
            let legs_in_words: String = legs.iter().map(standing_of).collect();
            format!("reply legs: {}{}\n{legs_in_words}", legs.len(), more(*has_more))
        }
        PayoutReply::Leg { leg: view, evidence } => format!("reply {}{}", standing_of(view), debug(evidence)),
        other => format!("reply {}", debug(other)),
    }
}

fn parcels(reply: &ParcelReply) -> String {
    match reply {
        ParcelReply::Money { order, slips, transactions, refunds } => {
            let (transactions, refunds) = (transactions.len(), refunds.len());
            let slips: String = slips.iter().map(|slip| self::slip(order, slip)).collect();
            format!("reply money of order {}: {transactions} transactions, {refunds} refunds\n{slips}", order.number)
        }
        ParcelReply::Slips(views) => {
            let slips: String = views.iter().map(|view| slip(&view.order, &view.slip)).collect();
            format!("reply slips: {}\n{slips}", views.len())
        }
        other => format!("reply {}", debug(&Reply::Parcels(Box::new(other.clone())))),
    }
}

fn slip(order: &Order, slip: &Slip) -> String {
    let payment = &order.payments[slip.payment];
    let (amount, captured) = (decimal(slip.amount, order.currency), decimal(payment.captured, order.currency));
    let held = if slip.held { ", held" } else { "" };
    let number = &order.number;
    format!("payment {} of order {number}: {:?}{held}, {amount}, captured {captured}\n", payment.id, slip.state)
}

fn cases(reply: &CaseReply) -> String {
    match reply {
        CaseReply::Page(page) => {
            let counts = page.counts;
            let case = |CaseView { refund, order }: &CaseView| {
                let number = &order.facts.order.number;
                format!("case {number}-S{} of refund {}, {:?}\n", refund.number, refund.id, refund.progress())
            };
            let cases: String = page.cases.iter().map(case).collect();
            format!("reply cases: {}{}, {}\n{cases}", page.cases.len(), more(page.has_more), debug(&counts))
        }
        CaseReply::Finished(view) => format!("reply finished: {}", refund(view)),
        CaseReply::Deleted => "reply deleted".to_owned(),
    }
}

fn goods_back(ReturnView { order, back }: &ReturnView) -> String {
    let mut text = format!("return {} of order {}, {}\n", back.id, order.number, back.state.code());
    for line in &back.lines {
        let sku = order.lines.iter().find(|sold| sold.id == line.line).map_or("nothing", |sold| &*sold.sku);
        let parcel = line.parcel.map_or_else(|| "no parcel".to_owned(), |parcel| format!("parcel {parcel}"));
        let reason = line.reason.map_or("no reason", ReturnReason::code);
        let _ = writeln!(text, "units {} {sku} of {parcel}, {reason}", line.quantity);
    }
    text
}

fn standing_of(view: &LegView) -> String {
    let id = view.leg().map_or(0, |leg| leg.id);
    format!("leg {id} of refund {}: {}\n", view.refund.number, debug(&view.standing))
}

fn refund(RefundView { refund, order, .. }: &RefundView) -> String {
    let state = refund.state().code();
    let mut text = format!("refund {}, number {} of order {}, {state}\n", refund.id, refund.number, order.number);
    text += &figures(order, refund.amount, refund.discrepancy, &refund.allocations, &refund.units);
    for leg in &refund.legs {
        let state = match &leg.state {
            LegState::Failed { code, .. } => format!("failed by {code}"),
            LegState::InDoubt { reason } | LegState::Parked { reason } => format!("{}: {reason}", leg.state.code()),
            LegState::Waiting | LegState::Sent | LegState::Succeeded { .. } => leg.state.code().to_owned(),
        };
        let name = if leg.reference.is_empty() { String::new() } else { format!(" as {}", leg.reference) };
        let planned = self::leg(order, leg.payment, leg.amount, leg.own_amount, leg.route);
        let _ = writeln!(text, "leg {} {planned}, {state}{name}", leg.id);
    }
    text + &cap(order, refund.nearest_cap.by, refund.nearest_cap.left)
}

fn quoted(facts: &Facts, quote: &Quote, plans: &[Alternative]) -> String {
    let order = &facts.order;
    let mut text = format!("order {}\n", order.number);
    text += &figures(order, quote.amount, quote.discrepancy, &quote.allocations, &quote.units);
    for leg in &quote.legs {
        let _ = writeln!(text, "leg {}", self::leg(order, leg.payment, leg.amount, leg.own_amount, leg.route));
    }
    // Where there is one payment only, every strategy takes it.
    if order.payments.len() > 1 {
        let _ = writeln!(text, "strategy {}", quote.strategy.map_or("none", Strategy::code));
        for plan in plans {
            let codes: Vec<&str> = plan.strategies.iter().map(|strategy| strategy.code()).collect();
            let legs = plan.legs.iter().map(|l| self::leg(order, l.payment, l.amount, l.own_amount, l.route));
            let _ = writeln!(text, "plan {}: {}", codes.join(", "), legs.collect::<Vec<_>>().join("; "));
        }
    }
    text + &cap(order, quote.nearest_cap.by, quote.nearest_cap.left)
}

fn tried(facts: &Facts, trial: &Trial) -> String {
    let order = &facts.order;
    let plain = |amount| decimal(amount, order.currency);
    let mut text = format!("order {}\ntotal {} {}\n", order.number, plain(trial.total), order.currency);
    for units in &trial.units {
        let (sku, net, tax) = (&order.lines[units.line].sku, plain(units.net), plain(units.tax));
        let _ = writeln!(text, "units {} {sku}: {:?}, {net} + {tax} tax", units.quantity, units.mode);
    }
    let TrialShipping { net, tax, left } = trial.shipping;
    let (net, tax, left) = (plain(net), plain(tax), (plain(left.0), plain(left.1)));
    let _ = writeln!(text, "shipping {net} + {tax} tax of {} + {} tax", left.0, left.1);
    for leg in &trial.legs {
        let _ = writeln!(text, "leg {}", self::leg(order, leg.payment, leg.amount, leg.own_amount, leg.route));
    }
    text
}

fn figures(
    order: &Order,
    amount: Amount,
    discrepancy: Amount,
    allocations: &[Allocation],
    units: &[UnitMove],
) -> String {
    let plain = |amount| decimal(amount, order.currency);
    let mut text = format!("amount {} {}\n", plain(amount), order.currency);
    if !discrepancy.is_zero() {
        let _ = writeln!(text, "discrepancy {}", plain(discrepancy));
    }
    for part in allocations {
        let (name, net, tax) = (component(order, part.component), plain(part.net), plain(part.tax));
        let _ = write!(text, "allocation {name}: {net} + {tax} tax, {}", part.why.code());
        if let Some(shop) = order.shop {
            let (net, tax) = (decimal(part.shop.0, shop.currency), decimal(part.shop.1, shop.currency));
            let _ = write!(text, ", {net} + {tax} {}", shop.currency);
        }
        let returned = part.returned.0 + part.returned.1;
        if !returned.is_zero() {
            let _ = write!(text, ", {} came back", plain(returned));
        }
        text.push('\n');
    }
    for units in units {
        let (count, sku, bucket) = (units.quantity, &order.lines[units.line].sku, units.bucket.code());
        let _ = write!(text, "units {count} {sku}: {bucket}, {}", units.restock.code());
        let _ = write!(text, ", {} + {} tax", plain(units.net), plain(units.tax));
        text += if units.returned_goods { ", goods returned" } else { "" };
        text += if units.reopened { ", open again\n" } else { "\n" };
    }
    text
}

fn leg(order: &Order, payment: usize, amount: Amount, own_amount: Amount, route: Route) -> String {
    let payment = &order.payments[payment];
    let own = if payment.own_currency == order.currency {
        String::new()
    } else {
        format!(" = {} {}", decimal(own_amount, payment.own_currency), payment.own_currency)
    };
    let route = match route {
        Route::Original => "original",
        Route::Outside => "outside",
    };
    format!("{}: {}{own}, {route}", payment_name(payment), decimal(amount, order.currency))
}

fn cap(order: &Order, by: CapKind, left: Amount) -> String {
    let name = match by {
        CapKind::Component(index) => component(order, index),
        CapKind::Payment(index) => order.payments.get(index).map_or("nothing", payment_name).to_owned(),
    };
    format!("nearest cap {name}: {} left\n", decimal(left, order.currency))
}

fn refunds(page: &RefundPage) -> String {
    let line = |RefundView { refund, order, .. }: &RefundView| {
        let Refund { id, amount, .. } = refund;
        let (amount, state) = (decimal(*amount, order.currency), refund.state().code());
        format!("refund {id} of order {}: {amount} {}, {state}\n", order.number, order.currency)
    };
    let lines: String = page.refunds.iter().map(line).collect();
    format!("{}{}\n{lines}", page.refunds.len(), more(page.has_more))
}

fn more(has_more: bool) -> &'static str {
    if has_more { ", more follow" } else { "" }
}

/// What is left of an order.
fn order(facts: &Facts) -> String {
    let order = &facts.order;
    let plain = |amount| decimal(amount, order.currency);
    let (number, refunds) = (&order.number, facts.balances.refunds);
    let mut text = format!("order {number}, {refunds} refunds, {} {} left\n", plain(facts.available()), order.currency);
    for index in 0..order.components.len() {
        let (net, tax) = facts.component_left(index);
        let _ = writeln!(text, "left {}: {} + {} tax", component(order, index), plain(net), plain(tax));
    }
    for (index, payment) in order.payments.iter().enumerate() {
        let (name, paid) = (payment_name(payment), facts.payment(index).1);
        let (left, pending) = (plain(facts.payment_left(index)), plain(paid.pending));
        let _ = writeln!(text, "left {name}: {left}, {pending} pending, {} refunded", plain(paid.succeeded));
    }
    text
}

fn component(order: &Order, index: usize) -> String {
    let component = &order.components[index];
    let mut name = component.kind.code().to_owned();
    if !component.name.is_empty() {
        let _ = write!(name, " {:?}", component.name);
    }
    if let Some(line) = component.line {
        let _ = write!(name, " of {}", order.lines[line].sku);
    }
    name
}

fn payment_name(payment: &Payment) -> &str {
    payment.external_id.as_deref().unwrap_or(&payment.reference)
}

fn decimal(amount: Amount, currency: Currency) -> String {
    amount.to_decimal(currency, currency.exponent())
}

fn response(response: &Response) -> String {
    let mut text = format!("{}\ncontent-type: {}\n", response.status, response.content_type);
    for (name, value) in &response.headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    let body = match serde_json::from_slice::<serde_json::Value>(&response.body) {
        Ok(json) => format!("{json:#}"),
        Err(_) => String::from_utf8_lossy(&response.body).into_owned(),
    };
    if body.is_empty() { text } else { format!("{text}\n{body}") }
}

/// `{:#?}` with every bracket that fits drawn together on one line.
fn debug(value: &impl Debug) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for line in format!("{value:#?}").lines() {
        lines.push(line.to_owned());
        if line.ends_with(['(', '[', '{']) {
            open.push(lines.len() - 1);
        } else if line.trim_start().starts_with([')', ']', '}'])
            && let Some(start) = open.pop()
        {
            let joined = join(&lines[start..]);
            if joined.chars().count() <= DEBUG_WIDTH {
                lines.truncate(start);
                lines.push(joined);
            }
        }
    }
    lines.join("\n")
}

fn join(lines: &[String]) -> String {
    let [first, inner @ .., last] = lines else { return lines.concat() };
    let inner: Vec<&str> = inner.iter().map(|line| line.trim()).collect();
    let space = if first.ends_with('{') { " " } else { "" };
    format!("{first}{space}{}{space}{}", inner.join(" ").trim_end_matches(','), last.trim())
}

#[test]
fn short_brackets_stand_on_one_line() {
    #[derive(Debug)]
    struct Pair<'a> {
        #[expect(dead_code, reason = "printed")]
        left: Option<i32>,
        #[expect(dead_code, reason = "printed")]
        right: Vec<&'a str>,
    }
    assert_eq!(
        debug(&Pair { left: Some(1), right: vec!["a {", ")"] }),
        r#"Pair { left: Some(1), right: ["a {", ")"] }"#
    );
    let long = "x".repeat(DEBUG_WIDTH);
    let expected = format!("Pair {{\n    left: None,\n    right: [\n        \"{long}\",\n    ],\n}}");
    assert_eq!(debug(&Pair { left: None, right: vec![&long] }), expected);
}
