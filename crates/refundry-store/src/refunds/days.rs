//! How many refunds were accepted on each day, kept with the refunds: counts add days up instead of refunds, and a page
//! far behind begins on its own day.

use std::collections::BTreeMap;

use refundry_core::order::Id;
use refundry_core::query::TimeRange;
use refundry_core::refund::Refund;

use crate::filter::{Filter, between, span};
use crate::{StoreError, Tx, number};

const DAY_MS: i64 = 86_400_000;

/// Refunds made, by store, day and the node in their numbers.
pub(super) type Made = BTreeMap<(i64, i64, Id), i64>;

/// Notes one more.
pub(super) fn note(made: &mut Made, store: i64, refund: &Refund) {
    *made.entry((store, day_of(refund.created_ms), refund.id / 1_000 % 100)).or_default() += 1;
}

/// Writes what was noted.
pub(super) fn add(tx: &mut Tx<'_>, made: Made) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(made.len());
    for ((store, day, node), made) in made {
        rows.push([store.into(), day.into(), number(node)?, made.into()]);
    }
    tx.write_many(ADD, &rows)
}

/// How many refunds were accepted within a range: whole days are added up, the rest is counted.
pub(super) fn count(tx: &mut Tx<'_>, store: i64, range: TimeRange) -> Result<i64, StoreError> {
    let (from, to) = span(range);
    let begins = from.map(|from| if from == first_ms(day_of(from)) { day_of(from) } else { day_of(from) + 1 });
    let ends = to.map(|to| if to == last_ms(day_of(to)) { day_of(to) } else { day_of(to) - 1 });
    if let (Some(begins), Some(ends)) = (begins, ends)
        && begins > ends
    {
        return one_by_one(tx, store, (from, to));
    }
    let mut filter = Filter::new(SUM, store);
    between(&mut filter, "d.day", (begins, ends));
    let mut all = tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0);
    if let (Some(from), Some(begins)) = (from, begins) {
        all += one_by_one(tx, store, (Some(from), Some(first_ms(begins).saturating_sub(1))))?;
    }
    if let (Some(to), Some(ends)) = (to, ends) {
        all += one_by_one(tx, store, (Some(last_ms(ends).saturating_add(1)), Some(to)))?;
    }
    Ok(all)
}

fn one_by_one(tx: &mut Tx<'_>, store: i64, range: (Option<i64>, Option<i64>)) -> Result<i64, StoreError> {
    if matches!(range, (Some(from), Some(to)) if from > to) {
        return Ok(0);
    }
    let mut filter = Filter::new(COUNT, store);
    between(&mut filter, "i.created_ms", range);
    Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
}

/// Where a page begins that lies behind `skip` refunds of a range, newest first or oldest first: what is left of the
/// range, and of the number. `out` says how many of each day within the range are in no list. `None` behind the last.
pub(super) fn jump(
    tx: &mut Tx<'_>,
    store: i64,
    range: TimeRange,
    mut skip: i64,
    descending: bool,
    out: &BTreeMap<i64, i64>,
) -> Result<Option<(TimeRange, i64)>, StoreError> {
    let TimeRange { from_ms, to_ms } = range;
    let mut filter = Filter::new(DAYS, store);
    between(&mut filter, "d.day", (from_ms.map(day_of), to_ms.map(day_of)));
    filter.sql.push_str(" GROUP BY d.day ORDER BY d.day");
    let mut days = tx.query(&filter.sql, &filter.params, |row| Ok((row.int(0)?, row.int(1)?)))?;
    if descending {
        days.reverse();
    }
    for (place, (day, made)) in days.into_iter().enumerate() {
        let begins = from_ms.map_or(first_ms(day), |from| from.max(first_ms(day)));
        let ends = to_ms.map_or(last_ms(day), |to| to.min(last_ms(day)));
        let is_part = begins > first_ms(day) || ends < last_ms(day);
        // What lies on the last day does not matter: nothing follows that it could be passed for.
        let made = if is_part && place == 0 { one_by_one(tx, store, (Some(begins), Some(ends)))? } else { made };
        let listed = made - out.get(&day).copied().unwrap_or(0);
        if skip < listed {
            let rest = if descending {
                TimeRange { from_ms, to_ms: Some(ends) }
            } else {
                TimeRange { from_ms: Some(begins), to_ms }
            };
            return Ok(Some((rest, skip)));
        }
        skip -= listed;
    }
    Ok(None)
}

/// Adds up how many refunds an index finds on each day; `filter` selects from `refunds i`.
pub(super) fn by_day(tx: &mut Tx<'_>, filter: &Filter<'_>, found: &mut BTreeMap<i64, i64>) -> Result<(), StoreError> {
    let sql = format!("{} GROUP BY i.created_ms / 86400000", filter.sql);
    for (day, made) in tx.query(&sql, &filter.params, |row| Ok((row.int(0)?, row.int(1)?)))? {
        *found.entry(day).or_default() += made;
    }
    Ok(())
}

/// The day of a time, as databases divide: towards zero.
fn day_of(ms: i64) -> i64 {
    ms / DAY_MS
}

fn first_ms(day: i64) -> i64 {
    let start = day.saturating_mul(DAY_MS);
    if day > 0 { start } else { start.saturating_sub(DAY_MS - 1) }
}

fn last_ms(day: i64) -> i64 {
    let start = day.saturating_mul(DAY_MS);
    if day < 0 { start } else { start.saturating_add(DAY_MS - 1) }
}

/// What [`by_day`] is given begins so.
pub(super) const BY_DAY: &str = "SELECT i.created_ms / 86400000, COUNT(*) FROM refunds i WHERE i.store = ?1";
const ADD: &str = "
    INSERT INTO refund_days (store, day, node, made) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (store, day, node) DO UPDATE SET made = refund_days.made + excluded.made";
const SUM: &str = "SELECT CAST(COALESCE(SUM(d.made), 0) AS BIGINT) FROM refund_days d WHERE d.store = ?1";
const DAYS: &str = "SELECT d.day, CAST(SUM(d.made) AS BIGINT) FROM refund_days d WHERE d.store = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM refunds i WHERE i.store = ?1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_meet_and_leave_nothing_out() {
        for day in -3..3 {
            assert_eq!(last_ms(day) + 1, first_ms(day + 1));
            assert_eq!((day_of(first_ms(day)), day_of(last_ms(day))), (day, day));
        }
    }
}
