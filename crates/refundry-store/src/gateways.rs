//! Gateways that stores configured. What they hold in secret comes here encrypted and leaves encrypted.

use crate::{Row, StoreError, Tx};

/// A configured gateway, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayRecord {
    /// The store.
    pub store: i64,
    /// What the store calls it; unique in the store.
    pub name: String,
    /// The driver's name.
    pub driver: String,
    /// A JSON object of settings that may be shown.
    pub settings: String,
    /// Encrypted settings.
    pub secrets: String,
    /// When it was configured first.
    pub created_ms: i64,
    /// When it was configured last.
    pub updated_ms: i64,
}

/// Adds a gateway, or replaces the one of that name. Its driver stays: old legs are asked about through it. `false`
/// means that the name is taken by another driver.
pub fn put(tx: &mut Tx<'_>, record: &GatewayRecord) -> Result<bool, StoreError> {
    let GatewayRecord { store, name, driver, settings, secrets, created_ms, updated_ms } = record;
    let params = [
        (*store).into(),
        name.into(),
        driver.into(),
        settings.into(),
        secrets.into(),
        (*created_ms).into(),
        (*updated_ms).into(),
    ];
    Ok(tx.execute(PUT, &params)? == 1)
}

/// The gateways of a store, by name. There is no way to remove one: old legs are asked about through it.
pub fn list(tx: &mut Tx<'_>, store: i64) -> Result<Vec<GatewayRecord>, StoreError> {
    tx.query(LIST, &[store.into()], |row| decode(row, store))
}

const PUT: &str = "
    INSERT INTO gateways (store, name, driver, settings, secrets, created_ms, updated_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (store, name) DO UPDATE
    SET settings = excluded.settings, secrets = excluded.secrets, updated_ms = excluded.updated_ms
    WHERE gateways.driver = excluded.driver";
const LIST: &str = "
    SELECT name, driver, settings, secrets, created_ms, updated_ms FROM gateways WHERE store = ?1 ORDER BY name {binary}";

fn decode(row: &Row<'_>, store: i64) -> Result<GatewayRecord, StoreError> {
    Ok(GatewayRecord {
        store,
        name: row.string(0)?,
        driver: row.string(1)?,
        settings: row.string(2)?,
        secrets: row.string(3)?,
        created_ms: row.int(4)?,
        updated_ms: row.int(5)?,
    })
}
