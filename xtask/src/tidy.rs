//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy can hold.
//! Also a test of this crate, so that the ordinary test command enforces them.
//!
//! Reads the tree and reports; never changes a file. A rule is a function from a path and a text to findings.

mod dependencies;
mod rules;
mod sql;
mod store_leads;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Folders with code of ours. A missing one is no error.
const FOLDERS: &[&str] = &["crates", "xtask", "fuzz"];
/// Where the SQL is.
const STORE_SOURCE: &str = "crates/refundry-store/src/";
const MIGRATIONS: &str = "crates/refundry-store/migrations/";
const DEPENDENCY_LIST: &str = "docs/dependencies.md";

/// One broken rule at one place; the message states the rule and its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Prints every finding and fails when there is one.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "`cargo xtask tidy` takes no arguments");
    let findings = check_tree(&workspace::root())?;
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy failed, findings: {}", findings.len());
    println!("tidy: no findings");
    Ok(())
}

fn check_tree(root: &Path) -> Result<Vec<Finding>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        if root.join(folder).is_dir() {
            list_files(root, folder, &mut paths)?;
        }
    }
    paths.sort();

    let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
    let mut findings = Vec::new();
    let mut manifests = Vec::new();
    let (mut migrations, mut store) = (Vec::new(), Vec::new());
    for path in &paths {
        findings.extend(rules::golden_folder(path));
        if has_extension(path, "rs") {
            let text = read(path)?;
            for rule in rules::RUST_RULES {
                findings.extend(rule(path, &text));
            }
            if path.starts_with(STORE_SOURCE) {
                store.push((path.clone(), text));
            }
        } else if path.starts_with(MIGRATIONS) {
            migrations.push((path.clone(), read(path)?));
        } else if path.ends_with("/Cargo.toml") {
            manifests.push((path.clone(), read(path)?));
        }
    }
    findings.extend(dependencies::check(&manifests, DEPENDENCY_LIST, &read(DEPENDENCY_LIST)?));
    findings.extend(store_leads::check(&migrations, &store, &store_leads::EXCEPTIONS));
    Ok(findings)
}

/// Adds every file under `folder`, as a path from the root with forward slashes. Hidden and build folders are skipped.
fn list_files(root: &Path, folder: &str, into: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("cannot list {folder}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{folder}/{name}");
        let is_folder = entry.file_type()?.is_dir();
        if name.starts_with('.') || (is_folder && name == "target") {
            continue;
        }
        if is_folder {
            list_files(root, &path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::check_tree;
    use crate::workspace;

    #[test]
    fn tidy() {
        let findings = check_tree(&workspace::root()).unwrap();
        let report: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
    }
}
