//! The refunds in PayPal's Settlement report and Transaction detail report, both CSV.
//!
//! Sources, read on 2026-11-25: developer.paypal.com/docs/reports/sftp-reports/settlement-report and
//! …/transaction-detail (both: amounts "are unsigned, with no currency symbol, decimal separator, or other
//! punctuation"; the column beside tells debit from credit), and developer.paypal.com/reports/reference/t-codes.
//!
//! The first field of a row says what it is: `CH` names the columns of the `SB` rows below it, `FF` ends the file. A
//! refund by the merchant has code T1107; `PayPal Reference ID` is the payment, and `Custom Field` what we gave it.
//!
//! Not found: how HUF and TWD, which PayPal takes without decimals, are written. Their amounts are read as whole units,
//! as those of yen are; if that is wrong, the reconciliation shows a difference and nothing else happens.

use super::UNITS;
use crate::text::rows_of;
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

pub(crate) fn read(file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let text = std::str::from_utf8(file).map_err(|_| StatementFault::whole("it is not text in UTF-8"))?;
    let rows = rows_of(text.trim_start_matches('\u{feff}'))?;
    let mut columns = Vec::new();
    let mut lines = Vec::new();
    let mut is_whole = false;
    for (line, cells) in rows {
        let fault = |reason: String| StatementFault { line, reason };
        match cells.first().map(String::as_str) {
            Some("CH") => {
                columns = cells.iter().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
                if let Some(name) = NEEDED.iter().find(|name| !columns.iter().any(|known| known == *name)) {
                    return Err(fault(format!("there is no column {name}")));
                }
            }
            Some("SB") if columns.is_empty() => return Err(fault("a row above the names of its columns".to_owned())),
            Some("SB") if cells.len() != columns.len() => {
                let (cells, columns) = (cells.len(), columns.len());
                return Err(fault(format!("{cells} fields under {columns} columns: was it cut off?")));
            }
            Some("SB") => lines.extend(refund(&Row { line, columns: &columns, cells: &cells })?),
            Some("FF") => is_whole = true,
            _ => {}
        }
    }
    if columns.is_empty() {
        return Err(StatementFault::whole("it is no Settlement or Transaction detail report of PayPal"));
    }
    if !is_whole {
        return Err(StatementFault::whole("it has no last row (`FF`): was it cut off?"));
    }
    Ok(lines)
}

struct Row<'r> {
    line: u64,
    /// Their names, with single spaces: the reports do not agree in them.
    columns: &'r [String],
    cells: &'r [String],
}

impl<'r> Row<'r> {
    fn get(&self, column: &str) -> &'r str {
        let place = self.columns.iter().position(|known| known == column);
        place.and_then(|place| self.cells.get(place)).map_or("", |cell| cell.trim())
    }
}

/// The line of a row, if it is a refund that was paid from here; one that was received is a credit.
fn refund(row: &Row<'_>) -> Result<Option<StatementLine>, StatementFault> {
    if (row.get("Transaction Event Code"), row.get("Transaction Debit or Credit")) != ("T1107", "DR") {
        return Ok(None);
    }
    let fault = |reason: String| StatementFault { line: row.line, reason };
    let (amount, currency) = (row.get("Gross Transaction Amount"), row.get("Gross Transaction Currency"));
    let amount_minor = amount.parse().ok().and_then(|amount| UNITS.read(amount, currency)).filter(|minor| *minor > 0);
    // The Settlement report has no such column, because it holds settled transactions only.
    let standing = match row.get("Transactional Status") {
        "" | "S" => Standing::Paid,
        "P" => Standing::Pending,
        "D" | "V" => Standing::NotPaid,
        other => return Err(fault(format!("a refund with status `{other}`"))),
    };
    let date = row.get("Transaction Initiation Date");
    let made = jiff::Timestamp::strptime("%Y/%m/%d %H:%M:%S %z", date);
    let made = made.map_err(|_| fault(format!("`{date}` is no time like 2026/11/25 08:00:00 +0000")))?;
    Ok(Some(StatementLine {
        line: row.line,
        refund_reference: row.get("Transaction ID").to_owned(),
        leg_id: leg_id(row.get("Custom Field")).or_else(|| leg_id(row.get("Invoice ID"))),
        payment_reference: row.get("PayPal Reference ID").to_owned(),
        standing,
        amount_minor: amount_minor.ok_or_else(|| fault(format!("`{amount} {currency}` is no amount")))?,
        currency: currency.to_owned(),
        made_ms: Some(made.as_millisecond()),
    }))
}
