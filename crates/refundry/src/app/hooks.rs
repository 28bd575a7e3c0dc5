//! Calls about subscriptions to what happens, and deliveries of it.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::hooks::{HookCall, HookReply};
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn run_on_hooks(&self, _caller: &Arc<Caller>, call: HookCall) -> Result<HookReply, Refusal> {
        match call {}
    }
}
