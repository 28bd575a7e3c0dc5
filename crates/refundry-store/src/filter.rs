//! Builds statements with optional conditions. Texts are fixed in the code; values only go in as parameters.

use refundry_core::money::Decimal;
use refundry_core::query::{AmountRange, TimeRange};

use crate::Value;

/// A statement in the making; conditions are fixed texts, values go in as parameters.
pub(crate) struct Filter<'a> {
    pub(crate) sql: String,
    pub(crate) params: Vec<Value<'a>>,
}

impl<'a> Filter<'a> {
    /// A statement that ends in `WHERE store = ?1`.
    pub(crate) fn new(sql: &str, store: i64) -> Self {
        Self { sql: sql.to_owned(), params: vec![store.into()] }
    }

    /// Appends text with one parameter.
    pub(crate) fn push(&mut self, text: &str, value: Value<'a>) {
        self.params.push(value);
        self.sql.push_str(&text.replacen("{}", &format!("?{}", self.params.len()), 1));
    }

    /// Adds a condition; each `{}` takes the next value.
    pub(crate) fn add(&mut self, condition: &str, values: &[Value<'a>]) {
        let mut text = condition.to_owned();
        for value in values {
            self.params.push(value.clone());
            text = text.replacen("{}", &format!("?{}", self.params.len()), 1);
        }
        self.sql.push_str(" AND ");
        self.sql.push_str(&text);
    }

    /// Adds `column IN (…)`.
    pub(crate) fn among(&mut self, column: &str, values: &[Value<'a>]) {
        let marks: Vec<&str> = values.iter().map(|_| "{}").collect();
        self.add(&format!("{column} IN ({})", marks.join(", ")), values);
    }
}

/// A range of whole numbers, ends inclusive.
pub(crate) type Range = (Option<i64>, Option<i64>);

/// Whether a range has an end.
pub(crate) fn is_bounded(range: TimeRange) -> bool {
    span(range) != (None, None)
}

/// The ends of a range.
pub(crate) fn span(range: TimeRange) -> Range {
    (range.from_ms, range.to_ms)
}

/// Keeps a column within a range.
pub(crate) fn between(filter: &mut Filter<'_>, column: &str, (from, to): Range) {
    if let Some(from) = from {
        filter.add(&format!("{column} >= {{}}"), &[from.into()]);
    }
    if let Some(to) = to {
        filter.add(&format!("{column} <= {{}}"), &[to.into()]);
    }
}

/// Amounts are stored in thousandths. A bound with more digits lies between two of them, so it is moved to the one
/// inside the range, which then belongs to it.
pub(crate) fn milli_range(range: AmountRange) -> Range {
    let from = range.from.map(|(bound, inclusive)| {
        let (floor, exact) = milli(bound);
        if exact && inclusive { floor } else { floor.saturating_add(1) }
    });
    let to = range.to.map(|(bound, inclusive)| {
        let (floor, exact) = milli(bound);
        if exact && !inclusive { floor.saturating_sub(1) } else { floor }
    });
    (from, to)
}

/// Thousandths, rounded down, and whether nothing was lost.
fn milli(decimal: Decimal) -> (i64, bool) {
    let (mantissa, scale) = decimal.parts();
    let (floor, exact) = if scale <= 3 {
        (mantissa.saturating_mul(10_i128.saturating_pow(3 - scale)), true)
    } else {
        let divisor = 10_i128.saturating_pow(scale - 3);
        (mantissa.div_euclid(divisor), mantissa.rem_euclid(divisor) == 0)
    };
    let edge = if floor < 0 { i64::MIN } else { i64::MAX };
    (i64::try_from(floor).unwrap_or(edge), exact)
}
