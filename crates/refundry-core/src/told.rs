//! What a payment app tells of a refund that it was to pay: the word of somebody who is not the leg's gateway.
//!
//! Whether it may be believed depends on who pays the leg back, which is decided where the leg is held.

use crate::money::{Currency, Decimal};
use crate::order::{Id, Order};
use crate::refund::{Leg, PAYMENT_APP_ERROR, PAYMENT_APP_FAILURE};

/// What is told of one leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The leg's number.
    pub leg: Id,
    /// What became of it.
    pub word: Word,
    /// How much of its payment it gives back, in major units.
    pub amount: Decimal,
    /// What `amount` is in, as it was said.
    pub currency: String,
    /// What the app calls the refund, may be empty.
    pub reference: String,
    /// What the app calls the payment, may be empty.
    pub payment_reference: String,
}

/// What became of a leg, in the word of a payment app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The app has it and will say later.
    Pending,
    /// The money went back.
    Success,
    /// The money did not go back.
    Failure,
    /// The money did not go back, because something went wrong on the way.
    Error,
}

impl Word {
    /// Stable code, which is SHOPLINE's `status`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Pending, Self::Success, Self::Failure, Self::Error].into_iter().find(|word| word.code() == code)
    }

    /// The code that a leg fails with; `None` where it does not fail.
    pub const fn failure(self) -> Option<&'static str> {
        match self {
            Self::Pending | Self::Success => None,
            Self::Failure => Some(PAYMENT_APP_FAILURE),
            Self::Error => Some(PAYMENT_APP_ERROR),
        }
    }
}

/// How the figures that are told differ from a leg's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They are in another currency than this one, the payment's own.
    Currency(Currency),
    /// They are of another amount, or of none.
    Amount,
}

/// Why an app is not believed. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldFault {
    /// No such leg in this store.
    LegUnknown,
    /// The figures are not the leg's.
    Differs(Difference),
    /// A gateway that the store configured answers for the leg.
    ByGateway,
    /// The leg was called paid, and not by the app: its money went out by another hand.
    PaidOtherwise,
    /// The leg was asked for a moment ago and may still be paid, so nobody may call it failed.
    MayStillArrive,
}

impl Told {
    /// Whether the figures that are told are the leg's, to the minor unit of its payment's own currency.
    pub fn agrees(&self, order: &Order, leg: &Leg) -> Result<(), Difference> {
        let currency = order.payments.get(leg.payment).map_or(order.currency, |payment| payment.own_currency);
        if self.currency != currency.code() {
            return Err(Difference::Currency(currency));
        }
        if self.amount.to_minor(currency) == Ok(leg.own_amount) { Ok(()) } else { Err(Difference::Amount) }
    }
}
