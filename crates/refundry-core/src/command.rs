//! What a caller may ask for, already parsed.
//!
//! Amounts stay decimals here: only the order knows its currency, so the rules turn them into minor units. Ids stay
//! references: only the order knows which line or payment they name.

use std::collections::BTreeMap;

use crate::money::Decimal;
use crate::order::{Dialect, Id, Reference};
use crate::payouts::Strategy;
use crate::refund::{Class, MetaValue, Restock};

/// Give money back on one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateRefund {
    /// Which order.
    pub order: Reference,
    /// The API it is asked through.
    pub via: Dialect,
    /// What decides the money.
    pub request: RefundRequest,
    /// Free text, may be empty.
    pub note: String,
    /// Reason for filtering, may be empty.
    pub reason: String,
    /// Whether the buyer is to be told.
    pub notify: bool,
    /// The caller's own pairs.
    pub metadata: BTreeMap<String, MetaValue>,
    /// Back-dated time of processing, epoch milliseconds.
    pub processed_ms: Option<i64>,
    /// The refund whose failed legs this one tries again.
    pub retry_of: Option<Id>,
    /// Units only go back into stock at places that the store has and that take goods; otherwise a place that nobody
    /// knows is made.
    pub known_places: bool,
}

impl CreateRefund {
    /// What decides the money, and nothing else: no texts, no pairs, processed now, nobody told.
    pub fn new(order: Reference, via: Dialect, request: RefundRequest) -> CreateRefund {
        CreateRefund {
            order,
            via,
            request,
            note: String::new(),
            reason: String::new(),
            notify: false,
            metadata: BTreeMap::new(),
            processed_ms: None,
            retry_of: None,
            known_places: false,
        }
    }
}

/// All that decides the money of a refund; a quote takes the same and stores nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRequest {
    /// What is asked for.
    pub ask: Ask,
    /// How it is spread over payments.
    pub plan: Plan,
    /// How it is spread over payments that the plan does not name; the store's own way where nothing is said.
    pub strategy: Option<Strategy>,
    /// What the caller says of the order's currency.
    pub currency: CurrencyAsk,
    /// Surplus decimals of amounts.
    pub rounding: Rounding,
    /// What the caller believes the payments have left; refused when that is stale.
    pub refundable_before: Option<Decimal>,
}

/// Ways to ask for money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Named parts, whole units, a total.
    Parts(Parts),
    /// An amount, perhaps of one component type.
    Amount {
        /// In major units of the order's currency.
        amount: Decimal,
        /// Restricts it to one component type.
        class: Option<Class>,
    },
    /// A percentage of what is left, perhaps of one component type.
    Percent {
        /// 0.01 to 100.
        percent: Decimal,
        /// Restricts it to one component type.
        class: Option<Class>,
    },
    /// Money of items; moves no units.
    Items(Vec<ItemAsk>),
    /// Whole units, and all shipping with the last of them; refused once a refund without units was accepted.
    Lines {
        /// Units to take out of the order.
        units: Vec<UnitAsk>,
        /// Those of them that were shipped came back.
        returned: bool,
    },
    /// Everything that the payments have left, and every unit.
    Everything,
}

/// Named parts, whole units, a total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Where the refund's amount comes from.
    pub total: Total,
    /// Units to take out of the order.
    pub units: Vec<UnitAsk>,
    /// Amounts of named parts.
    pub parts: Vec<PartAsk>,
    /// All entries of one line must agree on what happens to the stock.
    pub uniform_restock: bool,
}

/// Where the amount of a refund by parts comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    /// The sum of the parts and unit shares.
    #[default]
    Derived,
    /// Stated; what the parts leave over goes to listed units first, else over all open components.
    Stated(Decimal),
    /// The sum of the named payments; the difference to the parts is a discrepancy.
    OfPayments,
}

/// Units of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitAsk {
    /// Which line.
    pub line: Reference,
    /// How many; `None` for all that the buckets still hold. Checked by the rules, so it may be zero or below.
    pub quantity: Option<i64>,
    /// Which of them.
    pub mode: UnitMode,
    /// What happens to the stock.
    pub restock: Restock,
    /// Where the stock goes, may be empty.
    pub location: String,
}

/// Which units of a line are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An amount of a named part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAsk {
    /// Which part.
    pub target: Target,
    /// How much of it.
    pub money: PartMoney,
}

/// A part of the price that a caller can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All goods with their tax, duty, importer tax and fees.
    Product,
    /// Goods of one line.
    Goods(Reference),
    /// Shipping.
    Shipping,
    /// Tip.
    Tip,
    /// All additional charges together.
    Additionals,
    /// The additional charge of this name.
    Additional(String),
    /// Customs duty.
    Duty,
    /// Importer tax.
    ImporterTax,
    /// Regulatory fees.
    Fees,
}

impl Target {
    /// Stable code, with the name or id of what is named.
    pub fn describe(&self) -> String {
        match self {
            Self::Product => "product".to_owned(),
            Self::Goods(line) => format!("goods of line {}", line.text),
            Self::Shipping => "shipping".to_owned(),
            Self::Tip => "tip".to_owned(),
            Self::Additionals => "additional".to_owned(),
            Self::Additional(name) => format!("additional charge {name}"),
            Self::Duty => "duty".to_owned(),
            Self::ImporterTax => "importer_tax".to_owned(),
            Self::Fees => "fees".to_owned(),
        }
    }
}

/// How much of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartMoney {
    /// With tax.
    Gross(Decimal),
    /// Without tax; its tax comes in proportion.
    Net(Decimal),
    /// As the order's prices are: with tax where they include it, else without.
    AsPriced(Decimal),
    /// All that is left.
    Remaining,
}

/// Money of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAsk {
    /// Which line.
    pub item: ItemName,
    /// Units the money is stated for; all of the line when absent. Checked by the rules.
    pub quantity: Option<i64>,
    /// How much.
    pub money: ItemMoney,
    /// Restricts it to one part of the line.
    pub part: Option<ItemPart>,
}

/// How an item is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemName {
    /// By the line's id.
    Id(Reference),
    /// By stock keeping unit, which must stand on one line only.
    Sku(String),
}

/// How much money of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemMoney {
    /// Per unit where a quantity is stated, else for the line.
    Amount(Decimal),
    /// Percentage of the item's price with its tax, scaled by quantity.
    Percent(Decimal),
}

/// A part of an item's price other than the goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemPart {
    /// The item's shipping.
    Shipping,
    /// The item's fees.
    Fees,
    /// The item's duty.
    Duty,
}

/// How a refund is spread over payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// These payments first, in this order, then the others by the strategy.
    InOrder(Vec<Reference>),
    /// By the strategy, and paid outside except through payments of this channel (in any case); all of it outside
    /// where this is empty.
    Outside {
        /// The channel that keeps its original route.
        but: String,
    },
    /// Exactly these amounts.
    Named(Vec<LegAsk>),
}

impl Default for Plan {
    fn default() -> Self {
        Self::InOrder(Vec::new())
    }
}

/// A stated amount through one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegAsk {
    /// Which payment; absent where only one fits.
    pub payment: Option<Reference>,
    /// Channel named by the caller: narrows an absent payment, else only shown; may be empty.
    pub channel: String,
    /// In major units.
    pub amount: Decimal,
    /// What `amount` is in.
    pub amount_in: AmountIn,
    /// What the caller says of the payment's currency.
    pub currency: CurrencyAsk,
    /// The merchant pays outside; only record it.
    pub outside: bool,
}

/// Which currency an amount is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountIn {
    /// The order's.
    Books,
    /// The payment's own.
    Own,
}

/// What a caller says of a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CurrencyAsk {
    /// Nothing, and nothing is checked.
    Unsaid,
    /// It must be this one.
    Is(String),
    /// Left out, which is only allowed where it is the shop's currency (SHOPLINE).
    ShopAssumed,
}

/// What happens to surplus decimals of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Refused.
    Exact,
    /// Rounded half up (Digital River).
    HalfUp,
}

impl RefundRequest {
    /// The places where units are to be put back, as the caller named them.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let units = match &self.ask {
            Ask::Parts(Parts { units, .. }) | Ask::Lines { units, .. } => units.as_slice(),
            Ask::Amount { .. } | Ask::Percent { .. } | Ask::Items(_) | Ask::Everything => &[],
        };
        let back = units.iter().filter(|units| units.restock != Restock::No);
        back.map(|units| units.location.as_str()).filter(|place| !place.is_empty())
    }

    /// A request with the defaults: payments as the store has it, nothing said of currencies, exact amounts.
    pub fn of(ask: Ask) -> Self {
        Self {
            ask,
            plan: Plan::default(),
            strategy: None,
            currency: CurrencyAsk::Unsaid,
            rounding: Rounding::Exact,
            refundable_before: None,
        }
    }
}
