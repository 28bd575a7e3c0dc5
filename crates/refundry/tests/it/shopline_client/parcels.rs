//! Parcels.

use super::orders::Tax;
use super::refunds::{Fulfilled, sold_line};
use super::wire::{Amount, Double, LineId, MoneySet, Nullable, OrderId, ParcelId, Since, Time, wire, words};

words! {
    /// Whether it still goes.
    enum ParcelStatus { Success = "success", Cancelled = "cancelled", }
    /// Where it is; one word is so on the wire.
    enum ShipmentStatus {
        Unknown = "",
        OutForDelivery = "out_for_delivery",
        Delivered = "delivered",
        Failure = "faliure",
        PickedUp = "picked_up",
    }
}

wire! {
    /// What was shipped together.
    struct Fulfillment {
        id: ParcelId,
        order_id: OrderId,
        name: String,
        status: ParcelStatus,
        shipment_status: ShipmentStatus,
        created_at: Time,
        updated_at: Time,
        tracking_company: String,
        tracking_number: String,
        tracking_url: String,
        tracking_numbers: Vec<String>,
        tracking_urls: Vec<String>,
        tracking_info_list: Since<20_250_601, Vec<Tracking>>,
        line_items: Vec<FulfilledLine>,
    }

    /// How to follow it.
    struct Tracking {
        tracking_company: String,
        tracking_number: String,
        tracking_url: String,
    }
}

sold_line! {
    /// In a parcel.
    struct FulfilledLine {
        fulfillment_quantity: i64,
        total_discount: Amount,
    }
}
