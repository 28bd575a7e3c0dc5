//! Calls about what a refund client reads of goods: locations, variants, their stock, the shop.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::stock::{StockCall, StockReply};
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn run_on_stock(&self, _caller: &Arc<Caller>, call: StockCall) -> Result<StockReply, Refusal> {
        match call {}
    }
}
