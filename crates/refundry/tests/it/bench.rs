//! `refundry bench` from end to end, as short as it goes: what it prints is complete, what it leaves behind balances.

use serde_json::Value;

use crate::harness::run;

/// Runs the benchmark and reads its JSON.
fn bench(words: &[&str]) -> Value {
    let args: Vec<&str> = ["bench", "--json"].iter().chain(words).copied().collect();
    let output = run(&args);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).expect("one JSON object")
}

#[test]
fn measures_against_the_bare_loop_on_a_data_set_that_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("a UTF-8 path");
    let drawing = folder.path().join("figures.svg");
    let svg = drawing.to_str().expect("a UTF-8 path");
    let short = ["--warmup", "50ms", "--duration", "300ms", "--data", data];

    let size = ["create", "--orders", "120", "--refunds", "600", "--baseline", "--svg", svg];
    let create = bench(&[&size[..], &short[..]].concat());
    assert!(create["per_second"]["settled_refunds"].as_f64().is_some_and(|rate| rate > 0.0), "{create}");
    assert!(create["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{create}");
    assert!(create["latency_us"]["create"]["p99.9"].as_u64().is_some_and(|us| us > 0), "{create}");
    assert!(create["figures"]["memory"]["value"].as_f64().is_some_and(|mib| mib > 1.0), "{create}");
    let drawing = std::fs::read_to_string(drawing).expect("a drawing");
    assert!(drawing.contains("settled refunds/s") && drawing.ends_with("</svg>\n"));

    for scenario in ["engine", "mixed", "quote", "get"] {
        let report = bench(&[&[scenario][..], &short[..]].concat());
        assert_eq!(report["setup"]["data_set"], "orders=120 refunds=600 seed=1", "found again");
        assert!(report["per_second"].as_object().is_some_and(|rates| !rates.is_empty()), "{report}");
    }
    let open = bench(&[&["create", "--rate", "50"][..], &short[..]].concat());
    assert_eq!(open["latency_us"]["create"]["count"], 15, "all that were due");

    let audit = run(&["audit", "--data", data]);
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

#[test]
fn asks_for_every_list_and_imports_every_format() {
    let lists = bench(&["list", "--orders", "60", "--refunds", "300", "--duration", "10ms"]);
    let latencies = lists["latency_us"].as_object().expect("latencies");
    assert!(latencies.len() > 60, "every filter alone and with two others");
    assert!(latencies.values().all(|latency| latency["count"].as_u64().is_some_and(|count| count > 0)));
    let imports = bench(&["import", "--orders", "40"]);
    assert_eq!(imports["per_second"].as_object().map(serde_json::Map::len), Some(4), "{imports}");
}
