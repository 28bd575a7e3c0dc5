//! `refundry import`: orders from files, beside a running server.
//!
//! Orders of one file go to the writer window by window, so those of a window are committed together. Whatever cannot
//! be taken in goes to a file with the reason, and the rest goes in; running it again changes nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal as _, Read, Write as _};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use refundry_core::intake::Intake;
use refundry_core::limits::IMPORT_LINE_BYTES_MAX;
use refundry_core::order::Dialect;
use refundry_dialects::native::in_words;
use refundry_dialects::read_order;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::intake::How;
use refundry_engine::store::{LaneError, stores};
use serde_json::{Value, json};

use crate::cli::ImportArgs;
use crate::database::idle_engine;
use crate::serve::say;
use crate::tenants::store_called;

/// Orders that wait for the writer together.
const WINDOW: usize = 512;
/// Exit code when some orders were rejected.
const SOME_REJECTED: u8 = 3;

/// Imports all files.
pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let code = args.from.replace('-', "_");
    let Some(from) = Dialect::parse(&code) else {
        bail!("--from is native, shoplazza, shopline or digital-river, not {:?}", args.from);
    };
    check_rejects(args)?;
    let engine = idle_engine(&args.data)?;
    let store = match &args.store {
        Some(handle) => store_called(&engine, handle)?.id,
        None => only_store(&engine)?,
    };
    let mut import = Import {
        engine: &engine,
        store,
        from,
        window: Vec::with_capacity(WINDOW),
        under_way: None,
        summary: Summary::default(),
        rejects: Rejects { path: args.rejects.clone(), file: None },
        progress: progress(),
    };
    // What was read before a file broke still goes in, and is reported.
    let read = args.files.iter().try_for_each(|file| {
        let named = || format!("cannot import {}", file.display());
        import.file(file).with_context(named)
    });
    import.finish()?;
    import.progress.finish_and_clear();
    let Import { summary, mut rejects, .. } = import;
    rejects.close()?;
    report(&summary, &args.rejects, args.json)?;
    read?;
    Ok(if summary.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REJECTED) })
}

/// The rejects are written while the files are read, so they must not be one of them.
fn check_rejects(args: &ImportArgs) -> anyhow::Result<()> {
    let Ok(rejects) = args.rejects.canonicalize() else { return Ok(()) };
    let same = |file: &&PathBuf| file.canonicalize().is_ok_and(|file| file == rejects);
    match args.files.iter().find(same) {
        Some(file) => bail!("{} would be overwritten: name another file with --rejects", file.display()),
        None => Ok(()),
    }
}

#[derive(Default)]
struct Summary {
    created: u64,
    changed: u64,
    unchanged: u64,
    rejected: u64,
}

struct Import<'a> {
    engine: &'a Engine,
    store: i64,
    from: Dialect,
    window: Vec<Piece>,
    /// The window that the writer has.
    under_way: Option<Window>,
    summary: Summary,
    rejects: Rejects,
    progress: ProgressBar,
}

/// Orders that the writer has, and what became of those that it never got.
struct Window {
    pieces: Vec<Piece>,
    refused: BTreeMap<usize, String>,
    outcomes: Receiver<(usize, Result<Outcome, LaneError>)>,
}

/// One order of a file: where it stands, and what is there.
struct Piece {
    file: PathBuf,
    /// Line of an NDJSON file, or place in a list, from 1.
    place: usize,
    /// The document, or what could not be read as one.
    document: Result<Value, (String, String)>,
}

impl Import<'_> {
    /// A file whose first line is a whole JSON value, with more behind it, is NDJSON and is read line by line. Anything
    /// else is read as one document; if it is none, but some of its lines are, line by line again, so that each bad
    /// line gets its own reason.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut reader = open(path)?;
        let mut first = Vec::new();
        read_line(&mut reader, &mut first)?;
        if is_object(&first) && !at_end(&mut reader)? {
            return self.lines(path, &first, &mut reader);
        }
        let mut whole = first;
        reader.read_to_end(&mut whole)?;
        match serde_json::from_slice::<Value>(&whole) {
            Ok(document) => self.document(path, 1, true, document),
            Err(error) if whole.split(|byte| *byte == b'\n').any(is_object) || error.line() == 1 => {
                self.lines(path, &[], &mut BufReader::new(whole.as_slice()))
            }
            // One long document with a mistake: its lines are no orders.
            Err(_) if whole.trim_ascii().is_empty() => Ok(()),
            Err(error) => {
                let line = whole.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
                let document = Err((format!("not JSON: {error}"), text_of(line.unwrap_or_default())));
                self.piece(Piece { file: path.to_owned(), place: error.line(), document })
            }
        }
    }

    fn lines(&mut self, path: &Path, first: &[u8], reader: &mut dyn BufRead) -> anyhow::Result<()> {
        let mut line = first.to_vec();
        let mut place = 0;
        if line.is_empty() {
            read_line(reader, &mut line)?;
        }
        while !line.is_empty() {
            place += 1;
            let too_long = line.trim_ascii_end().len() > IMPORT_LINE_BYTES_MAX;
            let cut_off = line.len() > IMPORT_LINE_BYTES_MAX && !line.ends_with(b"\n");
            if cut_off {
                reader.skip_until(b'\n')?;
            }
            if too_long {
                let reason = format!("the line must not be longer than {IMPORT_LINE_BYTES_MAX} bytes");
                self.piece(Piece { file: path.to_owned(), place, document: Err((reason, beginning(&line))) })?;
            } else if !line.trim_ascii().is_empty() {
                match serde_json::from_slice(&line) {
                    Ok(document) => self.document(path, place, false, document)?,
                    Err(error) => {
                        let document = Err((format!("not JSON: {error}"), text_of(&line)));
                        self.piece(Piece { file: path.to_owned(), place, document })?;
                    }
                }
            }
            line.clear();
            read_line(reader, &mut line)?;
        }
        Ok(())
    }

    /// One order, a list of orders, or an object that holds such a list. Orders of a list that is a whole file are
    /// counted from `place`; those of a line all stand in that line.
    fn document(&mut self, path: &Path, place: usize, counted: bool, document: Value) -> anyhow::Result<()> {
        let listed = match document {
            Value::Array(orders) => orders,
            Value::Object(mut map) => match take_list(&mut map, "orders").or_else(|| take_list(&mut map, "data")) {
                Some(orders) => orders,
                None => vec![Value::Object(map)],
            },
            other => vec![other],
        };
        for (index, order) in listed.into_iter().enumerate() {
            let place = if counted { place + index } else { place };
            self.piece(Piece { file: path.to_owned(), place, document: Ok(order) })?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> anyhow::Result<()> {
        self.window.push(piece);
        if self.window.len() >= WINDOW { self.flush() } else { Ok(()) }
    }

    /// Hands the window to the writer, and waits for the one before: one is read while the other is written.
    fn flush(&mut self) -> anyhow::Result<()> {
        let next = self.send()?;
        self.under_way.replace(next).map_or(Ok(()), |before| self.settle(before))
    }

    /// Waits for everything.
    fn finish(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        self.under_way.take().map_or(Ok(()), |last| self.settle(last))
    }

    fn send(&mut self) -> anyhow::Result<Window> {
        let (sender, outcomes) = mpsc::channel();
        let pieces = std::mem::take(&mut self.window);
        let mut refused = BTreeMap::new();
        for (index, read) in self.read(&pieces).into_iter().enumerate() {
            let intake = match read {
                Ok(intake) => Box::new(intake),
                Err(reason) => {
                    refused.insert(index, reason);
                    continue;
                }
            };
            let sender = sender.clone();
            let reply = Box::new(move |outcome: Result<Outcome, LaneError>| {
                // The receiver waits for exactly these.
                let _ = sender.send((index, outcome));
            });
            let job = Job::PutOrder { store: self.store, intake };
            if self.engine.submit(job, reply).is_err() {
                bail!("the writer's queue is full");
            }
        }
        Ok(Window { pieces, refused, outcomes })
    }

    /// Reads the documents of a window, on as many threads as there are processors: it takes longer than writing them.
    fn read(&self, pieces: &[Piece]) -> Vec<Result<Intake, String>> {
        let now_ms = self.engine.clock().now_ms();
        let from = self.from;
        let read = move |piece: &Piece| match &piece.document {
            Ok(document) => read_order(from, document, now_ms).map_err(|fault| in_words(&fault)),
            Err((reason, _)) => Err(reason.clone()),
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let mut shares = pieces.chunks(pieces.len().div_ceil(threads).max(1));
        thread::scope(|scope| {
            let own = shares.next().unwrap_or_default();
            let others: Vec<_> =
                shares.map(|share| scope.spawn(move || share.iter().map(read).collect::<Vec<_>>())).collect();
            let mut all: Vec<_> = own.iter().map(read).collect();
            for other in others {
                all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            all
        })
    }

    fn settle(&mut self, Window { pieces, mut refused, outcomes }: Window) -> anyhow::Result<()> {
        for (index, outcome) in outcomes {
            match outcome.context("the database refused")? {
                Outcome::Put(Ok(taken)) => self.count(taken.how),
                Outcome::Put(Err(fault)) => {
                    refused.insert(index, in_words(&fault));
                }
                _ => bail!("the writer answered something else than was asked"),
            }
        }
        // In the order of the file, whoever refused them.
        for (index, reason) in refused {
            if let Some(piece) = pieces.get(index) {
                self.reject(piece, &reason)?;
            }
        }
        self.progress.inc(pieces.len() as u64);
        Ok(())
    }

    fn count(&mut self, how: How) {
        match how {
            How::Created => self.summary.created += 1,
            How::Changed => self.summary.changed += 1,
            How::Unchanged => self.summary.unchanged += 1,
        }
    }

    fn reject(&mut self, piece: &Piece, reason: &str) -> anyhow::Result<()> {
        self.summary.rejected += 1;
        let order = match &piece.document {
            Ok(document) => document.clone(),
            Err((_, text)) => Value::String(text.clone()),
        };
        let line =
            json!({"file": piece.file.display().to_string(), "line": piece.place, "reason": reason, "order": order});
        self.rejects.write(&line)
    }
}

/// The file of rejected orders; it is only made when there is one.
struct Rejects {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    fn write(&mut self, line: &Value) -> anyhow::Result<()> {
        let shown = self.path.display().to_string();
        if self.file.is_none() {
            let made = File::create(&self.path).with_context(|| format!("cannot write {shown}"))?;
            self.file = Some(BufWriter::new(made));
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        writeln!(file, "{line}").with_context(|| format!("cannot write {shown}"))
    }

    fn close(&mut self) -> anyhow::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().with_context(|| format!("cannot write {}", self.path.display())),
            None => Ok(()),
        }
    }
}

fn only_store(engine: &Engine) -> anyhow::Result<i64> {
    let all = engine.store().read(stores::list)?;
    match all.as_slice() {
        [only] => Ok(only.id),
        [] => bail!("there is no store yet; `refundry store add HANDLE` makes one"),
        _ => bail!("there are several stores; name one with --store"),
    }
}

/// Opens a file, or standard input for `-`, and unpacks gzip by its first two bytes.
fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> =
        if path == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(File::open(path)?) };
    let mut raw = BufReader::with_capacity(1 << 16, raw);
    let packed = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut plain: Box<dyn BufRead> =
        if packed { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw))) } else { Box::new(raw) };
    // Spreadsheets and editors on Windows begin a text with a byte order mark.
    if plain.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        plain.consume(3);
    }
    Ok(plain)
}

/// Reads a line with its end, or as much of one that is too long as shows that it is: the end may be two bytes.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> anyhow::Result<()> {
    reader.take(IMPORT_LINE_BYTES_MAX as u64 + 3).read_until(b'\n', line)?;
    Ok(())
}

fn at_end(reader: &mut dyn BufRead) -> anyhow::Result<bool> {
    Ok(reader.fill_buf()?.is_empty())
}

/// The list under a key; anything else there stays.
fn take_list(map: &mut serde_json::Map<String, Value>, key: &str) -> Option<Vec<Value>> {
    let list = map.get_mut(key)?.as_array_mut().map(std::mem::take)?;
    map.remove(key);
    Some(list)
}

fn is_object(line: &[u8]) -> bool {
    serde_json::from_slice::<Value>(line).is_ok_and(|value| value.is_object())
}

fn text_of(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

/// As much of a line that is too long as shows which it is.
fn beginning(line: &[u8]) -> String {
    const SHOWN_BYTES: usize = 200;
    format!("{}…", text_of(line.get(..SHOWN_BYTES).unwrap_or(line)))
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} orders, {per_sec}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn report(summary: &Summary, rejects: &Path, as_json: bool) -> anyhow::Result<()> {
    let Summary { created, changed, unchanged, rejected } = summary;
    if as_json {
        let line = json!({"created": created, "changed": changed, "unchanged": unchanged, "rejected": rejected});
        return say(&line.to_string());
    }
    say(&format!("{created} created, {changed} changed, {unchanged} unchanged, {rejected} rejected"))?;
    if *rejected > 0 {
        say(&format!("rejected orders and their reasons: {}", rejects.display()))?;
    }
    Ok(())
}
