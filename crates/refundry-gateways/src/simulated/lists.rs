//! The simulated provider's refunds as a list and as a file, and how the driver reads both.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::books::{Books, Stated, Status};
use super::events::leg_of;
use crate::text::{Row, Table};
use crate::{Span, Standing, StatementFault, StatementLine};

/// Refunds on a page. A page of them stays well below what a transport reads of an answer.
const PAGE: usize = 50;

/// The columns of a statement.
const COLUMNS: [&str; 7] = ["refund", "key", "payment", "status", "amount_minor", "currency", "made_ms"];

/// A page of the list, as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ListPage {
    pub(super) refunds: Vec<Listed>,
    /// Where the next page begins; empty behind the last.
    #[serde(default)]
    pub(super) next: String,
}

/// A refund of the list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listed {
    refund: String,
    key: String,
    payment: String,
    status: Status,
    amount_minor: i64,
    currency: String,
    made_ms: i64,
}

impl Status {
    /// Stable code, the same as in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Pending => "pending",
            Status::Declined => "declined",
        }
    }

    fn standing(self) -> Standing {
        match self {
            Status::Done => Standing::Paid,
            Status::Pending => Standing::Pending,
            Status::Declined => Standing::NotPaid,
        }
    }
}

impl Listed {
    fn new(stated: &Stated<'_>) -> Listed {
        Listed {
            refund: stated.reference.clone(),
            key: stated.key.to_owned(),
            payment: stated.payment.to_owned(),
            status: stated.status,
            amount_minor: stated.amount_minor,
            currency: stated.currency.to_owned(),
            made_ms: stated.made_ms,
        }
    }

    pub(super) fn line(self, line: u64) -> StatementLine {
        StatementLine {
            line,
            leg_id: leg_of(&self.key),
            refund_reference: self.refund,
            payment_reference: self.payment,
            standing: self.status.standing(),
            amount_minor: self.amount_minor,
            currency: self.currency,
            made_ms: Some(self.made_ms),
        }
    }
}

/// The refunds made in a span of time.
fn within(books: &Books, span: Span) -> impl Iterator<Item = Stated<'_>> {
    books.stated().filter(move |stated| (span.from_ms..span.to_ms).contains(&stated.made_ms))
}

/// The same as lines.
pub(super) fn lines(books: &Books, span: Span) -> Vec<StatementLine> {
    within(books, span).map(|stated| Listed::new(&stated).line(0)).collect()
}

/// A page of them, behind the refund `after`, or from the first one on where that is empty.
pub(super) fn page(books: &Books, span: Span, after: &str) -> ListPage {
    let mut rest = within(books, span).skip_while(|stated| !after.is_empty() && stated.reference != after).peekable();
    if !after.is_empty() {
        rest.next();
    }
    let refunds: Vec<Listed> = rest.by_ref().take(PAGE).map(|stated| Listed::new(&stated)).collect();
    let more = rest.peek().is_some();
    let next = refunds.last().filter(|_| more).map(|last| last.refund.clone()).unwrap_or_default();
    ListPage { refunds, next }
}

/// All of them as a file: CSV with a header.
pub(super) fn csv(books: &Books, span: Span) -> String {
    let mut text = COLUMNS.join(",");
    text.push('\n');
    for stated in within(books, span) {
        let Stated { reference, key, payment, status, amount_minor, currency, made_ms } = stated;
        let (payment, currency) = (cell(payment), cell(currency));
        let row = writeln!(text, "{reference},{key},{payment},{},{amount_minor},{currency},{made_ms}", status.code());
        row.expect("a text grows without end");
    }
    text
}

/// A cell, quoted where it must be.
fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Reads such a file.
pub(super) fn read_csv(file: &[u8]) -> Result<Vec<StatementLine>, StatementFault> {
    let table = Table::read(file)?;
    table.require(&COLUMNS)?;
    let number = |row: Row<'_>, column| {
        let number = row.get(column).parse::<i64>();
        number.map_err(|_| row.fault(format!("{column} is no whole number")))
    };
    let lines = table.rows().map(|row| {
        let known = [Status::Done, Status::Pending, Status::Declined];
        let status = known.into_iter().find(|status| status.code() == row.get("status"));
        let listed = Listed {
            refund: row.get("refund").to_owned(),
            key: row.get("key").to_owned(),
            payment: row.get("payment").to_owned(),
            status: status.ok_or_else(|| row.fault("status is not done, pending or declined"))?,
            amount_minor: number(row, "amount_minor")?,
            currency: row.get("currency").to_owned(),
            made_ms: number(row, "made_ms")?,
        };
        Ok(listed.line(row.line))
    });
    lines.collect()
}
