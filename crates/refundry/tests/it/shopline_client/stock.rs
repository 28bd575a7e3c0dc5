//! Places, what lies there, and the shop.

use super::wire::{Currency, LocationId, Time, TimeOrEmpty, wire, words};

words! {
    /// A truth that is a text.
    enum TrueOrFalse { True = "true", False = "false", }
}

/// A place; one list of them has a key more.
macro_rules! location {
    ($(#[$about:meta])* struct $name:ident { $($more:tt)* }) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: LocationId,
                name: String,
                active: bool,
                is_default: TrueOrFalse,
                legacy: bool,
                address1: String,
                address2: String,
                city: String,
                country: String,
                country_code: String,
                province: String,
                province_code: String,
                zip: String,
                phone: String,
                phone_code: String,
                created_at: Time,
                updated_at: Time,
                $($more)*
            }
        }
    };
}

location! {
    /// `GET locations/list.json` and `GET locations/{id}.json`
    struct Location {}
}

location! {
    /// `GET locations.json`
    struct LocationWithDistrict {
        district: String,
    }
}

wire! {
    /// `GET inventory_levels.json` and `POST inventory_levels/set.json`
    struct Level {
        inventory_item_id: String,
        location_id: LocationId,
        variant_id: String,
        available: i64,
        updated_at: Time,
    }

    /// `POST inventory_levels/adjust.json`, which spells the time in its own way.
    struct AdjustedLevel {
        inventory_item_id: String,
        location_id: LocationId,
        variant_id: String,
        available: i64,
        update_at: Time,
    }

    /// `inventory_levels/update`
    struct ToldLevel {
        inventory_item_id: String,
        variant_id: String,
        location_id: LocationId,
        available: i64,
        onhand: i64,
        committed: i64,
        unavailable: i64,
        updated_at: Time,
    }

    /// `GET merchants/shop.json`
    struct Shop {
        id: i64,
        name: String,
        currency: Currency,
        domain: String,
        iana_timezone: String,
        merchant_id: String,
        email: String,
        customer_email: String,
        language: String,
        location_country_code: String,
        biz_store_status: i64,
        created_at: Time,
        updated_at: Time,
    }

    /// `GET currency/currencies.json`
    struct ShopCurrency {
        currency: Currency,
        enabled: bool,
        rate_update_at: TimeOrEmpty,
    }
}
