//! What was heard of legs that did not settle at once: what the person sees who has to decide.

use refundry_core::order::Id;

use crate::orders::id;
use crate::{StoreError, Tx, Value, number};

/// Something heard of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The store.
    pub store: i64,
    /// The leg.
    pub leg: Id,
    /// Our number for it: ascending in the order in which things were heard.
    pub id: Id,
    /// When it was heard, epoch milliseconds.
    pub heard_ms: i64,
    /// How it was heard: stable code of the engine.
    pub source: String,
    /// What was heard: stable code of the engine.
    pub heard: String,
    /// The words.
    pub detail: String,
}

/// Adds what was heard.
pub fn insert(tx: &mut Tx<'_>, rows: &[Evidence]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 7]> = Vec::with_capacity(rows.len());
    for Evidence { store, leg, id, heard_ms, source, heard, detail } in rows {
        params.push([
            (*store).into(),
            number(*leg)?,
            number(*id)?,
            (*heard_ms).into(),
            source.into(),
            heard.into(),
            detail.into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// What was heard of a leg, oldest first.
pub fn of_leg(tx: &mut Tx<'_>, store: i64, leg: Id) -> Result<Vec<Evidence>, StoreError> {
    tx.query(OF_LEG, &[store.into(), number(leg)?], |row| {
        Ok(Evidence {
            store,
            leg,
            id: id(row, 0)?,
            heard_ms: row.int(1)?,
            source: row.string(2)?,
            heard: row.string(3)?,
            detail: row.string(4)?,
        })
    })
}

const INSERT: &str = "
    INSERT INTO evidence (store, leg_id, id, heard_ms, source, heard, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const OF_LEG: &str = "
    SELECT id, heard_ms, source, heard, detail FROM evidence WHERE store = ?1 AND leg_id = ?2 ORDER BY id";
