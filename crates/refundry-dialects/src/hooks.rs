//! What is asked and answered about subscriptions to what happens, and deliveries of it.

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookCall {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookReply {}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookFault {}
