//! What is asked and answered about what happens to an order after it was made: payments, transactions, parcels.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelCall {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelReply {}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelFault {}
