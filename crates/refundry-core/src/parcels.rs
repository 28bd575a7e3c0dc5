//! What leaves with an order: parcels are shipped, delivered, or called off again. Facts and an ask in, the order and
//! the parcel after it or a named refusal out.
//!
//! A parcel takes units that wait and makes them shipped ones; delivering it adds to what the order's life counts as
//! delivered. Units may be shipped without any parcel: an order may come in so.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::balances::Facts;
use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::order::{Id, Order, OrderFault, Reference, Status};
use crate::paying::{self, Transaction};
use crate::query::{Page, TimeRange};
use crate::refund::Bucket;
use crate::slips::SlipFault;
use crate::standing::{self, Goods};

/// Units on their way to the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Our number.
    pub id: Id,
    /// The order's number.
    pub order: Id,
    /// The platform's id, unique in the order.
    pub external_id: Option<String>,
    /// Running number within the order, from 1.
    pub number: u32,
    /// Where it is.
    pub state: ParcelState,
    /// What is in it, each line once.
    pub units: Vec<ParcelUnits>,
    /// How it is followed.
    pub tracking: Tracking,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it last changed, epoch milliseconds.
    pub updated_ms: i64,
}

/// Units of one line in a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParcelUnits {
    /// Our number of the line.
    pub line: Id,
    /// How many.
    pub quantity: u32,
}

/// Where a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParcelState {
    /// Packed.
    Waiting,
    /// On its way.
    Shipped,
    /// Delivered.
    Finished,
    /// Called off; its units wait again.
    Cancelled,
}

impl ParcelState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Shipped, Self::Finished, Self::Cancelled];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Shipped => "shipped",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// How a parcel is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Its tracks, the main one first.
    pub tracks: Vec<Track>,
    /// The carrier's telephone number, may be empty.
    pub phone: String,
}

/// One way to follow a parcel; each text may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Tracking number.
    pub number: String,
    /// Carrier.
    pub company: String,
    /// Code of the carrier.
    pub company_code: String,
    /// Where to look.
    pub url: String,
}

/// What changes of how a parcel is followed; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingChange {
    /// All tracks anew.
    pub tracks: Option<Vec<Track>>,
    /// Number of the main track.
    pub number: Option<String>,
    /// Carrier of the main track.
    pub company: Option<String>,
    /// Code of that carrier.
    pub company_code: Option<String>,
    /// Where to look for the main track.
    pub url: Option<String>,
    /// The carrier's telephone number.
    pub phone: Option<String>,
}

impl Tracking {
    /// The main track, blank where there is none.
    pub fn main(&self) -> Track {
        self.tracks.first().cloned().unwrap_or_default()
    }

    /// This with a change.
    #[must_use]
    pub fn with(&self, change: &TrackingChange) -> Self {
        let TrackingChange { tracks, number, company, company_code, url, phone } = change;
        let mut tracking = self.clone();
        if let Some(tracks) = tracks {
            tracking.tracks.clone_from(tracks);
        }
        let mut main = tracking.main();
        let texts = [
            (number, &mut main.number),
            (company, &mut main.company),
            (company_code, &mut main.company_code),
            (url, &mut main.url),
        ];
        let mut changed = false;
        for (given, text) in texts {
            if let Some(given) = given {
                text.clone_from(given);
                changed = true;
            }
        }
        if changed {
            tracking.tracks = std::iter::once(main).chain(tracking.tracks.into_iter().skip(1)).collect();
        }
        if let Some(phone) = phone {
            tracking.phone.clone_from(phone);
        }
        tracking
    }
}

/// What is to be shipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shipment {
    /// Lines, each with how many units, or `None` for all that wait. Without an entry: all that waits of all lines.
    pub units: Vec<(Reference, Option<u32>)>,
    /// How the parcel is followed.
    pub tracking: TrackingChange,
}

/// Which parcels of an order, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelQuery {
    /// When it was made.
    pub created: TimeRange,
    /// When it last changed.
    pub updated: TimeRange,
    /// Where the page starts: at the beginning, after some, or after a key (when it was made, and its number).
    pub page: Page,
    /// At most this many, 1 to 1,000.
    pub limit: u32,
}

impl Default for ParcelQuery {
    fn default() -> Self {
        Self { created: TimeRange::default(), updated: TimeRange::default(), page: Page::Start, limit: 10 }
    }
}

/// Why an order is not paid, shipped or delivered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The order was called off.
    OrderCancelled,
    /// All that the order costs is paid.
    AlreadyPaid,
    /// No payment through this channel waits to be captured.
    NothingToCapture(String),
    /// The order has no payment through this channel.
    ChannelUnknown(String),
    /// An amount that is none: which payment, the amount, and why.
    AmountInvalid {
        /// Which entry.
        entry: usize,
        /// As asked.
        amount: Decimal,
        /// Why not.
        why: AmountError,
    },
    /// More is paid than is open.
    PaysTooMuch {
        /// What the payments come to.
        asked: Amount,
        /// What is open.
        open: Amount,
        /// The order's currency.
        currency: Currency,
    },
    /// The order has no such parcel.
    ParcelUnknown(String),
    /// The order has no such line.
    LineUnknown {
        /// Which entry.
        entry: usize,
        /// As named.
        line: String,
    },
    /// More units than wait to be shipped.
    TooManyUnits {
        /// Which entry.
        entry: usize,
        /// The line, as named.
        line: String,
        /// Units asked for.
        asked: u32,
        /// Units that wait, apart from those of entries before.
        waiting: u32,
    },
    /// None of the units waits to be shipped.
    NothingToShip,
    /// The parcel's state does not allow it.
    ParcelOver(ParcelState),
    /// Units of the parcel were refunded as shipped ones, so they cannot wait again.
    UnitsRefunded {
        /// The line's title.
        line: String,
    },
    /// A payment slip cannot be made or changed so.
    Slip(SlipFault),
    /// The order would break a rule of all orders.
    Order(OrderFault),
}

/// Makes a parcel of units that wait. `number` is its running number within the order.
pub fn ship(
    facts: &Facts,
    shipment: &Shipment,
    (id, number): (Id, u32),
    now_ms: i64,
) -> Result<(Order, Parcel), Fault> {
    if facts.order.status == Status::Cancelled {
        return Err(Fault::OrderCancelled);
    }
    let taken = units_to_ship(facts, shipment)?;
    let mut order = Order::clone(&facts.order);
    let mut units = Vec::new();
    for (index, quantity) in taken {
        let Some(line) = order.lines.get_mut(index).filter(|_| quantity > 0) else { continue };
        line.shipped = line.shipped.saturating_add(quantity);
        units.push(ParcelUnits { line: line.id, quantity });
    }
    if units.is_empty() {
        return Err(Fault::NothingToShip);
    }
    order.updated_ms = now_ms;
    let after = with_order(facts, &order);
    if (0..order.lines.len()).all(|line| after.units_left(line, Bucket::Waiting) == 0) {
        order.life.fulfilled_ms = Some(now_ms);
    }
    let parcel = Parcel {
        id,
        order: order.id,
        external_id: None,
        number,
        state: ParcelState::Shipped,
        units,
        tracking: Tracking::default().with(&shipment.tracking),
        created_ms: now_ms,
        updated_ms: now_ms,
    };
    Ok((order, parcel))
}

/// Line and units of a shipment; entries for one line add up.
fn units_to_ship(facts: &Facts, shipment: &Shipment) -> Result<BTreeMap<usize, u32>, Fault> {
    let waiting = |line: usize| facts.units_left(line, Bucket::Waiting);
    if shipment.units.is_empty() {
        return Ok((0..facts.order.lines.len()).map(|line| (line, waiting(line))).collect());
    }
    let mut taken: BTreeMap<usize, u32> = BTreeMap::new();
    for (entry, (reference, quantity)) in shipment.units.iter().enumerate() {
        let unknown = || Fault::LineUnknown { entry, line: reference.text.clone() };
        let line = facts.order.find_line(reference).ok_or_else(unknown)?;
        let before = taken.entry(line).or_default();
        let left = waiting(line).saturating_sub(*before);
        let asked = quantity.unwrap_or(left);
        if asked > left {
            return Err(Fault::TooManyUnits { entry, line: reference.text.clone(), asked, waiting: left });
        }
        *before = before.saturating_add(asked);
    }
    Ok(taken)
}

/// A parcel that arrived: the order and the parcel after it, and the transaction where cash came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The order after it.
    pub order: Order,
    /// The parcel after it.
    pub parcel: Parcel,
    /// Cash on delivery that counts as captured with it.
    pub transaction: Option<Transaction>,
}

/// A parcel arrives; `None` where it had arrived before.
///
/// Once the last unit is delivered, an order of which nothing is paid and that has a payment by cash on delivery
/// counts as paid by it; `next` numbers the transaction.
pub fn deliver(
    facts: &Facts,
    parcel: &Parcel,
    now_ms: i64,
    next: &mut dyn FnMut() -> Id,
) -> Result<Option<Delivered>, Fault> {
    match parcel.state {
        ParcelState::Finished => return Ok(None),
        ParcelState::Cancelled => return Err(Fault::ParcelOver(parcel.state)),
        ParcelState::Waiting | ParcelState::Shipped => {}
    }
    let mut order = Order::clone(&facts.order);
    order.life.delivered.resize(order.lines.len(), 0);
    let counts = order.life.delivered.iter_mut().zip(&order.lines);
    for (delivered, line) in counts {
        // Where the order came in anew with fewer units shipped, no more of them can have arrived.
        *delivered = delivered.saturating_add(parcel.units_of(line.id)).min(line.shipped);
    }
    order.updated_ms = now_ms;
    let mut transaction = None;
    if standing::goods(&with_order(facts, &order)) == Goods::Finished {
        order.life.finished_ms = Some(now_ms);
        transaction = paying::collect_on_delivery(&mut order, now_ms, next);
    }
    order.validate().map_err(Fault::Order)?;
    let parcel = Parcel { state: ParcelState::Finished, updated_ms: now_ms, ..parcel.clone() };
    Ok(Some(Delivered { order, parcel, transaction }))
}

/// A parcel is called off: its units wait again. `None` where it was called off before.
///
/// Refused once it is delivered, and where units of it, or money for them, were refunded as shipped.
pub fn unship(facts: &Facts, parcel: &Parcel, now_ms: i64) -> Result<Option<(Order, Parcel)>, Fault> {
    match parcel.state {
        ParcelState::Cancelled => return Ok(None),
        ParcelState::Finished => return Err(Fault::ParcelOver(parcel.state)),
        ParcelState::Waiting | ParcelState::Shipped => {}
    }
    let mut order = Order::clone(&facts.order);
    for (index, line) in order.lines.iter_mut().enumerate() {
        let quantity = parcel.units_of(line.id);
        let needed = facts.units_refunded(index).shipped.max(order.life.delivered(index));
        match line.shipped.checked_sub(quantity).filter(|left| quantity == 0 || *left >= needed) {
            Some(left) => line.shipped = left,
            None => return Err(Fault::UnitsRefunded { line: line.title.clone() }),
        }
    }
    order.updated_ms = now_ms;
    order.life.fulfilled_ms = None;
    check_captured(facts, &order)?;
    let parcel = Parcel { state: ParcelState::Cancelled, updated_ms: now_ms, ..parcel.clone() };
    Ok(Some((order, parcel)))
}

/// Where only what is shipped counts as captured, what refunds hold of it must stay captured.
fn check_captured(facts: &Facts, after: &Order) -> Result<(), Fault> {
    for (component, held) in after.components.iter().zip(&facts.balances.components) {
        let (net, tax) = after.captured_part(component);
        if held.net > net || held.tax > tax {
            let line = component.line.and_then(|line| after.lines.get(line));
            return Err(Fault::UnitsRefunded { line: line.map(|line| line.title.clone()).unwrap_or_default() });
        }
    }
    Ok(())
}

/// How a parcel is followed changes, whatever its state.
pub fn track(parcel: &Parcel, change: &TrackingChange, now_ms: i64) -> Parcel {
    Parcel { tracking: parcel.tracking.with(change), updated_ms: now_ms, ..parcel.clone() }
}

impl Parcel {
    /// Units of a line in it.
    pub fn units_of(&self, line: Id) -> u32 {
        self.units.iter().filter(|units| units.line == line).fold(0, |sum, units| sum.saturating_add(units.quantity))
    }
}

fn with_order(facts: &Facts, order: &Order) -> Facts {
    Facts { order: Arc::new(order.clone()), balances: facts.balances.clone(), terms: facts.terms.clone() }
}
