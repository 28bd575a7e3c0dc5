//! Opening a connection: address, TLS, and the settings of a session.
//!
//! The address is a URL as `libpq` reads it. Of TLS it may say `sslmode=disable`, `prefer` (the default: TLS where the
//! server has it, whoever it is), `require` (TLS, whoever it is) or `verify-full` (TLS with a server that proves its
//! name), and `sslrootcert=FILE` for the certificates that are believed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::runtime::Runtime;
use tokio_postgres::config::{Config, SslMode};
use tokio_postgres::{Client, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Failure;
use super::errors::Cause;
use crate::pool::Reusable;
use crate::{Options, StoreError};

/// How long a server may take until a connection is ready, and to answer at all before it counts as lost.
const CONNECT_MAX: Duration = Duration::from_secs(15);
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long one statement may take before the server gives it up. No statement of ours comes near it.
const STATEMENT_MAX: Duration = Duration::from_mins(1);
/// Transactions on a connection until its plans are made anew for the first time.
const REPLAN_FROM: u32 = 16;
/// Statements kept prepared on a connection. Lists are put together from filters, so there is no natural end to them.
const STATEMENTS_CACHED: usize = 512;

/// Where the server is and how it is spoken to.
pub(crate) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    busy: Duration,
    distributed: bool,
}

/// An address of a database. It may hold a password, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes any text; whether it is an address shows when it is opened.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Whether a text is meant to be such an address.
    pub fn is_one(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

impl Server {
    pub(crate) fn new(url: &DatabaseUrl, options: &Options) -> Result<Server, StoreError> {
        let wrong = |detail: String| StoreError::Unavailable { detail };
        let (address, tls) = TlsWish::split(&url.0).map_err(wrong)?;
        let mut config: Config = address.parse().map_err(|error| wrong(format!("not an address: {error}")))?;
        if config.get_application_name().is_none() {
            config.application_name("refundry");
        }
        config.keepalives_idle(SILENCE_MAX).tcp_user_timeout(SILENCE_MAX).ssl_mode(tls.mode);
        let tls = MakeRustlsConnect::new(tls.client().map_err(wrong)?);
        Ok(Server { config, tls, busy: options.busy, distributed: options.distributed })
    }

    /// Opens a connection. Plans follow the text of a statement, as on the embedded database: statements are written to
    /// go from key to key, and a join that reads a whole store to find the rows of one batch makes refunds 2.4 times
    /// slower. One that writes does not even plan anew for other values, which costs more than running it. Nor is a
    /// plan compiled: what must read a whole table, even of a few stores, counts as dear here, and took 37 ms so.
    pub(super) fn connect(&self, writes: bool) -> Result<Connection, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime
            .map_err(|error| StoreError::Unavailable { detail: format!("cannot start a connection: {error}") })?;
        let plans = if writes { "SET plan_cache_mode = force_generic_plan;" } else { "" };
        let settings = format!(
            "SET lock_timeout = {}; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {};
             SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; {plans}",
            self.busy.as_millis(),
            STATEMENT_MAX.as_millis(),
            STATEMENT_MAX.as_millis(),
        );
        let connecting = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            // It moves on whenever a call waits for the server; how it ends is told by the call under way.
            tokio::spawn(async move { drop(connection.await) });
            client.batch_execute(&settings).await?;
            Ok(client)
        };
        // The driver's own limit ends with the connection; a server may also take that and then say nothing.
        let connected = runtime.block_on(async { tokio::time::timeout(CONNECT_MAX, connecting).await });
        match connected {
            Ok(Ok(client)) => {
                let runtime = Some(runtime);
                let (statements, distributed) = (BTreeMap::new(), self.distributed);
                Ok(Connection { client, runtime, statements, clean: true, distributed, begun: 0 })
            }
            Ok(Err(error)) => {
                runtime.shutdown_background();
                Err(Failure::of(&error))
            }
            Err(_) => {
                runtime.shutdown_background();
                let detail = format!("the server did not answer within {} s", CONNECT_MAX.as_secs());
                Err(Failure { cause: Cause::Silent, error: StoreError::Unavailable { detail } })
            }
        }
    }
}

/// A connection with the small runtime that moves its bytes while a call waits.
pub(crate) struct Connection {
    pub(super) client: Client,
    /// There until the connection is dropped.
    runtime: Option<Runtime>,
    pub(super) statements: BTreeMap<String, Statement>,
    /// No transaction is open, and no answer is missing.
    pub(super) clean: bool,
    /// Statements name their store as a plain parameter wherever they can.
    pub(super) distributed: bool,
    /// Transactions begun.
    begun: u32,
}

impl Connection {
    /// Waits for an exchange with the server.
    pub(super) fn wait<T>(runtime: Option<&Runtime>, exchange: impl Future<Output = T>) -> T {
        runtime.expect("it goes with the connection").block_on(exchange)
    }

    /// The parts that an exchange needs at the same time.
    pub(super) fn parts(&self) -> (&Client, Option<&Runtime>) {
        (&self.client, self.runtime.as_ref())
    }

    /// Begins a transaction and waits for it.
    pub(super) fn begin(&mut self, how: &str) -> Result<(), Failure> {
        let plan = self.plan_anew();
        self.clean = false;
        let (client, runtime) = self.parts();
        let begun = plan.and_then(|()| Connection::wait(runtime, client.batch_execute(how)));
        begun.map_err(|error| Failure::of(&error))
    }

    /// Before each transaction: drops the plans that the server keeps, each time this connection has done twice as much
    /// as before.
    ///
    /// The server itself makes plans anew when it has counted a table, a minute later at best. A plan that was made
    /// while the tables were empty knows no difference between their indexes, and goes through whole stores by then.
    pub(super) fn plan_anew(&mut self) -> Result<(), tokio_postgres::Error> {
        self.begun = self.begun.saturating_add(1);
        if self.begun < REPLAN_FROM || !self.begun.is_power_of_two() {
            return Ok(());
        }
        let (client, runtime) = self.parts();
        Connection::wait(runtime, client.batch_execute("DISCARD PLANS"))
    }

    /// Ends a transaction without a trace, if the connection still allows it.
    pub(super) fn rollback(&mut self) {
        let (client, runtime) = self.parts();
        self.clean = Connection::wait(runtime, client.batch_execute("ROLLBACK")).is_ok();
    }

    /// A statement, prepared on this connection.
    pub(super) fn prepare(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let (client, runtime) = self.parts();
        let statement = Connection::wait(runtime, client.prepare(sql))?;
        if self.statements.len() >= STATEMENTS_CACHED {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl Reusable for Connection {
    fn is_clean(&self) -> bool {
        self.clean && !self.client.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Waiting for its end is forbidden where this may happen, and there is nothing to wait for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What an address says of TLS.
#[derive(Debug, PartialEq)]
struct TlsWish {
    mode: SslMode,
    verify: bool,
    roots: Option<String>,
}

impl TlsWish {
    /// Takes what concerns TLS out of an address; the driver knows only some of it.
    fn split(url: &str) -> Result<(String, TlsWish), String> {
        let mut wish = TlsWish { mode: SslMode::Prefer, verify: false, roots: None };
        let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), wish)) };
        let mut rest = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("sslmode", mode)) => {
                    wish.verify = mode == "verify-full";
                    wish.mode = match mode {
                        "disable" => SslMode::Disable,
                        "prefer" => SslMode::Prefer,
                        "require" | "verify-full" => SslMode::Require,
                        _ => return Err("sslmode is disable, prefer, require or verify-full".to_owned()),
                    };
                }
                Some(("sslrootcert", file)) => wish.roots = Some(file.replace("%2F", "/")),
                _ => rest.push(pair),
            }
        }
        if wish.verify && wish.roots.is_none() {
            return Err("sslmode=verify-full needs sslrootcert=FILE, the certificates that are believed".to_owned());
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        Ok((format!("{base}{query}"), wish))
    }

    fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        if !self.verify {
            let anybody = Arc::new(Anybody { provider });
            return Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth());
        }
        let file = self.roots.as_deref().unwrap_or_default();
        let unread = |error: &dyn fmt::Display| format!("the certificates {file} cannot be read: {error}");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unread(&error))? {
            roots.add(certificate.map_err(|error| unread(&error))?).map_err(|error| unread(&error))?;
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Believes any certificate: against listeners, not against impostors. What `sslmode=require` has always meant.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_tls_is_taken_out_of_an_address() {
        let split = |url| TlsWish::split(url).unwrap();
        let plain = TlsWish { mode: SslMode::Prefer, verify: false, roots: None };
        assert_eq!(split("postgres://h/d"), ("postgres://h/d".to_owned(), plain));
        let (url, wish) = split("postgres://h/d?a=b&sslmode=verify-full&sslrootcert=%2Fetc%2Froot.pem&c=d");
        assert_eq!(url, "postgres://h/d?a=b&c=d");
        let full = TlsWish { mode: SslMode::Require, verify: true, roots: Some("/etc/root.pem".to_owned()) };
        assert_eq!(wish, full);
        assert!(TlsWish::split("postgres://h/d?sslmode=verify-full").is_err());
        assert!(TlsWish::split("postgres://h/d?sslmode=maybe").is_err());
    }

    #[test]
    fn an_address_is_never_printed() {
        let url = DatabaseUrl::new("postgres://user:secret@host/name");
        assert!(!format!("{url:?}").contains("secret"));
    }
}
