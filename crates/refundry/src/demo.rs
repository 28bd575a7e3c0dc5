//! `--demo`: a store with well-known tokens and the example orders.

use anyhow::{Context as _, bail};
use refundry_core::order::Dialect;
use refundry_dialects::read_order;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};

use crate::tenants::{add_store, add_token, store_called};

/// Handle of the demo store.
const HANDLE: &str = "demo";
/// What the demo tokens may do.
const ALL: &str = "read_orders write_orders read_products write_products admin";
const READING: &str = "read_orders read_products";
/// What deliveries of the demo store are signed with, unless it was given a secret of its own.
pub(crate) const WEBHOOK_SECRET: &str = "webhook_secret_demo";

/// Makes the demo store, its tokens and orders, unless they are there; gives its number.
pub(crate) fn seed(engine: &Engine) -> anyhow::Result<i64> {
    add_store(engine, HANDLE, "Demo store", "USD")?;
    let store = store_called(engine, HANDLE)?;
    add_token(engine, store.id, "sk_test_demo", "demo, everything", ALL)?;
    add_token(engine, store.id, "sk_test_demo_read", "demo, reading", READING)?;
    for (from, name, text) in EXAMPLES {
        take(engine, store.id, *from, text).with_context(|| format!("example order {name}"))?;
    }
    Ok(store.id)
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

macro_rules! example {
    ($dialect:ident, $file:literal) => {
        (Dialect::$dialect, $file, include_str!(concat!("../../../examples/orders/", $file)))
    };
}

/// The example orders, compiled in: the demo needs no files.
const EXAMPLES: &[(Dialect, &str, &str)] = &[
    example!(Native, "native/demo-1001.json"),
    example!(Native, "native/dinar-dollar-shop-with-duty-and-fee.json"),
    example!(Native, "native/tax-included-two-payments.json"),
    example!(Native, "native/yen-cash-on-delivery.json"),
    example!(Shoplazza, "shoplazza/cash-on-delivery-yen-tax-included-legacy.json"),
    example!(Shoplazza, "shoplazza/euro-market-tax-included-delivered.json"),
    example!(Shoplazza, "shoplazza/gift-card-and-card-fees-and-duty.json"),
    example!(Shoplazza, "shoplazza/kuwaiti-dinar-unfulfilled-legacy.json"),
    example!(Shoplazza, "shoplazza/two-lines-discount-added-tax.json"),
    example!(Shoplazza, "shoplazza/two-payments-two-refunds-already.json"),
    example!(Shopline, "shopline/cash-on-delivery-yen.json"),
    example!(Shopline, "shopline/gift-card-and-card-with-tip.json"),
    example!(Shopline, "shopline/kuwaiti-dinar-duties-two-payments.json"),
    example!(Shopline, "shopline/tax-included-paid-in-pounds.json"),
    example!(Shopline, "shopline/two-lines-discount-added-tax.json"),
    example!(Shopline, "shopline/two-refunds-already.json"),
    example!(DigitalRiver, "digital-river/fees-duty-and-importer-tax.json"),
    example!(DigitalRiver, "digital-river/gift-card-and-card-vat.json"),
    example!(DigitalRiver, "digital-river/kuwaiti-dinar-three-decimals.json"),
    example!(DigitalRiver, "digital-river/nothing-captured-yet.json"),
    example!(DigitalRiver, "digital-river/one-line-captured-one-open.json"),
    example!(DigitalRiver, "digital-river/two-lines-discounts-added-tax.json"),
    example!(DigitalRiver, "digital-river/two-refunds-already.json"),
    example!(DigitalRiver, "digital-river/yen-cash-on-delivery.json"),
];
