//! What is asked and answered about orders themselves: create, read, change, call off, list.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopCall {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopReply {}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopFault {}
