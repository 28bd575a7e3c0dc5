//! The provider's side of a reconciliation: the lines of files, or what it says when it is asked, page by page. Bounded
//! in either way.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use refundry_core::limits::{CALL_MS, STATEMENT_BYTES_MAX, STATEMENT_LINES_MAX};
use refundry_engine::clock::Clock;
use refundry_gateways::{self as driver, Gateway, StatementFault, StatementLine, Transport, TransportLimits};

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
    for number in 1..=PAGES_MAX {
        let outcome = transport.call(request.clone()).await;
        let page = gateway.read_list(span(), &request, outcome);
        let page = page.with_context(|| format!("the provider's list cannot be read, page {number}"))?;
        seen(page.lines.len() as u64);
        all.extend(page.lines.into_iter().map(|line| Theirs { place: String::new(), line }));
        check_count(all.len())?;
        match page.next {
            None => return Ok(all),
            Some(next) if next == request => bail!("page {number} of the provider's list leads back to itself"),
            Some(next) => request = next,
        }
    }
    bail!("the provider's list has more than {PAGES_MAX} pages")
}

fn check_count(count: usize) -> anyhow::Result<()> {
    ensure!(count <= STATEMENT_LINES_MAX, "more than {STATEMENT_LINES_MAX} refunds: compare shorter spans");
    Ok(())
}
