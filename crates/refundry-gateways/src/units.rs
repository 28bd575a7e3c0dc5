//! Amounts as providers write them. Inside, an amount is in ISO 4217 minor units; outside, in whatever the provider
//! counts. Every conversion is exact or does not happen: no float, no rounding.

use crate::text::minor_units;
use crate::{Answer, Ask};

/// How a provider counts: like ISO 4217, but for some currencies.
pub(crate) struct Units {
    /// Currencies that it counts differently, with its decimal digits.
    pub(crate) exceptions: &'static [(&'static str, u32)],
}

impl Units {
    /// The provider's amount for one in ISO minor units; `None` if ISO 4217 does not know the currency, or if the
    /// amount has digits that the provider has not.
    pub(crate) fn write(&self, minor: i64, currency: &str) -> Option<i64> {
        rescaled(minor, iso_exponent(currency)?, self.exponent(currency)?)
    }

    /// The ISO minor units of a provider's amount, under the same conditions.
    pub(crate) fn read(&self, amount: i64, currency: &str) -> Option<i64> {
        rescaled(amount, self.exponent(currency)?, iso_exponent(currency)?)
    }

    /// An amount in ISO minor units as a decimal with exactly the provider's digits, for example `10.00`.
    pub(crate) fn write_decimal(&self, minor: i64, currency: &str) -> Option<String> {
        let digits = usize::try_from(self.exponent(currency)?).ok()?;
        let amount = u64::try_from(self.write(minor, currency)?).ok()?;
        let text = format!("{amount:0width$}", width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        Some(if digits == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") })
    }

    fn exponent(&self, currency: &str) -> Option<u32> {
        let exception = self.exceptions.iter().find(|(code, _)| *code == currency);
        exception.map(|(_, digits)| *digits).or_else(|| iso_exponent(currency))
    }
}

/// The ISO minor units of a decimal without sign; `None` if it is none, or has more digits than the currency, zeros
/// aside.
pub(crate) fn read_decimal(text: &str, currency: &str) -> Option<i64> {
    let decimals = usize::try_from(iso_exponent(currency)?).ok()?;
    minor_units(text, decimals).filter(|minor| *minor >= 0)
}

/// What a provider that cannot be told the amount would say.
pub(crate) fn not_representable(ask: &Ask) -> Answer {
    Answer::Declined {
        code: "amount_not_representable".to_owned(),
        message: format!("{} minor units of {} cannot be written for this provider", ask.amount_minor, ask.currency),
    }
}

/// Decimal digits of the minor unit; `None` for what ISO 4217 does not list, or lists without one.
fn iso_exponent(currency: &str) -> Option<u32> {
    iso_currency::Currency::from_code(currency)?.exponent().map(u32::from)
}

fn rescaled(amount: i64, from: u32, to: u32) -> Option<i64> {
    let factor = 10_i64.checked_pow(from.abs_diff(to))?;
    if from <= to {
        return amount.checked_mul(factor);
    }
    (amount.checked_rem(factor)? == 0).then(|| amount.checked_div(factor)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { exceptions: &[("ISK", 2), ("IDR", 0)] };

    #[test]
    fn exact_or_not_at_all() {
        for (currency, iso, theirs) in
            [("EUR", 1234, 1234), ("JPY", 5, 5), ("KWD", 1500, 1500), ("ISK", 7, 700), ("IDR", 700, 7)]
        {
            assert_eq!(UNITS.write(iso, currency), Some(theirs), "{currency}");
            assert_eq!(UNITS.read(theirs, currency), Some(iso), "{currency}");
        }
        for (iso, currency) in [(701, "IDR"), (i64::MAX, "ISK"), (1, "XAU"), (1, "eur"), (1, "CNH"), (1, "")] {
            assert_eq!(UNITS.write(iso, currency), None, "{iso} {currency}");
        }
        assert_eq!(UNITS.read(701, "ISK"), None);
    }

    #[test]
    fn decimals() {
        for (minor, currency, text) in
            [(1, "EUR", "0.01"), (1000, "USD", "10.00"), (5, "JPY", "5"), (1500, "KWD", "1.500"), (700, "IDR", "7")]
        {
            assert_eq!(UNITS.write_decimal(minor, currency).as_deref(), Some(text));
            assert_eq!(read_decimal(text, currency), Some(minor));
        }
        assert_eq!(UNITS.write_decimal(-1, "EUR"), None);
        assert_eq!(read_decimal("12.3000", "EUR"), Some(1230));
        assert_eq!(read_decimal("7.00", "JPY"), Some(7));
        assert_eq!(read_decimal("92233720368547758.07", "EUR"), Some(i64::MAX));
        for wrong in ["", ".", ".5", "-1", "+1", "1.234", "1,00", "1e2", " 1", "1.0.0", "92233720368547758.08"] {
            assert_eq!(read_decimal(wrong, "EUR"), None, "{wrong}");
        }
    }
}
