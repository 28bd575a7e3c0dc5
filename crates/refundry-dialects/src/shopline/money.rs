//! Amounts as this API prints them: decimals, hundredths, and sets of one amount in two currencies.

use refundry_core::money::{Amount, Currency};
use refundry_core::order::Order;
use serde_json::{Number, Value, json};

/// One amount in the store's currency and in the buyer's.
#[derive(Clone, Copy)]
pub(super) struct Money {
    shop: Amount,
    shop_currency: Currency,
    books: Amount,
    books_currency: Currency,
}

impl Money {
    /// `shop` counts only where the store has another currency; elsewhere both sides are the same amount.
    pub(super) fn new(order: &Order, books: Amount, shop: Amount) -> Self {
        let (shop, shop_currency) = order.shop.map_or((books, order.currency), |money| (shop, money.currency));
        Self { shop, shop_currency, books, books_currency: order.currency }
    }

    pub(super) fn zero(order: &Order) -> Self {
        Self::new(order, Amount::ZERO, Amount::ZERO)
    }

    /// Converted at the order's rate, for amounts without a stored shadow. What only a document says of an order may be
    /// beyond any amount in the other currency; it is in no books, and shown as nothing there.
    pub(super) fn converted(order: &Order, books: Amount) -> Self {
        let shop = order.shop.map_or(Some(books), |money| money.checked_convert(books, order.currency));
        Self::new(order, books, shop.unwrap_or_default())
    }

    /// The plain amount beside a set: the store's currency.
    pub(super) fn plain(self) -> String {
        decimal(self.shop, self.shop_currency)
    }

    /// The set with text amounts.
    pub(super) fn texts(self) -> Value {
        json!({
            "shop_money": {
                "amount": decimal(self.shop, self.shop_currency),
                "currency_code": self.shop_currency.code(),
            },
            "presentment_money": {
                "amount": decimal(self.books, self.books_currency),
                "currency_code": self.books_currency.code(),
            },
        })
    }

    /// The set with number amounts, as adjustments have it when they are read.
    pub(super) fn numbers(self) -> Value {
        json!({
            "shop_money": {
                "amount": number(&decimal(self.shop, self.shop_currency)),
                "currency_code": self.shop_currency.code(),
            },
            "presentment_money": {
                "amount": number(&decimal(self.books, self.books_currency)),
                "currency_code": self.books_currency.code(),
            },
        })
    }
}

/// With two decimals, or as many as the currency has beyond that.
pub(super) fn decimal(amount: Amount, currency: Currency) -> String {
    amount.to_decimal(currency, decimals(currency))
}

pub(super) fn decimals(currency: Currency) -> u32 {
    currency.exponent().max(2)
}

/// The digits of [`decimal`] without its point: 2.34 USD is 234, 500 JPY is 50000.
pub(super) fn hundredths(amount: Amount, currency: Currency) -> i64 {
    let lift = decimals(currency).saturating_sub(currency.exponent());
    amount.get().saturating_mul(10_i64.saturating_pow(lift))
}

/// A JSON number with exactly these digits.
pub(super) fn number(decimal: &str) -> Value {
    decimal.parse::<Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use refundry_core::limits::AMOUNT_MINOR_MAX;
    use refundry_core::money::Decimal;
    use refundry_core::order::ShopMoney;

    use super::*;
    use crate::shopline::tests::example;

    #[test]
    fn what_is_beyond_any_amount_of_the_store_is_shown_as_nothing_of_it() {
        let document = example("tax-included-paid-in-pounds.json");
        let mut order = crate::shopline::read_order(&document, 0).expect("it is read").order;
        let shown = |order: &Order, minor: i64| {
            let money = Money::converted(order, Amount::minor(minor));
            (money.plain(), money.texts()["presentment_money"]["amount"].clone())
        };
        let currency = Currency::parse("VND").expect("a currency");
        order.shop = Some(ShopMoney { currency, rate: Decimal::from_parts(25_000, 0) });
        assert_eq!(shown(&order, 100), ("25000.00".to_owned(), json!("1.00")));
        let (plain, presented) = shown(&order, AMOUNT_MINOR_MAX);
        assert_eq!((plain.as_str(), presented.as_str().map(str::len)), ("0.00", Some(17)));
    }
}
