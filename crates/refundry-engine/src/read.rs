//! Questions: read transactions that change nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::command::RefundRequest;
use refundry_core::decide::decide;
use refundry_core::limits::REFUNDS_LISTED_MAX;
use refundry_core::order::{Dialect, Id, Order, Reference};
use refundry_core::parcels::Parcel;
use refundry_core::paying::Transaction;
use refundry_core::payouts::Terms;
use refundry_core::query::{Beside, OrderQuery, RefundQuery};
use refundry_core::quote::{Alternative, Quote, alternatives};
use refundry_core::refund::{Leg, Refund, Stage};
use refundry_core::rejection::Rejection;
use refundry_core::trial::{Trial, TrialAsk, trial as tried};
use refundry_gateways::Notice;
use refundry_store::evidence::{self, Evidence};
use refundry_store::inbox::{self, InboxRow};
use refundry_store::outbox::{self, OutboxRow};
use refundry_store::refunds::CursorUnknown;
use refundry_store::{Store, StoreError, Tx, orders, parcels, refunds, stores, transactions};

use crate::hear::unpack;
use crate::{Engine, settings};

/// A page of refunds, each with its order, and whether more follow; or a cursor that names nothing.
pub type Page = Result<(Vec<(Refund, Arc<Order>)>, bool), CursorUnknown>;

/// One refund with its order, and what its document says where refunds of its platform show that.
pub fn refund(store: &Store, tenant: i64, reference: &Reference) -> Result<Option<(Refund, Shown)>, StoreError> {
    store.read(|tx| {
        let Some(refund) = refunds::find(tx, tenant, reference)? else { return Ok(None) };
        let missing = || StoreError::defect("an order that a refund names is not there");
        let facts = orders::facts(tx, tenant, refund.order)?.ok_or_else(missing)?;
        let beside = Beside { document: facts.order.origin == Dialect::Shopline, ..Beside::NOTHING };
        let order = with(tx, tenant, vec![facts], beside)?.pop().ok_or_else(missing)?;
        Ok(Some((refund, order)))
    })
}

/// A page of one order's refunds, with the order and its document as they are then; `None` without such an order.
///
/// The query names the order, too.
pub fn refunds_of(
    store: &Store,
    tenant: i64,
    order: &Reference,
    query: &RefundQuery,
) -> Result<Option<(Shown, PageOf)>, StoreError> {
    store.read(|tx| {
        let Some(id) = orders::resolve(tx, tenant, order)? else { return Ok(None) };
        let Some(order) = shown(tx, tenant, id, Beside { document: true, ..Beside::NOTHING })? else { return Ok(None) };
        Ok(Some((order, refunds::list(tx, tenant, query)?)))
    })
}

/// A page of one order's refunds, and whether more follow; or a cursor that names nothing.
pub type PageOf = Result<(Vec<Refund>, bool), CursorUnknown>;

/// A page of refunds.
pub fn list_refunds(store: &Store, tenant: i64, query: &RefundQuery) -> Result<Page, StoreError> {
    store.read(|tx| {
        let (found, has_more) = match refunds::list(tx, tenant, query)? {
            Ok(page) => page,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let mut read: BTreeMap<Id, Arc<Order>> = BTreeMap::new();
        let mut page = Vec::with_capacity(found.len());
        for refund in found {
            let order = match read.get(&refund.order) {
                Some(order) => Arc::clone(order),
                None => order_of(tx, tenant, refund.order)?,
            };
            read.insert(refund.order, Arc::clone(&order));
            page.push((refund, order));
        }
        Ok(Ok((page, has_more)))
    })
}

/// How many refunds a list has, on all its pages.
pub fn count_refunds(store: &Store, tenant: i64, query: &RefundQuery) -> Result<i64, StoreError> {
    store.read(|tx| refunds::count(tx, tenant, query))
}

/// An order with all that is shown of it; what nobody asked for is empty.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its store.
    pub store: i64,
    /// The order and its balances.
    pub facts: Facts,
    /// The document it was read from, empty where there is none.
    pub document: String,
    /// Its parcels, newest first.
    pub parcels: Vec<Parcel>,
    /// Its refunds, oldest first, at most [`REFUNDS_LISTED_MAX`].
    pub refunds: Vec<Refund>,
    /// What was told of its payments, oldest first.
    pub transactions: Vec<Transaction>,
}

/// One order.
pub fn order(store: &Store, tenant: i64, reference: &Reference, beside: Beside) -> Result<Option<Shown>, StoreError> {
    store.read(|tx| match orders::resolve(tx, tenant, reference)? {
        Some(id) => shown(tx, tenant, id, beside),
        None => Ok(None),
    })
}

/// The newest order that people call so.
pub fn order_by_number(store: &Store, tenant: i64, number: &str, beside: Beside) -> Result<Option<Shown>, StoreError> {
    store.read(|tx| match orders::by_number(tx, tenant, number)? {
        Some(id) => shown(tx, tenant, id, beside),
        None => Ok(None),
    })
}

/// An order with its refunds, oldest first, at most [`REFUNDS_LISTED_MAX`].
pub fn order_with_refunds(store: &Store, tenant: i64, reference: &Reference) -> Result<Option<Refunded>, StoreError> {
    store.read(|tx| {
        let Some(id) = orders::resolve(tx, tenant, reference)? else { return Ok(None) };
        let Some(order) = shown(tx, tenant, id, Beside::PARCELS)? else { return Ok(None) };
        let refunds = refunds::first_of_order(tx, tenant, id, i64::from(REFUNDS_LISTED_MAX))?;
        Ok(Some(Refunded { order, refunds }))
    })
}

/// An order with its refunds.
#[derive(Clone, Debug)]
pub struct Refunded {
    /// The order.
    pub order: Shown,
    /// Its refunds, oldest first.
    pub refunds: Vec<Refund>,
}

pub(crate) fn shown(tx: &mut Tx<'_>, tenant: i64, id: Id, beside: Beside) -> Result<Option<Shown>, StoreError> {
    let Some(facts) = orders::facts(tx, tenant, id)? else { return Ok(None) };
    Ok(with(tx, tenant, vec![facts], beside)?.pop())
}

/// Orders by their number, read together, with documents and parcels; those that are not there are left out.
pub(crate) fn shown_each(tx: &mut Tx<'_>, tenant: i64, ids: &[Id]) -> Result<BTreeMap<Id, Shown>, StoreError> {
    let found = orders::facts_of(tx, tenant, ids)?.into_iter().flatten().collect();
    let shown = with(tx, tenant, found, Beside::PARCELS)?;
    Ok(shown.into_iter().map(|shown| (shown.facts.order.id, shown)).collect())
}

/// Orders with what is wanted beside.
fn with(tx: &mut Tx<'_>, tenant: i64, found: Vec<Facts>, beside: Beside) -> Result<Vec<Shown>, StoreError> {
    let ids: Vec<Id> = found.iter().map(|facts| facts.order.id).collect();
    let wanted = |asked: bool| if asked { ids.as_slice() } else { &[] };
    let mut documents = orders::documents(tx, tenant, wanted(beside.document))?.into_iter();
    let mut parcels = parcels::of_orders(tx, tenant, wanted(beside.parcels))?.into_iter();
    let mut refunds = refunds::of_orders(tx, tenant, wanted(beside.refunds))?.into_iter();
    let mut transactions = transactions::of_orders(tx, tenant, wanted(beside.transactions))?.into_iter();
    let shown = found.into_iter().map(|facts| Shown {
        store: tenant,
        facts,
        document: documents.next().unwrap_or_default(),
        parcels: parcels.next().unwrap_or_default(),
        refunds: refunds.next().unwrap_or_default(),
        transactions: transactions.next().unwrap_or_default(),
    });
    Ok(shown.collect())
}

/// A page of orders, each with what the query wants beside, and whether more follow; or a cursor that names nothing.
pub type OrderPage = Result<(Vec<Shown>, bool), CursorUnknown>;

/// A page of orders.
pub fn list_orders(store: &Store, tenant: i64, query: &OrderQuery) -> Result<OrderPage, StoreError> {
    store.read(|tx| {
        let (found, has_more) = match orders::list(tx, tenant, query)? {
            Ok(page) => page,
            Err(unknown) => return Ok(Err(unknown)),
        };
        Ok(Ok((with(tx, tenant, found, query.beside)?, has_more)))
    })
}

/// How many orders a list has, on all its pages.
pub fn count_orders(store: &Store, tenant: i64, query: &OrderQuery) -> Result<i64, StoreError> {
    store.read(|tx| orders::count(tx, tenant, query))
}

/// What a refund would be: the same function on the same facts as creating it.
pub fn quote(
    engine: &Engine,
    tenant: i64,
    reference: &Reference,
    request: &RefundRequest,
) -> Result<Result<Quoted, Rejection>, StoreError> {
    let Some(facts) = asked_now(engine, tenant, reference)? else {
        return Ok(Err(Rejection::OrderUnknown { order: reference.text.clone() }));
    };
    Ok(decide(&facts, request).map(|quote| {
        let plans = alternatives(&facts, request, &quote);
        Quoted { facts, quote, plans }
    }))
}

/// How much of what is asked for can be had, with the order as it is.
pub fn trial(
    engine: &Engine,
    tenant: i64,
    reference: &Reference,
    ask: &TrialAsk,
) -> Result<Result<(Facts, Trial), Rejection>, StoreError> {
    let Some(facts) = asked_now(engine, tenant, reference)? else {
        return Ok(Err(Rejection::OrderUnknown { order: reference.text.clone() }));
    };
    Ok(tried(&facts, ask).map(|trial| (facts, trial)))
}

/// An order with what its store configured, asked now: all that a refund would be decided on.
fn asked_now(engine: &Engine, tenant: i64, reference: &Reference) -> Result<Option<Facts>, StoreError> {
    let asked_ms = engine.clock().now_ms();
    engine.store().read(|tx| {
        let Some(id) = orders::resolve(tx, tenant, reference)? else { return Ok(None) };
        let Some(mut facts) = orders::facts(tx, tenant, id)? else { return Ok(None) };
        let record = stores::by_id(tx, tenant)?.ok_or_else(|| StoreError::defect("a quote names no store"))?;
        let payouts = settings::payouts(engine.queue().registry(), tenant, &record.settings)?;
        facts.terms = Terms { asked_ms, payouts };
        Ok(Some(facts))
    })
}

/// What a refund would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The order as it is, and what its store configured.
    pub facts: Facts,
    /// What the refund would be.
    pub quote: Quote,
    /// What it would be by each strategy.
    pub plans: Vec<Alternative>,
}

fn order_of(tx: &mut Tx<'_>, tenant: i64, order: Id) -> Result<Arc<Order>, StoreError> {
    let facts = orders::facts(tx, tenant, order)?;
    facts.map(|facts| facts.order).ok_or_else(|| StoreError::defect("an order that a refund names is not there"))
}

/// A leg that is not over, with what happens to it next.
#[derive(Clone, Debug)]
pub struct OpenLeg {
    /// Its refund.
    pub refund: Refund,
    /// The refund's order.
    pub order: Arc<Order>,
    /// Which leg of the refund.
    pub index: usize,
    /// Where it stands.
    pub stage: Stage,
    /// How often a worker took it.
    pub attempts: i64,
    /// When something happens next, epoch milliseconds; `None` where a person decides.
    pub next_ms: Option<i64>,
}

impl OpenLeg {
    /// The leg itself.
    pub fn leg(&self) -> &Leg {
        self.refund.legs.get(self.index).expect("an open leg is one of its refund")
    }
}

/// Legs of a store in some stages, oldest first, above the number `after`, at most `limit`.
pub fn open_legs(
    store: &Store,
    tenant: i64,
    stages: &[Stage],
    after: Id,
    limit: i64,
) -> Result<Vec<OpenLeg>, StoreError> {
    store.read(|tx| {
        let mut open = Vec::new();
        for row in outbox::in_stages(tx, tenant, stages, after, limit)? {
            open.extend(open_leg(tx, &row)?);
        }
        Ok(open)
    })
}

fn open_leg(tx: &mut Tx<'_>, row: &OutboxRow) -> Result<Option<OpenLeg>, StoreError> {
    let Some(refund) = refunds::get(tx, row.store, row.refund)? else { return Ok(None) };
    let Some(index) = refund.legs.iter().position(|leg| leg.id == row.leg) else { return Ok(None) };
    let order = order_of(tx, row.store, refund.order)?;
    let (stage, attempts, next_ms) = (row.stage, row.attempts, row.next_ms());
    Ok(Some(OpenLeg { refund, order, index, stage, attempts, next_ms }))
}

/// A leg of a refund, with all that is known of it.
#[derive(Clone, Debug)]
pub struct LegFile {
    /// Its refund.
    pub refund: Refund,
    /// The refund's order.
    pub order: Arc<Order>,
    /// Where it stands, if it is not over.
    pub open: Option<OpenLeg>,
    /// What was heard of it that was not plain, oldest first.
    pub evidence: Vec<Evidence>,
}

/// A leg of a refund, if there is one of that number.
pub fn leg(store: &Store, tenant: i64, reference: &Reference, leg: Id) -> Result<Option<LegFile>, StoreError> {
    store.read(|tx| {
        let Some(refund) = refunds::find(tx, tenant, reference)? else { return Ok(None) };
        if !refund.legs.iter().any(|known| known.id == leg) {
            return Ok(None);
        }
        let order = order_of(tx, tenant, refund.order)?;
        let open = match outbox::get(tx, tenant, leg)? {
            Some(row) => open_leg(tx, &row)?,
            None => None,
        };
        let evidence = evidence::of_leg(tx, tenant, leg)?;
        Ok(Some(LegFile { refund, order, open, evidence }))
    })
}

/// Events of a store that wait for a person, each with what it says, oldest first, above the number `after`, at most
/// `limit`.
pub fn events(store: &Store, tenant: i64, after: Id, limit: i64) -> Result<Vec<(InboxRow, Notice)>, StoreError> {
    let rows = store.read(|tx| inbox::waiting(tx, tenant, after, limit))?;
    rows.into_iter().map(|row| unpack(&row).map(|notice| (row, notice))).collect()
}
