//! The query of the order list, and what a document says that an order is found by.

use refundry_core::balances::Facts;
use refundry_core::money::Decimal;
use refundry_core::order::Reference;
use refundry_core::query::{AnyOf, Beside, OrderQuery, Page, SortBy};
use refundry_core::standing::{Goods, Money, Stage};
use refundry_core::terms::{Term, TermKind};
use serde_json::json;

use super::super::{Version, orders_list, terms};

const LEGACY: Version = Version::V202201;
const MODERN: Version = Version::V202506;

fn read(version: Version, query: &str) -> OrderQuery {
    orders_list::query(version, query).unwrap()
}

fn refused(version: Version, query: &str) -> String {
    orders_list::query(version, query).unwrap_err().sentence()
}

#[test]
fn nothing_asked_is_the_newest_ten_with_documents() {
    for version in [LEGACY, MODERN] {
        let expected = OrderQuery { beside: Beside::PARCELS, ..OrderQuery::default() };
        assert_eq!(read(version, ""), expected);
        assert_eq!(orders_list::count(version, "page=0&sort_by=x&page_size=9999").unwrap(), expected);
        assert_eq!(read(version, "status=&ids=&keyword=%20&nonsense=1"), expected);
    }
}

#[test]
fn modern_lists_have_no_page_numbers() {
    assert_eq!(read(MODERN, "page=3&page_size=20").page, Page::Start);
}

#[test]
fn legacy_lists_have_pages_and_the_older_filters() {
    let query = read(LEGACY, "ids=11-1,22&limit=20&page=3&status=placed&financial_status=paid,refunding");
    assert_eq!((query.limit, query.page), (20, Page::Skip(40)));
    assert_eq!(
        query.orders,
        Some(vec![Reference { text: "11-1".to_owned(), ours: None }, super::super::reference("22")])
    );
    assert_eq!(query.stages, Some(vec![Stage::Placed]));
    assert_eq!(query.money, Some(vec![Money::Paid, Money::Refunding]));
    let ignored = "sort_by=updated_at&cursor=x&keyword=a&total_min=x&finished_at_min=x&customer_id=1&page_size=9999";
    assert_eq!(read(LEGACY, ignored), read(LEGACY, ""));
}

#[test]
fn times_are_inclusive_to_the_second() {
    let query = read(
        MODERN,
        "placed_at_min=2024-06-24T08:17:59Z&placed_at_max=2024-06-24T08:17:59Z&fulfilled_at_max=2024-06-24",
    );
    assert_eq!(query.placed.from_ms.zip(query.placed.to_ms), Some((1_719_217_079_000, 1_719_217_079_999)));
    assert_eq!(query.fulfilled.to_ms, Some(1_719_187_200_999));
    assert_eq!(query.fulfilled.from_ms, None);
    let older = read(LEGACY, "created_at_min=2024-06-24&updated_at_max=2024-06-24T00:00:00.5Z");
    assert_eq!(older.created.from_ms.zip(older.updated.to_ms), Some((1_719_187_200_000, 1_719_187_200_500)));
}

#[test]
fn states_that_no_order_has_match_nothing() {
    let query = read(MODERN, "financial_status=authorized&fulfillment_status=returned&fulfillment_status[]=shipped");
    assert_eq!((query.money, query.goods), (Some(vec![]), Some(vec![Goods::Shipped])));
    let waiting = read(LEGACY, "recovery_status=waiting,failed").words;
    assert_eq!(waiting, [AnyOf { or_none: true, ..AnyOf::whole(TermKind::Recovery, ["waiting", "failed"]) }]);
    assert!(!read(LEGACY, "recovery_status=success").words[0].or_none);
}

#[test]
fn words_are_looked_for_whole_or_by_their_beginning() {
    let query = read(
        MODERN,
        "customer_emails=A@x.com,b@x.com&shipping_phones=%2B1%20555-01&total_min=10&total_max=20.5&keyword=Blue%20shirt\
         &keyword_scope_fields=product_title,skus&fuzzy_keywords=a&fuzzy_keywords=b&fuzzy_fields=number",
    );
    let total = |text: &str| Some((Decimal::parse(text).unwrap(), true));
    assert_eq!((query.total.from, query.total.to), (total("10"), total("20.5")));
    assert_eq!(
        query.words,
        [
            AnyOf::whole(TermKind::CustomerEmail, ["a@x.com", "b@x.com"]),
            AnyOf::whole(TermKind::ShippingPhone, ["155501"]),
            AnyOf::beginning(&[TermKind::Title, TermKind::Sku], ["blue shirt"]),
            AnyOf::beginning(&[TermKind::Number], ["a", "b"]),
        ]
    );
    let each = read(MODERN, "fuzzy_keywords=a,b&fuzzy_relation=and").words;
    assert_eq!(each.iter().map(|any| any.texts.clone()).collect::<Vec<_>>(), [["a"], ["b"]]);
    assert!(each[0].begins && each[0].kinds.contains(&TermKind::Name));
    assert_eq!(read(MODERN, "shipping_phones=none").words, [AnyOf::whole(TermKind::ShippingPhone, [])]);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_name_and_what_is_allowed() {
    let cases = [
        (LEGACY, "status=open", "status must be among opened, placed, finished, cancelled"),
        (LEGACY, "limit=251", "limit must be a whole number from 1 to 250"),
        (LEGACY, "page=0", "page must be a whole number from 1 to 4294967295"),
        (LEGACY, "placed_at_min=soon", "placed_at_min must be an ISO 8601 time such as 2024-06-24T08:17:59Z"),
        (MODERN, "page_size=0", "page_size must be a whole number from 1 to 250"),
        (MODERN, "cursor=x", "cursor must be one that a page of this list gave"),
        (MODERN, "sort_by=total", "sort_by must be created_at or updated_at"),
        (MODERN, "total_min=1e3", "total_min must be an amount such as 10.00"),
        (MODERN, "fuzzy_relation=xor", "fuzzy_relation must be or or and"),
        (MODERN, "recovery_status=won", "recovery_status must be among waiting, sending, recalling, failed, success"),
    ];
    for (version, query, sentence) in cases {
        assert_eq!(refused(version, query), sentence);
    }
    assert!(refused(MODERN, "keyword_scope_fields=colour").starts_with("keyword_scope_fields must be among number,"));
    assert!(refused(MODERN, "fuzzy_fields=colour").starts_with("fuzzy_fields must be among number,"));
    let many = |key: &str, count: usize| format!("{key}={}", vec!["x"; count].join(","));
    assert_eq!(refused(LEGACY, &many("ids", 251)), "ids must be at most 250 ids");
    assert_eq!(refused(MODERN, &many("skus", 51)), "skus must be at most 50 values");
    assert_eq!(refused(MODERN, &many("fuzzy_keywords", 11)), "fuzzy_keywords must be at most 10 values");
}

#[test]
fn a_cursor_leads_on_from_the_last_order() {
    let mut order = (*super::stored(super::FILES[0]).facts.order).clone();
    (order.id, order.created_ms, order.updated_ms) = (7, 5, 9);
    let mut facts = Facts::fresh(order);
    facts.balances.updated_ms = 11;
    for (text, sort, key_ms) in [("created_at", SortBy::Created, 5), ("updated_at", SortBy::Updated, 11)] {
        let first = read(MODERN, &format!("sort_by={text}&sort_direction=asc"));
        let cursor = orders_list::cursor_after(&first, &facts);
        let next = read(MODERN, &format!("cursor={cursor}&page_size=3"));
        assert_eq!((next.sort, next.descending, next.limit), (sort, false, 3));
        assert_eq!(next.page, Page::Key { key_ms, id: 7 });
    }
}

#[test]
fn a_document_says_whom_and_what_an_order_is_found_by() {
    let order = json!({
        "browser_ip": "10.0.0.1",
        "sales_platform": "Web",
        "recovery_status": "waiting",
        "tags": "vip, Late ",
        "customer": {"id": 42, "email": "Ann@X.com", "first_name": "Ann", "last_name": "Lee", "phone": null},
        "shipping_address": {"email": "s@x.com", "phone": "555-01", "phone_area_code": "+1", "name": "Ann Lee"},
        "location_line": {"location_id": "loc-1"},
        "line_items": [{"spu": "SPU-1"}, {"spu": ""}, 7],
    });
    let term = |kind, text: &str| Term { kind, text: text.to_owned() };
    assert_eq!(
        terms::of(&order),
        [
            term(TermKind::Customer, "42"),
            term(TermKind::CustomerEmail, "ann@x.com"),
            term(TermKind::ShippingEmail, "s@x.com"),
            term(TermKind::ShippingPhone, "155501"),
            term(TermKind::ShippingPhone, "55501"),
            term(TermKind::BrowserIp, "10.0.0.1"),
            term(TermKind::Spu, "spu-1"),
            term(TermKind::Tag, "late"),
            term(TermKind::Tag, "vip"),
            term(TermKind::Platform, "web"),
            term(TermKind::Name, "ann lee"),
            term(TermKind::Name, "lee"),
            term(TermKind::Place, "loc-1"),
        ]
    );
    let list = json!({"tags": ["a"], "recovery_status": "success"});
    assert_eq!(terms::of(&list), [term(TermKind::Tag, "a"), term(TermKind::Recovery, "success")]);
    for nothing in [json!(null), json!([]), json!({"customer": 1, "line_items": {}})] {
        assert_eq!(terms::of(&nothing), []);
    }
}
