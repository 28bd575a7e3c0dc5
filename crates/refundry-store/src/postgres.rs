//! `PostgreSQL`: a database for any number of processes, and for engines that speak its protocol.
//!
//! Writers run in READ COMMITTED and hold what they decide on by row locks, taken in key order; readers see one
//! snapshot (REPEATABLE READ). What the server takes back because of others is run again, a bounded number of times; a
//! connection that is lost before the commit was sent is replaced and the transaction run again; one that is lost
//! after it leaves the outcome unknown, and nothing is run twice then. Nothing outside of this folder may name the
//! driver.

mod connect;
mod errors;
mod sets;

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::TryStreamExt as _;
use futures_util::future::{join_all, join3};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Row as DriverRow, Statement};

pub use connect::DatabaseUrl;

use connect::{Connection, Server};
use errors::Cause;
use sets::{Kind, for_many, number_marks};

use crate::pool::Pool;
use crate::sqlite::pause;
use crate::tx::unexpected;
use crate::{ATTEMPTS_MAX, Options, Row, StoreError, Tx, Value};

/// Lists tables of the schema that statements without a schema's name find.
pub(crate) const TABLE_NAMES: &str = "
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name";

/// What whoever changes the schema does first: a step over many rows takes its time, and so may the one that is waited
/// for. The lock is held until the end of the transaction; its number is ours by choice alone.
pub(crate) const LOCK_SCHEMA: [&str; 3] =
    ["SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = 0", "SELECT pg_advisory_xact_lock(7265667564)"];

/// How long to wait before a lost connection is tried to be replaced once more.
const RECONNECT_POLL: Duration = Duration::from_millis(50);

/// Not `READ WRITE`: a server that only reads would refuse the beginning with words of its own, not the write.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A database of a server.
pub(crate) struct Database {
    server: Server,
    readers: Pool<Connection>,
    writers: Pool<Connection>,
    /// How often a server that is away is asked again before a caller is told.
    polls_max: u32,
}

impl Database {
    pub(crate) fn open(url: &DatabaseUrl, options: &Options) -> Result<Database, StoreError> {
        let polls = options.busy.as_millis() / RECONNECT_POLL.as_millis();
        let database = Database {
            server: Server::new(url, options)?,
            readers: Pool::new(options.readers_max, options.busy),
            writers: Pool::new(options.writers_max, options.busy),
            polls_max: u32::try_from(polls).unwrap_or(u32::MAX),
        };
        database.check_encoding()?;
        Ok(database)
    }

    /// Texts are UTF-8 here; a database in another encoding would refuse some of them, one day.
    fn check_encoding(&self) -> Result<(), StoreError> {
        let encoding = self.read(|tx| tx.query_one("SHOW server_encoding", &[], |row| row.string(0)))?;
        match encoding.as_deref() {
            Some("UTF8") => Ok(()),
            other => {
                let found = other.unwrap_or("unknown");
                let detail = format!("its encoding is {found}; make one with ENCODING 'UTF8'");
                Err(StoreError::Unavailable { detail })
            }
        }
    }

    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // Begun before the work, which can only be done once: a connection that was lost while nobody used it shows
        // here.
        let mut lent = self.reconnecting(|| {
            let mut lent = self.readers.lend(|| self.server.connect(false))?;
            match lent.begin(BEGIN_READ) {
                Ok(()) => Ok(lent),
                Err(failure) => {
                    drop(lent);
                    self.readers.clear();
                    Err(failure)
                }
            }
        })?;
        let done = transact(&mut lent, None, work);
        done.map_err(|failure| match failure.error {
            StoreError::ReadOnly { detail } => StoreError::defect(format!("a read transaction wrote: {detail}")),
            error => error,
        })
    }

    pub(crate) fn write<T>(&self, mut work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (mut attempts, mut losses) = (1, 0);
        loop {
            let mut lent = self.reconnecting(|| self.writers.lend(|| self.server.connect(true)))?;
            let Failure { cause, error } = match transact(&mut lent, Some(BEGIN_WRITE), &mut work) {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            drop(lent);
            match cause {
                Cause::Again if attempts < ATTEMPTS_MAX => attempts += 1,
                Cause::Lost if losses < self.polls_max => {
                    self.writers.clear();
                    losses += 1;
                }
                Cause::Unsure | Cause::Silent => {
                    self.writers.clear();
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
    }

    /// Asks for a connection until the server is there again, or for as long as a caller may wait.
    fn reconnecting<T>(&self, mut connect: impl FnMut() -> Result<T, Failure>) -> Result<T, StoreError> {
        let mut polls = 0;
        loop {
            match connect() {
                Err(Failure { cause: Cause::Lost, .. }) if polls < self.polls_max => {
                    polls += 1;
                    pause(RECONNECT_POLL);
                }
                Err(Failure { cause: Cause::Silent, error }) => return Err(error),
                result => return result.map_err(|failure| failure.error),
            }
        }
    }
}

/// One transaction on one connection, rolled back unless `work` and the commit succeed. Without `begin` it is open.
fn transact<T>(
    conn: &mut Connection,
    begin: Option<&'static str>,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, Failure> {
    let mut tx = Tx::Postgres(PostgresTx { conn, begin, later: Vec::new(), failed: None });
    let result = work(&mut tx);
    let Tx::Postgres(tx) = &mut tx else { unreachable!("it was made a line above") };
    let failed = tx.failed.take();
    match (result, failed) {
        (Ok(done), None) => tx.commit().map(|()| done),
        // The server has taken the transaction back, whatever the work made of it.
        (Ok(_), Some(failure)) => Err(failure),
        (Err(error), Some(Failure { cause, .. })) => Err(Failure { cause, error }),
        (Err(error), None) => {
            let cause = if error == StoreError::Busy { Cause::Again } else { Cause::Refused };
            Err(Failure { cause, error })
        }
    }
}

/// The `PostgreSQL` side of [`Tx`].
///
/// A transaction costs round trips, not statements: its beginning travels with the first statement, and statements
/// whose answer nobody needs travel with the next one or with the commit.
pub struct PostgresTx<'c> {
    conn: &'c mut Connection,
    /// How it is begun, until that was sent.
    begin: Option<&'static str>,
    /// Statements that were not sent yet.
    later: Vec<(Statement, Vec<Encoded>)>,
    /// The first failure; after it the server does nothing more in this transaction.
    failed: Option<Failure>,
}

impl PostgresTx<'_> {
    pub(crate) fn each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        mut visit: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (statement, params) = self.for_one(sql, params)?;
        let rows = self.exchange(Last::Rows(&statement, &params))?.rows;
        rows.iter().try_for_each(|row| visit(&Row::postgres(row)))
    }

    pub(crate) fn each_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        sql: &str,
        rows: &[R],
        mut visit: impl FnMut(usize, &Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some((statement, params)) = self.for_rows(sql, rows)? else { return Ok(()) };
        let found = self.exchange(Last::Rows(&statement, &params))?.rows;
        for row in &found {
            let place =
                if rows.len() == 1 { 1 } else { read::<Whole>(row, row.len() - 1)?.map_or(0, |Whole(number)| number) };
            let place = usize::try_from(place - 1).map_err(|_| StoreError::defect("rows are numbered from 1"))?;
            visit(place, &Row::postgres(row))?;
        }
        Ok(())
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        let (statement, params) = self.for_one(sql, params)?;
        Ok(self.exchange(Last::Count(&statement, &params))?.count)
    }

    pub(crate) fn execute_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<u64, StoreError> {
        let Some((statement, params)) = self.for_rows(sql, rows)? else { return Ok(0) };
        Ok(self.exchange(Last::Count(&statement, &params))?.count)
    }

    pub(crate) fn write_many<'v, R: AsRef<[Value<'v>]>>(&mut self, sql: &str, rows: &[R]) -> Result<(), StoreError> {
        let statement = self.for_rows(sql, rows)?;
        self.later.extend(statement);
        Ok(())
    }

    fn for_one(&mut self, sql: &str, params: &[Value<'_>]) -> Result<(Statement, Vec<Encoded>), StoreError> {
        let statement = self.prepare(&number_marks(sql))?;
        if statement.params().len() != params.len() {
            let (wanted, given) = (statement.params().len(), params.len());
            return Err(StoreError::defect(format!("{given} parameters for {wanted} marks: {sql}")));
        }
        let encoded = params.iter().zip(statement.params()).map(|(value, of)| Encoded::one(value, of));
        let encoded = encoded.collect::<Result<_, _>>()?;
        Ok((statement, encoded))
    }

    /// `None` where there are no rows.
    fn for_rows<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        sql: &str,
        rows: &[R],
    ) -> Result<Option<(Statement, Vec<Encoded>)>, StoreError> {
        let [first, others @ ..] = rows else { return Ok(None) };
        let first = first.as_ref();
        if others.is_empty() {
            return self.for_one(sql, first).map(Some);
        }
        // Elsewhere an UPDATE that names its store plainly may go through that store's rows, and look for each of them
        // among the parameters.
        let plain = self.conn.distributed || !sql.trim_start().starts_with(['U', 'D']);
        let one_store = plain && first.len() > 1 && others.iter().all(|row| row.as_ref().first() == first.first());
        // The statement for one row tells what its parameters are; a column of nothing but NULL would not.
        let kinds: Vec<Kind> = self.prepare(&number_marks(sql))?.params().iter().map(kind_of).collect();
        let statement = self.prepare(&for_many(sql, &kinds, one_store)?)?;
        let mut params = Vec::with_capacity(kinds.len());
        for (column, kind) in kinds.iter().enumerate() {
            params.push(match first.get(column) {
                Some(store) if one_store && column == 0 => Encoded::one(store, &Type::INT8)?,
                _ => Encoded::column(*kind, column, rows)?,
            });
        }
        Ok(Some((statement, params)))
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, StoreError> {
        let prepared = self.conn.prepare(sql);
        prepared.map_err(|error| self.fail(&error, false))
    }

    /// Sends what waits and one thing more, and waits once for all answers.
    fn exchange(&mut self, last: Last<'_>) -> Result<Answer, StoreError> {
        if let Some(Failure { error, .. }) = &self.failed {
            return Err(error.clone());
        }
        let (begin, later) = (self.begin.take(), std::mem::take(&mut self.later));
        if begin.is_some() {
            self.conn.plan_anew().map_err(|error| self.fail(&error, false))?;
        }
        self.conn.clean = false;
        let (client, runtime) = self.conn.parts();
        let first = async {
            match begin {
                Some(sql) => client.batch_execute(sql).await,
                None => Ok(()),
            }
        };
        // Each of these sends when it is first looked at, which happens in this order; the server answers in it too.
        let middle = join_all(later.iter().map(|(statement, params)| client.execute_raw(statement, params)));
        let committing = matches!(last, Last::Commit);
        let (first, middle, answer) = Connection::wait(runtime, join3(first, middle, last.send(client)));
        let all = first.and(middle.into_iter().try_for_each(|one| one.map(|_| ()))).and(answer);
        all.map_err(|error| self.fail(&error, committing))
    }

    fn commit(&mut self) -> Result<(), Failure> {
        // Nothing was asked of the server.
        if self.begin.is_some() && self.later.is_empty() {
            return Ok(());
        }
        match self.exchange(Last::Commit) {
            Ok(_) => {
                self.conn.clean = true;
                Ok(())
            }
            Err(error) => Err(self.failed.take().unwrap_or(Failure { cause: Cause::Refused, error })),
        }
    }

    fn fail(&mut self, error: &tokio_postgres::Error, committing: bool) -> StoreError {
        let mut failure = Failure::of(error);
        if let (Cause::Lost, true, StoreError::Unavailable { detail }) = (failure.cause, committing, &failure.error) {
            failure = Failure { cause: Cause::Unsure, error: StoreError::Unsure { detail: detail.clone() } };
        }
        let error = failure.error.clone();
        self.failed.get_or_insert(failure);
        error
    }
}

impl Drop for PostgresTx<'_> {
    fn drop(&mut self) {
        if !self.conn.clean {
            // A connection that cannot even be rolled back is not used again; the server notices that it is gone.
            self.conn.rollback();
        }
    }
}

/// What is asked of the server in an exchange.
enum Last<'a> {
    Rows(&'a Statement, &'a [Encoded]),
    Count(&'a Statement, &'a [Encoded]),
    Commit,
}

#[derive(Default)]
struct Answer {
    rows: Vec<DriverRow>,
    count: u64,
}

impl Last<'_> {
    async fn send(self, client: &Client) -> Result<Answer, tokio_postgres::Error> {
        match self {
            Last::Rows(statement, params) => {
                let rows = client.query_raw(statement, params).await?.try_collect().await?;
                Ok(Answer { rows, count: 0 })
            }
            Last::Count(statement, params) => {
                Ok(Answer { rows: Vec::new(), count: client.execute_raw(statement, params).await? })
            }
            Last::Commit => client.batch_execute("COMMIT").await.map(|()| Answer::default()),
        }
    }
}

/// A parameter as it travels, so that what it was made of need not be kept; `None` is NULL.
#[derive(Debug)]
struct Encoded(Option<BytesMut>);

impl Encoded {
    fn one(value: &Value<'_>, of: &Type) -> Result<Encoded, StoreError> {
        match (value, kind_of(of)) {
            (Value::Null, _) => Ok(Encoded(None)),
            (Value::Int(number), Kind::Int) => Encoded::bytes(number, &Type::INT8),
            (Value::Text(text), Kind::Text) => Encoded::bytes(&escaped(text), of),
            _ => Err(StoreError::defect(format!("a parameter should be {of}, and is not: {value:?}"))),
        }
    }

    /// One column of many rows, as an array.
    fn column<'v, R: AsRef<[Value<'v>]>>(kind: Kind, column: usize, rows: &[R]) -> Result<Encoded, StoreError> {
        let values = rows.iter().map(|row| row.as_ref().get(column));
        match kind {
            Kind::Int => {
                let number = |value: Option<&Value<'v>>| match value {
                    Some(Value::Int(number)) => Ok(Some(*number)),
                    Some(Value::Null) => Ok(None),
                    other => Err(mixed(column, other)),
                };
                Encoded::bytes(&values.map(number).collect::<Result<Vec<_>, _>>()?, &Type::INT8_ARRAY)
            }
            Kind::Text => {
                let text = |value: Option<&'_ Value<'v>>| match value {
                    Some(Value::Text(text)) => Ok(Some(escaped(text).into_owned())),
                    Some(Value::Null) => Ok(None),
                    other => Err(mixed(column, other)),
                };
                Encoded::bytes(&values.map(text).collect::<Result<Vec<_>, _>>()?, &Type::TEXT_ARRAY)
            }
        }
    }

    fn bytes(value: &impl ToSql, of: &Type) -> Result<Encoded, StoreError> {
        let mut bytes = BytesMut::new();
        let sent = value.to_sql(of, &mut bytes);
        sent.map_err(|error| StoreError::defect(format!("a parameter cannot be sent as {of}: {error}")))?;
        Ok(Encoded(Some(bytes)))
    }
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn mixed(column: usize, value: Option<&Value<'_>>) -> StoreError {
    StoreError::defect(format!("parameter {} is not of one type in all rows: {value:?}", column + 1))
}

/// Every number is a `BIGINT` here; what is none is a text.
fn kind_of(of: &Type) -> Kind {
    if matches!(*of, Type::INT8 | Type::INT4 | Type::INT2) { Kind::Int } else { Kind::Text }
}

/// The server takes no character U+0000 in a text, though JSON and so a caller may send one: it and the mark of our
/// escapes travel as two characters.
const MARK: char = '\u{1}';

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(MARK, "\u{1}1").replace('\0', "\u{1}0"))
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}"))
}

/// The `PostgreSQL` side of [`Row`].
pub(crate) struct PostgresRow<'r>(pub(crate) &'r DriverRow);

impl PostgresRow<'_> {
    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(read::<Whole>(self.0, column)?.map(|Whole(number)| number))
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<Cow<'_, str>>, StoreError> {
        Ok(read::<&str>(self.0, column)?.map(unescaped))
    }
}

/// A whole number of any width: columns are all `BIGINT`, but a literal in a query is as narrow as it can be.
struct Whole(i64);

impl<'r> FromSql<'r> for Whole {
    fn from_sql(of: &Type, bytes: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *of {
            Type::INT8 => i64::from_sql(of, bytes).map(Whole),
            Type::INT4 => i32::from_sql(of, bytes).map(|number| Whole(number.into())),
            _ => Err(format!("found {of}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        // Whether it fits shows in the value: NULL has no type of its own.
        true
    }
}

fn read<'r, T: FromSql<'r>>(row: &'r DriverRow, column: usize) -> Result<Option<T>, StoreError> {
    row.try_get(column).map_err(|error| unexpected(column, &error.to_string()))
}

/// Why an exchange failed, and what may be done about it.
struct Failure {
    cause: Cause,
    error: StoreError,
}

impl Failure {
    fn of(error: &tokio_postgres::Error) -> Failure {
        let (cause, error) = errors::read(error);
        Failure { cause, error }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure { cause: Cause::Refused, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_as_it_went() {
        for text in ["", "plain", "\0", "\u{1}", "\u{1}0", "a\0\u{1}1\0b"] {
            let travels = escaped(text).into_owned();
            assert!(!travels.contains('\0'), "{text:?}");
            assert_eq!(unescaped(&travels), text);
        }
    }
}
