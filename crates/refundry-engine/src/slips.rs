//! Payment slips of one order or of several, all or nothing. The rules are those of [`refundry_core::slips`]; here they
//! are run on what the database holds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use refundry_core::order::{Id, Order, Reference};
use refundry_core::parcels::Fault;
use refundry_core::slips::{Booked, Slip, SlipBook, SlipChange, SlipDraft};
use refundry_store::{StoreError, Tx, transactions};

use crate::accept::Means;
use crate::parcels;
use crate::world::World;

/// What the writer is asked to do with slips.
#[derive(Clone, Debug)]
pub enum SlipAsk {
    /// Make these.
    Make(Vec<SlipDraft>),
    /// Change these.
    Change(Vec<SlipChange>),
}

impl SlipAsk {
    /// The orders that it names, one an entry, so that all are held before anything is read.
    pub(crate) fn orders(&self) -> Vec<&Reference> {
        match self {
            Self::Make(drafts) => drafts.iter().map(|draft| &draft.order).collect(),
            Self::Change(changes) => changes.iter().map(|change| &change.order).collect(),
        }
    }
}

/// What became of it: the slips after it, one an entry.
pub type SlipDone = Result<Vec<Slipped>, SlipNo>;

/// Why none of them was made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlipNo {
    /// No such order, as it was named, or it was deleted.
    OrderUnknown(String),
    /// The rules say no.
    Fault(Fault),
}

/// A slip after it was made or changed.
#[derive(Clone, Debug)]
pub struct Slipped {
    /// Its order.
    pub order: Arc<Order>,
    /// The slip.
    pub slip: Slip,
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &SlipAsk,
    means: &mut Means<'_>,
) -> Result<SlipDone, StoreError> {
    let (mut orders, mut books) = (Vec::new(), BTreeMap::new());
    for reference in ask.orders() {
        let unknown = || Ok(Err(SlipNo::OrderUnknown(reference.text.clone())));
        let Some(order) = world.resolve(tx, store, reference)? else { return unknown() };
        let facts = world.facts(tx, store, order)?.clone();
        if facts.order.life.deleted_ms.is_some() {
            return unknown();
        }
        if let Entry::Vacant(place) = books.entry(order) {
            place.insert(SlipBook::open(&facts, transactions::of_order(tx, store, order)?));
        }
        orders.push(order);
    }
    let slipped = match book(&mut books, &orders, ask, means) {
        Ok(slipped) => slipped,
        Err(fault) => return Ok(Err(SlipNo::Fault(fault))),
    };
    // From here on it succeeds.
    for (order, book) in books {
        let Booked { order: after, made, changed } = book.close();
        transactions::insert(tx, store, &made)?;
        transactions::update(tx, store, &changed)?;
        if let Some(after) = after {
            let before = world.facts(tx, store, order)?.clone();
            parcels::put(world, store, &before, after, None, means)?;
        }
        world.tell_transactions(store, &made);
    }
    Ok(Ok(slipped))
}

/// Enters everything in its book, entry after entry.
fn book(
    books: &mut BTreeMap<Id, SlipBook>,
    orders: &[Id],
    ask: &SlipAsk,
    means: &mut Means<'_>,
) -> Result<Vec<Slipped>, Fault> {
    let now_ms = means.now_ms;
    let next = &mut || means.ids.next(now_ms);
    let mut touched = Vec::with_capacity(orders.len());
    for (entry, order) in orders.iter().enumerate() {
        let book = books.get_mut(order).expect("the book of each order was opened");
        let payment = match ask {
            SlipAsk::Make(drafts) => drafts.get(entry).map(|draft| book.make(entry, draft, now_ms, next)),
            SlipAsk::Change(changes) => changes.get(entry).map(|change| book.change(entry, change, now_ms, next)),
        };
        touched.push((*order, payment.expect("one order an entry")?));
    }
    // Each is shown as all of them left it.
    let slipped = touched.into_iter().filter_map(|(order, payment)| {
        let book = books.get(&order)?;
        Some(Slipped { order: Arc::clone(book.order()), slip: book.slip(payment)? })
    });
    Ok(slipped.collect())
}
