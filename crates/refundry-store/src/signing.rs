//! What stores sign deliveries with. It comes here encrypted and leaves encrypted.

use crate::{StoreError, Tx};

/// The secret of a store for one public API, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRecord {
    /// The store.
    pub store: i64,
    /// Code of the public API.
    pub dialect: String,
    /// The secret, encrypted.
    pub secret: String,
    /// When there was a secret first, epoch milliseconds.
    pub created_ms: i64,
    /// When it was set last.
    pub updated_ms: i64,
}

/// Sets the secret.
pub fn put(tx: &mut Tx<'_>, record: &SigningRecord) -> Result<(), StoreError> {
    let SigningRecord { store, dialect, secret, created_ms, updated_ms } = record;
    let params = [(*store).into(), dialect.into(), secret.into(), (*created_ms).into(), (*updated_ms).into()];
    tx.execute(PUT, &params)?;
    Ok(())
}

/// The secret of a store, if it was set.
pub fn get(tx: &mut Tx<'_>, store: i64, dialect: &str) -> Result<Option<SigningRecord>, StoreError> {
    tx.query_one(GET, &[store.into(), dialect.into()], |row| {
        Ok(SigningRecord {
            store,
            dialect: dialect.to_owned(),
            secret: row.string(0)?,
            created_ms: row.int(1)?,
            updated_ms: row.int(2)?,
        })
    })
}

const PUT: &str = "
    INSERT INTO signing (store, dialect, secret, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (store, dialect) DO UPDATE SET secret = excluded.secret, updated_ms = excluded.updated_ms";
const GET: &str = "SELECT secret, created_ms, updated_ms FROM signing WHERE store = ?1 AND dialect = ?2";
