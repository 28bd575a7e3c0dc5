//! What a reconciliation found, for people and for scripts. Money is printed from minor units, digit by digit.

use jiff::Timestamp;
use refundry_core::money::{Currency, Decimal};
use refundry_core::refund::LegState;
use refundry_gateways::Standing;
use serde_json::{Value, json};

use super::matching::{Comparison, Difference, Ours, Outcome, Span, Suggestion, Sum, Theirs};
use crate::serve::say;

/// What was compared.
pub(super) struct Head<'h> {
    pub(super) store: &'h str,
    pub(super) gateway: &'h str,
    pub(super) driver: &'h str,
    pub(super) span: Span,
}

/// Prints for people: one line a difference, the worst first, then the sums.
pub(super) fn print(head: &Head<'_>, found: &Comparison) -> anyhow::Result<()> {
    let rows: Vec<[String; 7]> = found.differences.iter().map(row).collect();
    if !rows.is_empty() {
        table(&["outcome", "leg", "refund", "order", "here", "there", "what to do"], &rows)?;
        say("")?;
    }
    let sums: Vec<[String; 4]> = found.sums.iter().map(|(currency, sum)| sum_row(currency, *sum)).collect();
    if !sums.is_empty() {
        table(&["currency", "here", "there", "difference"], &sums)?;
        say("")?;
    }
    let Head { store, gateway, span, .. } = head;
    let time_compared = format!("{} to {}", time(span.from_ms), time(span.to_ms));
    say(&format!("store {store}, gateway {gateway}, {time_compared}"))?;
    if let Some(first) = found.at_the_edge.first() {
        say(&format!(
            "{} legs at an end of that span may be in the statement before or after it: {first}{}",
            found.at_the_edge.len(),
            if found.at_the_edge.len() > 1 { ", …" } else { "" }
        ))?;
    }
    let Comparison { legs, lines, agreed, differences, .. } = found;
    say(&format!("{legs} legs here, {lines} refunds there: {agreed} agreed, {} differences", differences.len()))
}

/// Columns as wide as what stands in them; the last one as it is.
fn table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        say(padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    line(head.to_vec())?;
    rows.iter().try_for_each(|row| line(row.iter().map(String::as_str).collect()))
}

fn row(difference: &Difference) -> [String; 7] {
    let nothing = || "-".to_owned();
    let ours = difference.ours.as_ref();
    let there: Vec<String> = difference.theirs.iter().map(there).collect();
    [
        difference.outcome.code().to_owned(),
        ours.map_or_else(nothing, |leg| leg.leg.to_string()),
        ours.map_or_else(nothing, |leg| leg.refund.to_string()),
        ours.map_or_else(nothing, |leg| leg.order.clone()),
        ours.map_or_else(nothing, |leg| format!("{} {}", money(leg.amount_minor, &leg.currency), leg.state.code())),
        if there.is_empty() { nothing() } else { there.join(" + ") },
        advice(difference),
    ]
}

fn there(theirs: &Theirs) -> String {
    let line = &theirs.line;
    let place = if theirs.place.is_empty() { String::new() } else { format!(" ({})", theirs.place) };
    let amount = money(line.amount_minor, &line.currency);
    format!("{amount} {} {}{place}", word(line.standing).replace('_', " "), line.refund_reference)
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Paid => "paid",
        Standing::Pending => "pending",
        Standing::NotPaid => "not_paid",
    }
}

/// What a person does about a difference: the likely match where there is one, else the first step.
fn advice(difference: &Difference) -> String {
    let told = match (&difference.suggestion, difference.outcome) {
        (Some(Suggestion::Leg { leg, refund, state }), _) => {
            return format!("probably leg {leg} of refund {refund}, {state}: the payment and the amount are the same");
        }
        (Some(Suggestion::Line { place, reference }), _) => {
            let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
            return format!("probably {reference}{place}: the payment and the amount are the same");
        }
        (Some(Suggestion::OtherGateway { leg, gateway }), _) => {
            return format!("it is leg {leg}, which goes through the gateway {gateway}");
        }
        (Some(Suggestion::Order { order }), _) => {
            return format!(
                "made at the provider; order {order} has the payment and enough left: take it into the books"
            );
        }
        (None, Outcome::TwiceThere) => "paid more than once: stop, and have the provider take one back",
        (None, Outcome::AmountDiffers | Outcome::CurrencyDiffers) => "other figures there: a person decides",
        (None, Outcome::MissingThere) => "ask the provider for it; the buyer may not have the money",
        (None, Outcome::MissingHere) => "made at the provider: find its order",
        (None, Outcome::Answered | Outcome::SettledThere) => settled_advice(difference),
        (None, Outcome::StateDiffers) => state_advice(difference),
    };
    told.to_owned()
}

fn settled_advice(difference: &Difference) -> &'static str {
    match (difference.ours.as_ref().map(|leg| &leg.state), standing(difference)) {
        (_, Some(Standing::Pending)) => "under way there: look it up, or wait",
        (Some(LegState::Parked { .. }), Some(Standing::Paid)) => "paid there: settle it by hand as succeeded",
        (Some(LegState::Parked { .. }), _) => "not paid there: settle it by hand as failed",
        (_, Some(Standing::Paid)) => "paid there: look it up",
        _ => "not paid there: look it up",
    }
}

fn state_advice(difference: &Difference) -> &'static str {
    match (difference.ours.as_ref().map(|leg| &leg.state), standing(difference)) {
        (Some(LegState::Succeeded { .. }), Some(Standing::Pending)) => "not settled there: compare a newer statement",
        (Some(LegState::Succeeded { .. }), _) => "not paid there: have the provider send its event of that again",
        (Some(LegState::Failed { .. }), _) => "paid there, and refundable here again: refund no more of it",
        _ => "under way there: look it up",
    }
}

/// How the refund stands there: the line that is not called off counts.
fn standing(difference: &Difference) -> Option<Standing> {
    let all = || difference.theirs.iter().map(|theirs| theirs.line.standing);
    all().find(|standing| *standing != Standing::NotPaid).or_else(|| all().next())
}

/// The report for scripts.
pub(super) fn as_json(head: &Head<'_>, found: &Comparison) -> Value {
    let Head { store, gateway, driver, span } = head;
    json!({
        "store": store,
        "gateway": gateway,
        "driver": driver,
        "from": time(span.from_ms),
        "to": time(span.to_ms),
        "legs": found.legs,
        "refunds_there": found.lines,
        "agreed": found.agreed,
        "differences": found.differences.iter().map(difference_json).collect::<Vec<_>>(),
        "sums": found.sums.iter().map(|(currency, sum)| {
            let [currency, here, there, difference] = sum_row(currency, *sum);
            json!({"currency": currency, "here": here, "there": there, "difference": difference})
        }).collect::<Vec<_>>(),
        "at_the_edge": found.at_the_edge.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn difference_json(difference: &Difference) -> Value {
    json!({
        "code": difference.outcome.code(),
        "leg": difference.ours.as_ref().map(|leg| leg.leg.to_string()),
        "refund": difference.ours.as_ref().map(|leg| leg.refund.to_string()),
        "order": difference.ours.as_ref().map(|leg| leg.order.as_str()),
        "here": difference.ours.as_ref().map(here_json),
        "there": difference.theirs.iter().map(there_json).collect::<Vec<_>>(),
        "suggestion": difference.suggestion.as_ref().map(suggestion_json),
        "advice": advice(difference),
    })
}

fn here_json(leg: &Ours) -> Value {
    json!({
        "amount": money_alone(leg.amount_minor.into(), &leg.currency),
        "currency": leg.currency,
        "state": leg.state.code(),
        "payment": leg.payment,
        "accepted_at": time(leg.created_ms),
    })
}

fn there_json(theirs: &Theirs) -> Value {
    let line = &theirs.line;
    json!({
        "reference": line.refund_reference,
        "amount": money_alone(line.amount_minor.into(), &line.currency),
        "currency": line.currency,
        "state": word(line.standing),
        "payment": line.payment_reference,
        "leg": line.leg_id.map(|leg| leg.to_string()),
        "made_at": line.made_ms.map(time),
        "place": theirs.place,
    })
}

fn suggestion_json(suggestion: &Suggestion) -> Value {
    match suggestion {
        Suggestion::Leg { leg, refund, state } => {
            json!({"kind": "leg", "leg": leg.to_string(), "refund": refund.to_string(), "state": state})
        }
        Suggestion::Line { place, reference } => json!({"kind": "line", "reference": reference, "place": place}),
        Suggestion::OtherGateway { leg, gateway } => {
            json!({"kind": "other_gateway", "leg": leg.to_string(), "gateway": gateway})
        }
        Suggestion::Order { order } => json!({"kind": "order", "order": order}),
    }
}

fn sum_row(currency: &str, sum: Sum) -> [String; 4] {
    let amount = |minor| money_alone(minor, currency);
    [currency.to_owned(), amount(sum.ours), amount(sum.theirs), amount(sum.theirs - sum.ours)]
}

fn money(minor: i64, currency: &str) -> String {
    format!("{} {currency}", money_alone(minor.into(), currency))
}

/// Major units; for a currency that we do not know, the minor units as the provider gave them.
fn money_alone(minor: i128, currency: &str) -> String {
    let exponent = Currency::parse(currency).map_or(0, Currency::exponent);
    Decimal::from_parts(minor, exponent).to_string()
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}
