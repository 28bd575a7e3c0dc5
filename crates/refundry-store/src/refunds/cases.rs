//! Lists of after-sales cases: refunds by how far they have come, newest first, and how many there are.
//!
//! A page walks along one narrow index and reads the refunds of the page alone. Whether a refund is to be left out
//! stands in its row only; that is looked at where the store has any such refund, which is asked first.

use refundry_core::query::{CaseQuery, Page, TimeRange};
use refundry_core::refund::{CASE_DELETED, Progress, Refund};

use super::decode;
use crate::filter::Filter;
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
    if let Some((key_ms, id)) = start {
        filter.add("(i.created_ms, i.id) < ({}, {})", &[key_ms.into(), number(id)?]);
    }
    match query.progress {
        Some(Progress::Untouched) => filter.add(PENDING, &[0_i64.into()]),
        Some(Progress::Begun) => filter.add(PENDING, &[1_i64.into()]),
        Some(Progress::Over) if exists(tx, ANY_PENDING, &[store.into()])? => {
            filter.add("i.state || '' <> 'pending'", &[])
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
    filter.sql.push_str(OF_PAGE);
    let mut found = tx.query(&filter.sql, &filter.params, decode)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// How many cases a list has; its paging does not count.
pub fn counts(tx: &mut Tx<'_>, store: i64, query: &CaseQuery) -> Result<CaseCounts, StoreError> {
    let mut count = |and: Option<(&str, Value<'static>)>| -> Result<i64, StoreError> {
        let mut filter = Filter::new(COUNT, store);
        within(&mut filter, query.created);
        if let Some((condition, value)) = and {
            filter.add(condition, &[value]);
        }
        Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
    };
    let untouched = count(Some((PENDING, 0_i64.into())))?;
    let begun = count(Some((PENDING, 1_i64.into())))?;
    let listed = match query.progress {
        Some(Progress::Untouched) => untouched,
        Some(Progress::Begun) => begun,
        Some(Progress::Over) | None => {
            let deleted = count(Some(("i.failure = {} AND i.failure <> ''", CASE_DELETED.into())))?;
            let under_way = if query.progress.is_none() { 0 } else { untouched + begun };
            count(None)? - deleted - under_way
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

const PAGE: &str = "
    SELECT r.id, r.order_id, r.external_id, r.created_ms, r.updated_ms, r.reason, r.metadata, r.body, r.legs
    FROM (SELECT i.id AS id, i.created_ms AS created_ms FROM refunds i WHERE i.store = ?1";
const OF_PAGE: &str = ") page CROSS JOIN refunds r WHERE r.store = ?1 AND r.id = page.id
    ORDER BY page.created_ms DESC, page.id DESC";
const COUNT: &str = "SELECT COUNT(*) FROM refunds i WHERE i.store = ?1";
const PENDING: &str = "i.state = 'pending' AND i.state <> 'succeeded' AND i.begun = {}";
const ANY_PENDING: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.state = 'pending' AND i.state <> 'succeeded' LIMIT 1";
const ANY_DELETED: &str = "
    SELECT 1 FROM refunds i WHERE i.store = ?1 AND i.failure = ?2 AND i.failure <> '' LIMIT 1";
