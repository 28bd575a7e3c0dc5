//! The provider's side of a reconciliation: the lines of files, or what it says when it is asked, page by page. Bounded
//! in either way.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use refundry_core::limits::{CALL_MS, STATEMENT_BYTES_MAX, STATEMENT_LINES_MAX};
use refundry_engine::clock::Clock;
use refundry_gateways::{
    self as driver, Gateway, HttpRequest, Method, StatementFault, StatementLine, Transport, TransportLimits,
};

use super::matching::{Span, Theirs};

/// Pages of one list: none of the providers gives fewer than ten refunds on one that is not the last.
const PAGES_MAX: usize = STATEMENT_LINES_MAX / 10;
/// A page of a hundred refunds with everything that a provider tells of each.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// How a file becomes lines.
pub(super) type ReadFile<'r> = dyn Fn(&[u8]) -> Result<Vec<StatementLine>, StatementFault> + 'r;

/// Reads files.
pub(super) fn from_files(read: &ReadFile<'_>, files: &[PathBuf]) -> anyhow::Result<Vec<Theirs>> {
    let mut all = Vec::new();
    for path in files {
        let named = || format!("cannot read {}", path.display());
        let bytes = bytes_of(path).with_context(named)?;
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let lines = read(&bytes).with_context(named)?;
        all.extend(lines.into_iter().map(|line| Theirs { place: format!("{file}:{}", line.line), line }));
        check_count(all.len())?;
    }
    Ok(all)
}

fn bytes_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(STATEMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let mib = STATEMENT_BYTES_MAX >> 20;
    ensure!(bytes.len() as u64 <= STATEMENT_BYTES_MAX, "it is over {mib} MiB: divide it by time");
    Ok(bytes)
}

/// Asks the provider for its refunds of a span; `seen` is told how many came with each page.
pub(super) fn by_asking(gateway: &dyn Gateway, span: Span, seen: &dyn Fn(u64)) -> anyhow::Result<Vec<Theirs>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start threads")?;
    let deadline = Duration::from_millis(CALL_MS.unsigned_abs());
    let limits = TransportLimits { deadline, body_bytes_max: PAGE_BYTES_MAX, ..TransportLimits::default() };
    runtime.block_on(follow(gateway, &Transport::new(limits), span, seen))
}

/// Follows the pages to the end: a list that breaks off says nothing of what is missing.
async fn follow(
    gateway: &dyn Gateway,
    transport: &Transport,
    span: Span,
    seen: &dyn Fn(u64),
) -> anyhow::Result<Vec<Theirs>> {
    // Each page is asked for at its own time.
    let span = || driver::Span { from_ms: span.from_ms, to_ms: span.to_ms, now_ms: Clock::System.now_ms() };
    let Some(mut request) = gateway.list(span()) else {
        bail!("the driver {} has no list to ask for: name files of the provider's instead", gateway.name());
    };
    let mut all = Vec::new();
    let mut before = BTreeSet::new();
    for number in 1..=PAGES_MAX {
        let outcome = transport.call(request.clone()).await;
        let page = gateway.read_list(span(), &request, outcome);
        let page = page.with_context(|| format!("the provider's list cannot be read, page {number}"))?;
        seen(page.lines.len() as u64);
        // A list that is read by places moves when a refund in it does. Then one comes twice, and another one never.
        let names: BTreeSet<&str> = page.lines.iter().map(|line| line.refund_reference.as_str()).collect();
        let again = names.iter().find(|name| !name.is_empty() && before.contains(**name));
        ensure!(again.is_none(), "the provider's list changed while it was read (page {number}): try again");
        before.extend(names.into_iter().map(str::to_owned));
        all.extend(page.lines.into_iter().map(|line| Theirs { place: String::new(), line }));
        check_count(all.len())?;
        match page.next {
            None => return Ok(all),
            Some(next) if leads_to(&next) == leads_to(&request) => {
                bail!("page {number} of the provider's list leads back to itself")
            }
            Some(next) => request = next,
        }
    }
    bail!("the provider's list has more than {PAGES_MAX} pages")
}

/// What a request asks for. Its headers may hold the time.
fn leads_to(request: &HttpRequest) -> (&Method, &str, &[u8]) {
    (&request.method, &request.url, &request.body)
}

fn check_count(count: usize) -> anyhow::Result<()> {
    ensure!(count <= STATEMENT_LINES_MAX, "more than {STATEMENT_LINES_MAX} refunds: compare shorter spans");
    Ok(())
}

#[cfg(test)]
mod tests {
    use refundry_gateways::{Answer, Ask, Capabilities, HttpOutcome, Manual, Page, Purpose, Standing, Step};

    use super::*;

    /// A provider whose pages lead where this says: the next page's number, or an end; anything else is unreadable. Its
    /// addresses are none that could be called.
    struct Pages(&'static [&'static str]);

    impl Pages {
        fn request(page: &str) -> HttpRequest {
            HttpRequest { method: Method::Get, url: page.to_owned(), headers: Vec::new(), body: Vec::new() }
        }
    }

    impl Gateway for Pages {
        fn name(&self) -> &'static str {
            "pages"
        }

        fn capabilities(&self) -> Capabilities {
            Manual.capabilities()
        }

        fn refund(&self, _: &Ask) -> Step {
            Answer::unknown("never asked").into()
        }

        fn lookup(&self, _: &Ask) -> Step {
            Answer::unknown("never asked").into()
        }

        fn read(&self, _: Purpose, _: &Ask, _: HttpOutcome) -> Step {
            Answer::unknown("never asked").into()
        }

        fn list(&self, _: driver::Span) -> Option<HttpRequest> {
            (!self.0.is_empty()).then(|| Self::request("0"))
        }

        fn read_list(&self, _: driver::Span, asked: &HttpRequest, _: HttpOutcome) -> Result<Page, StatementFault> {
            let number: usize = asked.url.parse().unwrap();
            let line = StatementLine {
                line: 0,
                refund_reference: format!("re_{number}"),
                leg_id: None,
                payment_reference: String::new(),
                standing: Standing::Paid,
                amount_minor: 1,
                currency: "USD".to_owned(),
                made_ms: None,
            };
            let next = match self.0[number] {
                "end" => None,
                "broken" => return Err(StatementFault::whole("status 500")),
                next => Some(Self::request(next)),
            };
            Ok(Page { lines: vec![line], next })
        }
    }

    #[test]
    fn pages_are_followed_to_the_end_or_nothing_is_compared() {
        let cases: [(&'static [&'static str], Result<usize, &str>); 6] = [
            (&["end"], Ok(1)),
            (&["1", "2", "end"], Ok(3)),
            (&["1", "broken"], Err("page 2")),
            (&["1", "1"], Err("page 2 of the provider's list leads back to itself")),
            (&["1", "2", "0"], Err("changed while it was read (page 4)")),
            (&[], Err("has no list")),
        ];
        for (pages, expected) in cases {
            let found = by_asking(&Pages(pages), Span { from_ms: 0, to_ms: 1 }, &|_| {});
            match (found.map(|lines| lines.len()).map_err(|error| format!("{error:#}")), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{pages:?}"),
                (Err(told), Err(word)) => assert!(told.contains(word), "{pages:?} {told}"),
                (found, _) => panic!("{pages:?} {found:?}"),
            }
        }
    }

    #[test]
    fn files_are_named_with_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.csv");
        std::fs::write(&path, "text").unwrap();
        let read = |file: &[u8]| match file {
            b"text" => Err(StatementFault { line: 7, reason: "it is no amount".to_owned() }),
            _ => Ok(Vec::new()),
        };
        let told = format!("{:#}", from_files(&read, std::slice::from_ref(&path)).unwrap_err());
        assert!(told.contains("some.csv: line 7: it is no amount"), "{told}");
        let told = format!("{:#}", from_files(&read, &[folder.path().join("none.csv")]).unwrap_err());
        assert!(told.contains("none.csv"), "{told}");
    }
}
