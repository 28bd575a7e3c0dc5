//! What this API is sent, as the OpenAPI document shows it.
//!
//! Bodies are read key by key in `ask.rs` and its neighbours, so that a refusal can name the field; tests hold
//! the keys that are read there against the ones here.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{Money, ShopMoney};
use super::codes;

/// A new store.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreInput {
    /// Short name, unique.
    pub handle: String,
    /// Name for people; the handle where it is left out.
    pub name: Option<String>,
    /// The shop's currency.
    pub currency: String,
}

/// A new token.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenInput {
    /// Handle of the store it is for; the caller's own where it is left out.
    pub store: Option<String>,
    /// Name for people.
    pub label: Option<String>,
    /// What it may do, at least one.
    pub scopes: Vec<codes::Scope>,
}

/// An order on its way in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderInput {
    /// The caller's own id, unique in the store, at most 64 characters. With `PUT` it is the one in the path; with
    /// `POST` it may be left out, and the order goes by our number.
    pub id: Option<String>,
    /// What people call it; the id where it is left out.
    pub number: Option<String>,
    /// The currency of every amount that says no other: what the buyer was charged in.
    pub currency: String,
    /// The shop's currency, where it is another one.
    pub shop: Option<ShopMoney>,
    /// Whether unit prices include their tax; `false` where it is left out.
    pub taxes_included: Option<bool>,
    /// What counts as captured; `whole` where it is left out.
    pub capture: Option<codes::Capture>,
    /// `open` where it is left out.
    pub status: Option<codes::OrderStatus>,
    /// A dispute holds the order; `false` where it is left out.
    pub disputed: Option<bool>,
    /// Whether it is a test order; `false` where it is left out.
    pub test: Option<bool>,
    /// When it was made; now where it is left out.
    #[schema(format = DateTime)]
    pub created_at: Option<String>,
    /// When it last changed; `created_at` where it is left out.
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
    /// What the order costs. It is worked out; where it is stated, it must agree.
    pub total: Option<Money>,
    /// What was captured. It is worked out; where it is stated, it must agree.
    pub paid: Option<Money>,
    /// What was sold.
    pub lines: Option<Vec<LineInput>>,
    /// Shipping, of the order or of lines.
    pub shipping: Option<Vec<ChargeInput>>,
    /// The tip.
    pub tip: Option<TipInput>,
    /// Additional charges; each needs a name.
    pub additional: Option<Vec<ChargeInput>>,
    /// Customs duties.
    pub duties: Option<Vec<ChargeInput>>,
    /// Tax that the importer of record owes.
    pub importer_tax: Option<Vec<ChargeInput>>,
    /// Regulatory fees.
    pub fees: Option<Vec<ChargeInput>>,
    /// Money captured, in the order in which it goes back.
    pub payments: Option<Vec<PaymentInput>>,
    /// Refunds made elsewhere, which are over.
    pub refunds: Option<Vec<PastRefundInput>>,
}

/// A line of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineInput {
    /// Its id, unique in the order.
    pub id: String,
    /// Stock keeping unit; may stand on several lines.
    pub sku: Option<String>,
    /// Product title.
    pub title: Option<String>,
    /// Variant title.
    pub variant_title: Option<String>,
    /// Product id.
    pub product_id: Option<String>,
    /// Variant id.
    pub variant_id: Option<String>,
    /// Where it is stocked.
    pub location_id: Option<String>,
    /// Units sold.
    #[schema(minimum = 1, maximum = 100_000)]
    pub quantity: u32,
    /// Units shipped; the others wait. 0 where it is left out.
    pub shipped: Option<u32>,
    /// Units called off before capture; 0 where it is left out.
    pub cancelled: Option<u32>,
    /// Price of one unit before discounts; with its tax where `taxes_included`.
    pub unit_price: Money,
    /// All discounts of the line, its share of the order's discounts among them; 0 where it is left out.
    pub discount: Option<Money>,
    /// What the goods cost, without tax: `quantity × unit_price − discount`, less the tax where `taxes_included`. It is
    /// worked out; where it is stated, it must agree.
    pub net: Option<Money>,
    /// Tax on the goods; 0 where it is left out.
    pub tax: Option<Money>,
}

/// A part of the price beside the goods.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargeInput {
    /// Id of the line it belongs to; of the order as a whole where it is left out.
    pub line: Option<String>,
    /// Its name; required of additional charges.
    pub name: Option<String>,
    /// Without tax.
    pub net: Money,
    /// Tax on it; 0 where it is left out.
    pub tax: Option<Money>,
}

/// The tip.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TipInput {
    /// Without tax.
    pub net: Money,
    /// Tax on it; 0 where it is left out.
    pub tax: Option<Money>,
}

/// A payment of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentInput {
    /// Its id, unique in the order.
    pub id: String,
    /// Payment channel, e.g. `paypal`.
    pub channel: Option<String>,
    /// Payment method, e.g. `credit_card`.
    pub method: Option<String>,
    /// `online` where it is left out.
    pub kind: Option<codes::PaymentKind>,
    /// The gateway driver that pays back; `simulated` where it is left out, `manual` for kinds that go back outside.
    pub gateway: Option<String>,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    /// Name on the payer's account.
    pub account: Option<String>,
    /// Captured, in the order's currency.
    pub captured: Money,
    /// The payment's own money, where it settles in another currency.
    pub own: Option<OwnMoneyInput>,
}

/// A payment's money in its own currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnMoneyInput {
    /// What the provider settles in.
    pub currency: String,
    /// Captured.
    pub captured: Money,
}

/// A payment added to an order: the same as in an order, and the order's currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddedPayment {
    /// The order's currency, which `captured` is in.
    pub currency: String,
    /// Its id, unique in the order.
    pub id: String,
    /// Payment channel, e.g. `paypal`.
    pub channel: Option<String>,
    /// Payment method, e.g. `credit_card`.
    pub method: Option<String>,
    /// `online` where it is left out.
    pub kind: Option<codes::PaymentKind>,
    /// The gateway driver that pays back; `simulated` where it is left out, `manual` for kinds that go back outside.
    pub gateway: Option<String>,
    /// The provider's id of the payment.
    pub reference: Option<String>,
    /// Name on the payer's account.
    pub account: Option<String>,
    /// Captured, in the order's currency.
    pub captured: Money,
    /// The payment's own money, where it settles in another currency.
    pub own: Option<OwnMoneyInput>,
}

/// A refund that was made elsewhere and is over.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastRefundInput {
    /// Its id, unique in the order: a second import finds it again.
    pub id: String,
    /// When it was made; the order's time where it is left out.
    #[schema(format = DateTime)]
    pub created_at: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// Reason, for filtering; at most 64 characters.
    pub reason: Option<String>,
    /// What went back. Without `payments` it is taken from the order's payments in their order; with them it must be
    /// their sum.
    pub amount: Option<Money>,
    /// Which part of the price each amount belongs to; the goods of `units` where it is left out.
    pub allocations: Option<Vec<PastAllocation>>,
    /// Units taken out of the order.
    pub units: Option<Vec<PastUnits>>,
    /// Through which payments.
    pub payments: Option<Vec<PastPayment>>,
}

/// The part of a past refund that belongs to one part of the price.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastAllocation {
    /// What it is.
    pub kind: codes::ComponentKind,
    /// Id of the line, for goods and for charges of a line.
    pub line: Option<String>,
    /// Name of the charge.
    pub name: Option<String>,
    /// Without tax; 0 where it is left out.
    pub net: Option<Money>,
    /// Tax; 0 where it is left out.
    pub tax: Option<Money>,
}

/// Units of a past refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastUnits {
    /// Id of the line.
    pub line: String,
    /// Where they were.
    pub from: codes::Bucket,
    /// How many.
    #[schema(minimum = 1)]
    pub quantity: u32,
    /// Their goods without tax; their share where it is left out.
    pub net: Option<Money>,
    /// Their tax; their share where it is left out.
    pub tax: Option<Money>,
    /// Their discount; their share where it is left out.
    pub discount: Option<Money>,
    /// What happened to the stock; `no_restock` where it is left out.
    pub restock: Option<codes::Restock>,
}

/// Money of a past refund through one payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PastPayment {
    /// Id of the payment.
    pub payment: String,
    /// In the order's currency.
    pub amount: Money,
    /// In the payment's own currency; along the captured pair where it is left out.
    pub own_amount: Option<Money>,
}

/// Units that were shipped.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FulfilmentInput {
    /// Lines with units shipped now; everything that waits where it is left out or empty.
    pub lines: Option<Vec<FulfilmentLine>>,
}

/// Units of one line that were shipped.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FulfilmentLine {
    /// Id of the line.
    pub line: String,
    /// Units shipped now, beyond those shipped before.
    #[schema(minimum = 1, maximum = 100_000)]
    pub quantity: u32,
}

/// What became of a leg that no gateway answers for.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleInput {
    /// Whether the money went back.
    pub outcome: codes::Outcome,
    /// Reference of the transfer; why not, where it failed.
    pub reference: Option<String>,
}

/// A refund to create, or to quote.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundInput {
    /// The order's id, or our number of it. In a quote it stands in the path and may be left out here.
    pub order: String,
    /// What is asked for.
    pub ask: Ask,
    /// How it is spread over payments; by the strategy where it is left out.
    pub payments: Option<Payments>,
    /// How it is spread over the payments that are not named in `payments`; the store's own way where it is left out.
    /// Where `payments` states every amount, nothing is left to spread.
    pub strategy: Option<codes::Strategy>,
    /// The currency of the amounts; refused where it is not the order's.
    pub currency: Option<String>,
    /// Free text, at most 2000 characters.
    pub note: Option<String>,
    /// Reason, for filtering; at most 64 characters.
    pub reason: Option<String>,
    /// Whether the buyer is to be told; `false` where it is left out.
    pub notify: Option<bool>,
    /// The caller's own pairs: at most 20, keys of at most 40 and texts of at most 500 characters.
    pub metadata: Option<BTreeMap<String, serde_json::Value>>,
    /// When it was processed, if it is back-dated.
    #[schema(format = DateTime)]
    pub processed_at: Option<String>,
}

/// What is asked for: exactly one of these.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Ask {
    /// An amount, perhaps of one component type; spread over the open parts in proportion, fees last.
    #[schema(title = "AskAmount")]
    Amount {
        /// With tax, in the order's currency.
        amount: Money,
        /// Restricts it to one component type.
        r#type: Option<codes::ComponentType>,
    },
    /// A percentage of what is left, perhaps of one component type.
    #[schema(title = "AskPercent")]
    Percent {
        /// From `0.01` to `100`.
        percent: Money,
        /// Restricts it to one component type.
        r#type: Option<codes::ComponentType>,
    },
    /// Money of items; takes no units out of the order.
    #[schema(title = "AskItems")]
    Items {
        /// At least one.
        items: Vec<ItemAsk>,
    },
    /// Everything that the payments have left, and every unit.
    #[schema(title = "AskEverything")]
    Everything {
        /// `true`.
        everything: bool,
    },
    /// Named parts, whole units, a total.
    #[schema(title = "AskParts")]
    Parts {
        /// The parts.
        parts: Box<PartsAsk>,
    },
}

/// Money of one item: `line` or `sku`, and `amount` or `percent`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemAsk {
    /// Id of the line.
    pub line: Option<String>,
    /// Its SKU, which must stand on one line only.
    pub sku: Option<String>,
    /// Units the money is stated for; all of the line where it is left out.
    #[schema(minimum = 1)]
    pub quantity: Option<u32>,
    /// Per unit where a quantity is stated, else for the line.
    pub amount: Option<Money>,
    /// Percentage of the item's price with its tax, scaled by the quantity.
    pub percent: Option<Money>,
    /// Restricts it to one part of the line other than the goods.
    pub part: Option<codes::ItemPart>,
}

/// Named parts, whole units, a total. What the parts leave over of a total goes to listed units first, else over all
/// open parts in proportion.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartsAsk {
    /// The refund's amount; the sum of the parts and unit shares where it is left out.
    pub total: Option<Total>,
    /// Units to take out of the order.
    pub units: Option<Vec<UnitAsk>>,
    /// All goods with their tax, duty, importer tax and fees.
    pub product: Option<PartMoney>,
    /// Shipping.
    pub shipping: Option<PartMoney>,
    /// Tip.
    pub tip: Option<PartMoney>,
    /// All additional charges together.
    pub additional: Option<PartMoney>,
    /// Customs duty.
    pub duty: Option<PartMoney>,
    /// Importer tax.
    pub importer_tax: Option<PartMoney>,
    /// Regulatory fees.
    pub fees: Option<PartMoney>,
    /// Goods of single lines.
    pub goods: Option<Vec<GoodsMoney>>,
    /// Single additional charges, by their names.
    pub additional_named: Option<Vec<NamedMoney>>,
}

/// The amount of a refund by parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Total {
    /// Stated.
    Stated(Money),
    /// The named payments make it; the difference to the parts is a discrepancy.
    OfPayments(codes::OfPayments),
}

/// An amount of a part: with tax as a string, or an object that says which, or all that is left.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PartMoney {
    /// With tax.
    Plain(Money),
    /// All that is left.
    Remaining(codes::Remaining),
    /// With tax.
    Gross {
        /// With tax.
        gross: Money,
    },
    /// Without tax; its tax comes in proportion.
    Net {
        /// Without tax.
        net: Money,
    },
}

/// An amount of the goods of one line: exactly one of `gross`, `net` and `remaining`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GoodsMoney {
    /// Id of the line.
    pub line: String,
    /// With tax.
    pub gross: Option<Money>,
    /// Without tax; its tax comes in proportion.
    pub net: Option<Money>,
    /// `true`: all that is left.
    pub remaining: Option<bool>,
}

/// An amount of one additional charge: exactly one of `gross`, `net` and `remaining`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedMoney {
    /// Name of the charge.
    pub name: String,
    /// With tax.
    pub gross: Option<Money>,
    /// Without tax; its tax comes in proportion.
    pub net: Option<Money>,
    /// `true`: all that is left.
    pub remaining: Option<bool>,
}

/// Units of one line.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitAsk {
    /// Id of the line.
    pub line: String,
    /// How many; all that are there where it is left out.
    #[schema(minimum = 1)]
    pub quantity: Option<u32>,
    /// Which of them; `automatic` where it is left out.
    pub from: Option<codes::UnitMode>,
    /// What happens to the stock; `no_restock` where it is left out.
    pub restock: Option<codes::Restock>,
    /// Where the stock goes.
    pub location: Option<String>,
}

/// How a refund is spread over payments.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Payments {
    /// These payments first, in this order, then the others by the strategy.
    InOrder {
        /// Ids of payments.
        first: Vec<String>,
    },
    /// Exactly these amounts.
    Named(Vec<PaymentAsk>),
}

/// A stated amount through one payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentAsk {
    /// Id of the payment; may be left out where only one has money left.
    pub payment: Option<String>,
    /// Narrows a payment that is left out to a channel; else only shown.
    pub channel: Option<String>,
    /// How much.
    pub amount: Money,
    /// What `amount` is in; the order's currency where it is left out.
    pub amount_in: Option<codes::AmountIn>,
    /// The payment's own currency; refused where it is another one.
    pub currency: Option<String>,
    /// The merchant pays outside, and it is only recorded; `false` where it is left out.
    pub outside: Option<bool>,
}
