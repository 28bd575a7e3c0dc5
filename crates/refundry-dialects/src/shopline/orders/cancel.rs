//! Wire → call: an order is called off, perhaps with money of it.

use refundry_core::command::{Ask, CreateRefund, Parts, Plan, RefundRequest, Total};
use refundry_core::limits::NOTE_CHARS_MAX;
use refundry_core::money::Decimal;
use refundry_core::order::{Dialect, Reference};

use crate::shop::ShopCall;
use crate::shopline::params::{currency, double, flag, processed_ms, root, word};
use crate::shopline::{Version, params, reject};
use crate::wire::{Request, Response};

/// Without a refund type, money of this channel goes back over its original route, and any other outside.
const ROUTED_CHANNEL: &str = "paypal";

/// `POST orders/{id}/cancel.json`. An amount that is not there, or zero, moves no money.
pub(super) fn decode(version: Version, request: &Request<'_>, order: Reference) -> Result<ShopCall, Response> {
    let body = params::body(request)?;
    let fields = root(&body)?;
    let reason = fields.text_or_empty("cancel_reason", NOTE_CHARS_MAX).map_err(|m| reject::malformed(&m))?;
    let plan = word(&fields, "refund_type", "refund_type", |text| match text {
        "OriginalPayment Refund" => Some(Plan::default()),
        "Manual" => Some(Plan::Outside { but: String::new() }),
        _ => None,
    })?;
    let amount = double(&fields, "amount")?.filter(|amount| *amount != Decimal::ZERO);
    let (currency, processed_ms) = (currency(version, &fields)?, processed_ms(version, &fields)?);
    let notify = flag(&fields, "email")?;
    let refund = amount.map(|amount| {
        let parts = Parts { total: Total::Stated(amount), ..Parts::default() };
        let plan = plan.unwrap_or_else(|| Plan::Outside { but: ROUTED_CHANNEL.to_owned() });
        let request = RefundRequest { plan, currency, ..RefundRequest::of(Ask::Parts(parts)) };
        let command = CreateRefund::new(order.clone(), Dialect::Shopline, request);
        Box::new(CreateRefund { note: reason.clone(), notify, processed_ms, ..command })
    });
    Ok(ShopCall::CallOff { order, reason, restock: flag(&fields, "restock")?, refund })
}
