//! The tables of operations agree with what is routed, with the lists of keys and with the committed documents.

use std::collections::BTreeSet;
use std::path::PathBuf;

use refundry_core::order::Dialect;
use serde_json::Value;

use super::{Api, path_with};
use crate::keys::is_of;
use crate::wire::Routed;
use crate::{route, shoplazza, shopline};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
const APIS: [(Dialect, &Api); 2] =
    [(Dialect::Shoplazza, &shoplazza::operations::API), (Dialect::Shopline, &shopline::operations::API)];

#[test]
fn the_table_and_the_list_of_keys_name_the_same_operations() {
    for (_, api) in APIS {
        let expand = |method: &str, path: &str, in_versions: &BTreeSet<&str>| -> Vec<String> {
            in_versions.iter().map(|version| format!("{method} {path} in `{version}`")).collect()
        };
        let listed: BTreeSet<String> =
            (api.keys)().calls().flat_map(|(method, path, versions)| expand(method, path, versions)).collect();
        let mut rows = BTreeSet::new();
        for row in api.operations {
            let versions = api.versions.read(row.versions).unwrap_or_else(|| panic!("{row:?}"));
            for one in expand(row.method, row.path, &versions) {
                assert!(rows.insert(one.clone()), "{one} stands there twice");
            }
        }
        let differ: Vec<&String> = listed.symmetric_difference(&rows).collect();
        assert!(differ.is_empty(), "in one of the two only: {differ:#?}");
    }
}

#[test]
fn every_row_is_routed_and_asks_for_its_scope() {
    for (_, api) in APIS {
        for row in api.operations {
            let name = format!("{} {}", row.method, row.path);
            for version in api.versions.all().filter(|version| api.is_in(row, version)) {
                assert_eq!(api.routed_scope(row, version), Some(row.scope), "{name} of `{version}`");
            }
        }
    }
}

/// The methods that a table has for a path, whatever the names of its parameters.
fn methods_of(api: &Api, path: &str, version: &str) -> BTreeSet<&'static str> {
    let rows = api.operations.iter().filter(|row| api.is_in(row, version) && is_of(row.path, path));
    rows.map(|row| row.method).collect()
}

#[test]
fn nothing_is_routed_that_is_not_in_the_table() {
    for (dialect, api) in APIS {
        let parts = api.operations.iter().flat_map(|row| row.path.split('/').skip(1));
        let parts = parts.filter(|part| !part.starts_with('{')).map(|part| part.trim_end_matches(".json"));
        let mut words: BTreeSet<&str> = parts.collect();
        words.insert("1");
        let mut paths: Vec<String> = Vec::new();
        for a in &words {
            paths.push(format!("/{a}"));
            for b in &words {
                paths.push(format!("/{a}/{b}"));
                paths.extend(["1", "count", "set"].map(|c| format!("/{a}/{b}/{c}")));
                let deep = ["1", "cancel", "complete", "count", "update_tracking"];
                paths.extend(deep.map(|c| format!("/orders/1/{a}/{b}/{c}")));
                paths.push(format!("/orders/{a}/{b}"));
                paths.push(format!("/orders/1/{a}/{b}"));
            }
        }
        let suffix = if dialect == Dialect::Shopline { ".json" } else { "" };
        let mut versions: Vec<&str> = api.versions.all().collect();
        versions.retain(|version| ["2022-01", "2025-06", "2026-07", "v20210901", "v20270301"].contains(version));
        for version in versions {
            for path in paths.iter().map(|path| format!("{path}{suffix}")) {
                let whole = format!("{}{path}", (api.base)(version, &path));
                let routed = |method: &&str| matches!(route(method, &whole), Routed::To(_));
                for method in METHODS.into_iter().filter(routed) {
                    let known = methods_of(api, &path, version).contains(method);
                    assert!(known, "{method} {path} of `{version}` is not in the table");
                }
            }
        }
    }
}

#[test]
fn another_method_is_told_which_there_are() {
    for (_, api) in APIS {
        for row in api.operations {
            for version in api.versions.all().filter(|version| api.is_routed(row, version)) {
                let path = path_with(row.path, "1");
                let known = methods_of(api, &path, version);
                for method in METHODS.iter().filter(|method| !known.contains(*method)) {
                    let whole = api.whole_path(row, version, "1");
                    let Routed::MethodNotAllowed(allow) = route(method, &whole) else {
                        panic!("{method} {path} of `{version}` is not told which methods there are");
                    };
                    let allowed: BTreeSet<&str> = allow.split(", ").collect();
                    // A literal segment may hide what its path could be with a parameter.
                    let fits = allowed.contains(row.method) && allowed.is_subset(&known);
                    assert!(fits, "{path} of `{version}`: {allow}");
                }
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
    for (_, api) in APIS {
        for version in api.versions.all() {
            let document = api.document(version);
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            for target in found {
                assert!(document.pointer(&target[1..]).is_some(), "`{version}`: {target}");
            }
            let in_table = api.operations.iter().filter(|row| api.is_routed(row, version)).count();
            let paths = document["paths"].as_object().expect("paths");
            let described: usize = paths.values().map(|item| item.as_object().map_or(0, serde_json::Map::len)).sum();
            assert_eq!(described, in_table, "`{version}`");
        }
    }
}

#[test]
fn the_committed_documents_are_what_the_code_makes() {
    let [(_, shoplazza), (_, shopline)] = APIS;
    for (file, api, version) in [
        ("shoplazza-legacy.json", shoplazza, "2022-01"),
        ("shoplazza-modern.json", shoplazza, "2026-07"),
        ("shopline.json", shopline, "v20270301"),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/api").join(file);
        let mut made = serde_json::to_string_pretty(&api.document(version)).expect("JSON");
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
    for path in ["/openapi/openapi.json", "/openapi/2026-01/openapi.json", "/admin/openapi/v20220901/openapi.json"] {
        let Routed::To(endpoint) = route("GET", path) else { panic!("{path} is not routed") };
        assert_eq!(endpoint.scope(), None, "{path}");
        assert_eq!(route("POST", path), Routed::MethodNotAllowed("GET"), "{path}");
    }
    for path in [
        "/openapi/2019-01/openapi.json",
        "/openapi/2022-01/openapi",
        "/openapi/xopenapi.json",
        "/admin/openapi/openapi.json",
        "/payments_apps/openapi/v20220901/openapi.json",
    ] {
        assert_eq!(route("GET", path), Routed::NotFound, "{path}");
    }
}
