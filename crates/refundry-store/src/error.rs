//! What can go wrong with a database, told apart by what to do next.
//!
//! There is deliberately no variant for "something else": whoever meets a failure must be able to choose between trying
//! again, waiting, calling the operator and reporting a bug.

use std::fmt;

/// Why a transaction did not happen. Nobody sees anything of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Another writer was in the way for too long, or the database asked to start over. Try again.
    Busy,
    /// A unique key is taken. Read again and decide anew; the name tells which key.
    Conflict {
        /// Table and columns joined by underscores (`tokens_hash`), which is also how constraints are named in the SQL.
        constraint: String,
    },
    /// The database takes no writes now: disk full or file not writable. Refuse writes, keep reading, tell the
    /// operator.
    ReadOnly {
        /// What the database said.
        detail: String,
    },
    /// The database cannot be reached or its disk fails; nothing was committed. Wait and try again; tell the operator.
    Unavailable {
        /// What could not be done, and why.
        detail: String,
    },
    /// The connection was lost, or the disk failed, while a commit was under way: it may be there. Whatever is tried
    /// again must carry its idempotency key.
    Unsure {
        /// What could not be done, and why.
        detail: String,
    },
    /// The file is damaged or is not a database. Stop; the operator restores a backup.
    Corrupt {
        /// What the database said.
        detail: String,
    },
    /// The schema is not one this program knows. Stop; the operator runs the right version.
    Schema(SchemaProblem),
    /// A statement, or a row it met, breaks what the schema promises. A bug: never retry, report it.
    Defect {
        /// What the database said, or which column was not what the code expected.
        detail: String,
    },
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaProblem {
    /// A newer version of the program has migrated this database.
    FromTheFuture {
        /// The version found in the database.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A migration was applied with another text than the one compiled in, or one in between is missing.
    Differs {
        /// The first version that differs.
        version: i64,
    },
    /// The database has tables, but not ours.
    NotOurs {
        /// One of the tables found.
        table: String,
    },
}

impl StoreError {
    /// A row or statement that cannot be what the code believes it is.
    pub fn defect(detail: impl Into<String>) -> StoreError {
        StoreError::Defect { detail: detail.into() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Busy => write!(f, "the database is busy"),
            StoreError::Conflict { constraint } => write!(f, "the key {constraint} is taken"),
            StoreError::ReadOnly { detail } => write!(f, "the database takes no writes: {detail}"),
            StoreError::Unavailable { detail } => write!(f, "the database is not available: {detail}"),
            StoreError::Unsure { detail } => write!(f, "it is not known whether the commit happened: {detail}"),
            StoreError::Corrupt { detail } => write!(f, "the database is damaged: {detail}"),
            StoreError::Schema(problem) => write!(f, "{problem}"),
            StoreError::Defect { detail } => write!(f, "the database and the program disagree: {detail}"),
        }
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaProblem::FromTheFuture { found, known } => {
                write!(f, "the database has schema version {found}, but this program knows only up to {known}")
            }
            SchemaProblem::Differs { version } => {
                write!(f, "schema version {version} of the database is not the one this program knows")
            }
            SchemaProblem::NotOurs { table } => {
                write!(f, "the database belongs to another program: it has a table {table}")
            }
        }
    }
}

impl std::error::Error for StoreError {}
