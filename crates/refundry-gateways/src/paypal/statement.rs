//! The refunds in PayPal's Settlement report and Transaction detail report, both CSV.
//!
//! Sources, read on 2026-11-25: developer.paypal.com/docs/reports/sftp-reports/settlement-report and
//! …/transaction-detail (both: amounts "are unsigned, with no currency symbol, decimal separator, or other
//! punctuation"; the column beside tells debit from credit), and developer.paypal.com/reports/reference/t-codes.
//!
//! The first field of a row says what it is: `CH` names the columns of the `SB` rows below it. A refund by the merchant
//! has code T1107; `PayPal Reference ID` is the payment, and `Custom Field` what we gave it.
//!
//! Not found: how HUF and TWD, which PayPal takes without decimals, are written. Their amounts are read as whole units,
//! as those of yen are; if that is wrong, the reconciliation shows a difference and nothing else happens.

use super::UNITS;
use crate::csv::{Columns, Row, rows};
use crate::wire::leg_id;
use crate::{Standing, StatementFault, StatementLine};

const NEEDED: &[&str] = &[
    "Transaction ID",
    "Invoice ID",
    "PayPal Reference ID",
    "Transaction Event Code",
    "Transaction Initiation Date",
    "Transaction Debit or Credit",
    "Gross Transaction Amount",
    "Gross Transaction Currency",
    "Custom Field",
];

pub(super) fn read(file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let mut columns = None;
    let mut lines = Vec::new();
    for row in rows(file)? {
        let fault = |reason: String| StatementFault { line: row.line, reason };
        match row.fields.first().map(String::as_str) {
            Some("CH") => {
                let header = Columns::new(&row);
                if let Some(name) = header.missing(NEEDED) {
                    return Err(fault(format!("there is no column `{name}`")));
                }
                columns = Some(header);
            }
            Some("SB") => {
                let columns =
                    columns.as_ref().ok_or_else(|| fault("a row above the names of its columns".to_owned()))?;
                lines.extend(refund(columns, &row)?);
            }
            _ => {}
        }
    }
    if columns.is_none() {
        return Err(StatementFault::whole("it is no Settlement or Transaction detail report of PayPal"));
    }
    Ok(lines)
}

/// The line of a row, if it is a refund that was paid from here; one that was received is a credit.
fn refund(columns: &Columns, row: &Row) -> Result<Option<StatementLine>, StatementFault> {
    let get = |name| columns.get(row, name);
    if (get("Transaction Event Code"), get("Transaction Debit or Credit")) != ("T1107", "DR") {
        return Ok(None);
    }
    let fault = |reason: String| StatementFault { line: row.line, reason };
    let (amount, currency) = (get("Gross Transaction Amount"), get("Gross Transaction Currency"));
    let amount_minor = amount.parse().ok().and_then(|amount| UNITS.read(amount, currency)).filter(|minor| *minor > 0);
    // The Settlement report has no such column, because it holds settled transactions only.
    let standing = match get("Transactional Status") {
        "" | "S" => Standing::Paid,
        "P" => Standing::Pending,
        "D" | "V" => Standing::NotPaid,
        other => return Err(fault(format!("a refund with status `{other}`"))),
    };
    let made = jiff::Timestamp::strptime("%Y/%m/%d %H:%M:%S %z", get("Transaction Initiation Date"));
    Ok(Some(StatementLine {
        line: row.line,
        refund_reference: get("Transaction ID").to_owned(),
        leg_id: leg_id(get("Custom Field")).or_else(|| leg_id(get("Invoice ID"))),
        payment_reference: get("PayPal Reference ID").to_owned(),
        standing,
        amount_minor: amount_minor.ok_or_else(|| fault(format!("`{amount} {currency}` is no amount")))?,
        currency: currency.to_owned(),
        made_ms: made.ok().map(jiff::Timestamp::as_millisecond),
    }))
}
