//! Compares what a worked case came to with the figures it expects. A figure nobody knows is a failure.

use serde_json::Value;

use super::book::Book;
use super::worked::Ran;
use super::worked_order::{int, list, money, text};
use super::world::{by_name, dec};
use crate::command::{Ask, RefundRequest};
use crate::decide::News;
use crate::money::Amount;
use crate::order::ComponentKind;
use crate::refund::{Allocation, Refund, Restock};
use crate::rejection::Rejection;

/// Figures of things that are not refunds of ours, or that exist only before rounding.
const NOT_OURS: [&str; 8] =
    ["peer", "precise_tax", "rounding_adjustment", "authorized", "charge_pending", "status", "with_force", "not"];

/// The peers' names of refusals, and ours.
const ERRORS: [(&str, &str); 4] = [
    ("amount_not_positive", "amount_invalid"),
    ("exceeds_shipping_remaining", "part_exceeded"),
    ("exceeds_remaining", "refundable_exceeded"),
    ("insufficient_fund", "refundable_exceeded"),
];

/// Compares all figures; how many there were.
pub(crate) fn compare(case: &Value, ran: &Ran) -> usize {
    let expected = case["expected"].as_object().expect("figures");
    let ours = expected.get("ours").and_then(Value::as_object);
    if expected.get("accepted").is_none() && expected.get("ours").is_none_or(Value::is_object) {
        assert!(ran.steps.iter().all(Result::is_ok), "{}: {:?}", case["id"], ran.steps);
    }
    let mut count = 0;
    for (key, value) in expected {
        if NOT_OURS.contains(&key.as_str()) || (key == "ours" && ours.is_some()) {
            continue;
        }
        let value = ours.and_then(|ours| ours.get(key)).unwrap_or(value);
        count += one(case, ran, key, value);
    }
    count
}

/// Compares one figure, or a list of them.
fn one(case: &Value, ran: &Ran, key: &str, value: &Value) -> usize {
    let what = format!("{}: {key}", text(&case["id"]));
    if let Some(figure) = figure(ran, key) {
        let exponent = ran.book.facts.order.currency;
        let wanted = if value.is_number() { Amount::minor(int(value)) } else { money(value, exponent) };
        assert_eq!(figure, wanted, "{what}");
        return 1;
    }
    match key {
        "accepted" => accepted(ran, value, &what),
        "error" => {
            let (_, code) = ERRORS.iter().find(|(peer, _)| value == peer).expect("a known refusal");
            assert_eq!(refusal(ran).code(), *code, "{what}");
        }
        "ours" => match text(value) {
            "reject" => assert!(ran.steps.iter().all(Result::is_err), "{what}"),
            "exactly one accepted" => assert_eq!(ran.steps.iter().filter(|s| s.is_ok()).count(), 1, "{what}"),
            other => panic!("{what}: {other}"),
        },
        "lines" => {
            return list(value).iter().map(|line| part(ran, goods_of(ran, text(&line["id"])), line, &what)).sum();
        }
        "shipping" => return part(ran, kind(ran, ComponentKind::Shipping), value, &what),
        "sequence" => sequence(ran, value, &what),
        "restocked" => restocked(ran, value, &what),
        "line_tax" => {
            for (line, tax) in value.as_object().expect("lines") {
                assert_eq!(goods_of(ran, line).1, money(tax, ran.book.facts.order.currency), "{what} of {line}");
            }
        }
        "tax_by_rate" => tax_by_rate(ran, value, &what),
        "payments" | "transactions" => payments(ran, value, &what),
        "shares" => {
            let shares: Vec<Amount> = refund(ran).allocations.iter().map(Allocation::gross).collect();
            let wanted = list(value).iter().map(|share| money(share, ran.book.facts.order.currency));
            assert_eq!(shares, wanted.collect::<Vec<_>>(), "{what}");
        }
        "precise" => {
            let rounded = dec(text(value)).to_minor_half_up(ran.book.facts.order.currency);
            assert_eq!(Ok(refund(ran).amount), rounded, "{what}");
        }
        "order_adjustment" => {
            let wanted = money(&value["amount"], ran.book.facts.order.currency);
            assert_eq!(
                (&value["kind"], -refund(ran).discrepancy),
                (&Value::from("refund_discrepancy"), wanted),
                "{what}"
            );
        }
        "cases" => available_cases(ran, value, &what),
        other => panic!("{what}: nobody knows {other}"),
    }
    1
}

/// Figures that are one amount.
fn figure(ran: &Ran, key: &str) -> Option<Amount> {
    let balances = &ran.book.facts.balances;
    Some(match key {
        "refund_total" => refund(ran).amount,
        "provider_minor" => refund(ran).legs.iter().map(|l| l.own_amount).sum(),
        "order_refunded_total" | "amount_submitted" => ran.book.paid_back(),
        "amount_available" => ran.book.facts.available(),
        "order_net_after" => ran.book.facts.payments_left(),
        "maximum" => match refusal(ran) {
            Rejection::RefundableExceeded { available, .. } | Rejection::PartExceeded { available, .. } => *available,
            other => panic!("no figure in {other:?}"),
        },
        "tax" | "tax_total" | "tax_minor" => tax(ran),
        "net" | "net_total" | "net_minor" => refund(ran).amount - tax(ran),
        "shipping_net" => kind(ran, ComponentKind::Shipping).0,
        "shipping_tax" => kind(ran, ComponentKind::Shipping).1,
        "shipping_gross" => gross(kind(ran, ComponentKind::Shipping)),
        "products_gross" => refund(ran).amount - gross(kind(ran, ComponentKind::Shipping)),
        "grand_total" => grand_total(ran),
        "discount" => ran.discount,
        "refund_pending" => balances.pending(),
        "refunded" => balances.succeeded(),
        "charged" => ran.book.facts.payments_left() - ran.spare,
        // What is still owed of an invoice whose items were adjusted: charged less adjusted, less paid less given back.
        "invoice_balance_after" => {
            let order = &ran.book.facts.order;
            order.charged() - ran.book.held() - (order.captured() - ran.book.paid_back())
        }
        _ => return None,
    })
}

fn refund(ran: &Ran) -> &Refund {
    match ran.steps.first() {
        Some(Ok(index)) => &ran.book.refunds[*index],
        other => panic!("no refund: {other:?}"),
    }
}

fn refusal(ran: &Ran) -> &Rejection {
    match ran.steps.first() {
        Some(Err(rejection)) => rejection,
        other => panic!("no refusal: {other:?}"),
    }
}

/// The tax of a refund; what legs give short of the allocations is short of the tax.
fn tax(ran: &Ran) -> Amount {
    let allocated: Amount = refund(ran).allocations.iter().map(|a| a.tax).sum();
    allocated + refund(ran).discrepancy.min(Amount::ZERO)
}

/// The goods' sum as it was, plus the taxes collected on goods and shipping.
fn grand_total(ran: &Ran) -> Amount {
    let goods = kind(ran, ComponentKind::Goods);
    let others = gross(kind(ran, ComponentKind::Additional));
    // Without a net of its own the other tax was already in the figures.
    let others = if kind(ran, ComponentKind::Additional).0.is_zero() { Amount::ZERO } else { others };
    goods.0 + others + goods.1 + kind(ran, ComponentKind::Shipping).1 + refund(ran).discrepancy
}

fn kind(ran: &Ran, kind: ComponentKind) -> (Amount, Amount) {
    refund(ran).allocated_to(&ran.book.facts.order, kind)
}

fn goods_of(ran: &Ran, line: &str) -> (Amount, Amount) {
    let line = ran.sold.order.find_line(&by_name(line)).expect("a line");
    let of_line = refund(ran).allocations.iter().filter(|a| a.component == line);
    of_line.fold((Amount::ZERO, Amount::ZERO), |(net, tax), a| (net + a.net, tax + a.tax))
}

fn gross((net, tax): (Amount, Amount)) -> Amount {
    net + tax
}

fn accepted(ran: &Ran, value: &Value, what: &str) {
    let steps: Vec<bool> = ran.steps.iter().map(Result::is_ok).collect();
    let wanted: Vec<bool> = match value {
        Value::Array(each) => each.iter().map(|one| *one == true).collect(),
        _ => vec![*value == true; steps.len()],
    };
    assert!(!steps.is_empty(), "{what}: nothing was asked");
    assert_eq!(steps, wanted, "{what}: {:?}", ran.steps);
}

/// Net, tax and gross of one part.
fn part(ran: &Ran, (net, tax): (Amount, Amount), stated: &Value, what: &str) -> usize {
    let currency = ran.book.facts.order.currency;
    let shipping = ran.before.facts.order.of_kind(ComponentKind::Shipping);
    let left = shipping.map(|c| ran.before.facts.component_left_gross(c)).sum();
    let mut count = 0;
    for (key, figure) in
        [("net", net), ("amount", net), ("tax", tax), ("gross", net + tax), ("maximum_refundable", left)]
    {
        if stated[key].is_string() {
            assert_eq!(figure, money(&stated[key], currency), "{what} {key} of {}", stated["id"]);
            count += 1;
        }
    }
    assert!(count > 0, "{what}: no figures");
    count
}

fn sequence(ran: &Ran, value: &Value, what: &str) {
    assert_eq!(ran.steps.len(), list(value).len(), "{what}");
    for (step, wanted) in ran.steps.iter().zip(list(value)) {
        let refund = &ran.book.refunds[*step.as_ref().expect("accepted")];
        let tax: Amount = refund.allocations.iter().map(|a| a.tax).sum();
        let wanted = |key: &str| money(&wanted[key], ran.book.facts.order.currency);
        assert_eq!((tax, refund.amount), (wanted("tax"), wanted("total")), "{what}");
    }
}

fn restocked(ran: &Ran, value: &Value, what: &str) {
    for (line, units) in value.as_object().expect("lines") {
        let index = ran.sold.order.find_line(&by_name(line)).expect("a line");
        let back = refund(ran).units.iter().filter(|u| u.line == index && u.restock == Restock::Return);
        assert_eq!(back.map(|u| i64::from(u.quantity)).sum::<i64>(), int(units), "{what} of {line}");
    }
}

fn tax_by_rate(ran: &Ran, value: &Value, what: &str) {
    for (rate, tax) in value.as_object().expect("rates") {
        let at_rate = |a: &&Allocation| ran.sold.rates.get(&a.component) == Some(rate);
        let sum: Amount = refund(ran).allocations.iter().filter(at_rate).map(|a| a.tax).sum();
        assert_eq!(sum, money(tax, ran.book.facts.order.currency), "{what} {rate}");
    }
}

/// Legs by payment, or as a list with what the payment had left.
fn payments(ran: &Ran, value: &Value, what: &str) {
    let order = &ran.book.facts.order;
    let legs = refund(ran).legs.iter();
    let legs: Vec<(usize, Amount)> = legs.map(|l| (l.payment, l.amount)).collect();
    let named = value.as_object().into_iter().flatten();
    let mut wanted: Vec<(usize, Amount)> = named
        .map(|(name, amount)| (order.find_payment(&by_name(name)).expect("a payment"), money(amount, order.currency)))
        .collect();
    for transaction in list(value) {
        wanted.push((0, money(&transaction["amount"], order.currency)));
        let most = money(&transaction["maximum_refundable"], order.currency);
        assert_eq!(ran.before.facts.payment_left(0), most, "{what}");
    }
    assert_eq!(legs, wanted, "{what}");
}

/// What is available beside refunds that are over and refunds under way; one cent more is refused.
fn available_cases(ran: &Ran, value: &Value, what: &str) {
    for case in list(value) {
        let mut book = Book::open(ran.sold.order.clone());
        for key in ["complete", "pending"] {
            if dec(text(&case[key])).sign().is_gt() {
                let refund = book.ask(&amount(text(&case[key]))).expect("available");
                if key == "complete" {
                    assert!(book.news(refund, 0, &News::Succeeded { reference: String::new() }));
                }
            }
        }
        let available = money(&case["available"], ran.sold.order.currency);
        assert_eq!(book.facts.available(), available, "{what}");
        let above = (available + Amount::minor(1)).to_decimal(ran.sold.order.currency, 2);
        assert!(book.ask(&amount(&above)).is_err(), "{what}: one more is refused");
        assert!(book.ask(&amount(text(&case["available"]))).is_ok(), "{what}: all of it is not");
    }
}

fn amount(amount: &str) -> RefundRequest {
    RefundRequest::of(Ask::Amount { amount: dec(amount), class: None })
}
