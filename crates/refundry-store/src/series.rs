//! Numbers that count up: one series a store and name.

use crate::{StoreError, Tx};

/// The number so many behind the last one of a series, which begins at 0; taken back with the transaction.
pub fn advance(tx: &mut Tx<'_>, store: i64, name: &str, step: i64) -> Result<i64, StoreError> {
    let next = tx.query_one(NEXT, &[store.into(), name.into(), step.into()], |row| row.int(0))?;
    next.ok_or_else(|| StoreError::defect("a series has no next number"))
}

const NEXT: &str = "
    INSERT INTO series (store, name, last) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, name) DO UPDATE SET last = series.last + ?3
    RETURNING last";
