//! `refundry import`: orders from files, beside a running server.
//!
//! Orders of one file go to the writer window by window, so those of a window are committed together. Whatever cannot
//! be taken in goes to a file with the reason, and the rest goes in; running it again changes nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use refundry_core::intake::IntakeFault;
use refundry_core::limits::IMPORT_LINE_BYTES_MAX;
use refundry_core::order::Dialect;
use refundry_dialects::read_order;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::intake::How;
use refundry_engine::store::{LaneError, stores};
use serde_json::{Value, json};

use crate::cli::ImportArgs;
use crate::serve::{idle_engine, say};
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
        summary: Summary::default(),
        rejects: Rejects { path: args.rejects.clone(), file: None },
        progress: progress(),
    };
    for file in &args.files {
        import.file(file).with_context(|| format!("cannot import {}", file.display()))?;
    }
    import.flush()?;
    import.progress.finish_and_clear();
    let Import { summary, mut rejects, .. } = import;
    rejects.close()?;
    report(&summary, &args.rejects, args.json)?;
    Ok(if summary.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REJECTED) })
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
    summary: Summary,
    rejects: Rejects,
    progress: ProgressBar,
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
    /// else is read as one document; if it is none, line by line again, so that each bad line gets its own reason.
    fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut reader = open(path)?;
        let mut first = Vec::new();
        read_line(&mut reader, &mut first)?;
        let is_line = serde_json::from_slice::<Value>(&first).is_ok_and(|value| value.is_object());
        if is_line && !at_end(&mut reader)? {
            return self.lines(path, &first, &mut reader);
        }
        let mut whole = first;
        reader.read_to_end(&mut whole)?;
        match serde_json::from_slice::<Value>(&whole) {
            Ok(document) => self.document(path, document),
            Err(_) => self.lines(path, &[], &mut BufReader::new(whole.as_slice())),
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
            if !line.trim_ascii().is_empty() {
                let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end().to_owned();
                let document = if line.len() > IMPORT_LINE_BYTES_MAX {
                    reader.skip_until(b'\n')?;
                    Err((format!("the line is longer than {IMPORT_LINE_BYTES_MAX} bytes"), String::new()))
                } else {
                    serde_json::from_slice(&line).map_err(|error| (format!("not JSON: {error}"), text(&line)))
                };
                self.piece(Piece { file: path.to_owned(), place, document })?;
            }
            line.clear();
            read_line(reader, &mut line)?;
        }
        Ok(())
    }

    /// One order, a list of orders, or an object that holds such a list.
    fn document(&mut self, path: &Path, document: Value) -> anyhow::Result<()> {
        let listed = match document {
            Value::Array(orders) => orders,
            Value::Object(mut map) => match map.remove("orders").or_else(|| take_list(&mut map, "data")) {
                Some(Value::Array(orders)) => orders,
                Some(other) => vec![other],
                None => vec![Value::Object(map)],
            },
            other => vec![other],
        };
        for (index, order) in listed.into_iter().enumerate() {
            self.piece(Piece { file: path.to_owned(), place: index + 1, document: Ok(order) })?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> anyhow::Result<()> {
        self.window.push(piece);
        if self.window.len() >= WINDOW { self.flush() } else { Ok(()) }
    }

    /// Hands the window to the writer and waits for all of it.
    fn flush(&mut self) -> anyhow::Result<()> {
        let (sender, receiver) = mpsc::channel();
        let pieces = std::mem::take(&mut self.window);
        for (index, piece) in pieces.iter().enumerate() {
            let read = match &piece.document {
                Ok(document) => read_order(self.from, document, self.engine.clock().now_ms()).map_err(|f| describe(&f)),
                Err((reason, _)) => Err(reason.clone()),
            };
            let intake = match read {
                Ok(intake) => Box::new(intake),
                Err(reason) => {
                    self.reject(piece, &reason)?;
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
        drop(sender);
        for (index, outcome) in receiver {
            match outcome.context("the database refused")? {
                Outcome::Put(Ok(taken)) => self.count(taken.how),
                Outcome::Put(Err(fault)) => {
                    if let Some(piece) = pieces.get(index) {
                        self.reject(piece, &describe(&fault))?;
                    }
                }
                _ => bail!("the writer answered something else than was asked"),
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
    Ok(if packed { Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw))) } else { Box::new(raw) })
}

/// Reads a line with its end, or as much of one that is too long as shows that it is.
fn read_line(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> anyhow::Result<()> {
    reader.take(IMPORT_LINE_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    Ok(())
}

fn at_end(reader: &mut dyn BufRead) -> anyhow::Result<bool> {
    Ok(reader.fill_buf()?.is_empty())
}

fn take_list(map: &mut serde_json::Map<String, Value>, key: &str) -> Option<Value> {
    if map.get(key).is_some_and(Value::is_array) { map.remove(key) } else { None }
}

/// A fault in words: what is wrong, and where.
pub(crate) fn describe(fault: &IntakeFault) -> String {
    match fault {
        IntakeFault::Unreadable { field, reason } if field.is_empty() => reason.clone(),
        IntakeFault::Unreadable { field, reason } => format!("{field}: {reason}"),
        IntakeFault::Contradictory { field, reason } => format!("{field} contradicts the rest: {reason}"),
        IntakeFault::Fault(fault) => format!("the order breaks a limit: {fault:?}"),
        IntakeFault::Clash { order } => {
            format!("its id belongs to order {order}, which came from another platform")
        }
        IntakeFault::ChangesRefunded { what } => format!("{what} was refunded already and cannot be changed"),
    }
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
