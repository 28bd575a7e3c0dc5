//! Lists of refunds: which way leads to a page through few rows, and the statement that goes that way.
//!
//! Databases choose plans by statistics that may be missing or old, so here the text leaves one choice: conditions of
//! the way are written plainly, all others so that no index serves them (`+number`, `text || ''`). A way is short if
//! few refunds lie on it, which is counted first up to a bound, or if it runs in the order of the list and ends with
//! the page. Every way gives the same page; each applies all filters.

use std::collections::BTreeMap;

use refundry_core::order::Id;
use refundry_core::query::{Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::{Refund, RefundState};

use super::{CursorUnknown, days, decode, find};
use crate::filter::{Filter, Range, between, is_bounded, milli_range, span};
use crate::{StoreError, Tx, Value, number};

/// So many refunds are looked at one by one within some ten milliseconds.
const FEW: i64 = 5_000;

/// A page of refunds in list order, and whether more follow in the direction of travel.
pub fn list(
    tx: &mut Tx<'_>,
    store: i64,
    query: &RefundQuery,
) -> Result<Result<(Vec<Refund>, bool), CursorUnknown>, StoreError> {
    list_with(tx, store, query, FEW)
}

/// Like [`list`], with another idea of how many refunds are few: it changes the way, never the page. For tests.
pub fn list_with(
    tx: &mut Tx<'_>,
    store: i64,
    query: &RefundQuery,
    few: i64,
) -> Result<Result<(Vec<Refund>, bool), CursorUnknown>, StoreError> {
    let narrowed = narrow(tx, store, query)?;
    let query = narrowed.as_ref().unwrap_or(query);
    let Some(mut search) = Search::new(tx, store, query, few)? else { return Ok(Ok((Vec::new(), false))) };
    match &query.page {
        Page::Start => {}
        Page::Skip(skip) => search.skip = i64::try_from(*skip).unwrap_or(i64::MAX / 2),
        Page::Key { key_ms, id } => search.start = Some((*key_ms, *id)),
        Page::After(reference) | Page::Before(reference) => match find(tx, store, reference)? {
            None => return Ok(Err(CursorUnknown)),
            Some(refund) if query.sort == SortBy::Created => search.start = Some((refund.created_ms, refund.id)),
            Some(refund) => search.start = Some((refund.updated_ms, refund.id)),
        },
    }
    let ways = search.ways(tx)?;
    let filter = search.statement(&ways)?;
    let mut found = tx.query(&filter.sql, &filter.params, decode)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    if matches!(query.page, Page::Before(_)) {
        found.reverse();
    }
    Ok(Ok((found, has_more)))
}

/// How many refunds all pages of a list have together; sorting and paging of the query do not count.
pub fn count(tx: &mut Tx<'_>, store: i64, query: &RefundQuery) -> Result<i64, StoreError> {
    count_with(tx, store, query, FEW)
}

/// Like [`count`], with another idea of how many refunds are few: it changes the way, never the number. For tests.
pub fn count_with(tx: &mut Tx<'_>, store: i64, query: &RefundQuery, few: i64) -> Result<i64, StoreError> {
    if is_by_day(query) {
        let out: i64 = out_by_day(tx, store, query)?.values().sum();
        return Ok(days::count(tx, store, query.created)? - out);
    }
    let Some(search) = Search::new(tx, store, query, few)? else { return Ok(0) };
    let ways = search.ways(tx)?;
    let filter = search.number(&ways)?;
    Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
}

/// Whether a list has all refunds of a time, but for some that are few: what is kept for each day says how many.
fn is_by_day(query: &RefundQuery) -> bool {
    let RefundQuery { states, created, sort, descending, page, limit, .. } = query.clone();
    let all = RefundQuery { created, sort, descending, page, limit, ..RefundQuery::default() };
    let most = states.as_ref().is_none_or(|states| states.contains(&RefundState::Succeeded));
    most && *query == RefundQuery { states, ..all }
}

/// Lets a page that lies far behind begin on its own day, where only the kept numbers of days are needed to find it.
/// Behind the last refund the query becomes one that nothing matches.
fn narrow(tx: &mut Tx<'_>, store: i64, query: &RefundQuery) -> Result<Option<RefundQuery>, StoreError> {
    let skip = match &query.page {
        Page::Skip(skip) => i64::try_from(*skip).unwrap_or(i64::MAX / 2),
        Page::Start if query.states.is_some() => 0,
        _ => return Ok(None),
    };
    if query.sort != SortBy::Created || !is_by_day(query) {
        return Ok(None);
    }
    let out = out_by_day(tx, store, query)?;
    let found = days::jump(tx, store, query.created, skip, query.descending, &out)?;
    Ok(Some(match found {
        Some((created, skip)) => RefundQuery { created, page: Page::Skip(skip.unsigned_abs()), ..query.clone() },
        None => RefundQuery { states: Some(Vec::new()), ..query.clone() },
    }))
}

/// How many refunds of each day are in a state that the list does not want; few are in any but the last.
fn out_by_day(tx: &mut Tx<'_>, store: i64, query: &RefundQuery) -> Result<BTreeMap<i64, i64>, StoreError> {
    let mut out = BTreeMap::new();
    let Some(wanted) = &query.states else { return Ok(out) };
    let unwanted = RefundState::ALL.into_iter().filter(|state| !wanted.contains(state));
    let unwanted: Vec<Value<'_>> = unwanted.map(|state| state.code().into()).collect();
    if !unwanted.is_empty() {
        let mut filter = Filter::new(days::BY_DAY, store);
        filter.among("i.state", &unwanted);
        filter.sql.push_str(" AND i.state <> 'succeeded'");
        between(&mut filter, "i.created_ms", span(query.created));
        days::by_day(tx, &filter, &mut out)?;
    }
    Ok(out)
}

/// An index to go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Orders,
    Refunds,
    Sku,
    Reason,
    Failure,
    State,
    Amount,
    Refunded,
    /// The time that the list is not sorted by.
    Other,
    /// The order of the list.
    Sort,
    /// Refunds that took more than a day, which are few.
    Slow,
}

struct Search<'q> {
    store: i64,
    few: i64,
    query: &'q RefundQuery,
    orders: Option<Vec<Value<'static>>>,
    refunds: Option<Vec<Value<'static>>>,
    amount: Range,
    refunded: Range,
    start: Option<(i64, Id)>,
    skip: i64,
}

impl<'q> Search<'q> {
    /// `None` when nothing can match.
    fn new(tx: &mut Tx<'_>, store: i64, query: &'q RefundQuery, few: i64) -> Result<Option<Self>, StoreError> {
        let mut search = Self {
            store,
            few,
            query,
            orders: None,
            refunds: None,
            amount: milli_range(query.amount),
            refunded: milli_range(query.refunded),
            start: None,
            skip: 0,
        };
        if let Some(named) = &query.orders {
            let mut orders = std::collections::BTreeSet::new();
            for reference in named {
                orders.extend(crate::orders::resolve(tx, store, reference)?);
            }
            search.orders = Some(orders.into_iter().map(number).collect::<Result<_, _>>()?);
        }
        if let Some(named) = &query.refunds {
            let mut refunds = std::collections::BTreeSet::new();
            for reference in named {
                refunds.extend(find(tx, store, reference)?.map(|refund| refund.id));
            }
            search.refunds = Some(refunds.into_iter().map(number).collect::<Result<_, _>>()?);
        }
        let none = |values: &Option<Vec<Value<'static>>>| values.as_ref().is_some_and(Vec::is_empty);
        let nothing = none(&search.orders) || none(&search.refunds) || query.states.as_ref().is_some_and(Vec::is_empty);
        Ok((!nothing).then_some(search))
    }

    fn key(&self) -> &'static str {
        if self.query.sort == SortBy::Created { "created_ms" } else { "updated_ms" }
    }

    fn other(&self) -> (&'static str, TimeRange) {
        match self.query.sort {
            SortBy::Created => ("updated_ms", self.query.updated),
            SortBy::Updated => ("created_ms", self.query.created),
        }
    }

    /// Which ways together meet every refund of the list.
    fn ways(&self, tx: &mut Tx<'_>) -> Result<Vec<Way>, StoreError> {
        if self.refunds.is_some() {
            return Ok(vec![Way::Refunds]);
        }
        if self.orders.is_some() {
            return Ok(vec![Way::Orders]);
        }
        let sources = self.sources();
        let ordered = sources.iter().copied().find(|way| self.runs_in_order(*way));
        if let ([way], Some(_)) = (sources.as_slice(), ordered) {
            return Ok(vec![*way]);
        }
        let (_, other) = self.other();
        let sorted = if self.query.sort == SortBy::Created { self.query.created } else { self.query.updated };
        let mut counted = sources.clone();
        if !sources.is_empty() && is_bounded(sorted) {
            counted.push(Way::Sort);
        }
        let mut best = (self.few + 1, ordered.unwrap_or(Way::Sort));
        for way in counted {
            let count = self.count(tx, way)?;
            if count < best.0 {
                best = (count, way);
            }
        }
        if best.0 > self.few && is_bounded(other) {
            // The other time is within a day of this one, which shortens the way; but for the slow ones.
            return Ok(vec![best.1, Way::Slow]);
        }
        Ok(vec![best.1])
    }

    fn sources(&self) -> Vec<Way> {
        let query = self.query;
        let is_named = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let unusual = query.states.as_ref().is_some_and(|states| !states.contains(&RefundState::Succeeded));
        let given = [
            (query.sku.is_some(), Way::Sku),
            (is_named(&query.failure_reason), Way::Failure),
            (is_named(&query.reason), Way::Reason),
            (unusual, Way::State),
            (self.amount != (None, None), Way::Amount),
            (self.refunded != (None, None), Way::Refunded),
            (is_bounded(self.other().1), Way::Other),
        ];
        given.into_iter().filter(|(given, _)| *given).map(|(_, way)| way).collect()
    }

    fn runs_in_order(&self, way: Way) -> bool {
        let one_state = self.query.states.as_ref().is_some_and(|states| states.len() == 1);
        let by_created = self.query.sort == SortBy::Created;
        match way {
            Way::Sort => true,
            Way::Sku | Way::Reason | Way::Failure | Way::Slow => by_created,
            Way::State => by_created && one_state,
            Way::Orders => by_created && self.orders.as_ref().is_some_and(|orders| orders.len() == 1),
            Way::Refunds | Way::Amount | Way::Refunded | Way::Other => false,
        }
    }

    /// How many refunds lie on a way, counted up to one more than few.
    fn count(&self, tx: &mut Tx<'_>, way: Way) -> Result<i64, StoreError> {
        let mut filter = Filter::new("SELECT COUNT(*) FROM (SELECT 1", self.store);
        self.source(&mut filter, way, true)?;
        filter.push(" LIMIT {}) found", (self.few + 1).into());
        Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
    }

    /// The page: first the keys from narrow indexes, then the refunds of the page alone.
    fn statement(&self, ways: &[Way]) -> Result<Filter<'q>, StoreError> {
        let before = matches!(self.query.page, Page::Before(_));
        let direction = if self.query.descending == before { "ASC" } else { "DESC" };
        let limit = i64::from(self.query.limit) + 1;
        let mut filter = Filter::new(LIST, self.store);
        for (place, way) in ways.iter().enumerate() {
            if place > 0 {
                filter.sql.push_str(" UNION ALL ");
            }
            filter.sql.push_str("SELECT * FROM (SELECT r.id AS id, r.");
            filter.sql.extend([self.key(), " AS key_ms"]);
            self.along(&mut filter, *way, ways)?;
            let plain = if self.runs_in_order(*way) { "" } else { "+" };
            let order = match way {
                Way::Sku if plain.is_empty() => format!("s.created_ms {direction}, s.refund_id"),
                _ => format!("{plain}r.{} {direction}, {plain}r.id", self.key()),
            };
            filter.sql.extend([" ORDER BY ", &order, " ", direction]);
            filter.push(&format!(" LIMIT {{}}) way{place}"), limit.saturating_add(self.skip).into());
        }
        filter.sql.extend([") every ORDER BY key_ms ", direction, ", id ", direction]);
        filter.push(" LIMIT {}", limit.into());
        filter.push(" OFFSET {}", self.skip.into());
        filter.sql.push_str(") page CROSS JOIN refunds r WHERE r.store = ?1 AND r.id = page.id");
        filter.sql.extend([" ORDER BY page.key_ms ", direction, ", page.id ", direction]);
        Ok(filter)
    }

    /// How many refunds the ways meet together; no two of them meet the same one.
    fn number(&self, ways: &[Way]) -> Result<Filter<'q>, StoreError> {
        let mut filter = Filter::new("SELECT COUNT(*) FROM (", self.store);
        for (place, way) in ways.iter().enumerate() {
            filter.sql.push_str(if place > 0 { " UNION ALL SELECT r.id" } else { "SELECT r.id" });
            self.along(&mut filter, *way, ways)?;
        }
        filter.sql.push_str(") every");
        Ok(filter)
    }

    /// `FROM` and all conditions of one of the ways.
    fn along(&self, filter: &mut Filter<'q>, way: Way, ways: &[Way]) -> Result<(), StoreError> {
        self.source(filter, way, false)?;
        self.checks(filter, way)?;
        if ways.len() > 1 && way != Way::Slow {
            self.prompt(filter, way);
        }
        Ok(())
    }

    /// `FROM` and the conditions that make the index of a way the one to use.
    fn source(&self, filter: &mut Filter<'q>, way: Way, count: bool) -> Result<(), StoreError> {
        let from = match way {
            Way::Sku if count => " FROM refund_skus s WHERE s.store = ?1",
            Way::Sku => " FROM refund_skus s CROSS JOIN refunds r WHERE s.store = ?1",
            Way::Amount => {
                " FROM refund_blocks b CROSS JOIN refunds r WHERE b.store = ?1 AND r.store = ?1 AND r.block = b.block"
            }
            Way::Refunded => {
                self.refunded_source(filter, count);
                return Ok(());
            }
            _ => " FROM refunds r WHERE r.store = ?1",
        };
        filter.sql.push_str(from);
        let query = self.query;
        match way {
            Way::Orders => filter.among("r.order_id", self.orders.as_deref().unwrap_or_default()),
            Way::Refunds => filter.among("r.id", self.refunds.as_deref().unwrap_or_default()),
            Way::Sku => {
                filter.add("s.sku = {}", &[query.sku.as_deref().into()]);
                if !count {
                    filter.sql.push_str(" AND r.store = ?1 AND r.id = s.refund_id");
                }
            }
            Way::Reason => filter.add("r.reason = {} AND r.reason <> ''", &[query.reason.as_deref().into()]),
            Way::Failure => filter.add("r.failure = {} AND r.failure <> ''", &[query.failure_reason.as_deref().into()]),
            Way::State => {
                filter.among("r.state", &self.states());
                filter.sql.push_str(" AND r.state <> 'succeeded'");
            }
            Way::Amount => between(filter, "r.amount_milli", self.amount),
            Way::Slow => filter.sql.push_str(" AND r.updated_ms - r.created_ms NOT BETWEEN 0 AND 86400000"),
            Way::Other => between(filter, &format!("r.{}", self.other().0), span(self.other().1)),
            Way::Refunded | Way::Sort => {}
        }
        match way {
            Way::Sku => between(filter, "s.created_ms", self.ahead(way, count, query.created)),
            Way::Reason | Way::Failure | Way::State | Way::Orders | Way::Slow => {
                between(filter, "r.created_ms", self.ahead(way, count, query.created));
            }
            Way::Sort if query.sort == SortBy::Created => {
                between(filter, "r.created_ms", self.ahead(way, count, query.created));
            }
            Way::Sort => between(filter, "r.updated_ms", self.ahead(way, count, query.updated)),
            Way::Refunds | Way::Amount | Way::Refunded | Way::Other => {}
        }
        if !count && let Some((key_ms, id)) = self.start {
            let than = self.than();
            let key = match (self.runs_in_order(way), way) {
                (true, Way::Sku) => "s.created_ms, s.refund_id".to_owned(),
                (true, _) => format!("r.{}, r.id", self.key()),
                (false, _) => format!("+r.{}, +r.id", self.key()),
            };
            filter.add(&format!("({key}) {than} ({{}}, {{}})"), &[key_ms.into(), number(id)?]);
        }
        Ok(())
    }

    /// How keys of a page compare with the cursor.
    fn than(&self) -> &'static str {
        let before = matches!(self.query.page, Page::Before(_));
        if self.query.descending == before { ">" } else { "<" }
    }

    /// The bounds of a way that goes on from the cursor: the end that lies behind the cursor is left out, because a
    /// database given both may begin at that end.
    fn ahead(&self, way: Way, count: bool, range: TimeRange) -> Range {
        let (from, to) = span(range);
        match self.start {
            Some((key_ms, _)) if !count && self.runs_in_order(way) => match self.than() {
                "<" => (from, to.filter(|to| *to < key_ms)),
                _ => (from.filter(|from| *from > key_ms), to),
            },
            _ => (from, to),
        }
    }

    /// What was refunded is the amount, or nothing of a refund that did not succeed, or it is among the exceptions.
    fn refunded_source(&self, filter: &mut Filter<'q>, count: bool) {
        let union = if count { " UNION ALL " } else { " UNION " };
        filter.sql.push_str(
            " FROM (SELECT a.id FROM refund_blocks b CROSS JOIN refunds a
             WHERE b.store = ?1 AND a.store = ?1 AND a.block = b.block",
        );
        between(filter, "a.amount_milli", self.refunded);
        filter.sql.extend([union, "SELECT a.id FROM refunds a WHERE a.store = ?1"]);
        filter
            .sql
            .push_str(" AND a.refunded_milli <> a.amount_milli AND (a.refunded_milli <> 0 OR a.state = 'succeeded')");
        between(filter, "a.refunded_milli", self.refunded);
        let (from, to) = self.refunded;
        if from.is_none_or(|from| from <= 0) && to.is_none_or(|to| to >= 0) {
            filter.sql.extend([union, "SELECT a.id FROM refunds a WHERE a.store = ?1 AND a.state <> 'succeeded'"]);
        }
        filter.sql.push_str(") c");
        if !count {
            filter.sql.push_str(" CROSS JOIN refunds r WHERE r.store = ?1 AND r.id = c.id");
        }
    }

    /// All filters but the way's own, written so that no index serves them.
    fn checks(&self, filter: &mut Filter<'q>, way: Way) -> Result<(), StoreError> {
        let query = self.query;
        between(filter, "+r.amount_milli", self.amount);
        between(filter, "+r.created_ms", span(query.created));
        between(filter, "+r.updated_ms", span(query.updated));
        if let (Some(orders), true) = (&self.orders, way != Way::Orders) {
            filter.among("+r.order_id", orders);
        }
        if way != Way::State && query.states.is_some() {
            filter.among("r.state || ''", &self.states());
        }
        if let (Some(reason), true) = (&query.reason, way != Way::Reason) {
            filter.add("r.reason || '' = {}", &[reason.as_str().into()]);
        }
        if let (Some(failure), true) = (&query.failure_reason, way != Way::Failure) {
            filter.add("r.failure || '' = {}", &[failure.as_str().into()]);
        }
        between(filter, "+r.refunded_milli", self.refunded);
        if let (Some(sku), true) = (&query.sku, way != Way::Sku) {
            filter.add(HAS_SKU, &[sku.as_str().into()]);
        }
        // A way that does not run in the order of the list was given the cursor as a check already.
        if way == Way::Refunded
            && let Some((key_ms, id)) = self.start
        {
            let than = self.than();
            filter.add(&format!("(+r.{}, +r.id) {than} ({{}}, {{}})", self.key()), &[key_ms.into(), number(id)?]);
        }
        Ok(())
    }

    /// Leaves out the slow ones, so that the other time bounds the one of the list.
    fn prompt(&self, filter: &mut Filter<'q>, way: Way) {
        let (_, TimeRange { from_ms, to_ms }) = self.other();
        let range = match self.query.sort {
            SortBy::Created => (from_ms.map(|from| from.saturating_sub(DAY_MS)), to_ms),
            SortBy::Updated => (from_ms, to_ms.map(|to| to.saturating_add(DAY_MS))),
        };
        let table = if way == Way::Sku { "s" } else { "r" };
        between(filter, &format!("{table}.{}", self.key()), range);
        filter.sql.push_str(" AND r.updated_ms - r.created_ms BETWEEN 0 AND 86400000");
    }

    fn states(&self) -> Vec<Value<'static>> {
        self.query.states.iter().flatten().map(|state| state.code().into()).collect()
    }
}

/// What parts prompt refunds from slow ones; the partial index of the slow ones says the same.
const DAY_MS: i64 = 86_400_000;

const LIST: &str = "
    SELECT r.id, r.order_id, r.external_id, r.created_ms, r.updated_ms, r.reason, r.metadata, r.body, r.legs
    FROM (SELECT id, key_ms FROM (";
const HAS_SKU: &str = "EXISTS (SELECT 1 FROM refund_skus k
    WHERE k.store = ?1 AND k.sku = {} AND k.created_ms = r.created_ms AND k.refund_id = r.id)";
