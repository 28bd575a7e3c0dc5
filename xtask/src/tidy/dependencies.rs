//! The rule that manifests and `docs/dependencies.md` name the same crates.
//!
//! Reads only the two shapes that are in use, a manifest's dependency tables and the first column of a Markdown table.

use std::collections::BTreeSet;

use super::Finding;

/// Compares every manifest with the list, in both directions. Our own crates need no line.
pub(super) fn check(manifests: &[(String, String)], list_path: &str, list: &str) -> Vec<Finding> {
    let listed: Vec<(usize, &str)> = listed_names(list).collect();
    let mut findings = Vec::new();
    let mut in_use = BTreeSet::new();
    for (path, text) in manifests {
        for (line, name) in manifest_names(text) {
            in_use.insert(name);
            if !listed.iter().any(|(_, listed)| *listed == name) {
                let message = format!(
                    "`{name}` has no line in {list_path}: a dependency is a cost, and somebody must have weighed it"
                );
                findings.push(Finding::new(path, line, message));
            }
        }
    }
    for (line, name) in listed {
        if !in_use.contains(name) {
            let message = format!("no crate depends on `{name}`: the list is only worth reading while it is true");
            findings.push(Finding::new(list_path, line, message));
        }
    }
    findings
}

/// Foreign crates named in the dependency tables of a manifest, development and build tables included.
fn manifest_names(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut in_table = false;
    for (index, line) in text.lines().enumerate() {
        let name = if let Some(header) = line.trim().strip_prefix('[') {
            let header = header.split_once(']').map_or(header, |(header, _)| header);
            in_table = header.ends_with("dependencies");
            // `[dependencies.name]`, with the keys of one crate on the lines below it.
            header.rsplit_once('.').filter(|(table, _)| table.ends_with("dependencies")).map(|(_, name)| name)
        } else {
            let end = line.find(['.', '=', ' ']).filter(|_| in_table);
            end.map(|end| &line[..end])
        };
        let is_name = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
        let is_ours = |name: &str| name == "refundry" || name.starts_with("refundry-");
        names.extend(name.filter(is_name).filter(|name| !is_ours(name)).map(|name| (index + 1, name)));
    }
    names
}

/// The crates in the first column of the list: rows that begin with a name in backticks.
fn listed_names(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let name = |line| str::strip_prefix(line, "| `")?.split_once('`').map(|(name, _)| name);
    list.lines().enumerate().filter_map(move |(index, line)| name(line).map(|name| (index + 1, name)))
}

#[cfg(test)]
mod tests {
    use super::{check, manifest_names};

    const MANIFEST: &str = r#"
[package]
name = "refundry-store"
version.workspace = true

[dependencies]
refundry-core.workspace = true
serde.workspace = true
hyper = { workspace = true, features = [
    "http1",
] }
# a comment = here

[dev-dependencies]
expect-test = "1"

[target.'cfg(unix)'.build-dependencies]
cc = "1"

[dependencies.tokio]
version = "1"

[lints]
workspace = true
"#;

    #[test]
    fn reads_every_dependency_table() {
        let names: Vec<&str> = manifest_names(MANIFEST).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["serde", "hyper", "expect-test", "cc", "tokio"]);
    }

    #[test]
    fn both_directions_are_checked() {
        let list = "# Dependencies\n\n| crate | what for |\n|---|---|\n| `serde` | JSON with `serde_json` |\n\
            | `hyper` | |\n| `expect-test` | |\n| `cc` | |\n| `bytes` | |\n";
        let manifests = [("crates/a/Cargo.toml".to_owned(), MANIFEST.to_owned())];
        let findings: Vec<String> = check(&manifests, "docs/d.md", list).iter().map(ToString::to_string).collect();
        let [missing, unused] = findings.as_slice() else { panic!("two findings, not {findings:?}") };
        assert!(missing.starts_with("crates/a/Cargo.toml:20: `tokio` has no line in docs/d.md"), "{missing}");
        assert!(unused.starts_with("docs/d.md:9: no crate depends on `bytes`"), "{unused}");
    }
}
