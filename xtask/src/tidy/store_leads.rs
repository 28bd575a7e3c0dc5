//! The rule that everything is kept by store: the store's number leads every primary key, unique constraint, index and
//! statement, so that the tables can be spread over many machines by it, and one tenant never sees another's rows.
//!
//! Reads the migrations and every literal of the store crate that holds SQL. Understands the SQL we write and reports
//! what it does not understand; never guesses in a statement's favour. What is left out is listed below, each with its
//! reason.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::sql::{Token, after, inside, split, starts, tokens};
use crate::rust_text::RustText;

/// What the rule does not hold for.
pub(super) struct Exceptions {
    /// Tables of no store, with the reason.
    tables: &'static [(&'static str, &'static str)],
    /// Indexes and constraints.
    keys: &'static [(&'static str, &'static str)],
    /// Statements: file, how the statement begins, reason.
    statements: &'static [(&'static str, &'static str, &'static str)],
}

const MOD: &str = "crates/refundry-store/src/audit/mod.rs";
const STRAYS: &str = "crates/refundry-store/src/audit/strays.rs";
const STOCK: &str = "crates/refundry-store/src/audit/stock.rs";
const RETURNS: &str = "crates/refundry-store/src/audit/returns.rs";
const TOKENS: &str = "crates/refundry-store/src/tokens.rs";
const MANY: &str = "crates/refundry-store/src/postgres/sets.rs";
const LISTS: &str = "crates/refundry-store/src/refunds/list.rs";
const PIECES: &str = "a list is put together from pieces, each of which names the store";
const WALK: &str = "the audit walks every store in the order of the primary key, which the store leads";

pub(super) const EXCEPTIONS: Exceptions = Exceptions {
    tables: &[
        ("stores", "the stores themselves: a small table, whole on every machine"),
        ("nodes", "numbers of processes, which serve all stores"),
        ("schema_migrations", "the state of the database, not of a store"),
    ],
    keys: &[("tokens_hash", "a caller shows a token before anybody knows its store")],
    statements: &[
        (TOKENS, "SELECT t.store, t.hash", "a caller shows a token before anybody knows its store"),
        (MOD, "SELECT store, id FROM orders", WALK),
        (STRAYS, "SELECT store, {first}", WALK),
        (STRAYS, "SELECT 1 FROM orders o", "a part of the statement above, which has the table `t`"),
        (STRAYS, "SELECT k.store, k.key", WALK),
        (STRAYS, "SELECT t.store, t.leg_id", WALK),
        (STRAYS, "SELECT t.store, t.sku", WALK),
        (STOCK, "SELECT t.store, t.variant_id", WALK),
        (STOCK, "SELECT m.store, m.variant_id", WALK),
        (RETURNS, "SELECT DISTINCT store, order_id", WALK),
        (STOCK, "SELECT m.store, m.refund_id", "the same in the order of an index, which the store leads"),
        (STOCK, "SELECT m.store, m.order_id", "the same in the order of an index, which the store leads"),
        (LISTS, "SELECT r.id, r.order_id", PIECES),
        (LISTS, "SELECT * FROM (SELECT r.id", PIECES),
        (LISTS, "FROM (SELECT a.id FROM refund_blocks", PIECES),
        (MANY, "SELECT q.*, p.n FROM", "a frame around a statement that is checked where it stands"),
    ],
};

/// Ids and times come from the program: a sequence is one counter for all machines, and the database's clock is not
/// the one that a run can be repeated with.
const BANNED: &[&str] = &[
    "sequence",
    "serial",
    "bigserial",
    "smallserial",
    "identity",
    "autoincrement",
    "nextval",
    "now",
    "current_timestamp",
    "current_time",
    "current_date",
    "clock_timestamp",
    "localtimestamp",
    "strftime",
    "datetime",
    "unixepoch",
];

/// Checks all SQL: migrations in their order, then the literals of Rust files. Each is a path and a text.
pub(super) fn check(
    migrations: &[(String, String)],
    rust: &[(String, String)],
    exceptions: &Exceptions,
) -> Vec<Finding> {
    let mut check = Check { exceptions, findings: Vec::new(), schema: Schema::default(), used: BTreeSet::new() };
    for (path, text) in migrations {
        let all = tokens(text, 1);
        check.banned(path, &all);
        for statement in split(&all, |token| token.is(";")) {
            check.migrate(path, statement);
        }
    }
    let literals: Vec<(&str, Vec<Token>)> = rust.iter().flat_map(|(path, text)| sql_literals(path, text)).collect();
    // First all tables, then who uses them.
    for (path, literal) in literals.iter().filter(|(_, literal)| starts(literal, &["create"])) {
        check.migrate(path, literal);
    }
    check.keys();
    for (path, literal) in &literals {
        check.banned(path, literal);
        if starts(literal, &["or"]) {
            check.say(path, literal[0].line, "a condition that is added must not open a way around the store");
        }
        if !starts(literal, &["create"]) {
            check.statements(path, literal, &BTreeSet::new(), false);
        }
    }
    check.unused();
    check.findings
}

/// The literals that hold a statement or a part of one.
fn sql_literals<'p>(path: &'p str, text: &str) -> impl Iterator<Item = (&'p str, Vec<Token>)> {
    let literals = RustText::new(text).string_literals();
    literals
        .into_iter()
        .map(|(line, literal)| tokens(&literal, line))
        .filter(|tokens| is_sql(tokens))
        .map(move |t| (path, t))
}

/// A key word in capitals and something to go with it: text that only looks for key words is no SQL.
fn is_sql(tokens: &[Token]) -> bool {
    let has_name = tokens.iter().any(|token| !token.capitals && token.is_name());
    let is_verb = |at: usize| is_verb(tokens, at) && tokens[at].capitals;
    let is_added = starts(tokens, &["or"]) && tokens[0].capitals;
    let is_table = starts(tokens, &["create", "table"]) && tokens[0].capitals;
    has_name && ((0..tokens.len()).any(is_verb) || is_added || is_table)
}

/// Whether a statement begins here.
fn is_verb(tokens: &[Token], at: usize) -> bool {
    let follows = |word: &str| at > 0 && tokens[at - 1].is(word);
    match tokens[at].text.as_str() {
        "select" => true,
        "insert" => starts(&tokens[at + 1..], &["into"]),
        "delete" => starts(&tokens[at + 1..], &["from"]),
        // Not the rest of `FOR UPDATE`, `FOR NO KEY UPDATE` and `DO UPDATE`.
        "update" => !follows("for") && !follows("key") && !follows("do"),
        _ => false,
    }
}

/// What the migrations leave behind.
#[derive(Default)]
struct Schema {
    tables: BTreeMap<String, Place>,
    keys: BTreeMap<String, Key>,
}

#[derive(Clone)]
struct Place {
    path: String,
    line: usize,
}

/// A primary key, unique constraint or index.
struct Key {
    table: String,
    columns: Vec<String>,
    is_primary: bool,
    place: Place,
}

struct Check<'e> {
    exceptions: &'e Exceptions,
    findings: Vec<Finding>,
    schema: Schema,
    /// Exceptions that were needed.
    used: BTreeSet<(&'static str, &'static str)>,
}

impl Check<'_> {
    fn say(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.findings.push(Finding::new(path, line, message));
    }

    fn banned(&mut self, path: &str, tokens: &[Token]) {
        for (at, token) in tokens.iter().enumerate() {
            let is_call = tokens.get(at + 1).is_some_and(|next| next.is("("));
            if BANNED.contains(&token.text.as_str()) && (is_call || token.capitals) {
                let message = format!("no `{}`: ids and times are made by the program and passed in", token.text);
                self.say(path, token.line, message);
            }
        }
    }

    /// Whether a table's rows belong to stores.
    fn is_ours(&self, table: &str) -> bool {
        self.schema.tables.contains_key(table) && !self.exceptions.tables.iter().any(|(name, _)| *name == table)
    }

    fn unused(&mut self) {
        for (path, begin, _) in self.exceptions.statements {
            if !self.used.contains(&(*path, *begin)) {
                self.say(path, 1, format!("nothing that begins with `{begin}` needs an exception any more"));
            }
        }
        for (name, _) in self.exceptions.keys {
            if !self.used.contains(&("", *name)) {
                self.say("xtask/src/tidy/store_leads.rs", 1, format!("`{name}` needs no exception any more"));
            }
        }
    }
}

/// The schema: what is defined, and what of it is left.
impl Check<'_> {
    fn migrate(&mut self, path: &str, statement: &[Token]) {
        let Some(first) = statement.first() else { return };
        let place = Place { path: path.to_owned(), line: first.line };
        let understood = match first.text.as_str() {
            "create" => self.create(&place, &statement[1..]),
            "alter" => self.alter(&place, after(&statement[1..], &["table"])),
            "drop" => self.drop(&statement[1..]),
            // What moves rows does so for all stores at once, but never from one into another.
            _ if is_verb(statement, 0) || first.is("with") => {
                self.statements(path, statement, &BTreeSet::new(), true);
                Some(())
            }
            _ => None,
        };
        if understood.is_none() {
            self.say(path, first.line, "this statement is not understood, so nobody knows whether the store leads");
        }
    }

    fn create(&mut self, place: &Place, rest: &[Token]) -> Option<()> {
        if starts(rest, &["table"]) {
            let rest = after(&rest[1..], &["if", "not", "exists"]);
            let (name, rest) = rest.split_first().filter(|(name, _)| name.is_name())?;
            let (items, _) = inside(rest)?;
            self.schema.tables.insert(name.text.clone(), place.clone());
            for item in split(items, |token| token.is(",")) {
                self.item(place, &name.text, item)?;
            }
            return Some(());
        }
        let rest = after(after(rest, &["unique"]), &["index"]);
        let rest = after(after(rest, &["concurrently"]), &["if", "not", "exists"]);
        let [name, on, table, columns @ ..] = rest else { return None };
        if !on.is("on") {
            return None;
        }
        let (columns, _) = inside(columns)?;
        self.key(place, &name.text, &table.text, columns, false);
        Some(())
    }

    /// A column or constraint of a table.
    fn item(&mut self, place: &Place, table: &str, item: &[Token]) -> Option<()> {
        let (first, _) = item.split_first()?;
        let place = Place { path: place.path.clone(), line: first.line };
        let (name, definition) =
            if first.is("constraint") { (item.get(1)?.text.clone(), item.get(2..)?) } else { (String::new(), item) };
        for (words, is_primary) in [(&["primary", "key"][..], true), (&["unique"][..], false)] {
            let unnamed = || format!("{table}, {}", words.join(" "));
            if starts(definition, words) {
                let (columns, _) = inside(&definition[words.len()..])?;
                let name = if name.is_empty() { unnamed() } else { name.clone() };
                self.key(&place, &name, table, columns, is_primary);
            } else if let Some(at) = (1..definition.len()).find(|at| starts(&definition[*at..], words)) {
                // On a column; a name may stand right before the words.
                let named = at >= 2 && definition[at - 2].is("constraint");
                let name =
                    if named { definition[at - 1].text.clone() } else { format!("{}: {}", unnamed(), first.text) };
                self.key(&place, &name, table, &item[..1], is_primary);
            }
        }
        Some(())
    }

    fn key(&mut self, place: &Place, name: &str, table: &str, columns: &[Token], is_primary: bool) {
        let columns = split(columns, |token| token.is(","));
        let columns = columns.iter().map(|c| c.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")).collect();
        let key = Key { table: table.to_owned(), columns, is_primary, place: place.clone() };
        self.schema.keys.insert(name.to_owned(), key);
    }

    fn alter(&mut self, place: &Place, rest: &[Token]) -> Option<()> {
        let (table, actions) = after(rest, &["if", "exists"]).split_first()?;
        let table = &table.text;
        for action in split(actions, |token| token.is(",")) {
            if starts(action, &["add"]) {
                let item = after(after(&action[1..], &["column"]), &["if", "not", "exists"]);
                self.item(place, table, item)?;
            } else if starts(action, &["drop", "constraint"]) {
                let name = after(&action[2..], &["if", "exists"]).first()?;
                self.schema.keys.remove(&name.text);
            } else if starts(action, &["drop"]) || starts(action, &["alter"]) {
                // A column goes, and what it was part of with it; or a type or default changes.
                let column = after(after(&action[1..], &["column"]), &["if", "exists"]).first()?;
                let is_gone = |key: &Key| key.table == *table && key.columns.contains(&column.text);
                if starts(action, &["drop"]) {
                    self.schema.keys.retain(|_, key| !is_gone(key));
                }
            } else if let [_, _, new] = action
                && starts(action, &["rename", "to"])
            {
                let place = self.schema.tables.remove(table)?;
                self.schema.tables.insert(new.text.clone(), place);
                self.schema.keys.values_mut().filter(|k| k.table == *table).for_each(|k| k.table.clone_from(&new.text));
            } else if let [old, to, new] = after(after(action, &["rename"]), &["column"])
                && to.is("to")
            {
                for key in self.schema.keys.values_mut().filter(|key| key.table == *table) {
                    key.columns.iter_mut().filter(|c| **c == old.text).for_each(|c| c.clone_from(&new.text));
                }
            } else {
                return None;
            }
        }
        Some(())
    }

    fn drop(&mut self, rest: &[Token]) -> Option<()> {
        let (kind, rest) = rest.split_first()?;
        let name = &after(after(rest, &["concurrently"]), &["if", "exists"]).first()?.text;
        match kind.text.as_str() {
            "index" => {
                self.schema.keys.remove(name);
            }
            "table" => {
                self.schema.tables.remove(name);
                self.schema.keys.retain(|_, key| key.table != *name);
            }
            _ => return None,
        }
        Some(())
    }

    /// Looks at what is left after the last migration.
    fn keys(&mut self) {
        let (mut findings, mut used) = (Vec::new(), Vec::new());
        for (name, key) in self.schema.keys.iter().filter(|(_, key)| self.is_ours(&key.table)) {
            if key.columns.first().is_some_and(|column| column == "store") {
                continue;
            }
            if let Some((name, _)) = self.exceptions.keys.iter().find(|(except, _)| *except == name.as_str()) {
                used.push(("", *name));
                continue;
            }
            let message = format!("`{name}` of `{}` does not begin with the store: it cannot be spread", key.table);
            findings.push(Finding::new(&key.place.path, key.place.line, message));
        }
        for (table, place) in self.schema.tables.iter().filter(|(table, _)| self.is_ours(table)) {
            if !self.schema.keys.values().any(|key| key.is_primary && key.table == *table) {
                findings.push(Finding::new(&place.path, place.line, format!("`{table}` has no primary key")));
            }
        }
        self.findings.extend(findings);
        self.used.extend(used);
    }
}

/// Where the rows of a statement come from.
struct Source {
    /// The name it goes by in the statement.
    alias: String,
    from: Origin,
    line: usize,
}

enum Origin {
    Table(String),
    /// `UNNEST(?1)` and the like: parameters in rows.
    Function,
    /// A select of its own, checked by itself.
    Derived,
}

/// One side of `a.store = b.store`, or what it is compared with.
enum Side<'t> {
    Parameter,
    /// The alias; empty where none is written.
    Store(&'t str),
}

const CLAUSES: &[&str] = &["where", "group", "having", "order", "limit", "offset", "returning", "for", "on", "set"];
const JOINS: &[&str] = &["join", "left", "right", "inner", "outer", "cross", "full", "natural"];
const SETS: &[&str] = &["union", "intersect", "except"];

/// Statements: every table in them is held to one store.
impl Check<'_> {
    /// Every statement in the text, those inside of others too. `outer` are the names that are known around it.
    fn statements(&mut self, path: &str, text: &[Token], outer: &BTreeSet<String>, all_stores: bool) {
        if self.is_excepted(path, text) {
            return;
        }
        let mut common = outer.clone();
        if starts(text, &["with"]) {
            for part in split(&text[1..], |token| token.is(",")) {
                common.extend(part.first().map(|name| name.text.clone()));
            }
        }
        for part in split(text, |token| SETS.contains(&token.text.as_str())) {
            // A statement begins after whatever precedes it outside of parentheses: nothing, or `WITH …`.
            let depths = depths(part);
            let begin = (0..part.len()).find(|at| depths[*at] == 0 && is_verb(part, *at));
            let known = match begin {
                Some(begin) => self.statement(path, &part[begin..], &common, all_stores),
                None => common.clone(),
            };
            self.nested(path, part, &known, all_stores);
        }
    }

    /// What stands in parentheses, where it holds a statement.
    fn nested(&mut self, path: &str, text: &[Token], known: &BTreeSet<String>, all_stores: bool) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|token| token.is("(")) {
            let Some((body, behind)) = inside(&rest[at..]) else {
                let holds = (at..rest.len()).any(|at| is_verb(rest, at));
                if holds {
                    self.say(path, rest[at].line, "a statement must not begin in one text and end in another");
                }
                return;
            };
            if (0..body.len()).any(|at| is_verb(body, at)) {
                self.statements(path, body, known, all_stores);
            }
            rest = behind;
        }
    }

    /// One statement, without those inside of it; gives the names that are known inside.
    fn statement(
        &mut self,
        path: &str,
        text: &[Token],
        outer: &BTreeSet<String>,
        all_stores: bool,
    ) -> BTreeSet<String> {
        let line = text[0].line;
        let (sources, conditions) = match text[0].text.as_str() {
            "insert" => (self.insert(path, text, outer), text),
            "update" => {
                let set = clause_start(text, "set").unwrap_or(text.len());
                let mut sources = sources(&text[1..set], outer);
                let more = clause_start(text, "from").map_or(&[][..], |at| &text[at + 1..]);
                sources.extend(self::sources(more, outer));
                (sources, text)
            }
            _ => {
                let from = clause_start(text, "from").map_or(&[][..], |at| &text[at + 1..]);
                let mut found = sources(from, outer);
                if let Some(using) = clause_start(text, "using").filter(|_| text[0].is("delete")) {
                    found.extend(sources(&text[using + 1..], outer));
                }
                (found, text)
            }
        };
        if text[0].is("update") && sources.is_empty() {
            self.say(path, line, "this statement names no table");
        }
        self.bind(path, &sources, &equalities(conditions), outer, all_stores);
        let mut known = outer.clone();
        known.extend(sources.into_iter().map(|source| source.alias));
        known
    }

    /// An insert names the store first; what it selects is a statement like others.
    fn insert(&mut self, path: &str, text: &[Token], outer: &BTreeSet<String>) -> Vec<Source> {
        let Some(table) = text.get(2) else { return Vec::new() };
        let rest = text[3..].iter().position(|token| token.is("(")).map_or(&[][..], |at| &text[3 + at..]);
        let columns = inside(rest).map(|(columns, _)| columns);
        if table.is_filled_in() {
            self.say(path, table.line, "the table is not named in the text, so nobody knows whether the store leads");
        }
        if self.is_ours(&table.text) {
            if !columns.is_some_and(|columns| starts(columns, &["store"])) {
                let message = format!("an insert into `{}` names the store as its first column", table.text);
                self.say(path, table.line, message);
            }
            let conflict = (0..text.len()).find(|at| starts(&text[*at..], &["on", "conflict", "("]));
            if conflict.is_some_and(|at| !text.get(at + 3).is_some_and(|column| column.is("store"))) {
                self.say(path, table.line, "a conflict is looked for under a key that the store leads");
            }
        }
        clause_start(text, "from").map_or(Vec::new(), |at| sources(&text[at + 1..], outer))
    }

    /// Each table's store must be a parameter, or equal to one that is.
    fn bind(
        &mut self,
        path: &str,
        sources: &[Source],
        equalities: &[(Side<'_>, Side<'_>)],
        outer: &BTreeSet<String>,
        all_stores: bool,
    ) {
        let only = |alias: &str| match sources {
            [one] if alias.is_empty() => one.alias.clone(),
            _ => alias.to_owned(),
        };
        let mut bound = outer.clone();
        bound.extend(sources.iter().filter(|s| !matches!(s.from, Origin::Table(_))).map(|s| s.alias.clone()));
        if all_stores {
            bound.extend(sources.first().map(|source| source.alias.clone()));
        }
        loop {
            let before = bound.len();
            for (left, right) in equalities {
                match (left, right) {
                    (Side::Store(alias), Side::Parameter) | (Side::Parameter, Side::Store(alias)) => {
                        bound.insert(only(alias));
                    }
                    (Side::Store(one), Side::Store(other)) => {
                        let (one, other) = (only(one), only(other));
                        if bound.contains(&one) || bound.contains(&other) {
                            bound.extend([one, other]);
                        }
                    }
                    (Side::Parameter, Side::Parameter) => {}
                }
            }
            if bound.len() == before {
                break;
            }
        }
        for source in sources {
            let Origin::Table(table) = &source.from else { continue };
            if table.starts_with('{') {
                let message = "the table is not named in the text, so nobody knows whether the store leads";
                self.say(path, source.line, message);
            } else if self.is_ours(table) && !bound.contains(&source.alias) {
                let message = format!(
                    "`{table}` is used without its store: write `store = ?`, or equate it with the store of a table \
                     that is held to one"
                );
                self.say(path, source.line, message);
            }
        }
    }

    fn is_excepted(&mut self, path: &str, text: &[Token]) -> bool {
        let fits = |begin: &str| {
            let begin = tokens(begin, 1);
            text.len() >= begin.len() && text.iter().zip(&begin).all(|(a, b)| a.text == b.text)
        };
        let found = self.exceptions.statements.iter().find(|(file, begin, _)| *file == path && fits(begin));
        self.used.extend(found.map(|(file, begin, _)| (*file, *begin)));
        found.is_some()
    }
}

/// How many parentheses are open at each token.
fn depths(tokens: &[Token]) -> Vec<usize> {
    let mut depth = 0_usize;
    let count = |token: &Token| {
        if token.is(")") {
            depth = depth.saturating_sub(1);
        }
        let here = depth;
        if token.is("(") {
            depth += 1;
        }
        here
    };
    tokens.iter().map(count).collect()
}

/// Where a clause begins, outside of any parentheses.
fn clause_start(text: &[Token], word: &str) -> Option<usize> {
    let depths = depths(text);
    (1..text.len())
        .find(|at| depths[*at] == 0 && text[*at].is(word) && !(word == "from" && text[at - 1].is("distinct")))
}

/// The tables of a `FROM`, up to the next clause; conditions of joins are passed over.
fn sources(text: &[Token], outer: &BTreeSet<String>) -> Vec<Source> {
    let depths = depths(text);
    let is_end = |at: &usize| {
        depths[*at] == 0 && CLAUSES.contains(&text[*at].text.as_str()) && !text[*at].is("on") && !text[*at].is("set")
    };
    let end = (0..text.len()).find(is_end).unwrap_or(text.len());
    let parts = split(&text[..end], |token| token.is(",") || JOINS.contains(&token.text.as_str()));
    parts.into_iter().filter_map(|part| source(part, outer)).collect()
}

fn source(part: &[Token], outer: &BTreeSet<String>) -> Option<Source> {
    let part = after(after(part, &["lateral"]), &["only"]);
    let (first, mut rest) = part.split_first()?;
    let from = if first.is("(") {
        rest = inside(part)?.1;
        Origin::Derived
    } else if rest.first().is_some_and(|token| token.is("(")) {
        rest = inside(rest)?.1;
        Origin::Function
    } else if outer.contains(&first.text) {
        Origin::Derived
    } else {
        Origin::Table(first.text.clone())
    };
    let alias = after(rest, &["as"]).first().filter(|token| {
        token.is_name() && !token.is_filled_in() && !CLAUSES.contains(&token.text.as_str()) && !token.is("using")
    });
    Some(Source { alias: alias.unwrap_or(first).text.clone(), from, line: first.line })
}

/// What stores are equal to in the conditions of a statement: only what surely holds for every row counts, so nothing
/// in parentheses, and nothing in a clause with an `OR`.
fn equalities(text: &[Token]) -> Vec<(Side<'_>, Side<'_>)> {
    let depths = depths(text);
    let top: Vec<&Token> = text.iter().zip(&depths).filter(|(_, depth)| **depth == 0).map(|(token, _)| token).collect();
    let mut found = Vec::new();
    let mut clause: Vec<(Side<'_>, Side<'_>)> = Vec::new();
    let (mut in_condition, mut has_or) = (false, false);
    for (at, token) in top.iter().enumerate() {
        let word = token.text.as_str();
        if CLAUSES.contains(&word) || JOINS.contains(&word) || word == "from" || word == "," {
            found.extend(clause.drain(..).filter(|_| !has_or));
            in_condition = matches!(word, "where" | "on");
            has_or = false;
        }
        has_or |= word == "or";
        if in_condition && matches!(word, "where" | "on" | "and") {
            clause.extend(equality(&top[at + 1..]));
        }
    }
    found.extend(clause.drain(..).filter(|_| !has_or));
    found
}

/// `a.store = ?1`, `store = b.store` and the like, if that is the whole condition.
fn equality<'t>(condition: &[&'t Token]) -> Option<(Side<'t>, Side<'t>)> {
    let (left, rest) = side(condition)?;
    let (equals, rest) = rest.split_first()?;
    let (right, rest) = side(rest)?;
    let ends = rest.first().is_none_or(|next| {
        let word = next.text.as_str();
        next.is_filled_in() || matches!(word, "and" | "or") || CLAUSES.contains(&word) || JOINS.contains(&word)
    });
    (equals.is("=") && ends).then_some((left, right))
}

fn side<'s, 't>(tokens: &'s [&'t Token]) -> Option<(Side<'t>, &'s [&'t Token])> {
    match tokens {
        [mark, rest @ ..] if mark.is("?") => Some((Side::Parameter, rest)),
        [column, rest @ ..] if column.is("store") => Some((Side::Store(""), rest)),
        [table, dot, column, rest @ ..] if dot.is(".") && column.is("store") => Some((Side::Store(&table.text), rest)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "store_leads_tests.rs"]
mod tests;
