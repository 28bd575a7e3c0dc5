//! Lists of after-sales cases: refunds by how far they have come, newest first, and how many there are.
//!
//! A page walks along one narrow index, then reads the refunds of the page alone. Whether a refund is to be left out
//! stands in its row only; that is looked at where the store has any such refund, which is asked first.

use std::sync::Arc;

use refundry_core::query::{CaseQuery, Page, TimeRange};
use refundry_core::refund::{CASE_DELETED, Progress, Refund};

use super::get_many;
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
    let mut filter = Filter::new(PAGE, store);
    let (start, skip) = match &query.page {
        Page::Key { key_ms, id } => (Some((*key_ms, *id)), 0),
        Page::Skip(skip) => (None, i64::try_from(*skip).unwrap_or(i64::MAX / 2)),
        Page::Start | Page::After(_) | Page::Before(_) => (None, 0),
    };
    let TimeRange { from_ms, to_ms } = query.created;
    // With two upper ends a database may begin at the wrong one, so only the lower of them is said.
    let start = start.filter(|(key_ms, _)| to_ms.is_none_or(|to| *key_ms <= to));
    within(&mut filter, TimeRange { from_ms, to_ms: to_ms.filter(|_| start.is_none()) });
    if let Some((key_ms, number_of)) = start {
        filter.add("(i.created_ms, i.id) < ({}, {})", &[key_ms.into(), number(number_of)?]);
    }
    match query.progress {
        Some(Progress::Untouched) => filter.add(PENDING, &[0_i64.into()]),
        Some(Progress::Begun) => filter.add(PENDING, &[1_i64.into()]),
        Some(Progress::Over) if exists(tx, ANY_PENDING, &[store.into()])? => {
            filter.add("i.state || '' <> 'pending'", &[]);
        }
        Some(Progress::Over) | None => {}
    }
    let may_be_deleted = matches!(query.progress, Some(Progress::Over) | None);
    if may_be_deleted && exists(tx, ANY_DELETED, &[store.into(), CASE_DELETED.into()])? {
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

/// How many cases a list has; its paging does not count.
pub fn counts(tx: &mut Tx<'_>, store: i64, query: &CaseQuery) -> Result<CaseCounts, StoreError> {
    let count = |tx: &mut Tx<'_>, and: Option<(&str, Value<'static>)>| -> Result<i64, StoreError> {
        let mut filter = Filter::new(COUNT, store);
        within(&mut filter, query.created);
        if let Some((condition, value)) = and {
            filter.add(condition, &[value]);
        }
        Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
    };
    let untouched = count(tx, Some((PENDING, 0_i64.into())))?;
    let begun = count(tx, Some((PENDING, 1_i64.into())))?;
    let listed = match query.progress {
        Some(Progress::Untouched) => untouched,
        Some(Progress::Begun) => begun,
        Some(Progress::Over) | None => {
            let deleted = count(tx, Some(("i.failure = {} AND i.failure <> ''", CASE_DELETED.into())))?;
            let under_way = if query.progress.is_none() { 0 } else { untouched + begun };
            let all = if query.created == TimeRange::default() {
                tx.query_one(MADE, &[store.into()], |row| row.int(0))?.unwrap_or(0)
            } else {
                count(tx, None)?
            };
            all - deleted - under_way
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
const MADE: &str = "SELECT CAST(COALESCE(SUM(made), 0) AS BIGINT) FROM refund_counts WHERE store = ?1";
const COUNT: &str = "SELECT COUNT(*) FROM refunds i WHERE i.store = ?1";
const PENDING: &str = "i.state = 'pending' AND i.state <> 'succeeded' AND i.begun = {}";
const ANY_PENDING: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.state = 'pending' AND i.state <> 'succeeded' LIMIT 1";
const ANY_DELETED: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.failure = ?2 AND i.failure <> '' LIMIT 1";
