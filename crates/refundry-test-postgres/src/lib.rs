//! A throwaway `PostgreSQL` server for tests and benchmarks: found, started, restarted, and gone afterwards.
//!
//! A test calls [`shared_url`] and makes a database of its own there with [`fresh_database`]; a test that stops or
//! restarts the server starts one for itself with [`Cluster::start`]. Nothing here ever skips a test: where there is no
//! server and none can be started, the panic says what to install. Never part of what is shipped, and for Unix only.

mod binaries;
mod cluster;
mod database;
mod proxy;

use std::fmt;
use std::sync::OnceLock;

pub use binaries::Binaries;
pub use cluster::{Cluster, Options, Shutdown, Tls};
pub use database::{Database, fresh_database};
pub use proxy::{Cut, Proxy};

/// Names a running server by a URL, instead of one that is started here. Its user must be allowed to make databases.
pub const URL_VARIABLE: &str = "REFUNDRY_TEST_POSTGRES";

/// Names the folder with `initdb`, `pg_ctl` and `postgres`, instead of one that is searched for.
pub const BINARIES_VARIABLE: &str = "REFUNDRY_TEST_POSTGRES_BIN";

/// The server that all tests of this process share: the one in [`URL_VARIABLE`], or else one that is started at the
/// first call and ends with the process.
///
/// Panics, with what to install, where there is neither: a test of `PostgreSQL` that does not run must not look green.
pub fn shared_url() -> String {
    // Nobody drops a static; the cluster's keeper ends it when the process is gone.
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        return url;
    }
    let start = || match Cluster::start(&Options::default()) {
        Ok(cluster) => cluster,
        Err(error) => panic!("no PostgreSQL for this test: {error}"),
    };
    SHARED.get_or_init(start).url("postgres")
}

/// What went wrong, for a person.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
