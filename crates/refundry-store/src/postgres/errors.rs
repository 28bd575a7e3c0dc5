//! What a failure of `PostgreSQL` means: for the caller, and for whether a transaction may be run again.

use std::error::Error as _;

use tokio_postgres::Error;

use crate::StoreError;

/// What may be done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The server took the transaction back because of others (serialization failure, deadlock): run it again.
    Again,
    /// The connection is gone, and the transaction with it: run it again on another one.
    Lost,
    /// The connection was gone after the commit had been sent: it may have happened, so nothing is run again.
    Unsure,
    /// The server did not answer in time: that was all the time there is.
    Silent,
    /// Running it again would end the same way.
    Refused,
}

/// How the driver begins when a statement and its parameters, or a row and what is read of it, do not fit.
const OURS: [&str; 5] = ["error serializing", "error deserializing", "invalid column", "expected", "error encoding"];

/// Reads a failure.
pub(crate) fn read(error: &Error) -> (Cause, StoreError) {
    let detail = text(error);
    let Some(db) = error.as_db_error() else {
        // The driver tells its own refusals (a parameter, a column) from a lost connection by its words alone.
        let ours = OURS.iter().any(|words| detail.starts_with(words));
        return if ours {
            (Cause::Refused, StoreError::Defect { detail })
        } else {
            (Cause::Lost, StoreError::Unavailable { detail })
        };
    };
    let code = db.code().code();
    match (code.get(..2).unwrap_or_default(), code) {
        (_, "40001" | "40P01") => (Cause::Again, StoreError::Busy),
        // A lock that was waited for too long, or a statement that was.
        (_, "55P03" | "57014") => (Cause::Refused, StoreError::Busy),
        (_, "23505") => {
            let constraint = db.constraint().unwrap_or_default().to_owned();
            (Cause::Refused, StoreError::Conflict { constraint })
        }
        // A full disk, or a server that only reads (a replica that is not promoted yet).
        (_, "53100" | "25006") => (Cause::Refused, StoreError::ReadOnly { detail }),
        (_, "XX001" | "XX002") => (Cause::Refused, StoreError::Corrupt { detail }),
        // Connections end, the server stops or starts (57P01 to 57P05), or has too many connections or too little room.
        ("08" | "57", _) => (Cause::Lost, StoreError::Unavailable { detail }),
        ("53" | "58" | "28" | "3D", _) => (Cause::Refused, StoreError::Unavailable { detail }),
        _ => (Cause::Refused, StoreError::Defect { detail }),
    }
}

/// The driver's words are short; the reason is in what it wraps.
fn text(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", db.message(), db.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
