//! What a driver made of something, as a line of the suite.

use std::fmt::Write;

use refundry_gateways::{About, Answer, DisputeStage, Heard, Notice, Standing, StatementFault, StatementLine};

/// Whether an expectation is met: what follows the first `: `, which is words for a person, may be left out.
pub(super) fn met(expected: &str, actual: &str) -> bool {
    actual == expected || actual.split_once(": ").is_some_and(|(said, _)| said == expected)
}

pub(super) fn answer(answer: &Answer) -> String {
    match answer {
        Answer::Done { reference, amount_minor, currency } => {
            format!("done {} {amount_minor} {currency}", or_dash(reference))
        }
        Answer::Pending { reference } => format!("pending {}", or_dash(reference)),
        Answer::Declined { code, message } => format!("declined {code}: {message}"),
        Answer::Unknown { reason } => format!("unknown: {reason}"),
        Answer::NotTaken { reason } => format!("not taken: {reason}"),
        Answer::NotFound => "not found".to_owned(),
    }
}

pub(super) fn heard(heard: &Heard) -> Vec<String> {
    match heard {
        Heard::Notices(notices) if notices.is_empty() => vec!["nothing".to_owned()],
        Heard::Notices(notices) => notices.iter().map(notice).collect(),
        Heard::Refused { reason } => vec![format!("refused: {reason}")],
        Heard::Later { reason } => vec![format!("later: {reason}")],
        Heard::Confirm(_) => vec!["asks the provider once more".to_owned()],
    }
}

fn notice(notice: &Notice) -> String {
    let mut told = match &notice.about {
        About::Refund {
            leg_id,
            refund_reference,
            payment_reference,
            payment_alias,
            answer,
            amount_minor,
            currency,
        } => {
            let stands = match answer {
                Answer::Done { .. } => "done".to_owned(),
                Answer::Pending { .. } => "pending".to_owned(),
                Answer::Declined { code, .. } => format!("declined {code}"),
                other => format!("{other:?}, which is no standing"),
            };
            format!(
                "refund leg={} reference={} payment={}{} {stands} {amount_minor} {currency}",
                leg_id.map_or("-".to_owned(), |leg| leg.to_string()),
                or_dash(refund_reference),
                or_dash(payment_reference),
                alias(payment_alias),
            )
        }
        About::Dispute { dispute_reference, payment_reference, payment_alias, stage, amount_minor, currency } => {
            format!(
                "dispute reference={} payment={}{} {} {amount_minor} {currency}",
                or_dash(dispute_reference),
                or_dash(payment_reference),
                alias(payment_alias),
                DisputeStage::code(*stage),
            )
        }
    };
    let _ = write!(told, " event={} kind={}", or_dash(&notice.event), or_dash(&notice.kind));
    if let Some(happened_ms) = notice.happened_ms {
        let _ = write!(told, " happened={happened_ms}");
    }
    told
}

pub(super) fn statement(read: &Result<Vec<StatementLine>, StatementFault>) -> Vec<String> {
    match read {
        Ok(lines) if lines.is_empty() => vec!["nothing".to_owned()],
        Ok(lines) => lines.iter().map(statement_line).collect(),
        Err(fault) => vec![format!("fault in line {}: {}", fault.line, fault.reason)],
    }
}

fn statement_line(line: &StatementLine) -> String {
    let standing = match line.standing {
        Standing::Paid => "paid",
        Standing::Pending => "pending",
        Standing::NotPaid => "not paid",
    };
    let mut told = format!(
        "line {} leg={} reference={} payment={} {standing} {} {}",
        line.line,
        line.leg_id.map_or("-".to_owned(), |leg| leg.to_string()),
        or_dash(&line.refund_reference),
        or_dash(&line.payment_reference),
        line.amount_minor,
        line.currency,
    );
    if let Some(made_ms) = line.made_ms {
        let _ = write!(told, " made={made_ms}");
    }
    told
}

/// A second id of a payment, behind the first.
fn alias(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("/{text}") }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
