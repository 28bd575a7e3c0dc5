//! What is asked and answered about orders themselves: make, read, change, call off, put away, list.

use refundry_core::amend::{AmendFault, Amendment};
use refundry_core::command::CreateRefund;
use refundry_core::draft::{Draft, DraftFault};
use refundry_core::order::Reference;
use refundry_core::query::OrderQuery;
use refundry_core::terms::Term;

use crate::wire::OrderView;

/// What is asked. An order that was deleted is unknown to all of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopCall {
    /// Make an order.
    Create {
        /// What is sold.
        draft: Box<Draft>,
        /// What its dialect echoes beside the facts (JSON), empty for nothing.
        document: String,
        /// What the document says that the order is found by.
        terms: Vec<Term>,
        /// How it is numbered, if the draft has no number.
        numbering: Numbering,
    },
    /// One order.
    Get {
        /// Which.
        order: Reference,
    },
    /// One order, by what people call it; the newest of several.
    ByNumber {
        /// Its number.
        number: String,
    },
    /// Change an order.
    Amend {
        /// Which.
        order: Reference,
        /// How.
        amendment: Box<Amendment>,
    },
    /// Call an order off. Moves no money.
    Cancel {
        /// Which.
        order: Reference,
        /// Why, may be empty.
        reason: String,
    },
    /// Call an open order off, and give money of it back.
    CallOff {
        /// Which.
        order: Reference,
        /// Why, may be empty.
        reason: String,
        /// The units that wait go back into stock.
        restock: bool,
        /// What goes back, without units: those that wait leave the order with it. `None` moves no money.
        refund: Option<Box<CreateRefund>>,
    },
    /// Put an order away as done with, or take it back.
    Archive {
        /// Which.
        order: Reference,
        /// Away, or back.
        closed: bool,
    },
    /// Show an order to nobody any more. Its books stay.
    Delete {
        /// Which.
        order: Reference,
    },
    /// A page of orders, each with its document.
    List(Box<OrderQuery>),
    /// How many orders a list has; its paging and sorting do not count.
    Count(Box<OrderQuery>),
}

/// How orders are numbered: a prefix and a number that grows, in so many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// Before the digits.
    pub prefix: &'static str,
    /// At least so many digits, zeros in front.
    pub digits: usize,
    /// The first of them all.
    pub first: u32,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopReply {
    /// To `Create`, `Get`, `ByNumber`, `Amend`, `Cancel`, `CallOff`, `Archive`.
    Order(Box<OrderView>),
    /// To `Delete`.
    Deleted,
    /// To `List`.
    Orders {
        /// The page.
        orders: Vec<OrderView>,
        /// More follow.
        has_more: bool,
    },
    /// To `Count`.
    Counted(i64),
}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopFault {
    /// The draft is no order.
    Draft(DraftFault),
    /// It is sold in another currency than the store sells in.
    Currency {
        /// As asked.
        given: String,
        /// The store's.
        wanted: String,
    },
    /// There are not enough of a line's goods, which are to be there: which line.
    OutOfStock(usize),
    /// The order cannot change so.
    Amend(AmendFault),
    /// It was called off before.
    CalledOff,
}
