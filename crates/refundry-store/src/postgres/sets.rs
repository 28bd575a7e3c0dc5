//! Rewrites a statement for one row of parameters into one for many rows, so that a batch costs one round trip.
//!
//! The parameters come as one array a column and are joined in as `unnest(…) AS p`. Pure text; it knows the four kinds
//! of statements that tables use, and must refuse any other. Where all rows name the same store, the store may go in as
//! a plain parameter: engines that shard by it then see an equality and send the statement to one place.

use crate::StoreError;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
}

/// The statement for many rows. `kinds` are those of the parameters in order; with `one_store` the first parameter is
/// the same for all rows and is no array. Rows of a query end in one more column: the number of the parameter row, from
/// 1.
pub(crate) fn for_many(sql: &str, kinds: &[Kind], one_store: bool) -> Result<String, StoreError> {
    let sql = sql.trim();
    let source = Source { kinds, one_store };
    let refused = |why: &str| StoreError::defect(format!("a statement for many rows {why}: {sql}"));
    let verb = sql.split_whitespace().next().unwrap_or_default();
    match verb {
        "INSERT" => {
            let (head, rest) = sql.split_once("VALUES").ok_or_else(|| refused("needs VALUES"))?;
            let (values, tail) = parenthesised(rest).ok_or_else(|| refused("needs one row of values"))?;
            if tail.contains('?') {
                return Err(refused("takes parameters as values only"));
            }
            Ok(format!("{head}SELECT {} FROM {}{tail}", source.name_in(values), source.unnest("")))
        }
        "UPDATE" | "DELETE" => {
            let (head, condition) = sql.split_once("WHERE").ok_or_else(|| refused("needs WHERE"))?;
            let join = if verb == "UPDATE" { "FROM" } else { "USING" };
            let (head, condition) = (source.name_in(head), source.name_in(condition));
            Ok(format!("{head}{join} {} WHERE{condition}", source.unnest("")))
        }
        "SELECT" => {
            let each = source.name_in(sql);
            let numbered = source.unnest(" WITH ORDINALITY");
            // The offset keeps the server from turning the loop around and reading a whole store for each row, as it
            // does with tables that were empty when they were last counted.
            Ok(format!("SELECT q.*, p.n FROM {numbered} CROSS JOIN LATERAL ({each} OFFSET 0) AS q"))
        }
        _ => Err(refused("must be INSERT, UPDATE, DELETE or SELECT")),
    }
}

/// `?1` as `PostgreSQL` writes it: `$1`.
pub(crate) fn number_marks(sql: &str) -> String {
    sql.replace('?', "$")
}

struct Source<'k> {
    kinds: &'k [Kind],
    one_store: bool,
}

impl Source<'_> {
    /// Parameters from 1 that are arrays.
    fn arrays(&self) -> impl Iterator<Item = (usize, Kind)> {
        (1..).zip(self.kinds.iter().copied()).skip(usize::from(self.one_store))
    }

    fn unnest(&self, numbered: &str) -> String {
        let array = |(place, kind)| match kind {
            Kind::Int => format!("${place}::bigint[]"),
            Kind::Text => format!("${place}::text[]"),
        };
        let arrays: Vec<String> = self.arrays().map(array).collect();
        let mut names: Vec<String> = self.arrays().map(|(place, _)| format!("p{place}")).collect();
        if !numbered.is_empty() {
            names.push("n".to_owned());
        }
        format!("unnest({}){numbered} AS p({})", arrays.join(", "), names.join(", "))
    }

    /// Names the columns of `p` where parameters stand.
    fn name_in(&self, sql: &str) -> String {
        let mut pieces = sql.split('?');
        let mut named = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
            let (place, rest) = piece.split_at(end);
            if self.one_store && place == "1" {
                named.push_str("$1::bigint");
            } else {
                named.extend(["p.p", place]);
            }
            named.push_str(rest);
        }
        named
    }
}

/// What stands in the first pair of parentheses, and what follows it.
fn parenthesised(text: &str) -> Option<(&str, &str)> {
    let inner = text.trim_start().strip_prefix('(')?;
    let mut depth = 1_u32;
    for (at, character) in inner.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_statement_is_joined_with_its_parameters() {
        let cases = [
            (
                "INSERT INTO t (store, a, b) VALUES (?1, ?2, 0) ON CONFLICT (store) DO NOTHING",
                false,
                "INSERT INTO t (store, a, b) SELECT p.p1, p.p2, 0 FROM unnest($1::bigint[], $2::text[]) AS p(p1, p2) \
                 ON CONFLICT (store) DO NOTHING",
            ),
            (
                "UPDATE t SET a = ?2 WHERE store = ?1",
                true,
                "UPDATE t SET a = p.p2 FROM unnest($2::text[]) AS p(p2) WHERE store = $1::bigint",
            ),
            (
                "DELETE FROM t WHERE store = ?1 AND a = ?2",
                false,
                "DELETE FROM t USING unnest($1::bigint[], $2::text[]) AS p(p1, p2) WHERE store = p.p1 AND a = p.p2",
            ),
            (
                "SELECT b FROM t WHERE store = ?1 AND a = ?2 FOR UPDATE",
                true,
                "SELECT q.*, p.n FROM unnest($2::text[]) WITH ORDINALITY AS p(p2, n) \
                 CROSS JOIN LATERAL (SELECT b FROM t WHERE store = $1::bigint AND a = p.p2 FOR UPDATE OFFSET 0) AS q",
            ),
        ];
        for (sql, one_store, expected) in cases {
            assert_eq!(for_many(sql, &[Kind::Int, Kind::Text], one_store).unwrap(), expected);
        }
    }

    #[test]
    fn two_digits_are_one_parameter() {
        let kinds = [Kind::Int; 12];
        let many = for_many("DELETE FROM t WHERE a = ?12 AND b = ?1", &kinds, false).unwrap();
        assert!(many.ends_with("WHERE a = p.p12 AND b = p.p1"), "{many}");
    }

    #[test]
    fn what_cannot_be_rewritten_is_refused() {
        for sql in [
            "TRUNCATE t",
            "DELETE FROM t",
            "INSERT INTO t SELECT ?1",
            "INSERT INTO t (a) VALUES (?1) ON CONFLICT (a) DO UPDATE SET b = ?2",
        ] {
            assert!(for_many(sql, &[Kind::Int, Kind::Int], false).is_err(), "{sql}");
        }
    }
}
