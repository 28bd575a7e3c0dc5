//! What is asked and answered about what a refund client reads of goods: locations, variants, their stock, the shop.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCall {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockReply {}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockFault {}
