//! Parcels: what left with an order, and where it is.

use refundry_core::order::{Id, Reference};
use refundry_core::parcels::{Parcel, ParcelQuery, ParcelState};
use refundry_core::query::{Page, TimeRange};

use crate::codec;
use crate::filter::Filter;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Adds a parcel.
pub fn insert(tx: &mut Tx<'_>, store: i64, parcel: &Parcel) -> Result<(), StoreError> {
    write(tx, INSERT, store, parcel)
}

/// Rewrites a parcel.
pub fn update(tx: &mut Tx<'_>, store: i64, parcel: &Parcel) -> Result<(), StoreError> {
    write(tx, UPDATE, store, parcel)
}

fn write(tx: &mut Tx<'_>, sql: &str, store: i64, parcel: &Parcel) -> Result<(), StoreError> {
    let row: [Value<'_>; 9] = [
        store.into(),
        number(parcel.order)?,
        number(parcel.id)?,
        parcel.external_id.as_deref().into(),
        i64::from(parcel.number).into(),
        parcel.state.code().into(),
        parcel.created_ms.into(),
        parcel.updated_ms.into(),
        codec::pack_parcel(parcel).into(),
    ];
    tx.write_many(sql, &[row])
}

/// The parcel of an order that a caller names: the platform's id wins over our own number.
pub fn find(tx: &mut Tx<'_>, store: i64, order: Id, reference: &Reference) -> Result<Option<Parcel>, StoreError> {
    let named = &[store.into(), number(order)?, reference.text.as_str().into()];
    if let Some(theirs) = tx.query_one(BY_EXTERNAL_ID, named, |row| parcel(order, row))? {
        return Ok(Some(theirs));
    }
    let Some(ours) = reference.ours.and_then(|id| i64::try_from(id).ok()) else { return Ok(None) };
    tx.query_one(BY_ID, &[store.into(), number(order)?, ours.into()], |row| parcel(order, row))
}

/// A page of an order's parcels, newest first, and whether more follow.
pub fn list(tx: &mut Tx<'_>, store: i64, order: Id, query: &ParcelQuery) -> Result<(Vec<Parcel>, bool), StoreError> {
    let mut filter = of_order(LIST, store, order, query)?;
    if let Page::Key { key_ms, id } = query.page {
        filter.add("(created_ms, id) < ({}, {})", &[key_ms.into(), number(id)?]);
    }
    filter.push(" ORDER BY created_ms DESC, id DESC LIMIT {}", (i64::from(query.limit) + 1).into());
    if let Page::Skip(skipped) = query.page {
        filter.push(" OFFSET {}", i64::try_from(skipped).unwrap_or(i64::MAX).into());
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = tx.query(&filter.sql, &filter.params, |row| parcel(order, row))?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// All parcels of each order, newest first.
pub fn of_orders(tx: &mut Tx<'_>, store: i64, orders: &[Id]) -> Result<Vec<Vec<Parcel>>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(orders.len());
    for order in orders {
        params.push([store.into(), number(*order)?]);
    }
    let mut found = vec![Vec::new(); orders.len()];
    tx.each_many(OF_ORDER, &params, |place, row| {
        found[place].push(parcel(orders[place], row)?);
        Ok(())
    })?;
    for parcels in &mut found {
        parcels.sort_by_key(|parcel| std::cmp::Reverse((parcel.created_ms, parcel.id)));
    }
    Ok(found)
}

/// All parcels of an order, newest first.
pub fn all(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Parcel>, StoreError> {
    Ok(of_orders(tx, store, &[order])?.pop().unwrap_or_default())
}

/// How many parcels a list has, on all its pages.
pub fn count(tx: &mut Tx<'_>, store: i64, order: Id, query: &ParcelQuery) -> Result<i64, StoreError> {
    let filter = of_order(COUNT, store, order, query)?;
    Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
}

/// The running number of the parcel made last; 0 before the first.
pub fn last_number(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<u32, StoreError> {
    let last = tx.query_one(LAST_NUMBER, &[store.into(), number(order)?], |row| row.opt_int(0))?.flatten();
    u32::try_from(last.unwrap_or(0)).map_err(|_| StoreError::defect("parcels.number should hold a small number"))
}

fn of_order(sql: &str, store: i64, order: Id, query: &ParcelQuery) -> Result<Filter<'static>, StoreError> {
    let mut filter = Filter::new(sql, store);
    filter.add("order_id = {}", &[number(order)?]);
    for (column, TimeRange { from_ms, to_ms }) in [("created_ms", query.created), ("updated_ms", query.updated)] {
        if let Some(from) = from_ms {
            filter.add(&format!("{column} >= {{}}"), &[from.into()]);
        }
        if let Some(to) = to_ms {
            filter.add(&format!("{column} <= {{}}"), &[to.into()]);
        }
    }
    Ok(filter)
}

fn parcel(order: Id, row: &Row<'_>) -> Result<Parcel, StoreError> {
    let (units, tracking) = codec::read_parcel(&row.text(6)?)?;
    let state = ParcelState::parse(&row.text(3)?);
    Ok(Parcel {
        id: id(row, 0)?,
        order,
        external_id: row.opt_string(1)?,
        number: u32::try_from(row.int(2)?)
            .map_err(|_| StoreError::defect("parcels.number should hold a small number"))?,
        state: state.ok_or_else(|| StoreError::defect("parcels.state should hold a state"))?,
        units,
        tracking,
        created_ms: row.int(4)?,
        updated_ms: row.int(5)?,
    })
}

const INSERT: &str = "
    INSERT INTO parcels (store, order_id, id, external_id, number, state, created_ms, updated_ms, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const UPDATE: &str = "
    UPDATE parcels
    SET external_id = ?4, number = ?5, state = ?6, created_ms = ?7, updated_ms = ?8, body = ?9
    WHERE store = ?1 AND order_id = ?2 AND id = ?3";
const BY_EXTERNAL_ID: &str = "
    SELECT id, external_id, number, state, created_ms, updated_ms, body FROM parcels
    WHERE store = ?1 AND order_id = ?2 AND external_id = ?3";
const BY_ID: &str = "
    SELECT id, external_id, number, state, created_ms, updated_ms, body FROM parcels
    WHERE store = ?1 AND order_id = ?2 AND id = ?3";
const LIST: &str = "
    SELECT id, external_id, number, state, created_ms, updated_ms, body FROM parcels WHERE store = ?1";
const OF_ORDER: &str = "
    SELECT id, external_id, number, state, created_ms, updated_ms, body FROM parcels
    WHERE store = ?1 AND order_id = ?2";
const COUNT: &str = "SELECT COUNT(*) FROM parcels WHERE store = ?1";
const LAST_NUMBER: &str = "SELECT MAX(number) FROM parcels WHERE store = ?1 AND order_id = ?2";
