//! A database of an earlier schema, full of business, is brought up to date and its books still agree.
//!
//! It is made by taking a database of today back to that schema, by hand: what the migration then makes of it must be
//! what it was.

use refundry_engine::accept::{Job, Outcome};
use refundry_engine::by_hand::CancelFault;
use refundry_store::outbox::{self, Stage};
use refundry_store::{Options, Store, StoreError, Tx};

use crate::books::{fill, ours, plain};
use crate::shop::{Backend, NOW_MS, Shop, amount};
use crate::twins::{Dump, columns, dump};

on_both!(the_second_schema_becomes_the_newest_and_the_books_agree, a_leg_that_an_older_process_took_may_be_on_its_way,);

/// A process from before stages notes neither stage nor time of what it takes.
fn a_leg_that_an_older_process_took_may_be_on_its_way(on: Backend) {
    let shop = Shop::new(on);
    let order = shop.put(plain("a"));
    let made = shop.create(order, amount("10.00")).unwrap().refund;
    let taken = "UPDATE outbox SET stage = 'waiting', taken_ms = 0, attempts = 1";
    shop.engine.store().write(|tx| tx.execute(taken, &[]).map(|_| ())).unwrap();
    let cancel = Job::Cancel { store: shop.tenant, refund: ours(made.id), text: String::new() };
    assert!(matches!(shop.call(cancel), Outcome::Cancelled(Err(CancelFault::MayBeSent))));
    let row = |shop: &Shop| shop.engine.store().read(|tx| outbox::get(tx, shop.tenant, made.legs[0].id)).unwrap();
    assert_eq!(row(&shop).unwrap().stage, Stage::Calling);
    shop.tick(600_000);
    let call = shop.lease().remove(0);
    assert!(call.may_have_been_sent(), "it is looked up first");
    assert_eq!(row(&shop).unwrap().stage, Stage::InDoubt);
    shop.assert_clean();
}

fn the_second_schema_becomes_the_newest_and_the_books_agree(on: Backend) {
    let shop = Shop::new(on);
    fill(&shop);
    let mut away = plain("put away");
    away.life.closed_ms = Some(NOW_MS);
    shop.put(away);
    let store = shop.engine.store();
    // Blocks are no books: all older refunds become one.
    let mut columns = columns();
    columns.remove("refund_blocks");
    columns.get_mut("refunds").unwrap().retain(|column| column != "block");
    // What was heard of legs was not kept, nor where each stands on its way out.
    columns.remove("evidence");
    columns.get_mut("outbox").unwrap().retain(|c| !["stage", "taken_ms", "before_ms", "rung"].contains(&c.as_str()));
    // Stock was not counted, so refunds from then have moved none.
    for table in ["locations", "variants", "stock", "stock_moves"] {
        columns.remove(table);
    }
    // A new process has a number of its own.
    columns.remove("nodes");
    columns.remove("schema_migrations");
    // Balances did not note the newest number of their order; what else they hold is the audit's to judge.
    columns.remove("balances");
    let before: Dump = dump(store, &columns);
    assert!(before["refund_skus"].len() > 10 && before["journal"].len() > 20, "there was business");
    assert!(before["order_index"].len() > 5 && before["order_terms"].len() > 20, "it was listed");

    store.write(back_to_the_second).unwrap();
    let Shop { engine, place, .. } = shop;
    drop(engine);
    let shop = Shop::open(place, NOW_MS, true);
    let newest = Store::open(&Options::memory(NOW_MS)).unwrap().schema_version();
    assert_eq!(shop.engine.store().schema_version(), newest);
    for (table, rows) in dump(shop.engine.store(), &columns) {
        assert_eq!(rows, before[&table], "rows of {table}");
    }
    shop.assert_clean();
}

fn back_to_the_second(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let run = |tx: &mut Tx<'_>, sql: &str| tx.execute(sql, &[]).map(|_| ());
    run(tx, "ALTER TABLE refunds ADD COLUMN skus TEXT NOT NULL DEFAULT ''")?;
    let names = "SELECT store, refund_id, sku FROM refund_skus ORDER BY store, refund_id, sku";
    let names = tx.query(names, &[], |row| Ok((row.int(0)?, row.int(1)?, row.string(2)?)))?;
    for (store, refund, sku) in names {
        let add = "UPDATE refunds SET skus = skus || ?3 WHERE store = ?1 AND id = ?2";
        tx.execute(add, &[store.into(), refund.into(), format!("\n{sku}\n").into()])?;
    }
    let balances = "SELECT store, order_id, sums FROM balances ORDER BY store, order_id";
    let balances = tx.query(balances, &[], |row| Ok((row.int(0)?, row.int(1)?, row.string(2)?)))?;
    for (store, order, sums) in balances {
        let older = format!("{}]", sums.rsplit_once(',').unwrap().0);
        let update = "UPDATE balances SET sums = ?3 WHERE store = ?1 AND order_id = ?2";
        tx.execute(update, &[store.into(), order.into(), older.into()])?;
    }
    for sql in [
        "DROP TABLE order_index",
        "DROP TABLE order_terms",
        "DROP INDEX balances_store_updated",
        "ALTER TABLE balances DROP COLUMN updated_ms",
        "DROP TABLE signing",
        "DROP TABLE deliveries",
        "DROP TABLE events",
        "DROP TABLE subscriptions",
        "DROP TABLE series",
        "DROP TABLE parcels",
        "DROP TABLE transactions",
        "DROP TABLE returns",
        "DROP TABLE stock_moves",
        "DROP TABLE stock",
        "DROP TABLE variants",
        "DROP TABLE locations",
        "DROP TABLE disputes",
        "DROP TABLE payment_references",
        "DROP TABLE inbox",
        "DROP TABLE evidence",
        "DROP TABLE gateways",
        // A leg that waited for a person was in no outbox.
        "DELETE FROM outbox WHERE stage = 'parked'",
        "DROP INDEX outbox_store_stage",
        "ALTER TABLE outbox DROP COLUMN stage",
        "ALTER TABLE outbox DROP COLUMN taken_ms",
        "ALTER TABLE outbox DROP COLUMN before_ms",
        "ALTER TABLE outbox DROP COLUMN rung",
        "DROP TABLE refund_days",
        "DROP INDEX refunds_store_state",
        "ALTER TABLE refunds DROP COLUMN begun",
        "CREATE INDEX refunds_store_state ON refunds (store, state, created_ms, id) WHERE state <> 'succeeded'",
        "DROP INDEX refunds_store_block_amount",
        "DROP INDEX refunds_store_partly",
        "DROP INDEX refunds_store_slow",
        "DROP INDEX refunds_store_created",
        "DROP INDEX refunds_store_updated",
        "DROP INDEX order_skus_store_order",
        "ALTER TABLE refunds DROP COLUMN block",
        "CREATE INDEX refunds_store_created ON refunds (store, created_ms, id)",
        "CREATE INDEX refunds_store_updated ON refunds (store, updated_ms, id)",
        "DROP TABLE refund_skus",
        "DROP TABLE refund_blocks",
        "CREATE TABLE old_journal (store BIGINT NOT NULL, order_id BIGINT NOT NULL, id BIGINT NOT NULL,
            refund_id BIGINT, happened_ms BIGINT NOT NULL, kind TEXT NOT NULL, postings TEXT NOT NULL,
            CONSTRAINT journal_store_order_id_id PRIMARY KEY (store, order_id, id)) {without_rowid}",
        "INSERT INTO old_journal SELECT store, order_id, id, refund_id, happened_ms, kind, postings FROM journal",
        "DROP TABLE journal",
        "ALTER TABLE old_journal RENAME TO journal",
        "DELETE FROM schema_migrations WHERE version > 2",
    ] {
        run(tx, sql)?;
    }
    Ok(())
}
