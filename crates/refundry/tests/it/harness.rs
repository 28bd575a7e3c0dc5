//! Processes, a small HTTP client, and orders to refund.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use refundry_test_postgres::{Database, fresh_database, shared_url};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Token of the demo store with all scopes.
pub(crate) const TOKEN: &str = "sk_test_demo";
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("REFUNDRY_BIN").map_or_else(|| env!("CARGO_BIN_EXE_refundry").into(), PathBuf::from)
}

/// Runs a command of the binary to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the binary runs")
}

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A database of one test's own, and with it what a command is told to find it.
pub(crate) enum Place {
    Folder(TempDir),
    Server(Database),
}

impl Place {
    pub(crate) fn new(on: Backend) -> Self {
        match on {
            Backend::Sqlite => Self::Folder(tempfile::tempdir().expect("a folder")),
            Backend::Postgres => Self::Server(fresh_database(&shared_url()).expect("a database")),
        }
    }

    pub(crate) fn args(&self) -> [&str; 2] {
        match self {
            Self::Folder(folder) => ["--data", folder.path().to_str().expect("a UTF-8 path")],
            Self::Server(database) => ["--database", database.url()],
        }
    }

    /// `refundry serve --demo` on a free port.
    pub(crate) fn serve(&self, more: &[&str]) -> Process {
        Process::serve(self.args(), more)
    }

    /// What `refundry audit` says: whether it found nothing, and its words.
    pub(crate) fn audit(&self) -> (bool, String) {
        audit(self.args())
    }

    /// Whatever a test did, the books agree.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let (clean, words) = self.audit();
        assert!(clean, "{words}");
    }
}

/// A process that says when it is up, and where it listens; killed when dropped.
pub(crate) struct Process {
    child: Child,
    /// `127.0.0.1:port`; empty for one that does not listen.
    pub(crate) address: String,
}

impl Process {
    /// `refundry serve --demo` on a data folder and a free port.
    pub(crate) fn server(data: &Path, more: &[&str]) -> Self {
        Self::serve(["--data", data.to_str().expect("a UTF-8 path")], more)
    }

    /// `refundry serve --demo` on any database and a free port.
    pub(crate) fn serve(database: [&str; 2], more: &[&str]) -> Self {
        let start = ["serve", "--demo", "--listen", "127.0.0.1:0"];
        Self::start(&[&start[..], &database, more].concat())
    }

    /// `refundry simulate-provider` on a free port.
    pub(crate) fn provider() -> Self {
        Self::start(&["simulate-provider", "--listen", "127.0.0.1:0"])
    }

    /// Any command that stays, once it is up.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(Path::new("."), args)
    }

    /// Any command that stays, run in a folder, once it is up.
    pub(crate) fn start_in(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(args).current_dir(folder);
        // What is torn down around a server, it complains about at length.
        let torn_down = args.contains(&"--database") && std::env::var_os("REFUNDRY_LOG").is_none();
        command.env("REFUNDRY_LOG", if torn_down { "off" } else { "warn" });
        Self::spawn(command)
    }

    /// Any command that stays, once it is up; whatever it logs goes into a file.
    pub(crate) fn start_logged(args: &[&str], log: &Path) -> Self {
        let mut command = Command::new(binary());
        command.args(args).env("REFUNDRY_LOG", "trace").stderr(File::create(log).expect("a file"));
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let address = loop {
            let Some(line) = lines.next() else {
                panic!("{command:?} never said that it is up: {}", child.wait().expect("it ends"));
            };
            let line = line.expect("a line");
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
            if line == "working" {
                break String::new();
            }
        };
        Self { child, address }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it at once, as a power cut would (SIGKILL), and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Stops it where it is, as a machine does that hangs (SIGSTOP).
    pub(crate) fn pause(&mut self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self) {
        self.signal("-CONT");
    }

    fn signal(&mut self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "{signal}: {sent}");
    }

    /// A connection to it.
    pub(crate) fn client(&self) -> Client {
        Client { address: self.address.clone(), stream: None }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that got no answer wants to know whether there was anybody left to give one.
        if std::thread::panicking()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            eprintln!("the process at {} had ended before: {status}", self.address);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One keep-alive connection. Sends exactly the bytes it is given.
pub(crate) struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

impl Client {
    /// A connection to whoever listens there.
    pub(crate) fn to(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    /// Sends a JSON body with the native token.
    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send("POST", path, &headers, body.to_string().as_bytes()).expect("an answer")
    }

    /// Reads with the native token.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        self.send("GET", path, &[("authorization", bearer.as_str())], b"").expect("an answer")
    }

    /// Sends any request; an error means that the connection broke.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let answer = self.exchange(method, path, headers, body);
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    fn exchange(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
        let mut bytes = Vec::new();
        write!(bytes, "{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address)?;
        for (name, value) in headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        write!(bytes, "content-length: {}\r\n\r\n", body.len())?;
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Sends these very bytes, which need not be a request.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> std::io::Result<Answer> {
        let mut stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            BufReader::new(stream)
        };
        // A server that refuses a body early may close before it read everything; its answer counts.
        let written = stream.get_mut().write_all(bytes);
        let answer = read_answer(&mut stream);
        let answer = match (answer, written) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        if answer.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "no answer");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, v)| v.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Answer { status, headers, body })
}

/// Asks again and again until the answer is there; each try must itself take time (a request does).
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::yield_now();
    }
}

/// Waits until no leg is unsettled.
pub(crate) fn settled(client: &mut Client) {
    until("all refunds to settle", || {
        let pending = client.get("/v1/refunds?state=pending&limit=1").json();
        pending["data"].as_array().expect("a list").is_empty().then_some(())
    });
}

/// An order of some lines of 100 units at 10.00, paid by one card over the simulated provider; the caller's own id.
pub(crate) fn order(id: &str, lines: usize) -> Value {
    let line = |index: usize| {
        json!({"id": format!("{id}-l{index}"), "sku": format!("sku-{index}"), "title": "Cup", "quantity": 100,
            "unit_price": "10.00", "net": "1000.00", "tax": "0.00"})
    };
    let total = format!("{}.00", lines * 1_000);
    json!({"id": id, "number": id, "currency": "USD", "created_at": "2026-11-01T10:00:00.000Z",
        "lines": (0..lines).map(line).collect::<Vec<_>>(),
        "payments": [{"id": format!("{id}-p"), "channel": "card", "method": "credit_card", "kind": "online",
            "gateway": "simulated", "captured": total}]})
}

/// Takes orders in over HTTP.
#[track_caller]
pub(crate) fn put_orders(client: &mut Client, orders: &[Value]) {
    for order in orders {
        let answer = client.post("/v1/orders", order);
        assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.text());
    }
}

/// What `refundry audit` says of a database: whether it found nothing, and its words.
pub(crate) fn audit(database: [&str; 2]) -> (bool, String) {
    let output = run(&["audit", database[0], database[1]]);
    let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), words)
}

/// Every refund by its id, through the list and its cursor.
pub(crate) fn all_refunds(client: &mut Client) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut path = "/v1/refunds?limit=100".to_owned();
    loop {
        let page = client.get(&path).json();
        for refund in page["data"].as_array().expect("a list") {
            let id = refund["id"].as_str().expect("an id").to_owned();
            assert!(found.insert(id, refund.clone()).is_none(), "a refund is listed twice");
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return found };
        path = format!("/v1/refunds?limit=100&cursor={cursor}");
    }
}

/// The provider's books equal ours: every leg that succeeded was paid once, and nothing else was.
pub(crate) fn compare_books(ours: &BTreeMap<String, Value>, provider: &mut Client) {
    let books = provider.get("/books").json();
    let paid: BTreeMap<String, String> = books["refunds"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|refund| refund["status"] == "done")
        .map(|refund| (refund["key"].as_str().expect("a key").to_owned(), refund["amount_minor"].to_string()))
        .collect();
    let legs = ours.values().flat_map(|refund| refund["legs"].as_array().expect("legs"));
    let succeeded: BTreeMap<String, String> = legs
        // What was settled outside, such as the history of the example orders, never met the provider.
        .filter(|leg| leg["state"] == "succeeded" && leg["route"] == "original")
        .map(|leg| {
            let amount = leg["amount"].as_str().expect("an amount").replace('.', "");
            (leg["id"].as_str().expect("an id").to_owned(), amount.trim_start_matches('0').to_owned())
        })
        .collect();
    let missing = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
        a.iter().filter(|(key, amount)| b.get(*key) != Some(amount)).map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&paid, &succeeded), Vec::<String>::new(), "paid, and not so in our books");
    assert_eq!(missing(&succeeded, &paid), Vec::<String>::new(), "in our books, and not so paid");
}
