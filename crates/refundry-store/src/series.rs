//! Numbers that count up: one series a store and name.

use crate::{StoreError, Tx};

/// The next number of a series, from 1; taken back with the transaction.
pub fn next(tx: &mut Tx<'_>, store: i64, name: &str) -> Result<i64, StoreError> {
    let next = tx.query_one(NEXT, &[store.into(), name.into()], |row| row.int(0))?;
    next.ok_or_else(|| StoreError::defect("a series has no next number"))
}

const NEXT: &str = "
    INSERT INTO series (store, name, last) VALUES (?1, ?2, 1)
    ON CONFLICT (store, name) DO UPDATE SET last = series.last + 1
    RETURNING last";
