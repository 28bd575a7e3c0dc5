//! Builds statements with optional conditions. Texts are fixed in the code; values only go in as parameters.

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
