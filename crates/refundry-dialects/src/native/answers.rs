//! What this API answers, as it stands on the wire. The OpenAPI document takes its schemas from here.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::codes;

/// An amount as a decimal string with its currency's own decimals: `9.99` in dollars, `500` in yen, `1.250` in dinars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = "9.99", pattern = r"^-?[0-9]+(\.[0-9]+)?$")]
pub struct Money(pub String);

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The entries, in list order.
    pub data: Vec<T>,
    /// Send it as `cursor` to get the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// A store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Store {
    /// Our number, 18 digits.
    pub id: String,
    /// Short name, unique.
    pub handle: String,
    /// Name for people.
    pub name: String,
    /// The shop's currency.
    pub currency: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// A token of a store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    /// Its public id.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// What it may do: `read_orders`, `write_orders`, `admin`.
    #[schema(value_type = Vec<codes::Scope>)]
    pub scopes: Vec<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The secret to send as `Authorization: Bearer …`. Only in the answer that made the token; it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An order with what is left of it. It can be put back as it is: keys that only answers have are left alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Order {
    /// The caller's id of an order that came through this API, else our number.
    pub id: String,
    /// Our number, 18 digits; it names the order everywhere.
    #[schema(read_only)]
    pub uid: String,
    /// The API that the order came from: `native`, `shoplazza`, `shopline`, `digital_river`.
    #[schema(read_only, value_type = codes::Origin)]
    pub origin: String,
    /// What people call it.
    pub number: String,
    /// The currency of every amount that says no other.
    pub currency: String,
    /// The shop's currency, where it is another one.
    pub shop: Option<ShopMoney>,
    /// Whether unit prices include their tax.
    pub taxes_included: bool,
    /// What counts as captured: `whole`, or `by_fulfilment` where a line counts as its units are shipped.
    #[schema(value_type = codes::Capture)]
    pub capture: String,
    /// `open` or `cancelled`.
    #[schema(value_type = codes::OrderStatus)]
    pub status: String,
    /// A dispute holds the order: nothing is refunded while it is open.
    pub disputed: bool,
    /// Whether it is a test order.
    pub test: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed by anything but a refund.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// What the order costs: Σ of lines and charges, with tax.
    pub total: Money,
    /// Σ captured.
    pub paid: Money,
    /// What the payments can still give back: the ceiling of every refund, and what `Refundable-Before` is compared
    /// with.
    #[schema(read_only)]
    pub refundable: Money,
    /// What went back.
    #[schema(read_only)]
    pub refunded: Money,
    /// What is on its way back.
    #[schema(read_only)]
    pub pending: Money,
    /// What refunds gave beyond (or, negative, short of) the parts that they name.
    #[schema(read_only)]
    pub discrepancy: Money,
    /// Refunds ever accepted, failed ones among them.
    #[schema(read_only)]
    pub refund_count: u32,
    /// What was sold.
    pub lines: Vec<Line>,
    /// Shipping, of the order or of lines.
    pub shipping: Vec<Charge>,
    /// The tip.
    pub tip: Option<Tip>,
    /// Additional charges, each with its name.
    pub additional: Vec<Charge>,
    /// Customs duties.
    pub duties: Vec<Charge>,
    /// Tax that the importer of record owes.
    pub importer_tax: Vec<Charge>,
    /// Regulatory fees.
    pub fees: Vec<Charge>,
    /// Money captured, in the order in which it goes back.
    pub payments: Vec<Payment>,
    /// Refunds that the order brought along, as they were sent. Refunds made here are at `/v1/refunds?order=…`.
    #[schema(value_type = Vec<super::requests::PastRefundInput>)]
    pub refunds: serde_json::Value,
}

/// The shop's currency and the order's fixed rate.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShopMoney {
    /// The shop's currency.
    pub currency: String,
    /// Units of the shop's currency for one of the order's.
    pub rate: String,
}

/// A line of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Line {
    /// Its id, unique in the order.
    pub id: String,
    /// Our own number for it; the other APIs know it by this, in their own shape.
    #[schema(read_only)]
    pub uid: String,
    /// Stock keeping unit.
    pub sku: String,
    /// Product title.
    pub title: String,
    /// Variant title.
    pub variant_title: String,
    /// Product id.
    pub product_id: String,
    /// Variant id.
    pub variant_id: String,
    /// Where it is stocked.
    pub location_id: String,
    /// Units sold.
    pub quantity: u32,
    /// Units shipped.
    pub shipped: u32,
    /// Units called off before capture.
    pub cancelled: u32,
    /// Price of one unit before discounts.
    pub unit_price: Money,
    /// All discounts of the line.
    pub discount: Money,
    /// What the goods cost, without tax.
    pub net: Money,
    /// Tax on them.
    pub tax: Money,
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: LineLeft,
    /// Units refunded, by where they came from.
    #[schema(read_only)]
    pub refunded: Units,
}

/// What a line has left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineLeft {
    /// Goods without tax.
    pub net: Money,
    /// Their tax.
    pub tax: Money,
    /// Units waiting to ship.
    pub waiting: u32,
    /// Units shipped.
    pub shipped: u32,
}

/// Units of a line, by bucket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Units {
    /// Of those waiting to ship.
    pub waiting: u32,
    /// Of those shipped.
    pub shipped: u32,
}

/// A part of the price beside the goods.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Charge {
    /// The line it belongs to, if it belongs to one.
    pub line: Option<String>,
    /// Its name, may be empty.
    pub name: String,
    /// Without tax.
    pub net: Money,
    /// Tax on it.
    pub tax: Money,
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: NetTax,
}

/// The tip.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tip {
    /// Without tax.
    pub net: Money,
    /// Tax on it.
    pub tax: Money,
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: NetTax,
}

/// An amount without tax and the tax on it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NetTax {
    /// Without tax.
    pub net: Money,
    /// Tax.
    pub tax: Money,
}

/// A payment of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Payment {
    /// Its id, unique in the order.
    pub id: String,
    /// Our own number for it; the other APIs know it by this, in their own shape.
    #[schema(read_only)]
    pub uid: String,
    /// Payment channel, e.g. `paypal`.
    pub channel: String,
    /// Payment method, e.g. `credit_card`.
    pub method: String,
    /// `online`, `gift_card`, `cash_on_delivery` or `custom`; the last two go back outside of any gateway.
    #[schema(value_type = codes::PaymentKind)]
    pub kind: String,
    /// The gateway driver that pays back.
    pub gateway: String,
    /// The provider's id of the payment.
    pub reference: String,
    /// Name on the payer's account.
    pub account: String,
    /// Captured, in the order's currency.
    pub captured: Money,
    /// The payment's own money, where it settles in another currency.
    pub own: Option<OwnMoney>,
    /// What went back through it.
    #[schema(read_only)]
    pub refunded: Money,
    /// What is on its way back through it.
    #[schema(read_only)]
    pub pending: Money,
    /// What it can still give back.
    #[schema(read_only)]
    pub left: Money,
}

/// A payment's money in its own currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnMoney {
    /// What the provider settles in.
    pub currency: String,
    /// Captured.
    pub captured: Money,
    /// What it can still give back.
    #[schema(read_only)]
    pub left: Money,
}

/// What came of an import.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imported {
    /// Orders that are new.
    pub created: usize,
    /// Orders that changed.
    pub changed: usize,
    /// Orders that were the same already.
    pub unchanged: usize,
    /// Lines that were not taken in.
    pub failed: usize,
    /// Why, line by line.
    pub faults: Vec<ImportFault>,
}

/// Why a line of an import was not taken in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportFault {
    /// Line of the body, from 1.
    pub line: usize,
    /// Stable code, one of those that a single order can be refused with.
    pub code: String,
    /// Where in the order, if it is one field.
    pub field: Option<String>,
    /// What to change.
    pub detail: String,
}

/// A refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refund {
    /// Its id: our number, or the id it came with on an imported order.
    pub id: String,
    /// The order's id.
    pub order: String,
    /// Running number on the order, from 1.
    pub number: u32,
    /// `pending` while a leg is under way, then `succeeded` (at least one leg did) or `failed`.
    #[schema(value_type = codes::RefundState)]
    pub state: String,
    /// The API it was asked through.
    #[schema(value_type = codes::Origin)]
    pub via: String,
    /// Σ of the legs.
    pub amount: Money,
    /// Σ of the legs that succeeded.
    pub refunded: Money,
    /// What the legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Money,
    /// The currency of every amount that says no other.
    pub currency: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it or a leg last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When the caller says it was processed.
    #[schema(format = DateTime)]
    pub processed_at: Option<String>,
    /// Free text.
    pub note: String,
    /// Reason, for filtering.
    pub reason: String,
    /// Whether the buyer is to be told.
    pub notify: bool,
    /// The caller's own pairs: texts, numbers, true or false.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// Which part of the price each amount belongs to; with `discrepancy` they make `amount`.
    pub allocations: Vec<Allocation>,
    /// Units taken out of the order.
    pub units: Vec<UnitMove>,
    /// One per payment; together they make `amount`.
    pub legs: Vec<Leg>,
    /// Why the figures are what they are.
    pub explanation: Explanation,
}

/// What a refund would be. Creating one with the same body on the same order gives the same figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quote {
    /// The order's id.
    pub order: String,
    /// Σ of the legs.
    pub amount: Money,
    /// What the legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Money,
    /// The currency of every amount that says no other.
    pub currency: String,
    /// What the payments have left now: a value for `Refundable-Before`.
    pub refundable: Money,
    /// Which part of the price each amount belongs to.
    pub allocations: Vec<Allocation>,
    /// Units it takes out of the order.
    pub units: Vec<UnitMove>,
    /// One per payment.
    pub legs: Vec<QuotedLeg>,
    /// Why the figures are what they are.
    pub explanation: Explanation,
}

/// The part of a refund that belongs to one part of the price.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Allocation {
    /// Which part, in one word: `shipping`, `goods:shirt`, `additional:Gift Wrapping`.
    pub component: String,
    /// `goods`, `shipping`, `tip`, `additional`, `duty`, `importer_tax` or `fee`.
    #[schema(value_type = codes::ComponentKind)]
    pub kind: String,
    /// The line it belongs to, if it belongs to one.
    pub line: Option<String>,
    /// The charge's name, may be empty.
    pub name: String,
    /// Without tax.
    pub net: Money,
    /// Tax.
    pub tax: Money,
    /// The same in the shop's currency, where it is another one.
    pub shop: Option<ShopNetTax>,
    /// Units that an item refund was stated for; moves no units.
    pub quantity: Option<u32>,
    /// Which rule: `unit_shares`, `stated`, `pro_rata`, `fees_last`, `remaining`, `percent`, `imported`.
    #[schema(value_type = codes::Why)]
    pub why: String,
    /// The rule with its figures, in words.
    pub because: String,
    /// Given back by failed legs.
    pub returned: NetTax,
}

/// Net and tax in the shop's currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShopNetTax {
    /// The shop's currency.
    pub currency: String,
    /// Without tax.
    pub net: Money,
    /// Tax.
    pub tax: Money,
}

/// Units taken out of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitMove {
    /// The line.
    pub line: String,
    /// `waiting` or `shipped`.
    #[schema(value_type = codes::Bucket)]
    pub from: String,
    /// How many.
    pub quantity: u32,
    /// Whether they were said to have come back.
    pub returned: bool,
    /// Their goods without tax.
    pub net: Money,
    /// Their tax.
    pub tax: Money,
    /// `no_restock`, `return` or `cancel`.
    #[schema(value_type = codes::Restock)]
    pub restock: String,
    /// Where the stock goes, may be empty.
    pub location: String,
    /// The whole refund failed, and the units are open again.
    pub reopened: bool,
}

/// The part of a refund that goes through one payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leg {
    /// Our number, 18 digits: the idempotency key at the provider.
    pub id: String,
    /// The payment's id.
    pub payment: String,
    /// In the order's currency.
    pub amount: Money,
    /// In the payment's own currency.
    pub own_amount: Money,
    /// The payment's own currency.
    pub own_currency: String,
    /// `original` through the payment's gateway, `outside` only recorded.
    #[schema(value_type = codes::Route)]
    pub route: String,
    /// `waiting`, `sent`, `in_doubt`, `succeeded`, `failed` or `parked`.
    #[schema(value_type = codes::LegState)]
    pub state: String,
    /// The channel that the caller named, may be empty.
    pub channel: String,
    /// The provider's id of the refund, once it is known.
    pub reference: Option<String>,
    /// The provider's code of a failed leg.
    pub code: Option<String>,
    /// What went wrong: of a failed, doubtful or parked leg.
    pub reason: Option<String>,
    /// When it succeeded or failed.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
}

/// A leg before it has an id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuotedLeg {
    /// The payment's id.
    pub payment: String,
    /// In the order's currency.
    pub amount: Money,
    /// In the payment's own currency.
    pub own_amount: Money,
    /// The payment's own currency.
    pub own_currency: String,
    /// `original` through the payment's gateway, `outside` only recorded.
    #[schema(value_type = codes::Route)]
    pub route: String,
}

/// Why the figures of a refund are what they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// How it was asked for: `amount`, `percent`, `items`, `everything`, `parts`, `lines` (parts whose total the
    /// payments make) or `imported`.
    #[schema(value_type = codes::Rule)]
    pub rule: String,
    /// The component type asked for, where one was.
    #[serde(rename = "type")]
    #[schema(value_type = Option<codes::ComponentType>)]
    pub class: Option<String>,
    /// The limit that left the least room.
    pub nearest_cap: Cap,
    /// Where rounding put odd minor units.
    pub odd: Vec<Odd>,
}

/// A limit of a refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cap {
    /// `component` or `payment`.
    pub by: String,
    /// Which: as in an allocation's `component`, or the payment's id.
    pub id: String,
    /// Room left under it after the refund.
    pub left: Money,
}

/// Minor units that rounding put on one allocation rather than on a neighbour.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Odd {
    /// Position in `allocations`.
    pub allocation: usize,
    /// Its `component`.
    pub component: String,
    /// How many; negative where it gave some.
    pub minor_units: i64,
}

/// A "no", as RFC 9457 has it, with the figures that decided it as further members.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the problem: `/problems/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words, the same every time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to change.
    pub detail: String,
    /// Stable code.
    pub code: String,
    /// The figures that decided it, by name; amounts are decimal strings, with their `currency` beside them.
    #[serde(flatten)]
    pub figures: BTreeMap<String, serde_json::Value>,
}
