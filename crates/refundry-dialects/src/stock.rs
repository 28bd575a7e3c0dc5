//! What is asked and answered about what a refund client reads of goods: locations, variants, their stock, the shop.
//!
//! A variant is named by the platform's id of it or by our number; what platforms call an inventory item is a variant
//! by our number.

use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Id, Reference};

use crate::wire::StoreView;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockCall {
    /// The shop itself.
    Shop,
    /// All locations, oldest first, at most [`refundry_core::limits::LOCATIONS_LISTED_MAX`].
    Locations,
    /// The default location.
    DefaultLocation,
    /// One location.
    Location(Reference),
    /// The shop, with what it chose to say of itself.
    Profile,
    /// The payment channels that the shop chose something for.
    Channels,
    /// What is at a location, at most [`refundry_core::limits::STOCK_LEVELS_LISTED_MAX`] variants.
    LevelsAt(Reference),
    /// Variants by name; those that nobody knows are left out.
    Variants(Vec<Reference>),
    /// One variant.
    Variant(Reference),
    /// Stock by variant and location, at most [`refundry_core::limits::STOCK_LEVELS_LISTED_MAX`] places.
    Levels {
        /// Only of these; empty for all.
        variants: Vec<Reference>,
        /// Only at these; empty for all.
        locations: Vec<Reference>,
    },
    /// Count more units, or fewer.
    Adjust {
        /// Of which variant.
        variant: Reference,
        /// Where.
        location: Reference,
        /// How many, at most [`refundry_core::limits::STOCK_UNITS_MAX`] either way.
        by: i64,
    },
    /// Count exactly so many units.
    Set {
        /// Of which variant.
        variant: Reference,
        /// Where; at the default location where absent.
        location: Option<Reference>,
        /// How many, at most [`refundry_core::limits::STOCK_UNITS_MAX`] either way.
        units: i64,
    },
    /// Have a variant at a location.
    Connect {
        /// Which variant.
        variant: Reference,
        /// Where.
        location: Reference,
    },
    /// Have it there no more.
    Disconnect {
        /// Which variant.
        variant: Reference,
        /// Where.
        location: Reference,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockReply {
    /// To `Shop`.
    Shop(StoreView),
    /// To `Locations`.
    Locations(Vec<LocationView>),
    /// To `DefaultLocation` and `Location`.
    Location(LocationView),
    /// To `Profile`.
    Profile(ProfileView),
    /// To `Channels`, by name.
    Channels(Vec<ChannelView>),
    /// To `LevelsAt` and `Levels`.
    Levels(Vec<LevelView>),
    /// To `Variants`.
    Variants(Vec<VariantView>),
    /// To `Variant`, and to `Set` without a location: with its units at all locations together.
    Variant {
        /// The variant.
        variant: VariantView,
        /// How many units there are.
        units: i64,
    },
    /// To `Adjust`, `Connect`, and `Set` at a location: what is there now.
    Level(LevelView),
    /// To `Disconnect`.
    Disconnected,
}

/// A shop, with what it chose to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileView {
    /// The shop.
    pub store: StoreView,
    /// Its host name.
    pub domain: String,
    /// Number of the merchant, in digits.
    pub merchant_id: String,
    /// IANA name of its time zone.
    pub zone: String,
    /// E-mail address, may be empty.
    pub email: String,
}

/// A payment channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelView {
    /// Its name, in lower case.
    pub name: String,
    /// The gateway that pays back.
    pub gateway: String,
}

/// A place where goods are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationView {
    /// Our number.
    pub id: Id,
    /// The platform's id, where a platform named it.
    pub external_id: Option<String>,
    /// Its name for people.
    pub name: String,
    /// Goods may go there.
    pub active: bool,
    /// It is the store's default location.
    pub is_default: bool,
    /// Its address in one text, may be empty.
    pub address: String,
    /// When it was made, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Goods that can be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantView {
    /// Our number, which is that of the inventory item.
    pub id: Id,
    /// The platform's id, else the stock keeping unit.
    pub external_id: String,
    /// The platform's id of the product, may be empty.
    pub product_id: String,
    /// Stock keeping unit, may be empty.
    pub sku: String,
    /// Name for people.
    pub title: String,
    /// Price of one unit.
    pub price: Amount,
    /// What the price is in.
    pub currency: Currency,
    /// Its units are counted.
    pub tracked: bool,
}

/// Units of a variant at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelView {
    /// The variant, by our number.
    pub variant: Id,
    /// The platform's id of the variant, else its stock keeping unit.
    pub variant_external_id: String,
    /// The location, by our number.
    pub location: Id,
    /// The platform's id of the location, where it has one.
    pub location_external_id: Option<String>,
    /// How many; below zero, more were taken than there were.
    pub units: i64,
    /// When that changed last, epoch milliseconds.
    pub updated_ms: i64,
}

/// Every "no" about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StockFault {
    /// No such location; as named.
    LocationUnknown(String),
    /// No such variant; as named.
    VariantUnknown(String),
    /// More units than are ever counted, [`refundry_core::limits::STOCK_UNITS_MAX`].
    TooMany,
}
