//! Goods that come back: a return says which units are on their way, nothing of money. Facts and an ask in, the return
//! or a named refusal out.
//!
//! A unit is spoken for while an open return holds it, and once it was refunded as a shipped one: both count, as nobody
//! can tell whether they are the same unit. A return that is closed lets its units go, whatever was paid for them.

use std::collections::BTreeMap;

use crate::balances::Facts;
use crate::limits::RETURNS_PER_ORDER_MAX;
use crate::order::{Id, Reference};
use crate::parcels::{Parcel, ParcelState};

/// Units on their way back from the buyer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// Our number.
    pub id: Id,
    /// The order's number.
    pub order: Id,
    /// Where it stands.
    pub state: ReturnState,
    /// Free text, may be empty.
    pub reason: String,
    /// Whether the buyer was to be told when it was made, or closed.
    pub notify: bool,
    /// When the caller says it was asked for, if they said so, epoch milliseconds.
    pub processed_ms: Option<i64>,
    /// What is in it; units of one line may stand in several entries.
    pub lines: Vec<ReturnLine>,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it last changed, epoch milliseconds.
    pub updated_ms: i64,
}

/// Units of one line that come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnLine {
    /// Our number of the entry.
    pub id: Id,
    /// Our number of the parcel that they left in; `None` where that is not known.
    pub parcel: Option<Id>,
    /// Our number of the order's line.
    pub line: Id,
    /// How many, at least one.
    pub quantity: u32,
    /// Why, where that was said.
    pub reason: Option<ReturnReason>,
    /// More about it, may be empty.
    pub note: String,
}

/// Where a return stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnState {
    /// Its units are on their way.
    Open,
    /// Nobody waits for its units any more.
    Closed,
    /// Its units never left after all.
    Cancelled,
}

impl ReturnState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Closed, Self::Cancelled];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// Why units come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnReason {
    /// The colour.
    Color,
    /// It does not work.
    Defective,
    /// It is not what was described.
    NotAsDescribed,
    /// Something else.
    Other,
    /// Too large.
    TooLarge,
    /// Too small.
    TooSmall,
    /// The style.
    Style,
    /// It is not wanted any more.
    Unwanted,
    /// It is another item than was ordered.
    WrongItem,
}

impl ReturnReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Color,
        Self::Defective,
        Self::NotAsDescribed,
        Self::Other,
        Self::TooLarge,
        Self::TooSmall,
        Self::Style,
        Self::Unwanted,
        Self::WrongItem,
    ];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Color => "color",
            Self::Defective => "defective",
            Self::NotAsDescribed => "not_as_described",
            Self::Other => "other",
            Self::TooLarge => "too_large",
            Self::TooSmall => "too_small",
            Self::Style => "style",
            Self::Unwanted => "unwanted",
            Self::WrongItem => "wrong_item",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// What is to come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnDraft {
    /// Units of lines; entries for the same units add up.
    pub units: Vec<ReturnUnits>,
    /// Free text, may be empty.
    pub reason: String,
    /// Whether the buyer is to be told.
    pub notify: bool,
    /// When it was asked for, if another time than now, epoch milliseconds.
    pub processed_ms: Option<i64>,
}

/// Units of one line that are to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUnits {
    /// The parcel that they left in; `None` where the caller does not say.
    pub parcel: Option<Reference>,
    /// Which line.
    pub line: Reference,
    /// How many.
    pub quantity: i64,
    /// Why, where that is said.
    pub reason: Option<ReturnReason>,
    /// More about it, may be empty.
    pub note: String,
}

/// Why units cannot come back as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnFault {
    /// There is no such return.
    ReturnUnknown(String),
    /// The return is over in another way.
    Over(ReturnState),
    /// It names no units.
    NoUnits,
    /// The order has as many returns as it may have.
    TooMany,
    /// The order has no such line.
    LineUnknown {
        /// Which entry.
        entry: usize,
        /// As named.
        line: String,
    },
    /// The order has no such parcel.
    ParcelUnknown {
        /// Which entry.
        entry: usize,
        /// As named.
        parcel: String,
    },
    /// The parcel was called off: its units never left.
    ParcelCancelled {
        /// Which entry.
        entry: usize,
        /// As named.
        parcel: String,
    },
    /// The parcel holds no unit of the line.
    NotInParcel {
        /// Which entry.
        entry: usize,
        /// The line, as named.
        line: String,
        /// The parcel, as named.
        parcel: String,
    },
    /// No units, or fewer.
    QuantityInvalid {
        /// Which entry.
        entry: usize,
    },
    /// More units than left and are not spoken for.
    TooManyUnits {
        /// Which entry.
        entry: usize,
        /// The line, as named.
        line: String,
        /// Units asked for.
        asked: i64,
        /// Units that can come back, apart from those of entries before.
        left: u32,
    },
}

/// Makes a return of units that left.
///
/// `parcels` and `before` are all parcels and returns of the order; `next` numbers the return, then each entry.
pub fn open(
    facts: &Facts,
    parcels: &[Parcel],
    before: &[Return],
    draft: &ReturnDraft,
    now_ms: i64,
    next: &mut dyn FnMut() -> Id,
) -> Result<Return, ReturnFault> {
    if draft.units.is_empty() {
        return Err(ReturnFault::NoUnits);
    }
    if before.len() >= RETURNS_PER_ORDER_MAX {
        return Err(ReturnFault::TooMany);
    }
    let mut held = Held::by(before);
    let mut found = Vec::with_capacity(draft.units.len());
    for (entry, units) in draft.units.iter().enumerate() {
        found.push(held.take(facts, parcels, entry, units)?);
    }
    // From here on it succeeds.
    let id = next();
    let line = |((parcel, line, quantity), units): ((Option<Id>, Id, u32), &ReturnUnits)| {
        let ReturnUnits { reason, note, .. } = units.clone();
        ReturnLine { id: next(), parcel, line, quantity, reason, note }
    };
    Ok(Return {
        id,
        order: facts.order.id,
        state: ReturnState::Open,
        reason: draft.reason.clone(),
        notify: draft.notify,
        processed_ms: draft.processed_ms,
        lines: found.into_iter().zip(&draft.units).map(line).collect(),
        created_ms: now_ms,
        updated_ms: now_ms,
    })
}

/// Nobody waits for its units any more; `None` where it was closed before.
pub fn close(back: &Return, notify: bool, now_ms: i64) -> Result<Option<Return>, ReturnFault> {
    match back.state {
        ReturnState::Closed => Ok(None),
        ReturnState::Cancelled => Err(ReturnFault::Over(back.state)),
        ReturnState::Open => Ok(Some(Return {
            state: ReturnState::Closed,
            notify: back.notify || notify,
            updated_ms: now_ms,
            ..back.clone()
        })),
    }
}

/// A parcel was called off, so what is in it never left: `None` where an open return waits for none of that.
pub fn call_off(back: &Return, parcel: Id, now_ms: i64) -> Option<Return> {
    let waits = back.state == ReturnState::Open && back.lines.iter().any(|line| line.parcel == Some(parcel));
    waits.then(|| Return { state: ReturnState::Cancelled, updated_ms: now_ms, ..back.clone() })
}

/// Units that open returns hold.
#[derive(Default)]
struct Held {
    /// By line, whatever they left in.
    lines: BTreeMap<Id, u32>,
    /// By parcel and line.
    parcels: BTreeMap<(Id, Id), u32>,
}

impl Held {
    fn by(returns: &[Return]) -> Self {
        let mut held = Self::default();
        for back in returns.iter().filter(|back| back.state == ReturnState::Open) {
            for line in &back.lines {
                held.add(line.parcel, line.line, line.quantity);
            }
        }
        held
    }

    fn add(&mut self, parcel: Option<Id>, line: Id, quantity: u32) {
        let of_parcel = parcel.map(|parcel| self.parcels.entry((parcel, line)).or_default());
        for sum in [Some(self.lines.entry(line).or_default()), of_parcel].into_iter().flatten() {
            *sum = sum.saturating_add(quantity);
        }
    }

    /// Holds the units of an entry: parcel, line and how many.
    fn take(
        &mut self,
        facts: &Facts,
        parcels: &[Parcel],
        entry: usize,
        units: &ReturnUnits,
    ) -> Result<(Option<Id>, Id, u32), ReturnFault> {
        let named = || units.line.text.clone();
        let index = facts.order.find_line(&units.line);
        let line = index.and_then(|index| Some((index, facts.order.lines.get(index)?)));
        let (index, line) = line.ok_or_else(|| ReturnFault::LineUnknown { entry, line: named() })?;
        let parcel = units.parcel.as_ref().map(|parcel| parcel_of(parcels, entry, parcel)).transpose()?;
        let refunded = facts.units_refunded(index).shipped;
        let spoken_for = self.lines.get(&line.id).copied().unwrap_or(0).saturating_add(refunded);
        let mut left = line.shipped.saturating_sub(spoken_for);
        if let Some(parcel) = parcel {
            let inside = parcel.units_of(line.id);
            if inside == 0 {
                let parcel = units.parcel.as_ref().map_or_else(String::new, |parcel| parcel.text.clone());
                return Err(ReturnFault::NotInParcel { entry, line: named(), parcel });
            }
            let held = self.parcels.get(&(parcel.id, line.id)).copied().unwrap_or(0);
            left = left.min(inside.saturating_sub(held));
        }
        let asked = units.quantity;
        if asked < 1 {
            return Err(ReturnFault::QuantityInvalid { entry });
        }
        let quantity = u32::try_from(asked).ok().filter(|quantity| *quantity <= left);
        let quantity = quantity.ok_or_else(|| ReturnFault::TooManyUnits { entry, line: named(), asked, left })?;
        let parcel = parcel.map(|parcel| parcel.id);
        self.add(parcel, line.id, quantity);
        Ok((parcel, line.id, quantity))
    }
}

/// The parcel that an entry names: the platform's id wins over our number.
fn parcel_of<'p>(parcels: &'p [Parcel], entry: usize, named: &Reference) -> Result<&'p Parcel, ReturnFault> {
    let theirs = parcels.iter().find(|parcel| parcel.external_id.as_deref() == Some(named.text.as_str()));
    let found = theirs.or_else(|| parcels.iter().find(|parcel| named.ours == Some(parcel.id)));
    let parcel = || named.text.clone();
    match found {
        None => Err(ReturnFault::ParcelUnknown { entry, parcel: parcel() }),
        Some(found) if found.state == ParcelState::Cancelled => {
            Err(ReturnFault::ParcelCancelled { entry, parcel: parcel() })
        }
        Some(found) => Ok(found),
    }
}
