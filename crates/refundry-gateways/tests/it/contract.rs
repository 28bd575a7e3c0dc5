//! `docs/gateways/http.md` is the contract of the driver `http`. Here it is held to its word: what it shows is what the
//! driver sends and understands.

use std::borrow::Cow;
use std::sync::Arc;

use refundry_gateways::drivers::driver;
use refundry_gateways::merchant::{SIGNATURE_HEADER, signature};
use refundry_gateways::{
    About, Answer, Ask, Delivery, DisputeStage, Gateway, Heard, HttpOutcome, HttpRequest, Method, Notice, Purpose,
    Settings, Span, Standing, Step,
};

const CONTRACT: &str = include_str!("../../../../docs/gateways/http.md");
const SECRET: &str = "refundry-example-secret-0001";
/// When everything on the page was signed.
const NOW_MS: i64 = 1_764_000_000_000;

fn gateway(secret: &str) -> Arc<dyn Gateway> {
    let settings = [("base_url", "https://shop.example/refundry"), ("secret", secret)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    driver("http").expect("a driver").open(&Settings(settings.into())).expect("good settings")
}

fn ask() -> Ask {
    Ask {
        leg_id: 123_456_789_012_345_678,
        refund_id: 123_456_789_012_345_000,
        channel: "bank_transfer".to_owned(),
        currency: "EUR".to_owned(),
        now_ms: NOW_MS,
        ..crate::ask(1, 1050, "")
    }
}

fn november() -> Span {
    Span { from_ms: 1_761_955_200_000, to_ms: 1_764_547_200_000, now_ms: NOW_MS }
}

/// The fenced blocks of a language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    CONTRACT.split(&fence).skip(1).map(|rest| rest.split("\n```").next().expect("a block ends")).collect()
}

/// The rows of the table below a header that begins so, as cells.
fn rows(header: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = CONTRACT.split_once(&format!("\n{header}")).expect("the page has this table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// A request as the page shows one.
fn shown(request: &HttpRequest) -> String {
    let method = if request.method == Method::Get { "GET" } else { "POST" };
    let path = request.url.strip_prefix("https://shop.example").expect("it goes to the service");
    let mut lines = vec![format!("{method} {path}")];
    lines.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if !request.body.is_empty() {
        lines.push(String::new());
        lines.push(String::from_utf8(request.body.clone()).expect("JSON"));
    }
    lines.join("\n")
}

fn sent(step: Step) -> HttpRequest {
    match step {
        Step::Http(request) => request,
        Step::Answer(answer) => panic!("it sends nothing: {answer:?}"),
    }
}

fn answer(purpose: Purpose, status: u16, body: &str) -> Answer {
    let outcome = HttpOutcome::Answered { status, body: body.as_bytes().to_vec() };
    match gateway(SECRET).read(purpose, &ask(), outcome) {
        Step::Answer(answer) => answer,
        Step::Http(request) => panic!("nothing more is to be sent: {request:?}"),
    }
}

#[test]
fn requests_are_as_the_page_shows_them() {
    let gateway = gateway(SECRET);
    let page = blocks("http");
    assert_eq!(shown(&sent(gateway.refund(&ask()))), page[0]);
    assert_eq!(shown(&sent(gateway.lookup(&ask()))), page[1]);
    assert_eq!(shown(&gateway.list(november()).expect("a list")), page[5]);
    assert_eq!(page.len(), 6);
}

#[test]
fn answers_are_understood_as_the_page_says() {
    let page = blocks("json");
    let expected = [
        Answer::Done { reference: "rf_1".to_owned(), amount_minor: 1050, currency: "EUR".to_owned() },
        Answer::Pending { reference: "rf_1".to_owned() },
        Answer::Declined { code: "account_closed".to_owned(), message: "The account was closed".to_owned() },
    ];
    for (body, expected) in page.iter().zip(expected) {
        for purpose in [Purpose::Refund, Purpose::Lookup] {
            for status in [200, 201, 202] {
                assert_eq!(answer(purpose, status, body), expected);
            }
        }
    }
    assert_eq!(page.len(), 4);
    let gateway = gateway(SECRET);
    let asked = gateway.list(november()).expect("a list");
    let read = |body: &str| {
        let outcome = HttpOutcome::Answered { status: 200, body: body.as_bytes().to_vec() };
        gateway.read_list(november(), &asked, outcome).expect("a page")
    };
    let list = read(page[3]);
    let line = list.lines.first().expect("a line");
    assert_eq!((line.leg_id, line.standing, line.amount_minor), (Some(ask().leg_id), Standing::Paid, 1050));
    assert_eq!((line.payment_reference.as_str(), line.made_ms), ("pay_1", Some(NOW_MS - 2_000)));
    assert_eq!(list.next, None);
    let next = read(&page[3].replace("\"next\": null", "\"next\": \"7 8\"")).next.expect("another page");
    assert!(next.url.ends_with("&cursor=7%208"), "{}", next.url);
}

#[test]
fn every_status_means_what_the_page_says() {
    const STATUSES: [u16; 15] = [200, 201, 202, 204, 302, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503];
    let rows = rows("| Status | Body |");
    for status in STATUSES {
        let listed = rows.iter().find(|row| row[0].contains(&status.to_string()));
        let row = listed.unwrap_or_else(|| rows.last().expect("a row for anything else"));
        let body = if row[1].starts_with('`') { code(row[1]) } else { blocks("json")[0] };
        for purpose in [Purpose::Refund, Purpose::Lookup] {
            let told = answer(purpose, status, body);
            let as_listed = match row[3] {
                "believes it" => matches!(told, Answer::Done { .. }),
                "sends it again" if purpose == Purpose::Lookup => told == Answer::NotFound,
                "tries again later" if purpose == Purpose::Refund => matches!(told, Answer::NotTaken { .. }),
                _ => matches!(told, Answer::Unknown { .. }),
            };
            assert!(as_listed, "{purpose:?} {status} {body}: {told:?}, but the page says {}", row[3]);
        }
    }
}

#[test]
fn deliveries_are_understood_as_the_page_says() {
    let refund = |leg_id, reference: &str, answer, amount_minor| About::Refund {
        leg_id,
        refund_reference: reference.to_owned(),
        payment_reference: "pay_1".to_owned(),
        payment_alias: String::new(),
        answer,
        amount_minor,
        currency: "EUR".to_owned(),
    };
    let failed = Answer::Declined { code: "account_closed".to_owned(), message: "The account was closed".to_owned() };
    let done = Answer::Done { reference: "rf_2".to_owned(), amount_minor: 500, currency: "EUR".to_owned() };
    let dispute = About::Dispute {
        dispute_reference: "dp_1".to_owned(),
        payment_reference: "pay_1".to_owned(),
        payment_alias: String::new(),
        stage: DisputeStage::Open,
        amount_minor: 1050,
        currency: "EUR".to_owned(),
    };
    let expected = [
        ("e-1", "refund.failed", refund(Some(ask().leg_id), "rf_1", failed, 1050)),
        ("e-2", "refund.succeeded", refund(None, "rf_2", done, 500)),
        ("e-3", "dispute.open", dispute),
    ];
    for (block, (event, kind, about)) in blocks("http")[2..5].iter().zip(expected) {
        let (head, body) = block.split_once("\n\n").expect("a body");
        let (_, header) = head.split_once("\nRefundry-Signature: ").expect("a signature");
        let header = header.lines().next().expect("a line");
        let happened_ms = Some(NOW_MS - 2_000);
        let notice = Notice { event: event.to_owned(), kind: kind.to_owned(), happened_ms, about };
        assert_eq!(heard(SECRET, header, body, NOW_MS), Ok(vec![notice.clone()]));
        let both = format!("{SECRET}-new-one,{SECRET}");
        assert_eq!(heard(&both, header, body, NOW_MS + 300_000), Ok(vec![notice]));
        assert!(heard(SECRET, header, body, NOW_MS + 301_000).is_err());
        assert!(heard(SECRET, header, body, NOW_MS - 301_000).is_err());
    }
}

fn heard(secret: &str, header: &str, body: &str, now_ms: i64) -> Result<Vec<Notice>, String> {
    let name = SIGNATURE_HEADER.to_lowercase();
    let headers = [(name.as_str(), Cow::Borrowed(header))];
    match gateway(secret).hear(&Delivery { headers: &headers, body: body.as_bytes(), now_ms }) {
        Heard::Notices(notices) => Ok(notices),
        Heard::Refused { reason } => Err(reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_test_vectors_are_right() {
    let rows = rows("| Secret | Seconds |");
    assert_eq!(rows.len(), 5);
    for row in rows {
        let [secret, seconds, content, header] = row.as_slice() else { panic!("four cells: {row:?}") };
        let seconds: i64 = seconds.parse().expect("whole seconds");
        for ms in [0, 999] {
            assert_eq!(signature(code(secret), seconds * 1000 + ms, code(content).as_bytes()), code(header));
        }
    }
}

#[test]
fn the_settings_are_all_there() {
    let settings = driver("http").expect("a driver").settings;
    let names: Vec<&str> = rows("| Setting | |").iter().map(|row| code(row[0])).collect();
    assert_eq!(names, settings.iter().map(|setting| setting.name).collect::<Vec<_>>());
}
