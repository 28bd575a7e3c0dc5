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

    /// Converted at the order's rate, for amounts without a stored shadow.
    pub(super) fn converted(order: &Order, books: Amount) -> Self {
        Self::new(order, books, order.shop.map_or(books, |money| money.convert(books, order.currency)))
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
