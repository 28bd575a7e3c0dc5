//! `cargo xtask test`: the one test command. Builds the binary that is shipped, starts a throwaway `PostgreSQL`, then
//! runs every test of the workspace; the end-to-end tests find that binary in `REFUNDRY_BIN`, and all tests the server
//! in `REFUNDRY_TEST_POSTGRES`. There is no way to run without a server: a backend that is skipped looks like one that
//! works.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use refundry_test_postgres::{Binaries, Cluster, Options, URL_VARIABLE};

use crate::workspace;

/// The counts of all test binaries together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
}

impl Totals {
    /// Adds cargo's closing line of one test binary; every other line counts nothing.
    fn add_line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        self.passed += count_before(counts, " passed").unwrap_or(0);
        self.failed += count_before(counts, " failed").unwrap_or(0);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Builds, tests and closes with the sum of all test binaries alone on a line.
pub(crate) fn run(args: &[String]) -> Result<()> {
    test(args).map(|_| ())
}

/// As [`run`], for `ci`, which repeats the sum among its own closing lines.
pub(crate) fn test(args: &[String]) -> Result<Totals> {
    test_with(args, &[])
}

/// As [`test`], with more variables for the tests.
pub(crate) fn test_with(args: &[String], variables: &[(&str, &str)]) -> Result<Totals> {
    // Found, or installed, before the long build: what is missing is told at once.
    let postgres = Postgres::find()?;
    let build = ["build", "--release", "-p", "refundry", "--locked"];
    let status = workspace::cargo(&build).status().context("cargo did not start")?;
    ensure!(status.success(), "the release build ended with {status}");
    let binary = workspace::target_dir()?.join("release").join(format!("refundry{}", std::env::consts::EXE_SUFFIX));
    ensure!(binary.is_file(), "the release build left no {}", binary.display());

    let (postgres_url, _cluster) = postgres.start()?;
    let mut child = workspace::cargo(&["test"])
        .args(cargo_test_args(args))
        .env("REFUNDRY_BIN", &binary)
        .env(URL_VARIABLE, postgres_url)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    // Standard error (cargo's own progress) is inherited and reaches the terminal untouched; every test binary writes
    // its closing line on standard output.
    let mut lines = BufReader::new(child.stdout.take().context("cargo test has no output")?);
    let totals = copy_and_count(&mut lines, &mut std::io::stdout().lock())?;
    let status = child.wait().context("cargo test was lost")?;

    if status.success() || totals.failed > 0 {
        println!("{totals}");
    }
    ensure!(totals.failed == 0, "failed tests: {}", totals.failed);
    ensure!(status.success(), "cargo test ended with {status} after {} passed tests", totals.passed);
    if args.is_empty() {
        check_backends()?;
    }
    Ok(totals)
}

/// The server for the tests.
enum Postgres {
    /// One that runs already.
    Given(String),
    /// One of our own, to be started.
    Own(Binaries),
}

impl Postgres {
    fn find() -> Result<Self> {
        if let Ok(url) = std::env::var(URL_VARIABLE) {
            return Ok(Self::Given(url));
        }
        Ok(Self::Own(Binaries::find_or_install()?))
    }

    /// Its URL, and the cluster to hold on to until the tests are done.
    fn start(self) -> Result<(String, Option<Cluster>)> {
        match self {
            Self::Given(url) => Ok((url, None)),
            Self::Own(binaries) => {
                let cluster = Cluster::start_with(binaries, &Options::default())?;
                Ok((cluster.url("postgres"), Some(cluster)))
            }
        }
    }
}

/// That the conformance suite has run on both databases: its tests are made from one list by a macro, in a module named
/// after each, and a list that lost one of the two would otherwise pass unnoticed.
fn check_backends() -> Result<()> {
    let list = ["test", "-p", "refundry-store", "--test", "it", "--locked", "--quiet", "--", "--list"];
    let output = workspace::cargo(&list).stderr(Stdio::inherit()).output().context("cargo did not start")?;
    ensure!(output.status.success(), "the list of the store's tests ended with {}", output.status);
    let list = String::from_utf8_lossy(&output.stdout);
    let [sqlite, postgres] = ["sqlite", "postgres"].map(|backend| tests_of(backend, &list));
    ensure!(!sqlite.is_empty(), "the store has no tests on SQLite");
    let only: Vec<&String> = sqlite.symmetric_difference(&postgres).collect();
    ensure!(only.is_empty(), "these tests of the store run on one database only: {only:?}");
    println!("the store's conformance tests, on both databases: {}", sqlite.len());
    Ok(())
}

/// The tests in modules with the name of a backend, without that name.
fn tests_of(backend: &str, list: &str) -> BTreeSet<String> {
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let parts = tests.map(|test| test.split("::").collect::<Vec<_>>());
    let without = |parts: Vec<&str>| {
        let at = parts.iter().rev().skip(1).rev().position(|part| *part == backend)?;
        Some([&parts[..at], &parts[at + 1..]].concat().join("::"))
    };
    parts.filter_map(without).collect()
}

/// The whole workspace, unless the caller names packages: cargo would silently ignore the names beside `--workspace`.
fn cargo_test_args(extra: &[String]) -> Vec<String> {
    let names_package =
        extra.iter().take_while(|arg| *arg != "--").any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    let mut args = Vec::new();
    if !names_package {
        args.push("--workspace".to_owned());
    }
    args.push("--locked".to_owned());
    args.extend_from_slice(extra);
    args
}

/// Copies line by line, as bytes, because a test may print what is not UTF-8.
fn copy_and_count(from: &mut dyn BufRead, to: &mut dyn Write) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).context("the output of cargo test broke off")? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        totals.add_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(totals)
}

/// The number that stands before `unit`, as in `ok. 12 passed; 0 failed`.
fn count_before(text: &str, unit: &str) -> Option<u64> {
    let before = text.split_once(unit)?.0;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Totals, cargo_test_args, copy_and_count, tests_of};

    #[test]
    fn adds_up_all_binaries_and_copies_every_byte() {
        let output = b"running 2 tests\n\xff\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out\n\
            test result: FAILED. 40 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\nend";
        let mut copy = Vec::new();
        let totals = copy_and_count(&mut &output[..], &mut copy).unwrap();
        assert_eq!(totals, Totals { passed: 42, failed: 3 });
        assert_eq!(totals.to_string(), "42 passed, 3 failed");
        assert_eq!(copy, output);
    }

    #[test]
    fn a_named_package_replaces_the_workspace() {
        let args =
            |extra: &[&str]| cargo_test_args(&extra.iter().map(ToString::to_string).collect::<Vec<_>>()).join(" ");
        assert_eq!(args(&[]), "--workspace --locked");
        assert_eq!(args(&["quote"]), "--workspace --locked quote");
        assert_eq!(args(&["-p", "refundry-core"]), "--locked -p refundry-core");
        assert_eq!(args(&["--", "--package"]), "--workspace --locked -- --package");
    }

    #[test]
    fn finds_the_tests_of_a_backend() {
        let list = "lane::runs: test\nsqlite::tables::puts: test\nconformance::sqlite::gets: test\n\
            tables::postgres: test\npostgres::tables::puts: test\nspeed::sqlite::x: benchmark\n\n4 tests, 1 benchmark\n";
        let of = |backend| tests_of(backend, list).into_iter().collect::<Vec<_>>();
        assert_eq!(of("sqlite"), ["conformance::gets", "tables::puts"]);
        assert_eq!(of("postgres"), ["tables::puts"]);
    }
}
