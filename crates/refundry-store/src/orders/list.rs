//! Lists of orders: which way leads to a page through few rows, and the statement that goes that way.
//!
//! As with lists of refunds, the text leaves the database one choice: conditions of the way are written plainly, all
//! others so that no index serves them (`+number`). A way is short if few orders lie on it, which is counted first up
//! to a bound, or if it runs in the order of the list and ends with the page. Where no way is short, the index itself
//! is walked: it is narrow and lies in the order of lists. Every way gives the same page; each applies all filters.

use std::collections::BTreeSet;

use refundry_core::balances::Facts;
use refundry_core::order::{Id, Reference};
use refundry_core::query::{AnyOf, OrderQuery, Page, SortBy, TimeRange};
use refundry_core::standing::Money;

use super::index::{goods_code, money_code, stage_code};
use super::terms::kind_code;
use super::{decode_facts, id, resolve};
use crate::filter::{Filter, Range, between, is_bounded, milli_range, span};
use crate::refunds::CursorUnknown;
use crate::{StoreError, Tx, Value, number};

/// Where a page begins: behind a key, and behind so many more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    pub(super) key: Option<(i64, Id)>,
    pub(super) skip: i64,
}

/// Where the page of a query begins.
pub(super) fn start(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
) -> Result<Result<Start, CursorUnknown>, StoreError> {
    let key = match &query.page {
        Page::Start => None,
        Page::Skip(skip) => {
            return Ok(Ok(Start { key: None, skip: i64::try_from(*skip).unwrap_or(i64::MAX / 2) }));
        }
        Page::Key { key_ms, id } => Some((*key_ms, *id)),
        Page::After(reference) | Page::Before(reference) => match key_of(tx, store, query.sort, reference)? {
            None => return Ok(Err(CursorUnknown)),
            found => found,
        },
    };
    Ok(Ok(Start { key, skip: 0 }))
}

/// A page of orders from where it begins on, in the order of travel, and whether more follow. `few` changes the way,
/// never the page. What only facts tell is not looked at.
pub(super) fn page(
    tx: &mut Tx<'_>,
    store: i64,
    query: &OrderQuery,
    start: Start,
    few: i64,
) -> Result<(Vec<Facts>, bool), StoreError> {
    let Some(mut search) = Search::new(tx, store, query, few)? else { return Ok((Vec::new(), false)) };
    (search.start, search.skip) = (start.key, start.skip);
    let way = search.way(tx, false)?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut found = search.near(tx, way, limit)?;
    if found.len() <= limit {
        let filter = search.statement(way)?;
        found = tx.query(&filter.sql, &filter.params, decode_facts)?;
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    Ok((found, has_more))
}

/// How many orders all pages of a list have together, by all that needs no facts.
pub(super) fn counted(tx: &mut Tx<'_>, store: i64, query: &OrderQuery, few: i64) -> Result<i64, StoreError> {
    let Some(mut search) = Search::new(tx, store, query, few)? else { return Ok(0) };
    search.sort = SortBy::Created;
    let way = search.way(tx, true)?;
    let mut filter = Filter::new("SELECT COUNT(*)", store);
    search.along(&mut filter, way, false)?;
    Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
}

/// Where an order stands in a list.
fn key_of(tx: &mut Tx<'_>, store: i64, sort: SortBy, reference: &Reference) -> Result<Option<(i64, Id)>, StoreError> {
    let Some(order) = resolve(tx, store, reference)? else { return Ok(None) };
    let sql = match sort {
        SortBy::Created => CREATED,
        SortBy::Updated => UPDATED,
    };
    let key_ms = tx.query_one(sql, &[store.into(), number(order)?], |row| row.int(0))?;
    Ok(key_ms.map(|key_ms| (key_ms, order)))
}

/// An index to go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Orders,
    /// One of the sets of words.
    Words(usize),
    Stage,
    Money,
    Goods,
    Total,
    Placed,
    Fulfilled,
    Finished,
    /// The time that the list is not sorted by.
    Other,
    /// The order of the list.
    Sort,
}

struct Search<'q> {
    store: i64,
    few: i64,
    query: &'q OrderQuery,
    sort: SortBy,
    orders: Option<Vec<Value<'static>>>,
    total: Range,
    start: Option<(i64, Id)>,
    skip: i64,
    /// Changes that a page is looked for among first.
    changes: Range,
    /// Orders that a walk along the changes keeps to: those on this way.
    among: Option<Way>,
}

impl<'q> Search<'q> {
    /// `None` when nothing can match.
    fn new(tx: &mut Tx<'_>, store: i64, query: &'q OrderQuery, few: i64) -> Result<Option<Self>, StoreError> {
        let total = milli_range(query.total);
        let mut search = Self {
            store,
            few,
            query,
            sort: query.sort,
            orders: None,
            total,
            start: None,
            skip: 0,
            changes: (None, None),
            among: None,
        };
        let mut orders: Option<BTreeSet<Id>> = None;
        if let Some(name) = &query.named {
            let found = tx.query(NAMED, &[store.into(), name.as_str().into()], |row| id(row, 0))?;
            orders = Some(found.into_iter().collect());
        }
        if let Some(named) = &query.orders {
            let mut found = BTreeSet::new();
            for reference in named {
                found.extend(resolve(tx, store, reference)?);
            }
            orders = Some(orders.map_or(found.clone(), |both| both.intersection(&found).copied().collect()));
        }
        search.orders = match orders {
            Some(orders) => Some(orders.into_iter().map(number).collect::<Result<_, _>>()?),
            None => None,
        };
        let nothing = search.orders.as_ref().is_some_and(Vec::is_empty)
            || query.stages.as_ref().is_some_and(Vec::is_empty)
            || query.money.as_ref().is_some_and(Vec::is_empty)
            || query.goods.as_ref().is_some_and(Vec::is_empty)
            || query.words.iter().any(|any| !any.or_none && (any.texts.is_empty() || any.kinds.is_empty()));
        Ok((!nothing).then_some(search))
    }

    /// The time that the list is sorted by, and the other one.
    fn times(&self) -> (TimeRange, TimeRange) {
        match self.sort {
            SortBy::Created => (self.query.created, self.query.updated),
            SortBy::Updated => (self.query.updated, self.query.created),
        }
    }

    fn way(&self, tx: &mut Tx<'_>, counting: bool) -> Result<Way, StoreError> {
        if self.orders.is_some() {
            return Ok(Way::Orders);
        }
        let sources = self.sources();
        if let [way] = sources.as_slice()
            && (counting || self.runs_in_order(*way))
        {
            return Ok(*way);
        }
        let mut counted = sources.clone();
        if !sources.is_empty() && is_bounded(self.times().0) {
            counted.push(Way::Sort);
        }
        let mut best = (self.few + 1, Way::Sort);
        for way in counted {
            let count = self.count(tx, way)?;
            if count < best.0 {
                best = (count, way);
            }
        }
        if best.0 > self.few {
            // Words are looked up order by order, so it is better to go along them.
            let words = |way: &&Way| matches!(way, Way::Words(_)) && self.runs_in_order(**way);
            best.1 = sources.iter().find(words).copied().unwrap_or(Way::Sort);
        }
        Ok(best.1)
    }

    /// Looks for a page among the changes that come first, where a walk along all of them would ask each for its order.
    /// Where it is not found whole, the walk that follows knows beforehand which orders it wants.
    fn near(&mut self, tx: &mut Tx<'_>, way: Way, limit: usize) -> Result<Vec<Facts>, StoreError> {
        let among = self.sources().last().copied().or(self.is_mixed().then_some(Way::Money));
        let (Way::Sort, SortBy::Updated, Some(among)) = (way, self.sort, among) else { return Ok(Vec::new()) };
        let descending = self.than() == "<";
        let direction = if descending { "DESC" } else { "ASC" };
        let mut filter = Filter::new(CHANGES, self.store);
        between(&mut filter, "b.updated_ms", self.ahead(way, false, self.query.updated));
        self.behind(&mut filter, way)?;
        filter.sql.extend([" ORDER BY b.updated_ms ", direction, ", b.order_id ", direction]);
        filter.push(" LIMIT 1 OFFSET {}", (self.few / 4).into());
        let Some(end) = tx.query_one(&filter.sql, &filter.params, |row| row.int(0))? else { return Ok(Vec::new()) };
        self.changes = if descending { (Some(end), None) } else { (None, Some(end)) };
        let filter = self.statement(way)?;
        let found = tx.query(&filter.sql, &filter.params, decode_facts)?;
        if found.len() <= limit {
            (self.changes, self.among) = ((None, None), Some(among));
        }
        Ok(found)
    }

    /// Every filter that has an index.
    fn sources(&self) -> Vec<Way> {
        let query = self.query;
        let given = [
            (query.stages.is_some(), Way::Stage),
            (query.goods.is_some(), Way::Goods),
            (query.money.is_some() && !self.is_mixed(), Way::Money),
            (self.total != (None, None), Way::Total),
            (is_bounded(query.placed), Way::Placed),
            (is_bounded(query.fulfilled), Way::Fulfilled),
            (is_bounded(query.finished), Way::Finished),
            (is_bounded(self.times().1), Way::Other),
        ];
        let words = (0..query.words.len()).filter(|place| !query.words[*place].or_none).map(Way::Words);
        words.chain(given.into_iter().filter(|(given, _)| *given).map(|(_, way)| way)).collect()
    }

    /// States of money that the index knows, and whether money on its way is wanted.
    fn money(&self) -> (Vec<Value<'static>>, bool) {
        let wanted = self.query.money.as_deref().unwrap_or_default();
        let settled = wanted.iter().filter(|money| **money != Money::Refunding);
        (settled.map(|money| money_code(*money).into()).collect(), wanted.contains(&Money::Refunding))
    }

    /// Whether money on its way is wanted beside other states, so that no index leads to both.
    fn is_mixed(&self) -> bool {
        let (settled, refunding) = self.money();
        refunding && !settled.is_empty()
    }

    /// Whether nothing but money on its way is wanted.
    fn is_on_its_way(&self) -> bool {
        self.money().1 && !self.is_mixed()
    }

    fn runs_in_order(&self, way: Way) -> bool {
        let one = |count: Option<usize>| self.sort == SortBy::Created && count == Some(1);
        match way {
            Way::Sort => true,
            Way::Words(place) => self.query.words.get(place).is_some_and(|any| one(Some(1)) && is_one(any)),
            Way::Stage => one(self.query.stages.as_ref().map(Vec::len)),
            Way::Goods => one(self.query.goods.as_ref().map(Vec::len)),
            Way::Money => one(self.query.money.as_ref().map(Vec::len)) && !self.money().1,
            Way::Orders | Way::Total | Way::Placed | Way::Fulfilled | Way::Finished | Way::Other => false,
        }
    }

    /// How many orders lie on a way, counted up to one more than few; one that is met twice may count twice.
    fn count(&self, tx: &mut Tx<'_>, way: Way) -> Result<i64, StoreError> {
        let mut filter = Filter::new("SELECT COUNT(*) FROM (SELECT 1", self.store);
        self.source(&mut filter, way, true);
        filter.push(" LIMIT {}) found", (self.few + 1).into());
        Ok(tx.query_one(&filter.sql, &filter.params, |row| row.int(0))?.unwrap_or(0))
    }

    /// The page: first the keys from narrow indexes, then the orders of the page alone.
    fn statement(&self, way: Way) -> Result<Filter<'q>, StoreError> {
        let direction = if self.than() == ">" { "ASC" } else { "DESC" };
        let mut filter = Filter::new(LIST, self.store);
        filter.sql.extend(["SELECT i.order_id AS order_id, ", self.key(), " AS key_ms"]);
        self.along(&mut filter, way, true)?;
        let (key, order) = self.keys(way);
        filter.sql.extend([" ORDER BY ", key, " ", direction, ", ", order, " ", direction]);
        filter.push(" LIMIT {}", (i64::from(self.query.limit) + 1).into());
        filter.push(" OFFSET {}", self.skip.into());
        filter.sql.push_str(PAGE);
        filter.sql.extend([" ORDER BY page.key_ms ", direction, ", page.order_id ", direction]);
        Ok(filter)
    }

    /// `FROM` and all conditions of a way; `paged` where the page begins at a cursor.
    fn along(&self, filter: &mut Filter<'q>, way: Way, paged: bool) -> Result<(), StoreError> {
        self.source(filter, way, false);
        self.checks(filter, way);
        if let Some(among) = self.among {
            let order = match among {
                Way::Words(_) => "t.order_id",
                Way::Money if self.is_on_its_way() => "r.order_id",
                _ => "i.order_id",
            };
            filter.sql.push_str(" AND +b.order_id IN (");
            filter.sql.extend(["SELECT ", order]);
            self.source(filter, among, true);
            if among == Way::Money && self.is_mixed() {
                filter.sql.extend([" UNION ALL SELECT r.order_id", PENDING_COUNTED]);
            }
            filter.sql.push(')');
        }
        if paged { self.behind(filter, way) } else { Ok(()) }
    }

    /// Begins behind the cursor.
    fn behind(&self, filter: &mut Filter<'q>, way: Way) -> Result<(), StoreError> {
        if let Some((key_ms, order)) = self.start {
            let (key, id) = self.keys(way);
            let than = self.than();
            filter.add(&format!("({key}, {id}) {than} ({{}}, {{}})"), &[key_ms.into(), number(order)?]);
        }
        Ok(())
    }

    fn key(&self) -> &'static str {
        match self.sort {
            SortBy::Created => "i.created_ms",
            SortBy::Updated => "b.updated_ms",
        }
    }

    /// What a page is sorted by, written so that the index of a way gives the order where it can.
    fn keys(&self, way: Way) -> (&'static str, &'static str) {
        match (self.runs_in_order(way), way, self.sort) {
            (true, Way::Words(_), _) => ("t.created_ms", "t.order_id"),
            (true, _, SortBy::Created) => ("i.created_ms", "i.order_id"),
            (true, _, SortBy::Updated) => ("b.updated_ms", "b.order_id"),
            (false, _, SortBy::Created) => ("+i.created_ms", "+i.order_id"),
            (false, _, SortBy::Updated) => ("+b.updated_ms", "+i.order_id"),
        }
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

    /// Whether a way, or the order of the list, needs the time of the last change.
    fn needs_updated(&self) -> bool {
        self.sort == SortBy::Updated || is_bounded(self.query.updated)
    }

    /// `FROM` and the conditions that make the index of a way the one to use. Only `count`ing it needs no more than
    /// that index.
    fn source(&self, filter: &mut Filter<'q>, way: Way, count: bool) {
        let by_update = match way {
            Way::Sort => self.sort == SortBy::Updated,
            Way::Other => self.sort == SortBy::Created,
            _ => false,
        };
        let joined = self.needs_updated() && !count;
        match way {
            _ if by_update && count => filter.sql.push_str(" FROM balances b WHERE b.store = ?1"),
            _ if by_update => filter.sql.push_str(BY_UPDATE),
            Way::Words(place) => {
                if let Some(any) = self.query.words.get(place) {
                    self.words_source(filter, any, way, count);
                }
                filter.sql.push_str(if count { "" } else { OF_WORDS });
            }
            Way::Money if self.is_on_its_way() && count => filter.sql.push_str(PENDING_COUNTED),
            Way::Money if self.is_on_its_way() => filter.sql.push_str(if joined { PENDING_UPDATED } else { PENDING }),
            _ if joined => filter.sql.push_str(INDEX_UPDATED),
            _ => filter.sql.push_str(" FROM order_index i WHERE i.store = ?1"),
        }
        if joined && matches!(way, Way::Words(_)) {
            filter.sql.push_str(" AND b.store = ?1 AND b.order_id = i.order_id");
        }
        self.own(filter, way, by_update, count);
    }

    /// The conditions of a way.
    fn own(&self, filter: &mut Filter<'q>, way: Way, by_update: bool, count: bool) {
        let query = self.query;
        match way {
            Way::Orders => filter.among("i.order_id", self.orders.as_deref().unwrap_or_default()),
            Way::Stage => filter.among("i.stage", &self.stages()),
            Way::Goods => filter.among("i.goods", &self.goods()),
            Way::Money if !self.is_on_its_way() => filter.among("i.money", &self.money().0),
            Way::Total => between(filter, "i.total_milli", self.total),
            Way::Placed => between(filter, "i.placed_ms", span(query.placed)),
            Way::Fulfilled => between(filter, "i.fulfilled_ms", span(query.fulfilled)),
            Way::Finished => between(filter, "i.finished_ms", span(query.finished)),
            Way::Sort | Way::Other if by_update => {
                let (from, to) = self.ahead(way, count, query.updated);
                between(filter, "b.updated_ms", (self.changes.0.or(from), self.changes.1.or(to)));
            }
            Way::Sort | Way::Other => between(filter, "i.created_ms", self.ahead(way, count, query.created)),
            Way::Words(_) | Way::Money => {}
        }
        if matches!(way, Way::Stage | Way::Goods) || (way == Way::Money && !self.is_on_its_way()) {
            between(filter, "i.created_ms", self.ahead(way, count, query.created));
        }
    }

    /// `FROM` the orders that a set of words finds, each once; a single word finds them in the order of lists.
    fn words_source(&self, filter: &mut Filter<'q>, any: &'q AnyOf, way: Way, count: bool) {
        let updated = if self.needs_updated() && !count { " CROSS JOIN balances b" } else { "" };
        let index = if count { "" } else { " CROSS JOIN order_index i" };
        let created = self.ahead(way, count, self.query.created);
        if is_one(any) {
            filter.sql.extend([" FROM order_terms t", index, updated, " WHERE t.store = ?1"]);
            words(filter, "t", any, any.texts.as_slice());
            between(filter, "t.created_ms", created);
            return;
        }
        filter.sql.push_str(" FROM (");
        // One that only begins so is a range of its own.
        let each = if any.begins { 1 } else { any.texts.len() };
        for (place, texts) in any.texts.chunks(each).enumerate() {
            if place > 0 {
                filter.sql.push_str(if count { " UNION ALL " } else { " UNION " });
            }
            let distinct = if count { "SELECT " } else { "SELECT DISTINCT " };
            filter.sql.extend([distinct, "t.created_ms, t.order_id FROM order_terms t WHERE t.store = ?1"]);
            words(filter, "t", any, texts);
            between(filter, "t.created_ms", span(self.query.created));
        }
        filter.sql.extend([") t", index, updated]);
        filter.sql.push_str(if count { "" } else { " WHERE i.store = ?1" });
    }

    /// All filters, written so that no index serves them; those of the way itself once more do no harm.
    fn checks(&self, filter: &mut Filter<'q>, way: Way) {
        let query = self.query;
        let bare = |of: Way| way != of;
        if query.stages.is_some() && bare(Way::Stage) {
            filter.among("+i.stage", &self.stages());
        }
        if query.goods.is_some() && bare(Way::Goods) {
            filter.among("+i.goods", &self.goods());
        }
        between(filter, "+i.total_milli", if bare(Way::Total) { self.total } else { (None, None) });
        for (column, range, of) in [
            ("+i.placed_ms", query.placed, Way::Placed),
            ("+i.fulfilled_ms", query.fulfilled, Way::Fulfilled),
            ("+i.finished_ms", query.finished, Way::Finished),
        ] {
            between(filter, column, if bare(of) { span(range) } else { (None, None) });
        }
        if let Some(closed) = query.closed {
            filter.add("+i.closed = {}", &[i64::from(closed).into()]);
        }
        between(filter, "+i.created_ms", span(query.created));
        if is_bounded(query.updated) {
            between(filter, "+b.updated_ms", span(query.updated));
        }
        if query.money.is_some() {
            self.check_money(filter, way);
        }
        for (place, any) in query.words.iter().enumerate() {
            if bare(Way::Words(place)) {
                check_words(filter, any);
            }
        }
    }

    /// Money on its way makes an order refunding, whatever its money is without that.
    fn check_money(&self, filter: &mut Filter<'q>, way: Way) {
        let (settled, refunding) = self.money();
        if !refunding {
            if way != Way::Money {
                filter.among("+i.money", &settled);
            }
            filter.sql.push_str(" AND +i.order_id NOT IN ");
            filter.sql.push_str(ON_ITS_WAY);
        } else if settled.is_empty() {
            if way != Way::Money {
                filter.sql.push_str(" AND +i.order_id IN ");
                filter.sql.push_str(ON_ITS_WAY);
            }
        } else {
            let marks = vec!["{}"; settled.len()].join(", ");
            filter.add(&format!("(+i.money IN ({marks}) OR +i.order_id IN {ON_ITS_WAY})"), &settled);
        }
    }

    fn stages(&self) -> Vec<Value<'static>> {
        self.query.stages.iter().flatten().map(|stage| stage_code(*stage).into()).collect()
    }

    fn goods(&self) -> Vec<Value<'static>> {
        self.query.goods.iter().flatten().map(|goods| goods_code(*goods).into()).collect()
    }
}

/// A single word of a single kind, which no order is found by twice.
fn is_one(any: &AnyOf) -> bool {
    any.kinds.len() == 1 && any.texts.len() == 1 && !any.begins
}

/// That an order has one of some words, or none of their kind where that is meant too: those that have one are few.
fn check_words<'q>(filter: &mut Filter<'q>, any: &'q AnyOf) {
    if !any.or_none {
        filter.sql.push_str(" AND ");
        nest(filter, HAS_WORD, |filter| words(filter, "k", any, &any.texts));
        return;
    }
    filter.sql.push_str(" AND (");
    nest(filter, HAS_NONE, |filter| kinds(filter, "k", any));
    if !any.texts.is_empty() {
        filter.sql.push_str(" OR ");
        nest(filter, HAS_WORD, |filter| words(filter, "k", any, &any.texts));
    }
    filter.sql.push(')');
}

/// Adds a text with further conditions in place of `{more}`.
fn nest<'q>(filter: &mut Filter<'q>, text: &str, more: impl FnOnce(&mut Filter<'q>)) {
    let (head, tail) = text.split_once("{more}").unwrap_or((text, ""));
    filter.sql.push_str(head);
    more(filter);
    filter.sql.push_str(tail);
}

fn kinds(filter: &mut Filter<'_>, table: &str, any: &AnyOf) {
    let kinds: Vec<Value<'_>> = any.kinds.iter().map(|kind| kind_code(*kind).into()).collect();
    filter.among(&format!("{table}.kind"), &kinds);
}

/// Greater than all that may follow the beginning of a word.
const LAST: char = char::MAX;

/// The conditions that make a term one of some words.
fn words<'q>(filter: &mut Filter<'q>, table: &str, any: &AnyOf, texts: &'q [String]) {
    kinds(filter, table, any);
    if !any.begins {
        let texts: Vec<Value<'q>> = texts.iter().map(Value::from).collect();
        filter.among(&format!("{table}.term"), &texts);
        return;
    }
    let range = format!("{table}.term >= {{}} AND {table}.term < {{}}");
    let ends = texts.iter().flat_map(|text| [Value::from(text), format!("{text}{LAST}").into()]);
    let ends: Vec<Value<'q>> = ends.collect();
    if let [_] = texts {
        filter.add(&range, &ends);
    } else {
        filter.add(&format!("({})", vec![range; texts.len()].join(" OR ")), &ends);
    }
}

const NAMED: &str = "
    SELECT id FROM orders WHERE store = ?1 AND external_id = ?2
    UNION SELECT id FROM orders WHERE store = ?1 AND number = ?2";
const CREATED: &str = "SELECT created_ms FROM order_index WHERE store = ?1 AND order_id = ?2";
const UPDATED: &str = "
    SELECT b.updated_ms FROM order_index i CROSS JOIN balances b
    WHERE i.store = ?1 AND i.order_id = ?2 AND b.store = ?1 AND b.order_id = i.order_id";
const LIST: &str = "
    SELECT o.id, o.external_id, o.number, o.created_ms, o.updated_ms, o.facts, s.sums FROM (";
const PAGE: &str = ") page CROSS JOIN orders o CROSS JOIN balances s
    WHERE o.store = ?1 AND o.id = page.order_id AND s.store = ?1 AND s.order_id = page.order_id";
const CHANGES: &str = "SELECT b.updated_ms FROM balances b WHERE b.store = ?1";
const BY_UPDATE: &str = " FROM balances b CROSS JOIN order_index i
    WHERE b.store = ?1 AND i.store = ?1 AND i.order_id = b.order_id";
const INDEX_UPDATED: &str = " FROM order_index i CROSS JOIN balances b
    WHERE i.store = ?1 AND b.store = ?1 AND b.order_id = i.order_id";
const OF_WORDS: &str = " AND i.store = ?1 AND i.created_ms = t.created_ms AND i.order_id = t.order_id";
const PENDING: &str = " FROM (
    SELECT DISTINCT +r.order_id AS order_id FROM refunds r
    WHERE r.store = ?1 AND r.state = 'pending' AND r.state <> 'succeeded') p
    CROSS JOIN order_index i WHERE i.store = ?1 AND i.order_id = p.order_id";
const PENDING_UPDATED: &str = " FROM (
    SELECT DISTINCT +r.order_id AS order_id FROM refunds r
    WHERE r.store = ?1 AND r.state = 'pending' AND r.state <> 'succeeded') p
    CROSS JOIN order_index i CROSS JOIN balances b
    WHERE i.store = ?1 AND i.order_id = p.order_id AND b.store = ?1 AND b.order_id = i.order_id";
const PENDING_COUNTED: &str = " FROM refunds r
    WHERE r.store = ?1 AND r.state = 'pending' AND r.state <> 'succeeded'";
/// Few orders: those with money under way just now.
const ON_ITS_WAY: &str =
    "(SELECT r.order_id FROM refunds r WHERE r.store = ?1 AND r.state = 'pending' AND r.state <> 'succeeded')";
const HAS_NONE: &str = "+i.order_id NOT IN (SELECT k.order_id FROM order_terms k WHERE k.store = ?1 {more})";
const HAS_WORD: &str = "EXISTS (SELECT 1 FROM order_terms k WHERE k.store = ?1 AND k.order_id = i.order_id {more})";
