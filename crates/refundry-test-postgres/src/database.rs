//! Databases for single tests, made on a server and dropped from it again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::thread;

use tokio_postgres::NoTls;

use crate::Error;

/// A database that is dropped with this value, connections to it cut.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    /// The URL to connect with.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = execute(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name)) {
            // A test that stops the server leaves no other way; and to panic here would hide why a test failed.
            eprintln!("the database {} stays: {error}", self.name);
        }
    }
}

/// Makes a database with a name nobody else uses on the server of this URL, for one test.
///
/// It sorts texts byte by byte whatever the server's own locale is, so that one run is like the next.
pub fn fresh_database(server_url: &str) -> Result<Database, Error> {
    let name = format!("refundry_test_{:016x}", random());
    let url = with_database(server_url, &name)?;
    // From template0, which nobody can be connected to: a template with a connection cannot be copied.
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
    execute(server_url, &create)?;
    Ok(Database { server: server_url.to_owned(), name, url })
}

/// The standard library seeds its hashers from the operating system's randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The URL with another database in its place: `postgres://user@host/name?options`.
fn with_database(url: &str, name: &str) -> Result<String, Error> {
    let not_a_url = || Error::new(format!("not a URL of a PostgreSQL server: {url}"));
    let (scheme, rest) = url.split_once("://").filter(|(s, _)| s.starts_with("postgres")).ok_or_else(not_a_url)?;
    let (rest, options) = rest.split_once('?').map_or((rest, None), |(rest, options)| (rest, Some(options)));
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{name}{options}"))
}

/// Runs one statement on a connection of its own. On a thread of its own too, as the caller may be inside of a runtime,
/// where another must not block.
fn execute(url: &str, sql: &str) -> Result<(), Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::new(format!("no runtime: {error}")))?;
        runtime.block_on(async {
            let failed = |error: tokio_postgres::Error| Error::new(format!("{sql}: {}", chain(&error)));
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(failed)?;
            let connection = tokio::spawn(connection);
            let done = client.batch_execute(sql).await.map_err(failed);
            drop(client);
            // Waits for the goodbye. A connection that broke has failed the statement already.
            let _ = connection.await;
            done
        })
    };
    thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|_| Err(Error::new(format!("{sql}: panicked")))))
}

/// The driver's errors say "db error" and keep the rest in their source.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn another_database_on_the_same_server() {
        let check = |url: &str, expected: &str| assert_eq!(with_database(url, "n").unwrap(), expected);
        check("postgres://u:p@127.0.0.1:5432/postgres", "postgres://u:p@127.0.0.1:5432/n");
        check("postgresql://localhost", "postgresql://localhost/n");
        check("postgres://localhost/?sslmode=disable", "postgres://localhost/n?sslmode=disable");
        check("postgres:///db?host=/tmp", "postgres:///n?host=/tmp");
        assert!(with_database("host=localhost", "n").is_err());
        assert!(with_database("mysql://localhost/x", "n").is_err());
    }
}
