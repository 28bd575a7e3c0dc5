//! A transaction: the only code that knows which database it talks to.
//!
//! Tables see three things: [`Tx`] takes SQL with numbered placeholders (`?1`), [`Value`]s go in, [`Row`]s come out.
//! The SQL is the portable subset that `SQLite` and `PostgreSQL` share; the few spots where they differ are written as
//! fragments and filled in here (see [`Tx::query`]). Numbers are `BIGINT`, everything else is `TEXT`, times are epoch
//! milliseconds.

use std::borrow::Cow;

use crate::StoreError;
use crate::postgres::{self, PostgresRow, PostgresTx};
use crate::sqlite::{self, SqliteRow, SqliteTx};

/// An open transaction. It is handed out by [`crate::Store::read`] and [`crate::Store::write`], which also end it.
pub enum Tx<'c> {
    /// On the embedded database.
    Sqlite(SqliteTx<'c>),
    /// On a server.
    Postgres(PostgresTx<'c>),
}

impl Tx<'_> {
    /// Runs a statement that returns rows, and decodes each.
    ///
    /// Fragments in any SQL given to a transaction: `{lock}` takes the rows read until the end of the transaction,
    /// `{skip_locked}` does so and leaves out those that somebody else holds; both are empty on `SQLite`, where there
    /// is one writer. `{without_rowid}` at the end of a `CREATE TABLE` keeps a table in the order of its primary key.
    /// `{binary}` after a text in an `ORDER BY` sorts it by its bytes, whatever language the database speaks.
    pub fn query<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut decode: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(decode(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Like [`Tx::query`] for at most one row. A second row is a defect: the statement was meant to name one.
    pub fn query_one<T>(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut decode: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.each(sql, params, |row| {
            if found.is_some() {
                return Err(StoreError::defect(format!("more than one row for: {sql}")));
            }
            found = Some(decode(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Calls `visit` for each row as it is read, for results too large to hold.
    pub fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        visit: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.each(&fill(sql, SQLITE), params, visit),
            Tx::Postgres(tx) => tx.each(&fill(sql, POSTGRES), params, visit),
        }
    }

    /// Runs a query once per row of parameters, and calls `visit` with the place of that row for each row found.
    ///
    /// Every row has the same number of values. On `PostgreSQL` it is one statement, and what it finds may come in
    /// another order than the parameters; rows are locked in theirs.
    pub fn each_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        sql: &str,
        rows: &[R],
        visit: impl FnMut(usize, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.each_many(&fill(sql, SQLITE), rows, visit),
            Tx::Postgres(tx) => tx.each_many(&fill(sql, POSTGRES), rows, visit),
        }
    }

    /// Runs a statement that returns no rows; gives how many rows it inserted, changed or deleted.
    pub fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.execute(&fill(sql, SQLITE), params),
            Tx::Postgres(tx) => tx.execute(&fill(sql, POSTGRES), params),
        }
    }

    /// Runs a statement once per row of parameters; gives how many table rows were touched in all.
    ///
    /// Every row has the same number of values, and no row may depend on what an earlier row of the same call did:
    /// `PostgreSQL` runs them as one statement over `UNNEST`.
    pub fn execute_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<u64, StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.execute_many(&fill(sql, SQLITE), rows),
            Tx::Postgres(tx) => tx.execute_many(&fill(sql, POSTGRES), rows),
        }
    }

    /// Like [`Tx::execute_many`] where nobody asks how many rows were touched: on `PostgreSQL` it is sent together
    /// with what comes next, or with the commit, and a failure shows there.
    pub fn write_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(tx) => tx.execute_many(&fill(sql, SQLITE), rows).map(|_| ()),
            Tx::Postgres(tx) => tx.write_many(&fill(sql, POSTGRES), rows),
        }
    }

    /// Holds rows until the end of the transaction, in the order of the parameters; `sql` selects one with `{lock}`.
    /// They are held before the next statement looks at anything. On `SQLite` whoever writes holds everything already.
    pub fn lock_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<(), StoreError> {
        match self {
            Tx::Sqlite(_) => Ok(()),
            Tx::Postgres(tx) => tx.write_many(&fill(sql, POSTGRES), rows),
        }
    }

    /// A number for what is in the database, in a transaction that writes: the same as in one before it if nobody has
    /// committed in between, and one more after the commit of this one. On `PostgreSQL`, which does not tell, there is
    /// none.
    pub(crate) fn state(&self) -> Option<u64> {
        match self {
            Tx::Sqlite(tx) => tx.state,
            Tx::Postgres(_) => None,
        }
    }

    /// Keeps everybody else from changing the schema until the end of the transaction.
    pub(crate) fn lock_schema(&mut self) -> Result<(), StoreError> {
        match self {
            // There is one writer, and it is us.
            Tx::Sqlite(_) => Ok(()),
            Tx::Postgres(_) => postgres::LOCK_SCHEMA.iter().try_for_each(|sql| self.each(sql, &[], |_| Ok(()))),
        }
    }

    /// The names of all tables there are, to tell an empty database from somebody else's.
    pub(crate) fn table_names(&mut self) -> Result<Vec<String>, StoreError> {
        let sql = match self {
            Tx::Sqlite(_) => sqlite::TABLE_NAMES,
            Tx::Postgres(_) => postgres::TABLE_NAMES,
        };
        self.query(sql, &[], |row| row.string(0))
    }
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A `BIGINT`.
    Int(i64),
    /// A `TEXT`.
    Text(Cow<'a, str>),
    /// No value.
    Null,
}

/// A row of a result. Columns count from 0, in the order of the statement.
pub struct Row<'r>(Of<'r>);

enum Of<'r> {
    Sqlite(SqliteRow<'r>),
    Postgres(PostgresRow<'r>),
}

impl<'r> Row<'r> {
    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Row(Of::Sqlite(SqliteRow(row)))
    }

    pub(crate) fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Row(Of::Postgres(PostgresRow(row)))
    }
}

impl Row<'_> {
    /// A number that must be there.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or_else(|| unexpected(column, "a number, found NULL"))
    }

    /// A text that must be there.
    pub fn text(&self, column: usize) -> Result<Cow<'_, str>, StoreError> {
        self.opt_text(column)?.ok_or_else(|| unexpected(column, "a text, found NULL"))
    }

    /// A text that must be there, to keep.
    pub fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(Cow::into_owned)
    }

    /// A number that may be missing.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match &self.0 {
            Of::Sqlite(row) => row.opt_int(column),
            Of::Postgres(row) => row.opt_int(column),
        }
    }

    /// A text that may be missing.
    pub fn opt_text(&self, column: usize) -> Result<Option<Cow<'_, str>>, StoreError> {
        match &self.0 {
            Of::Sqlite(row) => Ok(row.opt_text(column)?.map(Cow::Borrowed)),
            Of::Postgres(row) => row.opt_text(column),
        }
    }

    /// A text that may be missing, to keep.
    pub fn opt_string(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.opt_text(column)?.map(Cow::into_owned))
    }
}

/// A column that is not what the row codec believes.
pub(crate) fn unexpected(column: usize, expected: &str) -> StoreError {
    StoreError::defect(format!("column {column} should hold {expected}"))
}

/// What stands for each fragment on one database.
type Fragments = [(&'static str, &'static str); 4];

const SQLITE: Fragments =
    [("{lock}", ""), ("{skip_locked}", ""), ("{without_rowid}", "WITHOUT ROWID"), ("{binary}", "")];
const POSTGRES: Fragments = [
    ("{lock}", "FOR UPDATE"),
    ("{skip_locked}", "FOR UPDATE SKIP LOCKED"),
    ("{without_rowid}", ""),
    ("{binary}", "COLLATE \"C\""),
];

/// Most statements have no fragment and are passed on as they are.
fn fill(sql: &str, fragments: Fragments) -> Cow<'_, str> {
    let mut filled = Cow::Borrowed(sql);
    if !sql.contains('{') {
        return filled;
    }
    for (name, text) in fragments {
        if filled.contains(name) {
            filled = Cow::Owned(filled.replace(name, text));
        }
    }
    filled
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(text)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
