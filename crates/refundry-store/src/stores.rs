//! Stores: the tenants. Test and live mode of one merchant are two stores.

use crate::{Row, StoreError, Tx};

/// A tenant, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRecord {
    /// Our number for it.
    pub id: i64,
    /// Its short name in addresses and on the command line; unique.
    pub handle: String,
    /// Its name for people.
    pub name: String,
    /// ISO 4217 code of the currency it sells in by default.
    pub currency: String,
    /// A JSON object, read and written by the engine.
    pub settings: String,
    /// When it was made.
    pub created_ms: i64,
}

/// Adds a store; [`StoreError::Conflict`] on `stores_handle` means that the handle is taken.
pub fn insert(tx: &mut Tx<'_>, store: &StoreRecord) -> Result<(), StoreError> {
    let StoreRecord { id, handle, name, currency, settings, created_ms } = store;
    let params = [(*id).into(), handle.into(), name.into(), currency.into(), settings.into(), (*created_ms).into()];
    tx.execute(INSERT, &params)?;
    Ok(())
}

/// The store with this handle.
pub fn by_handle(tx: &mut Tx<'_>, handle: &str) -> Result<Option<StoreRecord>, StoreError> {
    tx.query_one(BY_HANDLE, &[handle.into()], |row| decode(row, 0))
}

/// The store with this number.
pub fn by_id(tx: &mut Tx<'_>, id: i64) -> Result<Option<StoreRecord>, StoreError> {
    tx.query_one(BY_ID, &[id.into()], |row| decode(row, 0))
}

/// The store with this number, held until the end of the transaction.
pub fn hold(tx: &mut Tx<'_>, id: i64) -> Result<Option<StoreRecord>, StoreError> {
    tx.query_one(HOLD, &[id.into()], |row| decode(row, 0))
}

/// Every store, by handle.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<StoreRecord>, StoreError> {
    tx.query(LIST, &[], |row| decode(row, 0))
}

/// Changes name and settings; `false` means that there is no such store. Handle and currency are for life.
pub fn update(tx: &mut Tx<'_>, id: i64, name: &str, settings: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(UPDATE, &[id.into(), name.into(), settings.into()])? == 1)
}

const INSERT: &str = "
    INSERT INTO stores (id, handle, name, currency, settings, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const BY_HANDLE: &str = "
    SELECT id, handle, name, currency, settings, created_ms FROM stores WHERE handle = ?1";
const BY_ID: &str = "
    SELECT id, handle, name, currency, settings, created_ms FROM stores WHERE id = ?1";
const HOLD: &str = "
    SELECT id, handle, name, currency, settings, created_ms FROM stores WHERE id = ?1 {lock}";
const LIST: &str = "
    SELECT id, handle, name, currency, settings, created_ms FROM stores ORDER BY handle {binary}";
const UPDATE: &str = "UPDATE stores SET name = ?2, settings = ?3 WHERE id = ?1";

/// Reads the six columns of a store, from column `first` on: a token is read together with its store.
pub(crate) fn decode(row: &Row<'_>, first: usize) -> Result<StoreRecord, StoreError> {
    Ok(StoreRecord {
        id: row.int(first)?,
        handle: row.string(first + 1)?,
        name: row.string(first + 2)?,
        currency: row.string(first + 3)?,
        settings: row.string(first + 4)?,
        created_ms: row.int(first + 5)?,
    })
}
