//! Money: whole minor units, decimals as they were written, and splits whose parts make the whole.
//!
//! No float ever comes near an amount here: text is read digit by digit, products run in `i128`, and every split says
//! who received the odd cent. Overflow panics, which rolls the transaction back: crashing is the safe direction.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use crate::limits::{AMOUNT_MINOR_MAX, DECIMAL_DIGITS_MAX};

/// An ISO 4217 currency with its true exponent (USD 2, JPY 0, KWD 3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads a three-letter code in either case; `None` for anything ISO 4217 does not list, for codes without a minor
    /// unit (gold, the test code), and for the two accounting units with four decimals, which nobody pays in.
    pub fn parse(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(&code.to_ascii_uppercase())?;
        currency.exponent().filter(|exponent| *exponent <= 3).map(|_| Self(currency))
    }

    /// The code in capitals, e.g. `USD`.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimal digits of the minor unit: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of a currency that the context names (the order's, or a payment's own).
///
/// Operators are checked: an overflow panics rather than wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Wraps minor units.
    pub const fn minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The minor units.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The same amount without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.checked_abs().expect("amount overflow"))
    }

    /// The amount, or zero when it is negative.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// Prints with `decimals` digits after the point, e.g. minor 234 of USD with 2 as `2.34`.
    ///
    /// `decimals` must not be below the currency's exponent: an amount is never cut.
    pub fn to_decimal(self, currency: Currency, decimals: u32) -> String {
        assert!(decimals >= currency.exponent(), "an amount is never cut");
        let scale = decimals.saturating_sub(currency.exponent());
        let scaled = i128::from(self.0).checked_mul(pow10(scale)).expect("amount overflow");
        Decimal { mantissa: scaled, scale: decimals }.to_string()
    }
}

impl Amount {
    /// Thousandths of the major unit, whatever the currency: what amounts of several currencies are filtered by.
    pub fn to_milli(self, currency: Currency) -> i64 {
        let lift = pow10(3_u32.saturating_sub(currency.exponent()));
        i64::try_from(i128::from(self.0).saturating_mul(lift)).expect("amount overflow")
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("amount overflow"))
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("amount overflow"))
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.checked_neg().expect("amount overflow"))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl<'a> Sum<&'a Amount> for Amount {
    fn sum<I: Iterator<Item = &'a Self>>(amounts: I) -> Self {
        amounts.copied().sum()
    }
}

/// A decimal number exactly as it was written: `mantissa / 10^scale`.
///
/// Two decimals compare by value (`1.0` equals `1`), so they do not derive `Eq` from their parts.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Why a text is not a decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not digits with an optional sign and one optional point.
    Malformed,
    /// More digits than any amount can have.
    TooLong,
}

/// Why a decimal is not an amount of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AmountError {
    /// Not a whole number of minor units; the currency allows this many decimals.
    TooManyDecimals(u32),
    /// Above [`AMOUNT_MINOR_MAX`] in either direction.
    TooLarge,
    /// Zero or below where money must move.
    NotPositive,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// A number from its parts: `mantissa / 10^scale`.
    pub const fn from_parts(mantissa: i128, scale: u32) -> Self {
        Self { mantissa, scale }
    }

    /// Reads `12`, `12.30`, `-0.5`. No exponents, no spaces, no grouping, at least one digit on both sides of a point.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.as_bytes() {
            [b'-', ..] => (true, text.get(1..).unwrap_or_default()),
            [b'+', ..] => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Malformed),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits {
            return Err(DecimalError::Malformed);
        }
        Self::from_digits(negative, whole, fraction)
    }

    /// Reads a JSON number, exponents allowed: `1e1` is 10, `1.5E-1` is 0.15.
    pub fn parse_json_number(text: &str) -> Result<Self, DecimalError> {
        let Some((base, exponent)) = text.split_once(['e', 'E']) else {
            return Self::parse(text);
        };
        let base = Self::parse(base)?;
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DecimalError::Malformed);
        }
        let exponent: i32 = exponent.parse().map_err(|_| DecimalError::TooLong)?;
        let shift = exponent.unsigned_abs();
        if shift > 36 {
            return if base.mantissa == 0 { Ok(Self::ZERO) } else { Err(DecimalError::TooLong) };
        }
        if exponent < 0 {
            return Self { scale: base.scale.saturating_add(shift), ..base }.trimmed().within_digits();
        }
        let lowered = shift.min(base.scale);
        let factor = pow10(shift.saturating_sub(lowered));
        let mantissa = base.mantissa.checked_mul(factor).ok_or(DecimalError::TooLong)?;
        Self { mantissa, scale: base.scale.saturating_sub(lowered) }.within_digits()
    }

    /// The bound on digits holds for what an exponent writes out as well.
    fn within_digits(self) -> Result<Self, DecimalError> {
        let digits = self.mantissa.unsigned_abs().checked_ilog10().map_or(0, |log| log.saturating_add(1));
        let written = usize::try_from(digits.max(self.scale)).unwrap_or(usize::MAX);
        if written > DECIMAL_DIGITS_MAX { Err(DecimalError::TooLong) } else { Ok(self) }
    }

    fn from_digits(negative: bool, whole: &str, fraction: &str) -> Result<Self, DecimalError> {
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        if whole.len().saturating_add(fraction.len()) > DECIMAL_DIGITS_MAX {
            return Err(DecimalError::TooLong);
        }
        let digits = format!("{whole}{fraction}");
        let magnitude: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| DecimalError::TooLong)? };
        let mantissa = if negative { magnitude.checked_neg().unwrap_or(0) } else { magnitude };
        let scale = u32::try_from(fraction.len()).map_err(|_| DecimalError::TooLong)?;
        Ok(Self { mantissa, scale })
    }

    fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.mantissa.checked_rem(10) == Some(0) {
            self.mantissa = self.mantissa.checked_div(10).unwrap_or(0);
            self.scale = self.scale.saturating_sub(1);
        }
        self
    }

    /// Whole minor units of the currency, refusing a remainder: JPY `500.00` yes, `500.50` no.
    pub fn to_minor(self, currency: Currency) -> Result<Amount, AmountError> {
        let exponent = currency.exponent();
        let this = self.trimmed();
        if this.scale > exponent {
            return Err(AmountError::TooManyDecimals(exponent));
        }
        let factor = pow10(exponent.saturating_sub(this.scale));
        bounded(this.mantissa.checked_mul(factor))
    }

    /// Minor units rounded half away from zero, as Digital River does with surplus digits.
    pub fn to_minor_half_up(self, currency: Currency) -> Result<Amount, AmountError> {
        let exponent = currency.exponent();
        if self.scale <= exponent {
            return self.to_minor(currency);
        }
        let divisor = pow10(self.scale.saturating_sub(exponent).min(38));
        bounded(Some(div_half_up(self.mantissa, divisor)))
    }

    /// This number times an amount, rounded half up, divided by `10^shift`: percent of an amount has shift 2.
    pub fn of_amount(self, amount: Amount, shift: u32) -> Amount {
        let product = self.mantissa.checked_mul(i128::from(amount.get())).expect("decimal product overflow");
        let rounded = div_half_up(product, pow10(self.scale.saturating_add(shift)));
        Amount(i64::try_from(rounded).expect("amount overflow"))
    }

    /// This number times an amount, rounded half up, divided by `10^shift · parts`.
    pub fn of_amount_divided(self, amount: Amount, shift: u32, parts: u32) -> Amount {
        let product = self.mantissa.checked_mul(i128::from(amount.get())).expect("decimal product overflow");
        let divisor = pow10(self.scale.saturating_add(shift)).checked_mul(i128::from(parts.max(1)));
        let rounded = div_half_up(product, divisor.expect("decimal product overflow"));
        Amount(i64::try_from(rounded).expect("amount overflow"))
    }

    /// This number times a count, exactly.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        let mantissa = self.mantissa.checked_mul(i128::from(count)).expect("decimal product overflow");
        Self { mantissa, scale: self.scale }
    }

    /// This number with at most `scale` digits after the point, rounded half away from zero.
    #[must_use]
    pub fn rounded_to(self, scale: u32) -> Self {
        let Some(surplus) = self.scale.checked_sub(scale) else { return self };
        Self { mantissa: div_half_up(self.mantissa, pow10(surplus)), scale }
    }

    /// Below, at or above zero.
    pub fn sign(self) -> Ordering {
        self.mantissa.cmp(&0)
    }

    /// Numerator over a power of ten: `(mantissa, scale)`.
    pub const fn parts(self) -> (i128, u32) {
        (self.mantissa, self.scale)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.trimmed(), other.trimmed());
        let scale = a.scale.max(b.scale);
        let left = a.mantissa.checked_mul(pow10(scale.saturating_sub(a.scale)));
        let right = b.mantissa.checked_mul(pow10(scale.saturating_sub(b.scale)));
        match (left, right) {
            (Some(left), Some(right)) => left.cmp(&right),
            // Only a number with very many digits overflows when it is scaled up: the one that does is the larger one.
            (None, _) => a.sign(),
            (_, None) => b.sign().reverse(),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let width = usize::try_from(self.scale).unwrap_or(usize::MAX);
        let digits = self.mantissa.unsigned_abs().to_string();
        let padded = format!("{digits:0>fill$}", fill = width.saturating_add(1));
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(width));
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

/// The share of `taken + n` of `of` units less the share of `taken`: `round(T·(k+n)/Q) − round(T·k/Q)`, half up.
///
/// Taken unit by unit or all at once, the shares of all units sum to `total` exactly.
pub fn unit_share(total: Amount, taken: u32, n: u32, of: u32) -> Amount {
    cumulative(total, taken.checked_add(n).expect("units overflow"), of) - cumulative(total, taken, of)
}

/// `round(T·k/Q)`: what the first `k` of `of` units are worth.
pub fn cumulative(total: Amount, k: u32, of: u32) -> Amount {
    assert!(k <= of, "more units than there are");
    ratio(total, i128::from(k), i128::from(of.max(1)))
}

/// `amount · numerator / denominator`, rounded half away from zero.
pub fn ratio(amount: Amount, numerator: i128, denominator: i128) -> Amount {
    let product = i128::from(amount.get()).checked_mul(numerator).expect("ratio overflow");
    Amount(i64::try_from(div_half_up(product, denominator)).expect("amount overflow"))
}

/// What the first `n` of `open` equal units get of `total`: largest remainder, odd cents to the earlier units.
///
/// Taking the rest later continues the same split, so nothing needs to be remembered between two refunds.
pub fn even_share(total: Amount, n: u32, open: u32) -> Amount {
    assert!(n <= open, "more units than there are");
    if open == 0 {
        return Amount::ZERO;
    }
    let (total, n, open) = (total.get(), i64::from(n), i64::from(open));
    let each = total.div_euclid(open);
    let odd = total.rem_euclid(open);
    Amount(each.checked_mul(n).and_then(|sum| sum.checked_add(odd.min(n))).expect("amount overflow"))
}

/// Splits `total` by `weights` with the largest-remainder rule, ties to the earlier entry.
///
/// The parts sum to `total`. Weights must not be negative; a total above zero needs a weight above zero. As long as
/// `total` is not above the sum of the weights, no part is above its weight.
pub fn split(total: Amount, weights: &[Amount]) -> Vec<Amount> {
    assert!(weights.iter().all(|w| !w.is_negative()), "weights are not negative");
    let sum: i128 = weights.iter().map(|w| i128::from(w.get())).sum();
    if sum == 0 {
        assert!(total.is_zero(), "nothing to split by");
        return vec![Amount::ZERO; weights.len()];
    }
    let total_wide = i128::from(total.get());
    let product = |w: &Amount| total_wide.checked_mul(i128::from(w.get())).expect("split overflow");
    let mut parts: Vec<Amount> =
        weights.iter().map(|w| Amount(i64::try_from(product(w).div_euclid(sum)).expect("amount overflow"))).collect();
    let missing = (total - parts.iter().sum::<Amount>()).get();
    let mut by_remainder: Vec<(i128, usize)> =
        weights.iter().enumerate().map(|(i, w)| (product(w).rem_euclid(sum), i)).collect();
    by_remainder.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let receivers = usize::try_from(missing).expect("floors never exceed the whole");
    for (_, index) in by_remainder.into_iter().take(receivers) {
        if let Some(part) = parts.get_mut(index) {
            *part += Amount(1);
        }
    }
    assert_eq!(parts.iter().sum::<Amount>(), total, "parts make the whole");
    parts
}

fn bounded(minor: Option<i128>) -> Result<Amount, AmountError> {
    let minor = minor.and_then(|m| i64::try_from(m).ok()).ok_or(AmountError::TooLarge)?;
    if minor.checked_abs().is_none_or(|m| m > AMOUNT_MINOR_MAX) {
        return Err(AmountError::TooLarge);
    }
    Ok(Amount(minor))
}

fn div_half_up(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "denominator is positive");
    let magnitude = numerator.unsigned_abs();
    let divisor = denominator.unsigned_abs();
    let quotient = magnitude.checked_div(divisor).unwrap_or(0);
    let remainder = magnitude.checked_rem(divisor).unwrap_or(0);
    // `remainder >= divisor - remainder` is `2·remainder >= divisor` without the overflow.
    let up = u128::from(remainder >= divisor.saturating_sub(remainder));
    let rounded = i128::try_from(quotient.checked_add(up).expect("amount overflow")).expect("amount overflow");
    if numerator < 0 { rounded.checked_neg().expect("amount overflow") } else { rounded }
}

fn pow10(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).expect("power of ten overflow")
}
