//! `--demo`: a store with well-known tokens and the example orders.

use anyhow::{Context as _, bail};
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::store::stores::StoreRecord;
use refundry_engine::store::tokens::TokenRecord;
use refundry_engine::store::{stores, tokens};
use refundry_engine::tenants;

/// Handle of the demo store.
const HANDLE: &str = "demo";
/// Token with all scopes.
const TOKEN: &str = "sk_test_demo";
/// Token with read scopes only.
const TOKEN_READ: &str = "sk_test_demo_read";

/// Makes the demo store, its tokens and orders, unless they are there.
pub(crate) fn seed(engine: &Engine) -> anyhow::Result<()> {
    let store = store(engine)?;
    token(engine, store, TOKEN, "demo, everything", "read_orders write_orders admin")?;
    token(engine, store, TOKEN_READ, "demo, reading", "read_orders")
}

fn store(engine: &Engine) -> anyhow::Result<i64> {
    let record = StoreRecord {
        id: 0,
        handle: HANDLE.to_owned(),
        name: "Demo store".to_owned(),
        currency: "USD".to_owned(),
        settings: "{}".to_owned(),
        created_ms: engine.clock().now_ms(),
    };
    // `false` means that an earlier start made it.
    match engine.call(Job::AddStore(record))? {
        Outcome::Added(_) => {}
        _ => bail!("the writer answered something else than was asked"),
    }
    let found = engine.store().read(|tx| stores::by_handle(tx, HANDLE))?;
    Ok(found.context("the demo store was just made and is not there")?.id)
}

fn token(engine: &Engine, store: i64, secret: &str, label: &str, scopes: &str) -> anyhow::Result<()> {
    let hash = tenants::hash(secret.as_bytes());
    let known = engine.store().read(|tx| tokens::find(tx, &hash))?;
    if known.is_some() {
        return Ok(());
    }
    let record = TokenRecord {
        store,
        hash,
        label: label.to_owned(),
        scopes: scopes.to_owned(),
        created_ms: engine.clock().now_ms(),
        revoked_ms: None,
    };
    engine.call(Job::AddToken(record))?;
    Ok(())
}
