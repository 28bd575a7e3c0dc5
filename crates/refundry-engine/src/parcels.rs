//! What happens to an order after it was made: payments, transactions, parcels. The rules are those of
//! [`refundry_core::parcels`] and [`refundry_core::paying`]; here they are run on what the database holds.

use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::event::EventKind;
use refundry_core::journal::{Happening, opening};
use refundry_core::limits::REFUNDS_LISTED_MAX;
use refundry_core::order::{Id, Order, Reference};
use refundry_core::parcels::{self as rules, Fault, Parcel, ParcelQuery, Shipment, TrackingChange};
use refundry_core::paying::{self, PayLine, Transaction};
use refundry_core::query::Beside;
use refundry_core::refund::Refund;
use refundry_core::slips::{self, Slip};
use refundry_core::terms::TermChange;
use refundry_store::{Store, StoreError, Tx, orders, parcels, refunds, transactions};
use serde_json::Value;

use crate::accept::{Means, Named};
use crate::read::{self, Shown};
use crate::world::{Document, World};
use crate::{returns, shop};

/// What the writer is asked to do with an order.
#[derive(Clone, Debug)]
pub struct ParcelAsk {
    /// Which order.
    pub order: Reference,
    /// What.
    pub step: Step,
}

/// What happens to the order.
#[derive(Clone, Debug)]
pub enum Step {
    /// It was paid.
    Pay {
        /// The payments.
        lines: Vec<PayLine>,
        /// What changes in the document that the order was read from: a merge patch (RFC 7396) of the order in it.
        patch: Option<Value>,
    },
    /// What is held of a payment is captured, or given up.
    Capture {
        /// The payment's channel.
        channel: String,
        /// It is given up.
        void: bool,
    },
    /// Units left.
    Ship(Shipment),
    /// A parcel is followed otherwise.
    Track {
        /// Which.
        parcel: Reference,
        /// How.
        tracking: TrackingChange,
    },
    /// A parcel arrived.
    Deliver {
        /// Which.
        parcel: Reference,
    },
    /// A parcel is called off.
    Unship {
        /// Which.
        parcel: Reference,
    },
}

impl ParcelAsk {
    /// What it names, so that the order is held before anything is read.
    pub(crate) const fn named(&self) -> Named<'_> {
        Named::Order(&self.order)
    }
}

/// What became of it.
pub type ParcelDone = Result<Box<Stepped>, Refused>;

/// What happened.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The order's number.
    pub order: Id,
    /// The parcel after it, where it was about one.
    pub parcel: Option<Parcel>,
    /// The transaction that tells of a capture, or of giving up.
    pub transaction: Option<Transaction>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such order, or it was deleted.
    OrderUnknown,
    /// The rules say no.
    Fault(Fault),
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &ParcelAsk,
    means: Means<'_>,
) -> Result<ParcelDone, StoreError> {
    let Some(order) = world.resolve(tx, store, &ask.order)? else { return Ok(Err(Refused::OrderUnknown)) };
    let facts = world.facts(tx, store, order)?.clone();
    if facts.order.life.deleted_ms.is_some() {
        return Ok(Err(Refused::OrderUnknown));
    }
    let mut run = Run { tx, world, store, facts, means };
    let stepped = match &ask.step {
        Step::Pay { lines, patch } => run.pay(lines, patch.as_ref())?,
        Step::Capture { channel, void } => run.capture(channel, *void)?,
        Step::Ship(shipment) => run.ship(shipment)?,
        Step::Track { parcel, tracking } => run.track(parcel, tracking)?,
        Step::Deliver { parcel } => run.deliver(parcel)?,
        Step::Unship { parcel } => run.unship(parcel)?,
    };
    Ok(stepped.map(Box::new).map_err(Refused::Fault))
}

type Ran = Result<Result<Stepped, Fault>, StoreError>;

/// One step on one order that is held.
struct Run<'r, 't> {
    tx: &'r mut Tx<'t>,
    world: &'r mut World,
    store: i64,
    facts: Facts,
    means: Means<'r>,
}

impl Run<'_, '_> {
    fn pay(&mut self, lines: &[PayLine], patch: Option<&Value>) -> Ran {
        let now_ms = self.means.now_ms;
        let ids = &mut *self.means.ids;
        let (order, made) = match paying::pay(&self.facts, lines, now_ms, &mut || ids.next(now_ms)) {
            Ok(paid) => paid,
            Err(fault) => return Ok(Err(fault)),
        };
        transactions::insert(self.tx, self.store, &made)?;
        let document = match patch {
            Some(patch) => patch_document(self.tx, self.world, (self.store, order.id), patch)?,
            None => None,
        };
        self.put(order, document.as_deref())?;
        self.world.tell_transactions(self.store, &made);
        Ok(Ok(self.stepped(None, None)))
    }

    fn capture(&mut self, channel: &str, void: bool) -> Ran {
        let now_ms = self.means.now_ms;
        let told = transactions::of_order(self.tx, self.store, self.facts.order.id)?;
        let ids = &mut *self.means.ids;
        let captured = paying::capture(&self.facts, &told, (channel, void), now_ms, &mut || ids.next(now_ms));
        let (order, transaction) = match captured {
            Ok(captured) => captured,
            Err(fault) => return Ok(Err(fault)),
        };
        transactions::insert(self.tx, self.store, std::slice::from_ref(&transaction))?;
        if let Some(order) = order {
            self.put(order, None)?;
        }
        self.world.tell_transactions(self.store, std::slice::from_ref(&transaction));
        Ok(Ok(self.stepped(None, Some(transaction))))
    }

    fn ship(&mut self, shipment: &Shipment) -> Ran {
        let number = parcels::last_number(self.tx, self.store, self.facts.order.id)?.saturating_add(1);
        let now_ms = self.means.now_ms;
        let id = self.means.ids.next(now_ms);
        let (order, parcel) = match rules::ship(&self.facts, shipment, (id, number), now_ms) {
            Ok(shipped) => shipped,
            Err(fault) => return Ok(Err(fault)),
        };
        parcels::insert(self.tx, self.store, &parcel)?;
        self.put(order, None)?;
        self.world.tell_parcel(self.store, EventKind::ParcelCreated, &parcel);
        Ok(Ok(self.stepped(Some(parcel), None)))
    }

    fn track(&mut self, parcel: &Reference, change: &TrackingChange) -> Ran {
        let Some(found) = self.find(parcel)? else { return Ok(Err(Fault::ParcelUnknown(parcel.text.clone()))) };
        let parcel = rules::track(&found, change, self.means.now_ms);
        parcels::update(self.tx, self.store, &parcel)?;
        if parcel.tracking != found.tracking {
            self.world.tell_parcel(self.store, EventKind::ParcelUpdated, &parcel);
        }
        Ok(Ok(self.stepped(Some(parcel), None)))
    }

    fn deliver(&mut self, parcel: &Reference) -> Ran {
        let Some(found) = self.find(parcel)? else { return Ok(Err(Fault::ParcelUnknown(parcel.text.clone()))) };
        let now_ms = self.means.now_ms;
        let ids = &mut *self.means.ids;
        let delivered = match rules::deliver(&self.facts, &found, now_ms, &mut || ids.next(now_ms)) {
            Ok(Some(delivered)) => delivered,
            Ok(None) => return Ok(Ok(self.stepped(Some(found), None))),
            Err(fault) => return Ok(Err(fault)),
        };
        parcels::update(self.tx, self.store, &delivered.parcel)?;
        transactions::insert(self.tx, self.store, delivered.transaction.as_slice())?;
        self.put(delivered.order, None)?;
        self.world.tell_parcel(self.store, EventKind::ParcelUpdated, &delivered.parcel);
        self.world.tell_transactions(self.store, delivered.transaction.as_slice());
        Ok(Ok(self.stepped(Some(delivered.parcel), delivered.transaction)))
    }

    fn unship(&mut self, parcel: &Reference) -> Ran {
        let Some(found) = self.find(parcel)? else { return Ok(Err(Fault::ParcelUnknown(parcel.text.clone()))) };
        let (order, parcel) = match rules::unship(&self.facts, &found, self.means.now_ms) {
            Ok(Some(waiting)) => waiting,
            Ok(None) => return Ok(Ok(self.stepped(Some(found), None))),
            Err(fault) => return Ok(Err(fault)),
        };
        parcels::update(self.tx, self.store, &parcel)?;
        self.put(order, None)?;
        self.world.goods().never_left(self.store, &self.facts.order, &parcel);
        self.world.tell_parcel(self.store, EventKind::ParcelUpdated, &parcel);
        returns::call_off(self.tx, self.world, (self.store, parcel.order), parcel.id, self.means.now_ms)?;
        Ok(Ok(self.stepped(Some(parcel), None)))
    }

    fn find(&mut self, parcel: &Reference) -> Result<Option<Parcel>, StoreError> {
        parcels::find(self.tx, self.store, self.facts.order.id, parcel)
    }

    fn put(&mut self, order: Order, document: Option<&str>) -> Result<(), StoreError> {
        put(self.world, self.store, &self.facts, order, document, &mut self.means)
    }

    fn stepped(&self, parcel: Option<Parcel>, transaction: Option<Transaction>) -> Stepped {
        Stepped { order: self.facts.order.id, parcel, transaction }
    }
}

/// Takes an order in as it is now, with the entry that explains the difference from what it was.
pub(crate) fn put(
    world: &mut World,
    store: i64,
    before: &Facts,
    order: Order,
    document: Option<&str>,
    means: &mut Means<'_>,
) -> Result<(), StoreError> {
    let mut balances = before.balances.clone();
    balances.fit(&order);
    let postings = opening(Some(&before.order), &order);
    let now_ms = means.now_ms;
    let entry = (means.ids.next(now_ms), Happening::OrderChanged, postings);
    // What is patched here is nothing that lists go by.
    let told = || TermChange::Changed { gone: Vec::new(), more: Vec::new() };
    let document = document.map(|text| Document { text, told: told() });
    world.put_order(store, Facts::new(Arc::new(order), balances), document, entry, now_ms)
}

/// The document of an order after a merge patch (RFC 7396); `None` where there is no document that could be patched.
fn patch_document(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, Id),
    patch: &Value,
) -> Result<Option<String>, StoreError> {
    let text = world.document(tx, store, order)?;
    if text.is_empty() { Ok(None) } else { shop::patched(&text, &patch.to_string()).map(Some) }
}

/// An order with what was asked for of it.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// The order.
    pub order: Shown,
    /// What was asked for.
    pub found: T,
}

/// A page of parcels, and whether more follow.
pub type ParcelPage = (Vec<Parcel>, bool);

fn see<T>(
    store: &Store,
    tenant: i64,
    order: &Reference,
    find: impl FnOnce(&mut Tx<'_>, &Facts) -> Result<T, StoreError>,
) -> Result<Option<Seen<T>>, StoreError> {
    store.read(|tx| {
        let Some(id) = orders::resolve(tx, tenant, order)? else { return Ok(None) };
        let Some(order) = read::shown(tx, tenant, id, Beside::PARCELS)? else { return Ok(None) };
        if order.facts.order.life.deleted_ms.is_some() {
            return Ok(None);
        }
        let found = find(tx, &order.facts)?;
        Ok(Some(Seen { order, found }))
    })
}

/// A page of an order's parcels, newest first, and whether more follow.
pub fn list(
    store: &Store,
    tenant: i64,
    order: &Reference,
    query: &ParcelQuery,
) -> Result<Option<Seen<ParcelPage>>, StoreError> {
    see(store, tenant, order, |tx, facts| parcels::list(tx, tenant, facts.order.id, query))
}

/// How many parcels a list has, on all its pages.
pub fn count(
    store: &Store,
    tenant: i64,
    order: &Reference,
    query: &ParcelQuery,
) -> Result<Option<Seen<i64>>, StoreError> {
    see(store, tenant, order, |tx, facts| parcels::count(tx, tenant, facts.order.id, query))
}

/// One parcel of an order.
pub fn one(
    store: &Store,
    tenant: i64,
    order: &Reference,
    parcel: &Reference,
) -> Result<Option<Seen<Option<Parcel>>>, StoreError> {
    see(store, tenant, order, |tx, facts| parcels::find(tx, tenant, facts.order.id, parcel))
}

/// The money of an order: what came in, and what went back.
#[derive(Clone, Debug)]
pub struct Money {
    /// Its payments as they stand.
    pub slips: Vec<Slip>,
    /// Its transactions as they are now, oldest first.
    pub transactions: Vec<Transaction>,
    /// Its refunds, oldest first, at most [`REFUNDS_LISTED_MAX`].
    pub refunds: Vec<Refund>,
}

/// The money of an order, with its refunds where they are wanted.
pub fn money(
    store: &Store,
    tenant: i64,
    order: &Reference,
    with_refunds: bool,
) -> Result<Option<Seen<Money>>, StoreError> {
    see(store, tenant, order, |tx, facts| {
        let id = facts.order.id;
        let told = transactions::of_order(tx, tenant, id)?;
        let refunds = if with_refunds {
            refunds::first_of_order(tx, tenant, id, i64::from(REFUNDS_LISTED_MAX))?
        } else {
            Vec::new()
        };
        Ok(Money { slips: slips::slips(facts, &told), transactions: paying::shown(facts, &told), refunds })
    })
}

/// The transactions of an order as they are now, oldest first.
pub fn of_order(store: &Store, tenant: i64, order: &Reference) -> Result<Option<Seen<Vec<Transaction>>>, StoreError> {
    see(store, tenant, order, |tx, facts| {
        Ok(paying::shown(facts, &transactions::of_order(tx, tenant, facts.order.id)?))
    })
}
