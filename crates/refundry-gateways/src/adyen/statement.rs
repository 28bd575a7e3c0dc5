//! The refunds in Adyen's Settlement details report.
//!
//! Source: docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report, read on
//! 2026-11-25. Of the reports it is the one that shows a refund with its own references: `Psp Reference` is the
//! payment, `Modification Reference` the refund, `Modification Merchant Reference` the reference we gave it, and the
//! gross columns hold what the shopper gets, in decimals. Columns are found by name, because every account has a choice
//! of its own.
//!
//! `Creation Date` is left alone: its time zone is an abbreviation, which names several.

use crate::text::Table;
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

pub(crate) fn read(merchant_account: &str, file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let table = Table::read(file)?;
    table.require(NEEDED)?;
    let mut lines = Vec::new();
    let mut accounts = table.rows().map(|row| row.get("Merchant Account")).peekable();
    if let Some(other) = accounts.peek().copied()
        && !accounts.any(|account| account == merchant_account)
    {
        let reason = format!("it is of other merchant accounts (`{other}`), and not of `{merchant_account}`");
        return Err(StatementFault::whole(reason));
    }
    for row in table.rows().filter(|row| row.get("Merchant Account") == merchant_account) {
        // Of the record types, these two tell of refunds: money that left, and money that came back.
        let (standing, amount) = match row.get("Type") {
            "Refunded" => (Standing::Paid, row.get("Gross Debit (GC)")),
            "RefundedReversed" => (Standing::NotPaid, row.get("Gross Credit (GC)")),
            _ => continue,
        };
        let currency = row.get("Gross Currency");
        let amount_minor = read_decimal(amount, currency).filter(|amount| *amount > 0);
        lines.push(StatementLine {
            line: row.line,
            refund_reference: row.get("Modification Reference").to_owned(),
            leg_id: leg_id(row.get("Modification Merchant Reference")),
            payment_reference: row.get("Psp Reference").to_owned(),
            standing,
            amount_minor: amount_minor.ok_or_else(|| row.fault(format!("`{amount} {currency}` is no amount")))?,
            currency: currency.to_owned(),
            made_ms: None,
        });
    }
    Ok(lines)
}
