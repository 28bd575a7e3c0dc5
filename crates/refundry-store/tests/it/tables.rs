//! Stores, tokens, node numbers and returns.

use refundry_core::order::{Id, Reference};
use refundry_core::returns::{Return, ReturnLine, ReturnReason, ReturnState};
use refundry_store::nodes::{self, NODE_MAX, Node};
use refundry_store::returns;
use refundry_store::stores::{self, StoreRecord};
use refundry_store::tokens::{self, TokenRecord};
use refundry_store::{Store, StoreError};

use crate::{Backend, NOW_MS, Scratch};

on_both!(
    stores_are_found_by_handle_and_by_id,
    a_token_opens_its_store_until_it_is_revoked,
    a_node_number_has_one_holder_at_a_time,
    returns_are_found_by_their_number_and_by_their_order,
);

fn stores_are_found_by_handle_and_by_id(on: Backend) {
    let scratch = Scratch::new(on);
    let (live, test) = (store_record(1, "shop"), store_record(2, "shop-test"));
    scratch.store.write(|tx| stores::insert(tx, &test)).unwrap();
    scratch.store.write(|tx| stores::insert(tx, &live)).unwrap();

    let clash = scratch.store.write(|tx| stores::insert(tx, &store_record(3, "shop")));
    assert_eq!(clash, Err(StoreError::Conflict { constraint: "stores_handle".to_owned() }));
    let clash = scratch.store.write(|tx| stores::insert(tx, &store_record(1, "other")));
    assert_eq!(clash, Err(StoreError::Conflict { constraint: "stores_id".to_owned() }));

    scratch
        .store
        .read(|tx| {
            assert_eq!(stores::by_handle(tx, "shop")?, Some(live.clone()));
            assert_eq!(stores::by_handle(tx, "nobody")?, None);
            assert_eq!(stores::by_id(tx, 2)?, Some(test.clone()));
            assert_eq!(stores::list(tx)?, [live.clone(), test.clone()]);
            Ok(())
        })
        .unwrap();

    let changed = scratch.store.write(|tx| {
        assert!(!stores::update(tx, 9, "", "{}")?);
        assert!(stores::update(tx, 1, "New name", r#"{"wait_ms":0}"#)?);
        stores::by_id(tx, 1)
    });
    let settings = r#"{"wait_ms":0}"#.to_owned();
    assert_eq!(changed, Ok(Some(StoreRecord { name: "New name".to_owned(), settings, ..live })));
}

fn a_token_opens_its_store_until_it_is_revoked(on: Backend) {
    let scratch = Scratch::new(on);
    let store = store_record(1, "shop");
    let token = token_record(1, "aa");
    scratch
        .store
        .write(|tx| {
            stores::insert(tx, &store)?;
            tokens::insert(tx, &token)?;
            tokens::insert(tx, &token_record(1, "bb"))
        })
        .unwrap();
    assert_eq!(find(&scratch.store, "aa"), Some((token.clone(), store)));
    assert_eq!(find(&scratch.store, "cc"), None);

    let clash = scratch.store.write(|tx| tokens::insert(tx, &token_record(2, "aa")));
    assert_eq!(clash, Err(StoreError::Conflict { constraint: "tokens_hash".to_owned() }));

    let revoke = |hash| scratch.store.write(|tx| tokens::revoke(tx, 1, hash, NOW_MS + 5));
    assert_eq!((revoke("aa"), revoke("aa"), revoke("cc")), (Ok(true), Ok(false), Ok(false)));
    assert_eq!(find(&scratch.store, "aa"), None);
    let revoked = TokenRecord { revoked_ms: Some(NOW_MS + 5), ..token };
    let listed = scratch.store.read(|tx| tokens::list(tx, 1));
    assert_eq!(listed, Ok(vec![revoked, token_record(1, "bb")]));
}

fn a_node_number_has_one_holder_at_a_time(on: Backend) {
    let scratch = Scratch::new(on);
    let lease =
        |holder: &str, now_ms| scratch.store.write(|tx| nodes::lease(tx, holder, now_ms, now_ms + 100)).unwrap();
    let renew = |node, holder: &str, until_ms, high_ms| {
        scratch.store.write(|tx| nodes::renew(tx, node, holder, until_ms, high_ms)).unwrap()
    };
    assert_eq!(lease("a", 0), Some(Node { node: 0, high_ms: 0 }));
    assert_eq!(lease("b", 0), Some(Node { node: 1, high_ms: 0 }));
    assert!(renew(0, "a", 200, 150));
    assert!(renew(0, "a", 200, 120), "the high mark never falls");
    assert!(!renew(0, "b", 999, 999), "not its number");

    assert_eq!(lease("c", 100), Some(Node { node: 1, high_ms: 0 }), "b's lease ran out");
    assert!(!renew(1, "b", 999, 999), "b has lost it");
    assert_eq!(lease("d", 200), Some(Node { node: 0, high_ms: 150 }), "it starts above a's ids");

    for _ in 2..=NODE_MAX {
        assert!(lease("many", 150).is_some());
    }
    assert_eq!(lease("one too many", 150), None);
}

fn returns_are_found_by_their_number_and_by_their_order(on: Backend) {
    let scratch = Scratch::new(on);
    let (first, second, other) = (return_of(7, 20), return_of(7, 10), return_of(8, 30));
    let second = Return { created_ms: NOW_MS + 1, lines: Vec::new(), processed_ms: None, ..second };
    scratch
        .store
        .write(|tx| {
            for back in [&second, &other, &first] {
                returns::insert(tx, 1, back)?;
            }
            returns::insert(tx, 2, &other)
        })
        .unwrap();
    let twice = scratch.store.write(|tx| returns::insert(tx, 1, &return_of(9, 30)));
    assert_eq!(twice, Err(StoreError::Conflict { constraint: "returns_store_id".to_owned() }));

    let closed = Return { state: ReturnState::Closed, updated_ms: NOW_MS + 9, notify: true, ..first.clone() };
    scratch.store.write(|tx| returns::update(tx, 1, &closed)).unwrap();
    scratch
        .store
        .read(|tx| {
            assert_eq!(returns::of_order(tx, 1, 7)?, [closed.clone(), second.clone()], "oldest first");
            assert_eq!(returns::of_order(tx, 1, 9)?, []);
            assert_eq!(returns::get(tx, 1, 20)?, Some(closed.clone()));
            assert_eq!((returns::get(tx, 2, 20)?, returns::get(tx, 1, 40)?), (None, None));
            assert_eq!(returns::find(tx, 2, &Reference::plain("30"))?, Some(other.clone()));
            assert_eq!(returns::find(tx, 2, &Reference::plain("R30"))?, None, "no platform's id is known");
            Ok(())
        })
        .unwrap();
}

fn return_of(order: Id, id: Id) -> Return {
    let line =
        |id, parcel, reason, note: &str| ReturnLine { id, parcel, line: 3, quantity: 2, reason, note: note.to_owned() };
    Return {
        id,
        order,
        state: ReturnState::Open,
        reason: "too \"warm\"".to_owned(),
        notify: false,
        processed_ms: Some(NOW_MS - 5),
        lines: vec![line(id + 1, Some(4), Some(ReturnReason::TooSmall), "worn'"), line(id + 2, None, None, "")],
        created_ms: NOW_MS,
        updated_ms: NOW_MS,
    }
}

fn find(store: &Store, hash: &str) -> Option<(TokenRecord, StoreRecord)> {
    store.read(|tx| tokens::find(tx, hash)).unwrap()
}

fn store_record(id: i64, handle: &str) -> StoreRecord {
    StoreRecord {
        id,
        handle: handle.to_owned(),
        name: format!("The {handle}"),
        currency: "USD".to_owned(),
        settings: "{}".to_owned(),
        created_ms: NOW_MS,
    }
}

fn token_record(store: i64, hash: &str) -> TokenRecord {
    TokenRecord {
        store,
        hash: hash.to_owned(),
        label: "script".to_owned(),
        scopes: "refunds:write".to_owned(),
        created_ms: NOW_MS,
        revoked_ms: None,
    }
}
