//! Work saved with its cause: a leg that somebody must send or look up, or that waits for a person to decide.

use refundry_core::order::Id;
pub use refundry_core::refund::Stage;

use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// When a leg is due that only a person moves on: the end of the year 9999.
pub(crate) const NEVER_MS: i64 = 253_402_300_799_999;

/// A leg in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The store.
    pub store: i64,
    /// The leg.
    pub leg: Id,
    /// Its refund.
    pub refund: Id,
    /// Its order.
    pub order: Id,
    /// When the next worker may take it, epoch milliseconds.
    pub due_ms: i64,
    /// Who took it last; empty before the first time.
    pub holder: String,
    /// How often it was taken.
    pub attempts: i64,
    /// Where it stands.
    pub stage: Stage,
    /// When it was taken last, epoch milliseconds; 0 before the first time.
    pub taken_ms: i64,
    /// When it was taken the time before that.
    pub before_ms: i64,
    /// How many answers settled nothing.
    pub rung: i64,
}

impl OutboxRow {
    /// When it is looked at again, epoch milliseconds; `None` where a person decides.
    pub fn next_ms(&self) -> Option<i64> {
        (self.due_ms != NEVER_MS).then_some(self.due_ms)
    }
}

/// Adds legs.
pub fn insert(tx: &mut Tx<'_>, rows: &[OutboxRow]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 11]> = Vec::with_capacity(rows.len());
    for row in rows {
        let OutboxRow { store, leg, refund, order, due_ms, holder, attempts, stage, taken_ms, before_ms, rung } = row;
        params.push([
            (*store).into(),
            number(*leg)?,
            number(*refund)?,
            number(*order)?,
            (*due_ms).into(),
            holder.as_str().into(),
            (*attempts).into(),
            stage.code().into(),
            (*taken_ms).into(),
            (*before_ms).into(),
            (*rung).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// Takes up to `limit` legs of a store that are due, for `holder`, until `until_ms`.
///
/// One that waited is being sent from now on. One that was being sent when its worker was lost is in doubt.
pub fn lease(
    tx: &mut Tx<'_>,
    store: i64,
    holder: &str,
    now_ms: i64,
    until_ms: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let params = [store.into(), now_ms.into(), until_ms.into(), holder.into(), limit.into()];
    tx.query(LEASE, &params, |row| decode(row, store))
}

/// Makes legs due at once that somebody else holds by a lease of `lease_ms`: for a process that knows it is the only
/// one. They keep their count of attempts, so they are looked up before they are sent; those that are put off to later
/// than a lease runs stay so, or every start would use up some of their patience. Gives how many.
pub fn reclaim(tx: &mut Tx<'_>, store: i64, holder: &str, now_ms: i64, lease_ms: i64) -> Result<u64, StoreError> {
    tx.execute(RECLAIM, &[store.into(), holder.into(), now_ms.into(), lease_ms.into()])
}

/// Which of some stores have legs that are due.
pub fn due(tx: &mut Tx<'_>, stores: &[i64], now_ms: i64) -> Result<Vec<i64>, StoreError> {
    let mut due = Vec::new();
    let params = stores.iter().map(|store| [(*store).into()]);
    tx.each_many(NEXT_DUE, &params.collect::<Vec<[Value<'_>; 1]>>(), |place, row| {
        if row.opt_int(0)?.is_some_and(|due_ms| due_ms <= now_ms) {
            due.push(stores[place]);
        }
        Ok(())
    })?;
    Ok(due)
}

/// A leg in the outbox, if it is still there.
pub fn get(tx: &mut Tx<'_>, store: i64, leg: Id) -> Result<Option<OutboxRow>, StoreError> {
    tx.query_one(GET, &[store.into(), number(leg)?], |row| decode(row, store))
}

/// Legs of a store in some stages, longest waiting first, above the number `after`, at most `limit`.
pub fn in_stages(
    tx: &mut Tx<'_>,
    store: i64,
    stages: &[Stage],
    after: Id,
    limit: i64,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut found = Vec::new();
    for stage in stages {
        let params = [store.into(), stage.code().into(), number(after)?, limit.into()];
        found.extend(tx.query(IN_STAGE, &params, |row| decode(row, store))?);
    }
    found.sort_by_key(|row| row.leg);
    found.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(found)
}

/// How many legs of a store stand where.
pub fn count_by_stage(tx: &mut Tx<'_>, store: i64) -> Result<Vec<(Stage, i64)>, StoreError> {
    tx.query(COUNT_BY_STAGE, &[store.into()], |row| Ok((stage(row, 0)?, row.int(1)?)))
}

/// Removes a leg that surely was not sent, so that nobody can send it any more; `false` if that is not sure.
pub fn withdraw(tx: &mut Tx<'_>, store: i64, leg: Id) -> Result<bool, StoreError> {
    Ok(tx.execute(WITHDRAW, &[store.into(), number(leg)?])? == 1)
}

/// Removes a leg that was taken so often, so that nobody can take it any more; `false` if it was taken since.
pub fn take_back(tx: &mut Tx<'_>, store: i64, leg: Id, attempts: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(TAKE_BACK, &[store.into(), number(leg)?, attempts.into()])? == 1)
}

/// Removes a leg that surely was not sent, or was taken last at `before_ms` or earlier, so that nobody can take it any
/// more; `false` if it was taken since, or is not there. Of one that a process from before stages took, nobody knows
/// when that was.
pub fn abandon(tx: &mut Tx<'_>, store: i64, leg: Id, before_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(ABANDON, &[store.into(), number(leg)?, before_ms.into()])? == 1)
}

/// Makes a leg due now that is due after `later_ms`, so late that no worker can have it in hand. One that waits for a
/// person is asked about once more, and waits on. `false` where it is due sooner, or is not there.
pub fn hasten(tx: &mut Tx<'_>, store: i64, leg: Id, now_ms: i64, later_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(HASTEN, &[store.into(), number(leg)?, now_ms.into(), later_ms.into()])? == 1)
}

/// A leg that nobody needs to ask about for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutOff {
    /// The store.
    pub store: i64,
    /// The leg.
    pub leg: Id,
    /// When it is due again, epoch milliseconds; `None` where a person decides.
    pub due_ms: Option<i64>,
    /// Where it stands.
    pub stage: Stage,
    /// How often it had been taken when this was learnt. Whoever took it since holds a lease that stays as it is.
    /// [`UNASKED`] for what nobody was sent to learn.
    pub attempts: i64,
}

/// The number of attempts of news that came unasked: it changes where the leg stands, not when it is due, unless a
/// person decides from now on.
pub const UNASKED: i64 = -1;

/// Puts off legs and notes where they stand, except those that somebody else has taken since, who will know better.
pub fn put_off(tx: &mut Tx<'_>, rows: &[PutOff]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 5]> = Vec::with_capacity(rows.len());
    for PutOff { store, leg, due_ms, stage, attempts } in rows {
        let due_ms = due_ms.unwrap_or(NEVER_MS);
        params.push([(*store).into(), number(*leg)?, due_ms.into(), (*attempts).into(), stage.code().into()]);
    }
    tx.write_many(PUT_OFF, &params)
}

/// Removes legs that need nothing more: store, leg.
pub fn remove(tx: &mut Tx<'_>, rows: &[(i64, Id)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(rows.len());
    for (store, leg) in rows {
        params.push([(*store).into(), number(*leg)?]);
    }
    tx.write_many(REMOVE, &params)
}

/// Legs in a store that a worker has to see to, and when the oldest of them was due.
pub fn backlog(tx: &mut Tx<'_>, store: i64) -> Result<(i64, Option<i64>), StoreError> {
    let found = tx.query_one(BACKLOG, &[store.into(), NEVER_MS.into()], |row| Ok((row.int(0)?, row.opt_int(1)?)))?;
    Ok(found.unwrap_or((0, None)))
}

const INSERT: &str = "
    INSERT INTO outbox
        (store, leg_id, refund_id, order_id, due_ms, holder, attempts, stage, taken_ms, before_ms, rung)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
// A process from before stages takes a leg without noting stage or time: beside it, one that was taken at no time may
// be on its way. See `decode`.
const LEASE: &str = "
    UPDATE outbox SET due_ms = ?3, holder = ?4, attempts = attempts + 1, before_ms = taken_ms, taken_ms = ?2,
        stage = CASE
            WHEN stage = 'calling' OR (stage = 'waiting' AND attempts > 0 AND taken_ms = 0) THEN 'in_doubt'
            WHEN stage = 'waiting' THEN 'calling'
            ELSE stage END
    WHERE store = ?1 AND leg_id IN (
        SELECT leg_id FROM outbox WHERE store = ?1 AND due_ms <= ?2 ORDER BY due_ms LIMIT ?5 {skip_locked})
    RETURNING leg_id, refund_id, order_id, due_ms, holder, attempts, stage, taken_ms, before_ms, rung";
const RECLAIM: &str = "
    UPDATE outbox SET due_ms = ?3
    WHERE store = ?1 AND holder <> '' AND holder <> ?2 AND due_ms > ?3
        AND due_ms <= taken_ms + ?4 AND stage <> 'parked'";
const NEXT_DUE: &str = "SELECT MIN(due_ms) FROM outbox WHERE store = ?1";
const GET: &str = "
    SELECT leg_id, refund_id, order_id, due_ms, holder, attempts, stage, taken_ms, before_ms, rung
    FROM outbox WHERE store = ?1 AND leg_id = ?2";
const IN_STAGE: &str = "
    SELECT leg_id, refund_id, order_id, due_ms, holder, attempts, stage, taken_ms, before_ms, rung
    FROM outbox WHERE store = ?1 AND stage = ?2 AND leg_id > ?3 ORDER BY leg_id LIMIT ?4";
const COUNT_BY_STAGE: &str = "SELECT stage, COUNT(*) FROM outbox WHERE store = ?1 GROUP BY stage";
const WITHDRAW: &str = "DELETE FROM outbox WHERE store = ?1 AND leg_id = ?2 AND stage = 'waiting'
    AND (attempts = 0 OR taken_ms > 0)";
const TAKE_BACK: &str = "DELETE FROM outbox WHERE store = ?1 AND leg_id = ?2 AND attempts = ?3";
const ABANDON: &str = "DELETE FROM outbox WHERE store = ?1 AND leg_id = ?2 AND (
    (stage = 'waiting' AND (attempts = 0 OR taken_ms > 0)) OR (taken_ms > 0 AND taken_ms <= ?3))";
const HASTEN: &str = "UPDATE outbox SET due_ms = ?3 WHERE store = ?1 AND leg_id = ?2 AND due_ms > ?4";
const PUT_OFF: &str = "
    UPDATE outbox SET
        stage = CASE WHEN attempts = ?4 OR ?4 = -1 THEN ?5 ELSE stage END,
        due_ms = CASE WHEN attempts = ?4 OR (?4 = -1 AND ?5 = 'parked') THEN ?3 ELSE due_ms END,
        rung = CASE WHEN attempts = ?4 THEN rung + 1 ELSE rung END
    WHERE store = ?1 AND leg_id = ?2";
const REMOVE: &str = "DELETE FROM outbox WHERE store = ?1 AND leg_id = ?2";
const BACKLOG: &str = "SELECT COUNT(*), MIN(due_ms) FROM outbox WHERE store = ?1 AND due_ms < ?2";

fn decode(row: &Row<'_>, store: i64) -> Result<OutboxRow, StoreError> {
    let (attempts, taken_ms) = (row.int(5)?, row.int(7)?);
    let stage = match stage(row, 6)? {
        Stage::Waiting if attempts > 0 && taken_ms == 0 => Stage::Calling,
        stage => stage,
    };
    Ok(OutboxRow {
        store,
        leg: id(row, 0)?,
        refund: id(row, 1)?,
        order: id(row, 2)?,
        due_ms: row.int(3)?,
        holder: row.string(4)?,
        attempts,
        stage,
        taken_ms,
        before_ms: row.int(8)?,
        rung: row.int(9)?,
    })
}

fn stage(row: &Row<'_>, column: usize) -> Result<Stage, StoreError> {
    Stage::parse(&row.text(column)?).ok_or_else(|| StoreError::defect("outbox.stage should hold a stage"))
}
