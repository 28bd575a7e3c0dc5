//! `refundry audit`: re-derives every balance, beside a running server. Exit code 1 when anything differs.

use std::process::ExitCode;

use anyhow::Context as _;
use refundry_engine::store::audit::{AuditOptions, Report, audit};
use serde_json::json;

use crate::cli::AuditArgs;
use crate::database::open_existing;
use crate::serve::say;

/// Audits the books of a data folder.
pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let store = open_existing(&args.data)?;
    let report = audit(&store, &AuditOptions::default()).context("the books cannot be read")?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) -> anyhow::Result<()> {
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    let Report { stores, orders, refunds, entries, findings_total, .. } = report;
    say(&format!(
        "{stores} stores, {orders} orders, {refunds} refunds, {entries} journal entries: {findings_total} differences"
    ))
}

fn print_json(report: &Report) -> anyhow::Result<()> {
    let findings = report.findings.iter().map(|finding| {
        json!({"code": finding.code, "store": finding.store, "order": finding.order, "refund": finding.refund,
            "text": finding.text})
    });
    let Report { stores, orders, refunds, entries, findings_total, .. } = report;
    let whole = json!({"stores": stores, "orders": orders, "refunds": refunds, "entries": entries,
        "differences": findings_total, "findings": findings.collect::<Vec<_>>()});
    say(&whole.to_string())
}
