//! What became of an order beside its money and units: when it was paid, called off, put away.

use crate::order::Id;

/// The times that count in the life of an order, and how far its parcels came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When it was paid first, epoch milliseconds; where nobody knows, an order with a payment was when it was made.
    pub placed_ms: Option<i64>,
    /// When its last unit was shipped.
    pub fulfilled_ms: Option<i64>,
    /// When its last parcel was delivered.
    pub finished_ms: Option<i64>,
    /// When it was called off.
    pub cancelled_ms: Option<i64>,
    /// Why it was called off, may be empty.
    pub cancel_reason: String,
    /// When it was put away as done with; a flag for people, which changes nothing else.
    pub closed_ms: Option<i64>,
    /// When it was deleted: its books stay, and nobody is shown it any more.
    pub deleted_ms: Option<i64>,
    /// Units delivered of each line; lines beyond its end have none.
    pub delivered: Vec<u32>,
    /// The units that waited were put back into stock when it was called off, so a refund of them puts nothing back.
    pub restocked: bool,
    /// Where it is stocked, by our number of the place; `None` for the store's own choice.
    pub location: Option<Id>,
}

impl Life {
    /// Units of a line that were delivered.
    pub fn delivered(&self, line: usize) -> u32 {
        self.delivered.get(line).copied().unwrap_or(0)
    }

    /// This, as it is told anew, with what only the books know of before.
    #[must_use]
    pub fn after(self, before: &Self) -> Self {
        let cancel_reason =
            if self.cancel_reason.is_empty() { before.cancel_reason.clone() } else { self.cancel_reason };
        Self {
            placed_ms: self.placed_ms.or(before.placed_ms),
            fulfilled_ms: self.fulfilled_ms.or(before.fulfilled_ms),
            finished_ms: self.finished_ms.or(before.finished_ms),
            cancelled_ms: self.cancelled_ms.or(before.cancelled_ms),
            cancel_reason,
            closed_ms: self.closed_ms.or(before.closed_ms),
            deleted_ms: self.deleted_ms.or(before.deleted_ms),
            delivered: if self.delivered.is_empty() { before.delivered.clone() } else { self.delivered },
            restocked: self.restocked || before.restocked,
            location: self.location.or(before.location),
        }
    }
}
