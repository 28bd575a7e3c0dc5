//! Wire → call: an order to be made. Legacy bodies are flat, modern ones have everything under `order`.

use refundry_core::draft::{Discount, Draft, DraftLine, DraftShipping, LineTotal};
use refundry_core::limits::{LINES_PER_ORDER_MAX, NOTE_CHARS_MAX, UNITS_PER_LINE_MAX};
use refundry_core::money::{Currency, Decimal};
use refundry_core::order::Dialect;
use serde_json::{Map, Value, json};

use super::super::decode::{Bad, amount, body_or_null};
use super::super::{Version, terms};
use super::change::{TEXT_CHARS_MAX, address, notifications, put_text, tags};
use crate::body::{Fault, Fields, Malformed};
use crate::shop::{Numbering, ShopCall};
use crate::wire::Request;

/// Orders made here are called `SPZ00000001` and on.
const NUMBERING: Numbering = Numbering { prefix: "SPZ", digits: 8, first: 1 };

/// What an address must have, in the order in which a missing one is told.
const ADDRESS: [&str; 7] = ["last_name", "email", "country_code", "province", "province_code", "city", "address"];

/// Reads the body.
pub(super) fn decode(version: Version, request: &Request<'_>) -> Result<ShopCall, Bad> {
    let body = body_or_null(request)?;
    if body.is_null() {
        let key = if version.is_modern() { "order" } else { "TaxTotal" };
        return Err(Malformed::at(key, Fault::Missing).into());
    }
    let root = Fields::root(&body)?;
    let call = if version.is_modern() {
        let order = root.object("order")?.ok_or_else(|| root.fault("order", Fault::Missing))?;
        Form { order, modern: true }.read()
    } else {
        Form { order: root, modern: false }.read()
    };
    Ok(call?)
}

/// The order object of the body.
struct Form<'a> {
    order: Fields<'a>,
    modern: bool,
}

impl Form<'_> {
    fn read(&self) -> Result<ShopCall, Malformed> {
        let order = &self.order;
        let tax = self.required(order, "tax_total", amount(order, "tax_total")?)?;
        let discount = self.discount()?;
        let code = self.required(order, "currency_code", text(order, "currency_code")?)?;
        let wrong = || order.fault("currency_code", Fault::Value("an ISO 4217 code such as USD".to_owned()));
        let currency = Currency::parse(code.trim()).ok_or_else(wrong)?;
        let shipping_address = self.shipping_address()?;
        let lines = self.lines(currency)?;
        let (shipping, shipping_line) = self.shipping_line()?;
        let payment = text(order, "payment_line")?.unwrap_or_default();
        let on_delivery = payment.trim().eq_ignore_ascii_case("cod");
        let mut document = self.texts(shipping_address, shipping_line)?;
        if !payment.is_empty() {
            let method = if on_delivery { "cod" } else { payment.trim() };
            document.insert("payment_method".to_owned(), method.into());
        }
        let minor = |key: &str, amount: Decimal| amount_of(order, key, amount, currency);
        let discount = discount.map(|discount| match discount {
            Given::Percent(percent) => Ok(Discount::Percent(percent)),
            Given::Amount(amount) => minor("discount", amount).map(Discount::Amount),
        });
        let draft = Draft {
            lines,
            discount: discount.transpose()?,
            tax: minor("tax_total", tax)?,
            shipping: vec![DraftShipping { price: minor("shipping_line", shipping)?, tax: Decimal::ZERO }],
            on_delivery,
            ..Draft::new(Dialect::Shoplazza, Some(currency))
        };
        let document = Value::Object(document);
        let terms = terms::of(&document);
        let document = json!({ "order": document }).to_string();
        Ok(ShopCall::Create { draft: Box::new(draft), document, terms, numbering: NUMBERING })
    }

    /// What must be there; legacy versions name a missing key as their server's own language does.
    fn required<T>(&self, fields: &Fields<'_>, key: &str, value: Option<T>) -> Result<T, Malformed> {
        let field = if self.modern { fields.path(key) } else { pascal(key) };
        value.ok_or_else(|| Malformed::at(field, Fault::Missing))
    }

    /// `10.00`, or `10%` of what the line items cost. Required in legacy versions.
    fn discount(&self) -> Result<Option<Given>, Malformed> {
        let order = &self.order;
        let Some(text) = order.text_or_number("discount")?.filter(|text| !text.trim().is_empty()) else {
            return if self.modern { Ok(None) } else { self.required(order, "discount", None) };
        };
        let wrong = || order.fault("discount", Fault::Value("an amount such as 10.00, or 10%".to_owned()));
        let (number, is_percent) = match text.trim().strip_suffix('%') {
            Some(number) => (number.trim_end(), true),
            None => (text.trim(), false),
        };
        let number = Decimal::parse(number).map_err(|_| wrong())?;
        Ok(Some(if is_percent { Given::Percent(number) } else { Given::Amount(number) }))
    }

    fn shipping_address(&self) -> Result<Map<String, Value>, Malformed> {
        let given = self.order.object("shipping_address")?;
        let given = self.required(&self.order, "shipping_address", given)?;
        let own: &[&str] = if self.modern { &["zip"] } else { &["country"] };
        for key in ADDRESS.iter().chain(own) {
            self.required(&given, key, text(&given, key)?)?;
        }
        let mut shown = address(&given)?;
        let part = |key: &str| given.text(key).ok().flatten().unwrap_or_default();
        let name = format!("{} {}", part("first_name"), part("last_name")).trim().to_owned();
        shown.insert("name".to_owned(), name.into());
        Ok(shown)
    }

    fn lines(&self, currency: Currency) -> Result<Vec<DraftLine>, Malformed> {
        let items = self.order.objects("line_items", LINES_PER_ORDER_MAX)?;
        if items.is_empty() {
            self.required(&self.order, "line_items", None::<()>)?;
        }
        items.iter().map(|item| self.line(item, currency)).collect()
    }

    fn line(&self, item: &Fields<'_>, currency: Currency) -> Result<DraftLine, Malformed> {
        let named = |key: &str| Ok::<_, Malformed>(item.text_or_number(key)?.filter(|id| !id.trim().is_empty()));
        let (variant, product) = (named("variant_id")?, named("product_id")?);
        if !self.modern {
            self.required(item, "variant_id", variant.as_ref())?;
            self.required(item, "product_id", product.as_ref())?;
        }
        let quantity = self.required(item, "quantity", item.whole("quantity")?)?;
        let in_range = u32::try_from(quantity).ok().filter(|q| (1..=UNITS_PER_LINE_MAX).contains(q));
        let wrong = || item.fault("quantity", Fault::Value(format!("from 1 to {UNITS_PER_LINE_MAX}")));
        let money = |key: &str| {
            let amount = amount(item, key)?;
            amount.map(|amount| amount_of(item, key, amount, currency)).transpose()
        };
        Ok(DraftLine {
            product_id: product.unwrap_or_default().trim().to_owned(),
            variant_id: variant.unwrap_or_default().trim().to_owned(),
            title: item.text_or_empty("product_title", TEXT_CHARS_MAX)?,
            quantity: in_range.ok_or_else(wrong)?,
            price: money("price")?,
            total: money("total_price")?.map(LineTotal::Is),
            no_discount: item.flag("use_discount")? == Some(false),
            ..DraftLine::default()
        })
    }

    /// What shipping costs, and how it is shown.
    fn shipping_line(&self) -> Result<(Decimal, Map<String, Value>), Malformed> {
        let line = self.order.object("shipping_line")?;
        let line = self.required(&self.order, "shipping_line", line)?;
        let (name, desc) = if self.modern { ("shipping_name", "shipping_desc") } else { ("name", "desc") };
        self.required(&line, name, text(&line, name)?)?;
        let price = self.required(&line, "shipping_price", amount(&line, "shipping_price")?)?;
        let mut shown = Map::new();
        put_text(&mut shown, "name", &line, name)?;
        put_text(&mut shown, "desc", &line, desc)?;
        if let Some(method) = line.whole("delivery_method")? {
            shown.insert("delivery_method".to_owned(), method.into());
        }
        Ok((price, shown))
    }

    /// What is only shown again.
    fn texts(
        &self,
        shipping_address: Map<String, Value>,
        shipping_line: Map<String, Value>,
    ) -> Result<Map<String, Value>, Malformed> {
        let order = &self.order;
        let mut document = Map::new();
        document.insert("note".to_owned(), order.text_or_empty("note", NOTE_CHARS_MAX)?.into());
        let address_tags = order.object("shipping_address")?.map(|address| tags(&address)).transpose()?.flatten();
        let tags = tags(order)?.or(address_tags).unwrap_or_default();
        document.insert("tags".to_owned(), tags.into());
        let of_buyer = |key: &str| shipping_address.get(key).cloned().unwrap_or("".into());
        let customer = json!({
            "email": of_buyer("email"), "first_name": of_buyer("first_name"), "last_name": of_buyer("last_name"),
            "phone": of_buyer("phone"),
        });
        document.insert("customer".to_owned(), customer);
        if let Some(application) = order.object("discount_application")? {
            let mut shown = Map::new();
            put_text(&mut shown, "discount_code", &application, "discount_code")?;
            put_text(&mut shown, "title", &application, "title")?;
            document.extend(shown.get("discount_code").map(|code| ("discount_code".to_owned(), code.clone())));
            if !shown.is_empty() {
                // A JSON text inside the string, as the platform has it.
                document.insert("discount_applications".to_owned(), json!([shown]).to_string().into());
            }
        }
        notifications(&mut document, order)?;
        let properties = order.objects("line_items", LINES_PER_ORDER_MAX)?.into_iter().map(|item| {
            let properties = item.object("custom_properties")?.and_then(|_| item.value("custom_properties").cloned());
            Ok(json!({ "custom_properties": properties.unwrap_or_else(|| json!({})) }))
        });
        document.insert("line_items".to_owned(), properties.collect::<Result<Vec<_>, Malformed>>()?.into());
        document.insert("billing_address".to_owned(), Value::Object(shipping_address.clone()));
        document.insert("shipping_address".to_owned(), Value::Object(shipping_address));
        document.insert("shipping_line".to_owned(), Value::Object(shipping_line));
        Ok(document)
    }
}

enum Given {
    Amount(Decimal),
    Percent(Decimal),
}

/// A text that is not blank.
fn text<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<&'a str>, Malformed> {
    let text = fields.text(key)?.filter(|text| !text.trim().is_empty());
    if text.is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
        return Err(fields.fault(key, Fault::TooLong(TEXT_CHARS_MAX)));
    }
    Ok(text)
}

/// An amount of a currency, not negative.
fn amount_of(fields: &Fields<'_>, key: &str, amount: Decimal, currency: Currency) -> Result<Decimal, Malformed> {
    let minor = amount.to_minor(currency).ok().filter(|minor| !minor.is_negative());
    let decimals = currency.exponent();
    let wanted = || format!("an amount of {currency}, not negative, with at most {decimals} decimals");
    minor.map(|_| amount).ok_or_else(|| fields.fault(key, Fault::Value(wanted())))
}

/// `tax_total` → `TaxTotal`.
fn pascal(key: &str) -> String {
    let words = key.split('_').map(|word| {
        let (head, tail) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{tail}", head.to_ascii_uppercase())
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_named_as_the_platform_names_it() {
        assert_eq!(pascal("tax_total"), "TaxTotal");
        assert_eq!(pascal("address1"), "Address1");
    }
}
