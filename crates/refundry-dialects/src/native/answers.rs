//! What this API answers, as it stands on the wire. The OpenAPI document takes its schemas from here.
//!
//! Keys stand on the wire in the order of the alphabet, and so do the fields here: an answer is written straight from
//! its struct. Sorting it in a `Value` first took 70,000 instructions more, a sixth of all that the server did for a
//! refund.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use refundry_core::money::{Amount, Currency};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::codes;

/// An amount as a decimal string with its currency's own decimals: `9.99` in dollars, `500` in yen, `1.250` in dinars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, example = "9.99", pattern = r"^-?[0-9]+(\.[0-9]+)?$")]
pub struct Money((Amount, u32));

impl Money {
    /// An amount of a currency: its minor units, and how many of their digits stand behind the point.
    pub fn of(amount: Amount, currency: Currency) -> Self {
        Self((amount, currency.exponent()))
    }

    /// Hands out the text, without a place on the heap: a refund has sixteen amounts, and through
    /// [`Amount::to_decimal`] they took 22,000 instructions, more than half of what its answer was made of.
    fn with_text<T>(self, take: impl FnOnce(&str) -> T) -> T {
        let (minor, decimals) = (self.0.0.get(), self.0.1);
        // From the last place to the first: 19 digits, a point, a sign and the zeros before a fraction.
        let mut text = [b'0'; 32];
        let mut free = text.iter_mut().rev();
        let (mut used, mut rest, mut places) = (0, minor.unsigned_abs(), 0);
        let mut put = |byte: u8| {
            if let Some(place) = free.next() {
                *place = byte;
                used += 1;
            }
        };
        while rest > 0 || places <= decimals {
            if places == decimals && places > 0 {
                put(b'.');
            }
            put(DIGITS[usize::try_from(rest % 10).unwrap_or_default()]);
            rest /= 10;
            places += 1;
        }
        if minor < 0 {
            put(b'-');
        }
        take(std::str::from_utf8(&text[text.len() - used..]).unwrap_or_default())
    }
}

const DIGITS: &[u8; 10] = b"0123456789";

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
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
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The shop's currency.
    pub currency: String,
    /// Short name, unique.
    pub handle: String,
    /// Our number, 18 digits.
    pub id: String,
    /// Name for people.
    pub name: String,
}

/// A token of a store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Token {
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Its public id.
    pub id: String,
    /// Name for people.
    pub label: String,
    /// What it may do: `read_orders`, `write_orders`, `read_products`, `write_products`, `admin`.
    #[schema(value_type = Vec<codes::Scope>)]
    pub scopes: Vec<String>,
    /// The secret to send as `Authorization: Bearer …`. Only in the answer that made the token; it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// An order with what is left of it. It can be put back as it is: keys that only answers have are left alone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Order {
    /// Additional charges, each with its name.
    pub additional: Vec<Charge>,
    /// What counts as captured: `whole`, or `by_fulfilment` where a line counts as its units are shipped.
    #[schema(value_type = codes::Capture)]
    pub capture: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The currency of every amount that says no other.
    pub currency: String,
    /// What refunds gave beyond (or, negative, short of) the parts that they name.
    #[schema(read_only)]
    pub discrepancy: Money,
    /// A dispute holds the order: nothing is refunded while it is open.
    pub disputed: bool,
    /// Customs duties.
    pub duties: Vec<Charge>,
    /// Regulatory fees.
    pub fees: Vec<Charge>,
    /// The caller's id of an order that came through this API, else our number.
    pub id: String,
    /// Tax that the importer of record owes.
    pub importer_tax: Vec<Charge>,
    /// What was sold.
    pub lines: Vec<Line>,
    /// What people call it.
    pub number: String,
    /// The API that the order came from: `native`, `shoplazza`, `shopline`, `digital_river`.
    #[schema(read_only, value_type = codes::Origin)]
    pub origin: String,
    /// Σ captured.
    pub paid: Money,
    /// Money captured, in the order in which it goes back.
    pub payments: Vec<Payment>,
    /// What is on its way back.
    #[schema(read_only)]
    pub pending: Money,
    /// Refunds ever accepted, failed ones among them.
    #[schema(read_only)]
    pub refund_count: u32,
    /// What the payments can still give back: the ceiling of every refund, and what `Refundable-Before` is compared
    /// with.
    #[schema(read_only)]
    pub refundable: Money,
    /// What went back.
    #[schema(read_only)]
    pub refunded: Money,
    /// Refunds that the order brought along, as they were sent. Refunds made here are at `/v1/refunds?order=…`.
    #[schema(value_type = Vec<super::requests::PastRefundInput>)]
    pub refunds: serde_json::Value,
    /// Shipping, of the order or of lines.
    pub shipping: Vec<Charge>,
    /// The shop's currency, where it is another one.
    pub shop: Option<ShopMoney>,
    /// `open` or `cancelled`.
    #[schema(value_type = codes::OrderStatus)]
    pub status: String,
    /// Whether unit prices include their tax.
    pub taxes_included: bool,
    /// Whether it is a test order.
    pub test: bool,
    /// The tip.
    pub tip: Option<Tip>,
    /// What the order costs: Σ of lines and charges, with tax.
    pub total: Money,
    /// Our number, 18 digits; it names the order everywhere.
    #[schema(read_only)]
    pub uid: String,
    /// When it last changed by anything but a refund.
    #[schema(format = DateTime)]
    pub updated_at: String,
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
    /// Units called off before capture.
    pub cancelled: u32,
    /// All discounts of the line.
    pub discount: Money,
    /// Its id, unique in the order.
    pub id: String,
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: LineLeft,
    /// Where it is stocked.
    pub location_id: String,
    /// What the goods cost, without tax.
    pub net: Money,
    /// Product id.
    pub product_id: String,
    /// Units sold.
    pub quantity: u32,
    /// Units refunded, by where they came from.
    #[schema(read_only)]
    pub refunded: Units,
    /// Units shipped.
    pub shipped: u32,
    /// Stock keeping unit.
    pub sku: String,
    /// Tax on them.
    pub tax: Money,
    /// Product title.
    pub title: String,
    /// Our own number for it; the other APIs know it by this, in their own shape.
    #[schema(read_only)]
    pub uid: String,
    /// Price of one unit before discounts.
    pub unit_price: Money,
    /// Variant id.
    pub variant_id: String,
    /// Variant title.
    pub variant_title: String,
}

/// What a line has left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineLeft {
    /// Goods without tax.
    pub net: Money,
    /// Units shipped.
    pub shipped: u32,
    /// Their tax.
    pub tax: Money,
    /// Units waiting to ship.
    pub waiting: u32,
}

/// Units of a line, by bucket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Units {
    /// Of those shipped.
    pub shipped: u32,
    /// Of those waiting to ship.
    pub waiting: u32,
}

/// A part of the price beside the goods.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Charge {
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: NetTax,
    /// The line it belongs to, if it belongs to one.
    pub line: Option<String>,
    /// Its name, may be empty.
    pub name: String,
    /// Without tax.
    pub net: Money,
    /// Tax on it.
    pub tax: Money,
}

/// The tip.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tip {
    /// What can still be refunded.
    #[schema(read_only)]
    pub left: NetTax,
    /// Without tax.
    pub net: Money,
    /// Tax on it.
    pub tax: Money,
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
    /// Name on the payer's account.
    pub account: String,
    /// Captured, in the order's currency.
    pub captured: Money,
    /// Payment channel, e.g. `paypal`.
    pub channel: String,
    /// The gateway driver that pays back.
    pub gateway: String,
    /// Its id, unique in the order.
    pub id: String,
    /// `online`, `gift_card`, `cash_on_delivery` or `custom`; the last two go back outside of any gateway.
    #[schema(value_type = codes::PaymentKind)]
    pub kind: String,
    /// What it can still give back.
    #[schema(read_only)]
    pub left: Money,
    /// Payment method, e.g. `credit_card`.
    pub method: String,
    /// The payment's own money, where it settles in another currency.
    pub own: Option<OwnMoney>,
    /// What is on its way back through it.
    #[schema(read_only)]
    pub pending: Money,
    /// The provider's id of the payment.
    pub reference: String,
    /// What went back through it.
    #[schema(read_only)]
    pub refunded: Money,
    /// Our own number for it; the other APIs know it by this, in their own shape.
    #[schema(read_only)]
    pub uid: String,
}

/// A payment's money in its own currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnMoney {
    /// Captured.
    pub captured: Money,
    /// What the provider settles in.
    pub currency: String,
    /// What it can still give back.
    #[schema(read_only)]
    pub left: Money,
}

/// What came of an import.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imported {
    /// Orders that changed.
    pub changed: usize,
    /// Orders that are new.
    pub created: usize,
    /// Lines that were not taken in.
    pub failed: usize,
    /// Why, line by line.
    pub faults: Vec<ImportFault>,
    /// Orders that were the same already.
    pub unchanged: usize,
}

/// Why a line of an import was not taken in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportFault {
    /// Stable code, one of those that a single order can be refused with.
    pub code: String,
    /// What to change.
    pub detail: String,
    /// Where in the order, if it is one field.
    pub field: Option<String>,
    /// Line of the body, from 1.
    pub line: usize,
}

/// A refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refund<'a> {
    /// Which part of the price each amount belongs to; with `discrepancy` they make `amount`.
    pub allocations: Vec<Allocation<'a>>,
    /// Σ of the legs.
    pub amount: Money,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The currency of every amount that says no other.
    pub currency: &'static str,
    /// What the legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Money,
    /// Why the figures are what they are.
    pub explanation: Explanation<'a>,
    /// Its id: our number, or the id it came with on an imported order.
    pub id: Cow<'a, str>,
    /// One per payment; together they make `amount`.
    pub legs: Vec<Leg<'a>>,
    /// The caller's own pairs: texts, numbers, true or false.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    pub metadata: BTreeMap<&'a str, serde_json::Value>,
    /// Free text.
    pub note: &'a str,
    /// Whether the buyer is to be told.
    pub notify: bool,
    /// Running number on the order, from 1.
    pub number: u32,
    /// The order's id.
    pub order: Cow<'a, str>,
    /// When the caller says it was processed.
    #[schema(format = DateTime)]
    pub processed_at: Option<String>,
    /// Reason, for filtering.
    pub reason: &'a str,
    /// Σ of the legs that succeeded.
    pub refunded: Money,
    /// The refund whose failed legs this one tries again.
    pub retry_of: Option<String>,
    /// `pending` while a leg is under way, then `succeeded` (at least one leg did) or `failed`.
    #[schema(value_type = codes::RefundState)]
    pub state: &'static str,
    /// Units taken out of the order.
    pub units: Vec<UnitMove<'a>>,
    /// When it or a leg last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The API it was asked through.
    #[schema(value_type = codes::Origin)]
    pub via: &'static str,
}

/// What a refund would be. Creating one with the same body on the same order gives the same figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quote<'a> {
    /// Which part of the price each amount belongs to.
    pub allocations: Vec<Allocation<'a>>,
    /// Σ of the legs.
    pub amount: Money,
    /// The currency of every amount that says no other.
    pub currency: &'static str,
    /// What the legs give beyond (or, negative, short of) the allocations.
    pub discrepancy: Money,
    /// Why the figures are what they are.
    pub explanation: Explanation<'a>,
    /// One per payment.
    pub legs: Vec<QuotedLeg<'a>>,
    /// The order's id.
    pub order: Cow<'a, str>,
    /// What each strategy would make of the same amount, side by side; payments that the request names to go first do
    /// so in all of them.
    pub plans: Vec<PaymentPlan<'a>>,
    /// What the payments have left now: a value for `Refundable-Before`.
    pub refundable: Money,
    /// The strategy that decided; `null` where the request states the amount of every payment.
    #[schema(value_type = Option<codes::Strategy>)]
    pub strategy: Option<&'static str>,
    /// Units it takes out of the order.
    pub units: Vec<UnitMove<'a>>,
}

/// The part of a refund that belongs to one part of the price.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Allocation<'a> {
    /// The rule with its figures, in words.
    pub because: String,
    /// Which part, in one word: `shipping`, `goods:shirt`, `additional:Gift Wrapping`.
    pub component: String,
    /// `goods`, `shipping`, `tip`, `additional`, `duty`, `importer_tax` or `fee`.
    #[schema(value_type = codes::ComponentKind)]
    pub kind: &'static str,
    /// The line it belongs to, if it belongs to one.
    pub line: Option<Cow<'a, str>>,
    /// The charge's name, may be empty.
    pub name: &'a str,
    /// Without tax.
    pub net: Money,
    /// Units that an item refund was stated for; moves no units.
    pub quantity: Option<u32>,
    /// Given back by failed legs.
    pub returned: NetTax,
    /// The same in the shop's currency, where it is another one.
    pub shop: Option<ShopNetTax>,
    /// Tax.
    pub tax: Money,
    /// Which rule: `unit_shares`, `stated`, `pro_rata`, `fees_last`, `remaining`, `percent`, `imported`.
    #[schema(value_type = codes::Why)]
    pub why: &'static str,
}

/// Net and tax in the shop's currency.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShopNetTax {
    /// The shop's currency.
    pub currency: &'static str,
    /// Without tax.
    pub net: Money,
    /// Tax.
    pub tax: Money,
}

/// Units taken out of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnitMove<'a> {
    /// `waiting` or `shipped`.
    #[schema(value_type = codes::Bucket)]
    pub from: &'static str,
    /// The line.
    pub line: Cow<'a, str>,
    /// Where the stock goes, may be empty.
    pub location: &'a str,
    /// Their goods without tax.
    pub net: Money,
    /// How many.
    pub quantity: u32,
    /// The whole refund failed, and the units are open again.
    pub reopened: bool,
    /// `no_restock`, `return` or `cancel`.
    #[schema(value_type = codes::Restock)]
    pub restock: &'static str,
    /// Whether they were said to have come back.
    pub returned: bool,
    /// Their tax.
    pub tax: Money,
}

/// The part of a refund that goes through one payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leg<'a> {
    /// In the order's currency.
    pub amount: Money,
    /// The channel that the caller named, may be empty.
    pub channel: &'a str,
    /// The provider's code of a failed leg.
    pub code: Option<&'a str>,
    /// When it succeeded or failed.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// The gateway that pays back; `null` of a leg outside.
    pub gateway: Option<&'a str>,
    /// Our number, 18 digits: the idempotency key at the provider.
    pub id: Cow<'a, str>,
    /// In the payment's own currency.
    pub own_amount: Money,
    /// The payment's own currency.
    pub own_currency: &'static str,
    /// The payment's id.
    pub payment: Cow<'a, str>,
    /// What went wrong: of a failed, doubtful or parked leg.
    pub reason: Option<&'a str>,
    /// The provider's id of the refund, once it is known.
    pub reference: Option<&'a str>,
    /// The refund that tries again what failed here.
    pub retried_by: Option<String>,
    /// `original` through the payment's gateway, `outside` only recorded.
    #[schema(value_type = codes::Route)]
    pub route: &'static str,
    /// `waiting`, `sent`, `in_doubt`, `succeeded`, `failed` or `parked`.
    #[schema(value_type = codes::LegState)]
    pub state: &'static str,
}

/// A leg before it has an id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QuotedLeg<'a> {
    /// In the order's currency.
    pub amount: Money,
    /// The gateway that would pay back.
    pub gateway: &'a str,
    /// In the payment's own currency.
    pub own_amount: Money,
    /// The payment's own currency.
    pub own_currency: &'static str,
    /// The payment's id.
    pub payment: Cow<'a, str>,
    /// `original` through the payment's gateway, `outside` only recorded.
    #[schema(value_type = codes::Route)]
    pub route: &'static str,
}

/// What one or several strategies would make of an amount.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentPlan<'a> {
    /// One per payment, in the order in which they are asked.
    pub legs: Vec<PlannedLeg<'a>>,
    /// The strategies that lead to it.
    #[schema(value_type = Vec<codes::Strategy>)]
    pub strategies: Vec<&'static str>,
}

/// A leg of a plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlannedLeg<'a> {
    /// In the order's currency.
    pub amount: Money,
    /// The gateway that would pay back.
    pub gateway: &'a str,
    /// The payment's id.
    pub payment: Cow<'a, str>,
}

/// Why the figures of a refund are what they are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Explanation<'a> {
    /// The limit that left the least room.
    pub nearest_cap: Cap<'a>,
    /// Where rounding put odd minor units.
    pub odd: Vec<Odd>,
    /// How it was asked for: `amount`, `percent`, `items`, `everything`, `parts`, `lines` (parts whose total the
    /// payments make) or `imported`.
    #[schema(value_type = codes::Rule)]
    pub rule: &'static str,
    /// The component type asked for, where one was.
    #[serde(rename = "type")]
    #[schema(value_type = Option<codes::ComponentType>)]
    pub class: Option<&'static str>,
}

/// A limit of a refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cap<'a> {
    /// `component` or `payment`.
    pub by: &'static str,
    /// Which: as in an allocation's `component`, or the payment's id.
    pub id: Cow<'a, str>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_as_the_rules_write_it() {
        let numbers = [0, 1, 9, 10, 99, 100, 999, 1_000, 12_345, 100_000_000, i64::MAX];
        for currency in ["USD", "JPY", "KWD"].map(|code| Currency::parse(code).expect("a currency")) {
            for minor in numbers.into_iter().flat_map(|n| [n, -n]) {
                let amount = Amount::minor(minor);
                let written = Money::of(amount, currency).to_string();
                assert_eq!(written, amount.to_decimal(currency, currency.exponent()));
            }
        }
    }
}
