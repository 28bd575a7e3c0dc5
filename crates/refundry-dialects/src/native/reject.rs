//! Every "no" of this API: a problem document (RFC 9457) with the stable code and the figures that decided it.

use std::collections::BTreeMap;

use refundry_core::intake::IntakeFault;
use refundry_core::limits::BODY_BYTES_MAX;
use refundry_core::money::{Amount, AmountError, Currency, Decimal};
use refundry_core::order::OrderFault;
use refundry_core::payouts::PaymentLimit;
use refundry_core::rejection::Rejection;
use serde_json::Value;

use super::Endpoint;
use super::answers::{ImportFault, Problem};
use super::encode::shown;
use super::read::id_text;
use crate::body::Malformed;
use crate::payouts::PayoutFault;
use crate::wire::{Refusal, Response};

/// Every problem there is: code, status and title. Codes of the rules come first, in rank order.
pub(super) const PROBLEMS: &[(&str, u16, &str)] = &[
    ("order_unknown", 404, "There is no such order"),
    ("idempotency_key_reused", 422, "The idempotency key was used for another request"),
    ("refundable_stale", 409, "What is left is not what the caller believed"),
    ("order_disputed", 409, "A dispute holds the order"),
    ("order_deleted", 409, "The order was deleted"),
    ("order_unpaid", 422, "Nothing was captured for the order"),
    ("nothing_left", 422, "Nothing is left to refund"),
    ("amounts_only", 422, "Units go no longer by themselves"),
    ("currency_differs", 422, "The currency is not the order's"),
    ("payment_currency_differs", 422, "The currency is not the payment's"),
    ("line_unknown", 422, "The order has no such line"),
    ("line_ambiguous", 422, "Several lines have this SKU"),
    ("modes_mixed", 422, "One line is taken automatically and from a named bucket"),
    ("restock_differs", 422, "Entries of one line disagree on the stock"),
    ("quantity_invalid", 422, "A quantity is at least one"),
    ("quantity_exceeded", 422, "There are fewer units than asked for"),
    ("location_unknown", 422, "The store has no such location"),
    ("charge_unknown", 422, "The order has no such additional charge"),
    ("amount_invalid", 422, "This is no amount that can be refunded"),
    ("percent_invalid", 422, "This is no percentage that can be refunded"),
    ("tax_only_whole", 422, "Taxes go back whole or not at all"),
    ("part_exceeded", 422, "A part of the price has less left than asked for"),
    ("parts_do_not_add_up", 422, "The parts do not make the total"),
    ("payment_unknown", 422, "The order has no such payment"),
    ("payment_unnamed", 422, "The payment has to be named"),
    ("payments_do_not_add_up", 422, "The payments do not make the amount"),
    ("payment_exceeded", 422, "A payment can give back less than asked for"),
    ("payment_limited", 422, "The provider of a payment does not take this"),
    ("refundable_exceeded", 422, "Less is left than asked for"),
    ("malformed", 400, "The request is not understood"),
    ("body_incomplete", 400, "The body did not arrive whole"),
    ("cursor_unknown", 400, "The cursor does not belong to this list"),
    ("unauthorized", 401, "A token is needed"),
    ("forbidden", 403, "The token does not allow this"),
    ("path_unknown", 404, "There is no such path"),
    ("refund_unknown", 404, "There is no such refund"),
    ("token_unknown", 404, "There is no such token"),
    ("leg_unknown", 404, "There is no such leg"),
    ("event_unknown", 404, "There is no such event that waits"),
    ("method_not_allowed", 405, "The path does not take this method"),
    ("order_clash", 409, "Another order has this id"),
    ("order_changes_refunded", 409, "What was refunded cannot be changed"),
    ("leg_not_settleable", 409, "The leg cannot be settled by hand"),
    ("refund_not_cancellable", 409, "The refund cannot be called off any more"),
    ("nothing_to_ask", 409, "The leg is over, or no gateway answers for it"),
    ("nothing_to_retry", 409, "Nothing of the refund failed that was not tried again"),
    ("event_not_resolvable", 409, "The event cannot be resolved like this"),
    ("gateway_driver_differs", 409, "A gateway's driver stays what it is"),
    ("gateway_in_use", 409, "Legs of the gateway are open, so who is asked stays"),
    ("body_too_large", 413, "The body is too large"),
    ("order_contradictory", 422, "Figures of the order contradict each other"),
    ("order_invalid", 422, "The order breaks a limit or a rule"),
    ("setting_invalid", 422, "A setting cannot be taken"),
    ("secrets_unavailable", 503, "The key of secrets is not known to this process"),
    ("internal", 500, "A defect on our side"),
    ("busy", 503, "Too much is waiting"),
    ("outcome_unknown", 503, "The database was lost while it committed"),
];

/// What is said of a "no", and the figures behind it.
struct No {
    code: &'static str,
    detail: String,
    figures: BTreeMap<String, Value>,
}

impl No {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), figures: BTreeMap::new() }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(name.to_owned(), value.into());
        self
    }

    fn money(self, name: &str, amount: Amount, currency: Currency) -> Self {
        self.with(name, shown(amount, currency).to_string()).with("currency", currency.code())
    }

    /// Position in the request's list.
    fn entry(self, entry: usize) -> Self {
        self.with("entry", entry)
    }

    /// More of something was asked for than there is.
    fn exceeded(mut self, what: &str, asked: Amount, available: Amount, currency: Currency) -> Self {
        let figures = (shown(asked, currency), shown(available, currency));
        self.detail = format!("asked for {} {currency}, {what} has {} left", figures.0, figures.1);
        self.money("asked", asked, currency).money("available", available, currency)
    }

    /// Two sums that must be equal are not.
    fn sums(mut self, one: (&str, Amount), other: (&str, Amount), currency: Currency) -> Self {
        let figures = (shown(one.1, currency), shown(other.1, currency));
        self.detail = format!("the {} is {} {currency}, the {} make {}", one.0, figures.0, other.0, figures.1);
        self.money(one.0, one.1, currency).money(other.0, other.1, currency)
    }

    fn response(self) -> Response {
        // Every code is in the table; a test goes through all of them.
        let known = PROBLEMS.iter().find(|(code, ..)| *code == self.code);
        let (status, title) = known.map_or((500, ""), |(_, status, title)| (*status, *title));
        let problem = Problem {
            kind: format!("/problems/{}", self.code),
            title: title.to_owned(),
            status,
            detail: self.detail,
            code: self.code.to_owned(),
            figures: self.figures,
        };
        let body = serde_json::to_value(&problem).unwrap_or(Value::Null);
        Response { content_type: "application/problem+json", ..Response::json(status, &body) }
    }
}

/// The refusal of a request that is not understood.
pub(super) fn malformed(malformed: &Malformed) -> Response {
    let no = No::new("malformed", malformed.sentence());
    if malformed.field.is_empty() { no.response() } else { no.with("field", malformed.field.as_str()).response() }
}

/// Writes a refusal.
pub(super) fn refuse(endpoint: Option<&Endpoint>, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NoSuchPath => No::new("path_unknown", "the paths are listed in /v1/openapi.json").response(),
        Refusal::MethodNotAllowed(allow) => {
            let no = No::new("method_not_allowed", format!("the path takes {allow}"));
            no.with("allow", *allow).response().with("allow", *allow)
        }
        Refusal::Unauthorized => {
            let no = No::new("unauthorized", "send the header Authorization: Bearer with a token that works");
            no.response().with("www-authenticate", "Bearer")
        }
        Refusal::Forbidden(scope) => {
            let detail = format!("the token lacks the scope {}", scope.code());
            No::new("forbidden", detail).with("scope", scope.code()).response()
        }
        Refusal::BodyTooLarge => {
            let no = No::new("body_too_large", format!("a body has at most {BODY_BYTES_MAX} bytes"));
            no.with("bytes_max", BODY_BYTES_MAX).response()
        }
        Refusal::BodyBroken => No::new("body_incomplete", "send the request again; nothing was stored").response(),
        Refusal::Rejected(rejection) => rejected(rejection).response(),
        Refusal::RefundUnknown(refund) => {
            No::new("refund_unknown", format!("no refund has the id \"{refund}\"")).with("refund", &**refund).response()
        }
        Refusal::OrderUnknown(order) => order_unknown(order).response(),
        Refusal::CursorUnknown { before: _, cursor } => {
            let detail = "send a next_cursor of this very list, with the same sort and direction, or none";
            No::new("cursor_unknown", detail).with("cursor", &**cursor).response()
        }
        Refusal::LegNotSettleable(leg) => leg_not_settleable(endpoint, *leg).response(),
        Refusal::Payouts(fault) => payouts(fault).response(),
        Refusal::Intake(fault) => intake(fault).response(),
        Refusal::Setting { field, reason } => setting(endpoint, field, reason).response(),
        // This API has no limits to emulate, so here the two are one.
        Refusal::Busy | Refusal::TooMany { .. } => {
            No::new("busy", "nothing was stored; send the request again").response().with("retry-after", "1")
        }
        Refusal::Unsure => {
            let detail = "it is not known whether this was stored; send it again with the same Idempotency-Key";
            No::new("outcome_unknown", detail).response().with("retry-after", "1")
        }
        // No endpoint of this API asks for the others.
        Refusal::Told(_)
        | Refusal::Shop(_)
        | Refusal::Parcels(_)
        | Refusal::Returns(_)
        | Refusal::Cases(_)
        | Refusal::Hooks(_)
        | Refusal::Stock(_)
        | Refusal::Internal => No::new("internal", "nothing was stored; the operator's log has more").response(),
    }
}

fn order_unknown(order: &str) -> No {
    No::new("order_unknown", format!("no order has the id \"{order}\"")).with("order", order)
}

fn leg_not_settleable(endpoint: Option<&Endpoint>, leg: u64) -> No {
    let leg = match endpoint {
        Some(Endpoint::SettleLeg(_, leg)) => leg.clone(),
        _ => id_text(leg),
    };
    let detail = format!(
        "the refund has no leg \"{leg}\", or it is final, or a gateway answers for it; a leg that was asked for within \
         two minutes may still be paid, and cannot be called failed"
    );
    No::new("leg_not_settleable", detail).with("leg", leg)
}

/// Why something about paying back cannot be done.
fn payouts(fault: &PayoutFault) -> No {
    match fault {
        PayoutFault::NotCancellable(refund) => {
            let detail = "money of it was sent or may have been, or all of it is over";
            No::new("refund_not_cancellable", detail).with("refund", &**refund)
        }
        PayoutFault::NothingToRetry(refund) => {
            let detail = "no leg of it failed, or another refund tries again all that did";
            No::new("nothing_to_retry", detail).with("refund", &**refund)
        }
        PayoutFault::LegUnknown(leg) => {
            No::new("leg_unknown", format!("there is no such refund, or it has no leg \"{leg}\"")).with("leg", &**leg)
        }
        PayoutFault::NothingToAsk(leg) => {
            let detail = "it is over, or no gateway answers for it";
            No::new("nothing_to_ask", detail).with("leg", id_text(*leg))
        }
        PayoutFault::EventUnknown(event) => {
            No::new("event_unknown", format!("no event waits that has the id \"{event}\"")).with("event", &**event)
        }
        PayoutFault::EventNotResolvable { event, reason } => {
            No::new("event_not_resolvable", reason.as_str()).with("event", id_text(*event))
        }
        PayoutFault::DriverDiffers { gateway, driver } => {
            let detail = format!("{gateway} has the driver {driver}, through which its legs are asked about");
            No::new("gateway_driver_differs", detail).with("gateway", &**gateway).with("driver", &**driver)
        }
        PayoutFault::GatewayInUse { gateway, field, legs, reason } => No::new("gateway_in_use", reason.as_str())
            .with("gateway", &**gateway)
            .with("field", &**field)
            .with("legs", *legs),
        PayoutFault::Setting { field, reason } => {
            No::new("setting_invalid", format!("{field}: {reason}")).with("field", &**field)
        }
        PayoutFault::SecretsUnavailable(reason) => No::new("secrets_unavailable", reason.as_str()),
    }
}

fn setting(endpoint: Option<&Endpoint>, field: &str, reason: &str) -> No {
    if let (Some(Endpoint::RevokeToken(token)), "token") = (endpoint, field) {
        return No::new("token_unknown", format!("no token has the id \"{token}\"")).with("token", token.as_str());
    }
    No::new("setting_invalid", format!("{field}: {reason}")).with("field", field)
}

/// Why a line of an import was not taken in.
pub(super) fn import_fault(line: usize, fault: &IntakeFault) -> ImportFault {
    let mut no = intake(fault);
    let field = no.figures.remove("field").and_then(|field| field.as_str().map(str::to_owned));
    ImportFault { line, code: no.code.to_owned(), field, detail: no.detail }
}

fn intake(fault: &IntakeFault) -> No {
    let with_field = |no: No, field: &str| if field.is_empty() { no } else { no.with("field", field) };
    match fault {
        IntakeFault::Unreadable { field, reason } => {
            // Faults of the other formats say only the reason.
            let named = field.is_empty() || reason.contains(field.as_str());
            let detail = if named { reason.clone() } else { format!("{field}: {reason}") };
            with_field(No::new("malformed", detail), field)
        }
        IntakeFault::Contradictory { field, reason } => {
            let detail = if field.is_empty() { reason.clone() } else { format!("{field}: {reason}") };
            with_field(No::new("order_contradictory", detail), field)
        }
        IntakeFault::Fault(fault) => order_fault(fault),
        IntakeFault::Clash { order } => {
            let order = id_text(*order);
            No::new("order_clash", format!("the id belongs to order {order}, which is another one"))
                .with("order", order)
        }
        IntakeFault::ChangesRefunded { what } => {
            let detail = format!("{what} was refunded: its price and quantity cannot change any more");
            No::new("order_changes_refunded", detail).with("what", what.as_str())
        }
    }
}

fn order_fault(fault: &OrderFault) -> No {
    let no = |detail: String| No::new("order_invalid", detail);
    match fault {
        OrderFault::TooMany(what, max) => no(format!("an order has at most {max} {what}")).with("max", *max),
        OrderFault::AmountOutOfRange(what) => {
            no(format!("{what} must not be negative or above 10^15 minor units")).with("field", *what)
        }
        OrderFault::UnitsOutOfRange(line) => {
            let detail = "has 1 to 100000 units, and no more shipped and cancelled than sold";
            no(format!("lines[{line}] {detail}")).with("field", format!("lines[{line}]"))
        }
        OrderFault::DuplicateId(id) => no(format!("the id \"{id}\" stands twice in the order")).with("id", &**id),
        OrderFault::BadId(id) => no(format!("the id \"{id}\" must have 1 to 64 characters")).with("id", &**id),
        OrderFault::ComponentsOutOfPlace => no("a charge names a line that the order does not have".to_owned()),
        OrderFault::CapturedPairDiffers(payment) => {
            let detail = "settles in the order's currency, so both captured amounts must be equal";
            no(format!("payments[{payment}] {detail}")).with("field", format!("payments[{payment}].own"))
        }
    }
}

fn restock_differs(rejection: &Rejection, line: &str) -> No {
    No::new(rejection.code(), format!("all entries of \"{line}\" must have the same restock")).with("line", line)
}

fn location_unknown(rejection: &Rejection, location: &str) -> No {
    let detail = format!("the store has no location \"{location}\" that takes goods");
    No::new(rejection.code(), detail).with("location", location)
}

fn rejected(rejection: &Rejection) -> No {
    let no = |detail: String| No::new(rejection.code(), detail);
    match rejection {
        Rejection::OrderUnknown { order } => order_unknown(order),
        Rejection::KeyReused => no("use a new Idempotency-Key for a new request".to_owned()),
        Rejection::RefundableStale { expected, actual, currency } => stale(rejection, *expected, *actual, *currency),
        Rejection::OrderDisputed => no("nothing is refunded while the dispute is open".to_owned()),
        Rejection::OrderDeleted => no("nothing is refunded of an order that was deleted".to_owned()),
        Rejection::OrderUnpaid => no("there is no captured payment to give back".to_owned()),
        Rejection::NothingLeft => no("everything captured was refunded or is on its way back".to_owned()),
        Rejection::AmountsOnly => no("a refund without units was accepted before; ask for an amount".to_owned()),
        Rejection::CurrencyDiffers { given, wanted } => currency_differs(rejection, "order", given.as_ref(), *wanted),
        Rejection::PaymentCurrencyDiffers { given, wanted } => {
            currency_differs(rejection, "payment", given.as_ref(), *wanted)
        }
        Rejection::PaymentUnknown { payment } => {
            no(format!("the order has no payment \"{payment}\"")).with("payment", &**payment)
        }
        Rejection::PaymentUnnamed => no("none, or more than one, payment fits; name it".to_owned()),
        Rejection::LineUnknown { entry, line } => {
            no(format!("the order has no line \"{line}\"")).entry(*entry).with("line", &**line)
        }
        Rejection::LineAmbiguous { entry, sku } => {
            let no = no(format!("the SKU \"{sku}\" stands on several lines; name the line by its id"));
            no.entry(*entry).with("sku", &**sku)
        }
        Rejection::ModesMixed { line } => {
            no(format!("take units of \"{line}\" automatically or from named buckets, not both")).with("line", &**line)
        }
        Rejection::RestockDiffers { line } => restock_differs(rejection, line),
        Rejection::QuantityInvalid { entry, line, quantity } => {
            let no = no(format!("the quantity of \"{line}\" must be at least 1, not {quantity}"));
            no.entry(*entry).with("line", &**line).with("quantity", *quantity)
        }
        Rejection::QuantityExceeded { entry, line, asked, available } => {
            let no = no(format!("asked for {asked} of \"{line}\", there are {available}"));
            no.entry(*entry).with("line", &**line).with("asked", *asked).with("available", *available)
        }
        Rejection::LocationUnknown { location } => location_unknown(rejection, location),
        Rejection::ChargeUnknown { name } => {
            no(format!("the order has no additional charge \"{name}\"")).with("name", &**name)
        }
        Rejection::AmountInvalid { field, amount, why } => amount_invalid(field, *amount, *why),
        Rejection::PercentInvalid { percent } => {
            no(format!("{percent} is not from 0.01 to 100, or comes to nothing")).with("percent", percent.to_string())
        }
        Rejection::TaxOnlyWhole { by_percent, whole, currency } => {
            let how = if *by_percent { "ask for 100 percent".to_owned() } else { shown(*whole, *currency).to_string() };
            no(format!("a tax goes back whole: {how}")).money("whole", *whole, *currency)
        }
        Rejection::PartExceeded { part, asked, available, currency } => {
            no(String::new()).exceeded(part, *asked, *available, *currency).with("part", &**part)
        }
        Rejection::PartsDoNotAddUp { total, parts, currency } => {
            no(String::new()).sums(("total", *total), ("parts", *parts), *currency)
        }
        Rejection::PaymentsDoNotAddUp { total, payments, currency } => {
            no(String::new()).sums(("total", *total), ("payments", *payments), *currency)
        }
        Rejection::PaymentExceeded { payment, asked, available, currency } => {
            let what = format!("payment {payment}");
            no(String::new()).exceeded(&what, *asked, *available, *currency).with("payment", &**payment)
        }
        Rejection::PaymentLimited { payment, limit, asked, currency } => {
            payment_limited(rejection, payment, *limit, *asked, *currency)
        }
        Rejection::RefundableExceeded { asked, available, currency } => {
            no(String::new()).exceeded("the order", *asked, *available, *currency)
        }
    }
}

fn stale(rejection: &Rejection, expected: Decimal, actual: Amount, currency: Currency) -> No {
    No::new(rejection.code(), format!("the payments have {} left, not {expected}", shown(actual, currency)))
        .with("expected", expected.to_string())
        .money("actual", actual, currency)
}

fn payment_limited(rejection: &Rejection, payment: &str, limit: PaymentLimit, asked: Amount, currency: Currency) -> No {
    let by = format!("not by {} {currency}", shown(asked, currency));
    let what = match limit {
        PaymentLimit::OnlyInFull => format!("in full, {by}"),
        PaymentLimit::OnlyOnce => "once, and was refunded before".to_owned(),
        PaymentLimit::AtLeast(least) => format!("by at least {}, {by}", shown(least, currency)),
        PaymentLimit::WithinDays(days) => format!("within {days} days of the order"),
    };
    let no = No::new(rejection.code(), format!("payment {payment} can be refunded only {what}"));
    let no = no.with("payment", payment).with("limit", limit.code()).money("asked", asked, currency);
    match limit {
        PaymentLimit::AtLeast(least) => no.money("least", least, currency),
        PaymentLimit::WithinDays(days) => no.with("days", days),
        PaymentLimit::OnlyInFull | PaymentLimit::OnlyOnce => no,
    }
}

fn amount_invalid(field: &str, amount: Decimal, why: AmountError) -> No {
    let (reason, wanted) = match why {
        AmountError::TooManyDecimals(0) => ("too_many_decimals", "a whole number: the currency has no decimals".into()),
        AmountError::TooManyDecimals(max) => {
            ("too_many_decimals", format!("an amount with at most {max} decimals, as the currency has"))
        }
        AmountError::TooLarge => ("too_large", "at most 10^15 minor units".to_owned()),
        AmountError::NotPositive => ("not_positive", "above zero".to_owned()),
    };
    No::new("amount_invalid", format!("{field} must be {wanted}; it is {amount}"))
        .with("field", field)
        .with("amount", amount.to_string())
        .with("reason", reason)
}

fn currency_differs(rejection: &Rejection, of: &str, given: Option<&String>, wanted: Currency) -> No {
    let given = given.map_or("left out", String::as_str);
    No::new(rejection.code(), format!("the {of}'s currency is {wanted}, not {given}"))
        .with("given", given)
        .with("wanted", wanted.code())
}
