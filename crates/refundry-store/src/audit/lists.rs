//! What lists of orders go by, worked out a second time from the facts, the balances and the refunds.

use std::collections::BTreeSet;

use super::Run;
use super::rows::{Facts, Life, Refund, Sums};
use super::sums::milli;
use crate::{StoreError, Tx};

/// Kinds of terms that the facts tell; the others only documents do.
const OF_FACTS: std::ops::Range<i64> = 0..5;
const LENGTH_MAX: usize = 64;
const PHRASES_MAX: usize = 64;

/// The row of the index, or none; the terms; and when the order last changed.
pub(super) fn check(
    tx: &mut Tx<'_>,
    run: &mut Run<'_>,
    (store, order): (i64, i64),
    facts: &Facts,
    refunds: &[Refund],
    sums: &Sums,
) -> Result<(), StoreError> {
    let key = [store.into(), order.into()];
    let stands = |row: &crate::Row<'_>| {
        Ok([row.opt_int(0)?, row.opt_int(1)?, row.opt_int(2)?, row.opt_int(3)?, row.opt_int(4)?]
            .into_iter()
            .chain([row.opt_int(5)?, row.opt_int(6)?, row.opt_int(7)?, row.opt_int(8)?])
            .collect::<Vec<_>>())
    };
    let rows = tx.query(INDEX, &key, stands)?;
    let terms = tx.query(TERMS, &key, |row| Ok((row.int(0)?, row.string(1)?, row.int(2)?)))?;
    let updated_ms = tx.query(UPDATED, &key, |row| row.int(0))?;
    let place = &mut run.at(store, Some(order), None);
    let is_deleted = facts.life.deleted_ms.is_some();
    let due: Vec<Vec<Option<i64>>> = (!is_deleted).then(|| derived(facts, refunds)).into_iter().collect();
    if rows != due {
        place.say("order_index", format!("lists go by {rows:?}, facts and refunds make {due:?} ({COLUMNS})"));
    }
    for kept in updated_ms {
        let latest = ("the later of the order's and its refunds'", facts.updated_ms.max(sums.updated_ms));
        place.same("order_updated", "time of the last change", ("the row of balances", kept), latest);
    }
    let (of_facts, told): (Vec<_>, Vec<_>) = terms.into_iter().partition(|(kind, ..)| OF_FACTS.contains(kind));
    let found: BTreeSet<(i64, String, i64)> = of_facts.into_iter().collect();
    let due = if is_deleted { BTreeSet::new() } else { words(facts) };
    for (kind, text, _) in due.difference(&found) {
        place.say("order_terms", format!("the order is not found by '{text}' (kind {kind})"));
    }
    for (kind, text, _) in found.difference(&due) {
        place.say("order_terms", format!("the order is found by '{text}' (kind {kind}), which it does not say"));
    }
    for (kind, text, created_ms) in told {
        if is_deleted || created_ms != facts.created_ms || kind > 16 {
            place.say("order_terms", format!("the order is found by '{text}' (kind {kind}) at a wrong place"));
        }
    }
    Ok(())
}

const COLUMNS: &str = "created, stage, money, goods, total in thousandths, placed, fulfilled, finished, put away";
const INDEX: &str = "
    SELECT created_ms, stage, money, goods, total_milli, placed_ms, fulfilled_ms, finished_ms, closed
    FROM order_index WHERE store = ?1 AND order_id = ?2";
const TERMS: &str = "SELECT kind, term, created_ms FROM order_terms WHERE store = ?1 AND order_id = ?2";
const UPDATED: &str = "SELECT updated_ms FROM balances WHERE store = ?1 AND order_id = ?2";

fn derived(facts: &Facts, refunds: &[Refund]) -> Vec<Option<i64>> {
    let captured: i128 = facts.payments.iter().map(|payment| payment.captured).sum();
    let total: i128 = facts.components.iter().map(|part| part.net + part.tax).sum();
    let goods = goods(facts, refunds, captured != 0);
    let stage = match (facts.cancelled, captured, goods) {
        (true, ..) => 3,
        (_, 0, _) => 0,
        (_, _, 5) => 2,
        _ => 1,
    };
    let money = money(facts, refunds, captured, total);
    let Life { placed_ms, fulfilled_ms, finished_ms, closed_ms, .. } = facts.life;
    let paid_at = if captured == 0 { None } else { Some(facts.created_ms) };
    let total = i64::try_from(milli(total, facts.exponent)).ok();
    let standing = [Some(facts.created_ms), Some(stage), Some(money), Some(goods), total];
    let closed = Some(i64::from(closed_ms.is_some()));
    standing.into_iter().chain([placed_ms.or(paid_at), fulfilled_ms, finished_ms, closed]).collect()
}

/// As if what is on its way had not been asked for.
fn money(facts: &Facts, refunds: &[Refund], captured: i128, total: i128) -> i64 {
    let legs = || refunds.iter().flat_map(|refund| &refund.legs);
    let back: i128 = legs().filter(|leg| leg.state == "succeeded").map(|leg| leg.amount).sum();
    let on_its_way = legs().any(|leg| !leg.is_final() && leg.amount > 0);
    match () {
        () if captured == 0 => i64::from(facts.cancelled),
        () if back >= captured => 7,
        () if back > 0 => 6,
        () if !refunds.is_empty() && !on_its_way => 5,
        () if captured < total => 2,
        () => 3,
    }
}

fn goods(facts: &Facts, refunds: &[Refund], paid: bool) -> i64 {
    let open = refunds.iter().filter(|refund| !refund.reopened).flat_map(|refund| &refund.units);
    let mut gone = vec![0; facts.lines.len()];
    for units in open.filter(|units| !units.shipped) {
        if let Some(gone) = gone.get_mut(units.line) {
            *gone += units.quantity;
        }
    }
    let (mut all, mut shipped, mut delivered) = (0, 0, 0);
    for (index, line) in facts.lines.iter().enumerate() {
        all += (line.quantity - line.cancelled - gone[index]).max(0);
        shipped += line.shipped;
        delivered += facts.life.delivered.get(index).copied().unwrap_or(0);
    }
    match () {
        () if all == 0 => 6,
        () if delivered >= all => 5,
        () if delivered > 0 => 4,
        () if shipped >= all => 3,
        () if shipped > 0 => 2,
        () => i64::from(paid),
    }
}

/// Kind, text and the order's time.
fn words(facts: &Facts) -> BTreeSet<(i64, String, i64)> {
    let mut words = BTreeSet::new();
    let mut add = |kind: i64, text: &str| {
        let text = small(text);
        if !text.is_empty() {
            words.insert((kind, short(&text), facts.created_ms));
        }
    };
    add(0, &facts.number);
    for line in &facts.lines {
        add(1, &line.sku);
        add(2, &line.product_id);
    }
    if let Some(place) = facts.life.location {
        add(4, &place.to_string());
    }
    let mut phrases = BTreeSet::new();
    for line in &facts.lines {
        let text = small(&line.title);
        let letters: Vec<char> = text.chars().collect();
        for at in 0..letters.len() {
            let begins = letters[at].is_alphanumeric() && (at == 0 || !letters[at - 1].is_alphanumeric());
            if begins && phrases.len() < PHRASES_MAX {
                phrases.insert(short(&letters[at..].iter().collect::<String>()));
            }
        }
    }
    words.extend(phrases.into_iter().map(|phrase| (3, phrase, facts.created_ms)));
    words
}

fn small(text: &str) -> String {
    let spaced: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn short(text: &str) -> String {
    text.chars().take(LENGTH_MAX).collect::<String>().trim_end().to_owned()
}
