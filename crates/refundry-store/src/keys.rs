//! Idempotency keys: a request that was accepted under a key gets the same refund again. A refusal binds no key.

use refundry_core::order::Id;

use crate::orders::id;
use crate::{StoreError, Tx, Value, number};

/// What was accepted under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The store.
    pub store: i64,
    /// As the caller sent it.
    pub key: String,
    /// Hash over dialect, method, path and body of the request.
    pub hash: String,
    /// The refund it created.
    pub refund: Id,
    /// When, epoch milliseconds.
    pub created_ms: i64,
}

/// What was accepted under a key, unless that was before `since_ms`.
pub fn get(tx: &mut Tx<'_>, store: i64, key: &str, since_ms: i64) -> Result<Option<KeyRecord>, StoreError> {
    tx.query_one(GET, &[store.into(), key.into(), since_ms.into()], |row| {
        Ok(KeyRecord { store, key: key.to_owned(), hash: row.string(0)?, refund: id(row, 1)?, created_ms: row.int(2)? })
    })
}

/// Binds keys. A key that was bound too long ago to count is bound anew.
pub fn put(tx: &mut Tx<'_>, keys: &[KeyRecord]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 5]> = Vec::with_capacity(keys.len());
    for key in keys {
        params.push([
            key.store.into(),
            key.key.as_str().into(),
            key.hash.as_str().into(),
            number(key.refund)?,
            key.created_ms.into(),
        ]);
    }
    tx.execute_many(PUT, &params)?;
    Ok(())
}

/// Forgets keys of one store bound before `before_ms`; gives how many.
pub fn forget(tx: &mut Tx<'_>, store: i64, before_ms: i64) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[store.into(), before_ms.into()])
}

const GET: &str = "
    SELECT hash, refund_id, created_ms FROM keys WHERE store = ?1 AND key = ?2 AND created_ms >= ?3";
const PUT: &str = "
    INSERT INTO keys (store, key, hash, refund_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (store, key) DO UPDATE SET
        hash = excluded.hash, refund_id = excluded.refund_id, created_ms = excluded.created_ms";
const FORGET: &str = "DELETE FROM keys WHERE store = ?1 AND created_ms < ?2";
