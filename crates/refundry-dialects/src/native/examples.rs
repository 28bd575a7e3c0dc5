//! Examples for the OpenAPI document, made by the code itself: what they show is what the API answers.

use refundry_core::balances::Facts;
use refundry_core::command::CreateRefund;
use refundry_core::decide::{accept, decide};
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::money::{Amount, AmountError, Currency, Decimal};
use refundry_core::order::OrderFault;
use refundry_core::payouts::PaymentLimit;
use refundry_core::quote::alternatives;
use refundry_core::rejection::Rejection;
use serde_json::{Value, json};

use super::read::reference;
use super::{answers, ask, encode, order, orders};
use crate::body::{Fault, Fields, Malformed};
use crate::payouts::PayoutFault;
use crate::wire::{OrderView, RefundView, Refusal, Request, Scope, StoreView, TokenView};

/// The order of all examples, as it lies among the example orders.
const ORDER: &str = include_str!("../../../../examples/orders/native/demo-1001.json");
/// When the examples happen: 2026-11-02T10:00:00Z.
pub(super) const NOW_MS: i64 = 1_793_613_600_000;
/// Our numbers in the examples count up from here.
pub(super) const FIRST_ID: u64 = 179_361_360_000_000_001;

/// The order as it is sent.
pub(super) fn order_input() -> Value {
    serde_json::from_str(ORDER).unwrap_or(Value::Null)
}

/// One order a line, as an import sends them.
pub(super) fn import_input() -> Value {
    Value::from(format!("{}\n", order_input()))
}

/// A refund as it is sent: one shirt that was shipped came back, and half of the shipping.
pub(super) fn refund_input() -> Value {
    json!({
        "order": "demo-1001",
        "ask": {"parts": {
            "units": [{"line": "shirt", "quantity": 1, "from": "returned", "restock": "return"}],
            "shipping": "5.00",
        }},
        "reason": "changed_mind",
        "note": "Came back unworn",
        "notify": true,
        "metadata": {"ticket": "T-4711"},
    })
}

/// Other ways to ask, by name.
pub(super) fn more_refund_inputs() -> Vec<(&'static str, Value)> {
    let of = |ask: Value| json!({"order": "demo-1001", "ask": ask});
    vec![
        ("amount", of(json!({"amount": "9.99"}))),
        ("amount_of_shipping", of(json!({"amount": "4.00", "type": "shipping"}))),
        ("percent", of(json!({"percent": "50"}))),
        ("items", of(json!({"items": [{"sku": "MUG-STONE", "amount": "12.50"}, {"line": "shirt", "percent": "10"}]}))),
        ("everything", of(json!({"everything": true}))),
        (
            "stated_payments",
            json!({
                "order": "demo-1001",
                "ask": {"parts": {"tip": "remaining", "additional_named": [{"name": "Gift Wrapping", "gross": "2.00"}]}},
                "payments": [{"payment": "card-1", "amount": "7.00"}],
            }),
        ),
        ("strategy", json!({"order": "demo-1001", "ask": {"amount": "9.99"}, "strategy": "fewest_refunds"})),
    ]
}

fn intake() -> Intake {
    order::read(&order_input(), NOW_MS).expect("the example order reads, as a test makes sure")
}

/// The order with our numbers.
pub(super) fn facts() -> Facts {
    let mut order = intake().order;
    let mut next = FIRST_ID..;
    order.id = next.next().unwrap_or_default();
    for line in &mut order.lines {
        line.id = next.next().unwrap_or_default();
    }
    for payment in &mut order.payments {
        payment.id = next.next().unwrap_or_default();
    }
    Facts::fresh(order)
}

fn refund_command() -> CreateRefund {
    let body = refund_input();
    let request = Request { method: "POST", path: "", query: "", headers: &[], body: &[], now_ms: NOW_MS };
    let fields = Fields::root(&body).expect("the example is an object");
    ask::read(&fields, reference("demo-1001"), &request).expect("the example reads, as a test makes sure")
}

/// The example refund, just accepted, and the facts after it.
pub(super) fn refunded() -> (RefundView, Facts) {
    let (before, command) = (facts(), refund_command());
    let quote = decide(&before, &command.request).expect("the example is accepted, as a test makes sure");
    let mut id = FIRST_ID.saturating_add(100);
    let mut next_id = || {
        id = id.saturating_add(1);
        id
    };
    let decision = accept(&before, &command, quote, NOW_MS, &mut next_id);
    let view = RefundView { refund: decision.refund, order: before.order.clone(), beside: None, live: false };
    (view, Facts { balances: decision.balances, ..before })
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}

/// The refund as it is answered.
pub(super) fn refund() -> Value {
    value(&encode::refund(&refunded().0))
}

/// A page of refunds.
pub(super) fn refund_page() -> Value {
    value(&answers::Page { data: vec![encode::refund(&refunded().0)], next_cursor: None })
}

/// What the refund would be.
pub(super) fn quote() -> Value {
    let facts = facts();
    let request = refund_command().request;
    let quote = decide(&facts, &request).expect("the example is accepted, as a test makes sure");
    let plans = alternatives(&facts, &request, &quote);
    value(&encode::quote(&facts.order, &quote, &plans, facts.payments_left()))
}

/// The order after the refund.
pub(super) fn order() -> Value {
    value(&orders::order(&OrderView { document: ORDER.to_owned(), ..OrderView::bare(refunded().1) }))
}

/// A page of orders.
pub(super) fn order_page() -> Value {
    json!({"data": [order()], "next_cursor": Value::Null})
}

/// What came of an import.
pub(super) fn imported() -> Value {
    let faults = vec![super::reject::import_fault(2, &contradiction())];
    value(&answers::Imported { created: 1, changed: 0, unchanged: 0, failed: 1, faults })
}

/// A store.
pub(super) fn store() -> Value {
    value(&encode::store(&StoreView {
        id: FIRST_ID,
        handle: "demo".to_owned(),
        name: "Demo".to_owned(),
        currency: "USD".to_owned(),
        created_ms: NOW_MS,
    }))
}

/// A token, with its secret where it was just made.
pub(super) fn token(made: bool) -> Value {
    value(&encode::token(&TokenView {
        id: "9f86d081884c7d65".to_owned(),
        label: "Help desk".to_owned(),
        scopes: vec![Scope::ReadOrders, Scope::WriteOrders],
        created_ms: NOW_MS,
        secret: made.then(|| "sk_live_example".to_owned()),
    }))
}

fn contradiction() -> IntakeFault {
    let reason = "92.00 is not 90.00, what the lines and charges come to".to_owned();
    IntakeFault::Contradictory { field: "total".to_owned(), reason }
}

/// A body that is not understood.
pub(super) fn malformed() -> Malformed {
    Malformed::at("ask.ammount", Fault::Unknown)
}

/// One of every refusal.
pub(super) fn refusals() -> Vec<Refusal> {
    let text = |text: &str| text.to_owned();
    let mut all: Vec<Refusal> = rejections().into_iter().map(|no| Refusal::Rejected(Box::new(no))).collect();
    all.extend([
        Refusal::NoSuchPath,
        Refusal::MethodNotAllowed("GET, POST"),
        Refusal::Unauthorized,
        Refusal::Forbidden(Scope::WriteOrders),
        Refusal::BodyTooLarge,
        Refusal::BodyBroken,
        Refusal::RefundUnknown(text("179361360000000999")),
        Refusal::OrderUnknown(text("demo-9999")),
        Refusal::CursorUnknown { before: false, cursor: text("zz") },
        Refusal::LegNotSettleable(FIRST_ID),
        Refusal::Intake(Box::new(contradiction())),
        Refusal::Intake(Box::new(IntakeFault::Fault(OrderFault::DuplicateId(text("shirt"))))),
        Refusal::Intake(Box::new(IntakeFault::Clash { order: FIRST_ID })),
        Refusal::Intake(Box::new(IntakeFault::ChangesRefunded { what: text("line shirt") })),
        Refusal::Setting { field: "handle", reason: text("\"demo\" is taken") },
        Refusal::Busy,
        Refusal::Unsure,
        Refusal::Internal,
    ]);
    all.extend(payout_faults().into_iter().map(|fault| Refusal::Payouts(Box::new(fault))));
    all
}

/// One of every refusal about paying back.
fn payout_faults() -> Vec<PayoutFault> {
    let text = |text: &str| text.to_owned();
    vec![
        PayoutFault::NotCancellable(text("179361360000000101")),
        PayoutFault::NothingToAsk(179_361_360_000_000_102),
        PayoutFault::NothingToRetry(text("179361360000000101")),
        PayoutFault::LegUnknown(text("179361360000000999")),
        PayoutFault::EventUnknown(text("179361360000000999")),
        PayoutFault::EventNotResolvable { event: FIRST_ID, reason: text("only a refund can be put to a payment") },
        PayoutFault::DriverDiffers { gateway: text("stripe-eu"), driver: text("stripe") },
        PayoutFault::GatewayInUse {
            gateway: text("stripe-eu"),
            field: text("settings.account"),
            legs: 3,
            reason: text("account chooses who is asked, and 3 legs of the gateway may have been sent"),
        },
        PayoutFault::Setting { field: text("secrets.secret_key"), reason: text("it is required") },
        PayoutFault::SecretsUnavailable(text("secrets of gateways are encrypted, and their key is not known")),
    ]
}

/// One of every refusal of the rules, in rank order.
pub(super) fn rejections() -> Vec<Rejection> {
    let currency = facts().order.currency;
    let text = |text: &str| text.to_owned();
    let money = |minor: i64| Amount::minor(minor);
    let decimal = Decimal::from_parts;
    let mut all = about_orders(currency);
    all.extend([
        Rejection::LineUnknown { entry: 0, line: text("hat") },
        Rejection::LineAmbiguous { entry: 0, sku: text("SHIRT") },
        Rejection::ModesMixed { line: text("shirt") },
        Rejection::RestockDiffers { line: text("shirt") },
        Rejection::QuantityInvalid { entry: 0, line: text("shirt"), quantity: 0 },
        Rejection::QuantityExceeded { entry: 0, line: text("shirt"), asked: 3, available: 2 },
        Rejection::LocationUnknown { location: text("attic") },
        Rejection::ChargeUnknown { name: text("Engraving") },
        Rejection::AmountInvalid {
            field: text("amount"),
            amount: decimal(9_999, 3),
            why: AmountError::TooManyDecimals(2),
        },
        Rejection::PercentInvalid { percent: decimal(120, 0) },
        Rejection::TaxOnlyWhole { by_percent: false, whole: money(850), currency },
        Rejection::PartExceeded { part: text("shipping"), asked: money(1_200), available: money(1_000), currency },
        Rejection::PartsDoNotAddUp { total: money(2_000), parts: money(2_500), currency },
        Rejection::PaymentUnknown { payment: text("card-2") },
        Rejection::PaymentUnnamed,
        Rejection::PaymentsDoNotAddUp { total: money(2_000), payments: money(1_500), currency },
        Rejection::PaymentExceeded { payment: text("card-1"), asked: money(10_000), available: money(9_000), currency },
        Rejection::PaymentLimited {
            payment: text("card-1"),
            limit: PaymentLimit::AtLeast(money(50)),
            asked: money(20),
            currency,
        },
        Rejection::RefundableExceeded { asked: money(10_000), available: money(9_000), currency },
    ]);
    all
}

fn about_orders(currency: Currency) -> Vec<Rejection> {
    let given = || Some("EUR".to_owned());
    vec![
        Rejection::OrderUnknown { order: "demo-9999".to_owned() },
        Rejection::KeyReused,
        Rejection::RefundableStale { expected: Decimal::from_parts(65, 0), actual: Amount::minor(9_000), currency },
        Rejection::OrderDisputed,
        Rejection::OrderDeleted,
        Rejection::OrderUnpaid,
        Rejection::NothingLeft,
        Rejection::AmountsOnly,
        Rejection::CurrencyDiffers { given: given(), wanted: currency },
        Rejection::PaymentCurrencyDiffers { given: given(), wanted: currency },
    ]
}
