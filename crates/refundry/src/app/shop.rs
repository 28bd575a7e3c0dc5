//! Calls about orders themselves: create, read, change, call off, list.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::shop::{ShopCall, ShopReply};
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn run_on_shop(&self, _caller: &Arc<Caller>, call: ShopCall) -> Result<ShopReply, Refusal> {
        match call {}
    }
}
