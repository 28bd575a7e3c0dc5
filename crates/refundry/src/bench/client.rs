//! One HTTP/1.1 connection that is kept, and the requests of a run. As lean as it can be, because the load shares the
//! processors with the server: no pool, no retries, no task beside the sender's, and answers whose length is told.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room that is made for what is read next.
const READ_BYTES: usize = 8 << 10;
/// Headers of an answer; more are no answer of ours.
const HEADERS_MAX: usize = 64;
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

    pub(super) fn get(&self, uri: Uri) -> Request<Bytes> {
        self.request(Method::GET, uri, Bytes::new())
    }

    pub(super) fn post(&self, uri: Uri, key: Option<String>, body: String) -> anyhow::Result<Request<Bytes>> {
        let mut request = self.request(Method::POST, uri, Bytes::from(body));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = key {
            request.headers_mut().insert(IDEMPOTENCY_KEY, HeaderValue::try_from(key).context("this is no key")?);
        }
        Ok(request)
    }

    fn request(&self, method: Method, uri: Uri, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, self.host.clone());
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        request
    }
}

/// A connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// What was read and not used yet, and what is sent next.
    read: BytesMut,
    sent: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(access: &Access) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&access.address).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", access.address))?;
        stream.set_nodelay(true).context("cannot set up a connection")?;
        Ok(Self { stream, read: BytesMut::new(), sent: Vec::new() })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&mut self, request: Request<Bytes>) -> anyhow::Result<(StatusCode, Bytes)> {
        self.sent.clear();
        write(&request, &mut self.sent);
        self.stream.write_all(&self.sent).await.context("the connection was lost")?;
        let (status, length) = loop {
            if let Some((status, head, length)) = head(&self.read)? {
                self.read.advance(head);
                break (status, length);
            }
            self.fill().await.context("no answer came")?;
        };
        while self.read.len() < length {
            self.fill().await.context("the answer did not come whole")?;
        }
        Ok((status, self.read.split_to(length).freeze()))
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        self.read.reserve(READ_BYTES);
        ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server closed the connection");
        Ok(())
    }

    /// Sends a request that must be answered with 200 and JSON.
    pub(super) async fn ask(&mut self, request: Request<Bytes>) -> anyhow::Result<serde_json::Value> {
        let path = request.uri().path().to_owned();
        let (status, body) = self.send(request).await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::OK, "{path} was answered with {}: {}", status.as_u16(), text.trim());
        serde_json::from_slice(&body).with_context(|| format!("{path} was not answered with JSON"))
    }
}

/// A request as it travels.
fn write(request: &Request<Bytes>, bytes: &mut Vec<u8>) {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    for part in [request.method().as_str(), " ", path, " HTTP/1.1\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(format!("{CONTENT_LENGTH}: {}\r\n\r\n", request.body().len()).as_bytes());
    bytes.extend_from_slice(request.body());
}

/// Status, bytes of the head, and bytes of the body that follows; `None` while the head is not all there.
fn head(read: &[u8]) -> anyhow::Result<Option<(StatusCode, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(read).context("this is no HTTP")? else { return Ok(None) };
    let status = StatusCode::from_u16(response.code.unwrap_or_default()).context("no status")?;
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    Ok(Some((status, head, length.context("the answer does not tell its length")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_its_head_is_all_there() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        let whole = head(answer).unwrap();
        assert_eq!(whole, Some((StatusCode::CREATED, answer.len() - 2, 2)));
        assert_eq!(head(&answer[..20]).unwrap(), None);
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_is_written_with_its_length() {
        let access = Access::new(&"http://127.0.0.1:1".parse().unwrap(), "t").unwrap();
        let request = access.post(Uri::from_static("/v1/a?b=c"), Some("k".to_owned()), "{}".to_owned()).unwrap();
        let mut bytes = Vec::new();
        write(&request, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST /v1/a?b=c HTTP/1.1\r\nhost: 127.0.0.1:1\r\n"), "{text}");
        assert!(text.contains("idempotency-key: k\r\n") && text.ends_with("content-length: 2\r\n\r\n{}"), "{text}");
    }
}
