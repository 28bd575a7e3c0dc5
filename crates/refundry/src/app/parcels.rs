//! Calls about what happens to an order after it was made: payments, transactions, parcels.

use std::sync::Arc;

use refundry_dialects::Refusal;
use refundry_dialects::parcels::{ParcelCall, ParcelReply};
use refundry_engine::tenants::Caller;

use super::App;

impl App {
    pub(super) async fn run_on_parcels(&self, _caller: &Arc<Caller>, call: ParcelCall) -> Result<ParcelReply, Refusal> {
        match call {}
    }
}
