//! Wire → call: every body but orders and refund requests, which have files of their own.

use refundry_core::command::CreateRefund;
use refundry_core::intake::{Intake, IntakeFault};
use refundry_core::limits::{IMPORT_LINE_BYTES_MAX, LINES_PER_ORDER_MAX};
use refundry_core::order::{Dialect, Reference};
use serde_json::Value;

use super::Endpoint;
use super::read::{currency, id, only, read_id, reference, required_id, text_of, whole};
use super::{ask, events, gateways, legs, openapi, order, query};
use crate::body::{self, Fault, Fields, Malformed};
use crate::payouts::PayoutCall;
use crate::wire::{Call, Refusal, Request, Scope, Wait};

/// Characters of names for people: of stores and of tokens.
const NAME_CHARS_MAX: usize = 200;
/// Characters of a leg's reference or reason.
pub(super) const REFERENCE_CHARS_MAX: usize = 500;

/// Keys of `POST /v1/stores`.
pub(super) const STORE_KEYS: &[&str] = &["handle", "name", "currency"];
/// Keys of `POST /v1/tokens`.
pub(super) const TOKEN_KEYS: &[&str] = &["store", "label", "scopes"];
/// Keys of `POST /v1/orders/{id}/fulfilments`.
pub(super) const FULFILMENT_KEYS: &[&str] = &["lines"];
/// Keys of a fulfilment's line.
pub(super) const FULFILMENT_LINE_KEYS: &[&str] = &["line", "quantity"];
/// Keys of `POST /v1/refunds/{id}/legs/{leg}/settle`.
pub(super) const SETTLE_KEYS: &[&str] = &["outcome", "reference"];

/// Why a request is no call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum No {
    /// It is not understood.
    Malformed(Malformed),
    /// It is understood, and refused before the engine is asked.
    Refused(Refusal),
}

impl From<Malformed> for No {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<IntakeFault> for No {
    fn from(fault: IntakeFault) -> Self {
        Self::Refused(Refusal::Intake(Box::new(fault)))
    }
}

/// Makes a call of a request.
pub(super) fn call(endpoint: &Endpoint, request: &Request<'_>) -> Result<Call, No> {
    match endpoint {
        Endpoint::OpenApi => Ok(Call::Ready(openapi::response())),
        Endpoint::ListStores => query::whole_list(request).map(|()| Call::ListStores),
        Endpoint::CreateStore => create_store(&body::parse(request.body)?),
        Endpoint::ListTokens => query::whole_list(request).map(|()| Call::ListTokens),
        Endpoint::CreateToken => create_token(&body::parse(request.body)?),
        Endpoint::RevokeToken(token) => Ok(Call::RevokeToken { token: token.clone() }),
        Endpoint::ListOrders => query::orders(request).map(|q| Call::ListOrders(Box::new(q))),
        Endpoint::CreateOrder => put_order(None, request),
        Endpoint::PutOrder(name) => put_order(Some(name), request),
        Endpoint::ImportOrders => import(request),
        Endpoint::GetOrder(name) => Ok(Call::GetOrder { order: reference(name) }),
        Endpoint::Fulfil(name) => fulfil(name, request.body),
        Endpoint::AddPayment(name) => add_payment(name, &body::parse(request.body)?),
        Endpoint::Quote(name) => quote(name, request),
        Endpoint::ListRefunds => query::refunds(request).map(|q| Call::ListRefunds(Box::new(q))),
        Endpoint::CreateRefund => create_refund(request),
        Endpoint::GetRefund(name) => Ok(Call::GetRefund { refund: reference(name) }),
        Endpoint::CancelRefund(name) => legs::cancel(name, request.body),
        Endpoint::RetryRefund(name) => legs::retry(name, request.body),
        Endpoint::GetLeg(refund, leg) => legs::get(refund, leg),
        Endpoint::AskLeg(refund, leg) => legs::ask(refund, leg),
        Endpoint::SettleLeg(refund, leg) => settle(refund, leg, &body::parse(request.body)?),
        Endpoint::ListLegs => legs::list(request),
        Endpoint::ListEvents => events::list(request),
        Endpoint::ResolveEvent(event) => events::resolve(event, request.body),
        Endpoint::ListGateways => whole_list(PayoutCall::ListGateways, request),
        Endpoint::PutGateway(name) => gateways::put(name, request.body),
        Endpoint::ListRoutes => whole_list(PayoutCall::ListRoutes, request),
        Endpoint::PutRoute(channel) => gateways::put_route(channel, request.body),
    }
}

/// A list that is never longer than a page.
fn whole_list(call: PayoutCall, request: &Request<'_>) -> Result<Call, No> {
    query::whole_list(request).map(|()| Call::Payouts(Box::new(call)))
}

fn create_store(body: &Value) -> Result<Call, No> {
    let fields = Fields::root(body)?;
    only(&fields, STORE_KEYS)?;
    let handle = required_id(&fields, "handle")?.to_owned();
    let name = text_of(&fields, "name", NAME_CHARS_MAX)?;
    let currency = currency(&fields, "currency")?.ok_or_else(|| fields.fault("currency", Fault::Missing))?;
    let name = if name.is_empty() { handle.clone() } else { name };
    Ok(Call::CreateStore { handle, name, currency: currency.code().to_owned() })
}

fn create_token(body: &Value) -> Result<Call, No> {
    let fields = Fields::root(body)?;
    only(&fields, TOKEN_KEYS)?;
    let known = || Scope::ALL.map(Scope::code).join(", ");
    let wrong = || fields.fault("scopes", Fault::Value(format!("a list of {}", known())));
    let listed = fields.value("scopes").ok_or_else(|| fields.fault("scopes", Fault::Missing))?;
    let read = |value: &Value| value.as_str().and_then(Scope::parse).ok_or_else(wrong);
    let mut scopes =
        listed.as_array().ok_or_else(wrong)?.iter().map(read).collect::<Result<Vec<Scope>, Malformed>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(wrong().into());
    }
    let store = id(&fields, "store")?.map(str::to_owned);
    Ok(Call::CreateToken { store, label: text_of(&fields, "label", NAME_CHARS_MAX)?, scopes })
}

fn put_order(name: Option<&str>, request: &Request<'_>) -> Result<Call, No> {
    let document = body::parse(request.body)?;
    let mut intake = order::read(&document, request.now_ms)?;
    if let Some(name) = name.map(str::trim) {
        match &intake.order.external_id {
            Some(id) if id != name => {
                let wanted = format!("\"{name}\", as in the path, or left out");
                return Err(Malformed::at("id", Fault::Value(wanted)).into());
            }
            Some(_) => {}
            None => {
                intake.order.external_id = Some(name.to_owned());
                if intake.order.number.is_empty() {
                    name.clone_into(&mut intake.order.number);
                }
                intake.order.validate().map_err(IntakeFault::Fault)?;
            }
        }
    }
    Ok(Call::PutOrder(Box::new(intake)))
}

fn import(request: &Request<'_>) -> Result<Call, No> {
    let from = query::import_from(request)?;
    let lines = request.body.split(|byte| *byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let orders = filled.map(|(index, line)| (index.saturating_add(1), import_line(from, line, request.now_ms)));
    Ok(Call::ImportOrders(orders.collect()))
}

fn import_line(from: Dialect, line: &[u8], now_ms: i64) -> Result<Intake, IntakeFault> {
    let unreadable = |reason: String| IntakeFault::Unreadable { field: String::new(), reason };
    if line.len() > IMPORT_LINE_BYTES_MAX {
        return Err(unreadable(format!("the line must not be longer than {IMPORT_LINE_BYTES_MAX} bytes")));
    }
    let document = body::parse(line).map_err(|malformed| unreadable(malformed.sentence()))?;
    crate::read_order(from, &document, now_ms)
}

/// An empty body, `{}` and an empty list all ship whatever waits.
fn fulfil(name: &str, bytes: &[u8]) -> Result<Call, No> {
    let order = reference(name);
    if bytes.trim_ascii().is_empty() {
        return Ok(Call::Fulfil { order, units: Vec::new() });
    }
    let body = body::parse(bytes)?;
    let fields = Fields::root(&body)?;
    only(&fields, FULFILMENT_KEYS)?;
    let lines = fields.objects("lines", LINES_PER_ORDER_MAX)?;
    let units = lines.iter().map(fulfilled).collect::<Result<Vec<(Reference, u32)>, Malformed>>()?;
    Ok(Call::Fulfil { order, units })
}

fn fulfilled(fields: &Fields<'_>) -> Result<(Reference, u32), Malformed> {
    only(fields, FULFILMENT_LINE_KEYS)?;
    let line = reference(required_id(fields, "line")?);
    let quantity = whole(fields, "quantity")?.ok_or_else(|| fields.fault("quantity", Fault::Missing))?;
    let wrong = || fields.fault("quantity", Fault::Value("a whole number from 1 to 100000".to_owned()));
    let quantity = u32::try_from(quantity).ok().filter(|q| (1..=100_000).contains(q)).ok_or_else(wrong)?;
    Ok((line, quantity))
}

fn add_payment(name: &str, body: &Value) -> Result<Call, No> {
    let fields = Fields::root(body)?;
    let (currency, payment) = order::added_payment(&fields)?;
    Ok(Call::AddPayment { order: reference(name), currency, payment: Box::new(payment) })
}

fn create_refund(request: &Request<'_>) -> Result<Call, No> {
    let body = body::parse(request.body)?;
    let fields = Fields::root(&body)?;
    let order = reference(required_id(&fields, "order")?);
    let command = ask::read(&fields, order, request)?;
    Ok(Call::CreateRefund { command: Box::new(command), wait: Wait::No })
}

/// Takes the same body as creating does, so that a caller can ask before and send the very same afterwards.
fn quote(name: &str, request: &Request<'_>) -> Result<Call, No> {
    let body = body::parse(request.body)?;
    let fields = Fields::root(&body)?;
    let order = reference(name);
    if id(&fields, "order")?.is_some_and(|named| named != order.text) {
        let wanted = format!("\"{}\", as in the path, or left out", order.text);
        return Err(fields.fault("order", Fault::Value(wanted)).into());
    }
    let CreateRefund { order, request, .. } = ask::read(&fields, order, request)?;
    Ok(Call::Quote { order, request: Box::new(request) })
}

fn settle(refund: &str, leg: &str, body: &Value) -> Result<Call, No> {
    let fields = Fields::root(body)?;
    only(&fields, SETTLE_KEYS)?;
    let outcome = super::read::code(&fields, "outcome", "succeeded, failed", |text| match text {
        "succeeded" => Some(true),
        "failed" => Some(false),
        _ => None,
    })?;
    let succeeded = outcome.ok_or_else(|| fields.fault("outcome", Fault::Missing))?;
    let text = text_of(&fields, "reference", REFERENCE_CHARS_MAX)?;
    // A text that is none of our numbers names no leg of any refund.
    let leg = read_id(leg.trim()).ok_or(No::Refused(Refusal::LegNotSettleable(0)))?;
    Ok(Call::SettleLeg { refund: reference(refund), leg, succeeded, text })
}
