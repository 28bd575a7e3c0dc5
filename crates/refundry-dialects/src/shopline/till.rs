//! Reads the amounts of an order object in the currency the buyer paid in.
//!
//! The platform prints plain totals in the store's currency and a `…_set` beside each with both currencies; payments
//! and refunds have `settle_…`. Faults name the path and say what to change.

use refundry_core::intake::IntakeFault;
use refundry_core::limits::{AMOUNT_MINOR_MAX, EXTERNAL_ID_CHARS_MAX};
use refundry_core::money::{Amount, AmountError, Currency, Decimal};
use refundry_core::order::ShopMoney;

use crate::body::{Fields, Malformed};

/// The two currencies of an order.
#[derive(Clone, Copy)]
pub(super) struct Till {
    /// What the buyer paid in: the currency of the books.
    pub(super) books: Currency,
    /// The store's, where it is another one.
    pub(super) shop: Option<Currency>,
}

/// An amount in both currencies; `shop` is `None` where the document does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) books: Amount,
    pub(super) shop: Option<Amount>,
}

/// Keys of the order whose sets tell the currencies.
const SETS: [&str; 4] =
    ["subtotal_price_set", "current_total_price_set", "total_line_items_price_set", "total_tax_set"];

impl Till {
    /// Finds the two currencies.
    pub(super) fn open(order: &Fields<'_>) -> Result<Self, IntakeFault> {
        let named = |key| Ok::<_, IntakeFault>(text(order, key)?.map(|code| (key, code)));
        let (key, code) = match named("presentment_currency")? {
            Some(found) => found,
            None => named("currency")?.ok_or_else(|| unreadable(order.path("currency"), "is required"))?,
        };
        let books = currency(order, key, code)?;
        let mut shop = None;
        for key in SETS {
            let Some(set) = object(order, key)? else { continue };
            if let Some(side) = object(&set, "shop_money")?
                && let Some(code) = text(&side, "currency_code")?
            {
                shop = Some(currency(&side, "currency_code", code)?);
                break;
            }
        }
        Ok(Self { books, shop: shop.filter(|shop| *shop != books) })
    }

    /// The store's currency, whether or not it is another one.
    pub(super) fn store(self) -> Currency {
        self.shop.unwrap_or(self.books)
    }

    /// The amount `key`, from its set where there is one; not negative.
    pub(super) fn amount(self, fields: &Fields<'_>, key: &str) -> Result<Option<Amount>, IntakeFault> {
        let amount = self.signed(fields, key)?;
        match amount {
            Some(amount) if amount.is_negative() => Err(unreadable(fields.path(key), "must not be negative")),
            Some(_) | None => Ok(amount),
        }
    }

    /// The amount `key`, from its set where there is one.
    pub(super) fn signed(self, fields: &Fields<'_>, key: &str) -> Result<Option<Amount>, IntakeFault> {
        Ok(self.pair(fields, key)?.map(|pair| pair.books))
    }

    /// The amount `key` in both currencies.
    pub(super) fn pair(self, fields: &Fields<'_>, key: &str) -> Result<Option<Pair>, IntakeFault> {
        if let Some(set) = object(fields, &format!("{key}_set"))?
            && let Some(pair) = self.of_set(&set)?
        {
            return Ok(Some(pair));
        }
        let Some(plain) = minor(fields, key, self.store())? else { return Ok(None) };
        match self.shop {
            None => Ok(Some(Pair { books: plain, shop: None })),
            // Nothing is nothing in any currency.
            Some(_) if plain.is_zero() => Ok(Some(Pair { books: plain, shop: Some(plain) })),
            Some(shop) => {
                let reason = format!("is required: {key} alone is in {shop}, and the buyer paid in {}", self.books);
                Err(unreadable(fields.path(&format!("{key}_set")), reason))
            }
        }
    }

    /// A money set; `None` where it names no amount.
    pub(super) fn of_set(self, set: &Fields<'_>) -> Result<Option<Pair>, IntakeFault> {
        let side = |key: &str, wanted: Currency| -> Result<Option<Amount>, IntakeFault> {
            let Some(side) = object(set, key)? else { return Ok(None) };
            let amount = minor(&side, "amount", wanted)?;
            match text(&side, "currency_code")? {
                Some(code) if amount.is_some() && !code.eq_ignore_ascii_case(wanted.code()) => {
                    let reason = format!("{code}, where the rest of the order has {wanted}");
                    Err(contradictory(side.path("currency_code"), reason))
                }
                Some(_) | None => Ok(amount),
            }
        };
        let shop = side("shop_money", self.store())?;
        let books = side("presentment_money", self.books)?;
        Ok(match (books, self.shop) {
            (Some(books), _) => Some(Pair { books, shop }),
            (None, None) => shop.map(|books| Pair { books, shop }),
            (None, Some(_)) => None,
        })
    }

    /// An amount for people, with its currency.
    pub(super) fn show(self, amount: Amount) -> String {
        show(amount, self.books)
    }
}

/// A rate: the shortest decimal that makes `shop` of `books`, the same amount in the two currencies.
///
/// `None` where there is none above zero that keeps shadows of amounts up to `largest` within bounds.
pub(super) fn rate(books: (Amount, Currency), shop: (Amount, Currency), largest: Amount) -> Option<ShopMoney> {
    let ((books, from), (shop, currency)) = (books, shop);
    if !books.is_positive() {
        // Nothing was charged, so nothing is ever converted.
        return Some(ShopMoney { currency, rate: Decimal::from_parts(1, 0) });
    }
    if !shop.is_positive() {
        return None;
    }
    let divisor = i128::from(books.get()).checked_mul(ten(currency.exponent()))?;
    for scale in 0..=18 {
        let scaled = i128::from(shop.get()).checked_mul(ten(from.exponent()))?.checked_mul(ten(scale))?;
        let money = ShopMoney { currency, rate: Decimal::from_parts(div_half_up(scaled, divisor)?, scale) };
        if fits(&money, from, largest.max(books)) && money.convert(books, from) == shop {
            return Some(money);
        }
    }
    None
}

/// Whether the shadow of an amount can be computed at all, and is an amount.
fn fits(money: &ShopMoney, from: Currency, amount: Amount) -> bool {
    let (mantissa, scale) = money.rate.parts();
    let lift = ten(money.currency.exponent().saturating_sub(from.exponent()));
    let product = mantissa.checked_mul(lift).and_then(|m| m.checked_mul(i128::from(amount.get())));
    let down = ten(scale.saturating_add(from.exponent().saturating_sub(money.currency.exponent())));
    product.and_then(|p| p.checked_div(down)).is_some_and(|shadow| shadow <= i128::from(AMOUNT_MINOR_MAX))
}

/// `amount · numerator / denominator`, half up, where that is an amount. All three must not be negative.
pub(super) fn proportion(amount: Amount, numerator: Amount, denominator: Amount) -> Option<Amount> {
    let product = i128::from(amount.get()).checked_mul(i128::from(numerator.get()))?;
    let shared = div_half_up(product, i128::from(denominator.get()))?;
    i64::try_from(shared).ok().filter(|minor| *minor <= AMOUNT_MINOR_MAX).map(Amount::minor)
}

fn div_half_up(numerator: i128, denominator: i128) -> Option<i128> {
    let (quotient, remainder) = (numerator.checked_div(denominator)?, numerator.checked_rem(denominator)?);
    Some(if remainder >= denominator.checked_sub(remainder)? { quotient.checked_add(1)? } else { quotient })
}

fn ten(exponent: u32) -> i128 {
    10_i128.saturating_pow(exponent)
}

/// Adds within the bound of all amounts, so that no sum of a document can overflow.
pub(super) fn add(path: &str, sum: Amount, more: Amount) -> Result<Amount, IntakeFault> {
    let sum = sum + more;
    if sum.abs().get() > AMOUNT_MINOR_MAX {
        return Err(unreadable(path.to_owned(), "comes to more than any order can"));
    }
    Ok(sum)
}

/// An amount for people, with its currency.
pub(super) fn show(amount: Amount, currency: Currency) -> String {
    format!("{} {currency}", amount.to_decimal(currency, currency.exponent().max(2)))
}

/// An amount of a currency; a JSON number may have an exponent, as large doubles are printed with one.
pub(super) fn minor(fields: &Fields<'_>, key: &str, currency: Currency) -> Result<Option<Amount>, IntakeFault> {
    if text_is_blank(fields, key) {
        return Ok(None);
    }
    let Some(decimal) = fields.decimal(key, true).map_err(|m| of_malformed(&m))? else { return Ok(None) };
    decimal.to_minor(currency).map(Some).map_err(|error| {
        let reason = match error {
            AmountError::TooManyDecimals(max) => format!("must have at most {max} decimals, as {currency} has"),
            AmountError::TooLarge => "is larger than any amount can be".to_owned(),
            AmountError::NotPositive => "must not be negative".to_owned(),
        };
        unreadable(fields.path(key), reason)
    })
}

/// A text that is not blank.
pub(super) fn text<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<&'a str>, IntakeFault> {
    let text = fields.text(key).map_err(|m| of_malformed(&m))?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

/// An id of something that is found by it again.
pub(super) fn id(fields: &Fields<'_>, key: &str) -> Result<Option<String>, IntakeFault> {
    let id = name(fields, key)?;
    if id.as_ref().is_some_and(|id| id.chars().count() > EXTERNAL_ID_CHARS_MAX) {
        return Err(unreadable(fields.path(key), format!("must not be longer than {EXTERNAL_ID_CHARS_MAX}")));
    }
    Ok(id)
}

/// A text or a number that is not blank.
pub(super) fn name(fields: &Fields<'_>, key: &str) -> Result<Option<String>, IntakeFault> {
    let text = fields.text_or_number(key).map_err(|m| of_malformed(&m))?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// A count of units.
pub(super) fn count(fields: &Fields<'_>, key: &str) -> Result<Option<u32>, IntakeFault> {
    if text_is_blank(fields, key) {
        return Ok(None);
    }
    let Some(number) = fields.whole(key).map_err(|m| of_malformed(&m))? else { return Ok(None) };
    u32::try_from(number).map(Some).map_err(|_| unreadable(fields.path(key), "is out of range"))
}

/// An object with anything in it.
pub(super) fn object<'a>(fields: &Fields<'a>, key: &str) -> Result<Option<Fields<'a>>, IntakeFault> {
    let object = fields.object(key).map_err(|m| of_malformed(&m))?;
    Ok(object.filter(|object| object.keys().next().is_some()))
}

/// A list of objects; `{}` and a single object where a list belongs count as they do on the platform: absent.
pub(super) fn list<'a>(fields: &Fields<'a>, key: &str, max: usize) -> Result<Vec<Fields<'a>>, IntakeFault> {
    if fields.value(key).and_then(|value| value.as_object()).is_some_and(serde_json::Map::is_empty) {
        return Ok(Vec::new());
    }
    fields.objects(key, max).map_err(|m| of_malformed(&m))
}

/// A currency code.
pub(super) fn currency(fields: &Fields<'_>, key: &str, code: &str) -> Result<Currency, IntakeFault> {
    Currency::parse(code).ok_or_else(|| unreadable(fields.path(key), "must be an ISO 4217 currency"))
}

pub(super) fn of_malformed(malformed: &Malformed) -> IntakeFault {
    IntakeFault::Unreadable { field: malformed.field.clone(), reason: malformed.sentence() }
}

pub(super) fn unreadable(field: String, reason: impl Into<String>) -> IntakeFault {
    IntakeFault::Unreadable { field, reason: reason.into() }
}

pub(super) fn contradictory(field: String, reason: impl Into<String>) -> IntakeFault {
    IntakeFault::Contradictory { field, reason: reason.into() }
}

fn text_is_blank(fields: &Fields<'_>, key: &str) -> bool {
    fields.value(key).and_then(|value| value.as_str()).is_some_and(|text| text.trim().is_empty())
}
