//! Every "no" of the rules, in rank order, with its stable code.
//!
//! The declaration order is the rank: when two refusals apply, the earlier one is given. Each dialect maps all of them
//! to its own status and words; the figures inside are what decided.

use crate::money::{Amount, AmountError, Currency, Decimal};
use crate::payouts::PaymentLimit;

/// Why a refund is refused. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No such order in this store.
    OrderUnknown {
        /// As the caller named it.
        order: String,
    },
    /// The idempotency key was used for another request.
    KeyReused,
    /// The caller's idea of what is left is stale.
    RefundableStale {
        /// What the caller believed.
        expected: Decimal,
        /// What the payments have left.
        actual: Amount,
        /// The currency of `actual`.
        currency: Currency,
    },
    /// A dispute holds the order.
    OrderDisputed,
    /// The order was deleted; its books stay as they are.
    OrderDeleted,
    /// Nothing was captured.
    OrderUnpaid,
    /// Everything was refunded or is on its way back.
    NothingLeft,
    /// Units were asked for after a refund without any, which leaves amounts only.
    AmountsOnly,
    /// The request names another currency than the order's, or leaves out a foreign one.
    CurrencyDiffers {
        /// As the caller said it; `None` where it was left out.
        given: Option<String>,
        /// The order's.
        wanted: Currency,
    },
    /// The request names another currency than the payment's, or leaves out a foreign one.
    PaymentCurrencyDiffers {
        /// As the caller said it; `None` where it was left out.
        given: Option<String>,
        /// The payment's own.
        wanted: Currency,
    },
    /// The order has no such line.
    LineUnknown {
        /// Position in the request's list.
        entry: usize,
        /// As the caller named it.
        line: String,
    },
    /// The SKU stands on several lines.
    LineAmbiguous {
        /// Position in the request's list.
        entry: usize,
        /// The SKU.
        sku: String,
    },
    /// One line is listed with the automatic mode and with a named bucket.
    ModesMixed {
        /// The line.
        line: String,
    },
    /// Entries of one line disagree on what happens to the stock.
    RestockDiffers {
        /// The line.
        line: String,
    },
    /// A quantity below one.
    QuantityInvalid {
        /// Position in the request's list.
        entry: usize,
        /// The line.
        line: String,
        /// As asked.
        quantity: i64,
    },
    /// More units than the bucket holds (or, for item money, than were ordered).
    QuantityExceeded {
        /// Position in the request's list.
        entry: usize,
        /// The line.
        line: String,
        /// As asked; for "all of them", 1.
        asked: i64,
        /// Units that are there.
        available: u32,
    },
    /// Units are to be put back at a place that the store does not have, or that takes none any more.
    LocationUnknown {
        /// As the caller named it.
        location: String,
    },
    /// The order has no additional charge of this name.
    ChargeUnknown {
        /// As the caller named it.
        name: String,
    },
    /// Not an amount of the currency.
    AmountInvalid {
        /// Which amount: `total`, a part's code, `payment`, `item`.
        field: String,
        /// As asked.
        amount: Decimal,
        /// What is wrong with it.
        why: AmountError,
    },
    /// Not a percentage from 0.01 to 100, or one that comes to nothing.
    PercentInvalid {
        /// As asked.
        percent: Decimal,
    },
    /// Taxes are refunded whole or not at all.
    TaxOnlyWhole {
        /// Whether a percentage was asked.
        by_percent: bool,
        /// All that is left of the tax.
        whole: Amount,
        /// The currency of `whole`.
        currency: Currency,
    },
    /// More than a part of the price has left.
    PartExceeded {
        /// The part's code.
        part: String,
        /// As asked.
        asked: Amount,
        /// What it has left.
        available: Amount,
        /// The currency of these amounts.
        currency: Currency,
    },
    /// The parts do not make the total.
    PartsDoNotAddUp {
        /// Stated total.
        total: Amount,
        /// Σ of the stated parts.
        parts: Amount,
        /// The currency of these amounts.
        currency: Currency,
    },
    /// The order has no such payment.
    PaymentUnknown {
        /// As the caller named it.
        payment: String,
    },
    /// No payment is named and not exactly one fits.
    PaymentUnnamed,
    /// The payments do not make the total.
    PaymentsDoNotAddUp {
        /// The refund's amount.
        total: Amount,
        /// Σ of the stated payments.
        payments: Amount,
        /// The currency of these amounts.
        currency: Currency,
    },
    /// More than a payment can give back.
    PaymentExceeded {
        /// The payment as the caller named it.
        payment: String,
        /// As asked, in the currency it was asked in.
        asked: Amount,
        /// What it can give back, in that currency.
        available: Amount,
        /// That currency: the order's, or the payment's own.
        currency: Currency,
    },
    /// The gateway of a payment does not take its part, and the other payments cannot take it instead.
    PaymentLimited {
        /// The payment as the caller named it, else the platform's id or our number.
        payment: String,
        /// What the gateway takes.
        limit: PaymentLimit,
        /// What would go through it, in the payment's own currency.
        asked: Amount,
        /// That currency.
        currency: Currency,
    },
    /// More than can be refunded at all.
    RefundableExceeded {
        /// As asked.
        asked: Amount,
        /// What is left.
        available: Amount,
        /// The currency of these amounts.
        currency: Currency,
    },
}

impl Rejection {
    /// Stable code, the same in logs, metrics, `/v1` and the documentation.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OrderUnknown { .. } => "order_unknown",
            Self::KeyReused => "idempotency_key_reused",
            Self::RefundableStale { .. } => "refundable_stale",
            Self::OrderDisputed => "order_disputed",
            Self::OrderDeleted => "order_deleted",
            Self::OrderUnpaid => "order_unpaid",
            Self::NothingLeft => "nothing_left",
            Self::AmountsOnly => "amounts_only",
            Self::CurrencyDiffers { .. } => "currency_differs",
            Self::PaymentCurrencyDiffers { .. } => "payment_currency_differs",
            Self::LineUnknown { .. } => "line_unknown",
            Self::LineAmbiguous { .. } => "line_ambiguous",
            Self::ModesMixed { .. } => "modes_mixed",
            Self::RestockDiffers { .. } => "restock_differs",
            Self::QuantityInvalid { .. } => "quantity_invalid",
            Self::QuantityExceeded { .. } => "quantity_exceeded",
            Self::LocationUnknown { .. } => "location_unknown",
            Self::ChargeUnknown { .. } => "charge_unknown",
            Self::AmountInvalid { .. } => "amount_invalid",
            Self::PercentInvalid { .. } => "percent_invalid",
            Self::TaxOnlyWhole { .. } => "tax_only_whole",
            Self::PartExceeded { .. } => "part_exceeded",
            Self::PartsDoNotAddUp { .. } => "parts_do_not_add_up",
            Self::PaymentUnknown { .. } => "payment_unknown",
            Self::PaymentUnnamed => "payment_unnamed",
            Self::PaymentsDoNotAddUp { .. } => "payments_do_not_add_up",
            Self::PaymentExceeded { .. } => "payment_exceeded",
            Self::PaymentLimited { .. } => "payment_limited",
            Self::RefundableExceeded { .. } => "refundable_exceeded",
        }
    }

    /// Position in the rank order.
    pub fn rank(&self) -> usize {
        Self::CODES.iter().position(|code| *code == self.code()).expect("every code is listed")
    }

    /// All codes in rank order; documents and tests are checked against it.
    pub const CODES: [&'static str; 29] = [
        "order_unknown",
        "idempotency_key_reused",
        "refundable_stale",
        "order_disputed",
        "order_deleted",
        "order_unpaid",
        "nothing_left",
        "amounts_only",
        "currency_differs",
        "payment_currency_differs",
        "line_unknown",
        "line_ambiguous",
        "modes_mixed",
        "restock_differs",
        "quantity_invalid",
        "quantity_exceeded",
        "location_unknown",
        "charge_unknown",
        "amount_invalid",
        "percent_invalid",
        "tax_only_whole",
        "part_exceeded",
        "parts_do_not_add_up",
        "payment_unknown",
        "payment_unnamed",
        "payments_do_not_add_up",
        "payment_exceeded",
        "payment_limited",
        "refundable_exceeded",
    ];
}

/// All values, or of all refusals the one that ranks first; of equals the one of the earlier entry.
pub(crate) fn all_or_first<T>(results: impl Iterator<Item = Result<T, Rejection>>) -> Result<Vec<T>, Rejection> {
    let mut values = Vec::new();
    let mut refusals = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(refusal) => refusals.push(refusal),
        }
    }
    refusals.into_iter().min_by_key(Rejection::rank).map_or(Ok(values), Err)
}
