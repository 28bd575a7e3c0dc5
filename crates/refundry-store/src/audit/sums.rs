//! Arithmetic of the audit, written a second time on purpose: the rules of design, not the code of the writer.

/// A rate as it was written: digits over a power of ten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) mantissa: i128,
    pub(super) scale: u32,
}

impl Rate {
    /// Reads `7.1245`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { mantissa: digits.parse().ok()?, scale: u32::try_from(fraction.len()).ok()? })
    }
}

/// Decimal digits of a currency's minor unit, by ISO 4217; `None` for what is not a code.
pub(super) fn exponent(code: &str) -> Option<u32> {
    const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let among = |codes: &str| codes.split(' ').any(|c| c == code);
    Some(if among(NONE) {
        0
    } else if among(THREE) {
        3
    } else {
        2
    })
}

/// Division rounded half away from zero.
pub(super) fn half_up(numerator: i128, denominator: i128) -> i128 {
    if denominator == 0 {
        return 0;
    }
    let (n, d) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let rounded = i128::try_from(n / d + u128::from(n % d >= d - n % d)).unwrap_or(i128::MAX);
    if (numerator < 0) == (denominator < 0) { rounded } else { -rounded }
}

/// An amount in another currency at a rate between major units, rounded once.
pub(super) fn convert(rate: Rate, amount: i128, from: u32, to: u32) -> i128 {
    let product = rate.mantissa.saturating_mul(amount).saturating_mul(power(to.saturating_sub(from)));
    half_up(product, power(rate.scale + from.saturating_sub(to)))
}

/// What the first `k` of `of` units of a total are worth.
pub(super) fn cumulative(total: i128, k: i128, of: i128) -> i128 {
    half_up(total.saturating_mul(k), of.max(1))
}

/// What `n` units are worth after `taken` others: along the cumulative shares while exactly those are held, else an
/// even share of what is open, odd minor units to the earlier units.
pub(super) fn open_share(total: i128, held: i128, taken: i128, n: i128, of: i128) -> i128 {
    if held == cumulative(total, taken, of) {
        return cumulative(total, taken + n, of) - held;
    }
    let (rest, open) = ((total - held).max(0), of - taken);
    if open <= 0 { 0 } else { rest / open * n + n.min(rest % open) }
}

/// One side of a captured pair of amounts: what was captured and what is held of it, here and in the other currency.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) captured: i128,
    pub(super) held: i128,
    pub(super) other_captured: i128,
    pub(super) other_held: i128,
}

impl Pair {
    /// The same pair seen from the other currency.
    pub(super) fn turned(self) -> Self {
        Self {
            captured: self.other_captured,
            held: self.other_held,
            other_captured: self.captured,
            other_held: self.held,
        }
    }

    /// What `amount` is in the other currency: between running sums, at least one minor unit, and all of the rest for
    /// all of the rest.
    pub(super) fn other_of(self, amount: i128) -> i128 {
        let left = self.other_captured - self.other_held;
        if amount == self.captured - self.held {
            return left;
        }
        let along = |sum: i128| half_up(self.other_captured.saturating_mul(sum), self.captured);
        (along(self.held + amount) - along(self.held)).max(1).min(left)
    }
}

/// Thousandths of the major unit.
pub(super) fn milli(amount: i128, exponent: u32) -> i128 {
    amount.saturating_mul(power(3_u32.saturating_sub(exponent)))
}

fn power(exponent: u32) -> i128 {
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}
