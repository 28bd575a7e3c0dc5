//! The only opener of outbound connections.
//!
//! Everything about a call is bounded: how many are in flight, how long one takes, how much is read. What comes back is
//! sorted by the one question that matters for money: can the request have arrived? [`HttpOutcome::NotSent`] says
//! surely not, [`HttpOutcome::Broken`] says perhaps. Whenever that is in doubt it is `Broken`.
//!
//! It follows no redirect, keeps no cookies and never repeats a request that may have been written. Certificates are
//! checked against the authorities that the system trusts, or those of Mozilla where the system has none.

use std::error::Error;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};

use crate::public::{Guide, PRIVATE, is_public};
use crate::{Answer, Ask, Gateway, Purpose, Step};

/// An idle connection is dropped before servers commonly drop theirs, so that a request seldom meets a closing one.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// How much of an answer's head is buffered, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Calls that one question may take: a list of many pages, for example.
const STEPS_MAX: usize = 20;

/// Makes HTTP calls within limits. Cheap to clone; clones share connections and limits.
#[derive(Clone, Debug)]
pub struct Transport {
    client: Client<HttpsConnector<HttpConnector<Guide>>, Full<Bytes>>,
    slots: Arc<Semaphore>,
    limits: TransportLimits,
}

/// The bounds of a [`Transport`].
#[derive(Clone, Copy, Debug)]
pub struct TransportLimits {
    /// A whole call, from the wait for a slot to the last byte of the answer.
    pub deadline: Duration,
    /// Opening a connection. Shorter than `deadline`, so that an address that swallows packets is known as not sent.
    pub connect_deadline: Duration,
    /// Calls at the same time; further ones wait for a slot.
    pub in_flight_max: usize,
    /// An answer's body, in bytes; a longer one is `Broken`.
    pub body_bytes_max: usize,
    /// Nothing is opened to an address inside a private network, whatever a name leads to: for addresses that strangers
    /// choose. Operators' own addresses may be private.
    pub public_only: bool,
}

impl Default for TransportLimits {
    fn default() -> TransportLimits {
        TransportLimits {
            deadline: Duration::from_secs(30),
            connect_deadline: Duration::from_secs(5),
            in_flight_max: 512,
            body_bytes_max: 64 * 1024,
            public_only: false,
        }
    }
}

impl Transport {
    /// A transport with connections of its own. Opens none until it is called.
    pub fn new(limits: TransportLimits) -> Transport {
        let mut http = HttpConnector::new_with_resolver(Guide::new(limits.public_only));
        http.set_connect_timeout(Some(limits.connect_deadline));
        http.set_nodelay(true);
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_tls_config(trust()).https_or_http().enable_http1();
        let connector = connector.wrap_connector(http);
        // The client repeats a request only when a pooled connection closed before the first byte was written.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(limits.in_flight_max)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Transport { client, slots: Arc::new(Semaphore::new(limits.in_flight_max)), limits }
    }

    /// Asks a provider: the driver's step, the call if there is one, and the driver's reading of it, which may be
    /// another call. All of them together end by the deadline. Must run inside a Tokio runtime with time and I/O.
    pub async fn ask(&self, gateway: &dyn Gateway, purpose: Purpose, ask: &Ask) -> Answer {
        let mut step = match purpose {
            Purpose::Refund => gateway.refund(ask),
            Purpose::Lookup => gateway.lookup(ask),
        };
        let mut ends = pin!(sleep(self.limits.deadline));
        for _ in 0..STEPS_MAX {
            match step {
                Step::Answer(answer) => return answer,
                Step::Http(request) => step = gateway.read(purpose, ask, self.call_until(request, ends.as_mut()).await),
            }
        }
        Answer::unknown(format!("no answer after {STEPS_MAX} calls"))
    }

    /// Makes one call and says what became of it. Must run inside a Tokio runtime with time and I/O.
    pub async fn call(&self, request: HttpRequest) -> HttpOutcome {
        self.call_until(request, pin!(sleep(self.limits.deadline))).await
    }

    async fn call_until(&self, request: HttpRequest, ends: Pin<&mut Sleep>) -> HttpOutcome {
        let request = match prepared(request, self.limits.public_only) {
            Ok(request) => request,
            Err(reason) => return HttpOutcome::NotSent { reason },
        };
        // Held until the call is over; the semaphore is never closed, so only the deadline leaves it empty.
        let mut slot = None;
        let call = async {
            slot = self.slots.acquire().await.ok();
            self.exchange(request).await
        };
        let ended = tokio::select! {
            biased;
            outcome = call => Some(outcome),
            () = ends => None,
        };
        match ended {
            Some(outcome) => outcome,
            None if slot.is_none() => {
                HttpOutcome::NotSent { reason: "no slot for another call became free in time".to_owned() }
            }
            None => HttpOutcome::Broken {
                reason: format!("no complete answer within {} ms", self.limits.deadline.as_millis()),
            },
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> HttpOutcome {
        match self.client.request(request).await {
            Ok(response) => self.collect(response).await,
            // A connection that was never made is the only failure after which nothing can have arrived.
            Err(error) if error.is_connect() => HttpOutcome::NotSent { reason: described(&error) },
            Err(error) => HttpOutcome::Broken { reason: described(&error) },
        }
    }

    async fn collect(&self, response: Response<Incoming>) -> HttpOutcome {
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), self.limits.body_bytes_max).collect().await {
            Ok(body) => HttpOutcome::Answered { status, body: body.to_bytes().to_vec() },
            Err(error) if error.is::<LengthLimitError>() => HttpOutcome::Broken {
                reason: format!("status {status} with a body over {} bytes", self.limits.body_bytes_max),
            },
            Err(error) => HttpOutcome::Broken { reason: described(error.as_ref()) },
        }
    }
}

/// A request to be sent as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Absolute, `https://host[:port]/path`, or the same with `http`.
    pub url: String,
    /// Names and values; `Host` and `Content-Length` are added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    /// Shows no header value and no body: they hold credentials and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The methods our calls need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Acts.
    Post,
}

/// What became of a call.
#[derive(Clone, PartialEq, Eq)]
pub enum HttpOutcome {
    /// A whole answer, whatever its status.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, at most [`TransportLimits::body_bytes_max`] bytes.
        body: Vec<u8>,
    },
    /// The request surely never arrived, so repeating *this* call is harmless. An earlier one may still have arrived.
    NotSent {
        /// For the operator.
        reason: String,
    },
    /// The request may have arrived and may have been acted on; there is no usable answer.
    Broken {
        /// For the operator.
        reason: String,
    },
}

impl fmt::Debug for HttpOutcome {
    /// Shows the length of a body instead of the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpOutcome::Answered { status, body } => {
                f.debug_struct("Answered").field("status", status).field("body_bytes", &body.len()).finish()
            }
            HttpOutcome::NotSent { reason } => f.debug_struct("NotSent").field("reason", reason).finish(),
            HttpOutcome::Broken { reason } => f.debug_struct("Broken").field("reason", reason).finish(),
        }
    }
}

/// Who is believed to be who they say.
fn trust() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    versions.expect("ring has the default versions").with_root_certificates(roots).with_no_client_auth()
}

/// Checks what can be checked before a connection is opened.
fn prepared(request: HttpRequest, public_only: bool) -> Result<Request<Full<Bytes>>, String> {
    let uri: Uri = request.url.parse().map_err(|_| "the address is not a URL".to_owned())?;
    let Some(host) = uri.host() else {
        return Err("the address names no host".to_owned());
    };
    // An address in digits is never looked up, so the guide does not see it.
    let digits = host.trim_start_matches('[').trim_end_matches(']').parse();
    if public_only && digits.is_ok_and(|ip| !is_public(ip)) {
        return Err(PRIVATE.to_owned());
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("only http:// and https:// addresses can be called".to_owned());
    }
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(request.body))).map_err(|_| "a header is malformed".to_owned())
}

/// An error with its causes, which is where the useful words are.
fn described(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
