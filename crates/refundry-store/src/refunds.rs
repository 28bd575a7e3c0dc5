//! Refunds: what was decided (never rewritten), what providers made of it, and lists of them.

use std::collections::BTreeSet;

use refundry_core::money::Decimal;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::query::{AmountRange, Page, RefundQuery, SortBy, TimeRange};
use refundry_core::refund::{Refund, RefundState};

use crate::codec::{self, RefundColumns};
use crate::filter::Filter;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Adds refunds: store, refund, its order.
pub fn insert(tx: &mut Tx<'_>, rows: &[(i64, &Refund, &Order)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 15]> = Vec::with_capacity(rows.len());
    for (store, refund, order) in rows {
        params.push([
            (*store).into(),
            number(refund.id)?,
            number(refund.order)?,
            refund.external_id.as_deref().into(),
            refund.created_ms.into(),
            refund.updated_ms.into(),
            refund.state().code().into(),
            refund.reason.as_str().into(),
            failure(refund).into(),
            skus(refund, order).into(),
            refund.amount.to_milli(order.currency).into(),
            refund.refunded().to_milli(order.currency).into(),
            codec::pack_metadata(&refund.metadata).into(),
            codec::pack_refund(refund).into(),
            codec::pack_progress(refund).into(),
        ]);
    }
    tx.write_many(INSERT, &params)
}

/// Writes what changed of refunds: states of legs, and the columns derived from them.
pub fn update(tx: &mut Tx<'_>, rows: &[(i64, &Refund, &Order)]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 7]> = Vec::with_capacity(rows.len());
    for (store, refund, order) in rows {
        params.push([
            (*store).into(),
            number(refund.id)?,
            refund.updated_ms.into(),
            refund.state().code().into(),
            failure(refund).into(),
            refund.refunded().to_milli(order.currency).into(),
            codec::pack_progress(refund).into(),
        ]);
    }
    tx.write_many(UPDATE, &params)
}

/// Writes the metadata of a refund.
pub fn update_metadata(tx: &mut Tx<'_>, store: i64, refund: &Refund) -> Result<(), StoreError> {
    let packed = codec::pack_metadata(&refund.metadata);
    tx.execute(UPDATE_METADATA, &[store.into(), number(refund.id)?, packed.into()])?;
    Ok(())
}

/// One refund, held until the end of the transaction.
pub fn get(tx: &mut Tx<'_>, store: i64, refund: Id) -> Result<Option<Refund>, StoreError> {
    tx.query_one(GET, &[store.into(), number(refund)?], decode)
}

/// Refunds (store, refund), in their order.
pub fn get_many(tx: &mut Tx<'_>, keys: &[(i64, Id)]) -> Result<Vec<Option<Refund>>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(keys.len());
    for (store, refund) in keys {
        params.push([(*store).into(), number(*refund)?]);
    }
    let mut found = vec![None; keys.len()];
    tx.each_many(GET, &params, |place, row| {
        found[place] = Some(decode(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// The refund that a caller names. A platform's id is unique per order only, so the newest of that name wins.
pub fn find(tx: &mut Tx<'_>, store: i64, reference: &Reference) -> Result<Option<Refund>, StoreError> {
    if let Some(ours) = reference.ours.filter(|id| i64::try_from(*id).is_ok())
        && let Some(refund) = get(tx, store, ours)?
    {
        return Ok(Some(refund));
    }
    let named = tx.query(BY_EXTERNAL_ID, &[store.into(), reference.text.as_str().into()], decode)?;
    Ok(named.into_iter().next())
}

/// All refunds of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Refund>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], decode)
}

/// A list's cursor that names no refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorUnknown;

/// A page of refunds in list order, and whether more follow in the direction of travel.
pub fn list(
    tx: &mut Tx<'_>,
    store: i64,
    query: &RefundQuery,
) -> Result<Result<(Vec<Refund>, bool), CursorUnknown>, StoreError> {
    let mut filter = Filter::new(LIST, store);
    if !filter.narrow(tx, store, query)? {
        return Ok(Ok((Vec::new(), false)));
    }
    let key = match query.sort {
        SortBy::Created => "created_ms",
        SortBy::Updated => "updated_ms",
    };
    let backwards = matches!(query.page, Page::Before(_));
    let descending = query.descending != backwards;
    let start = match &query.page {
        Page::Start | Page::Skip(_) => None,
        Page::Key { key_ms, id } => Some((*key_ms, *id)),
        Page::After(reference) | Page::Before(reference) => match find(tx, store, reference)? {
            None => return Ok(Err(CursorUnknown)),
            Some(refund) if query.sort == SortBy::Created => Some((refund.created_ms, refund.id)),
            Some(refund) => Some((refund.updated_ms, refund.id)),
        },
    };
    if let Some((key_ms, id)) = start {
        let than = if descending { "<" } else { ">" };
        filter.add(&format!("({key}, id) {than} ({{}}, {{}})"), &[key_ms.into(), number(id)?]);
    }
    let way = if descending { "DESC" } else { "ASC" };
    filter.sql.extend([" ORDER BY ", key, " ", way, ", id ", way]);
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    filter.push(" LIMIT {}", (i64::from(query.limit) + 1).into());
    if let Page::Skip(skip) = query.page {
        filter.push(" OFFSET {}", i64::try_from(skip).unwrap_or(i64::MAX).into());
    }
    let mut found = tx.query(&filter.sql, &filter.params, decode)?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    if backwards {
        found.reverse();
    }
    Ok(Ok((found, has_more)))
}

impl<'a> Filter<'a> {
    /// Adds all filters of a query; `false` when nothing can match.
    fn narrow(&mut self, tx: &mut Tx<'_>, store: i64, query: &'a RefundQuery) -> Result<bool, StoreError> {
        if let Some(named) = &query.orders {
            let mut orders = BTreeSet::new();
            for reference in named {
                orders.extend(crate::orders::resolve(tx, store, reference)?);
            }
            if orders.is_empty() {
                return Ok(false);
            }
            self.among("order_id", &orders.into_iter().map(number).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(named) = &query.refunds {
            let mut refunds = BTreeSet::new();
            for reference in named {
                refunds.extend(find(tx, store, reference)?.map(|refund| refund.id));
            }
            if refunds.is_empty() {
                return Ok(false);
            }
            self.among("id", &refunds.into_iter().map(number).collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(states) = &query.states {
            if states.is_empty() {
                return Ok(false);
            }
            self.states(states);
        }
        self.texts(store, query);
        self.times("created_ms", query.created);
        self.times("updated_ms", query.updated);
        self.amounts("amount_milli", query.amount);
        self.amounts("refunded_milli", query.refunded);
        Ok(true)
    }

    fn states(&mut self, states: &[RefundState]) {
        self.among("state", &states.iter().map(|s| s.code().into()).collect::<Vec<_>>());
        // Said again in the words of the partial index, so that it is used where it can be.
        if !states.contains(&RefundState::Succeeded) {
            self.sql.push_str(" AND state <> 'succeeded'");
        }
    }

    fn texts(&mut self, store: i64, query: &'a RefundQuery) {
        if let Some(reason) = &query.reason {
            self.add("reason = {}", &[reason.as_str().into()]);
            if !reason.is_empty() {
                self.sql.push_str(" AND reason <> ''");
            }
        }
        if let Some(failure) = &query.failure_reason {
            self.add("failure = {}", &[failure.as_str().into()]);
            if !failure.is_empty() {
                self.sql.push_str(" AND failure <> ''");
            }
        }
        if let Some(sku) = &query.sku {
            let orders = "order_id IN (SELECT order_id FROM order_skus WHERE store = {} AND sku = {})";
            self.add(orders, &[store.into(), sku.as_str().into()]);
            let escaped = sku.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            self.add("skus LIKE {} ESCAPE '\\'", &[format!("%\n{escaped}\n%").into()]);
        }
    }

    fn times(&mut self, column: &str, range: TimeRange) {
        if let Some(from) = range.from_ms {
            self.add(&format!("{column} >= {{}}"), &[from.into()]);
        }
        if let Some(to) = range.to_ms {
            self.add(&format!("{column} <= {{}}"), &[to.into()]);
        }
    }

    /// Amounts are stored in thousandths. A bound with more digits lies between two of them, so it is moved to the one
    /// inside the range, which then belongs to it.
    fn amounts(&mut self, column: &str, range: AmountRange) {
        if let Some((bound, inclusive)) = range.from {
            let (floor, exact) = milli(bound);
            let least = if exact && inclusive { floor } else { floor.saturating_add(1) };
            self.add(&format!("{column} >= {{}}"), &[least.into()]);
        }
        if let Some((bound, inclusive)) = range.to {
            let (floor, exact) = milli(bound);
            let most = if exact && !inclusive { floor.saturating_sub(1) } else { floor };
            self.add(&format!("{column} <= {{}}"), &[most.into()]);
        }
    }
}

/// Thousandths, rounded down, and whether nothing was lost.
fn milli(decimal: Decimal) -> (i64, bool) {
    let (mantissa, scale) = decimal.parts();
    let (floor, exact) = if scale <= 3 {
        (mantissa.saturating_mul(10_i128.saturating_pow(3 - scale)), true)
    } else {
        let divisor = 10_i128.saturating_pow(scale - 3);
        (mantissa.div_euclid(divisor), mantissa.rem_euclid(divisor) == 0)
    };
    let edge = if floor < 0 { i64::MIN } else { i64::MAX };
    (i64::try_from(floor).unwrap_or(edge), exact)
}

const INSERT: &str = "
    INSERT INTO refunds (store, id, order_id, external_id, created_ms, updated_ms, state, reason, failure, skus,
        amount_milli, refunded_milli, metadata, body, legs)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const UPDATE: &str = "
    UPDATE refunds SET updated_ms = ?3, state = ?4, failure = ?5, refunded_milli = ?6, legs = ?7
    WHERE store = ?1 AND id = ?2";
const UPDATE_METADATA: &str = "UPDATE refunds SET metadata = ?3 WHERE store = ?1 AND id = ?2";
const GET: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND id = ?2";
const BY_EXTERNAL_ID: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND external_id = ?2 ORDER BY id DESC LIMIT 1";
const OF_ORDER: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1 AND order_id = ?2 ORDER BY id";
const LIST: &str = "
    SELECT id, order_id, external_id, created_ms, updated_ms, reason, metadata, body, legs
    FROM refunds WHERE store = ?1";

fn failure(refund: &Refund) -> String {
    refund.failure().map_or_else(String::new, |(code, _)| code.to_owned())
}

/// The SKUs whose goods the refund concerns, each between two line breaks.
fn skus(refund: &Refund, order: &Order) -> String {
    let by_money = refund.allocations.iter().filter_map(|a| order.components.get(a.component)?.line);
    let lines: BTreeSet<usize> = by_money.chain(refund.units.iter().map(|u| u.line)).collect();
    let skus = lines.into_iter().filter_map(|line| order.lines.get(line)).map(|line| line.sku.as_str());
    let mut text = String::new();
    for sku in skus.filter(|sku| !sku.is_empty()) {
        text.push('\n');
        text.push_str(sku);
        text.push('\n');
    }
    text
}

fn decode(row: &Row<'_>) -> Result<Refund, StoreError> {
    let columns = RefundColumns {
        id: id(row, 0)?,
        order_id: id(row, 1)?,
        external_id: row.opt_string(2)?,
        created_ms: row.int(3)?,
        updated_ms: row.int(4)?,
        reason: row.string(5)?,
    };
    codec::read_refund(columns, &row.text(6)?, &row.text(7)?, &row.text(8)?)
}
