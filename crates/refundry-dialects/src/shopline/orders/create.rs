//! Wire → call: an order to be made. Its figures become a draft, its texts a document in the form in which orders are
//! read, so that both are shown as those of any other order.

use refundry_core::draft::{
    Claim, Discount, Draft, DraftFault, DraftLine, DraftPayment, DraftShipping, LineTotal, StockRule,
};
use refundry_core::limits::{EXTERNAL_ID_CHARS_MAX, NOTE_CHARS_MAX, PAYMENTS_PER_ORDER_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Currency, Decimal};
use refundry_core::order::{Dialect, PaymentKind};
use refundry_core::parcels::Fault as ParcelFault;
use refundry_core::paying::{Card, PayLine, TransactionState};
use serde_json::{Map, Value, json};

use super::object::ADDRESS;
use crate::body::{Fault, Fields};
use crate::shop::{Numbering, ShopCall, ShopFault};
use crate::shopline::order::kind_named;
use crate::shopline::params::{amount, body, flag, id, missing, objects, root, time_ms, word};
use crate::shopline::{reject, terms};
use crate::text::rfc3339_offset;
use crate::wire::{Request, Response};

/// Orders made here are called 1001 and on.
const NUMBERING: Numbering = Numbering { prefix: "", digits: 1, first: 1001 };
const LINES_MAX: usize = 100;
/// Longest title, name or part of an address; an order's note is shorter still.
const TEXT_CHARS_MAX: usize = 255;
const ORDER_NOTE_CHARS_MAX: usize = 50;
/// What a payment is called that nobody gave a name.
const CUSTOM: &str = "CUSTOM";
/// Keys of a buyer.
const CUSTOMER: [&str; 5] = ["id", "email", "phone", "first_name", "last_name"];

/// Reads the body.
pub(super) fn decode(request: &Request<'_>) -> Result<ShopCall, Response> {
    let body = body(request)?;
    let root = root(&body)?;
    let order = root.object("order").map_err(|m| reject::malformed(&m))?.ok_or_else(|| missing(&root, "order"))?;
    let form = Form::read(&order)?;
    let document = json!({ "order": form.document(&order)? });
    let terms = terms::of(&document);
    let draft = Box::new(form.draft(&order)?);
    Ok(ShopCall::Create { draft, document: document.to_string(), terms, numbering: NUMBERING })
}

/// What figures and texts are both made of.
struct Form<'a> {
    currency: Option<Currency>,
    lines: Vec<Item<'a>>,
    shipping: Vec<Shipping<'a>>,
    extra_discount: Option<Decimal>,
    taxes_included: bool,
}

/// A line of the body.
struct Item<'a> {
    fields: Fields<'a>,
    discount: Option<(Decimal, String)>,
    tax: Option<Tax>,
}

/// A shipping line of the body; without fields where only its price is known.
struct Shipping<'a> {
    fields: Option<Fields<'a>>,
    price: Decimal,
    tax: Option<Tax>,
}

/// A tax that was charged.
struct Tax {
    title: String,
    price: Decimal,
    rate: Decimal,
}

impl<'a> Form<'a> {
    fn read(order: &Fields<'a>) -> Result<Self, Response> {
        let items = order.objects("line_items", LINES_MAX).map_err(|m| reject::malformed(&m))?;
        if items.is_empty() {
            return Err(missing(order, "line_items"));
        }
        let currency = word(order, "currency", "currency", |code| Currency::parse(code.trim()))?;
        let info = order.object("price_info").map_err(|m| reject::malformed(&m))?;
        let of_info = |key: &str| info.as_ref().map_or(Ok(None), |info| amount(info, key));
        Ok(Self {
            currency,
            lines: items.into_iter().map(Item::read).collect::<Result<Vec<_>, Response>>()?,
            shipping: shipping(order, of_info("total_shipping_price")?)?,
            extra_discount: of_info("current_extra_total_discounts")?,
            taxes_included: info.as_ref().map_or(Ok(false), |info| flag(info, "taxes_included"))?,
        })
    }

    fn draft(&self, order: &Fields<'_>) -> Result<Draft, Response> {
        let claim = word(order, "financial_status", "financial_status", |text| match text {
            "unpaid" => Some(Claim::Unpaid),
            "partially_paid" => Some(Claim::PartlyPaid),
            "paid" => Some(Claim::Paid),
            _ => None,
        })?;
        let shipped = word(order, "fulfillment_status", "fulfillment_status", |text| match text {
            "unshipped" => Some(false),
            "shipped" => Some(true),
            _ => None,
        })?;
        let stock = word(order, "inventory_behaviour", "inventory_behaviour", |text| match text {
            "bypass" => Some(StockRule::Leave),
            "decrement_ignoring_policy" => Some(StockRule::Take),
            "decrement_obeying_policy" => Some(StockRule::TakeIfThere),
            _ => None,
        })?;
        let lines = self.lines.iter().enumerate().map(|(index, item)| item.draft(index));
        let shipping = self.shipping.iter().map(|line| {
            let tax = line.tax.as_ref().map_or(Decimal::ZERO, |tax| tax.price);
            DraftShipping { price: line.price, tax }
        });
        Ok(Draft {
            number: text(order, "name", EXTERNAL_ID_CHARS_MAX)?,
            rate: rate(order, "exchange_rate")?,
            lines: lines.collect::<Result<Vec<_>, Response>>()?,
            discount: self.extra_discount.map(Discount::Amount),
            taxes_included: self.taxes_included,
            shipping: shipping.collect(),
            paid: payments(order, claim)?,
            claim,
            shipped: shipped.unwrap_or(false),
            stock: stock.unwrap_or(StockRule::Leave),
            ..Draft::new(Dialect::Shopline, self.currency)
        })
    }

    /// What is only shown again, under the keys of an order that is read.
    fn document(&self, order: &Fields<'_>) -> Result<Map<String, Value>, Response> {
        let mut document = Map::new();
        for (from, to, max) in [
            ("order_note", "note", ORDER_NOTE_CHARS_MAX),
            ("buyer_note", "buyer_note", NOTE_CHARS_MAX),
            ("customer_locale", "customer_locale", TEXT_CHARS_MAX),
            ("market_region_country_code", "market_region_country_code", TEXT_CHARS_MAX),
        ] {
            put(&mut document, to, text(order, from, max)?);
        }
        for (key, keys) in [("customer", &CUSTOMER[..]), ("shipping_address", &ADDRESS), ("billing_address", &ADDRESS)]
        {
            if let Some(person) = order.object(key).map_err(|m| reject::malformed(&m))? {
                document.insert(key.to_owned(), texts(&person, keys)?.into());
            }
        }
        if let Some(at_ms) = time_ms(order, "processed_at")? {
            document.insert("processed_at".to_owned(), rfc3339_offset(at_ms).into());
        }
        for key in ["send_receipt", "send_fulfillment_receipt"] {
            if flag(order, key)? {
                document.insert(key.to_owned(), true.into());
            }
        }
        let notes = objects(order, "note_attributes")?;
        let notes = notes.iter().map(|note| texts(note, &["name", "value"]).map(Value::Object));
        put_list(&mut document, "note_attributes", notes.collect::<Result<_, _>>()?);
        let lines = self.lines.iter().enumerate().map(|(index, item)| item.document(index, self));
        put_list(&mut document, "line_items", lines.collect::<Result<_, _>>()?);
        let shipping = self.shipping.iter().map(|line| line.document(self.currency));
        put_list(&mut document, "shipping_lines", shipping.collect::<Result<_, _>>()?);
        let discounts = self.lines.iter().filter_map(|item| item.discount.as_ref());
        let discounts = discounts.map(|(_, title)| json!({ "title": title }));
        put_list(&mut document, "discount_applications", discounts.collect());
        Ok(document)
    }
}

impl<'a> Item<'a> {
    fn read(fields: Fields<'a>) -> Result<Self, Response> {
        let discount = match fields.object("discount_price").map_err(|m| reject::malformed(&m))? {
            Some(discount) => amount(&discount, "amount")?
                .map(|off| Ok::<_, Response>((off, text(&discount, "title", TEXT_CHARS_MAX)?)))
                .transpose()?,
            None => None,
        };
        let tax = Tax::read(&fields)?;
        Ok(Self { fields, discount, tax })
    }

    /// A line says what it is called and costs, or names a variant of which that is known.
    fn draft(&self, index: usize) -> Result<DraftLine, Response> {
        let fields = &self.fields;
        let variant_id = id(fields, "variant_id")?.unwrap_or_default();
        let title = text(fields, "title", TEXT_CHARS_MAX)?;
        let price = amount(fields, "price")?;
        if variant_id.is_empty() {
            if title.is_empty() {
                return Err(missing(fields, "title"));
            }
            if price.is_none() {
                return Err(missing(fields, "price"));
            }
        }
        let quantity = fields.whole("quantity").map_err(|m| reject::malformed(&m))?.unwrap_or(0);
        let in_range = u32::try_from(quantity).ok().filter(|units| (1..=UNITS_PER_LINE_MAX).contains(units));
        Ok(DraftLine {
            external_id: Some(number_of(index).to_string()),
            product_id: id(fields, "product_id")?.unwrap_or_default(),
            variant_id,
            title,
            location_id: id(fields, "location_id")?.unwrap_or_default(),
            quantity: in_range.ok_or_else(|| reject::unprocessable("quantity is invalid"))?,
            price,
            total: self.discount.as_ref().map(|(off, _)| LineTotal::Less(*off)),
            tax: self.tax.as_ref().map_or(Decimal::ZERO, |tax| tax.price),
            ..DraftLine::default()
        })
    }

    fn document(&self, index: usize, form: &Form<'_>) -> Result<Value, Response> {
        let fields = &self.fields;
        let mut line = Map::new();
        put(&mut line, "id", number_of(index).to_string());
        for key in ["taxable", "requires_shipping"] {
            let said = fields.flag(key).map_err(|m| reject::malformed(&m))?;
            line.insert(key.to_owned(), said.unwrap_or(true).into());
        }
        put(&mut line, "location_id", id(fields, "location_id")?.unwrap_or_default());
        put(&mut line, "shipping_line_title", text(fields, "shipping_line_title", TEXT_CHARS_MAX)?);
        let properties = objects(fields, "properties")?;
        put_list(&mut line, "properties", properties.iter().map(property).collect::<Result<_, _>>()?);
        put_list(&mut line, "tax_lines", self.tax.iter().map(|tax| tax.document(form.currency)).collect());
        // How much a discount of the order as a whole takes off a line is only known once it is shared out.
        if let Some((off, _)) = self.discount.as_ref().filter(|_| form.extra_discount.is_none()) {
            let before = form.lines.iter().take(index).filter(|item| item.discount.is_some()).count();
            let set = set(*off, form.currency);
            let off = json!({ "amount_set": set, "discount_application_index": before });
            put_list(&mut line, "discount_allocations", vec![off]);
        }
        Ok(line.into())
    }
}

/// The number of a line by its place: counted from 1, as the platform's are small.
const fn number_of(index: usize) -> usize {
    index.saturating_add(1)
}

impl Tax {
    /// All three keys are there, or none.
    fn read(of: &Fields<'_>) -> Result<Option<Self>, Response> {
        let Some(tax) = of.object("tax_line").map_err(|m| reject::malformed(&m))? else { return Ok(None) };
        let title = text(&tax, "title", TEXT_CHARS_MAX)?;
        if title.is_empty() {
            return Err(missing(&tax, "title"));
        }
        Ok(Some(Self {
            title,
            price: amount(&tax, "price")?.ok_or_else(|| missing(&tax, "price"))?,
            rate: rate(&tax, "rate")?.ok_or_else(|| missing(&tax, "rate"))?,
        }))
    }

    fn document(&self, currency: Option<Currency>) -> Value {
        json!({ "title": self.title, "rate": self.rate.to_string(), "price_set": set(self.price, currency) })
    }
}

/// Shipping lines; the one line counts where there is no list of them. A total beside them says the same, and one alone
/// is a line without a name.
fn shipping<'a>(order: &Fields<'a>, total: Option<Decimal>) -> Result<Vec<Shipping<'a>>, Response> {
    let mut given = objects(order, "shipping_lines")?;
    if given.is_empty() {
        given.extend(order.object("shipping_line").map_err(|m| reject::malformed(&m))?);
    }
    let mut lines = Vec::with_capacity(given.len());
    let mut sum = Some(Decimal::ZERO);
    for fields in given {
        let price = amount(&fields, "price")?.unwrap_or(Decimal::ZERO);
        sum = sum.and_then(|sum| plus(sum, price));
        let tax = Tax::read(&fields)?;
        lines.push(Shipping { fields: Some(fields), price, tax });
    }
    match total {
        Some(price) if lines.is_empty() => lines.push(Shipping { fields: None, price, tax: None }),
        Some(total) if sum != Some(total) => return Err(reject::unprocessable("total_shipping_price is invalid")),
        Some(_) | None => {}
    }
    Ok(lines)
}

impl Shipping<'_> {
    fn document(&self, currency: Option<Currency>) -> Result<Value, Response> {
        let mut line = match &self.fields {
            Some(fields) => texts(fields, &["title", "code"])?,
            None => Map::new(),
        };
        line.insert("price_set".to_owned(), set(self.price, currency));
        put_list(&mut line, "tax_lines", self.tax.iter().map(|tax| tax.document(currency)).collect());
        Ok(line.into())
    }
}

/// Both together, where that has no more digits than any amount.
fn plus(one: Decimal, other: Decimal) -> Option<Decimal> {
    let ((a, a_scale), (b, b_scale)) = (one.parts(), other.parts());
    let scale = a_scale.max(b_scale);
    let lifted = |mantissa: i128, from: u32| mantissa.checked_mul(10_i128.checked_pow(scale.checked_sub(from)?)?);
    Some(Decimal::from_parts(lifted(a, a_scale)?.checked_add(lifted(b, b_scale)?)?, scale))
}

/// Payments that are told of. An order that is said to be paid without one that brought money is paid by one slip.
fn payments(order: &Fields<'_>, claim: Option<Claim>) -> Result<Vec<DraftPayment>, Response> {
    let account = payer(order)?;
    let told = order.objects("transaction_list", PAYMENTS_PER_ORDER_MAX).map_err(|m| reject::malformed(&m))?;
    let mut paid = told.iter().map(|entry| payment(entry, &account)).collect::<Result<Vec<_>, Response>>()?;
    let brought = paid.iter().any(|payment| payment.state == TransactionState::Success);
    if claim == Some(Claim::Paid) && !brought {
        let method = order.object("transactions").map_err(|m| reject::malformed(&m))?;
        let method = method.map(|method| id(&method, "id")).transpose()?.flatten().unwrap_or_default();
        let line = PayLine { method, ..pay_line(CUSTOM, &account) };
        let (state, error_code) = (TransactionState::Success, String::new());
        paid.push(DraftPayment { line, state, error_code, at_ms: None });
    }
    Ok(paid)
}

fn payment(entry: &Fields<'_>, account: &str) -> Result<DraftPayment, Response> {
    let status = word(entry, "status", "transaction_list.status", |text| match text {
        "unpaid" => Some((TransactionState::Processing, "")),
        "success" => Some((TransactionState::Success, "")),
        "failure" => Some((TransactionState::Error, "")),
        "error" => Some((TransactionState::Error, "error")),
        _ => None,
    })?;
    let (state, error_code) = status.ok_or_else(|| missing(entry, "status"))?;
    let channel = text(entry, "gateways", EXTERNAL_ID_CHARS_MAX)?;
    let line = pay_line(if channel.is_empty() { CUSTOM } else { &channel }, account);
    let amount = amount(entry, "amount")?.ok_or_else(|| reject::unprocessable("amount is invalid"))?;
    let line = PayLine { amount: Some(amount), ..line };
    Ok(DraftPayment { line, state, error_code: error_code.to_owned(), at_ms: time_ms(entry, "processed_at")? })
}

fn pay_line(channel: &str, account: &str) -> PayLine {
    let kind: PaymentKind = kind_named([channel]);
    PayLine {
        channel: channel.to_owned(),
        method: String::new(),
        kind,
        gateway: if kind.settles_outside() { "manual" } else { "simulated" }.to_owned(),
        name: String::new(),
        reference: String::new(),
        account: account.to_owned(),
        amount: None,
        test: false,
        card: Card::default(),
    }
}

/// Who pays: the name on the bill, else the customer's.
fn payer(order: &Fields<'_>) -> Result<String, Response> {
    for key in ["billing_address", "customer"] {
        let Some(person) = order.object(key).map_err(|m| reject::malformed(&m))? else { continue };
        let named = texts(&person, &["first_name", "last_name"])?;
        let name = named.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            return Ok(name);
        }
    }
    Ok(String::new())
}

fn property(fields: &Fields<'_>) -> Result<Value, Response> {
    let mut property = texts(fields, &["name", "value", "type"])?;
    if let Some(show) = fields.flag("show").map_err(|m| reject::malformed(&m))? {
        property.insert("show".to_owned(), show.into());
    }
    if let Some(urls) = fields.value("urls") {
        let is_list = urls.as_array().is_some_and(|urls| urls.iter().all(Value::is_string));
        if !is_list {
            return Err(reject::malformed(&fields.fault("urls", Fault::Type("a list of strings"))));
        }
        property.insert("urls".to_owned(), urls.clone());
    }
    Ok(property.into())
}

/// The texts of an object that are there.
fn texts(fields: &Fields<'_>, keys: &[&str]) -> Result<Map<String, Value>, Response> {
    let mut texts = Map::new();
    for key in keys {
        put(&mut texts, key, text(fields, key, NOTE_CHARS_MAX)?);
    }
    Ok(texts)
}

/// A text, or a number as its text, trimmed; empty where there is none.
fn text(fields: &Fields<'_>, key: &str, max: usize) -> Result<String, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?.unwrap_or_default();
    let text = text.trim();
    if text.chars().count() > max {
        return Err(reject::malformed(&fields.fault(key, Fault::TooLong(max))));
    }
    Ok(text.to_owned())
}

/// A decimal that is no amount, not negative.
fn rate(fields: &Fields<'_>, key: &str) -> Result<Option<Decimal>, Response> {
    let text = fields.text_or_number(key).map_err(|m| reject::malformed(&m))?;
    let invalid = || reject::unprocessable(format!("{key} is invalid"));
    let read = |text: String| Decimal::parse(text.trim()).ok().filter(|rate| rate.sign().is_ge()).ok_or_else(invalid);
    text.map(read).transpose()
}

fn put(map: &mut Map<String, Value>, key: &str, text: String) {
    if !text.is_empty() {
        map.insert(key.to_owned(), text.into());
    }
}

fn put_list(map: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        map.insert(key.to_owned(), list.into());
    }
}

/// An amount as orders have it beside the plain one, which would be in the store's currency.
fn set(amount: Decimal, currency: Option<Currency>) -> Value {
    let mut money = Map::new();
    put(&mut money, "amount", amount.to_string());
    put(&mut money, "currency_code", currency.map(Currency::code).unwrap_or_default().to_owned());
    json!({ "presentment_money": money })
}

/// Why an order cannot be made; the platform's own texts say of an amount only that it is no good.
pub(super) fn refusal(fault: &ShopFault) -> Option<String> {
    let fault = match fault {
        ShopFault::Currency { .. } => return Some("exchange_rate is required".to_owned()),
        ShopFault::OutOfStock(line) => return Some(format!("line_item {} is out of stock", number_of(*line))),
        ShopFault::Draft(fault) => fault,
        ShopFault::Amend(_) | ShopFault::CalledOff => return None,
    };
    Some(match fault {
        DraftFault::NoLines => "order.line_items is required".to_owned(),
        DraftFault::Currency { .. } => "exchange_rate is required".to_owned(),
        DraftFault::Rate(_) => "exchange_rate is invalid".to_owned(),
        DraftFault::PriceUnknown(_) => "order.line_items.price is required: its variant has no price here".to_owned(),
        DraftFault::LineTotal(_) | DraftFault::Discount | DraftFault::TaxOnNothing | DraftFault::TaxInside(_) => {
            "amount is invalid".to_owned()
        }
        DraftFault::Amount(..) | DraftFault::Payment(ParcelFault::PaysTooMuch { .. }) => "amount is invalid".to_owned(),
        DraftFault::Claim(_) => "financial_status is invalid".to_owned(),
        DraftFault::Payment(_) => "transaction_list is invalid".to_owned(),
        DraftFault::Shipment(_) => "fulfillment_status is invalid".to_owned(),
        DraftFault::Order(fault) => reject::order_fault(fault),
    })
}
