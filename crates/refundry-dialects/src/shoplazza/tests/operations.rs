//! The table of operations agrees with what is routed, with the list of keys and with the committed documents.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::super::operations::{OPERATIONS, base};
use super::super::{VERSIONS, document, keys, route};
use crate::keys::{List, is_of};
use crate::wire::Routed;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

#[test]
fn the_table_and_the_list_of_keys_name_the_same_operations() {
    assert!(List::read(VERSIONS, include_str!("../keys.txt")).is_ok(), "the list can be read");
    let expand = |method: &str, path: &str, in_versions: &BTreeSet<&str>| -> Vec<String> {
        in_versions.iter().map(|version| format!("{method} {path} in `{version}`")).collect()
    };
    let listed: BTreeSet<String> =
        keys().calls().flat_map(|(method, path, versions)| expand(method, path, versions)).collect();
    let mut rows = BTreeSet::new();
    for row in OPERATIONS {
        let versions = VERSIONS.read(row.versions).unwrap_or_else(|| panic!("{row:?}"));
        for one in expand(row.method, row.path, &versions) {
            assert!(rows.insert(one.clone()), "{one} stands there twice");
        }
    }
    let differ: Vec<&String> = listed.symmetric_difference(&rows).collect();
    assert!(differ.is_empty(), "in one of the two only: {differ:#?}");
}

#[test]
fn every_row_is_routed_and_asks_for_its_scope() {
    for row in OPERATIONS {
        let name = format!("{} {}", row.method, row.path);
        for version in VERSIONS.all().filter(|version| row.is_in(version)) {
            assert!(row.is_routed(version), "{name} of `{version}`");
            assert_eq!(row.routed_scope(version), Some(row.scope), "{name} of `{version}`");
        }
    }
}

/// The methods that the table has for a path, whatever the names of its parameters.
fn methods_of(path: &str, version: &str) -> BTreeSet<&'static str> {
    OPERATIONS.iter().filter(|row| row.is_in(version) && is_of(row.path, path)).map(|row| row.method).collect()
}

#[test]
fn nothing_is_routed_that_is_not_in_the_table() {
    let parts = OPERATIONS.iter().flat_map(|row| row.path.split('/').skip(1));
    let mut words: BTreeSet<&str> = parts.filter(|part| !part.starts_with('{')).collect();
    words.insert("1");
    let mut paths: Vec<String> = Vec::new();
    for a in &words {
        paths.push(format!("/{a}"));
        for b in &words {
            paths.push(format!("/{a}/{b}"));
            paths.extend(["1", "count", "set"].map(|c| format!("/{a}/{b}/{c}")));
            paths.extend(["1", "cancel", "complete", "count"].map(|c| format!("/orders/1/{a}/{b}/{c}")));
            paths.push(format!("/orders/{a}/{b}"));
            paths.push(format!("/orders/1/{a}/{b}"));
        }
    }
    for version in ["2022-01", "2025-06", "2026-07"] {
        for path in &paths {
            let whole = format!("{}{path}", base(version));
            for method in METHODS.into_iter().filter(|method| matches!(route(method, &whole), Routed::To(_))) {
                let known = methods_of(path, version).contains(method);
                assert!(known, "{method} {path} of `{version}` is not in the table");
            }
        }
    }
}

#[test]
fn another_method_is_told_which_there_are() {
    for row in OPERATIONS {
        for version in VERSIONS.all().filter(|version| row.is_routed(version)) {
            let path = row.path_with("", "1").replacen("/openapi", "", 1);
            let known = methods_of(&path, version);
            for method in METHODS.iter().filter(|method| !known.contains(*method)) {
                let Routed::MethodNotAllowed(allow) = route(method, &row.path_with(version, "1")) else {
                    panic!("{method} {path} of `{version}` is not told which methods there are");
                };
                let allowed: BTreeSet<&str> = allow.split(", ").collect();
                // A literal segment may hide what its path could be with a parameter.
                assert!(allowed.contains(row.method) && allowed.is_subset(&known), "{path} of `{version}`: {allow}");
            }
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_is_in_its_document() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(entries) => entries.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    for version in VERSIONS.all() {
        let document = document(version);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for target in found {
            assert!(document.pointer(&target[1..]).is_some(), "`{version}`: {target}");
        }
        let in_table = OPERATIONS.iter().filter(|row| row.is_routed(version)).count();
        let paths = document["paths"].as_object().expect("paths");
        let described: usize = paths.values().map(|item| item.as_object().map_or(0, serde_json::Map::len)).sum();
        assert_eq!(described, in_table, "`{version}`");
    }
}

#[test]
fn the_committed_documents_are_what_the_code_makes() {
    for (name, version) in [("legacy", "2022-01"), ("modern", "2026-07")] {
        let file = format!("shoplazza-{name}.json");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api").join(&file);
        let mut made = serde_json::to_string_pretty(&document(version)).expect("JSON");
        made.push('\n');
        if std::env::var_os("REFUNDRY_UPDATE").is_some_and(|v| v == "1") {
            std::fs::write(&path, &made).expect("the document can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "docs/api/{file} is old: run the tests once with REFUNDRY_UPDATE=1");
    }
}

#[test]
fn a_document_is_served_to_all_and_hides_nothing() {
    for (path, version) in [("/openapi/openapi.json", ""), ("/openapi/2026-01/openapi.json", "2026-01")] {
        let Routed::To(endpoint) = route("GET", path) else { panic!("{path} is not routed") };
        assert_eq!(super::super::scope(&endpoint), None, "{path}");
        assert_eq!(super::super::openapi::response(endpoint.version()).status, 200);
        assert_eq!(endpoint.version().code(), version);
        assert_eq!(route("POST", path), Routed::MethodNotAllowed("GET"), "{path}");
    }
    for path in ["/openapi/2019-01/openapi.json", "/openapi/2022-01/openapi", "/openapi/xopenapi.json"] {
        assert_eq!(route("GET", path), Routed::NotFound, "{path}");
    }
}
