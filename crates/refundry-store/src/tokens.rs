//! Tokens: what a caller shows to be let in. Only their hashes are kept, so a stolen file opens nothing.

use crate::stores::{self, StoreRecord};
use crate::{Row, StoreError, Tx};

/// A token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The store it opens.
    pub store: i64,
    /// Hash of the token itself; unique over all stores.
    pub hash: String,
    /// What people call it.
    pub label: String,
    /// What it allows, in the engine's own notation.
    pub scopes: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<i64>,
}

/// Adds a token; [`StoreError::Conflict`] means that its hash is in use.
pub fn insert(tx: &mut Tx<'_>, token: &TokenRecord) -> Result<(), StoreError> {
    let TokenRecord { store, hash, label, scopes, created_ms, revoked_ms } = token;
    let params =
        [(*store).into(), hash.into(), label.into(), scopes.into(), (*created_ms).into(), (*revoked_ms).into()];
    tx.execute(INSERT, &params)?;
    Ok(())
}

/// The token with this hash and the store it opens, unless it was revoked.
pub fn find(tx: &mut Tx<'_>, hash: &str) -> Result<Option<(TokenRecord, StoreRecord)>, StoreError> {
    tx.query_one(FIND, &[hash.into()], |row| Ok((decode(row)?, stores::decode(row, TOKEN_COLUMNS)?)))
}

/// All tokens of a store, oldest first, revoked ones too.
pub fn list(tx: &mut Tx<'_>, store: i64) -> Result<Vec<TokenRecord>, StoreError> {
    tx.query(LIST, &[store.into()], decode)
}

/// Revokes a token; `false` means that there was none to revoke.
pub fn revoke(tx: &mut Tx<'_>, store: i64, hash: &str, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(REVOKE, &[store.into(), hash.into(), now_ms.into()])? == 1)
}

const INSERT: &str = "
    INSERT INTO tokens (store, hash, label, scopes, created_ms, revoked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const FIND: &str = "
    SELECT t.store, t.hash, t.label, t.scopes, t.created_ms, t.revoked_ms,
           s.id, s.handle, s.name, s.currency, s.settings, s.created_ms
    FROM tokens t JOIN stores s ON s.id = t.store
    WHERE t.hash = ?1 AND t.revoked_ms IS NULL";
const LIST: &str = "
    SELECT store, hash, label, scopes, created_ms, revoked_ms FROM tokens
    WHERE store = ?1 ORDER BY created_ms, hash {binary}";
const REVOKE: &str = "UPDATE tokens SET revoked_ms = ?3 WHERE store = ?1 AND hash = ?2 AND revoked_ms IS NULL";

const TOKEN_COLUMNS: usize = 6;

fn decode(row: &Row<'_>) -> Result<TokenRecord, StoreError> {
    Ok(TokenRecord {
        store: row.int(0)?,
        hash: row.string(1)?,
        label: row.string(2)?,
        scopes: row.string(3)?,
        created_ms: row.int(4)?,
        revoked_ms: row.opt_int(5)?,
    })
}
