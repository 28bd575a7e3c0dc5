//! Goods of the server in memory: two places, a shirt and a mug, and what there is of them.

use std::collections::BTreeMap;

use refundry_core::command::CreateRefund;
use refundry_core::limits::STOCK_UNITS_MAX;
use refundry_core::money::{Amount, Currency};
use refundry_core::order::{Id, Order, Reference};
use refundry_dialects::stock::{
    ChannelView, LevelView, LocationView, ProfileView, StockCall, StockFault, StockReply, VariantView,
};
use refundry_dialects::{Refusal, StoreView};

/// Our number of the store, and of its default location.
const STORE: Id = 110_000_000_000_000_001;
/// Our numbers of the second location and of the variants.
const ATTIC: Id = 110_000_000_000_000_002;
const SHIRT: Id = 110_000_000_000_000_011;
const MUG: Id = 110_000_000_000_000_012;
/// Our number of the first location that an order names; each one after it is one higher.
const FIRST_NAMED: Id = 110_000_000_000_000_021;
/// A location that takes nothing any more.
const CLOSED: &str = "5409714787218630000";
/// 2026-02-01T08:00:00Z, when all of it was made.
const MADE_MS: i64 = 1_769_932_800_000;

/// What there is where.
pub(crate) struct Shelves {
    /// Variant and location → units, and when that changed last.
    levels: BTreeMap<(Id, Id), (i64, i64)>,
    /// Places that order lines named first.
    named: Vec<String>,
}

impl Default for Shelves {
    fn default() -> Self {
        let levels = [((SHIRT, STORE), (12, MADE_MS)), ((SHIRT, ATTIC), (3, MADE_MS))];
        Self { levels: levels.into(), named: Vec::new() }
    }
}

impl Shelves {
    /// The first place where anything is.
    pub(super) fn first(&self) -> LevelView {
        self.views().next().expect("there is a shelf")
    }

    /// Makes the places known that the lines of an order name.
    pub(crate) fn learn(&mut self, order: &Order) {
        for place in order.lines.iter().map(|line| line.location_id.as_str()).filter(|place| !place.is_empty()) {
            if self.location(&named(place)).is_err() {
                self.named.push(place.to_owned());
            }
        }
    }

    /// The first place of a refund that is not there, where the API that it came through minds.
    pub(crate) fn lost(&self, command: &CreateRefund) -> Option<String> {
        let mut places = command.request.places().filter(|_| command.known_places);
        let gone = |place: &&str| {
            let found = self.location(&named(place)).ok();
            !self.locations().iter().any(|known| Some(known.id) == found && known.active)
        };
        places.find(gone).map(str::to_owned)
    }

    pub(crate) fn run(&mut self, call: StockCall, now_ms: i64) -> Result<StockReply, Refusal> {
        Ok(match call {
            StockCall::Shop => StockReply::Shop(shop()),
            StockCall::Profile => StockReply::Profile(ProfileView {
                store: shop(),
                domain: "hats.myshopline.com".to_owned(),
                merchant_id: STORE.to_string(),
                zone: "UTC".to_owned(),
                email: "hello@hats.example".to_owned(),
            }),
            StockCall::Channels => StockReply::Channels(channels().into()),
            StockCall::Locations => StockReply::Locations(self.locations()),
            StockCall::Location(place) => {
                let id = self.location(&place)?;
                StockReply::Location(self.locations().into_iter().find(|place| place.id == id).expect("it is there"))
            }
            StockCall::DefaultLocation => StockReply::Location(self.locations().swap_remove(0)),
            StockCall::LevelsAt(place) => {
                let place = self.location(&place)?;
                StockReply::Levels(self.views().filter(|level| level.location == place).collect())
            }
            StockCall::Variants(named) => StockReply::Variants(named.iter().filter_map(find).collect()),
            StockCall::Variant(named) => self.variant(&named)?,
            StockCall::Levels { variants, locations } => {
                let of: Vec<Id> = variants.iter().filter_map(find).map(|view| view.id).collect();
                let at: Vec<Id> = locations.iter().filter_map(|place| self.location(place).ok()).collect();
                let wanted = |level: &LevelView| {
                    (variants.is_empty() || of.contains(&level.variant))
                        && (locations.is_empty() || at.contains(&level.location))
                };
                StockReply::Levels(self.views().filter(wanted).collect())
            }
            StockCall::Adjust { variant, location, by } => self.level(&variant, Some(&location), now_ms, |n| n + by)?,
            StockCall::Set { variant, location: None, units } => {
                self.level(&variant, None, now_ms, |_| units)?;
                self.variant(&variant)?
            }
            StockCall::Set { variant, location, units } => {
                self.level(&variant, location.as_ref(), now_ms, |_| units)?
            }
            StockCall::Connect { variant, location } => self.level(&variant, Some(&location), now_ms, |n| n)?,
            StockCall::Disconnect { variant, location: place } => {
                let place = self.location(&place)?;
                self.levels.remove(&(known(&variant)?.id, place));
                StockReply::Disconnected
            }
        })
    }

    fn locations(&self) -> Vec<LocationView> {
        let view = |id, external_id: Option<&str>, name: &str| LocationView {
            id,
            external_id: external_id.map(str::to_owned),
            name: name.to_owned(),
            active: name != CLOSED,
            is_default: id == STORE,
            address: String::new(),
            created_ms: MADE_MS,
            updated_ms: MADE_MS,
        };
        let told = self.named.iter().zip(FIRST_NAMED..).map(|(name, id)| view(id, Some(name), name));
        let known = [view(STORE, None, "Default location"), view(ATTIC, Some("loc_2"), "Attic")];
        known.into_iter().chain(told).collect()
    }

    fn location(&self, named: &Reference) -> Result<Id, Refusal> {
        let of = |place: &LocationView| named.names(place.id, place.external_id.as_deref());
        let found = self.locations().into_iter().find(of);
        let unknown = || StockFault::LocationUnknown(named.text.clone());
        found.map(|place| place.id).ok_or_else(|| Refusal::Stock(Box::new(unknown())))
    }

    fn variant(&self, named: &Reference) -> Result<StockReply, Refusal> {
        let variant = known(named)?;
        let units = self.levels.iter().filter(|((id, _), _)| *id == variant.id).map(|(_, (units, _))| units).sum();
        Ok(StockReply::Variant { variant, units })
    }

    fn level(
        &mut self,
        variant: &Reference,
        place: Option<&Reference>,
        now_ms: i64,
        change: impl Fn(i64) -> i64,
    ) -> Result<StockReply, Refusal> {
        let key = (known(variant)?.id, place.map_or(Ok(STORE), |place| self.location(place))?);
        let before = self.levels.get(&key).copied();
        let units = change(before.map_or(0, |(units, _)| units));
        if units.abs() > STOCK_UNITS_MAX {
            return Err(Refusal::Stock(Box::new(StockFault::TooMany)));
        }
        let changed = before.filter(|(now, _)| *now == units).unwrap_or((units, now_ms));
        self.levels.insert(key, changed);
        Ok(StockReply::Level(self.views().find(|level| (level.variant, level.location) == key).expect("just put")))
    }

    fn views(&self) -> impl Iterator<Item = LevelView> {
        let nowhere = |id: &Id| !self.levels.keys().any(|(variant, _)| variant == id);
        let nothing = [SHIRT, MUG].into_iter().filter(nowhere).map(|id| ((id, STORE), (0, MADE_MS)));
        let all = self.levels.iter().map(|(key, level)| (*key, *level)).chain(nothing);
        all.map(|((variant, location), (units, updated_ms))| LevelView {
            variant,
            variant_external_id: if variant == SHIRT { "var_1" } else { "var_2" }.to_owned(),
            location,
            location_external_id: self.locations().into_iter().find(|l| l.id == location).and_then(|l| l.external_id),
            units,
            updated_ms,
        })
    }
}

fn shop() -> StoreView {
    StoreView {
        id: STORE,
        handle: "hats".to_owned(),
        name: "Hats & Mugs".to_owned(),
        currency: "USD".to_owned(),
        created_ms: MADE_MS,
    }
}

fn channels() -> [ChannelView; 2] {
    let channel = |name: &str, gateway: &str| ChannelView { name: name.to_owned(), gateway: gateway.to_owned() };
    [channel("bogus", "manual"), channel("paypal", "pp")]
}

/// A place as orders and refunds name it: by the platform's id or by our number, alone or as SHOPLINE's callers see it.
fn named(place: &str) -> Reference {
    let number = place.strip_prefix('5').filter(|rest| rest.len() == 18).unwrap_or(place);
    let ours = Some(number).filter(|number| number.len() == 18).and_then(|number| number.parse().ok());
    Reference { text: place.to_owned(), ours }
}

fn find(named: &Reference) -> Option<VariantView> {
    let view = |id, external_id: &str, title: &str, sku: &str, cents| VariantView {
        id,
        external_id: external_id.to_owned(),
        product_id: format!("prod_{external_id}"),
        sku: sku.to_owned(),
        title: title.to_owned(),
        price: Amount::minor(cents),
        currency: Currency::parse("USD").expect("a currency"),
        tracked: true,
    };
    let all = [view(SHIRT, "var_1", "Red / M", "SHIRT-R-M", 2_000), view(MUG, "var_2", "Mug", "MUG", 3_000)];
    all.into_iter().find(|variant| named.names(variant.id, Some(&variant.external_id)))
}

fn known(named: &Reference) -> Result<VariantView, Refusal> {
    find(named).ok_or_else(|| Refusal::Stock(Box::new(StockFault::VariantUnknown(named.text.clone()))))
}
