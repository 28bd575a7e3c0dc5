//! The closed sets of words on the wire, for the OpenAPI document. A test compares them with the domain's codes.

use serde::Serialize;
use utoipa::ToSchema;

/// Where a refund is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// A leg is under way.
    Pending,
    /// All legs are over and at least one succeeded.
    Succeeded,
    /// All legs failed.
    Failed,
}

/// Where a leg is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// To be sent, or (outside) to be finished by hand.
    Waiting,
    /// The provider has it.
    Sent,
    /// Nobody knows what became of it; it is looked up, never sent again blind.
    InDoubt,
    /// The money went back.
    Succeeded,
    /// The money did not go back and is refundable again.
    Failed,
    /// A person must look.
    Parked,
}

/// Where a leg that is not over stands on its way out.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It surely was not sent, or the provider surely does not have it.
    Waiting,
    /// A worker has it: it may be sent at this moment.
    Calling,
    /// The provider has it and has not settled it.
    Sent,
    /// Nobody knows; it is asked about.
    InDoubt,
    /// A person decides.
    Parked,
}

/// Where the money of failed legs goes the second time.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryWay {
    /// Back through the payments that it failed on.
    Same,
    /// Outside, by a person: only recorded.
    Outside,
}

/// What an event of a provider is about.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventAbout {
    /// A refund.
    Refund,
    /// Money that the buyer's bank takes, or wants to take, back.
    Dispute,
}

/// How a leg's money travels.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Over the original payment, through its gateway.
    Original,
    /// Outside: recorded, never sent.
    Outside,
}

/// What part of the price a component is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// Goods of a line, after discounts.
    Goods,
    /// Shipping.
    Shipping,
    /// A tip.
    Tip,
    /// A named additional charge.
    Additional,
    /// Customs duty.
    Duty,
    /// Tax that the importer of record owes.
    ImporterTax,
    /// A regulatory fee.
    Fee,
}

/// A component type that an amount or percentage may be restricted to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentType {
    /// Shipping and its tax.
    Shipping,
    /// Customs duty.
    Duty,
    /// All taxes but the importer's, whole or not at all.
    Tax,
    /// Importer tax, whole or not at all.
    ImporterTax,
}

/// A part of an item's price other than the goods.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemPart {
    /// Its shipping.
    Shipping,
    /// Its fees.
    Fees,
    /// Its duty.
    Duty,
}

/// Which rule gave an allocation its amount.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Shares of units.
    UnitShares,
    /// The caller stated the amount.
    Stated,
    /// A share in proportion to what each part had left.
    ProRata,
    /// A share that fell on fees because the other parts are used up.
    FeesLast,
    /// All that was left.
    Remaining,
    /// A percentage.
    Percent,
    /// Came with an imported order.
    Imported,
}

/// How a refund was asked for.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Named parts, units, a total.
    Parts,
    /// Parts whose total the payments make.
    Lines,
    /// An amount.
    Amount,
    /// A percentage.
    Percent,
    /// Money of items.
    Items,
    /// Everything that was left.
    Everything,
    /// Came with an imported order.
    Imported,
}

/// Units of a line, by where they are.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Waiting to ship.
    Waiting,
    /// Shipped.
    Shipped,
}

/// Which units a refund takes.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitMode {
    /// Those waiting to ship first, then shipped ones.
    Automatic,
    /// Only those waiting to ship.
    Waiting,
    /// Only shipped ones.
    Shipped,
    /// Only shipped ones, which came back.
    Returned,
}

/// What happens to the stock of refunded units.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restock {
    /// Nothing.
    NoRestock,
    /// They came back and go on the shelf.
    Return,
    /// They never left the shelf.
    Cancel,
}

/// What a payment is, as far as refunds care.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Through a provider, online.
    Online,
    /// A gift card or store credit.
    GiftCard,
    /// Cash on delivery: goes back outside of any gateway.
    CashOnDelivery,
    /// A custom channel such as a bank transfer: goes back outside of any gateway.
    Custom,
}

/// One of the public APIs.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This one.
    Native,
    /// Shoplazza.
    Shoplazza,
    /// SHOPLINE.
    Shopline,
    /// Digital River.
    DigitalRiver,
}

/// What counts as captured.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// Everything that was paid.
    Whole,
    /// A line's share with its shipped units.
    ByFulfilment,
}

/// Life of an order apart from its money.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Placed and going its way.
    Open,
    /// Called off; what was paid can still be refunded.
    Cancelled,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read orders and refunds, ask for quotes.
    ReadOrders,
    /// Write orders, create refunds.
    WriteOrders,
    /// Read locations, variants and their stock.
    ReadProducts,
    /// Change stock.
    WriteProducts,
    /// Stores, tokens, gateways and routes.
    Admin,
}

/// What became of a leg that is settled by hand.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money went back.
    Succeeded,
    /// It did not.
    Failed,
}

/// How a refund is spread over the payments that were not named.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One after the other, as the order lists them.
    OriginalFirst,
    /// One after the other, the last listed first.
    OriginalLast,
    /// All of them, in proportion to what they have left.
    Proportional,
    /// Gift cards first, then the others.
    GiftCardFirst,
    /// Gift cards last.
    GiftCardLast,
    /// Through as few as possible.
    FewestRefunds,
}

/// Which currency a stated amount is in.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AmountIn {
    /// The order's.
    Order,
    /// The payment's own.
    Own,
}

/// `"remaining"`: all that is left.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remaining {
    /// All that is left.
    Remaining,
}

/// `"of_payments"`: the named payments make the total.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfPayments {
    /// The named payments make the total.
    OfPayments,
}
