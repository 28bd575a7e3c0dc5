//! Goods that can be sold, known from the order lines that named them.

use std::collections::BTreeMap;

use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Id, Reference};

use crate::filter::Filter;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Goods that can be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantRecord {
    /// The store.
    pub store: i64,
    /// Our number.
    pub id: Id,
    /// The platform's id, else the stock keeping unit; never empty.
    pub external_id: String,
    /// The platform's id of the product, may be empty.
    pub product_id: String,
    /// Stock keeping unit, may be empty.
    pub sku: String,
    /// Name for people.
    pub title: String,
    /// Price of one unit.
    pub price: Amount,
    /// What the price is in.
    pub currency: Currency,
    /// Its units are counted.
    pub tracked: bool,
    /// When it became known, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Adds variants, except those whose platform id is known already. Sorted by it, so that two writers that add the same
/// never wait for each other in a circle.
pub fn insert(tx: &mut Tx<'_>, rows: &[VariantRecord]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 11]> = Vec::with_capacity(rows.len());
    for row in rows {
        params.push([
            row.store.into(),
            number(row.id)?,
            row.external_id.as_str().into(),
            row.product_id.as_str().into(),
            row.sku.as_str().into(),
            row.title.as_str().into(),
            row.price.get().into(),
            row.currency.code().into(),
            i64::from(row.tracked).into(),
            row.created_ms.into(),
            row.updated_ms.into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// The number of each variant: store, platform id.
pub fn find_many(tx: &mut Tx<'_>, keys: &[(i64, &str)]) -> Result<Vec<Option<Id>>, StoreError> {
    let mut found = vec![None; keys.len()];
    let params = keys.iter().map(|(store, key)| [(*store).into(), (*key).into()]);
    tx.each_many(BY_EXTERNAL_ID, &params.collect::<Vec<[Value<'_>; 2]>>(), |place, row| {
        found[place] = Some(id(row, 0)?);
        Ok(())
    })?;
    Ok(found)
}

/// Variants by the platform's ids of them or by our numbers; in the order asked for, without those nobody knows.
pub fn find_all(tx: &mut Tx<'_>, store: i64, named: &[Reference]) -> Result<Vec<VariantRecord>, StoreError> {
    let texts = named.iter().map(|reference| [store.into(), reference.text.as_str().into()]);
    let mut found: Vec<Option<VariantRecord>> = vec![None; named.len()];
    tx.each_many(GET_BY_EXTERNAL_ID, &texts.collect::<Vec<[Value<'_>; 2]>>(), |place, row| {
        found[place] = Some(decode(row, store)?);
        Ok(())
    })?;
    let mut all = Vec::with_capacity(named.len());
    for (reference, known) in named.iter().zip(found) {
        all.extend(match (known, reference.ours) {
            (Some(known), _) => Some(known),
            (None, Some(ours)) => get(tx, store, ours)?,
            (None, None) => None,
        });
    }
    Ok(all)
}

/// Holds variants (store, number) until the end of the transaction; they come in the order of their keys.
pub fn hold(tx: &mut Tx<'_>, keys: &[(i64, Id)]) -> Result<(), StoreError> {
    let params = keys.iter().map(|(store, id)| Ok([(*store).into(), number(*id)?]));
    tx.lock_many(HOLD, &params.collect::<Result<Vec<[Value<'_>; 2]>, StoreError>>()?)
}

/// The platform's id of each variant, or what stands for it, by our numbers; without those that nobody knows.
pub fn external_ids(tx: &mut Tx<'_>, store: i64, ids: &[Id]) -> Result<BTreeMap<Id, String>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(ids.len());
    for id in ids {
        params.push([store.into(), number(*id)?]);
    }
    let mut found = BTreeMap::new();
    tx.each_many(EXTERNAL_ID, &params, |_, row| {
        found.insert(id(row, 0)?, row.string(1)?);
        Ok(())
    })?;
    Ok(found)
}

/// A variant by its number.
pub fn get(tx: &mut Tx<'_>, store: i64, id: Id) -> Result<Option<VariantRecord>, StoreError> {
    let mut filter = Filter::new(SELECT, store);
    filter.add("id = {}", &[number(id)?]);
    tx.query_one(&filter.sql, &filter.params, |row| decode(row, store))
}

const INSERT: &str = "
    INSERT INTO variants
        (store, id, external_id, product_id, sku, title, price_minor, currency, tracked, created_ms, updated_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (store, external_id) DO NOTHING";
const BY_EXTERNAL_ID: &str = "SELECT id FROM variants WHERE store = ?1 AND external_id = ?2";
const EXTERNAL_ID: &str = "SELECT id, external_id FROM variants WHERE store = ?1 AND id = ?2";
const GET_BY_EXTERNAL_ID: &str = "
    SELECT id, external_id, product_id, sku, title, price_minor, currency, tracked, created_ms, updated_ms
    FROM variants WHERE store = ?1 AND external_id = ?2";
const HOLD: &str = "SELECT id FROM variants WHERE store = ?1 AND id = ?2 {lock}";
const SELECT: &str = "
    SELECT id, external_id, product_id, sku, title, price_minor, currency, tracked, created_ms, updated_ms
    FROM variants WHERE store = ?1";

fn decode(row: &Row<'_>, store: i64) -> Result<VariantRecord, StoreError> {
    let currency = Currency::parse(&row.text(6)?);
    Ok(VariantRecord {
        store,
        id: id(row, 0)?,
        external_id: row.string(1)?,
        product_id: row.string(2)?,
        sku: row.string(3)?,
        title: row.string(4)?,
        price: Amount::minor(row.int(5)?),
        currency: currency.ok_or_else(|| StoreError::defect("variants.currency should hold a currency"))?,
        tracked: row.int(7)? == 1,
        created_ms: row.int(8)?,
        updated_ms: row.int(9)?,
    })
}
