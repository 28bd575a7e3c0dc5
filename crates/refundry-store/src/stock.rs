//! How many units of a variant are where, and every move that made it so.
//!
//! What is written here is always a difference: writers that move the same units at once need not know of each other,
//! and the moves of a variant at a location sum to its stock.

use refundry_core::order::Id;

use crate::filter::Filter;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Units of a variant at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The variant, by our number.
    pub variant: Id,
    /// The location, by our number.
    pub location: Id,
    /// How many; below zero, more were taken than there were.
    pub quantity: i64,
    /// When it changed last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Why stock moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveWhy {
    /// A refund put units back.
    Refund,
    /// The refund failed, and its units are open again.
    Reopened,
    /// Somebody said how many there are.
    Set,
    /// Somebody said how many more or fewer there are.
    Adjusted,
    /// An order took them.
    Sold,
    /// The order was called off, and what still waited was put back.
    CalledOff,
}

impl MoveWhy {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Reopened => "reopened",
            Self::Set => "set",
            Self::Adjusted => "adjusted",
            Self::Sold => "sold",
            Self::CalledOff => "called_off",
        }
    }
}

/// A change of stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveRow {
    /// The store.
    pub store: i64,
    /// Our number for it.
    pub id: Id,
    /// The variant.
    pub variant: Id,
    /// The location.
    pub location: Id,
    /// Units: above zero for more, below for fewer.
    pub moved: i64,
    /// Why.
    pub why: MoveWhy,
    /// The refund that did it.
    pub refund: Option<Id>,
    /// The order that it was sold with.
    pub order: Option<Id>,
    /// When, epoch milliseconds.
    pub at_ms: i64,
}

/// Adds moves, and what they sum to to the stock: `sums` is store, variant, location, units, once for each.
pub fn write(tx: &mut Tx<'_>, moves: &[MoveRow], sums: &[(i64, Id, Id, i64)], at_ms: i64) -> Result<(), StoreError> {
    let mut levels: Vec<[Value<'_>; 5]> = Vec::with_capacity(sums.len());
    for (store, variant, location, units) in sums {
        levels.push([(*store).into(), number(*variant)?, number(*location)?, (*units).into(), at_ms.into()]);
    }
    tx.write_many(ADD, &levels)?;
    let mut params: Vec<[Value<'_>; 9]> = Vec::with_capacity(moves.len());
    for MoveRow { store, id, variant, location, moved, why, refund, order, at_ms } in moves {
        params.push([
            (*store).into(),
            number(*variant)?,
            number(*location)?,
            number(*id)?,
            (*moved).into(),
            why.code().into(),
            refund.map(number).transpose()?.unwrap_or(Value::Null),
            (*at_ms).into(),
            order.map(number).transpose()?.unwrap_or(Value::Null),
        ]);
    }
    tx.write_many(INSERT_MOVE, &params)
}

/// What a refund put back and nobody took away again: variant, location, units.
pub fn put_by(tx: &mut Tx<'_>, store: i64, refund: Id) -> Result<Vec<(Id, Id, i64)>, StoreError> {
    tx.query(PUT_BY, &[store.into(), number(refund)?], |row| Ok((id(row, 0)?, id(row, 1)?, row.int(2)?)))
}

/// What an order took from stock and did not put back: variant, location, units, which are below zero.
pub fn sold_by(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<(Id, Id, i64)>, StoreError> {
    tx.query(SOLD_BY, &[store.into(), number(order)?], |row| Ok((id(row, 0)?, id(row, 1)?, row.int(2)?)))
}

/// Holds the stock of a variant at a location until the end of the transaction, with none where there was no row, and
/// reads it.
pub fn hold(tx: &mut Tx<'_>, store: i64, variant: Id, location: Id, now_ms: i64) -> Result<Level, StoreError> {
    let key = [store.into(), number(variant)?, number(location)?];
    let [at_store, at_variant, at_location] = key.clone();
    tx.execute(CONNECT, &[at_store, at_variant, at_location, now_ms.into()])?;
    let found = tx.query_one(HOLD, &key, level)?;
    found.ok_or_else(|| StoreError::defect("stock that was just put there is not there"))
}

/// The stock of a variant at a location, held until the end of the transaction, if there is a row.
pub fn hold_known(tx: &mut Tx<'_>, store: i64, variant: Id, location: Id) -> Result<Option<Level>, StoreError> {
    tx.query_one(HOLD, &[store.into(), number(variant)?, number(location)?], level)
}

/// Removes the row of a variant at a location; its moves stay, and must sum to none.
pub fn disconnect(tx: &mut Tx<'_>, store: i64, variant: Id, location: Id) -> Result<(), StoreError> {
    tx.execute(DISCONNECT, &[store.into(), number(variant)?, number(location)?]).map(|_| ())
}

/// The stock of variants at locations (store, variant, location), as far as there are rows.
pub fn get_many(tx: &mut Tx<'_>, keys: &[(i64, Id, Id)]) -> Result<Vec<(i64, Level)>, StoreError> {
    let params = keys.iter().map(|(store, v, l)| Ok([(*store).into(), number(*v)?, number(*l)?]));
    let mut found = Vec::with_capacity(keys.len());
    tx.each_many(GET, &params.collect::<Result<Vec<[Value<'_>; 3]>, StoreError>>()?, |place, row| {
        found.push((keys[place].0, level(row)?));
        Ok(())
    })?;
    Ok(found)
}

/// Stock of a store by variant and location, at most `limit` rows; empty lists leave nothing out. A variant that is
/// nowhere is at the default location, which bears the number `default`, with none.
pub fn list(
    tx: &mut Tx<'_>,
    store: i64,
    (variants, locations): (&[Id], &[Id]),
    default: Id,
    limit: i64,
) -> Result<Vec<Level>, StoreError> {
    let variants: Vec<Value<'_>> = variants.iter().copied().map(number).collect::<Result<_, _>>()?;
    let at_default = locations.is_empty() || locations.contains(&default);
    let locations: Vec<Value<'_>> = locations.iter().copied().map(number).collect::<Result<_, _>>()?;
    let mut rows = Filter::new(LIST, store);
    if !variants.is_empty() {
        rows.among("variant_id", &variants);
    }
    if !locations.is_empty() {
        rows.among("location_id", &locations);
    }
    rows.push(" ORDER BY variant_id, location_id LIMIT {}", limit.into());
    let mut found = tx.query(&rows.sql, &rows.params, level)?;
    if at_default {
        let mut nowhere = Filter::new(NOWHERE, store);
        if !variants.is_empty() {
            nowhere.among("v.id", &variants);
        }
        nowhere.push(" ORDER BY v.id LIMIT {}", limit.into());
        found.extend(tx.query(&nowhere.sql, &nowhere.params, |row| {
            Ok(Level { variant: id(row, 0)?, location: default, quantity: 0, updated_ms: row.int(1)? })
        })?);
        found.sort_by_key(|level| (level.variant, level.location));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// Units of a variant at all locations together.
pub fn total(tx: &mut Tx<'_>, store: i64, variant: Id) -> Result<i64, StoreError> {
    let found = tx.query_one(TOTAL, &[store.into(), number(variant)?], |row| row.opt_int(0))?;
    Ok(found.flatten().unwrap_or(0))
}

const ADD: &str = "
    INSERT INTO stock (store, variant_id, location_id, quantity, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (store, variant_id, location_id)
    DO UPDATE SET quantity = stock.quantity + excluded.quantity, updated_ms = excluded.updated_ms";
const INSERT_MOVE: &str = "
    INSERT INTO stock_moves (store, variant_id, location_id, id, moved, why, refund_id, at_ms, order_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const PUT_BY: &str = "
    SELECT variant_id, location_id, CAST(SUM(moved) AS BIGINT) FROM stock_moves
    WHERE store = ?1 AND refund_id = ?2
    GROUP BY variant_id, location_id ORDER BY variant_id, location_id";
const SOLD_BY: &str = "
    SELECT variant_id, location_id, CAST(SUM(moved) AS BIGINT) FROM stock_moves
    WHERE store = ?1 AND order_id = ?2
    GROUP BY variant_id, location_id ORDER BY variant_id, location_id";
const CONNECT: &str = "
    INSERT INTO stock (store, variant_id, location_id, quantity, updated_ms) VALUES (?1, ?2, ?3, 0, ?4)
    ON CONFLICT (store, variant_id, location_id) DO NOTHING";
const GET: &str = "
    SELECT variant_id, location_id, quantity, updated_ms FROM stock
    WHERE store = ?1 AND variant_id = ?2 AND location_id = ?3";
const HOLD: &str = "
    SELECT variant_id, location_id, quantity, updated_ms FROM stock
    WHERE store = ?1 AND variant_id = ?2 AND location_id = ?3 {lock}";
const DISCONNECT: &str = "DELETE FROM stock WHERE store = ?1 AND variant_id = ?2 AND location_id = ?3";
const LIST: &str = "SELECT variant_id, location_id, quantity, updated_ms FROM stock WHERE store = ?1";
const NOWHERE: &str = "
    SELECT v.id, v.created_ms FROM variants v
    WHERE NOT EXISTS (SELECT 1 FROM stock s WHERE s.store = v.store AND s.variant_id = v.id) AND v.store = ?1";
const TOTAL: &str = "
    SELECT CAST(SUM(quantity) AS BIGINT) FROM stock WHERE store = ?1 AND variant_id = ?2";

fn level(row: &Row<'_>) -> Result<Level, StoreError> {
    Ok(Level { variant: id(row, 0)?, location: id(row, 1)?, quantity: row.int(2)?, updated_ms: row.int(3)? })
}
