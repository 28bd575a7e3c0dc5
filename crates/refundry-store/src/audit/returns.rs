//! Returns against the parcels that their units left in, order by order.
//!
//! What refunds did is left out: goods that are on their way back may be paid for at any time, so no figure of a refund
//! and a return has to agree.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::rows::parse;
use super::{Place, Run};
use crate::{Row, Store, StoreError, Tx};

/// Looks at every order that has returns.
pub(super) fn check(store: &Store, run: &mut Run<'_>) -> Result<(), StoreError> {
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let params = [after.0.into(), after.1.into(), run.options.rows_per_read.into()];
        let last = store.read(|tx| {
            let orders = tx.query(ORDERS, &params, |row| Ok((row.int(0)?, row.int(1)?)))?;
            for (tenant, order) in &orders {
                check_order(tx, run, *tenant, *order)?;
            }
            Ok(orders.last().copied())
        })?;
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// Looks at the returns of one order.
pub(super) fn check_order(tx: &mut Tx<'_>, run: &mut Run<'_>, store: i64, order: i64) -> Result<(), StoreError> {
    let decode = |row: &Row<'_>| Ok((row.int(0)?, row.string(1)?, row.int(2)?, row.int(3)?, row.string(4)?));
    let returns = tx.query(RETURNS, &[store.into(), order.into()], decode)?;
    if returns.is_empty() {
        return Ok(());
    }
    let decode = |row: &Row<'_>| Ok((row.int(0)?, row.string(1)?, row.string(2)?));
    let parcels = tx.query(PARCELS, &[store.into(), order.into()], decode)?;
    let parcels: Parcels =
        parcels.iter().map(|(id, state, body)| (*id, (state != "cancelled", units_inside(body)))).collect();
    let mut waiting: BTreeMap<(i64, i64), i128> = BTreeMap::new();
    for (id, state, created_ms, updated_ms, body) in &returns {
        run.saw(*id);
        let place = &mut run.at(store, Some(order), None);
        let known = ["open", "closed", "cancelled"].contains(&state.as_str());
        if !known || updated_ms < created_ms || *id < order {
            place.say("return_shape", format!("return {id} is in no known state, or older than itself or its order"));
        }
        let Some(lines) = read(body) else {
            place.say("unreadable", format!("returns.body of return {id} cannot be read"));
            continue;
        };
        for line in &lines {
            check_line(place, (*id, state == "open"), line, &parcels);
            if let (Some(parcel), true) = (line.parcel, state == "open") {
                *waiting.entry((parcel, line.of_line)).or_default() += i128::from(line.quantity);
            }
        }
        for line in &lines {
            run.saw(line.id);
        }
    }
    for ((parcel, line), open) in waiting {
        let inside = parcels.get(&parcel).and_then(|(_, units)| units.get(&line)).copied().unwrap_or(0);
        let what = format!("units of line {line} in parcel {parcel} that open returns wait for");
        run.at(store, Some(order), None).within("return_units", what, open, ("what is in the parcel", inside));
    }
    Ok(())
}

/// By number of a parcel: whether it left, and units by line.
type Parcels = BTreeMap<i64, (bool, BTreeMap<i64, i128>)>;

/// An entry of a return.
struct Entry {
    id: i64,
    parcel: Option<i64>,
    of_line: i64,
    quantity: i64,
}

fn check_line(place: &mut Place<'_>, (id, is_open): (i64, bool), line: &Entry, parcels: &Parcels) {
    if line.quantity < 1 || line.id <= id {
        place.say("return_shape", format!("entry {} of return {id} has no units, or is older than it", line.id));
    }
    let Some(parcel) = line.parcel else { return };
    match parcels.get(&parcel) {
        None => place.say("return_parcel", format!("return {id} is of parcel {parcel}, which the order does not have")),
        Some((false, _)) if is_open => {
            place.say("return_parcel", format!("return {id} waits for parcel {parcel}, which was called off"));
        }
        Some((_, units)) if !units.contains_key(&line.of_line) => {
            place.say("return_parcel", format!("return {id} is of line {}, not in parcel {parcel}", line.of_line));
        }
        Some(_) => {}
    }
}

/// Entries of a return's body: number, parcel, line, units, and what nothing is counted with.
fn read(body: &str) -> Option<Vec<Entry>> {
    let body = parse("returns.body", body).ok()?;
    let line = |packed: &Json| {
        let number = |index: usize| packed.get(index).and_then(Json::as_i64);
        let parcel = match packed.get(1)? {
            Json::Null => None,
            _ => Some(number(1)?),
        };
        Some(Entry { id: number(0)?, parcel, of_line: number(2)?, quantity: number(3)? })
    };
    body.get("lines")?.as_array()?.iter().map(line).collect()
}

/// Units by line in a parcel's body.
fn units_inside(body: &str) -> BTreeMap<i64, i128> {
    let body = parse("parcels.body", body).unwrap_or_default();
    let units = body.get(0).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let unit = |packed: &Json| Some((packed.get(0)?.as_i64()?, i128::from(packed.get(1)?.as_i64()?)));
    units.iter().filter_map(unit).collect()
}

const ORDERS: &str = "
    SELECT DISTINCT store, order_id FROM returns WHERE (store, order_id) > (?1, ?2) ORDER BY store, order_id LIMIT ?3";
const RETURNS: &str = "
    SELECT id, state, created_ms, updated_ms, body FROM returns WHERE store = ?1 AND order_id = ?2 ORDER BY id";
const PARCELS: &str = "SELECT id, state, body FROM parcels WHERE store = ?1 AND order_id = ?2";
