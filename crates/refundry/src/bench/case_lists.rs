//! The lists of after-sales cases, under each filter and where a page may start, with their numbers where the list
//! gives them: read in this process, like those of orders.

use refundry_core::query::{CaseQuery, Page, TimeRange};
use refundry_core::refund::Progress;

use super::dataset::Catalog;
use super::dataset::order::{DAY_MS, FIRST_MS, SPAN_MS};
use super::random::Random;

/// Narrows a query, with a value drawn for one request.
type Part = fn(CaseQuery, &Catalog, &mut Random) -> CaseQuery;

const FILTERS: &[(&str, Part)] = &[
    ("no filter", |query, _, _| query),
    ("pending", |query, _, _| CaseQuery { progress: Some(Progress::Untouched), ..query }),
    ("processing", |query, _, _| CaseQuery { progress: Some(Progress::Begun), ..query }),
    ("finished", |query, _, _| CaseQuery { progress: Some(Progress::Over), ..query }),
    ("created, 30 days", |query, _, random| CaseQuery { created: days(random, 30), ..query }),
    ("created, half of all", |query, _, random| CaseQuery { created: days(random, 365), ..query }),
    ("finished, half of all", |query, _, random| CaseQuery {
        progress: Some(Progress::Over),
        created: days(random, 365),
        ..query
    }),
];

/// Legacy lists have page numbers and say how many cases there are, modern ones have cursors and do not.
const PAGES: &[(&str, Part)] = &[
    ("", |query, _, _| query),
    ("with numbers", |query, _, _| CaseQuery { counted: true, ..query }),
    ("page far behind, with numbers", |query, catalog, random| CaseQuery {
        page: Page::Skip(u64::from(random.below(catalog.size.refunds.max(1)))),
        counted: true,
        ..query
    }),
    ("cursor", |query, _, random| {
        let key_ms = FIRST_MS + SPAN_MS / 1_000 * i64::from(random.below(1_000));
        CaseQuery { page: Page::Key { key_ms, id: 0 }, ..query }
    }),
    ("100 of them", |query, _, _| CaseQuery { limit: 100, ..query }),
];

/// One list.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: String,
    parts: [Part; 2],
}

impl Case {
    pub(super) fn query(&self, catalog: &Catalog, random: &mut Random) -> CaseQuery {
        let query =
            CaseQuery { progress: None, created: TimeRange::default(), page: Page::Start, limit: 20, counted: false };
        self.parts.iter().fold(query, |query, part| part(query, catalog, random))
    }
}

/// Every filter under every page.
pub(super) fn cases() -> Vec<Case> {
    let named =
        |filter: &str, page: &str| if page.is_empty() { filter.to_owned() } else { format!("{filter}, {page}") };
    let each = FILTERS.iter().flat_map(|filter| PAGES.iter().map(move |page| (filter, page)));
    each.map(|((filter, one), (page, two))| Case { name: named(filter, page), parts: [*one, *two] }).collect()
}

/// Some days within those of the data set.
fn days(random: &mut Random, days: i64) -> TimeRange {
    let wide_ms = days * DAY_MS;
    let from = FIRST_MS + (SPAN_MS - wide_ms) / 1_000 * i64::from(random.below(1_000));
    TimeRange { from_ms: Some(from), to_ms: Some(from + wide_ms) }
}
