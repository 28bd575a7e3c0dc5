//! What is asked and answered about after-sales cases: lists, finishing a refund that waits, dropping one.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseCall {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseReply {}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseFault {}
