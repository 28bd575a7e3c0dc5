//! An order on its way in: everything that is known of it, before it has our numbers.

use crate::money::Amount;
use crate::order::{Id, Order, OrderFault};
use crate::refund::{Bucket, Restock};
use crate::terms::Term;

/// An order as a platform or a caller describes it.
///
/// Numbers (`id`) of the order, its lines and payments are zero; whoever stores it gives them, and keeps those that the
/// order had before. Only where the order's own id is our number in the shape in which its dialect prints it, `id` says
/// which: then it is the order of that number, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// The facts.
    pub order: Order,
    /// Refunds that the order already carries, oldest first.
    pub refunds: Vec<PastRefund>,
    /// The document it was read from (JSON), for dialects that echo it; empty where there is none.
    pub document: String,
    /// What only the document says that the order is found by; none without a document.
    pub terms: Vec<Term>,
}

/// A refund that was made elsewhere and is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRefund {
    /// The platform's id, unique in the order; found again on a second import.
    pub external_id: Option<String>,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// Free text, may be empty.
    pub note: String,
    /// Reason, may be empty.
    pub reason: String,
    /// Money per component (index into the order's components): net and tax. May be empty.
    pub allocations: Vec<(usize, Amount, Amount)>,
    /// Units taken out of the order.
    pub units: Vec<PastUnits>,
    /// Money per payment (index into the order's payments): in the order's currency and in the payment's own.
    pub legs: Vec<(usize, Amount, Amount)>,
}

/// Units of one line that were refunded elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastUnits {
    /// Index into the order's lines.
    pub line: usize,
    /// Where they came from.
    pub bucket: Bucket,
    /// How many, at least 1.
    pub quantity: u32,
    /// Their goods without tax.
    pub net: Amount,
    /// Their tax.
    pub tax: Amount,
    /// Their discount share, for display.
    pub discount: Amount,
    /// What happened to the stock.
    pub restock: Restock,
}

/// Why an order cannot be taken in. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntakeFault {
    /// The document cannot be read: where (a JSON path such as `line_items[0].price`), and what to change.
    Unreadable {
        /// Where.
        field: String,
        /// What to change.
        reason: String,
    },
    /// Its figures contradict each other.
    Contradictory {
        /// Which figure.
        field: String,
        /// The other figure and the difference.
        reason: String,
    },
    /// It breaks a limit or a rule of all orders.
    Fault(OrderFault),
    /// The platform id belongs to an order of another origin, or that cannot be the same order.
    Clash {
        /// Our number of the other order.
        order: Id,
    },
    /// It changes price or quantity of something that was refunded.
    ChangesRefunded {
        /// Which line or component.
        what: String,
    },
}
