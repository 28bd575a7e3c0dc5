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

/// What was accepted under keys (store, key), in their order, however long ago that was.
pub fn get_many(tx: &mut Tx<'_>, keys: &[(i64, &str)]) -> Result<Vec<Option<KeyRecord>>, StoreError> {
    let mut found = vec![None; keys.len()];
    let params = keys.iter().map(|(store, key)| [(*store).into(), (*key).into()]);
    tx.each_many(GET, &params.collect::<Vec<[Value<'_>; 2]>>(), |place, row| {
        let (store, key) = (keys[place].0, keys[place].1.to_owned());
        found[place] =
            Some(KeyRecord { store, key, hash: row.string(0)?, refund: id(row, 1)?, created_ms: row.int(2)? });
        Ok(())
    })?;
    Ok(found)
}

/// Forgets single keys that were bound too long ago to count, so that they can be bound anew: store, key, and when it
/// was bound. One that somebody else has bound anew since stays, and stands in the way of [`bind`].
pub fn release(tx: &mut Tx<'_>, keys: &[(i64, &str, i64)]) -> Result<(), StoreError> {
    let params = keys.iter().map(|(store, key, created_ms)| [(*store).into(), (*key).into(), (*created_ms).into()]);
    tx.write_many(RELEASE, &params.collect::<Vec<[Value<'_>; 3]>>())
}

/// Binds keys that are free. Where somebody else was faster the transaction ends as [`StoreError::Conflict`].
pub fn bind(tx: &mut Tx<'_>, keys: &[KeyRecord]) -> Result<(), StoreError> {
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
    tx.write_many(BIND, &params)
}

/// Forgets keys of one store bound before `before_ms`; gives how many.
pub fn forget(tx: &mut Tx<'_>, store: i64, before_ms: i64) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[store.into(), before_ms.into()])
}

const GET: &str = "
    SELECT hash, refund_id, created_ms FROM keys WHERE store = ?1 AND key = ?2";
const RELEASE: &str = "DELETE FROM keys WHERE store = ?1 AND key = ?2 AND created_ms = ?3";
const BIND: &str = "INSERT INTO keys (store, key, hash, refund_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET: &str = "DELETE FROM keys WHERE store = ?1 AND created_ms < ?2";
