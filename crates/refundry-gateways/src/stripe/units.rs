//! How Stripe counts money: docs.stripe.com/currencies, "Minor units in API amounts" and "Special cases", read November
//! 2026. Its units are those of ISO 4217, except here:
//!
//! - ISK and UGX have no decimals any more, but keep two in the API, always `00`;
//! - MGA has two in ISO 4217 and none in the API;
//! - amounts of three decimals must end in 0;
//! - HUF and TWD are whole in payouts only, so they are not special for a refund.

/// Counted at Stripe in hundredths of ISO 4217's unit, for there is none smaller in ISO 4217.
const TIMES_HUNDRED: &[&str] = &["ISK", "UGX"];
/// Counted at Stripe in whole units, though ISO 4217 has hundredths.
const WHOLE: &[&str] = &["MGA"];
/// Without decimals in ISO 4217.
const NO_DECIMALS: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Three decimals, the last of them 0.
const THREE_DECIMALS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];
/// Not two decimals in ISO 4217, and not among Stripe's currencies, so nobody says how Stripe would count them.
const UNKNOWN_AT_STRIPE: &[&str] = &["CLF", "IQD", "LYD", "UYI", "UYW"];

/// What Stripe calls an amount; `None` where it cannot be said in its units.
pub(super) fn to_stripe(amount_minor: i64, currency: &str) -> Option<i64> {
    match currency {
        _ if TIMES_HUNDRED.contains(&currency) => amount_minor.checked_mul(100),
        _ if WHOLE.contains(&currency) => whole_hundreds(amount_minor),
        _ if THREE_DECIMALS.contains(&currency) => (amount_minor % 10 == 0).then_some(amount_minor),
        _ => is_known(currency).then_some(amount_minor),
    }
}

/// An amount of Stripe's in minor units of ISO 4217, with the code in capitals; `None` where it is no such amount.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<(i64, String)> {
    let currency = currency.to_ascii_uppercase();
    let amount_minor = match currency.as_str() {
        code if TIMES_HUNDRED.contains(&code) => whole_hundreds(amount),
        code if WHOLE.contains(&code) => amount.checked_mul(100),
        code => is_known(code).then_some(amount),
    };
    amount_minor.map(|amount_minor| (amount_minor, currency))
}

/// How many decimals a currency has in ISO 4217; `None` where Stripe does not have it.
pub(super) fn decimals(currency: &str) -> Option<usize> {
    match currency {
        _ if NO_DECIMALS.contains(&currency) => Some(0),
        _ if THREE_DECIMALS.contains(&currency) => Some(3),
        _ => is_known(currency).then_some(2),
    }
}

fn is_known(currency: &str) -> bool {
    let is_code = currency.len() == 3 && currency.chars().all(|c| c.is_ascii_uppercase());
    is_code && !UNKNOWN_AT_STRIPE.contains(&currency)
}

fn whole_hundreds(amount: i64) -> Option<i64> {
    (amount % 100 == 0).then_some(amount / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amounts in ISO 4217, and at Stripe; the first six are the examples of its page.
    const PAIRS: &[(i64, &str, Option<i64>)] = &[
        (1000, "USD", Some(1000)),
        (500, "JPY", Some(500)),
        (5, "ISK", Some(500)),
        (5, "UGX", Some(500)),
        (5120, "KWD", Some(5120)),
        (5124, "KWD", None),
        (1045, "HUF", Some(1045)),
        (80045, "TWD", Some(80045)),
        (12300, "MGA", Some(123)),
        (12345, "MGA", None),
        (i64::MAX, "ISK", None),
        (1000, "IQD", None),
        (1000, "usd", None),
        (1000, "", None),
    ];

    #[test]
    fn there_and_back() {
        for (minor, currency, stripe) in PAIRS {
            assert_eq!(to_stripe(*minor, currency), *stripe, "{minor} {currency}");
            if let Some(stripe) = stripe {
                let back = from_stripe(*stripe, &currency.to_lowercase());
                assert_eq!(back, Some((*minor, (*currency).to_owned())), "{stripe} {currency}");
            }
        }
        assert_eq!(from_stripe(550, "isk"), None, "half a krona");
        assert_eq!(from_stripe(1000, "dollars"), None);
        assert_eq!(
            [decimals("USD"), decimals("UGX"), decimals("KWD"), decimals("MGA")].map(Option::unwrap),
            [2, 0, 3, 2]
        );
        assert_eq!(decimals("LYD"), None);
    }
}
