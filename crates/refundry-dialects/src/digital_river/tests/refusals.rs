//! Every "no", in words.

use refundry_core::intake::IntakeFault;
use refundry_core::money::{Amount, AmountError, Currency};
use refundry_core::payouts::PaymentLimit;
use refundry_core::rejection::Rejection;

use super::{dec, request, summary};
use crate::digital_river::refuse;
use crate::wire::{Refusal, Scope};

#[track_caller]
fn check(refusal: &Refusal, expected: &str) {
    assert_eq!(summary(&refuse(None, &request(&[], "", b"{}"), refusal)), expected);
}

#[test]
fn rules_are_refused_in_known_words() {
    let amount = Amount::minor(5);
    let usd = Currency::parse("USD").expect("a currency");
    let limited = |limit| {
        let payment = "ch_1".to_owned();
        Rejection::PaymentLimited { payment, limit, asked: amount, currency: usd }
    };
    let rules = [
        (Rejection::OrderUnknown { order: "o".to_owned() }, "404 not_found | not_found orderId: Order 'o' not found."),
        (
            Rejection::OrderDisputed,
            "400 bad_request | invalid_parameter order: \
             A refund cannot be performed while there is a dispute on the order.",
        ),
        (
            Rejection::OrderDeleted,
            "400 bad_request | invalid_parameter order: A refund cannot be performed on a deleted order.",
        ),
        (
            Rejection::NothingLeft,
            "400 bad_request | invalid_parameter amountRequested: \
             The requested refund amount is greater than the available amount.",
        ),
        (
            Rejection::RefundableStale { expected: dec("1.0"), actual: amount, currency: usd },
            "409 conflict | invalid_state Refundable-Before: The available amount is 0.05 USD, not 1.",
        ),
        (
            Rejection::KeyReused,
            "409 conflict | already_exists Idempotency-Key: The idempotency key was used for another request.",
        ),
        (
            Rejection::LineAmbiguous { entry: 1, sku: "s".to_owned() },
            "400 bad_request | missing_parameter items[1].itemId: \
             's' is on several items of the order; name one by itemId.",
        ),
        (
            Rejection::AmountInvalid { field: "amount".to_owned(), amount: dec("0"), why: AmountError::NotPositive },
            "400 bad_request | invalid_parameter amount: '0' is not a valid amount.",
        ),
        (
            limited(PaymentLimit::OnlyInFull),
            "400 bad_request | invalid_parameter amountRequested: The payment can only be refunded in full.",
        ),
        (
            limited(PaymentLimit::OnlyOnce),
            "400 bad_request | invalid_parameter amountRequested: \
             The payment can only be refunded once, and it was refunded before.",
        ),
        (
            limited(PaymentLimit::AtLeast(Amount::minor(50))),
            "400 bad_request | invalid_parameter amountRequested: \
             The requested refund amount is less than the payment can be refunded by, 0.50 USD.",
        ),
        (
            limited(PaymentLimit::WithinDays(180)),
            "400 bad_request | invalid_parameter amountRequested: \
             The payment can only be refunded within 180 days of the order.",
        ),
        (
            Rejection::PaymentUnnamed,
            "400 bad_request | invalid_parameter -: The refund is not possible: payment_unnamed.",
        ),
    ];
    for (rule, expected) in rules {
        check(&Refusal::Rejected(Box::new(rule)), expected);
    }
}

#[test]
fn everything_else_has_a_published_type() {
    let refusals = [
        (Refusal::NoSuchPath, "404 not_found | not_found -: Resource '/refunds' not found."),
        (
            Refusal::MethodNotAllowed("GET"),
            "405 method_not_allowed | method_not_allowed -: The method POST is not allowed here; use GET.",
        ),
        (Refusal::Unauthorized, "401 unauthorized | - -: An authorization error has occurred."),
        (
            Refusal::Forbidden(Scope::WriteOrders),
            "403 forbidden | - -: The key does not have the permission write_orders.",
        ),
        (Refusal::RefundUnknown("r".to_owned()), "404 not_found | not_found id: Refund 'r' not found."),
        (Refusal::OrderUnknown("o".to_owned()), "404 not_found | not_found id: Order 'o' not found."),
        (
            Refusal::CursorUnknown { before: true, cursor: "r".to_owned() },
            "400 bad_request | invalid_parameter endingBefore: 'r' is not a valid refund id.",
        ),
        (Refusal::BodyTooLarge, "413 bad_request | limit_exceeded -: The request body is too large."),
        (
            Refusal::Intake(Box::new(IntakeFault::Clash { order: 5 })),
            "409 conflict | already_exists id: The id belongs to another order, 5.",
        ),
        (
            Refusal::TooMany { retry_after_ms: 40 },
            "429 too_many_requests | - -: Too many requests. Nothing was stored; send the request again later.",
        ),
        (
            Refusal::Busy,
            "503 service_unavailable | - -: The service is busy. Nothing was stored; send the request again.",
        ),
        (
            Refusal::Unsure,
            "503 service_unavailable | - -: The service lost its database and does not know whether this was stored. \
             Send the request again with the same Idempotency-Key.",
        ),
        (
            Refusal::Internal,
            "500 internal_server_error | unknown_error -: An unknown error has occurred. Nothing was stored.",
        ),
    ];
    for (refusal, expected) in refusals {
        check(&refusal, expected);
    }
    let unauthorized = refuse(None, &request(&[], "", b""), &Refusal::Unauthorized);
    let recorded = br#"{"errors":[{"message":"An authorization error has occurred."}],"type":"unauthorized"}"#;
    assert_eq!(unauthorized.body, recorded);
}
