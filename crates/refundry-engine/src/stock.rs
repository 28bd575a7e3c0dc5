//! What a refund client reads of goods: locations, variants, their stock, the shop; and what refunds make of it.
//!
//! An order that is made here may take its units; one that came in was made by somebody who counted them already.
//! A refund that puts units back raises their stock in the transaction that accepts it; where it fails as a whole, they
//! are taken from where they were put. Refunds made elsewhere move nothing: who made them counted their units already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use refundry_core::command::RefundRequest;
use refundry_core::event::EventKind;
use refundry_core::limits::{LOCATIONS_LISTED_MAX, STOCK_LEVELS_LISTED_MAX, STOCK_NAME_CHARS_MAX, STOCK_UNITS_MAX};
use refundry_core::order::{Id, Line, Order, Reference};
use refundry_core::parcels::Parcel;
use refundry_core::refund::{Bucket, Refund, Restock, Shape, UnitMove};
use refundry_store::locations::{self, LocationRecord};
use refundry_store::stock::{self, Level, MoveRow, MoveWhy};
use refundry_store::variants::{self, VariantRecord};
use refundry_store::{Store, StoreError, Tx};

use crate::accept::{Means, Named};
use crate::ids::Ids;
use crate::settings::{self, Shopline, ShoplineAsk};
use crate::world::World;

/// Digits of a number of ours where a caller names something by it.
const NUMBER_DIGITS: usize = 18;
/// What a store calls its default location until somebody names it.
const DEFAULT_NAME: &str = "Default location";

/// What the writer is asked to do.
#[derive(Clone, Debug)]
pub enum StockAsk {
    /// Make the default location, unless it is there.
    Open,
    /// Count so many more (or fewer) units of a variant at a location.
    Adjust {
        /// The variant, by our number or the platform's id.
        variant: Reference,
        /// The location, by our number or the platform's id.
        location: Reference,
        /// Units, at most [`STOCK_UNITS_MAX`] either way.
        by: i64,
    },
    /// Count exactly so many.
    Set {
        /// The variant.
        variant: Reference,
        /// The location; the default one where absent.
        location: Option<Reference>,
        /// Units.
        units: i64,
    },
    /// Have a variant at a location, with none if it was not there.
    Connect {
        /// The variant.
        variant: Reference,
        /// The location.
        location: Reference,
    },
    /// Have it there no more; what there was of it is gone.
    Disconnect {
        /// The variant.
        variant: Reference,
        /// The location.
        location: Reference,
    },
    /// Change what SHOPLINE's API says of the store.
    Present(ShoplineAsk),
}

impl StockAsk {
    /// What it names, so that the order is held before anything is read: no order, which none of this decides on.
    pub(crate) const fn named(&self) -> Named<'_> {
        match self {
            Self::Open
            | Self::Adjust { .. }
            | Self::Set { .. }
            | Self::Connect { .. }
            | Self::Disconnect { .. }
            | Self::Present(_) => Named::Nothing,
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub enum StockDone {
    /// To `Open` and `Disconnect`.
    Done,
    /// To `Adjust`, `Set` and `Connect`: what is there now.
    Level(Box<Shelf>),
    /// To `Present`: what it says after it.
    Presented(Box<Shopline>),
    /// Nothing was done.
    Refused(StockFault),
}

/// Why stock cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockFault {
    /// No such variant.
    VariantUnknown,
    /// No such location.
    LocationUnknown,
    /// There would be more than [`STOCK_UNITS_MAX`], or more than that below zero.
    TooMany,
}

/// The number of a store's default location: the store's own.
pub fn default_location(tenant: i64) -> Result<Id, StoreError> {
    Id::try_from(tenant).map_err(|_| StoreError::defect("the number of a store is not negative"))
}

/// Whether the default location is there.
pub fn is_open(store: &Store, tenant: i64) -> Result<bool, StoreError> {
    let id = default_location(tenant)?;
    store.read(|tx| Ok(locations::get(tx, tenant, id)?.is_some()))
}

/// The oldest locations of a store, at most [`LOCATIONS_LISTED_MAX`]; the default one, once it is there, comes first.
pub fn locations(store: &Store, tenant: i64) -> Result<Vec<LocationRecord>, StoreError> {
    store.read(|tx| locations::list(tx, tenant, LOCATIONS_LISTED_MAX))
}

/// A location by a name of it.
pub fn location(store: &Store, tenant: i64, named: &Reference) -> Result<Option<LocationRecord>, StoreError> {
    store.read(|tx| locations::find(tx, tenant, named))
}

/// Variants by name, in the order asked for; nothing stands for one that nobody knows.
pub fn variants(store: &Store, tenant: i64, named: &[Reference]) -> Result<Vec<VariantRecord>, StoreError> {
    store.read(|tx| variants::find_all(tx, tenant, named))
}

/// A variant and its units at all locations together.
pub fn variant(store: &Store, tenant: i64, named: &Reference) -> Result<Option<(VariantRecord, i64)>, StoreError> {
    store.read(|tx| {
        let Some(variant) = variants::find_all(tx, tenant, std::slice::from_ref(named))?.pop() else {
            return Ok(None);
        };
        let total = stock::total(tx, tenant, variant.id)?;
        Ok(Some((variant, total)))
    })
}

/// A place where a variant is, as a list shows it.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// How much of it there is.
    pub level: Level,
    /// The place.
    pub place: LocationRecord,
    /// The platform's id of the variant, else its stock keeping unit.
    pub variant: String,
}

/// Stock by variant and location, at most [`STOCK_LEVELS_LISTED_MAX`] places; an empty list of names leaves nothing
/// out, and a name that nobody knows finds nothing.
pub fn levels(
    store: &Store,
    tenant: i64,
    of_variants: &[Reference],
    at_locations: &[Reference],
) -> Result<Vec<Shelf>, StoreError> {
    let default = default_location(tenant)?;
    store.read(|tx| {
        let mut ids: BTreeMap<Id, String> =
            variants::find_all(tx, tenant, of_variants)?.into_iter().map(|v| (v.id, v.external_id)).collect();
        let known: Vec<Id> = ids.keys().copied().collect();
        let named: Vec<(i64, &Reference)> = at_locations.iter().map(|reference| (tenant, reference)).collect();
        let places: Vec<Id> = locations::find_many(tx, &named)?.into_iter().flatten().collect();
        if (known.is_empty() && !of_variants.is_empty()) || (places.is_empty() && !at_locations.is_empty()) {
            return Ok(Vec::new());
        }
        let found = stock::list(tx, tenant, (&known, &places), default, STOCK_LEVELS_LISTED_MAX)?;
        if of_variants.is_empty() {
            let mut listed: Vec<Id> = found.iter().map(|level| level.variant).collect();
            listed.dedup();
            ids = variants::external_ids(tx, tenant, &listed)?;
        }
        let mut read: BTreeMap<Id, LocationRecord> = BTreeMap::new();
        let mut shelves = Vec::with_capacity(found.len());
        for level in found {
            let place = match read.get(&level.location) {
                Some(place) => place.clone(),
                None => locations::get(tx, tenant, level.location)?
                    .ok_or_else(|| StoreError::defect("a location that stock names is not there"))?,
            };
            read.insert(place.id, place.clone());
            let variant = ids.get(&level.variant).cloned();
            let variant = variant.ok_or_else(|| StoreError::defect("a variant that stock names is not there"))?;
            shelves.push(Shelf { level, place, variant });
        }
        Ok(shelves)
    })
}

pub(crate) fn run(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    ask: &StockAsk,
    means: Means<'_>,
) -> Result<StockDone, StoreError> {
    let Means { ids, now_ms, .. } = means;
    if let StockAsk::Present(ask) = ask {
        return Ok(StockDone::Presented(Box::new(settings::present(tx, store, ask)?)));
    }
    // What the jobs before this one moved comes first.
    settle(tx, world, ids, now_ms)?;
    open(tx, [store].into(), now_ms)?;
    let (variant, place) = match ask {
        StockAsk::Open | StockAsk::Present(_) => return Ok(StockDone::Done),
        StockAsk::Adjust { variant, location, .. }
        | StockAsk::Connect { variant, location }
        | StockAsk::Disconnect { variant, location } => (variant, Some(location)),
        StockAsk::Set { variant, location, .. } => (variant, location.as_ref()),
    };
    let Some(variant) = variants::find_all(tx, store, std::slice::from_ref(variant))?.pop() else {
        return Ok(StockDone::Refused(StockFault::VariantUnknown));
    };
    let location = match place {
        None => locations::get(tx, store, default_location(store)?)?,
        Some(named) => locations::find(tx, store, named)?,
    };
    let Some(location) = location else { return Ok(StockDone::Refused(StockFault::LocationUnknown)) };
    let shelf = (store, variant.id, location.id);
    let level = match ask {
        StockAsk::Disconnect { .. } => {
            clear(tx, world, shelf, ids, now_ms)?;
            return Ok(StockDone::Done);
        }
        _ => stock::hold(tx, store, variant.id, location.id, now_ms)?,
    };
    let (by, why) = match ask {
        StockAsk::Adjust { by, .. } => (*by, MoveWhy::Adjusted),
        StockAsk::Set { units, .. } => (units.saturating_sub(level.quantity), MoveWhy::Set),
        _ => (0, MoveWhy::Set),
    };
    let quantity = level.quantity.saturating_add(by);
    if quantity.saturating_abs() > STOCK_UNITS_MAX {
        return Ok(StockDone::Refused(StockFault::TooMany));
    }
    if by == 0 {
        let shelf = Shelf { level, place: location, variant: variant.external_id };
        return Ok(StockDone::Level(Box::new(shelf)));
    }
    Moved::one(shelf, by, why, ids, now_ms).write(tx, world)?;
    let level = Level { quantity, updated_ms: now_ms, ..level };
    Ok(StockDone::Level(Box::new(Shelf { level, place: location, variant: variant.external_id })))
}

/// Takes a variant off a location.
fn clear(
    tx: &mut Tx<'_>,
    world: &mut World,
    shelf: (i64, Id, Id),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<(), StoreError> {
    let (store, variant, location) = shelf;
    let Some(level) = stock::hold_known(tx, store, variant, location)? else { return Ok(()) };
    if level.quantity != 0 {
        Moved::one(shelf, level.quantity.saturating_neg(), MoveWhy::Set, ids, now_ms).write(tx, world)?;
    }
    stock::disconnect(tx, store, variant, location)
}

/// What the jobs of a batch did that concerns goods: noted as it happens, worked out once.
#[derive(Default)]
pub(crate) struct Goods {
    /// Orders that came in: store, order.
    sold: BTreeSet<(i64, Id)>,
    /// Refunds that put units back.
    put_back: Vec<PutBack>,
    /// Refunds that had put units back, and failed as a whole.
    failed: Vec<(i64, Id)>,
    /// Orders that take their units from stock: store, order.
    taken: Vec<(i64, Id)>,
    /// Orders that were called off and give back what they took and what still waits: store, order, units by line.
    given_back: Vec<(i64, Id, Vec<u32>)>,
}

/// A refund that puts units back.
struct PutBack {
    store: i64,
    refund: Arc<Refund>,
    /// Its order put those that waited back before.
    restocked: bool,
}

impl Goods {
    /// An order came in, or was brought up to date.
    pub(crate) fn sold(&mut self, store: i64, order: Id) {
        self.sold.insert((store, order));
    }

    /// An order that was just made takes its units.
    pub(crate) fn take(&mut self, store: i64, order: Id) {
        self.taken.push((store, order));
    }

    /// A refund was accepted, or changed from what it was `before`. Almost all move no goods, which costs a look.
    pub(crate) fn refunded(&mut self, store: i64, order: &Order, before: Option<&Refund>, refund: &Arc<Refund>) {
        if refund.shape == Shape::Imported {
            return;
        }
        let is_open_again = |refund: &Refund| refund.units.iter().any(|units| units.reopened);
        let fails = before.is_some_and(|before| is_open_again(refund) && !is_open_again(before));
        if fails && order.life.restocked {
            self.wait_again(store, order, refund);
        }
        if refund.units.iter().all(|units| units.restock == Restock::No) {
            return;
        }
        match before {
            None => {
                let restocked = order.life.restocked;
                self.put_back.push(PutBack { store, refund: Arc::clone(refund), restocked });
            }
            Some(_) if fails => self.failed.push((store, refund.id)),
            Some(_) => {}
        }
    }

    /// Units wait again that a refund had taken before their order was called off and put back what waited: they go
    /// the same way. Those of a later refund are back already.
    fn wait_again(&mut self, store: i64, order: &Order, refund: &Refund) {
        if order.life.cancelled_ms.is_none_or(|cancelled_ms| refund.created_ms >= cancelled_ms) {
            return;
        }
        let mut waiting = vec![0_u32; order.lines.len()];
        for units in refund.units.iter().filter(|units| units.bucket == Bucket::Waiting) {
            if let Some(sum) = waiting.get_mut(units.line) {
                *sum = sum.saturating_add(units.quantity);
            }
        }
        self.given_back.push((store, order.id, waiting));
    }

    /// Units of a parcel never left after all: where their order was called off and put back what waited, they go the
    /// same way.
    pub(crate) fn never_left(&mut self, store: i64, order: &Order, parcel: &Parcel) {
        if order.life.restocked {
            let units = order.lines.iter().map(|line| parcel.units_of(line.id)).collect();
            self.given_back.push((store, order.id, units));
        }
    }

    fn is_empty(&self) -> bool {
        self.sold.is_empty()
            && self.put_back.is_empty()
            && self.failed.is_empty()
            && self.taken.is_empty()
            && self.given_back.is_empty()
    }
}

/// Moves that are worked out and not written yet.
struct Moved {
    rows: Vec<MoveRow>,
    now_ms: i64,
}

impl Moved {
    fn one((store, variant, location): (i64, Id, Id), moved: i64, why: MoveWhy, ids: &mut Ids, at_ms: i64) -> Self {
        let (id, refund, order) = (ids.next(at_ms), None, None);
        let row = MoveRow { store, id, variant, location, moved, why, refund, order, at_ms };
        Self { rows: vec![row], now_ms: at_ms }
    }

    /// Writes them, in the order of their keys, as everything that two writers may both want, and tells of them those
    /// who want to hear it.
    fn write(&self, tx: &mut Tx<'_>, world: &mut World) -> Result<(), StoreError> {
        let mut sums: BTreeMap<(i64, Id, Id), i64> = BTreeMap::new();
        for row in &self.rows {
            let sum = sums.entry((row.store, row.variant, row.location)).or_default();
            *sum = sum.saturating_add(row.moved);
        }
        let told = sums.iter().filter(|((store, ..), by)| **by != 0 && world.wants(*store, EventKind::StockChanged));
        let told: Vec<(i64, Id, Id)> = told.map(|(key, _)| *key).collect();
        let sums = sums.into_iter().map(|((store, variant, place), units)| (store, variant, place, units));
        stock::write(tx, &self.rows, &sums.collect::<Vec<_>>(), self.now_ms)?;
        if !told.is_empty() {
            // Read again, because only differences are written; nobody else can change it any more.
            world.tell_levels(stock::get_many(tx, &told)?);
        }
        Ok(())
    }
}

/// What moves units.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Refund(Id),
    Order(Id),
}

/// One kind of move of one refund or order, so that its units of one variant make one row.
type Kind = (i64, Id, Id, By, MoveWhy);

/// Works out what a batch did to goods, makes variants and locations known that it named first, and writes what moved.
pub(crate) fn settle(tx: &mut Tx<'_>, world: &mut World, ids: &mut Ids, now_ms: i64) -> Result<(), StoreError> {
    let goods = std::mem::take(world.goods());
    if goods.is_empty() {
        return Ok(());
    }
    let mut orders = Orders::new();
    let of_refunds = goods.put_back.iter().map(|back| (back.store, back.refund.order));
    let called_off = goods.given_back.iter().map(|(store, order, _)| (*store, *order));
    let touched = goods.sold.iter().copied().chain(of_refunds).chain(goods.taken.iter().copied()).chain(called_off);
    for key in touched {
        orders.insert(key, world.order(tx, key.0, key.1)?);
    }
    let sold = goods.sold.iter().filter_map(|key| Some((key.0, orders.get(key)?)));
    let born = sold.flat_map(|(store, order)| order.lines.iter().map(move |line| (store, &**order, line)));
    bear(tx, &born.collect::<Vec<_>>(), ids, now_ms)?;
    let mut moving = returned(&goods.put_back, &orders);
    moving.extend(taken(&goods.taken, &orders));
    moving.extend(given_back(&goods.given_back, &orders));
    let mut moves = moves_of(tx, &moving, (&goods.put_back, &orders), ids, now_ms)?;
    take_back(tx, &goods.failed, &mut moves)?;
    let rows: Vec<MoveRow> = moves
        .into_iter()
        .filter(|(_, moved)| *moved != 0)
        .map(|((store, variant, location, by, why), moved)| {
            let (refund, order) = match by {
                By::Refund(refund) => (Some(refund), None),
                By::Order(order) => (None, Some(order)),
            };
            MoveRow { store, id: ids.next(now_ms), variant, location, moved, why, refund, order, at_ms: now_ms }
        })
        .collect();
    if rows.is_empty() { Ok(()) } else { Moved { rows, now_ms }.write(tx, world) }
}

/// What a line's goods are known by: the platform's id of the variant, else the stock keeping unit. Goods without
/// either are not counted.
fn key_of(line: &Line) -> Option<&str> {
    [&line.variant_id, &line.sku].into_iter().map(String::as_str).find(|key| is_name(key))
}

/// Whether goods or a place can be known by this.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0') && text.chars().count() <= STOCK_NAME_CHARS_MAX
}

/// Makes the variants and locations of order lines known that nobody knew.
fn bear(tx: &mut Tx<'_>, lines: &[(i64, &Order, &Line)], ids: &mut Ids, now_ms: i64) -> Result<(), StoreError> {
    let places = lines.iter().map(|(store, _, line)| (*store, line.location_id.as_str()));
    let places: BTreeSet<(i64, &str)> = places.filter(|(_, place)| is_name(place)).collect();
    let mut first: BTreeMap<(i64, &str), (&Order, &Line)> = BTreeMap::new();
    for (store, order, line) in lines {
        if let Some(key) = key_of(line) {
            first.entry((*store, key)).or_insert((order, line));
        }
    }
    let born = first.into_iter().map(|((store, key), (order, line))| {
        let title = if line.variant_title.is_empty() { &line.title } else { &line.variant_title };
        VariantRecord {
            store,
            id: ids.next(now_ms),
            external_id: key.to_owned(),
            product_id: line.product_id.clone(),
            sku: line.sku.clone(),
            title: title.clone(),
            price: line.unit_price,
            currency: order.currency,
            tracked: true,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    });
    variants::insert(tx, &born.collect::<Vec<_>>())?;
    name_places(tx, places, ids, now_ms)
}

/// Makes locations known under the platform's ids of them; their names are not known yet. One that is named by our
/// number is known.
fn name_places(tx: &mut Tx<'_>, places: BTreeSet<(i64, &str)>, ids: &mut Ids, now_ms: i64) -> Result<(), StoreError> {
    let all = places.iter().map(|(store, text)| (*store, place_named(text)));
    let numbered: Vec<(i64, Reference)> = all.filter(|(_, named)| named.ours.is_some()).collect();
    let mut known: BTreeSet<(i64, &str)> = BTreeSet::new();
    if !numbered.is_empty() {
        let named: Vec<(i64, &Reference)> = numbered.iter().map(|(store, named)| (*store, named)).collect();
        let found = named.iter().zip(locations::find_many(tx, &named)?).filter(|(_, found)| found.is_some());
        known.extend(found.map(|((store, named), _)| (*store, named.text.as_str())));
    }
    let new = places.into_iter().filter(|place| !known.contains(place));
    let rows = new.map(|(store, place)| LocationRecord {
        store,
        id: ids.next(now_ms),
        external_id: Some(place.to_owned()),
        name: place.to_owned(),
        active: true,
        address: String::new(),
        created_ms: now_ms,
        updated_ms: now_ms,
    });
    locations::insert(tx, &rows.collect::<Vec<_>>())
}

/// Makes the default locations of stores, unless they are there.
fn open(tx: &mut Tx<'_>, stores: BTreeSet<i64>, now_ms: i64) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(stores.len());
    for store in stores {
        rows.push(LocationRecord {
            store,
            id: default_location(store)?,
            external_id: None,
            name: DEFAULT_NAME.to_owned(),
            active: true,
            address: String::new(),
            created_ms: now_ms,
            updated_ms: now_ms,
        });
    }
    locations::insert(tx, &rows)
}

/// Units of one line that move.
struct Moving<'r> {
    store: i64,
    by: By,
    why: MoveWhy,
    key: &'r str,
    /// Where; `None` for the default location.
    place: Option<Reference>,
    /// Above zero for more, below for fewer.
    units: i64,
}

type Orders = BTreeMap<(i64, Id), Arc<Order>>;

/// What refunds put back.
fn returned<'r>(refunds: &'r [PutBack], orders: &'r Orders) -> Vec<Moving<'r>> {
    let mut returned = Vec::new();
    for PutBack { store, refund, restocked } in refunds {
        let order = orders.get(&(*store, refund.order)).expect("the orders of all refunds were read");
        let is_back = |units: &UnitMove| *restocked && units.bucket == Bucket::Waiting;
        for moved in refund.units.iter().filter(|units| units.restock != Restock::No && !is_back(units)) {
            let line = order.lines.get(moved.line).expect("units are of a line of their order");
            let Some(key) = key_of(line) else { continue };
            let (place, units) = (place_of(&moved.location, line, order), moved.quantity.into());
            returned.push(Moving { store: *store, by: By::Refund(refund.id), why: MoveWhy::Refund, key, place, units });
        }
    }
    returned
}

/// What orders take.
fn taken<'r>(made: &[(i64, Id)], orders: &'r Orders) -> Vec<Moving<'r>> {
    let mut taken = Vec::new();
    for key in made {
        let order = orders.get(key).expect("the orders that take units were read");
        for line in &order.lines {
            let (store, by) = (key.0, By::Order(order.id));
            let Some(key) = key_of(line) else { continue };
            let units = i64::from(line.quantity).saturating_neg();
            taken.push(Moving { store, by, why: MoveWhy::Sold, key, place: place_of("", line, order), units });
        }
    }
    taken
}

/// What orders that were called off give back.
fn given_back<'r>(called_off: &'r [(i64, Id, Vec<u32>)], orders: &'r Orders) -> Vec<Moving<'r>> {
    let mut given_back = Vec::new();
    for (store, order, waiting) in called_off {
        let order = orders.get(&(*store, *order)).expect("the orders that were called off were read");
        for (line, units) in order.lines.iter().zip(waiting) {
            let (by, why) = (By::Order(order.id), MoveWhy::CalledOff);
            let Some(key) = key_of(line) else { continue };
            let (place, units) = (place_of("", line, order), i64::from(*units));
            given_back.push(Moving { store: *store, by, why, key, place, units });
        }
    }
    given_back
}

/// The moves of units; those of one kind are one.
fn moves_of(
    tx: &mut Tx<'_>,
    moving: &[Moving<'_>],
    (refunds, orders): (&[PutBack], &Orders),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<BTreeMap<Kind, i64>, StoreError> {
    let mut moves: BTreeMap<Kind, i64> = BTreeMap::new();
    if moving.is_empty() {
        return Ok(moves);
    }
    let keys: BTreeSet<(i64, &str)> = moving.iter().map(|m| (m.store, m.key)).collect();
    let known = variants_of(tx, keys, refunds, orders, ids, now_ms)?;
    let places = places_of(tx, moving, ids, now_ms)?;
    for (Moving { store, by, why, key, units, .. }, place) in moving.iter().zip(places) {
        let variant = known.get(&(*store, *key)).copied();
        let variant = variant.ok_or_else(|| StoreError::defect("a variant that was just made known is not there"))?;
        let sum = moves.entry((*store, variant, place, *by, *why)).or_default();
        *sum = sum.saturating_add(*units);
    }
    Ok(moves)
}

/// Where units go or come from: the place that is named, else that of their line, else that of their order.
fn place_of(location: &str, line: &Line, order: &Order) -> Option<Reference> {
    match [location, &line.location_id].into_iter().find(|place| is_name(place)) {
        Some(text) => Some(place_named(text)),
        None => order.life.location.map(|id| Reference { text: String::new(), ours: Some(id) }),
    }
}

/// A place as orders and refunds name it: by the platform's id, or by our number, alone or behind the 5 that callers of
/// SHOPLINE's API see before it.
fn place_named(text: &str) -> Reference {
    let number = Some(text).filter(|text| text.len() == NUMBER_DIGITS);
    let number = number.or_else(|| text.strip_prefix('5').filter(|rest| rest.len() == NUMBER_DIGITS));
    let number = number.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    Reference { text: text.to_owned(), ours: number.and_then(|text| text.parse().ok()) }
}

/// The first place where a refund would put units back and that the store does not have, or that takes none any more.
pub(crate) fn lost_place(
    tx: &mut Tx<'_>,
    world: &mut World,
    store: i64,
    request: &RefundRequest,
    (ids, now_ms): (&mut Ids, i64),
) -> Result<Option<String>, StoreError> {
    let mut seen = BTreeSet::new();
    let places: Vec<&str> = request.places().filter(|place| seen.insert(*place)).collect();
    if let Some(place) = places.iter().find(|place| !is_name(place)) {
        return Ok(Some((*place).to_owned()));
    }
    if places.is_empty() {
        return Ok(None);
    }
    let places: Vec<Reference> = places.into_iter().map(place_named).collect();
    let named: Vec<(i64, &Reference)> = places.iter().map(|place| (store, place)).collect();
    let mut found = locations::find_active(tx, &named)?;
    // An order of this very batch may have brought the place.
    if found.contains(&None) && !world.goods().is_empty() {
        settle(tx, world, ids, now_ms)?;
        found = locations::find_active(tx, &named)?;
    }
    let lost = places.iter().zip(found).find(|(_, found)| found.is_none());
    Ok(lost.map(|(place, _)| place.text.clone()))
}

/// Has an order that is called off put back what waits of it, if it took its units when it was made; whether it did.
pub(crate) fn give_back(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, Id),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<bool, StoreError> {
    // The job that made it may be one of this batch.
    settle(tx, world, ids, now_ms)?;
    if stock::sold_by(tx, store, order)?.is_empty() {
        return Ok(false);
    }
    let facts = world.facts(tx, store, order)?;
    let waiting = (0..facts.order.lines.len()).map(|line| facts.units_left(line, Bucket::Waiting)).collect();
    world.goods().given_back.push((store, order, waiting));
    Ok(true)
}

/// The first line of an order of whose goods there are not enough where it takes them: what is counted there is held
/// until the end of the transaction. Goods without a name are not counted, and never short.
pub(crate) fn short_line(
    tx: &mut Tx<'_>,
    world: &mut World,
    (store, order): (i64, &Order),
    ids: &mut Ids,
    now_ms: i64,
) -> Result<Option<usize>, StoreError> {
    // What the jobs before this one moved comes first.
    settle(tx, world, ids, now_ms)?;
    let mut wanted: BTreeMap<(Id, Id), (i64, usize)> = BTreeMap::new();
    for (index, line) in order.lines.iter().enumerate() {
        let Some(key) = key_of(line) else { continue };
        let variant = variants::find_many(tx, &[(store, key)])?.pop().flatten();
        let place = match place_of("", line, order) {
            Some(place) => locations::find_many(tx, &[(store, &place)])?.pop().flatten(),
            None => Some(default_location(store)?),
        };
        // Of what nobody knows, nobody has any.
        let (Some(variant), Some(place)) = (variant, place) else { return Ok(Some(index)) };
        let (units, _) = wanted.entry((variant, place)).or_insert((0, index));
        *units = units.saturating_add(line.quantity.into());
    }
    for ((variant, place), (units, line)) in wanted {
        let level = stock::hold_known(tx, store, variant, place)?;
        if level.is_none_or(|level| level.quantity < units) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// Our numbers of variants. Orders from before variants were known bring them along now.
fn variants_of<'k>(
    tx: &mut Tx<'_>,
    keys: BTreeSet<(i64, &'k str)>,
    refunds: &[PutBack],
    orders: &Orders,
    ids: &mut Ids,
    now_ms: i64,
) -> Result<BTreeMap<(i64, &'k str), Id>, StoreError> {
    let keys: Vec<(i64, &str)> = keys.into_iter().collect();
    let mut found = variants::find_many(tx, &keys)?;
    if found.iter().any(Option::is_none) {
        let of_refund = |back: &PutBack| Some((back.store, orders.get(&(back.store, back.refund.order))?));
        let all = refunds.iter().filter_map(of_refund);
        let lines = all.flat_map(|(store, order)| order.lines.iter().map(move |line| (store, &**order, line)));
        bear(tx, &lines.collect::<Vec<_>>(), ids, now_ms)?;
        found = variants::find_many(tx, &keys)?;
    }
    Ok(keys.into_iter().zip(found).filter_map(|(key, id)| Some((key, id?))).collect())
}

/// Our numbers of the places where units go, one for each. A place that a platform names and nobody knows is made.
fn places_of(tx: &mut Tx<'_>, moving: &[Moving<'_>], ids: &mut Ids, now_ms: i64) -> Result<Vec<Id>, StoreError> {
    let named = |found: &[Option<Id>]| moving.iter().filter(|m| m.place.is_some()).zip(found.to_vec());
    let wanted: Vec<(i64, &Reference)> = moving.iter().filter_map(|m| Some((m.store, m.place.as_ref()?))).collect();
    let mut found = locations::find_many(tx, &wanted)?;
    let new: BTreeSet<(i64, &str)> = wanted
        .iter()
        .zip(&found)
        .filter(|((_, reference), found)| found.is_none() && !reference.text.is_empty())
        .map(|((store, reference), _)| (*store, reference.text.as_str()))
        .collect();
    if !new.is_empty() {
        name_places(tx, new, ids, now_ms)?;
        found = locations::find_many(tx, &wanted)?;
    }
    let unplaced = moving.iter().filter(|m| m.place.is_none()).map(|m| m.store);
    let lost = named(&found).filter(|(_, place)| place.is_none()).map(|(m, _)| m.store);
    open(tx, unplaced.chain(lost).collect(), now_ms)?;
    let mut found = found.into_iter();
    moving
        .iter()
        .map(|m| match m.place.as_ref().and_then(|_| found.next()).flatten() {
            Some(place) => Ok(place),
            None => default_location(m.store),
        })
        .collect()
}

/// Takes what failed refunds had put back from where they had put it. Those from before stock was counted put nothing.
fn take_back(tx: &mut Tx<'_>, failed: &[(i64, Id)], moves: &mut BTreeMap<Kind, i64>) -> Result<(), StoreError> {
    for (store, refund) in failed {
        let of_batch = moves.iter().filter(|((s, _, _, by, _), _)| (*s, *by) == (*store, By::Refund(*refund)));
        let mut put: Vec<(Id, Id, i64)> = of_batch.map(|((_, v, l, ..), moved)| (*v, *l, *moved)).collect();
        put.extend(stock::put_by(tx, *store, *refund)?);
        for (variant, location, units) in put {
            let kind = (*store, variant, location, By::Refund(*refund), MoveWhy::Reopened);
            let sum = moves.entry(kind).or_default();
            *sum = sum.saturating_sub(units);
        }
    }
    Ok(())
}
