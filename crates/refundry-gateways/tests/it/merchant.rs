//! The driver `http` against the sample service, `examples/http-gateway/service.py`, as a process of its own. It needs
//! Python 3.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use refundry_gateways::merchant::SIGNATURE_HEADER;
use refundry_gateways::{
    Answer, Ask, Delivery, Gateway, Heard, HttpOutcome, HttpRequest, MerchantService, Purpose, Settings, Span,
    Standing, Step, Transport, TransportLimits,
};
use tokio::task::JoinSet;

const SECRET: &str = "a-secret-of-24-characters-or-more";
const OLD_SECRET: &str = "the-secret-that-was-in-force-before";
const SCRIPT: &str = "../../examples/http-gateway/service.py";
const DAY_MS: i64 = 86_400_000;

/// The service on a port of its own. Ends with the test.
struct Service {
    process: Child,
    base_url: String,
    /// When it started.
    now_ms: i64,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself already; then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Service {
    fn start(folder: &Folder) -> Service {
        let database = folder.0.join("refunds.db");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT);
        let mut command = Command::new("python3");
        command.arg(script).args(["serve", "--port", "0", "--database"]).arg(&database);
        command.env("REFUNDRY_SECRETS", format!("{SECRET},{OLD_SECRET}")).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("python3: {error}; tests need Python 3"));
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe was asked for");
        BufReader::new(output).read_line(&mut line).expect("its output can be read");
        let base_url = line.trim().strip_prefix("listening on ").unwrap_or_default().to_owned();
        // The time of this machine, without reading the clock: that of what the service has just written.
        let written = fs::metadata(database.with_extension("db-shm")).or_else(|_| fs::metadata(&database));
        let written = written.and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let since_1970 = written.duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
        let now_ms = i64::try_from(since_1970.as_millis()).expect("it is before the year 292278994");
        let service = Service { process, base_url, now_ms };
        assert!(!service.base_url.is_empty(), "the service did not start, see its words above: {line:?}");
        service
    }

    fn driver(&self, secret: &str) -> MerchantService {
        let settings = [("base_url", self.base_url.as_str()), ("secret", secret)];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        MerchantService::open(&Settings(BTreeMap::from(settings))).expect("good settings")
    }

    fn ask(&self, leg: u64, amount_minor: i64) -> Ask {
        Ask { now_ms: self.now_ms, ..crate::ask(123_456_789_012_345_000 + leg, amount_minor, "") }
    }

    /// The service's own word of what it paid: how often, and how much.
    async fn paid_back(&self, transport: &Transport) -> (usize, i64) {
        let span = Span { from_ms: self.now_ms - DAY_MS, to_ms: self.now_ms + DAY_MS, now_ms: self.now_ms };
        let driver = self.driver(SECRET);
        let (mut asked, mut paid) = (driver.list(span), Vec::new());
        while let Some(request) = asked {
            let outcome = transport.call(request.clone()).await;
            let page = driver.read_list(span, &request, outcome).expect("a page");
            paid.extend(page.lines.into_iter().filter(|line| line.standing == Standing::Paid));
            asked = page.next;
        }
        (paid.len(), paid.iter().map(|line| line.amount_minor).sum())
    }
}

/// A folder of a test's own for the service's database, which is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("http-gateway-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies below the target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn transport() -> Transport {
    Transport::new(TransportLimits::default())
}

fn sent(step: Step) -> HttpRequest {
    match step {
        Step::Http(request) => request,
        Step::Answer(answer) => panic!("it sends nothing: {answer:?}"),
    }
}

#[track_caller]
fn assert_done(answer: &Answer, ask: &Ask) {
    let expected = Answer::Done {
        reference: format!("rf_{}", ask.key()),
        amount_minor: ask.amount_minor,
        currency: ask.currency.clone(),
    };
    assert_eq!(*answer, expected);
}

#[tokio::test]
async fn a_key_pays_once_and_outlives_the_service() {
    let folder = Folder::new("once");
    let mut service = Service::start(&folder);
    let transport = transport();
    let first = service.ask(1, 1000);
    assert_eq!(transport.ask(&service.driver(SECRET), Purpose::Lookup, &first).await, Answer::NotFound);
    for purpose in [Purpose::Refund, Purpose::Refund, Purpose::Lookup] {
        assert_done(&transport.ask(&service.driver(SECRET), purpose, &first).await, &first);
    }
    // A request whose answer nobody read.
    let lost = service.ask(2, 250);
    drop(transport.call(sent(service.driver(SECRET).refund(&lost))).await);

    let other_figures = transport.ask(&service.driver(SECRET), Purpose::Refund, &service.ask(1, 999)).await;
    assert_eq!(other_figures, Answer::unknown("status 409"));
    let unknown = Ask { payment_reference: "unknown".to_owned(), ..service.ask(3, 1) };
    for purpose in [Purpose::Refund, Purpose::Lookup] {
        let told = transport.ask(&service.driver(SECRET), purpose, &unknown).await;
        assert!(matches!(&told, Answer::Declined { code, .. } if code == "payment_unknown"), "{told:?}");
    }

    service.process.kill().expect("it still runs");
    service.process.wait().expect("it ends");
    let gone = transport.ask(&service.driver(SECRET), Purpose::Refund, &first).await;
    // The connection from before may have been tried once more.
    assert!(matches!(gone, Answer::NotTaken { .. } | Answer::Unknown { .. }), "{gone:?}");

    drop(service);
    let service = Service::start(&folder);
    for (purpose, ask) in [(Purpose::Lookup, &lost), (Purpose::Lookup, &first), (Purpose::Refund, &first)] {
        assert_done(&transport.ask(&service.driver(SECRET), purpose, ask).await, ask);
    }
    assert_eq!(service.paid_back(&transport).await, (2, 1250));
}

#[tokio::test]
async fn many_at_once_pay_once() {
    const LEGS: u64 = 24;
    let folder = Folder::new("many");
    let service = Service::start(&folder);
    let transport = transport();
    let mut asked = JoinSet::new();
    for leg in (0..LEGS).chain(0..LEGS) {
        let (transport, driver, ask) = (transport.clone(), service.driver(SECRET), service.ask(leg, 100));
        asked.spawn(async move { transport.ask(&driver, Purpose::Refund, &ask).await });
    }
    while let Some(told) = asked.join_next().await {
        let told = told.expect("the call ends");
        // Who comes second while the first is at it hears that.
        assert!(matches!(told, Answer::Done { amount_minor: 100, .. } | Answer::Pending { .. }), "{told:?}");
    }
    for leg in 0..LEGS {
        let ask = service.ask(leg, 100);
        assert_done(&transport.ask(&service.driver(SECRET), Purpose::Lookup, &ask).await, &ask);
    }
    assert_eq!(service.paid_back(&transport).await, (24, 2400), "two pages of its list");
}

#[tokio::test]
async fn what_is_not_signed_is_not_believed() {
    let folder = Folder::new("signed");
    let service = Service::start(&folder);
    let transport = transport();
    let ask = service.ask(1, 1000);
    for request in [sent(service.driver(SECRET).refund(&ask)), sent(service.driver(SECRET).lookup(&ask))] {
        let signature = request.headers[0].1.clone();
        let (head, last) = signature.split_at(signature.len() - 1);
        let forged = [
            format!("{head}{}", if last == "0" { "1" } else { "0" }),
            head.to_owned(),
            signature.replace("v1=", "v0="),
            signature.replace("t=", "t=1"),
            format!("{signature},t=1"),
            String::new(),
        ];
        for header in forged {
            let mut request = request.clone();
            request.headers[0].1 = header;
            let outcome = transport.call(request).await;
            assert!(matches!(outcome, HttpOutcome::Answered { status: 401, .. }), "{outcome:?}");
        }
        let mut other_words = request.clone();
        match other_words.body.last_mut() {
            Some(byte) => *byte = b' ',
            None => other_words.url.push('9'),
        }
        let outcome = transport.call(other_words).await;
        assert!(matches!(outcome, HttpOutcome::Answered { status: 401, .. }), "{outcome:?}");
    }
    for (secret, now_ms) in [
        ("another-secret-of-24-characters", service.now_ms),
        (SECRET, service.now_ms - DAY_MS),
        (SECRET, service.now_ms + DAY_MS),
    ] {
        let refused = transport.ask(&service.driver(secret), Purpose::Refund, &Ask { now_ms, ..ask.clone() }).await;
        assert!(matches!(refused, Answer::NotTaken { .. }), "{refused:?}");
    }
    assert_eq!(service.paid_back(&transport).await, (0, 0));
    // The secret that is about to be replaced still counts.
    assert_done(&transport.ask(&service.driver(OLD_SECRET), Purpose::Refund, &ask).await, &ask);
}

#[test]
fn what_the_service_delivers_is_believed() {
    let listener = TcpListener::bind(crate::ANY_PORT).expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT);
    let mut command = Command::new("python3");
    command.arg(script).args(["deliver", "--to", &format!("http://{address}/hooks/demo/till")]);
    command.env("REFUNDRY_SECRETS", format!("{SECRET},{OLD_SECRET}")).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut process = command.spawn().unwrap_or_else(|error| panic!("python3: {error}; tests need Python 3"));
    let words = br#"{"type": "refund", "event": "e-1", "payment": "pay_1", "reference": "rf_2", "status": "succeeded",
        "amount_minor": 500, "currency": "EUR"}"#;
    process.stdin.take().expect("a pipe was asked for").write_all(words).expect("it reads");

    let (mut connection, _) = listener.accept().expect("it calls");
    let (head, body) = received(&mut connection);
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("it listens");
    assert!(process.wait().expect("it ends").success());

    assert!(head.starts_with("POST /hooks/demo/till HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        values.next().expect("the header is there").to_owned()
    };
    let signature = header(SIGNATURE_HEADER);
    let seconds = signature.split_once("t=").and_then(|(_, rest)| rest.split_once(',')).expect("a time").0;
    let now_ms = seconds.parse::<i64>().expect("whole seconds") * 1000;
    let settings = [("base_url", "http://127.0.0.1:1"), ("secret", SECRET)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let driver = MerchantService::open(&Settings(BTreeMap::from(settings))).expect("good settings");
    let headers = [("refundry-signature", Cow::Borrowed(signature.as_str()))];
    let told = driver.hear(&Delivery { headers: &headers, body: &body, now_ms });
    let Heard::Notices(notices) = told else { panic!("{told:?}") };
    assert_eq!((notices.len(), notices[0].event.as_str()), (1, "e-1"));
}

/// The head of a request and its body.
fn received(connection: &mut TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut head).expect("a line");
        assert!(read > 0, "the head ends early: {head}");
    }
    let lengths = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next().expect("a length").1.parse().expect("a number");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the whole body");
    (head, body)
}
