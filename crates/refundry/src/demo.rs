//! `--demo`: a store with well-known tokens and the example orders.

use anyhow::{Context as _, bail};
use refundry_core::order::Dialect;
use refundry_dialects::read_order;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};

use crate::tenants::{add_store, add_token, store_called};

/// Handle of the demo store.
const HANDLE: &str = "demo";

/// Makes the demo store, its tokens and orders, unless they are there.
pub(crate) fn seed(engine: &Engine) -> anyhow::Result<()> {
    add_store(engine, HANDLE, "Demo store", "USD")?;
    let store = store_called(engine, HANDLE)?;
    add_token(engine, store.id, "sk_test_demo", "demo, everything", "read_orders write_orders admin")?;
    add_token(engine, store.id, "sk_test_demo_read", "demo, reading", "read_orders")?;
    for (from, name, text) in EXAMPLES {
        take(engine, store.id, *from, text).with_context(|| format!("example order {name}"))?;
    }
    Ok(())
}

fn take(engine: &Engine, store: i64, from: Dialect, text: &str) -> anyhow::Result<()> {
    let document = serde_json::from_str(text)?;
    let intake = match read_order(from, &document, engine.clock().now_ms()) {
        Ok(intake) => Box::new(intake),
        Err(fault) => bail!("{fault:?}"),
    };
    match engine.call(Job::PutOrder { store, intake })? {
        Outcome::Put(Ok(_)) => Ok(()),
        // A refund changed the order since an earlier start; the demo goes on with what is there.
        Outcome::Put(Err(fault)) => {
            tracing::info!(?fault, "an example order was changed and stays as it is");
            Ok(())
        }
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// The example orders, compiled in: the demo needs no files.
const EXAMPLES: &[(Dialect, &str, &str)] = &[];
