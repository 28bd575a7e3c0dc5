//! Places where goods are. The default one bears its store's own number.

use refundry_core::order::{Id, Reference};

use crate::filter::Filter;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// A place where goods are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRecord {
    /// The store.
    pub store: i64,
    /// Our number; that of the store for its default location.
    pub id: Id,
    /// The platform's id, where a platform named it.
    pub external_id: Option<String>,
    /// Its name for people.
    pub name: String,
    /// Goods may go there.
    pub active: bool,
    /// Its address in one text, may be empty.
    pub address: String,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Adds locations, except those whose number or platform id is known already.
pub fn insert(tx: &mut Tx<'_>, rows: &[LocationRecord]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 8]> = Vec::with_capacity(rows.len());
    for LocationRecord { store, id, external_id, name, active, address, created_ms, updated_ms } in rows {
        params.push([
            (*store).into(),
            number(*id)?,
            external_id.as_deref().into(),
            name.into(),
            i64::from(*active).into(),
            address.into(),
            (*created_ms).into(),
            (*updated_ms).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// The number of each location named: store, reference.
pub fn find_many(tx: &mut Tx<'_>, named: &[(i64, &Reference)]) -> Result<Vec<Option<Id>>, StoreError> {
    Ok(look_up(tx, named)?.into_iter().map(|found| found.map(|(id, _)| id)).collect())
}

/// The same, of those that goods may go to.
pub fn find_active(tx: &mut Tx<'_>, named: &[(i64, &Reference)]) -> Result<Vec<Option<Id>>, StoreError> {
    let active = |found: Option<(Id, bool)>| found.filter(|(_, active)| *active).map(|(id, _)| id);
    Ok(look_up(tx, named)?.into_iter().map(active).collect())
}

/// Number of each location named, and whether goods may go there.
fn look_up(tx: &mut Tx<'_>, named: &[(i64, &Reference)]) -> Result<Vec<Option<(Id, bool)>>, StoreError> {
    let mut found = vec![None; named.len()];
    let texts = named.iter().map(|(store, reference)| [(*store).into(), reference.text.as_str().into()]);
    tx.each_many(BY_EXTERNAL_ID, &texts.collect::<Vec<[Value<'_>; 2]>>(), |place, row| {
        found[place] = Some((id(row, 0)?, row.int(1)? == 1));
        Ok(())
    })?;
    let ours = |place: &usize| named[*place].1.ours.filter(|_| found[*place].is_none());
    let places: Vec<usize> = (0..named.len()).filter(|place| ours(place).is_some()).collect();
    let mut numbers: Vec<[Value<'_>; 2]> = Vec::with_capacity(places.len());
    for place in &places {
        numbers.push([named[*place].0.into(), number(ours(place).unwrap_or_default())?]);
    }
    tx.each_many(EXISTS, &numbers, |place, row| {
        found[places[place]] = Some((id(row, 0)?, row.int(1)? == 1));
        Ok(())
    })?;
    Ok(found)
}

/// A location by a name of it.
pub fn find(tx: &mut Tx<'_>, store: i64, named: &Reference) -> Result<Option<LocationRecord>, StoreError> {
    match find_many(tx, &[(store, named)])?.pop().flatten() {
        Some(id) => get(tx, store, id),
        None => Ok(None),
    }
}

/// A location by its number.
pub fn get(tx: &mut Tx<'_>, store: i64, id: Id) -> Result<Option<LocationRecord>, StoreError> {
    let mut filter = Filter::new(SELECT, store);
    filter.add("id = {}", &[number(id)?]);
    tx.query_one(&filter.sql, &filter.params, |row| decode(row, store))
}

/// Locations of a store by number, at most `limit`.
pub fn list(tx: &mut Tx<'_>, store: i64, limit: i64) -> Result<Vec<LocationRecord>, StoreError> {
    let mut filter = Filter::new(SELECT, store);
    filter.push(" ORDER BY id LIMIT {}", limit.into());
    tx.query(&filter.sql, &filter.params, |row| decode(row, store))
}

const INSERT: &str = "
    INSERT INTO locations (store, id, external_id, name, active, address, created_ms, updated_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
const BY_EXTERNAL_ID: &str = "SELECT id, active FROM locations WHERE store = ?1 AND external_id = ?2";
const EXISTS: &str = "SELECT id, active FROM locations WHERE store = ?1 AND id = ?2";
const SELECT: &str = "
    SELECT id, external_id, name, active, address, created_ms, updated_ms FROM locations WHERE store = ?1";

fn decode(row: &Row<'_>, store: i64) -> Result<LocationRecord, StoreError> {
    Ok(LocationRecord {
        store,
        id: id(row, 0)?,
        external_id: row.opt_string(1)?,
        name: row.string(2)?,
        active: row.int(3)? == 1,
        address: row.string(4)?,
        created_ms: row.int(5)?,
        updated_ms: row.int(6)?,
    })
}
