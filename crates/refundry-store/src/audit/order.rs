//! One order: its facts, its balances, its refunds and its journal, each against the others.

use std::collections::BTreeSet;

use super::replay::{Replay, Stage};
use super::rows::{self, Account, Entry, Facts, Leg, Refund, Sums, Unreadable};
use super::sums::milli;
use super::{Place, Run, lists};
use crate::{StoreError, Tx};

pub(super) fn check(tx: &mut Tx<'_>, run: &mut Run<'_>, store: i64, order: i64) -> Result<(), StoreError> {
    run.report.orders += 1;
    run.saw(order);
    let read = match read(tx, store, order)? {
        Ok(read) => read,
        Err(Unreadable(text)) => {
            run.at(store, Some(order), None).say("unreadable", text);
            return Ok(());
        }
    };
    run.report.refunds += read.refunds.len() as u64;
    run.report.entries += read.entries.len() as u64;
    note_ids(run, &read);
    check_ids(&mut run.at(store, Some(order), None), order, &read);
    let Rows { facts, sums, refunds, entries } = read;
    let mut by_person = rows::gateways_by_person(tx, store)?;
    by_person.extend(run.options.settled_by_person.iter().cloned());
    let place = &mut run.at(store, Some(order), None);
    check_facts(place, &facts);
    for refund in &refunds {
        check_refund(&mut place.of(refund.id), &facts, refund);
    }
    let mut replay = Replay::new(&facts, &refunds);
    replay.run(place, entries);
    check_opening(place, &facts, &replay);
    match &sums {
        Some(sums) => check_sums(place, &facts, sums, &refunds, &replay),
        None => place.say("balances_missing", "the order has no balances row"),
    }
    for refund in &refunds {
        let told_later = refund.legs.iter().any(|leg| is_manual(&facts, leg, &by_person));
        check_progress(&mut place.of(refund.id), refund, &replay, told_later);
    }
    check_outbox(tx, run, (store, order), (&facts, &refunds), &by_person)?;
    check_disputes(tx, run, (store, order), &facts, &replay)?;
    check_references(tx, run, (store, order), &facts)?;
    check_skus(tx, run, (store, order), &facts, &refunds)?;
    match &sums {
        Some(sums) => lists::check(tx, run, (store, order), &facts, &refunds, sums),
        None => Ok(()),
    }
}

struct Rows {
    facts: Facts,
    sums: Option<Sums>,
    refunds: Vec<Refund>,
    entries: Vec<Entry>,
}

fn read(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Result<Rows, Unreadable>, StoreError> {
    let facts = rows::facts(tx, store, order)?;
    let sums = rows::sums(tx, store, order)?;
    let refunds = rows::refunds(tx, store, order)?;
    let entries = rows::entries(tx, store, order)?;
    let together = || {
        Ok(Rows {
            facts: facts?,
            sums: sums.transpose()?,
            refunds: refunds.into_iter().collect::<Result<_, _>>()?,
            entries: entries.into_iter().collect::<Result<_, _>>()?,
        })
    };
    Ok(together())
}

/// Every number of ours in the order, but the order's own.
fn ids(read: &Rows) -> Vec<i64> {
    let lines = read.facts.lines.iter().map(|line| line.id);
    let payments = read.facts.payments.iter().map(|payment| payment.id);
    let refunds = read.refunds.iter().flat_map(|r| std::iter::once(r.id).chain(r.legs.iter().map(|leg| leg.id)));
    let entries = read.entries.iter().map(|entry| entry.id);
    lines.chain(payments).chain(refunds).chain(entries).collect()
}

fn note_ids(run: &mut Run<'_>, read: &Rows) {
    for id in ids(read) {
        run.saw(id);
    }
}

fn check_ids(place: &mut Place<'_>, order: i64, read: &Rows) {
    let mut seen = BTreeSet::from([order]);
    for id in ids(read) {
        if !seen.insert(id) {
            place.say("id_twice", format!("number {id} names two things in one order"));
        }
        if id < order {
            place.say("id_order", format!("number {id} is below the order's own"));
        }
    }
    if let (Some(known), Some(newest)) = (read.sums.as_ref().and_then(|sums| sums.newest), seen.last()) {
        place.same("id_newest", "newest number", ("the order", known), ("its rows", *newest));
    }
}

fn check_facts(place: &mut Place<'_>, facts: &Facts) {
    for (index, line) in facts.lines.iter().enumerate() {
        let goods = facts.components.get(index).is_some_and(|c| c.kind == "goods" && c.line == Some(index));
        if !goods {
            place.say("facts_shape", format!("component {index} is not the goods of line {index}"));
        }
        let what = format!("units of line {index} shipped or called off");
        place.within("facts_units", what, line.shipped + line.cancelled, ("the units sold", line.quantity));
        let lowest = [line.quantity - 1, line.shipped, line.cancelled, line.price, line.discount];
        if lowest.iter().any(|figure| *figure < 0) {
            place.say("facts_shape", format!("line {index} has a figure below zero, or no units"));
        }
    }
    for (index, component) in facts.components.iter().enumerate().skip(facts.lines.len()) {
        if component.kind == "goods" || component.line.is_some_and(|line| line >= facts.lines.len()) {
            place.say("facts_shape", format!("component {index} belongs to a line that is not there"));
        }
    }
    for (index, payment) in facts.payments.iter().enumerate() {
        if payment.own_currency == facts.currency {
            let what = format!("captured by payment {index}");
            let own = ("its own currency", payment.own_captured);
            place.same("captured_pair", what, ("the order's currency", payment.captured), own);
        }
    }
}

/// What the order says it cost and captured, against the entries that opened and changed it.
fn check_opening(place: &mut Place<'_>, facts: &Facts, replay: &Replay<'_>) {
    let accounts: BTreeSet<Account> = replay.accounts().collect();
    let components = facts.components.len().max(indices(&accounts, false));
    let payments = facts.payments.len().max(indices(&accounts, true));
    let mut charged = 0;
    for index in 0..components {
        let (net, tax) = facts.components.get(index).map_or((0, 0), |c| (c.net, c.tax));
        charged += net + tax;
        let opened = (replay.opened(Account::Net(index)), replay.opened(Account::Tax(index)));
        let what = |part: &str| format!("{part} charged for component {index}");
        place.same("facts_journal", what("net"), ("the order", net), ("the journal", opened.0));
        place.same("facts_journal", what("tax"), ("the order", tax), ("the journal", opened.1));
    }
    let mut all_captured = 0;
    for index in 0..payments {
        let payment = facts.payments.get(index);
        let captured = payment.map_or(0, |p| p.captured);
        all_captured += captured;
        let own = payment.filter(|_| replay.is_foreign(index)).map_or(0, |p| p.own_captured);
        let paid = -replay.opened(Account::Paid(index));
        place.same(
            "facts_journal",
            format!("captured by payment {index}"),
            ("the order", captured),
            ("the journal", paid),
        );
        for account in [-replay.opened(Account::OwnPaid(index)), replay.opened(Account::OwnOpen(index))] {
            let what = format!("captured by payment {index} in its own currency");
            place.same("facts_journal", what, ("the order", own), ("the journal", account));
        }
    }
    let open = ("the journal", replay.opened(Account::Open));
    place.same("facts_journal", "captured less charged", ("the order", all_captured - charged), open);
}

/// One more than the highest index of an account of components, or of payments.
fn indices(accounts: &BTreeSet<Account>, of_payments: bool) -> usize {
    let index = |account: &Account| match account {
        Account::Net(i) | Account::Tax(i) if !of_payments => Some(i + 1),
        Account::Paid(i)
        | Account::Flight(i)
        | Account::OwnPaid(i)
        | Account::OwnFlight(i)
        | Account::OwnOpen(i)
        | Account::Held(i)
        | Account::OwnHeld(i)
            if of_payments =>
        {
            Some(i + 1)
        }
        _ => None,
    };
    accounts.iter().filter_map(index).max().unwrap_or(0)
}

/// The balances row against the journal's sums, and both against what was sold and captured.
fn check_sums(place: &mut Place<'_>, facts: &Facts, sums: &Sums, refunds: &[Refund], replay: &Replay<'_>) {
    for index in 0..facts.components.len().max(sums.components.len()) {
        let stored = sums.components.get(index).copied().unwrap_or_default();
        let held = replay.held(index);
        let what = |part: &str| format!("{part} of component {index} that refunds hold");
        place.same("balances_journal", what("net"), ("the balances row", stored.0), ("the journal", held.0));
        place.same("balances_journal", what("tax"), ("the balances row", stored.1), ("the journal", held.1));
        let (net, tax) = facts.components.get(index).map_or((0, 0), |c| (c.net, c.tax));
        place.within("above_charged", what("net"), stored.0, ("what was charged", net));
        place.within("above_charged", what("tax"), stored.1, ("what was charged", tax));
    }
    for index in 0..facts.lines.len().max(sums.lines.len()) {
        check_line(place, facts, index, sums.lines.get(index).copied().unwrap_or_default(), replay);
    }
    for index in 0..facts.payments.len().max(sums.payments.len()) {
        check_payment(place, facts, index, sums.payments.get(index).copied().unwrap_or_default(), replay);
        let held =
            sums.held.iter().find(|(payment, ..)| *payment == index).map_or((0, 0), |(_, held, own)| (*held, *own));
        check_held(place, index, ("the balances row", held), replay);
    }
    let difference = -replay.sum(Account::Difference);
    place.same("balances_journal", "discrepancy", ("the balances row", sums.discrepancy), ("the journal", difference));
    let count = i128::try_from(refunds.len()).unwrap_or(i128::MAX);
    place.same("balances_refunds", "refunds accepted", ("the balances row", sums.refunds), ("the refunds", count));
    let customized = refunds.iter().any(|refund| refund.units.is_empty());
    let (row, found) = (i128::from(sums.customized), i128::from(customized));
    place.same("balances_refunds", "a refund without units", ("the balances row", row), ("the refunds", found));
    let last = refunds.iter().any(|refund| refund.updated_ms == sums.updated_ms);
    let is_fresh = refunds.is_empty() && sums.updated_ms == 0;
    if !last && !is_fresh {
        let text = format!("the balances row changed last at {}, but no refund did", sums.updated_ms);
        place.say("balances_refunds", text);
    }
}

fn check_line(place: &mut Place<'_>, facts: &Facts, index: usize, stored: (i128, i128), replay: &Replay<'_>) {
    let refunded = replay.units(index);
    let what = |bucket: &str| format!("{bucket} units of line {index} refunded");
    place.same("balances_units", what("waiting"), ("the balances row", stored.0), ("the refunds", refunded.0));
    place.same("balances_units", what("shipped"), ("the balances row", stored.1), ("the refunds", refunded.1));
    let line = facts.lines.get(index);
    let (waiting, shipped) = line.map_or((0, 0), |l| (l.quantity - l.shipped - l.cancelled, l.shipped));
    place.within("above_units", what("waiting"), stored.0, ("the units there", waiting));
    place.within("above_units", what("shipped"), stored.1, ("the units there", shipped));
}

fn check_payment(place: &mut Place<'_>, facts: &Facts, index: usize, stored: [i128; 4], replay: &Replay<'_>) {
    let [pending, succeeded, own_pending, own_succeeded] = stored;
    let back = |paid, flight, held| (replay.sum(flight), replay.sum(paid) - replay.opened(paid) + replay.sum(held));
    let journal = back(Account::Paid(index), Account::Flight(index), Account::Held(index));
    let own = if replay.is_foreign(index) {
        back(Account::OwnPaid(index), Account::OwnFlight(index), Account::OwnHeld(index))
    } else {
        journal
    };
    let figures = [
        ("on its way", pending, journal.0),
        ("back", succeeded, journal.1),
        ("on its way, in its own currency,", own_pending, own.0),
        ("back, in its own currency,", own_succeeded, own.1),
    ];
    for (part, row, journal) in figures {
        let what = format!("money {part} through payment {index}");
        place.same("balances_journal", what, ("the balances row", row), ("the journal", journal));
    }
    let (captured, own_captured) = facts.payments.get(index).map_or((0, 0), |p| (p.captured, p.own_captured));
    let what = format!("money on its way or back through payment {index}");
    place.within("above_captured", &what, pending + succeeded, ("what it captured", captured));
    place.within("above_captured", &what, own_pending + own_succeeded, ("what it captured", own_captured));
}

/// What disputes hold of a payment, in the order's currency and its own, against the journal.
fn check_held(place: &mut Place<'_>, index: usize, (who, held): (&'static str, (i128, i128)), replay: &Replay<'_>) {
    let journal = -replay.sum(Account::Held(index));
    let own = if replay.is_foreign(index) { -replay.sum(Account::OwnHeld(index)) } else { journal };
    let what = format!("money of payment {index} that disputes hold");
    place.same("disputes", &what, (who, held.0), ("the journal", journal));
    place.same("disputes", format!("{what}, in its own currency"), (who, held.1), ("the journal", own));
}

/// Every dispute by itself, against what the journal holds for all of them.
fn check_disputes(
    tx: &mut Tx<'_>,
    run: &mut Run<'_>,
    (store, order): (i64, i64),
    facts: &Facts,
    replay: &Replay<'_>,
) -> Result<(), StoreError> {
    let disputes = rows::disputes(tx, store, order)?;
    let place = &mut run.at(store, Some(order), None);
    for (index, payment) in facts.payments.iter().enumerate() {
        let of_payment = disputes.iter().filter(|(id, ..)| *id == payment.id);
        let held = of_payment.fold((0, 0), |(held, own), (_, more, own_more)| (held + more, own + own_more));
        check_held(place, index, ("the disputes", held), replay);
    }
    if let Some((id, ..)) = disputes.iter().find(|(id, ..)| facts.payments.iter().all(|payment| payment.id != *id)) {
        place.say("disputes", format!("a dispute is about payment {id}, which the order does not have"));
    }
    Ok(())
}

/// Events of providers name payments, so an order is found by what they call them.
fn check_references(
    tx: &mut Tx<'_>,
    run: &mut Run<'_>,
    (store, order): (i64, i64),
    facts: &Facts,
) -> Result<(), StoreError> {
    for payment in facts.payments.iter().filter(|payment| !payment.reference.is_empty()) {
        if !rows::has_reference(tx, store, order, &payment.reference)? {
            let text = format!("the order is not found by the reference of payment {}", payment.id);
            run.at(store, Some(order), None).say("payment_references", text);
        }
    }
    Ok(())
}

/// A refund by itself: its parts, and the columns that are derived from them.
fn check_refund(place: &mut Place<'_>, facts: &Facts, refund: &Refund) {
    let legs: i128 = refund.legs.iter().map(|leg| leg.amount).sum();
    let allocated: i128 = refund.allocations.iter().map(|a| a.net + a.tax).sum();
    place.same("parts_of_whole", "amount", ("the refund", refund.amount), ("the sum of its legs", legs));
    let parts = ("the sum of allocations and discrepancy", allocated + refund.discrepancy);
    place.same("parts_of_whole", "amount", ("the refund", refund.amount), parts);
    let known = refund.allocations.iter().all(|a| a.component < facts.components.len())
        && refund.units.iter().all(|u| u.line < facts.lines.len() && u.quantity > 0)
        && refund.legs.iter().all(|leg| leg.payment < facts.payments.len());
    if !known {
        place.say("refund_shape", "the refund names a component, line or payment that the order does not have");
    }
    let negative = refund.allocations.iter().any(|a| a.net < 0 || a.tax < 0)
        || refund.legs.iter().any(|leg| leg.amount < 0 || leg.own < 0);
    if negative {
        place.say("refund_shape", "a part of the refund is below zero");
    }
    for allocation in &refund.allocations {
        let line = facts.components.get(allocation.component).and_then(|c| facts.lines.get(c.line?));
        if let (Some(quantity), Some(line)) = (allocation.quantity, line) {
            let what = format!("units that money of component {} was stated for", allocation.component);
            place.within("refund_shape", what, quantity, ("the units sold", line.quantity));
        }
    }
    let succeeded: i128 = refund.legs.iter().filter(|leg| leg.state == "succeeded").map(|leg| leg.amount).sum();
    for (what, column, amount) in
        [("amount_milli", refund.amount_milli, refund.amount), ("refunded_milli", refund.refunded_milli, succeeded)]
    {
        let amount = ("its legs in thousandths", milli(amount, facts.exponent));
        place.same("refund_columns", what, ("the column", column), amount);
    }
    if !refund.has_block {
        place.say("refund_columns", "the refund is in a block that lists do not know");
    }
    let state = state_of(&refund.legs);
    if refund.state != state {
        place.say("refund_columns", format!("the state column says {}, the legs say {state}", refund.state));
    }
    let failure = refund.legs.iter().find(|leg| leg.state == "failed").map_or("", |leg| leg.said.as_str());
    if refund.failure != failure {
        place.say("refund_columns", format!("the failure column says '{}', the legs say '{failure}'", refund.failure));
    }
    let begun = i128::from(refund.legs.iter().any(|leg| leg.state != "waiting"));
    let column = i128::from(refund.begun);
    place.same("refund_columns", "whether it was begun", ("the begun column", column), ("the legs", begun));
}

fn state_of(legs: &[Leg]) -> &'static str {
    if legs.iter().any(|leg| !leg.is_final()) {
        "pending"
    } else if legs.iter().any(|leg| leg.state == "succeeded") {
        "succeeded"
    } else {
        "failed"
    }
}

/// What became of a refund, as its row and as the journal tell it.
fn check_progress(place: &mut Place<'_>, refund: &Refund, replay: &Replay<'_>, told_later: bool) {
    let Some(progress) = replay.progress.get(&refund.id) else {
        place.say("journal_missing", "no journal entry accepts the refund");
        return;
    };
    for (leg, stage) in refund.legs.iter().zip(&progress.legs) {
        let (state, at_ms) = match stage {
            Stage::Flight => ("not final", 0),
            Stage::Paid(at_ms) => ("succeeded", *at_ms),
            Stage::Gone(at_ms) => ("failed", *at_ms),
        };
        let told = if leg.is_final() { leg.state.as_str() } else { "not final" };
        if told != state {
            place.say("leg_journal", format!("leg {} is {told} in the refund, {state} in the journal", leg.id));
        }
        let what = format!("time at which leg {} was settled", leg.id);
        place.same("leg_journal", what, ("the refund", leg.at_ms), ("the journal", at_ms));
        let known = ["waiting", "sent", "in_doubt", "parked", "succeeded", "failed"];
        if !known.contains(&leg.state.as_str()) {
            place.say("refund_shape", format!("leg {} is in no known state: {}", leg.id, leg.state));
        }
    }
    check_returned(place, refund, &progress.returned);
    let all_failed = state_of(&refund.legs) == "failed";
    if refund.reopened != (all_failed && !refund.units.is_empty()) {
        place.say("refund_units", "units are open again exactly if all legs failed, and here they are not");
    }
    // A leg under way changes the refund without moving money, so only a settled one has its last time in the journal;
    // and what a person told of later happened before the refund changed, which was no later than its entry was made.
    let after = told_later && (progress.last_ms..=progress.told_ms).contains(&refund.updated_ms);
    if refund.legs.iter().all(Leg::is_final) && !after {
        let journal = ("the journal", progress.last_ms);
        place.same("refund_updated", "time of the last change", ("the refund", refund.updated_ms), journal);
    }
}

fn check_returned(place: &mut Place<'_>, refund: &Refund, journal: &std::collections::BTreeMap<usize, (i128, i128)>) {
    let components: BTreeSet<usize> =
        refund.allocations.iter().map(|a| a.component).chain(journal.keys().copied()).collect();
    for component in components {
        let pairs = refund.allocations.iter().zip(&refund.returned).filter(|(a, _)| a.component == component);
        let (net, tax) = pairs.fold((0, 0), |(net, tax), (_, r)| (net + r.0, tax + r.1));
        let given = journal.get(&component).copied().unwrap_or_default();
        let what = |part: &str| format!("{part} that failed legs gave back to component {component}");
        place.same("returned", what("net"), ("the refund", net), ("the journal", given.0));
        place.same("returned", what("tax"), ("the refund", tax), ("the journal", given.1));
    }
    let count = refund.returned.len();
    if count != 0 && count != refund.allocations.len() {
        place.say("returned", format!("{count} parts were given back of {}", refund.allocations.len()));
    }
    for (allocation, (net, tax)) in refund.allocations.iter().zip(&refund.returned) {
        let what = format!("given back to component {}", allocation.component);
        place.within("returned", &what, *net, ("what was allocated", allocation.net));
        place.within("returned", &what, *tax, ("what was allocated", allocation.tax));
        if *net < 0 || *tax < 0 {
            place.say("returned", format!("less than nothing was {what}"));
        }
    }
}

/// Whether a person pays a leg back, behind one of these gateways.
fn is_manual(facts: &Facts, leg: &Leg, by_person: &[String]) -> bool {
    let of_payment = facts.payments.get(leg.payment).map_or("", |payment| payment.gateway.as_str());
    let gateway = if leg.gateway.is_empty() { of_payment } else { &leg.gateway };
    by_person.iter().any(|name| name == gateway)
}

/// A leg that a gateway still answers for is in the outbox, and no other.
fn check_outbox(
    tx: &mut Tx<'_>,
    run: &mut Run<'_>,
    (store, order): (i64, i64),
    (facts, refunds): (&Facts, &[Refund]),
    by_person: &[String],
) -> Result<(), StoreError> {
    for refund in refunds {
        for leg in &refund.legs {
            let wanted = !leg.is_final() && !leg.outside && !is_manual(facts, leg, by_person);
            let found = rows::outbox(tx, store, leg.id)?;
            let place = &mut run.at(store, Some(order), Some(refund.id));
            match found {
                None if wanted => {
                    place.say("outbox_missing", format!("leg {} is {} but not in the outbox", leg.id, leg.state));
                }
                Some(_) if !wanted => {
                    place.say("outbox_extra", format!("leg {} is {} but in the outbox", leg.id, leg.state));
                }
                Some(row) => check_outgoing(place, order, refund, leg, &row),
                None => {}
            }
        }
    }
    Ok(())
}

fn check_outgoing(place: &mut Place<'_>, order: i64, refund: &Refund, leg: &Leg, row: &rows::Outgoing) {
    let what = |of: &str| format!("{of} of leg {}", leg.id);
    place.same("outbox_ids", what("refund"), ("the outbox", row.refund), ("the refund", refund.id));
    place.same("outbox_ids", what("order"), ("the outbox", row.order), ("the refund", order));
    let rows::Outgoing { holder, attempts, stage, .. } = row;
    let was_taken = !holder.is_empty();
    // Only a leg that was taken before is looked up before it is sent.
    if *attempts < 0 || was_taken != (*attempts > 0) {
        place.say("outbox_attempts", format!("leg {} was taken {attempts} times, by '{holder}'", leg.id));
    }
    if *attempts == 0 && leg.state != "waiting" {
        place.say("outbox_attempts", format!("leg {} is {} but was never taken", leg.id, leg.state));
    }
    // A leg in a worker's hands may be sent at this moment, whatever was known of it before; and one whose worker was
    // lost is in doubt, before anybody has said so.
    let in_hand = ["calling", "in_doubt"].contains(&stage.as_str()) && leg.state != "parked" && *attempts > 0;
    if *stage != leg.state && !in_hand {
        place.say("outbox_stage", format!("leg {} is {} in the refund, {stage} in the outbox", leg.id, leg.state));
    }
}

/// Which orders and refunds are found by a stock keeping unit.
fn check_skus(
    tx: &mut Tx<'_>,
    run: &mut Run<'_>,
    (store, order): (i64, i64),
    facts: &Facts,
    refunds: &[Refund],
) -> Result<(), StoreError> {
    let now: BTreeSet<&str> = facts.lines.iter().map(|l| l.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
    for sku in &now {
        if !rows::has_sku(tx, store, order, sku)? {
            let place = &mut run.at(store, Some(order), None);
            place.say("skus", format!("the order is not listed under '{sku}', which a line of it has"));
        }
    }
    for refund in refunds {
        let by_money = refund.allocations.iter().filter_map(|a| facts.components.get(a.component)?.line);
        let lines: BTreeSet<usize> = by_money.chain(refund.units.iter().map(|units| units.line)).collect();
        let concerned = lines.into_iter().filter_map(|line| facts.lines.get(line)).map(|line| line.sku.as_str());
        let derived: BTreeSet<&str> = concerned.filter(|sku| !sku.is_empty()).collect();
        let listed: BTreeSet<&str> = refund.skus.iter().map(String::as_str).collect();
        if derived == listed {
            continue;
        }
        // An import may rename a line; its refunds keep the name they were made under, and the order stays listed.
        let mut old = listed.difference(&derived).peekable();
        let renamed = old.peek().is_some() && old.all(|name| !now.contains(name));
        if !renamed {
            let place = &mut run.at(store, Some(order), Some(refund.id));
            place.say("skus", format!("the refund is listed under {listed:?}, its lines are {derived:?}"));
        }
    }
    Ok(())
}
