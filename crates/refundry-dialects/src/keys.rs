//! A list of every key that a platform documents, read and asked: what a call takes and how it is answered, in each
//! version.
//!
//! The list is a file beside the dialect, whose head says how it is read. Answers are checked against it, and the
//! platform's OpenAPI documents are made of it, so that there is one place where a key stands.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use serde_json::Value;

/// The versions of an API, in the groups that its list names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Versions {
    /// A name that is no version, and the versions of that group, which no other group has. All of them, one group
    /// after the other, go from the oldest to the newest. The empty one is a path without a version.
    pub groups: &'static [(&'static str, &'static [&'static str])],
}

impl Versions {
    /// All of them, oldest first.
    pub fn all(self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().flat_map(|(_, versions)| versions.iter().copied())
    }

    /// Reads what a list, or a row of a table, writes as a group, a version, `2026-01+` (it and all later ones) or
    /// `2026-01-` (it and all earlier ones), joined by commas; `None` for anything else.
    pub fn read(self, text: &str) -> Option<BTreeSet<&'static str>> {
        let mut versions = BTreeSet::new();
        let position = |wanted: &str| self.all().position(|version| version == wanted && !version.is_empty());
        for word in text.split(',') {
            if let Some((_, group)) = self.groups.iter().find(|(name, _)| *name == word) {
                versions.extend(group.iter().copied());
            } else if let Some(first) = word.strip_suffix('+') {
                versions.extend(self.all().skip(position(first)?));
            } else if let Some(last) = word.strip_suffix('-') {
                versions.extend(self.all().take(position(last)? + 1));
            } else {
                versions.extend(self.all().nth(position(word)?));
            }
        }
        Some(versions)
    }

    /// The newest of a group.
    fn newest_of(self, group: &str) -> Option<&'static str> {
        self.groups.iter().find(|(name, _)| *name == group)?.1.last().copied()
    }
}

/// What a block is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is sent: the query of GET, HEAD and DELETE, the body of all others.
    Request,
    /// The body of a success.
    Answer,
    /// The body of a refusal.
    Refusal,
    /// The body of a webhook.
    Delivery,
    /// An object that stands in several places.
    Object,
    /// What a text may be.
    Words,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "request" => Self::Request,
            "answer" => Self::Answer,
            "refusal" => Self::Refusal,
            "delivery" => Self::Delivery,
            "object" => Self::Object,
            "words" => Self::Words,
            _ => return None,
        })
    }
}

/// A block.
#[derive(Debug)]
struct Block {
    /// `GET /orders/{id}`, a topic, or `@name`.
    title: String,
    versions: BTreeSet<&'static str>,
    kind: Kind,
    lines: Vec<Line>,
    words: BTreeSet<String>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    path: String,
    shape: String,
    optional: bool,
    nullable: bool,
    versions: BTreeSet<&'static str>,
}

/// All keys of a dialect.
#[derive(Debug, Default)]
pub struct List {
    versions: Versions,
    blocks: Vec<Block>,
}

/// What a value has to be.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The type as the list writes it: `string money`, `array`, `object free`, `@order`.
    pub shape: String,
    /// May be left out, or be missing.
    pub optional: bool,
    /// May be `null`.
    pub nullable: bool,
    /// All that a text may be.
    pub words: Option<BTreeSet<String>>,
    /// What stands below an object.
    pub keys: BTreeMap<String, Tree>,
    /// Of an array, or of an object with keys of the merchant's own.
    pub entry: Option<Box<Tree>>,
    /// The block this is, key by key, without its `@`; `None` where anything was added.
    pub name: Option<String>,
}

impl List {
    /// Reads a list of an API with these versions; a fault names its line.
    pub fn read(versions: Versions, text: &str) -> Result<Self, String> {
        let mut blocks: Vec<Block> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let fault = |what: &str| format!("line {number}: {what}: {line}");
            match (line.strip_prefix("# "), blocks.last_mut()) {
                _ if line.trim().is_empty() || line.starts_with("//") => {}
                (Some(title), _) => blocks.push(block(versions, title).ok_or_else(|| fault("no title of a block"))?),
                (None, None) => return Err(fault("a key above the first block")),
                (None, Some(block)) if block.kind == Kind::Words => {
                    block.words.extend(line.split_whitespace().map(str::to_owned));
                }
                (None, Some(block)) => {
                    let key = key(versions, number, line, &block.versions).map_err(|what| fault(&what))?;
                    let twin = |known: &Line| known.path == key.path && !known.versions.is_disjoint(&key.versions);
                    if block.lines.iter().any(twin) {
                        return Err(fault("a second time"));
                    }
                    block.lines.push(key);
                }
            }
        }
        let list = Self { versions, blocks };
        for block in list.blocks.iter().filter(|block| block.kind != Kind::Words) {
            for version in &block.versions {
                list.grow(block, version)?;
            }
        }
        Ok(list)
    }

    /// What a call takes, is answered, or is refused with, in a version; `None` where it is not listed.
    pub fn tree(&self, method: &str, path: &str, version: &str, kind: Kind) -> Option<Tree> {
        self.trees(method, path, version, kind).into_iter().next()
    }

    /// As [`Self::tree`], with what is listed for all calls behind what is listed for this one: a refusal may be
    /// either.
    pub fn trees(&self, method: &str, path: &str, version: &str, kind: Kind) -> Vec<Tree> {
        let fits = |title: &str| {
            let (known, pattern) = title.split_once(' ').unwrap_or((title, ""));
            title == "* *" || (known == method && is_of(pattern, path))
        };
        let of = |block: &&Block| block.kind == kind && block.versions.contains(version) && fits(&block.title);
        let mut blocks: Vec<&Block> = self.blocks.iter().filter(of).collect();
        // A block of its own before one of all calls, and a literal before a variable, which then hides the others.
        blocks.sort_by_key(|block| (block.title == "* *", block.title.matches('{').count()));
        let hidden = |(index, block): &(usize, &&Block)| *index > 0 && block.title != "* *";
        let blocks = blocks.iter().enumerate().filter(|block| !hidden(block));
        blocks.filter_map(|(_, block)| self.grow(block, version).ok()).collect()
    }

    /// Tells what of an answer is not as it is listed. `version` is one of the list's own, `path` what
    /// stands below it, without a query.
    pub fn check(&self, version: &str, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let kind = if (200..300).contains(&status) { Kind::Answer } else { Kind::Refusal };
        let trees = self.trees(method, path, version, kind);
        if trees.is_empty() && kind == Kind::Answer {
            return vec![format!("{method} {path} of `{version}` is not listed")];
        }
        let told = trees.iter().map(|tree| {
            let mut faults = Vec::new();
            tree.check(body, "", &mut |fault| faults.push(fault));
            faults
        });
        // The one that it is nearest to.
        told.min_by_key(Vec::len).unwrap_or_default()
    }

    /// The calls that are answered: method, path, and the versions in which.
    pub fn calls(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<&'static str>)> {
        let answers = self.blocks.iter().filter(|block| block.kind == Kind::Answer);
        answers.filter_map(|block| block.title.split_once(' ').map(|(method, path)| (method, path, &block.versions)))
    }

    fn named(&self, name: &str, version: &str) -> Option<(&Block, &'static str)> {
        let (name, version) = match name.split_once(':') {
            Some((name, group)) => (name, self.versions.newest_of(group)?),
            None => (name, self.versions.all().find(|known| *known == version)?),
        };
        let block = self.blocks.iter().find(|block| block.title == name && block.versions.contains(version))?;
        Some((block, version))
    }

    fn grow(&self, block: &Block, version: &str) -> Result<Tree, String> {
        let mut root = Tree { shape: "object".to_owned(), ..Tree::default() };
        for line in block.lines.iter().filter(|line| line.versions.contains(version)) {
            let fault = |what: String| format!("line {}: {}: {what}", line.number, line.path);
            let mut tree = self.shaped(&line.shape, version).map_err(fault)?;
            if line.path == "..." {
                root = tree;
                continue;
            }
            tree.optional = line.optional;
            tree.nullable = line.nullable;
            root.put(&line.path, tree).ok_or_else(|| fault("nothing above it".to_owned()))?;
        }
        Ok(root)
    }

    fn shaped(&self, shape: &str, version: &str) -> Result<Tree, String> {
        let plain = Tree { shape: shape.to_owned(), ..Tree::default() };
        let Some(name) = shape.strip_prefix("string ").unwrap_or(shape).strip_prefix('@') else { return Ok(plain) };
        let missing = || format!("there is no @{name} in `{version}`");
        let (block, version) = self.named(&format!("@{name}"), version).ok_or_else(missing)?;
        let name = Some(name.to_owned());
        if block.kind == Kind::Words {
            return Ok(Tree { words: Some(block.words.clone()), name, ..plain });
        }
        Ok(Tree { name, ..self.grow(block, version)? })
    }
}

/// Whether a path is of a pattern: `{…}` stands for any one segment, or for what stands before the rest of it.
pub fn is_of(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let fits = |(known, given): (&&str, &&str)| match known.strip_prefix('{').and_then(|known| known.split_once('}')) {
        Some((_, rest)) => given.ends_with(rest),
        None => known == given,
    };
    pattern.len() == path.len() && pattern.iter().zip(&path).all(fits)
}

fn block(all: Versions, title: &str) -> Option<Block> {
    let mut parts = title.split(" · ").map(str::trim);
    let (title, versions, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let (versions, kind) = (all.read(versions)?, Kind::parse(kind)?);
    let title = title.to_owned();
    parts.next().is_none().then(|| Block { title, versions, kind, lines: Vec::new(), words: BTreeSet::new() })
}

/// The shapes of a text, after the word `string`.
const TEXTS: [&str; 13] = [
    "",
    "money",
    "money-4",
    "rate",
    "time",
    "time-empty",
    "time-plain",
    "time-offset",
    "time-offset-empty",
    "time-millis",
    "digits",
    "minor",
    "json",
];

fn key(known: Versions, number: usize, line: &str, all: &BTreeSet<&'static str>) -> Result<Line, String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    if words.len() < 2 {
        return Err("a key has a path and a type".to_owned());
    }
    let path = words.remove(0).to_owned();
    let mut versions = all.clone();
    if let Some(only) = words.last().and_then(|word| known.read(word)) {
        versions = only;
        words.pop();
    }
    let optional = words.last() == Some(&"optional");
    words.truncate(words.len() - usize::from(optional));
    let shape = words.join(" ");
    let nullable = shape.ends_with('?');
    let shape = shape.trim_end_matches('?').to_owned();
    let is_known = match shape.split_once(' ').unwrap_or((&shape, "")) {
        ("string", text) => TEXTS.contains(&text) || text.starts_with('@'),
        ("integer" | "number" | "boolean" | "array" | "object", "")
        | ("integer", "minor")
        | ("number", "money")
        | ("object", "free") => true,
        (name, "") => name.starts_with('@'),
        _ => false,
    };
    if !is_known {
        return Err(format!("`{shape}` is no type"));
    }
    Ok(Line { number, path, shape, optional, nullable, versions })
}

impl Tree {
    /// Puts what belongs at a path there; `None` where nothing is above it.
    fn put(&mut self, path: &str, tree: Tree) -> Option<()> {
        // It is no longer what its name says.
        self.name = None;
        let end = path.find(['.', '[', '{']).unwrap_or(path.len());
        let (key, rest) = path.split_at(end);
        if key.is_empty() {
            let rest = rest.strip_prefix("[]").or_else(|| rest.strip_prefix("{}"))?;
            return match rest.strip_prefix('.') {
                None if rest.is_empty() => {
                    self.entry = Some(Box::new(tree));
                    Some(())
                }
                None => self.entry.as_mut()?.put(rest, tree),
                Some(rest) => self.entry.as_mut()?.put(rest, tree),
            };
        }
        if rest.is_empty() {
            self.keys.insert(key.to_owned(), tree);
            return Some(());
        }
        self.keys.get_mut(key)?.put(rest.strip_prefix('.').unwrap_or(rest), tree)
    }

    /// Tells what of a value is not as it should be.
    pub fn check(&self, value: &Value, path: &str, tell: &mut dyn FnMut(String)) {
        if value.is_null() && self.nullable {
            return;
        }
        if !self.is_shaped(value) {
            let path = if path.is_empty() { "the whole" } else { path };
            tell(format!("{path} should be {}, not {value}", self.shape));
            return;
        }
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Array(entries) => {
                for (entry, tree) in entries.iter().zip(iter::repeat(&self.entry)) {
                    if let Some(tree) = tree {
                        tree.check(entry, &format!("{path}[]"), tell);
                    }
                }
            }
            Value::Object(keys) => {
                for (key, _) in self.keys.iter().filter(|(key, tree)| !tree.optional && !keys.contains_key(*key)) {
                    tell(format!("{} is missing", below(key)));
                }
                for (key, value) in keys {
                    match (self.keys.get(key), &self.entry) {
                        (Some(tree), _) => tree.check(value, &below(key), tell),
                        (None, Some(entry)) => entry.check(value, &format!("{path}{{}}"), tell),
                        (None, None) if self.shape == "object free" => {}
                        (None, None) => tell(format!("{} is not listed", below(key))),
                    }
                }
            }
            _ => {}
        }
    }

    fn is_shaped(&self, value: &Value) -> bool {
        match (self.shape.split_once(' ').unwrap_or((&self.shape, "")), value) {
            (("string", how), Value::String(text)) => match &self.words {
                Some(words) => words.contains(text),
                None => is_text(how, text),
            },
            (("integer", _), Value::Number(number)) => number.is_i64() || number.is_u64(),
            (("number", "money"), Value::Number(number)) => is_text("money-number", &number.to_string()),
            (("number", _), Value::Number(_))
            | (("boolean", _), Value::Bool(_))
            | (("array", _), Value::Array(_))
            | (("object", _), Value::Object(_)) => true,
            _ => false,
        }
    }
}

/// Whether a text is written so.
fn is_text(how: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let decimal = |decimals: std::ops::RangeInclusive<usize>| {
        let (whole, fraction) = text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or((text, ""));
        digits(whole) && decimals.contains(&fraction.len()) && (fraction.is_empty() || digits(fraction))
    };
    let like = |pattern: &str| {
        let same = |(known, given): (u8, u8)| if known == b'0' { given.is_ascii_digit() } else { known == given };
        pattern.len() == text.len() && pattern.bytes().zip(text.bytes()).all(same)
    };
    let is_offset = || like("0000-00-00T00:00:00+00:00") || like("0000-00-00T00:00:00-00:00");
    match how {
        "money" => decimal(2..=4),
        // Without trailing zeros, if the writer leaves them out.
        "money-number" => decimal(0..=4),
        "money-4" => decimal(4..=4),
        "rate" => decimal(0..=20),
        "time" => like("0000-00-00T00:00:00Z"),
        "time-empty" => text.is_empty() || like("0000-00-00T00:00:00Z"),
        "time-plain" => like("0000-00-00 00:00:00"),
        "time-offset" => is_offset(),
        "time-offset-empty" => text.is_empty() || is_offset(),
        "time-millis" | "digits" => digits(text),
        "minor" => digits(text.strip_prefix('-').unwrap_or(text)),
        "json" => serde_json::from_str::<Value>(text).is_ok(),
        _ => true,
    }
}
