//! Data sets: the same seed makes the same, every refund is there, and the books balance.

use refundry_core::order::Dialect;
use refundry_dialects::read_order;
use refundry_engine::store::audit::{AuditOptions, audit};

use super::parsed;
use crate::bench::baseline::{Bare, sqlite};
use crate::bench::dataset::document::document;
use crate::bench::dataset::order::{intake, lines_of, refunds_of};
use crate::bench::dataset::{Catalog, Size, Wish, ready};
use crate::bench::imports::Template;
use crate::bench::lists::{Values, cases};
use crate::bench::order_lists;
use crate::bench::random::Random;
use crate::cli::DataArgs;
use crate::database::idle_engine;

const SIZE: Size = Size { orders: 301, refunds: 1_234, seed: 5 };

#[test]
fn one_seed_always_makes_the_same() {
    let catalog = Catalog::of(SIZE);
    let other = Catalog::of(Size { seed: 6, ..SIZE });
    let drawn = |catalog: &Catalog| (0..20).map(|index| intake(catalog, index)).collect::<Vec<_>>();
    assert_eq!(drawn(&catalog), drawn(&catalog));
    assert_ne!(drawn(&catalog), drawn(&other));
    assert_ne!(intake(&other, 0).order.lines, intake(&catalog, 1).order.lines, "seeds are no shifted copies");
    for index in 0..SIZE.orders {
        let intake = intake(&catalog, index);
        assert_eq!(intake.order.lines.len(), lines_of(&catalog, index) as usize);
        assert_eq!(intake.refunds.len(), refunds_of(&catalog, index) as usize);
    }
}

#[test]
fn every_refund_that_is_asked_for_is_there() {
    for (orders, refunds) in [(301, 1_234), (300, 0), (2, 3), (1, 7), (1_000, 1), (7, 700)] {
        let catalog = Catalog::of(Size { orders, refunds, seed: 1 });
        let counts: Vec<u32> = (0..orders).map(|index| refunds_of(&catalog, index)).collect();
        assert_eq!(counts.iter().sum::<u32>(), refunds);
        assert!(counts.iter().all(|count| *count <= 2 * refunds.div_ceil(orders)), "{counts:?}");
    }
}

#[test]
fn a_data_set_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = idle_engine(&DataArgs::at(folder.path().to_owned(), None)).unwrap();
    let wish = |orders, refunds| Wish { orders, refunds, seed: SIZE.seed };
    let make = |wish| ready(&engine, wish, 10, &|_, _| ()).map(|catalog| catalog.size);
    assert_eq!(make(wish(Some(SIZE.orders), Some(SIZE.refunds))).unwrap(), SIZE);
    let report = audit(engine.store(), &AuditOptions::default()).unwrap();
    assert_eq!((report.findings_total, &report.findings), (0, &Vec::new()));
    // Those of the demo, those that the provider will decline, and those that will not end.
    assert!(report.refunds > u64::from(SIZE.refunds) + 60 && report.orders > u64::from(SIZE.orders));

    assert_eq!(make(wish(None, None)).unwrap(), SIZE, "whoever names no size takes what is there");
    assert_eq!(make(wish(Some(SIZE.orders), Some(SIZE.refunds))).unwrap(), SIZE);
    let again = audit(engine.store(), &AuditOptions::default()).unwrap();
    assert_eq!(again.entries, report.entries);
    let error = make(wish(Some(5), None)).unwrap_err().to_string();
    assert!(error.contains("another data set is there (orders=301 refunds=1234 seed=5)"), "{error}");
}

#[test]
fn more_refunds_than_the_lines_bear_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let engine = idle_engine(&DataArgs::at(folder.path().to_owned(), None)).unwrap();
    let wish = Wish { orders: Some(2), refunds: Some(1_000), seed: 1 };
    let error = ready(&engine, wish, 10, &|_, _| ()).unwrap_err().to_string();
    assert!(error.starts_with("1000 refunds are too many for 2 orders"), "{error}");
}

#[test]
fn sizes_are_read_back() {
    assert_eq!(SIZE.to_string().parse(), Ok(SIZE));
    for wrong in ["", "orders=1", "orders=1 refunds=2", "orders=x refunds=2 seed=3", "a b c"] {
        assert_eq!(wrong.parse::<Size>(), Err(()), "{wrong}");
    }
}

#[test]
fn a_document_is_the_same_order() {
    let catalog = Catalog::of(Size { orders: 50, refunds: 0, seed: 3 });
    for index in 0..50 {
        let ours = intake(&catalog, index).order;
        let read = read_order(Dialect::Native, &document(&ours), ours.created_ms).unwrap().order;
        assert_eq!((&read.components, read.lines.len()), (&ours.components, ours.lines.len()));
        assert_eq!(read.captured(), ours.captured());
    }
}

#[test]
fn chance_is_even_or_skewed_as_asked() {
    let mut random = Random::new(0, 0);
    let mut even = [0_u32; 10];
    let mut skewed = [0_u32; 8];
    for _ in 0..10_000 {
        even[random.below(10) as usize] += 1;
        skewed[random.skewed(8) as usize] += 1;
    }
    assert!(even.iter().all(|count| (900..1_100).contains(count)), "{even:?}");
    assert!((4_800..5_200).contains(&skewed[0]), "{skewed:?}");
    assert!(skewed.is_sorted_by(|left, right| left > right) && skewed[7] > 300, "{skewed:?}");
    assert_ne!(Random::new(1, 1).bits(), Random::new(2, 0).bits());
}

#[test]
fn lists_of_orders_are_asked_for_by_every_filter_and_in_pairs() {
    let cases = order_lists::cases();
    let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    let queries = cases.iter().map(|case| case.query(&Catalog::of(SIZE), &mut Random::new(1, 1)));
    let queries: Vec<_> = queries.collect();
    assert!(queries.iter().any(|query| query.money.is_some() && query.stages.is_some()), "pairs are asked for");
    assert!(queries.iter().all(|query| query.beside.document && (1..=250).contains(&query.limit)));
    let pages = queries.iter().map(|query| (format!("{:?}", query.page), query.sort, query.descending));
    assert!(pages.map(|page| format!("{page:?}")).collect::<std::collections::BTreeSet<_>>().len() > 4);
}

#[test]
fn lists_are_asked_for_in_words_that_are_understood() {
    let values = Values { catalog: Catalog::of(SIZE), cursors: vec!["cd_1_2".to_owned()], updated_ms: (0, 86_400_000) };
    let cases = cases();
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    for case in &cases {
        let address = case.address(&values, &mut Random::new(1, 1));
        let uri: hyper::Uri = address.parse().unwrap();
        assert!(!uri.query().unwrap_or_default().ends_with('&'), "{address}");
    }
    for key in ["order", "state", "sku", "reason", "failure_code", "created_from", "updated_to", "amount_min", "cursor"]
    {
        let names = |case: &&crate::bench::lists::Case| {
            case.address(&values, &mut Random::new(1, 1)).contains(&format!("{key}="))
        };
        assert!(cases.iter().filter(names).count() >= 2, "{key} is asked for");
    }
}

#[test]
fn an_example_becomes_another_order() {
    let template = Template::of(r#"{"order": {"id": "ord_120", "line": "of ord_120"}}"#).unwrap();
    assert_eq!(template.with_number(9_007), r#"{"order":{"id":"ord_007","line":"of ord_007"}}"#);
    assert!(Template::of("{}").is_err());
}

#[test]
fn the_bare_loop_counts_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let args = parsed(&["baseline", "--warmup", "0s", "--duration", "50ms"]);
    let bare = Bare { size: SIZE, warmup: args.warmup, window: args.duration() };
    let done = sqlite::run(&bare, folder.path(), &|_| ()).unwrap();
    assert!(done.refunds >= 128 && done.refunds.is_multiple_of(128));
    assert!(done.took >= bare.window);
}
