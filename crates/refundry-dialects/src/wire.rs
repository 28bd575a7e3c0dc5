//! What every dialect speaks to the server in: requests and responses as bytes, calls and replies as domain values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::balances::Facts;
use refundry_core::command::{CreateRefund, RefundRequest};
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::money::Currency;
use refundry_core::order::{Id, Order, Payment, Reference};
use refundry_core::parcels::Parcel;
use refundry_core::paying::Transaction;
use refundry_core::query::{OrderQuery, RefundQuery};
use refundry_core::quote::{Alternative, Quote};
use refundry_core::refund::{MetaValue, Refund};
use refundry_core::rejection::Rejection;
use refundry_core::retry::Destination;
use refundry_core::told::{Told, ToldFault};
use refundry_core::trial::{Trial, TrialAsk};

use crate::cases::{CaseCall, CaseFault, CaseReply};
use crate::hooks::{HookCall, HookFault, HookReply};
use crate::parcels::{ParcelCall, ParcelFault, ParcelReply};
use crate::payouts::{PayoutCall, PayoutFault, PayoutReply};
use crate::returns::{ReturnCall, ReturnFault, ReturnReply};
use crate::shop::{ShopCall, ShopFault, ShopReply};
use crate::stock::{StockCall, StockFault, StockReply};

/// A header's name in lower case, and its value.
pub type Header<'a> = (&'a str, Cow<'a, str>);

/// A request as it came over the wire; the body is complete and within the limit.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path without query, still percent-encoded, e.g. `/openapi/2022-01/orders/1/refund`.
    pub path: &'a str,
    /// Query without `?`, still percent-encoded; empty where there is none.
    pub query: &'a str,
    /// Header names in lower case, with their values; what is no UTF-8 is read as Latin-1.
    pub headers: &'a [Header<'a>],
    /// The body.
    pub body: &'a [u8],
    /// Now, epoch milliseconds.
    pub now_ms: i64,
}

impl<'a> Request<'a> {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_ref())
    }
}

/// An answer, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond `content-type` and `content-length`.
    pub headers: Vec<(&'static str, String)>,
    /// `application/json`, or `application/problem+json`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        // Values made of maps with text keys always serialise.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, headers: Vec::new(), content_type: "application/json", body }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routed<E> {
    /// This endpoint, with its path parameters inside.
    To(E),
    /// The path exists, not with this method; the methods that do, comma-separated.
    MethodNotAllowed(&'static str),
    /// No such path.
    NotFound,
}

impl<E> Routed<E> {
    /// The same with another endpoint type.
    pub fn map<T>(self, into: impl FnOnce(E) -> T) -> Routed<T> {
        match self {
            Self::To(endpoint) => Routed::To(into(endpoint)),
            Self::MethodNotAllowed(allow) => Routed::MethodNotAllowed(allow),
            Self::NotFound => Routed::NotFound,
        }
    }
}

/// What a token must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read orders and refunds (Shoplazza `read_order`, SHOPLINE `read_orders`).
    ReadOrders,
    /// Write orders, create refunds (Shoplazza `write_order`, SHOPLINE `write_orders`).
    WriteOrders,
    /// Read locations, variants and their stock (Shoplazza `read_product`).
    ReadProducts,
    /// Change stock (Shoplazza `write_product`).
    WriteProducts,
    /// Stores and tokens.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ReadOrders, Self::WriteOrders, Self::ReadProducts, Self::WriteProducts, Self::Admin];

    /// Stable code: `read_orders`, `write_orders`, `read_products`, `write_products`, `admin`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ReadOrders => "read_orders",
            Self::WriteOrders => "write_orders",
            Self::ReadProducts => "read_products",
            Self::WriteProducts => "write_products",
            Self::Admin => "admin",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.code() == code)
    }
}

/// How long the answer to a creating request may wait for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all: the answer shows the refund as it was accepted.
    No,
    /// As long as the server's configuration says (2 s), then the answer shows the refund as it is.
    Configured,
}

/// What is asked of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Create a refund.
    CreateRefund {
        /// What for.
        command: Box<CreateRefund>,
        /// Whether to wait for the gateway.
        wait: Wait,
    },
    /// What a refund would be; stores nothing.
    Quote {
        /// Which order.
        order: Reference,
        /// What for.
        request: Box<RefundRequest>,
    },
    /// How much of what is asked for can be had; stores nothing.
    Trial {
        /// Which order.
        order: Reference,
        /// What is tried.
        ask: Box<TrialAsk>,
    },
    /// Hear what a payment app tells of a leg.
    Told(Box<Told>),
    /// One refund.
    GetRefund {
        /// Which.
        refund: Reference,
    },
    /// A page of refunds.
    ListRefunds(Box<RefundQuery>),
    /// How many refunds a list has; its paging and sorting do not count.
    CountRefunds(Box<RefundQuery>),
    /// A page of one order's refunds, where the order itself is what is asked for: one that nobody knows is refused.
    ListRefundsOf {
        /// Which order.
        order: Reference,
        /// The page; names the order, too.
        query: Box<RefundQuery>,
    },
    /// An order with its refunds, oldest first, at most [`refundry_core::limits::REFUNDS_LISTED_MAX`].
    OrderWithRefunds {
        /// Which.
        order: Reference,
    },
    /// Set or (`None`) remove metadata pairs of a refund; an empty map changes nothing.
    AnnotateRefund {
        /// Which.
        refund: Reference,
        /// The pairs.
        metadata: BTreeMap<String, Option<MetaValue>>,
    },
    /// Call a refund off while surely nothing of it was sent.
    CancelRefund {
        /// Which.
        refund: Reference,
        /// Why, may be empty.
        reason: String,
    },
    /// Try again what failed of a refund, as a refund of its own.
    RetryRefund {
        /// Which.
        refund: Reference,
        /// Where the money goes now.
        to: Destination,
    },
    /// Record by hand what became of a leg that waits for a person.
    SettleLeg {
        /// Which refund.
        refund: Reference,
        /// The leg's number.
        leg: Id,
        /// `true`: the money went back. `false`: it did not.
        succeeded: bool,
        /// Reference or reason, may be empty.
        text: String,
    },
    /// One order with what is left of it.
    GetOrder {
        /// Which.
        order: Reference,
    },
    /// A page of orders.
    ListOrders(Box<OrderQuery>),
    /// Take an order in, or bring a known one up to date.
    PutOrder(Box<Intake>),
    /// Take in many; each by itself, faults reported per line (line number from 1).
    ImportOrders(Vec<(usize, Result<Intake, IntakeFault>)>),
    /// Units were shipped.
    Fulfil {
        /// Which order.
        order: Reference,
        /// Lines with units now shipped beyond those shipped before; empty for everything that waits.
        units: Vec<(Reference, u32)>,
    },
    /// More money was captured for an order.
    AddPayment {
        /// Which order.
        order: Reference,
        /// The currency that `payment.captured` is in, as the caller said; it must be the order's.
        currency: Currency,
        /// The payment; its number is zero until it is stored.
        payment: Box<Payment>,
    },
    /// A store and its settings.
    CreateStore {
        /// Short name, unique.
        handle: String,
        /// Name for people.
        name: String,
        /// The shop's currency code.
        currency: String,
    },
    /// All stores.
    ListStores,
    /// A token for a store; the secret is shown once, in the answer.
    CreateToken {
        /// The store's handle; the caller's own store where absent.
        store: Option<String>,
        /// Name for people.
        label: String,
        /// What it may do.
        scopes: Vec<Scope>,
    },
    /// Tokens of the caller's store, without their secrets.
    ListTokens,
    /// A token stops working.
    RevokeToken {
        /// The token's public id.
        token: String,
    },
    /// About paying back: legs, events, gateways, routes.
    Payouts(Box<PayoutCall>),
    /// About orders themselves.
    Shop(Box<ShopCall>),
    /// About payments, transactions and parcels of an order.
    Parcels(Box<ParcelCall>),
    /// About goods that come back.
    Returns(Box<ReturnCall>),
    /// About after-sales cases.
    Cases(Box<CaseCall>),
    /// About subscriptions and deliveries.
    Hooks(Box<HookCall>),
    /// About goods in stock.
    Stock(Box<StockCall>),
    /// Answered by the dialect itself, without the engine (e.g. its OpenAPI document).
    Ready(Response),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To `CreateRefund` and `RetryRefund`.
    Created(Box<RefundAnswer>),
    /// To `GetRefund`, `AnnotateRefund`, `CancelRefund`, `SettleLeg`.
    Refund(Box<RefundView>),
    /// To `ListRefunds` and `ListRefundsOf`.
    Refunds(RefundPage),
    /// To `CountRefunds`.
    Counted(i64),
    /// To `OrderWithRefunds`.
    OrderWithRefunds {
        /// The order.
        order: Box<OrderView>,
        /// Its refunds, oldest first.
        refunds: Vec<RefundView>,
    },
    /// To `Quote`.
    Quoted {
        /// The order as it is.
        facts: Box<Facts>,
        /// What the refund would be.
        quote: Box<Quote>,
        /// What it would be by each strategy.
        plans: Vec<Alternative>,
    },
    /// To `Trial`.
    Tried {
        /// The order as it is.
        facts: Box<Facts>,
        /// What can be had.
        trial: Box<Trial>,
    },
    /// To `Told`: it was heard, whatever it did.
    Heard,
    /// To `GetOrder`, `PutOrder`, `Fulfil`, `AddPayment`.
    Order {
        /// The order.
        order: Box<OrderView>,
        /// It was not known before.
        created: bool,
    },
    /// To `ListOrders`.
    Orders {
        /// The page.
        orders: Vec<OrderView>,
        /// More follow.
        has_more: bool,
    },
    /// To `ImportOrders`.
    Imported {
        /// Orders that are new.
        created: usize,
        /// Orders that changed.
        changed: usize,
        /// Orders that were the same already.
        unchanged: usize,
        /// Line number and fault of those not taken in.
        faults: Vec<(usize, IntakeFault)>,
    },
    /// To `CreateStore` (one) and `ListStores`.
    Stores(Vec<StoreView>),
    /// To `CreateToken` (one, with its secret) and `ListTokens`.
    Tokens(Vec<TokenView>),
    /// To `RevokeToken`.
    Revoked,
    /// To `Payouts`.
    Payouts(Box<PayoutReply>),
    /// To `Shop`.
    Shop(Box<ShopReply>),
    /// To `Parcels`.
    Parcels(Box<ParcelReply>),
    /// To `Returns`.
    Returns(Box<ReturnReply>),
    /// To `Cases`.
    Cases(Box<CaseReply>),
    /// To `Hooks`.
    Hooks(Box<HookReply>),
    /// To `Stock`.
    Stock(Box<StockReply>),
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreView {
    /// Our number.
    pub id: Id,
    /// Short name.
    pub handle: String,
    /// Name for people.
    pub name: String,
    /// The shop's currency code.
    pub currency: String,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Public id: the first 16 hex digits of the secret's hash.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// The secret, only in the answer that made it.
    pub secret: Option<String>,
}

/// A refund with the order that explains its indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundView {
    /// The refund.
    pub refund: Refund,
    /// Its order.
    pub order: Arc<Order>,
    /// The order with its balances and its document, where the answer shows the lines of the refund as they are now.
    pub beside: Option<Arc<OrderView>>,
    /// Whether the token is a live one (Digital River's `liveMode`).
    pub live: bool,
}

/// A refund just created, or replayed under its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundAnswer {
    /// The refund: as accepted where the call did not wait, else as it is now.
    pub view: RefundView,
    /// The order's balances now; only there where the call waited.
    pub order: Option<OrderView>,
    /// An earlier request with this key created it.
    pub replayed: bool,
}

/// An order with what refunds did to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The order and its balances.
    pub facts: Facts,
    /// The document it was read from (JSON), empty where there is none.
    pub document: String,
    /// Its parcels, newest first; empty where nobody asked for them.
    pub parcels: Vec<Parcel>,
    /// Its refunds, oldest first; empty where nobody asked for them.
    pub refunds: Vec<Refund>,
    /// What was told of its payments, oldest first; empty where nobody asked for it.
    pub transactions: Vec<Transaction>,
    /// Our number of its store.
    pub store: Id,
}

impl OrderView {
    /// An order of which nothing but the facts is known.
    pub const fn bare(facts: Facts) -> Self {
        let document = String::new();
        Self { facts, document, parcels: Vec::new(), refunds: Vec::new(), transactions: Vec::new(), store: 0 }
    }
}

/// A page of refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPage {
    /// The page, in list order.
    pub refunds: Vec<RefundView>,
    /// More follow in the direction of travel.
    pub has_more: bool,
}

/// Every "no" that a dialect must word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such path.
    NoSuchPath,
    /// The path exists, not with this method.
    MethodNotAllowed(&'static str),
    /// No token, or one that does not work.
    Unauthorized,
    /// The token does not allow this.
    Forbidden(Scope),
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body did not arrive whole, or in time.
    BodyBroken,
    /// The rules say no.
    Rejected(Box<Rejection>),
    /// No such refund.
    RefundUnknown(String),
    /// No such order (where no refund is decided).
    OrderUnknown(String),
    /// The list's cursor names nothing.
    CursorUnknown {
        /// It was `Page::Before`.
        before: bool,
        /// As sent.
        cursor: String,
    },
    /// The leg is not there, or cannot be settled by hand in its state.
    LegNotSettleable(Id),
    /// A payment app is not believed.
    Told(ToldFault),
    /// About paying back.
    Payouts(Box<PayoutFault>),
    /// About orders themselves.
    Shop(Box<ShopFault>),
    /// About payments, transactions and parcels of an order.
    Parcels(Box<ParcelFault>),
    /// About goods that come back.
    Returns(Box<ReturnFault>),
    /// About after-sales cases.
    Cases(Box<CaseFault>),
    /// About subscriptions and deliveries.
    Hooks(Box<HookFault>),
    /// About goods in stock.
    Stock(Box<StockFault>),
    /// An order cannot be taken in.
    Intake(Box<IntakeFault>),
    /// A store or token setting is taken, unknown or invalid: field and reason.
    Setting {
        /// Which.
        field: &'static str,
        /// What to change.
        reason: String,
    },
    /// The caller makes more calls than the platform takes, whose limits are emulated; nothing was stored.
    TooMany {
        /// Milliseconds until there is room for another call.
        retry_after_ms: u64,
    },
    /// Too much is waiting; nothing was stored.
    Busy,
    /// The connection to the database was lost while it committed: it may have been stored.
    Unsure,
    /// A defect here; nothing was stored.
    Internal,
}
