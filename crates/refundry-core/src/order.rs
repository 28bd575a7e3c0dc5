//! What was sold and captured: the facts of an order that no refund ever changes.
//!
//! Prices, discounts and taxes are shared out when the order comes in and frozen here; a refund only picks units and
//! components. What refunds do change lives in [`crate::balances`].

use crate::life::Life;
use crate::limits::{
    AMOUNT_MINOR_MAX, COMPONENTS_PER_ORDER_MAX, EXTERNAL_ID_CHARS_MAX, LINES_PER_ORDER_MAX, PAYMENTS_PER_ORDER_MAX,
    UNITS_PER_LINE_MAX,
};
use crate::money::{Amount, Currency, Decimal, cumulative, unit_share};

/// Our number for anything that has one: 18 decimal digits, ordered in time.
pub type Id = u64;

/// The public API an order came from, or a refund was asked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Our own API, `/v1`.
    Native,
    /// Shoplazza Open API.
    Shoplazza,
    /// SHOPLINE Admin OpenAPI.
    Shopline,
    /// Digital River API.
    DigitalRiver,
}

impl Dialect {
    /// All of them, in the order documents list them.
    pub const ALL: [Self; 4] = [Self::Native, Self::Shoplazza, Self::Shopline, Self::DigitalRiver];

    /// Stable code: `native`, `shoplazza`, `shopline`, `digital_river`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Shoplazza => "shoplazza",
            Self::Shopline => "shopline",
            Self::DigitalRiver => "digital_river",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.code() == code)
    }
}

/// How a caller names an order, line or payment: the text as sent, and our number when the text has our shape.
///
/// The platform's own id wins over our number when both could match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As sent, after the dialect's own trimming.
    pub text: String,
    /// Our number, if the text is one in this dialect's shape.
    pub ours: Option<Id>,
}

impl Reference {
    /// A reference whose text is our number in plain decimal, or somebody else's id.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), ours: text.parse().ok() }
    }

    /// Whether it names the thing with this number and this platform id.
    pub fn names(&self, id: Id, external_id: Option<&str>) -> bool {
        external_id == Some(self.text.as_str()) || self.ours == Some(id)
    }
}

/// An order with everything a refund is decided on, apart from the balances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Our number.
    pub id: Id,
    /// Where it came from: only this dialect prints the platform's ids.
    pub origin: Dialect,
    /// The platform's id, unique in the store.
    pub external_id: Option<String>,
    /// What people call the order, e.g. `D2034`.
    pub number: String,
    /// The currency of the books: what the buyer was charged in.
    pub currency: Currency,
    /// The shop's own currency, when it is another one.
    pub shop: Option<ShopMoney>,
    /// Whether prices were entered with their tax inside.
    pub taxes_included: bool,
    /// Which part of a component may be refunded before everything is shipped.
    pub capture: Capture,
    /// Life of the order apart from its money.
    pub status: Status,
    /// A dispute holds the order: nothing is refunded while it is open.
    pub disputed: bool,
    /// What was sold. `components[i]` is the goods of `lines[i]`.
    pub lines: Vec<Line>,
    /// Every part of the price that can be refunded by itself, goods of each line first.
    pub components: Vec<Component>,
    /// Money captured, in the order in which it is paid back.
    pub payments: Vec<Payment>,
    /// When the order was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it last changed by anything but a refund, epoch milliseconds.
    pub updated_ms: i64,
    /// Whether it is a test order, where the origin knows that.
    pub test: bool,
    /// What became of it beside its money.
    pub life: Life,
}

/// Digits of a rate after the point that count; more are rounded half up. Keeps products inside `i128`.
const RATE_SCALE_MAX: u32 = 18;

/// The shop's currency and the order's fixed rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopMoney {
    /// The shop's currency.
    pub currency: Currency,
    /// Shop units per unit of the order's currency, both in major units, e.g. 7.1245.
    pub rate: Decimal,
}

impl ShopMoney {
    /// The shadow of an amount of the order's currency, rounded once.
    ///
    /// Shadows of running balances telescope: `convert(after) − convert(before)` summed over all refunds is the shadow
    /// of the whole, so the last refund takes the residue by itself.
    pub fn convert(&self, amount: Amount, from: Currency) -> Amount {
        self.checked_convert(amount, from).expect("an order's shadow is in range")
    }

    /// [`ShopMoney::convert`], or `None` where the shadow is larger than any amount may be.
    pub fn checked_convert(&self, amount: Amount, from: Currency) -> Option<Amount> {
        let exponents = (from.exponent(), self.currency.exponent());
        let (mantissa, scale) = self.rate.rounded_to(RATE_SCALE_MAX).parts();
        let lift = 10_i128.checked_pow(exponents.1.saturating_sub(exponents.0))?;
        let shift = exponents.0.saturating_sub(exponents.1);
        let product = mantissa.checked_mul(lift)?.checked_mul(i128::from(amount.get()))?;
        let lifted = Decimal::from_parts(product, scale.checked_add(shift)?);
        let shadow = lifted.rounded_to(0).parts().0;
        i64::try_from(shadow).ok().filter(|s| s.unsigned_abs() <= AMOUNT_MINOR_MAX.unsigned_abs()).map(Amount::minor)
    }
}

/// Which part of a component counts as captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Everything that was paid, whatever is shipped.
    Whole,
    /// Each line's share with its fulfilled units (Digital River captures when it ships).
    ByFulfilment,
}

/// Life of the order apart from its money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Placed and going its way.
    Open,
    /// Called off; what was paid can still be refunded.
    Cancelled,
}

/// One line of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Our number.
    pub id: Id,
    /// The platform's id, unique in the order.
    pub external_id: Option<String>,
    /// Stock keeping unit, may repeat over lines.
    pub sku: String,
    /// Product title.
    pub title: String,
    /// Variant title, may be empty.
    pub variant_title: String,
    /// The platform's product id, may be empty.
    pub product_id: String,
    /// The platform's variant id, may be empty.
    pub variant_id: String,
    /// Where the line is stocked, may be empty.
    pub location_id: String,
    /// Units sold.
    pub quantity: u32,
    /// Units shipped so far; `quantity − shipped` wait.
    pub shipped: u32,
    /// Price of one unit before discounts, as the shop printed it (with tax when `taxes_included`).
    pub unit_price: Amount,
    /// All discounts of the line, its share of the order's discounts among them.
    pub discount: Amount,
    /// Digital River's state of the line beyond shipping: units called off before capture.
    pub cancelled: u32,
}

/// What part of the price a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ComponentKind {
    /// Goods of a line, after discounts.
    Goods,
    /// Shipping, of the order or of one line.
    Shipping,
    /// A tip.
    Tip,
    /// A named additional charge, such as gift wrapping.
    Additional,
    /// Customs duty.
    Duty,
    /// Tax that the importer of record owes.
    ImporterTax,
    /// Regulatory fees (recycling, copyright levies).
    Fee,
}

impl ComponentKind {
    /// All kinds, in the order in which an order lists them.
    pub const ALL: [Self; 7] =
        [Self::Goods, Self::Shipping, Self::Tip, Self::Additional, Self::Duty, Self::ImporterTax, Self::Fee];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Goods => "goods",
            Self::Shipping => "shipping",
            Self::Tip => "tip",
            Self::Additional => "additional",
            Self::Duty => "duty",
            Self::ImporterTax => "importer_tax",
            Self::Fee => "fee",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.code() == code)
    }
}

/// A part of the price that can be refunded by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// The line it belongs to (index into `lines`); `None` for a part of the order as a whole.
    pub line: Option<usize>,
    /// Name of an additional charge or fee, else empty.
    pub name: String,
    /// Charged without tax.
    pub net: Amount,
    /// Tax on it.
    pub tax: Amount,
}

impl Component {
    /// Net and tax together.
    pub fn gross(&self) -> Amount {
        self.net + self.tax
    }
}

/// Money captured for the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Our number.
    pub id: Id,
    /// The platform's id, unique in the order.
    pub external_id: Option<String>,
    /// Payment channel, e.g. `paypal`.
    pub channel: String,
    /// Payment method, e.g. `credit_card`.
    pub method: String,
    /// What it is, as far as refunds care.
    pub kind: PaymentKind,
    /// Name of the gateway driver that pays back.
    pub gateway: String,
    /// The provider's id of the payment, may be empty.
    pub reference: String,
    /// Name on the payer's account; simulated providers react to it.
    pub account: String,
    /// Captured, in the order's currency.
    pub captured: Amount,
    /// What the provider settles in.
    pub own_currency: Currency,
    /// Captured, in `own_currency`; equal to `captured` where the currencies are equal.
    pub own_captured: Amount,
}

/// What a payment is, as far as refunds care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentKind {
    /// Through a provider, online.
    Online,
    /// A gift card or store credit.
    GiftCard,
    /// Cash on delivery: captured once marked paid or delivered, given back outside.
    CashOnDelivery,
    /// A custom channel (bank transfer, cash): given back outside.
    Custom,
}

impl PaymentKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Online, Self::GiftCard, Self::CashOnDelivery, Self::Custom];

    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::GiftCard => "gift_card",
            Self::CashOnDelivery => "cash_on_delivery",
            Self::Custom => "custom",
        }
    }

    /// Reads a stable code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.code() == code)
    }

    /// Whether money goes back outside of any gateway.
    pub const fn settles_outside(self) -> bool {
        matches!(self, Self::CashOnDelivery | Self::Custom)
    }
}

impl Payment {
    /// What `taken` of the order's currency is worth in the payment's own, along the captured pair.
    pub fn own_of(&self, taken: Amount) -> Amount {
        if self.captured.is_zero() {
            return Amount::ZERO;
        }
        crate::money::ratio(self.own_captured, i128::from(taken.get()), i128::from(self.captured.get()))
    }

    /// What `own_taken` of the payment's own currency is worth in the order's, along the captured pair.
    pub fn booked_of(&self, own_taken: Amount) -> Amount {
        if self.own_captured.is_zero() {
            return Amount::ZERO;
        }
        crate::money::ratio(self.captured, i128::from(own_taken.get()), i128::from(self.own_captured.get()))
    }
}

/// Why facts cannot be an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderFault {
    /// A limit of [`crate::limits`] is passed: what, and the limit.
    TooMany(&'static str, usize),
    /// A figure is negative or above [`AMOUNT_MINOR_MAX`].
    AmountOutOfRange(&'static str),
    /// A line without units, or with more shipped than sold.
    UnitsOutOfRange(usize),
    /// The same platform id twice.
    DuplicateId(String),
    /// An id is empty or too long.
    BadId(String),
    /// `components` does not start with the goods of each line, or names a line that is not there.
    ComponentsOutOfPlace,
    /// A payment in the order's currency whose two amounts differ.
    CapturedPairDiffers(usize),
}

impl Order {
    /// Checks everything that the rules rely on; call it once where an order enters.
    pub fn validate(&self) -> Result<(), OrderFault> {
        check_count("lines", self.lines.len(), LINES_PER_ORDER_MAX)?;
        check_count("components", self.components.len(), COMPONENTS_PER_ORDER_MAX)?;
        check_count("payments", self.payments.len(), PAYMENTS_PER_ORDER_MAX)?;
        self.validate_lines()?;
        self.validate_components()?;
        self.validate_payments()?;
        self.validate_shop()?;
        check_id(self.external_id.as_deref())?;
        check_unique(self.lines.iter().filter_map(|l| l.external_id.as_deref()))?;
        check_unique(self.payments.iter().filter_map(|p| p.external_id.as_deref()))
    }

    fn validate_lines(&self) -> Result<(), OrderFault> {
        for (index, line) in self.lines.iter().enumerate() {
            let gone = line.shipped.saturating_add(line.cancelled);
            let delivered_unshipped = self.life.delivered(index) > line.shipped;
            if line.quantity == 0 || line.quantity > UNITS_PER_LINE_MAX || gone > line.quantity || delivered_unshipped {
                return Err(OrderFault::UnitsOutOfRange(index));
            }
            check_amount("unit price", line.unit_price)?;
            check_amount("discount", line.discount)?;
            check_id(line.external_id.as_deref())?;
        }
        Ok(())
    }

    fn validate_components(&self) -> Result<(), OrderFault> {
        let goods = self.components.iter().take(self.lines.len());
        let in_place = goods.clone().count() == self.lines.len()
            && goods.enumerate().all(|(i, c)| c.kind == ComponentKind::Goods && c.line == Some(i))
            && self
                .components
                .iter()
                .skip(self.lines.len())
                .all(|c| c.kind != ComponentKind::Goods && c.line.is_none_or(|line| line < self.lines.len()));
        if !in_place {
            return Err(OrderFault::ComponentsOutOfPlace);
        }
        for component in &self.components {
            check_amount("net", component.net)?;
            check_amount("tax", component.tax)?;
        }
        check_sum("total", self.components.iter().flat_map(|c| [c.net, c.tax]))
    }

    fn validate_payments(&self) -> Result<(), OrderFault> {
        for (index, payment) in self.payments.iter().enumerate() {
            check_amount("captured", payment.captured)?;
            check_amount("captured", payment.own_captured)?;
            check_id(payment.external_id.as_deref())?;
            if payment.own_currency == self.currency && payment.own_captured != payment.captured {
                return Err(OrderFault::CapturedPairDiffers(index));
            }
        }
        check_sum("captured", self.payments.iter().map(|p| p.captured))
    }

    fn validate_shop(&self) -> Result<(), OrderFault> {
        let Some(shop) = self.shop else { return Ok(()) };
        let most = self.charged().max(self.captured());
        let in_range = shop.rate.sign().is_gt() && shop.checked_convert(most, self.currency).is_some();
        if in_range { Ok(()) } else { Err(OrderFault::AmountOutOfRange("shop rate")) }
    }

    /// Whether an amount, which need be in no books, can be shown in the store's currency, too.
    pub(crate) fn can_show(&self, amount: Amount) -> bool {
        self.shop.is_none_or(|shop| shop.checked_convert(amount, self.currency).is_some())
    }

    /// Σ of all components, net and tax: what the order costs.
    pub fn charged(&self) -> Amount {
        self.components.iter().map(Component::gross).sum()
    }

    /// Σ captured over all payments.
    pub fn captured(&self) -> Amount {
        self.payments.iter().map(|p| p.captured).sum()
    }

    /// The goods component of a line (index into `lines`).
    pub fn goods(&self, line: usize) -> &Component {
        self.components.get(line).expect("goods of each line come first")
    }

    /// The net and tax of a component that count as captured, by [`Capture`].
    pub fn captured_part(&self, component: &Component) -> (Amount, Amount) {
        let line = component.line.and_then(|line| self.lines.get(line));
        match (self.capture, line) {
            (Capture::Whole, _) | (Capture::ByFulfilment, None) => (component.net, component.tax),
            (Capture::ByFulfilment, Some(line)) => {
                let share = |total| cumulative(total, line.shipped, line.quantity);
                (share(component.net), share(component.tax))
            }
        }
    }

    /// The discount share of `n` units after `taken`, for display.
    pub fn discount_share(&self, line: usize, taken: u32, n: u32) -> Amount {
        self.lines.get(line).map_or(Amount::ZERO, |l| unit_share(l.discount, taken, n, l.quantity))
    }

    /// Index of the line a caller names.
    pub fn find_line(&self, reference: &Reference) -> Option<usize> {
        let external = |l: &Line| l.external_id.as_deref() == Some(reference.text.as_str());
        self.lines.iter().position(external).or_else(|| self.lines.iter().position(|l| reference.ours == Some(l.id)))
    }

    /// Index of the payment a caller names.
    pub fn find_payment(&self, reference: &Reference) -> Option<usize> {
        let external = |p: &Payment| p.external_id.as_deref() == Some(reference.text.as_str());
        self.payments
            .iter()
            .position(external)
            .or_else(|| self.payments.iter().position(|p| reference.ours == Some(p.id)))
    }

    /// Indices of the components of one kind.
    pub fn of_kind(&self, kind: ComponentKind) -> impl Iterator<Item = usize> + '_ {
        self.components.iter().enumerate().filter(move |(_, c)| c.kind == kind).map(|(i, _)| i)
    }
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), OrderFault> {
    if count > max { Err(OrderFault::TooMany(what, max)) } else { Ok(()) }
}

fn check_amount(what: &'static str, amount: Amount) -> Result<(), OrderFault> {
    let in_range = !amount.is_negative() && amount.get() <= AMOUNT_MINOR_MAX;
    if in_range { Ok(()) } else { Err(OrderFault::AmountOutOfRange(what)) }
}

/// Sums step by step: all amounts of an order with many parts together would overflow before they are judged.
fn check_sum(what: &'static str, mut amounts: impl Iterator<Item = Amount>) -> Result<(), OrderFault> {
    let sum = amounts.try_fold(Amount::ZERO, |sum, amount| check_amount(what, sum + amount).map(|()| sum + amount));
    sum.map(|_| ())
}

fn check_id(id: Option<&str>) -> Result<(), OrderFault> {
    match id {
        Some(id) if id.is_empty() || id.chars().count() > EXTERNAL_ID_CHARS_MAX => {
            Err(OrderFault::BadId(id.to_owned()))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_unique<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), OrderFault> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(OrderFault::DuplicateId(id.to_owned()));
        }
    }
    Ok(())
}
