//! Lists of after-sales cases: refunds by how far they have come, newest first, and how many there are.
//!
//! A page begins on its own day, since the number of each day's refunds is kept; from there it walks along one narrow
//! index, then reads the refunds of the page alone. Whether a refund is to be left out stands in its row only; that is
//! looked at where the store has any such refund, which is asked first, and days with nothing else are passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::query::{CaseQuery, Page, TimeRange};
use refundry_core::refund::{CASE_DELETED, Progress, Refund};

use super::{days, get_many};
use crate::filter::Filter;
use crate::orders::id;
use crate::{StoreError, Tx, Value, number};

/// How many cases there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaseCounts {
    /// In the list, on all its pages.
    pub listed: i64,
    /// Untouched ones within the list's times.
    pub untouched: i64,
    /// Begun ones within the list's times.
    pub begun: i64,
}

/// A page of refunds as cases, newest first, and whether more follow. Pages start at the first, behind a number of
/// cases, or behind a key.
pub fn page(tx: &mut Tx<'_>, store: i64, query: &CaseQuery) -> Result<(Vec<Refund>, bool), StoreError> {
    let (start, mut skip) = match &query.page {
        Page::Key { key_ms, id } => (Some((*key_ms, *id)), 0),
        Page::Skip(skip) => (None, i64::try_from(*skip).unwrap_or(i64::MAX / 2)),
        Page::Start | Page::After(_) | Page::Before(_) => (None, 0),
    };
    let mut created = query.created;
    let start = start.filter(|(key_ms, _)| created.to_ms.is_none_or(|to| *key_ms <= to));
    if let Some((key_ms, _)) = start {
        created.to_ms = Some(key_ms);
    }
    let left_out = left_out(tx, store, query.progress)?;
    if skip > 0 && is_of_all(query.progress) || left_out.is_some() {
        let out = out_by_day(tx, store, created, left_out)?;
        match days::jump(tx, store, created, skip, true, &out)? {
            Some(behind) => (created, skip) = behind,
            None => return Ok((Vec::new(), false)),
        }
    }
    let mut filter = Filter::new(PAGE, store);
    // With two upper ends a database may begin at the wrong one, so only the lower of them is said.
    let start = start.filter(|(key_ms, _)| created.to_ms == Some(*key_ms));
    within(&mut filter, TimeRange { to_ms: created.to_ms.filter(|_| start.is_none()), ..created });
    if let Some((key_ms, number_of)) = start {
        filter.add("(i.created_ms, i.id) < ({}, {})", &[key_ms.into(), number(number_of)?]);
    }
    match query.progress {
        Some(Progress::Untouched) => filter.add(PENDING, &[0_i64.into()]),
        Some(Progress::Begun) => filter.add(PENDING, &[1_i64.into()]),
        Some(Progress::Over) | None => {}
    }
    if left_out.is_some_and(|out| out.pending) {
        filter.add("i.state || '' <> 'pending'", &[]);
    }
    if left_out.is_some_and(|out| out.deleted) {
        filter.add("i.failure || '' <> {}", &[CASE_DELETED.into()]);
    }
    let limit = i64::from(query.limit);
    filter.push(" ORDER BY i.created_ms DESC, i.id DESC LIMIT {}", (limit + 1).into());
    filter.push(" OFFSET {}", skip.into());
    let mut keys = tx.query(&filter.sql, &filter.params, |row| Ok((store, id(row, 0)?)))?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    let mut found = Vec::with_capacity(keys.len());
    for refund in get_many(tx, &keys)? {
        let refund = refund.ok_or_else(|| StoreError::defect("a refund of a page is not there"))?;
        found.push(Arc::unwrap_or_clone(refund));
    }
    Ok((found, has_more))
}

/// Which refunds a list of all, or of all that are over, leaves out; `None` where the store has no such refund.
#[derive(Clone, Copy)]
struct LeftOut {
    pending: bool,
    deleted: bool,
}

/// Whether a list walks along all refunds.
fn is_of_all(progress: Option<Progress>) -> bool {
    matches!(progress, Some(Progress::Over) | None)
}

fn left_out(tx: &mut Tx<'_>, store: i64, progress: Option<Progress>) -> Result<Option<LeftOut>, StoreError> {
    if !is_of_all(progress) {
        return Ok(None);
    }
    let pending = progress.is_some() && exists(tx, ANY_PENDING, &[store.into()])?;
    let deleted = exists(tx, ANY_DELETED, &[store.into(), CASE_DELETED.into()])?;
    Ok((pending || deleted).then_some(LeftOut { pending, deleted }))
}

/// How many refunds of each day are left out.
fn out_by_day(
    tx: &mut Tx<'_>,
    store: i64,
    created: TimeRange,
    left_out: Option<LeftOut>,
) -> Result<BTreeMap<i64, i64>, StoreError> {
    let mut out = BTreeMap::new();
    let Some(left_out) = left_out else { return Ok(out) };
    if left_out.pending {
        let mut filter = Filter::new(days::BY_DAY, store);
        filter.add(UNDER_WAY, &[]);
        within(&mut filter, created);
        days::by_day(tx, &filter, &mut out)?;
    }
    if left_out.deleted {
        let mut filter = Filter::new(days::BY_DAY, store);
        filter.add(DELETED, &[CASE_DELETED.into()]);
        within(&mut filter, created);
        days::by_day(tx, &filter, &mut out)?;
    }
    Ok(out)
}

/// How many cases a list has; its paging does not count.
pub fn counts(tx: &mut Tx<'_>, store: i64, query: &CaseQuery) -> Result<CaseCounts, StoreError> {
    let mut filter = Filter::new(COUNT, store);
    filter.add(UNDER_WAY, &[]);
    within(&mut filter, query.created);
    let both = tx.query_one(&filter.sql, &filter.params, |row| Ok((row.int(0)?, row.int(1)?)))?;
    let (under_way, begun) = both.unwrap_or_default();
    let untouched = under_way - begun;
    let listed = match query.progress {
        Some(Progress::Untouched) => untouched,
        Some(Progress::Begun) => begun,
        Some(Progress::Over) | None => {
            let mut filter = Filter::new(COUNT_DELETED, store);
            filter.add(DELETED, &[CASE_DELETED.into()]);
            within(&mut filter, query.created);
            let deleted = tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0);
            let left_out = if query.progress.is_none() { 0 } else { under_way };
            days::count(tx, store, query.created)? - deleted - left_out
        }
    };
    Ok(CaseCounts { listed, untouched, begun })
}

fn exists(tx: &mut Tx<'_>, sql: &str, params: &[Value<'_>]) -> Result<bool, StoreError> {
    Ok(tx.query_one(sql, params, |row| row.int(0))?.is_some())
}

fn within(filter: &mut Filter<'_>, TimeRange { from_ms, to_ms }: TimeRange) {
    if let Some(from) = from_ms {
        filter.add("i.created_ms >= {}", &[from.into()]);
    }
    if let Some(to) = to_ms {
        filter.add("i.created_ms <= {}", &[to.into()]);
    }
}

const PAGE: &str = "SELECT i.id FROM refunds i WHERE i.store = ?1";
const COUNT: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(i.begun), 0) AS BIGINT) FROM refunds i WHERE i.store = ?1";
const COUNT_DELETED: &str = "SELECT COUNT(*) FROM refunds i WHERE i.store = ?1";
const UNDER_WAY: &str = "i.state = 'pending' AND i.state <> 'succeeded'";
const PENDING: &str = "i.state = 'pending' AND i.state <> 'succeeded' AND i.begun = {}";
const DELETED: &str = "i.failure = {} AND i.failure <> ''";
const ANY_PENDING: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.state = 'pending' AND i.state <> 'succeeded' LIMIT 1";
const ANY_DELETED: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.failure = ?2 AND i.failure <> '' LIMIT 1";
