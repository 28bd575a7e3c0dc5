//! Node numbers: every process that makes ids leases one, so that no two ever make the same id.

use crate::{StoreError, Tx};

/// Node numbers run from 0 to this one: an id has two digits for them.
pub const NODE_MAX: i64 = 99;

/// A leased number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The number.
    pub node: i64,
    /// The latest time any earlier holder may have used in an id. New ids start above it.
    pub high_ms: i64,
}

/// Leases the lowest number that is free or whose lease ran out; `None` when all are taken.
pub fn lease(tx: &mut Tx<'_>, holder: &str, now_ms: i64, until_ms: i64) -> Result<Option<Node>, StoreError> {
    let taken = tx.query(TAKEN, &[now_ms.into()], |row| row.int(0))?;
    for node in (0..=NODE_MAX).filter(|node| !taken.contains(node)) {
        let params = [node.into(), holder.into(), until_ms.into(), now_ms.into()];
        // No row comes back when another process was faster; the next number is tried then.
        if let Some(high_ms) = tx.query_one(TAKE, &params, |row| row.int(0))? {
            return Ok(Some(Node { node, high_ms }));
        }
    }
    Ok(None)
}

/// The latest time that any number may have used, under whichever node; 0 before the first.
pub fn highest(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_one(HIGHEST, &[], |row| row.opt_int(0))?.flatten().unwrap_or(0))
}

/// Keeps a lease, and notes the latest time used in an id; `false` means that the lease was lost to somebody else.
///
/// Pass a `high_ms` that no id will exceed before the next renewal, since a crash leaves no chance to note it later.
pub fn renew(tx: &mut Tx<'_>, node: i64, holder: &str, until_ms: i64, high_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(RENEW, &[node.into(), holder.into(), until_ms.into(), high_ms.into()])? == 1)
}

const TAKEN: &str = "SELECT node FROM nodes WHERE lease_until_ms > ?1";
const TAKE: &str = "
    INSERT INTO nodes (node, holder, lease_until_ms, high_ms) VALUES (?1, ?2, ?3, 0)
    ON CONFLICT (node) DO UPDATE SET holder = excluded.holder, lease_until_ms = excluded.lease_until_ms
        WHERE nodes.lease_until_ms <= ?4
    RETURNING high_ms";
const HIGHEST: &str = "SELECT MAX(high_ms) FROM nodes";
const RENEW: &str = "
    UPDATE nodes
    SET lease_until_ms = ?3, high_ms = CASE WHEN high_ms < ?4 THEN ?4 ELSE high_ms END
    WHERE node = ?1 AND holder = ?2";
