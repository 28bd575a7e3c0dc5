//! An order in the making: what a caller wants to sell → the facts of an order.
//!
//! Prices, discount and tax are shared out over the lines here, once and for all, by largest remainder. What was paid
//! and shipped with it is worked out in [`made`].

use crate::life::Life;
use crate::limits::{AMOUNT_MINOR_MAX, LINES_PER_ORDER_MAX};
use crate::money::{Amount, AmountError, Currency, Decimal, split};
use crate::order::{
    Capture, Component, ComponentKind, Dialect, Line, Order, OrderFault, Payment, PaymentKind, ShopMoney, Status,
};
use crate::parcels::Fault;
use crate::paying::{PayLine, TransactionState};

mod made;
#[cfg(test)]
mod tests;

pub use made::{Made, made};

/// What a caller wants to sell. Amounts are in major units of the currency, and not negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Through which API; it prints the order's ids in its own shape.
    pub origin: Dialect,
    /// What people will call the order; given where it is stored if this is empty.
    pub number: String,
    /// What it is sold in; `None` for what the store sells in.
    pub currency: Option<Currency>,
    /// Units of the store's currency for one of the order's; only needed where the two differ.
    pub rate: Option<Decimal>,
    /// What is sold.
    pub lines: Vec<DraftLine>,
    /// Taken off the lines that take part in it.
    pub discount: Option<Discount>,
    /// All prices have their tax inside; else it comes on top of them.
    pub taxes_included: bool,
    /// Tax of the goods that no line tells of.
    pub tax: Decimal,
    /// What shipping costs, a part for each way to ship.
    pub shipping: Vec<DraftShipping>,
    /// Named additional charges.
    pub charges: Vec<(String, Decimal)>,
    /// It is paid when it is handed over.
    pub on_delivery: bool,
    /// Payments made with it, and those that came to nothing.
    pub paid: Vec<DraftPayment>,
    /// How far it is said to be paid; `None` where nothing is said.
    pub claim: Option<Claim>,
    /// Everything is shipped at once.
    pub shipped: bool,
    /// What becomes of stock.
    pub stock: StockRule,
}

impl Draft {
    /// A draft in which nothing is sold, nothing is said of payments, and stock stays as it is.
    pub const fn new(origin: Dialect, currency: Option<Currency>) -> Self {
        Self {
            origin,
            number: String::new(),
            currency,
            rate: None,
            lines: Vec::new(),
            discount: None,
            taxes_included: false,
            tax: Decimal::ZERO,
            shipping: Vec::new(),
            charges: Vec::new(),
            on_delivery: false,
            paid: Vec::new(),
            claim: None,
            shipped: false,
            stock: StockRule::Leave,
        }
    }
}

/// One line of what is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftLine {
    /// What the dialect calls it, unique in the order; `None` where it prints our number.
    pub external_id: Option<String>,
    /// The platform's product id, may be empty.
    pub product_id: String,
    /// The platform's variant id, may be empty.
    pub variant_id: String,
    /// Product title, may be empty.
    pub title: String,
    /// Where it is stocked, may be empty.
    pub location_id: String,
    /// Units, at least 1.
    pub quantity: u32,
    /// Price of one; `None` for what the variant costs.
    pub price: Option<Decimal>,
    /// What the line costs after a discount of its own; `None` for price times quantity.
    pub total: Option<LineTotal>,
    /// It takes no part in the order's discount.
    pub no_discount: bool,
    /// Its tax.
    pub tax: Decimal,
}

impl Default for DraftLine {
    fn default() -> Self {
        Self {
            external_id: None,
            product_id: String::new(),
            variant_id: String::new(),
            title: String::new(),
            location_id: String::new(),
            quantity: 0,
            price: None,
            total: None,
            no_discount: false,
            tax: Decimal::ZERO,
        }
    }
}

/// What a line costs after a discount of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineTotal {
    /// So much.
    Is(Decimal),
    /// So much less than price times quantity.
    Less(Decimal),
}

/// What one way to ship costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftShipping {
    /// Its price.
    pub price: Decimal,
    /// Its tax.
    pub tax: Decimal,
}

/// A payment that is told of with the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftPayment {
    /// Through what, and how much.
    pub line: PayLine,
    /// What became of it: only [`TransactionState::Success`] brought money.
    pub state: TransactionState,
    /// Code of what went wrong, may be empty.
    pub error_code: String,
    /// When, epoch milliseconds; `None` for now.
    pub at_ms: Option<i64>,
}

/// How far an order is said to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing came.
    Unpaid,
    /// Some of it.
    PartlyPaid,
    /// All of it.
    Paid,
}

/// What making an order does to the stock of its goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockRule {
    /// Nothing.
    Leave,
    /// Its units are taken, whether or not there are so many.
    Take,
    /// Its units are taken; without enough of them there is no order.
    TakeIfThere,
}

/// A discount of the order as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discount {
    /// So much.
    Amount(Decimal),
    /// So many hundredths of what the lines cost, rounded half up.
    Percent(Decimal),
}

/// An amount of a draft, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line's price, total, discount or tax: which line.
    Line(usize),
    /// The order's discount.
    Discount,
    /// Tax of the goods.
    Tax,
    /// Price or tax of shipping: which.
    Shipping(usize),
    /// An additional charge: which.
    Charge(usize),
    /// A payment: which.
    Payment(usize),
}

/// Why a draft is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftFault {
    /// Nothing is sold.
    NoLines,
    /// It is sold in another currency than the store sells in, and no rate is given.
    Currency {
        /// The draft's.
        given: Currency,
        /// The store's.
        wanted: Currency,
    },
    /// The rate is not above zero, makes amounts out of range, or is not 1 between one currency and itself.
    Rate(Decimal),
    /// A line states no price, and its variant has none here: which line.
    PriceUnknown(usize),
    /// A line costs more than its price times its quantity, or more than any order may: which line.
    LineTotal(usize),
    /// The discount is more than what the lines cost that take part in it, or no percentage from 0 to 100.
    Discount,
    /// There is a tax, and no line that could bear it.
    TaxOnNothing,
    /// A tax inside a price is more than that price: which.
    TaxInside(Place),
    /// No amount of the currency, or a negative one: which, and why.
    Amount(Place, AmountError),
    /// What was paid does not fit how far it is said to be paid.
    Claim(Claim),
    /// A payment cannot be taken.
    Payment(Fault),
    /// It cannot be shipped.
    Shipment(Fault),
    /// It breaks a limit or a rule of all orders.
    Order(OrderFault),
}

/// Makes an order of a draft, unpaid and with nothing shipped, in a store that sells in `home`. `price_of` knows what a
/// variant costs in the order's currency. Numbers (`id`) are zero; whoever stores it gives them.
pub fn order(
    draft: &Draft,
    home: Currency,
    mut price_of: impl FnMut(&DraftLine, Currency) -> Option<Amount>,
    now_ms: i64,
) -> Result<Order, DraftFault> {
    if draft.lines.is_empty() {
        return Err(DraftFault::NoLines);
    }
    if draft.lines.len() > LINES_PER_ORDER_MAX {
        return Err(DraftFault::Order(OrderFault::TooMany("lines", LINES_PER_ORDER_MAX)));
    }
    let currency = draft.currency.unwrap_or(home);
    let shop = shop_money(draft, currency, home)?;
    let (mut lines, mut totals) = (Vec::new(), Vec::new());
    for (index, line) in draft.lines.iter().enumerate() {
        let price = line.price.map(|price| minor(price, Place::Line(index), currency)).transpose()?;
        let price = price.or_else(|| price_of(line, currency)).ok_or(DraftFault::PriceUnknown(index))?;
        let full = price.get().checked_mul(i64::from(line.quantity)).filter(|full| *full <= AMOUNT_MINOR_MAX);
        let full = Amount::minor(full.ok_or(DraftFault::LineTotal(index))?);
        let total = match line.total {
            None => full,
            Some(LineTotal::Is(total)) => minor(total, Place::Line(index), currency)?,
            Some(LineTotal::Less(off)) => full - minor(off, Place::Line(index), currency)?,
        };
        if total > full || total.is_negative() {
            return Err(DraftFault::LineTotal(index));
        }
        lines.push(line_of(line, price, full));
        totals.push(total);
    }
    let listed: Amount = lines.iter().map(|line| line.discount).sum();
    let totals = discounted(draft, totals, currency)?;
    for (line, total) in lines.iter_mut().zip(&totals) {
        // It held the full price until now.
        line.discount -= *total;
    }
    let order = Order {
        id: 0,
        origin: draft.origin,
        external_id: None,
        number: draft.number.clone(),
        currency,
        shop,
        taxes_included: draft.taxes_included,
        capture: Capture::Whole,
        status: Status::Open,
        disputed: false,
        lines,
        components: components(draft, &totals, currency)?,
        payments: draft.on_delivery.then(|| on_delivery(currency)).into_iter().collect(),
        created_ms: now_ms,
        updated_ms: now_ms,
        test: false,
        life: Life::default(),
    };
    order.validate().map_err(|fault| of_order(fault, shop))?;
    check_shadows(&order, listed)?;
    Ok(order)
}

/// The store's currency and the order's rate, where they are two.
fn shop_money(draft: &Draft, currency: Currency, home: Currency) -> Result<Option<ShopMoney>, DraftFault> {
    match draft.rate {
        Some(rate) if rate.sign().is_le() => Err(DraftFault::Rate(rate)),
        Some(rate) if currency == home && rate != Decimal::from_parts(1, 0) => Err(DraftFault::Rate(rate)),
        Some(_) | None if currency == home => Ok(None),
        Some(rate) => Ok(Some(ShopMoney { currency: home, rate })),
        None => Err(DraftFault::Currency { given: currency, wanted: home }),
    }
}

/// An order's own check of its rate names no rate.
fn of_order(fault: OrderFault, shop: Option<ShopMoney>) -> DraftFault {
    match (fault, shop) {
        (OrderFault::AmountOutOfRange("shop rate"), Some(shop)) => DraftFault::Rate(shop.rate),
        (fault, _) => DraftFault::Order(fault),
    }
}

/// Whatever is ever shown of the order can be shown in the store's currency: no unit price, no part, no discount and no
/// sum is above what the lines are listed at and the order costs.
fn check_shadows(order: &Order, listed: Amount) -> Result<(), DraftFault> {
    let Some(shop) = order.shop else { return Ok(()) };
    let shadow = shop.checked_convert(listed.max(order.charged()), order.currency);
    shadow.map(|_| ()).ok_or(DraftFault::Rate(shop.rate))
}

/// An amount of the currency, not negative.
fn minor(amount: Decimal, place: Place, currency: Currency) -> Result<Amount, DraftFault> {
    let minor = amount.to_minor(currency).map_err(|why| DraftFault::Amount(place, why))?;
    if minor.is_negative() { Err(DraftFault::Amount(place, AmountError::NotPositive)) } else { Ok(minor) }
}

/// The line as it is sold; its discount is the full price, until what is left of it is known.
fn line_of(line: &DraftLine, price: Amount, full: Amount) -> Line {
    Line {
        id: 0,
        external_id: line.external_id.clone(),
        sku: String::new(),
        title: line.title.clone(),
        variant_title: String::new(),
        product_id: line.product_id.clone(),
        variant_id: line.variant_id.clone(),
        location_id: line.location_id.clone(),
        quantity: line.quantity,
        shipped: 0,
        unit_price: price,
        discount: full,
        cancelled: 0,
    }
}

/// What each line costs after the order's discount.
fn discounted(draft: &Draft, totals: Vec<Amount>, currency: Currency) -> Result<Vec<Amount>, DraftFault> {
    let Some(discount) = draft.discount else { return Ok(totals) };
    let shared = totals.iter().zip(&draft.lines);
    let shared: Vec<Amount> =
        shared.map(|(total, line)| if line.no_discount { Amount::ZERO } else { *total }).collect();
    let open: Amount = shared.iter().sum();
    let off = match discount {
        Discount::Amount(off) => minor(off, Place::Discount, currency)?,
        Discount::Percent(percent) if percent > Decimal::from_parts(100, 0) => return Err(DraftFault::Discount),
        Discount::Percent(percent) => percent_of(open, percent).ok_or(DraftFault::Discount)?,
    };
    if off.is_negative() || off > open {
        return Err(DraftFault::Discount);
    }
    Ok(totals.iter().zip(split(off, &shared)).map(|(total, share)| *total - share).collect())
}

fn percent_of(open: Amount, percent: Decimal) -> Option<Amount> {
    let (mantissa, scale) = percent.parts();
    let product = mantissa.checked_mul(i128::from(open.get()))?;
    let share = Decimal::from_parts(product, scale.checked_add(2)?).rounded_to(0).parts().0;
    i64::try_from(share).ok().map(Amount::minor)
}

/// Every part of the price: goods of each line first, each with its own tax and its share of the tax that no line tells
/// of; then shipping and charges.
fn components(draft: &Draft, totals: &[Amount], currency: Currency) -> Result<Vec<Component>, DraftFault> {
    let tax = minor(draft.tax, Place::Tax, currency)?;
    if tax.is_positive() && totals.iter().all(|total| total.is_zero()) {
        return Err(DraftFault::TaxOnNothing);
    }
    let included = draft.taxes_included;
    let mut components = Vec::new();
    let lines = draft.lines.iter().zip(totals).zip(split(tax, totals)).enumerate();
    for (index, ((line, total), share)) in lines {
        let place = Place::Line(index);
        let tax = minor(line.tax, place, currency)? + share;
        components.push(part((ComponentKind::Goods, Some(index)), (*total, tax), included, place)?);
    }
    for (index, shipping) in draft.shipping.iter().enumerate() {
        let place = Place::Shipping(index);
        let [price, tax] = [shipping.price, shipping.tax].map(|amount| minor(amount, place, currency));
        let part = part((ComponentKind::Shipping, None), (price?, tax?), included, place)?;
        if part.gross().is_positive() {
            components.push(part);
        }
    }
    for (index, (name, price)) in draft.charges.iter().enumerate() {
        let (kind, net) = (ComponentKind::Additional, minor(*price, Place::Charge(index), currency)?);
        components.push(Component { kind, line: None, name: name.clone(), net, tax: Amount::ZERO });
    }
    Ok(components)
}

/// A part of the price, whose tax is taken out where prices include it.
fn part(
    (kind, line): (ComponentKind, Option<usize>),
    (price, tax): (Amount, Amount),
    included: bool,
    place: Place,
) -> Result<Component, DraftFault> {
    if included && tax > price {
        return Err(DraftFault::TaxInside(place));
    }
    let net = if included { price - tax } else { price };
    Ok(Component { kind, line, name: String::new(), net, tax })
}

/// Cash on delivery: nothing is captured until the order is marked paid or delivered.
fn on_delivery(currency: Currency) -> Payment {
    Payment {
        id: 0,
        external_id: None,
        channel: "cod".to_owned(),
        method: "cod".to_owned(),
        kind: PaymentKind::CashOnDelivery,
        gateway: String::new(),
        reference: String::new(),
        account: String::new(),
        captured: Amount::ZERO,
        own_currency: currency,
        own_captured: Amount::ZERO,
    }
}
