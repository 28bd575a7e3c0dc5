//! What Stripe says it paid back: `docs.stripe.com/api/refunds/list`, and the itemized report "Balance change from
//! activity" (`docs.stripe.com/reports/report-types/balance`, `balance_change_from_activity.itemized.3`), read November
//! 2026. The Dashboard's own export of refunds has columns that no page documents, so it is not read.

use std::collections::BTreeSet;

use super::wire::{Refund, Refunds, Refusal};
use super::{PAGE, parsed, units};
use crate::text::{Row, Table, epoch_ms, form_encoded, minor_units};
use crate::{HttpOutcome, Span, Standing, StatementFault, StatementLine};

/// What a report must have to be read. It may have more, in any order.
const COLUMNS: &[&str] =
    &["reporting_category", "source_id", "customer_facing_amount", "customer_facing_currency", "created_utc"];
/// The column of our leg, where the report was asked for with it.
const LEG_COLUMN: &str = "refund_metadata[refundry_leg]";

/// Path and query of a page. Stripe's times are whole seconds.
pub(super) fn query(span: Span, after: Option<&str>) -> String {
    let (from_s, to_s) = (whole_seconds(span.from_ms), whole_seconds(span.to_ms));
    let after = after.map(|id| format!("&starting_after={}", form_encoded(id))).unwrap_or_default();
    format!("/v1/refunds?created[gte]={from_s}&created[lt]={to_s}&limit={PAGE}{after}")
}

/// The first whole second at or after a moment.
fn whole_seconds(ms: i64) -> i64 {
    ms.div_euclid(1000) + i64::from(ms.rem_euclid(1000) > 0)
}

/// The lines of a page, and after which refund the next one begins.
pub(super) fn read_page(outcome: HttpOutcome) -> Result<(Vec<StatementLine>, Option<String>), StatementFault> {
    let (status, body) = match outcome {
        HttpOutcome::Answered { status, body } => (status, body),
        HttpOutcome::NotSent { reason } | HttpOutcome::Broken { reason } => return Err(StatementFault::whole(reason)),
    };
    let page = parsed::<Refunds>(&body).filter(|page| status == 200 && page.url == "/v1/refunds");
    let Some(page) = page else {
        let told = parsed::<Refusal>(&body).map_or("a body that is no list of refunds".to_owned(), |refusal| {
            format!("{}: {}", refusal.error.word(), refusal.error.message.as_deref().unwrap_or_default())
        });
        return Err(StatementFault::whole(format!("status {status} with {told}")));
    };
    let lines = page.data.iter().map(listed).collect::<Result<_, _>>()?;
    let last = page.data.last().map(|refund| refund.id.clone());
    match (page.has_more, last) {
        (true, None) => Err(StatementFault::whole("a page without refunds, but more to come")),
        (true, last) => Ok((lines, last)),
        (false, _) => Ok((lines, None)),
    }
}

fn listed(refund: &Refund) -> Result<StatementLine, StatementFault> {
    let figures = units::from_stripe(refund.amount, &refund.currency);
    let (amount_minor, currency) =
        figures.ok_or_else(|| StatementFault::whole(format!("the amount of {} is none of its currency", refund.id)))?;
    Ok(StatementLine {
        line: 0,
        refund_reference: refund.id.clone(),
        leg_id: refund.leg(),
        payment_reference: refund.payment().0,
        standing: refund.standing(),
        amount_minor,
        currency,
        made_ms: refund.created.checked_mul(1000),
    })
}

/// Reads the report. A refund that failed has two rows in it, one that pays and one that takes back; it is told once.
pub(crate) fn read_report(file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let table = Table::read(file)?;
    table.require(COLUMNS)?;
    let of = |category: &'static str| table.rows().filter(move |row| row.get("reporting_category") == category);
    let failed: BTreeSet<&str> = of("refund_failure").map(|row| row.get("source_id")).collect();
    let mut lines = Vec::new();
    for row in of("refund") {
        let standing = if failed.contains(row.get("source_id")) { Standing::NotPaid } else { Standing::Paid };
        lines.push(stated(&row, standing)?);
    }
    // One that was made before the report begins has only the row of its failure.
    let paid: BTreeSet<&str> = of("refund").map(|row| row.get("source_id")).collect();
    for row in of("refund_failure").filter(|row| !paid.contains(row.get("source_id"))) {
        lines.push(stated(&row, Standing::NotPaid)?);
    }
    Ok(lines)
}

fn stated(row: &Row<'_>, standing: Standing) -> Result<StatementLine, StatementFault> {
    let reference = row.get("source_id");
    if reference.is_empty() {
        return Err(row.fault("a refund without source_id"));
    }
    // The buyer's figures; `gross` is what moved on the balance, after conversion.
    let currency = row.get("customer_facing_currency").to_ascii_uppercase();
    let amount = row.get("customer_facing_amount");
    let decimals = units::decimals(&currency).ok_or_else(|| row.fault(format!("`{currency}` is no currency")))?;
    let amount_minor = minor_units(amount, decimals)
        .ok_or_else(|| row.fault(format!("`{amount}` is no amount in {currency}; decimals follow a point")))?;
    let leg = row.get(LEG_COLUMN);
    let leg_id = if leg.is_empty() { None } else { Some(leg) };
    let leg_id = leg_id.map(|leg| leg.parse().map_err(|_| row.fault(format!("`{leg}` is no leg")))).transpose()?;
    let created = row.get("created_utc");
    let made_ms =
        epoch_ms(created).ok_or_else(|| row.fault(format!("`{created}` is no time like 2026-11-25 08:00:00")))?;
    let (intent, charge) = (row.get("payment_intent_id"), row.get("charge_id"));
    Ok(StatementLine {
        line: row.line,
        refund_reference: reference.to_owned(),
        leg_id,
        payment_reference: if intent.is_empty() { charge } else { intent }.to_owned(),
        standing,
        // Money that left has a minus.
        amount_minor: amount_minor.saturating_abs(),
        currency,
        made_ms: Some(made_ms),
    })
}
