//! What is asked and answered about what happens to an order after it was made: payments, transactions, parcels.

use std::sync::Arc;

use refundry_core::order::{Order, Reference};
use refundry_core::parcels::{Parcel, ParcelQuery, Shipment, TrackingChange};
use refundry_core::paying::{PayLine, Transaction, TransactionState};
use refundry_core::refund::Refund;
use refundry_core::slips::{Slip, SlipChange, SlipDraft};
use serde_json::Value;

use crate::wire::OrderView;

pub use refundry_core::parcels::Fault as ParcelFault;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelCall {
    /// An order was paid.
    Pay {
        /// Which.
        order: Reference,
        /// The payments.
        lines: Vec<PayLine>,
        /// What changes in the order's document: a merge patch (RFC 7396) of the order in it.
        patch: Option<Value>,
    },
    /// What is held of a payment is captured, or given up.
    Capture {
        /// Which order.
        order: Reference,
        /// The payment's channel.
        channel: String,
        /// It is given up.
        void: bool,
    },
    /// Units left.
    Ship {
        /// Which order.
        order: Reference,
        /// Which units.
        shipment: Shipment,
    },
    /// A parcel is followed otherwise.
    Track {
        /// Which order.
        order: Reference,
        /// Which parcel.
        parcel: Reference,
        /// How.
        tracking: TrackingChange,
    },
    /// A parcel arrived.
    Deliver {
        /// Which order.
        order: Reference,
        /// Which parcel.
        parcel: Reference,
    },
    /// A parcel is called off.
    Unship {
        /// Which order.
        order: Reference,
        /// Which parcel.
        parcel: Reference,
    },
    /// A page of an order's parcels, newest first.
    List {
        /// Which order.
        order: Reference,
        /// Which parcels.
        query: ParcelQuery,
    },
    /// How many parcels a list has; its paging does not count.
    Count {
        /// Which order.
        order: Reference,
        /// Which parcels.
        query: ParcelQuery,
    },
    /// One parcel.
    Get {
        /// Which order.
        order: Reference,
        /// Which parcel.
        parcel: Reference,
    },
    /// The transactions of an order, oldest first.
    Transactions {
        /// Which order.
        order: Reference,
        /// Only in this state.
        state: Option<TransactionState>,
        /// Only through this channel.
        channel: Option<String>,
    },
    /// The payments and transactions of an order.
    Money {
        /// Which order.
        order: Reference,
        /// Its refunds as well.
        refunds: bool,
    },
    /// Payment slips are made, of one order or of several, all or nothing.
    PutSlips(Vec<SlipDraft>),
    /// Payment slips change, of one order or of several, all or nothing.
    ChangeSlips(Vec<SlipChange>),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelReply {
    /// To `Pay`: the order after it.
    Order(Box<OrderView>),
    /// To `Ship`, `Track`, `Deliver`, `Unship` and `Get`.
    Parcel {
        /// The order.
        order: Box<OrderView>,
        /// The parcel.
        parcel: Parcel,
    },
    /// To `List`.
    Parcels {
        /// The order.
        order: Box<OrderView>,
        /// The page.
        parcels: Vec<Parcel>,
        /// More follow.
        has_more: bool,
    },
    /// To `Count`.
    Counted(i64),
    /// To `Capture`.
    Transaction {
        /// The order.
        order: Arc<Order>,
        /// What tells of it.
        transaction: Box<Transaction>,
    },
    /// To `Transactions`.
    Transactions {
        /// The order.
        order: Arc<Order>,
        /// Those that match, oldest first.
        transactions: Vec<Transaction>,
    },
    /// To `Money`.
    Money {
        /// The order.
        order: Arc<Order>,
        /// Its payments as they stand, in the order's sequence.
        slips: Vec<Slip>,
        /// Its transactions as they are now, oldest first.
        transactions: Vec<Transaction>,
        /// Its refunds, oldest first; empty where nobody asked for them.
        refunds: Vec<Refund>,
    },
    /// To `PutSlips` and `ChangeSlips`: one an entry.
    Slips(Vec<SlipView>),
}

/// A payment slip after it was made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlipView {
    /// Its order.
    pub order: Arc<Order>,
    /// The slip.
    pub slip: Slip,
}
