//! Options, and what becomes of figures: text, JSON, a drawing.

use std::path::Path;
use std::time::Duration;

use super::{parsed, refused};
use crate::bench::args::{time, time_above_zero};
use crate::bench::chart::svg;
use crate::bench::client::Target;
use crate::bench::load::{WriterFigures, histogram};
use crate::bench::report::{Figure, Latency, Rate, Report};
use crate::bench::server::{Memory, kind_of, without_password};

fn report() -> Report {
    let mut latency_us = histogram().unwrap();
    (1..=1_000).for_each(|us| latency_us.saturating_record(us * 10));
    Report {
        scenario: "create",
        rates: vec![Rate::of("settled refunds", 5_000, Duration::from_millis(2_500))],
        latencies: vec![Latency::of("create & <more>", &latency_us)],
        figures: vec![Figure { name: "memory", value: 51.5, unit: "MiB", detail: "60 MiB at most".to_owned() }],
        baseline: Some(Rate::of("bare loop", 8_000, Duration::from_secs(2))),
        setup: vec![("data set", "orders=2".to_owned())],
        failure: None,
    }
}

#[test]
fn figures_are_shown_to_people() {
    let expected = "\
settled refunds/s         2000  (5000 in 2.50 s)
bare loop/s               4000  (8000 in 2.00 s)
ratio                     0.50 of the bare loop
memory                    51.50 MiB  (60 MiB at most)
data set                  orders=2

latency in ms         p50       p90       p99     p99.9       max     count
create & <more>      5.00      9.01      9.90      9.99     10.01      1000";
    assert_eq!(report().text(), expected);
}

#[test]
fn figures_are_given_to_scripts() {
    let json = report().json();
    assert_eq!(json["scenario"], "create");
    assert_eq!(json["per_second"]["settled_refunds"], 2_000.0);
    assert_eq!((&json["baseline_per_second"], &json["ratio"]), (&4_000.0.into(), &0.5.into()));
    assert_eq!(json["latency_us"]["create & <more>"]["count"], 1_000);
    assert!((9_900..9_910).contains(&json["latency_us"]["create & <more>"]["p99"].as_u64().unwrap()));
    assert_eq!(json["figures"]["memory"]["value"], 51.5);
    assert_eq!(json["setup"]["data_set"], "orders=2");
    assert_eq!(json["failure"], serde_json::Value::Null);
    assert_eq!(Report::default().json()["ratio"], serde_json::Value::Null);
}

#[test]
fn figures_are_drawn() {
    let drawing = svg(&report());
    assert!(drawing.starts_with("<svg ") && drawing.ends_with("</svg>\n"));
    assert_eq!(drawing.matches("<text").count(), drawing.matches("</text>").count());
    for shown in ["create &amp; &lt;more&gt;", ">2000<", "bare loop: 4000/s", "0.50 of it", "5.00 / 9.90", "10 ms"] {
        assert!(drawing.contains(shown), "{shown}: {drawing}");
    }
    // The bar is half as long as the line is far away.
    assert!(drawing.contains(r#"<rect x="280.0" y="65.0" width="250.0""#), "{drawing}");
    assert!(drawing.contains(r#"<line x1="780.0""#));
    assert!(svg(&Report::default()).contains("</svg>"), "nothing to draw is no reason to fail");
}

#[test]
fn options_have_their_defaults() {
    assert_eq!(parsed(&[]).scenario.name(), "create");
    assert_eq!((parsed(&[]).connections(), parsed(&["list"]).connections()), (64, 4));
    assert_eq!(parsed(&["--rate", "5"]).connections(), 256);
    assert_eq!(parsed(&["--rate", "5", "--connections", "9"]).connections(), 9);
    assert_eq!(parsed(&[]).duration(), Duration::from_secs(10));
    assert_eq!(parsed(&["list"]).duration(), Duration::from_secs(1));
    assert_eq!(parsed(&["one-order", "--seconds", "3"]).duration(), Duration::from_secs(3));
}

#[test]
fn options_that_mean_nothing_together_are_refused() {
    for words in [
        &["list", "--baseline"][..],
        &["engine", "--rate", "5"],
        &["import", "--url", "http://127.0.0.1:1"],
        &["start", "--rate", "5"],
    ] {
        assert!(parsed(words).check().is_err(), "{words:?}");
    }
    for words in [&["create", "--baseline"][..], &["mixed", "--rate", "5"], &["engine", "--baseline"], &["list"]] {
        assert!(parsed(words).check().is_ok(), "{words:?}");
    }
    for words in [
        &["--url", "http://127.0.0.1:1", "--data", "x"][..],
        &["--url", "http://127.0.0.1:1", "--baseline"],
        &["--url", "http://127.0.0.1:1", "--refunds", "5"],
        &["--rate", "0"],
        &["--connections", "0"],
        &["--duration", "0s"],
        &["other"],
    ] {
        assert!(refused(words), "{words:?}");
    }
}

#[test]
fn times_have_a_unit_or_are_seconds() {
    assert_eq!(time("2s"), Ok(Duration::from_secs(2)));
    assert_eq!(time("2"), Ok(Duration::from_secs(2)));
    assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(time("3m"), Ok(Duration::from_mins(3)));
    assert_eq!(time("0s"), Ok(Duration::ZERO));
    for wrong in ["", "s", "-1s", "1.5s", "2 s", "2h", "4294967296s"] {
        assert!(time(wrong).is_err(), "{wrong}");
    }
    assert!(time_above_zero("0ms").is_err());
}

#[test]
fn a_server_has_an_address_and_no_path() {
    let shown = |text: &str| text.parse::<Target>().map(|target| target.to_string());
    assert_eq!(shown("http://127.0.0.1:8080"), Ok("http://127.0.0.1:8080".to_owned()));
    assert_eq!(shown("http://refunds.example/"), Ok("http://refunds.example:80".to_owned()));
    assert_eq!(shown("http://[::1]:9"), Ok("http://[::1]:9".to_owned()));
    for wrong in ["", "127.0.0.1:8080", "https://example.com", "http://example.com/v1", "http://"] {
        assert!(shown(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_database_is_shown_without_its_password() {
    assert_eq!(without_password("postgres://me:secret@db:5432/r"), "postgres://me@db:5432/r");
    assert_eq!(without_password("postgres://db/r?host=/tmp"), "postgres://db/r?host=/tmp");
    assert_eq!(without_password("postgres://me@db/r"), "postgres://me@db/r");
}

#[test]
fn figures_of_the_writer_are_read_from_the_metrics() {
    let page = "# HELP refundry_writer_batches x\nrefundry_writer_batches 4\nrefundry_writer_jobs 300\n# EOF\n";
    let figures = WriterFigures::read(page).unwrap();
    assert_eq!(figures, WriterFigures { transactions: 4, jobs: 300 });
    assert_eq!(WriterFigures::read("refundry_writer_batches 4\n"), None);
    assert!((figures.figure().unwrap().value - 75.0).abs() < 0.01);
    assert_eq!(figures.since(figures).figure(), None);
}

#[test]
fn memory_is_read_from_the_kernels_page() {
    let page = "Name:\trefundry\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nThreads:\t9\n";
    let memory = Memory::read(page).unwrap();
    assert_eq!(memory, Memory { resident_kib: 102_400, peak_kib: 204_800 });
    assert_eq!((memory.figure().value, memory.figure().detail.as_str()), (100.0, "200 MiB at most"));
    assert_eq!(Memory::read("VmRSS: 1 kB\n"), None);
}

#[test]
fn the_nearest_mount_tells_the_file_system() {
    let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/disk xfs rw 0 0\n";
    let kind = |folder: &str| kind_of(mounts, Path::new(folder));
    assert_eq!(kind("/tmp/a").as_deref(), Some("tmpfs"));
    assert_eq!(kind("/tmp/disk/a").as_deref(), Some("xfs"));
    assert_eq!(kind("/tmpfile").as_deref(), Some("ext4"));
}
