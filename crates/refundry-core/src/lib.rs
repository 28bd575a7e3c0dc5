//! The refund rules of Refundry: facts in, a decision or a named refusal out.
//!
//! Nothing here reads a clock, draws a random number, does I/O or waits. Read the modules in this order:
//!
//! 1. [`money`]: minor units, decimals as written, splits whose parts make the whole
//! 2. [`order`]: what was sold and captured
//! 3. [`balances`]: what refunds have done to it so far
//! 4. [`refund`]: a refund, its legs, their states
//! 5. [`command`]: what a caller may ask
//! 6. [`mod@quote`]: order + request → who gets back how much; [`mod@trial`]: the same, lowered to what can be had
//! 7. [`mod@decide`]: acceptance, news of legs: the only transitions
//! 8. [`rejection`]: every "no", in rank order
//! 9. [`journal`]: double entries
//! 10. [`payouts`]: which gateway pays back, and what it takes; [`dispute`]: money that is held;
//!     [`retry`]: trying again what failed; [`told`]: what a payment app says of a refund
//! 11. [`intake`]: an order on its way in, [`mod@draft`]: one in the making, [`amend`]: changes of one,
//!     [`query`]: what a caller may list
//! 12. [`life`]: what became of an order beside its money, [`standing`]: where it stands, [`event`]: what a change
//!     means to those who subscribed
//! 13. [`parcels`]: what leaves with an order, [`returns`]: what comes back, [`paying`]: money that comes in later,
//!     [`slips`]: what is told of such money
//! 14. [`terms`]: words that an order is found by
//! 15. [`limits`]: every bound in the system

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod amend;
mod amounts;
pub mod balances;
pub mod call_off;
pub mod command;
pub mod decide;
pub mod dispute;
pub mod draft;
pub mod event;
pub mod intake;
pub mod journal;
pub mod life;
pub mod limits;
pub mod money;
pub mod order;
pub mod parcels;
mod parts;
pub mod paying;
pub mod payouts;
mod plan;
pub mod query;
pub mod quote;
pub mod refund;
pub mod rejection;
pub mod retry;
pub mod returns;
mod room;
pub mod slips;
mod spread;
pub mod standing;
mod strategy;
pub mod terms;
#[cfg(test)]
pub(crate) mod tests;
pub mod told;
pub mod trial;
mod units;
