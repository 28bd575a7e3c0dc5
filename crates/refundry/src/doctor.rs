//! `refundry doctor`: what needs a person, and what will happen by itself and when. Looks, and changes nothing.

use std::process::ExitCode;

use jiff::Timestamp;
use refundry_core::refund::{LegState, Stage};
use refundry_engine::Engine;
use refundry_engine::read::{self, OpenLeg};
use refundry_engine::settings::StoreSettings;
use refundry_engine::store::stores::StoreRecord;
use refundry_engine::store::{gateways, inbox, outbox, stores};
use serde_json::{Value, json};

use crate::cli::DoctorArgs;
use crate::database;
use crate::gateways::{Book, Vault};
use crate::serve::say;

/// Something needs a person.
const NEEDS_A_PERSON: u8 = 4;
/// Legs of one store that are shown by name; all of them are counted.
const SHOWN_MAX: i64 = 50;
/// A leg that is due for so long, in milliseconds, is one that no worker looks at.
const OVERDUE_MS: i64 = 120_000;

/// Looks at everything that is not over.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let store = database::open_existing(&args.data)?;
    let engine = database::engine(store, None, false, Box::new(|| {}))?;
    let book = Book::new(Vault::open(&args.secrets)?);
    let mut found = Vec::new();
    for store in engine.store().read(stores::list)? {
        found.push(examine(&engine, &book, &store)?);
    }
    let needs_a_person = found.iter().any(|store| store["needs_a_person"] == true);
    if args.json {
        say(&json!({ "stores": found, "needs_a_person": needs_a_person }).to_string())?;
    } else {
        for store in &found {
            print(store)?;
        }
        say(if needs_a_person { "something needs a person" } else { "nothing needs a person" })?;
    }
    Ok(if needs_a_person { ExitCode::from(NEEDS_A_PERSON) } else { ExitCode::SUCCESS })
}

fn examine(engine: &Engine, book: &Book, store: &StoreRecord) -> anyhow::Result<Value> {
    let now_ms = engine.clock().now_ms();
    let (configured, stages, events, backlog) = engine.store().read(|tx| {
        Ok((
            gateways::list(tx, store.id)?,
            outbox::count_by_stage(tx, store.id)?,
            inbox::waiting(tx, store.id, 0, SHOWN_MAX)?,
            outbox::backlog(tx, store.id)?,
        ))
    })?;
    let faults = configured.iter().filter_map(|gateway| {
        let reason = book.fault(gateway)?;
        Some(json!({ "gateway": gateway.name, "driver": gateway.driver, "reason": reason }))
    });
    let known = |name: &str| ["manual", "simulated"].contains(&name) || configured.iter().any(|g| g.name == name);
    let lost = StoreSettings::read(&store.settings)?.routes.into_iter().filter(|(_, gateway)| !known(gateway));
    let lost = lost.map(|(channel, gateway)| {
        let reason = format!("payments of {channel} lead to it, and it is not there");
        json!({ "gateway": gateway, "driver": null, "reason": reason })
    });
    let faults: Vec<Value> = faults.chain(lost).collect();
    let legs = read::open_legs(engine.store(), store.id, &[Stage::Parked, Stage::InDoubt], 0, SHOWN_MAX)?;
    let late_ms = backlog.1.map_or(0, |due_ms| (now_ms - due_ms).max(0));
    let count = |stage| stages.iter().find(|(known, _)| *known == stage).map_or(0, |(_, count)| *count);
    let counts: serde_json::Map<String, Value> =
        Stage::ALL.into_iter().map(|stage| (stage.code().to_owned(), count(stage).into())).collect();
    let needs_a_person = !faults.is_empty() || count(Stage::Parked) > 0 || !events.is_empty() || late_ms > OVERDUE_MS;
    Ok(json!({
        "store": store.handle,
        "needs_a_person": needs_a_person,
        "gateways": faults,
        "legs": counts,
        "oldest_due_ms": late_ms,
        "no_worker": late_ms > OVERDUE_MS,
        "open_legs": legs.iter().map(leg).collect::<Vec<_>>(),
        "events": events.iter().map(|event| json!({
            "event": event.id.to_string(),
            "gateway": event.gateway,
            "kind": event.kind,
            "why": event.detail,
            "heard_at": time(event.heard_ms),
        })).collect::<Vec<_>>(),
    }))
}

fn leg(open: &OpenLeg) -> Value {
    let leg = open.leg();
    let currency = open.order.payments.get(leg.payment).map(|payment| payment.own_currency);
    let reason = match &leg.state {
        LegState::InDoubt { reason } | LegState::Parked { reason } => reason.as_str(),
        _ => "",
    };
    json!({
        "leg": leg.id.to_string(),
        "refund": open.refund.id.to_string(),
        "order": open.order.external_id.clone().unwrap_or_else(|| open.order.id.to_string()),
        "gateway": leg.gateway(&open.order),
        "amount": currency.map_or_else(String::new, |c| leg.own_amount.to_decimal(c, c.exponent())),
        "currency": currency.map_or("", |c| c.code()),
        "stage": open.stage.code(),
        "reason": reason,
        "attempts": open.attempts,
        "next": open.stage.next(),
        "next_at": open.next_ms.map(time),
    })
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

fn print(store: &Value) -> anyhow::Result<()> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let each = |key: &str| store[key].as_array().cloned().unwrap_or_default();
    let counts: Vec<String> = Stage::ALL
        .into_iter()
        .map(|stage| format!("{} {}", text(&store["legs"][stage.code()]), stage.code().replace('_', " ")))
        .collect();
    say(&format!("store {}: legs: {}", text(&store["store"]), counts.join(", ")))?;
    if store["no_worker"] == true {
        say(&format!(
            "  no worker: a leg is due since {} s; is `refundry work` running?",
            seconds(&store["oldest_due_ms"])
        ))?;
    }
    for gateway in each("gateways") {
        say(&format!("  gateway {}: {}", text(&gateway["gateway"]), text(&gateway["reason"])))?;
    }
    for leg in each("open_legs") {
        let [id, stage, amount, currency, gateway, refund, order, reason, next] =
            ["leg", "stage", "amount", "currency", "gateway", "refund", "order", "reason", "next"]
                .map(|key| text(&leg[key]));
        let stage = stage.replace('_', " ");
        say(&format!(
            "  leg {id} {stage}: {amount} {currency} through {gateway}, refund {refund} of order {order}: {reason}"
        ))?;
        match leg["next_at"].as_str() {
            Some(at) => say(&format!("    next, at {at}: {next}"))?,
            None => say(&format!("    next: {next}"))?,
        }
    }
    for event in each("events") {
        let [id, kind, gateway, why] = ["event", "kind", "gateway", "why"].map(|key| text(&event[key]));
        say(&format!("  event {id} ({kind}) of {gateway} waits: {why}"))?;
    }
    Ok(())
}

fn seconds(ms: &Value) -> i64 {
    ms.as_i64().unwrap_or(0) / 1_000
}
