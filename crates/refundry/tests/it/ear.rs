//! Somebody who subscribed to webhooks: a receiver on a real socket that checks every signature, and fails when it
//! likes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use refundry_gateways::signing::{Hash, to_base64};
use serde_json::Value;

/// A delivery, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn topic(&self) -> &str {
        self.header("x-shoplazza-topic")
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-shoplazza-deduplication-id")
    }

    pub(crate) fn order(&self) -> Value {
        serde_json::from_slice::<Value>(&self.body).expect("JSON")["order"].clone()
    }

    #[track_caller]
    pub(crate) fn assert_signed(&self, secret: &str) {
        let expected = to_base64(&Hash::Sha256.sign(secret.as_bytes(), &[&self.body]));
        assert_eq!(self.header("x-shoplazza-hmac-sha256"), expected);
        assert_eq!(self.header("content-type"), "application/json");
    }
}

/// What a receiver answers; `None` hangs up.
type Script = Box<dyn FnMut(&Posted) -> Option<u16> + Send>;

/// Somebody who subscribed.
pub(crate) struct Ear {
    address: String,
    heard: Arc<Mutex<Vec<Posted>>>,
    script: Arc<Mutex<Script>>,
}

impl Ear {
    pub(crate) fn new(script: impl FnMut(&Posted) -> Option<u16> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (heard, script): (Arc<Mutex<Vec<Posted>>>, Arc<Mutex<Script>>) =
            (Arc::default(), Arc::new(Mutex::new(Box::new(script))));
        let (kept, plays) = (Arc::clone(&heard), Arc::clone(&script));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, plays) = (Arc::clone(&kept), Arc::clone(&plays));
                std::thread::spawn(move || stream.map(|stream| listen(stream, &kept, &plays)));
            }
        });
        Self { address, heard, script }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Posted> {
        self.heard.lock().expect("no panic").clone()
    }

    pub(crate) fn of(&self, topic: &str) -> Vec<Posted> {
        self.heard().into_iter().filter(|posted| posted.topic() == topic).collect()
    }

    pub(crate) fn play(&self, script: impl FnMut(&Posted) -> Option<u16> + Send + 'static) {
        *self.script.lock().expect("no panic") = Box::new(script);
    }
}

/// Answers one request of a connection, which is closed then.
fn listen(stream: TcpStream, heard: &Mutex<Vec<Posted>>, script: &Mutex<Script>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // A connection that was opened for nothing ends before it says anything.
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let posted = Posted { headers, body };
    heard.lock().expect("no panic").push(posted.clone());
    let status = (script.lock().expect("no panic"))(&posted);
    if let Some(status) = status {
        let location = if status == 302 { "location: /elsewhere\r\n" } else { "" };
        // Whoever asked may be gone.
        let _ =
            write!(reader.get_mut(), "HTTP/1.1 {status} X\r\nconnection: close\r\n{location}content-length: 0\r\n\r\n");
    }
}
