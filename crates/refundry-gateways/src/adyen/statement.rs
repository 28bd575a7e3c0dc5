//! The refunds in Adyen's Settlement details report.
//!
//! Source: docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report, read on
//! 2026-11-25. Of the reports it is the one that shows a refund with its own references: `Psp Reference` is the
//! payment, `Modification Reference` the refund, `Modification Merchant Reference` the reference we gave it, and the
//! gross columns hold what the shopper gets, in decimals. Columns are found by name, because every account has a choice
//! of its own.
//!
//! `Creation Date` is left alone: its time zone is an abbreviation, which names several.

use crate::csv::{Columns, rows};
use crate::units::read_decimal;
use crate::wire::leg_id;
use crate::{Standing, StatementFault, StatementLine};

const NEEDED: &[&str] = &[
    "Merchant Account",
    "Psp Reference",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
];

pub(super) fn read(merchant_account: &str, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let rows = rows(file)?;
    let (header, rows) = rows.split_first().ok_or_else(|| StatementFault::whole("the file is empty"))?;
    let columns = Columns::new(header);
    if let Some(name) = columns.missing(NEEDED) {
        return Err(StatementFault { line: header.line, reason: format!("there is no column `{name}`") });
    }
    let mut lines = Vec::new();
    for row in rows {
        let get = |name| columns.get(row, name);
        // Of the record types, these two tell of refunds: money that left, and money that came back.
        let (standing, amount) = match get("Type") {
            "Refunded" => (Standing::Paid, get("Gross Debit (GC)")),
            "RefundedReversed" => (Standing::NotPaid, get("Gross Credit (GC)")),
            _ => continue,
        };
        if get("Merchant Account") != merchant_account {
            continue;
        }
        let currency = get("Gross Currency").to_owned();
        let fault = |reason: String| StatementFault { line: row.line, reason };
        let amount_minor = read_decimal(amount, &currency).filter(|amount| *amount > 0);
        lines.push(StatementLine {
            line: row.line,
            refund_reference: get("Modification Reference").to_owned(),
            leg_id: leg_id(get("Modification Merchant Reference")),
            payment_reference: get("Psp Reference").to_owned(),
            standing,
            amount_minor: amount_minor.ok_or_else(|| fault(format!("`{amount} {currency}` is no amount")))?,
            currency,
            made_ms: None,
        });
    }
    Ok(lines)
}
