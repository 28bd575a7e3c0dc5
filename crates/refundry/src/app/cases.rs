//! Calls about after-sales cases: lists, finishing a refund that waits, dropping one.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::cases::{CaseCall, CaseReply};
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn run_on_cases(&self, _caller: &Arc<Caller>, call: CaseCall) -> Result<CaseReply, Refusal> {
        match call {}
    }
}
