//! What is asked and answered about goods that come back. A return moves no money: what is refunded for it is asked for
//! by itself.

use std::sync::Arc;

use refundry_core::order::{Order, Reference};
use refundry_core::returns::{Return, ReturnDraft};

pub use refundry_core::returns::ReturnFault;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnCall {
    /// Units of an order come back.
    Open {
        /// Which order.
        order: Reference,
        /// Which units.
        draft: ReturnDraft,
    },
    /// Returns of an order, which must be known, or a return by itself, or that if it is of that order.
    List {
        /// Which order.
        order: Option<Reference>,
        /// Which return.
        back: Option<Reference>,
    },
    /// Nobody waits for the units of a return any more.
    Close {
        /// Which return.
        back: Reference,
        /// Whether the buyer is to be told.
        notify: bool,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnReply {
    /// To `Open` and `Close`: the return after it.
    Return(Box<ReturnView>),
    /// To `List`, oldest first; all of one order, and perhaps none.
    Returns(Vec<ReturnView>),
}

/// A return with the order that explains its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnView {
    /// Its order.
    pub order: Arc<Order>,
    /// The return.
    pub back: Return,
}
