//! Goods that come back. The rules are those of [`refundry_core::returns`]; here they are run on what the database
//! holds. No money moves: a return and a refund of the same units are two things.

use std::sync::Arc;

use refundry_core::event::EventKind;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::returns::{self as rules, Return, ReturnDraft, ReturnFault};
use refundry_store::{Store, StoreError, Tx, orders, parcels, returns};

use crate::accept::{Means, Named};
use crate::world::World;

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum ReturnAsk {
    /// Units come back.
    Open {
        /// Of which order.
        order: Reference,
        /// Which units.
        draft: ReturnDraft,
    },
    /// Nobody waits for them any more.
    Close {
        /// Which return.
        back: Reference,
        /// Whether the buyer is to be told.
        notify: bool,
    },
}

impl ReturnAsk {
    /// What it names, so that the order is held before anything is read.
    pub(crate) const fn named(&self) -> Named<'_> {
        match self {
            Self::Open { order, .. } => Named::Order(order),
            Self::Close { back, .. } => Named::Return(back),
        }
    }
}

/// What became of it.
pub type ReturnDone = Result<Box<Returned>, Refused>;

/// A return with its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Its order.
    pub order: Arc<Order>,
    /// The return.
    pub back: Return,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such order, or it was deleted.
    OrderUnknown,
    /// The rules say no.
    Fault(ReturnFault),
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &ReturnAsk,
    means: Means<'_>,
) -> Result<ReturnDone, StoreError> {
    match ask {
        ReturnAsk::Open { order, draft } => open(tx, world, (store, order), draft, means),
        ReturnAsk::Close { back, notify } => close(tx, world, (store, back), *notify, means.now_ms),
    }
}

fn open(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, &Reference),
    draft: &ReturnDraft,
    means: Means<'_>,
) -> Result<ReturnDone, StoreError> {
    let Some(order) = world.resolve(tx, store, order)? else { return Ok(Err(Refused::OrderUnknown)) };
    let facts = world.facts(tx, store, order)?.clone();
    if facts.order.life.deleted_ms.is_some() {
        return Ok(Err(Refused::OrderUnknown));
    }
    let (parcels, before) = (parcels::all(tx, store, order)?, returns::of_order(tx, store, order)?);
    let Means { ids, now_ms, .. } = means;
    let opened = rules::open(&facts, &parcels, &before, draft, now_ms, &mut || ids.next(now_ms));
    let back = match opened {
        Ok(back) => back,
        Err(fault) => return Ok(Err(Refused::Fault(fault))),
    };
    keep(tx, world, store, (&back, None))?;
    Ok(Ok(Box::new(Returned { order: facts.order, back })))
}

fn close(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, named): (i64, &Reference),
    notify: bool,
    now_ms: i64,
) -> Result<ReturnDone, StoreError> {
    let unknown = || Ok(Err(Refused::Fault(ReturnFault::ReturnUnknown(named.text.clone()))));
    let Some(order) = returns::find(tx, store, named)?.map(|back| back.order) else { return unknown() };
    let order = world.order(tx, store, order)?;
    if order.life.deleted_ms.is_some() {
        return unknown();
    }
    // Only now that the order is held: what was read before may have changed since.
    let Some(before) = returns::find(tx, store, named)? else { return unknown() };
    let back = match rules::close(&before, notify, now_ms) {
        Ok(Some(back)) => back,
        Ok(None) => return Ok(Ok(Box::new(Returned { order, back: before }))),
        Err(fault) => return Ok(Err(Refused::Fault(fault))),
    };
    keep(tx, world, store, (&back, Some(&before)))?;
    Ok(Ok(Box::new(Returned { order, back })))
}

/// A parcel of an order that is held was called off, so open returns that wait for it are over.
pub(crate) fn call_off(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, Id),
    parcel: Id,
    now_ms: i64,
) -> Result<(), StoreError> {
    for before in returns::of_order(tx, store, order)? {
        if let Some(back) = rules::call_off(&before, parcel, now_ms) {
            keep(tx, world, store, (&back, Some(&before)))?;
        }
    }
    Ok(())
}

/// Writes a return that is new, or was another one `before`. Every return passes here, and its order is held: whoever
/// is to be told of returns is told here.
fn keep(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    (back, before): (&Return, Option<&Return>),
) -> Result<(), StoreError> {
    let kind = if before.is_none() {
        returns::insert(tx, store, back)?;
        EventKind::ReturnCreated
    } else {
        returns::update(tx, store, back)?;
        EventKind::ReturnUpdated
    };
    world.tell_return(store, kind, back);
    Ok(())
}

/// Returns of an order, oldest first, or a return by itself, or that if it is of that order; `None` where the order is
/// not known, or was deleted.
pub fn list(
    store: &Store,
    tenant: i64,
    order: Option<&Reference>,
    back: Option<&Reference>,
) -> Result<Option<Vec<Returned>>, StoreError> {
    store.read(|tx| {
        let of = match order {
            None => None,
            Some(order) => match orders::resolve(tx, tenant, order)? {
                Some(order) => shown(tx, tenant, order)?,
                None => None,
            },
        };
        if order.is_some() && of.is_none() {
            return Ok(None);
        }
        let found = match (back, &of) {
            (Some(back), _) => Vec::from_iter(returns::find(tx, tenant, back)?),
            (None, Some(of)) => returns::of_order(tx, tenant, of.id)?,
            (None, None) => Vec::new(),
        };
        let of = match (of, found.first()) {
            (None, Some(back)) => shown(tx, tenant, back.order)?,
            (of, _) => of,
        };
        let Some(order) = of else { return Ok(Some(Vec::new())) };
        let of_it = found.into_iter().filter(|back| back.order == order.id);
        Ok(Some(of_it.map(|back| Returned { order: Arc::clone(&order), back }).collect()))
    })
}

/// An order, unless it was deleted.
fn shown(tx: &mut Tx<'_>, tenant: i64, order: Id) -> Result<Option<Arc<Order>>, StoreError> {
    let facts = orders::facts(tx, tenant, order)?;
    Ok(facts.map(|facts| facts.order).filter(|order| order.life.deleted_ms.is_none()))
}
