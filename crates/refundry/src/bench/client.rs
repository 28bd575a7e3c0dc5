//! One HTTP/1.1 connection that is kept, and the requests of a run. As lean as it can be: no pool, no retries.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: String,
    port: u16,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "an address such as http://127.0.0.1:8080 is expected, without a path".to_owned();
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        let host = uri.host().filter(|host| plain && !host.is_empty()).ok_or_else(wrong)?;
        Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

/// A server with the headers that let us in.
#[derive(Clone)]
pub(super) struct Access {
    address: String,
    token: String,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Access {
    pub(super) fn new(target: &Target, token: &str) -> anyhow::Result<Self> {
        let address = format!("{}:{}", target.host, target.port);
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).context("this is no token")?;
        authorization.set_sensitive(true);
        let host = HeaderValue::try_from(&address).context("the server's name cannot be sent")?;
        Ok(Self { address, token: token.to_owned(), host, authorization })
    }

    /// For an API that takes it in a header of its own.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn get(&self, uri: Uri) -> Request<Full<Bytes>> {
        self.request(Method::GET, uri, Bytes::new())
    }

    pub(super) fn post(&self, uri: Uri, key: Option<String>, body: String) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = self.request(Method::POST, uri, Bytes::from(body));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = key {
            request.headers_mut().insert(IDEMPOTENCY_KEY, HeaderValue::try_from(key).context("this is no key")?);
        }
        Ok(request)
    }

    fn request(&self, method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        request
    }
}

/// A connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(access: &Access) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&access.address).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", access.address))?;
        stream.set_nodelay(true).context("cannot set up a connection")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("cannot speak HTTP")?;
        // How it ends is told by the request under way.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        self.sender.ready().await.context("the connection was lost")?;
        let response = self.sender.send_request(request).await.context("no answer came")?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the answer did not come whole")?;
        Ok((status, body.to_bytes()))
    }

    /// Sends a request that must be answered with 200 and JSON.
    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<serde_json::Value> {
        let path = request.uri().path().to_owned();
        let (status, body) = self.send(request).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::OK, "{path} was answered with {}: {}", status.as_u16(), text.trim());
        serde_json::from_slice(&body).with_context(|| format!("{path} was not answered with JSON"))
    }
}
