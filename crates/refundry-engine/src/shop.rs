//! Orders themselves: making one, changing it, calling it off, putting it away. None of it moves money, though one that
//! is made may tell of payments that were made with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::amend::{AmendFault, Amendment, amended};
use refundry_core::balances::Facts;
use refundry_core::command::CreateRefund;
use refundry_core::draft::{self, Draft, DraftFault, DraftLine, Made, StockRule};
use refundry_core::event::EventKind;
use refundry_core::intake::IntakeFault;
use refundry_core::journal::{Happening, opening};
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Id, Order, Reference, Status};
use refundry_core::rejection::Rejection;
use refundry_core::terms::{Term, TermChange};
use refundry_store::{StoreError, Tx, orders, parcels, series, stores, transactions, variants};
use serde_json::Value;

use crate::accept::{Means, Named};
use crate::intake::{self, ChangeFault};
use crate::stock;
use crate::world::{Document, World};

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum ShopAsk {
    /// Make an order.
    Create {
        /// What is sold.
        draft: Box<Draft>,
        /// What its dialect echoes beside the facts (JSON).
        document: String,
        /// What the document says that the order is found by.
        terms: Vec<Term>,
        /// How it is numbered, if the draft has no number.
        numbering: Series,
    },
    /// Change an order.
    Amend {
        /// Which.
        order: Reference,
        /// How.
        amendment: Box<Amendment>,
    },
    /// Call an order off.
    Cancel {
        /// Which.
        order: Reference,
        /// Why, may be empty.
        reason: String,
    },
    /// Call an order off with what goes back of its money. Done by the writer itself, because it makes a refund.
    CallOff {
        /// Which.
        order: Reference,
        /// Why, may be empty.
        reason: String,
        /// The units that wait go back into stock.
        restock: bool,
        /// The money, without units: those that wait are added to it. `None` moves none.
        refund: Option<Box<CreateRefund>>,
    },
    /// Put an order away, or take it back.
    Archive {
        /// Which.
        order: Reference,
        /// Away, or back.
        closed: bool,
    },
    /// Show an order to nobody any more.
    Delete {
        /// Which.
        order: Reference,
    },
}

/// A series of order numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Before the digits; each prefix counts for itself.
    pub prefix: &'static str,
    /// At least so many digits, zeros in front.
    pub digits: usize,
    /// The number it begins with.
    pub first: u32,
}

impl ShopAsk {
    /// What it names, so that the order is held before anything is read.
    pub(crate) const fn named(&self) -> Named<'_> {
        match self {
            Self::Create { .. } => Named::Nothing,
            Self::Amend { order, .. }
            | Self::Cancel { order, .. }
            | Self::CallOff { order, .. }
            | Self::Archive { order, .. }
            | Self::Delete { order } => Named::Order(order),
        }
    }
}

/// What became of it: the order's number.
pub type ShopDone = Result<Id, ShopNo>;

/// Why not. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopNo {
    /// No such order, or it was deleted.
    OrderUnknown(String),
    /// The draft is no order.
    Draft(DraftFault),
    /// The store sells in another currency.
    Currency {
        /// As asked.
        given: String,
        /// The store's.
        wanted: String,
    },
    /// There are not enough of a line's goods, and the draft wants them to be there: which line.
    OutOfStock(usize),
    /// The order cannot change so.
    Amend(AmendFault),
    /// It breaks what every order must keep.
    Intake(IntakeFault),
    /// It was called off before.
    CalledOff,
    /// The rules refuse the refund.
    Rejected(Box<Rejection>),
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &ShopAsk,
    means: &mut Means<'_>,
) -> Result<ShopDone, StoreError> {
    let now_ms = means.now_ms;
    match ask {
        ShopAsk::Create { draft, document, terms, numbering } => {
            let document = Document { text: document, told: TermChange::Anew(terms.clone()) };
            create(tx, world, store, (draft, document, *numbering), means)
        }
        ShopAsk::Amend { order, amendment } => amend(tx, world, (store, order), amendment, means),
        ShopAsk::Cancel { order, reason } => alter(tx, world, (store, order), means, |order| {
            if order.status != Status::Cancelled {
                call_off(order, reason, now_ms);
            }
        }),
        ShopAsk::CallOff { .. } => Err(StoreError::defect("an order is called off by the writer itself")),
        ShopAsk::Archive { order, closed } => alter(tx, world, (store, order), means, |order| {
            order.life.closed_ms = closed.then(|| order.life.closed_ms.unwrap_or(now_ms));
        }),
        ShopAsk::Delete { order } => {
            alter(tx, world, (store, order), means, |order| order.life.deleted_ms = Some(now_ms))
        }
    }
}

/// Calls an open order off.
pub(crate) fn call_off(order: &mut Order, reason: &str, now_ms: i64) {
    order.status = Status::Cancelled;
    order.life.cancelled_ms = Some(now_ms);
    reason.clone_into(&mut order.life.cancel_reason);
}

/// Everything is decided before anything is written, so that a refusal leaves nothing behind and uses up no number.
fn create(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    (draft, document, numbering): (&Draft, Document<'_>, Series),
    means: &mut Means<'_>,
) -> Result<ShopDone, StoreError> {
    let now_ms = means.now_ms;
    let record = stores::by_id(tx, store)?.ok_or_else(|| StoreError::defect("an order is made in no store"))?;
    let home = Currency::parse(&record.currency).ok_or_else(|| StoreError::defect("a store sells in no currency"))?;
    let prices = prices(tx, store, draft, home)?;
    let price = |line: &DraftLine, _| prices.get(&line.variant_id).copied();
    let order = match draft::order(draft, home, price, now_ms) {
        Ok(order) => intake::with_ids(order, None, means.ids, now_ms),
        Err(fault) => return Ok(Err(no_draft(fault))),
    };
    let ids = &mut *means.ids;
    let mut made = match draft::made(draft, order, now_ms, &mut || ids.next(now_ms)) {
        Ok(made) => made,
        Err(fault) => return Ok(Err(no_draft(fault))),
    };
    if draft.stock == StockRule::TakeIfThere
        && let Some(line) = stock::short_line(tx, world, (store, &made.order), means.ids, now_ms)?
    {
        return Ok(Err(ShopNo::OutOfStock(line)));
    }
    if made.order.number.is_empty() {
        let number = next_number(tx, store, numbering)?;
        made.shipped.iter_mut().for_each(|(order, _)| order.number.clone_from(&number));
        made.order.number = number;
    }
    let id = made.order.id;
    put_made(tx, world, store, made, document, means)?;
    if draft.stock != StockRule::Leave {
        world.goods().take(store, id);
    }
    Ok(Ok(id))
}

/// Takes in an order that was made: opened with its payments, and then shipped, as those who subscribed are told.
fn put_made(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    made: Made,
    document: Document<'_>,
    means: &mut Means<'_>,
) -> Result<(), StoreError> {
    let Made { order, transactions, shipped } = made;
    let (id, now_ms) = (order.id, means.now_ms);
    let entry = (means.ids.next(now_ms), Happening::OrderOpened, opening(None, &order));
    world.put_order(store, Facts::fresh(order), Some(document), entry, now_ms)?;
    transactions::insert(tx, store, &transactions)?;
    world.tell_transactions(store, &transactions);
    let Some((order, parcel)) = shipped else { return Ok(()) };
    let before = world.facts(tx, store, id)?.clone();
    let entry = (means.ids.next(now_ms), Happening::OrderChanged, opening(Some(&before.order), &order));
    world.put_order(store, Facts::new(Arc::new(order), before.balances), None, entry, now_ms)?;
    parcels::insert(tx, store, &parcel)?;
    world.tell_parcel(store, EventKind::ParcelCreated, &parcel);
    Ok(())
}

fn no_draft(fault: DraftFault) -> ShopNo {
    match fault {
        DraftFault::Currency { given, wanted } => {
            ShopNo::Currency { given: given.code().to_owned(), wanted: wanted.code().to_owned() }
        }
        fault => ShopNo::Draft(fault),
    }
}

/// What the variants cost, in the draft's currency, that lines without a price name.
fn prices(tx: &mut Tx<'_>, store: i64, draft: &Draft, home: Currency) -> Result<BTreeMap<String, Amount>, StoreError> {
    let currency = draft.currency.unwrap_or(home);
    let unpriced = draft.lines.iter().filter(|line| line.price.is_none() && !line.variant_id.is_empty());
    let named: Vec<Reference> = unpriced.map(|line| Reference::plain(&line.variant_id)).collect();
    let mut prices = BTreeMap::new();
    for variant in variants::find_all(tx, store, &named)? {
        if variant.currency == currency {
            prices.insert(variant.id.to_string(), variant.price);
            prices.insert(variant.external_id, variant.price);
        }
    }
    Ok(prices)
}

/// The next number of the series that no order has. Where an import brought a long run of them, it is leapt over in
/// growing steps, so that nobody waits while they are tried one by one; what is left out between is not used.
fn next_number(tx: &mut Tx<'_>, store: i64, series: Series) -> Result<String, StoreError> {
    /// So many numbers in a row are tried one by one.
    const ONE_BY_ONE: u32 = 16;
    let Series { prefix, digits, first } = series;
    let (mut step, mut tried) = (1_i64, 0_u32);
    loop {
        // A series counts from 1.
        let number = series::advance(tx, store, prefix, step)?.saturating_add(i64::from(first)).saturating_sub(1);
        let number = format!("{prefix}{number:0digits$}");
        if orders::by_number(tx, store, &number)?.is_none() {
            return Ok(number);
        }
        tried = tried.saturating_add(1);
        step = if tried < ONE_BY_ONE { 1 } else { step.saturating_mul(2) };
    }
}

fn amend(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, &Reference),
    amendment: &Amendment,
    means: &mut Means<'_>,
) -> Result<ShopDone, StoreError> {
    let document = match world.resolve(tx, store, order)? {
        Some(id) if !amendment.document.is_empty() => {
            Some(patched(&world.document(tx, store, id)?, &amendment.document)?)
        }
        Some(_) | None => None,
    };
    let mut no = None;
    let told = || amendment.terms.clone().unwrap_or_else(|| TermChange::Changed { gone: Vec::new(), more: Vec::new() });
    let document = document.as_deref().map(|text| Document { text, told: told() });
    let changed = intake::change(tx, world, (store, order), document, (means.ids, means.now_ms), |facts| {
        amended(facts, amendment).map_err(|fault| {
            no = Some(fault);
            ChangeFault::Refused
        })
    })?;
    Ok(match (changed, no) {
        (Ok(order), _) => {
            world.tell_edited(store, order.id);
            Ok(order.id)
        }
        (Err(_), Some(fault)) => Err(ShopNo::Amend(fault)),
        (Err(fault), None) => Err(no_of(fault)),
    })
}

pub(crate) fn alter(
    tx: &mut Tx<'_>,
    world: &mut World,
    named: (i64, &Reference),
    means: &mut Means<'_>,
    edit: impl FnOnce(&mut Order),
) -> Result<ShopDone, StoreError> {
    let changed = intake::change(tx, world, named, None, (means.ids, means.now_ms), |facts| {
        let mut order = Order::clone(&facts.order);
        edit(&mut order);
        Ok(order)
    })?;
    Ok(changed.map(|order| order.id).map_err(no_of))
}

fn no_of(fault: ChangeFault) -> ShopNo {
    match fault {
        ChangeFault::OrderUnknown(order) => ShopNo::OrderUnknown(order),
        ChangeFault::Intake(fault) => ShopNo::Intake(fault),
        // Only what ships units, or was refused for a reason of its own, says these.
        ChangeFault::LineUnknown(what) | ChangeFault::TooManyUnits { line: what, .. } => {
            ShopNo::Intake(IntakeFault::ChangesRefunded { what })
        }
        ChangeFault::Refused => ShopNo::Intake(IntakeFault::ChangesRefunded { what: "the order".to_owned() }),
    }
}

/// A document after a merge patch: keys of the patch win, objects are merged, `null` takes a key away.
pub(crate) fn patched(document: &str, patch: &str) -> Result<String, StoreError> {
    let read = |text: &str| -> Result<Value, StoreError> {
        serde_json::from_str(text).map_err(|error| StoreError::defect(format!("a document is no JSON: {error}")))
    };
    let mut document = if document.is_empty() { Value::Null } else { read(document)? };
    merge(&mut document, read(patch)?);
    Ok(document.to_string())
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_merges_objects_and_takes_nulls_away() {
        let merged = |document: &str, patch: &str| patched(document, patch).unwrap();
        assert_eq!(merged(r#"{"order":{"a":1,"b":{"c":1}}}"#, r#"{"order":{"b":{"d":[2]},"a":null}}"#), {
            r#"{"order":{"b":{"c":1,"d":[2]}}}"#
        });
        assert_eq!(merged("", r#"{"order":{"note":"x"}}"#), r#"{"order":{"note":"x"}}"#);
        assert_eq!(merged(r#"{"a":[1,2]}"#, r#"{"a":[3]}"#), r#"{"a":[3]}"#);
        assert!(patched("{", "{}").is_err());
    }
}
