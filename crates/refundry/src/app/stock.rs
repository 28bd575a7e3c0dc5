//! Calls about what a refund client reads of goods: locations, variants, their stock, the shop.

use std::collections::BTreeMap;
use std::sync::Arc;

use refundry_core::order::{Id, Reference};
use refundry_core::payouts::{ANY_CHANNEL, MANUAL};
use refundry_dialects::Refusal;
use refundry_dialects::stock::{
    ChannelView, LevelView, LocationView, ProfileView, StockCall, StockFault, StockReply, VariantView,
};
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::settings::StoreSettings;
use refundry_engine::stock::{self, Shelf, StockAsk, StockDone};
use refundry_engine::store::locations::LocationRecord;
use refundry_engine::store::variants::VariantRecord;
use refundry_engine::store::{gateways, stores};
use refundry_engine::tenants::Caller;

use super::{App, mismatch, store_view};

impl App {
    pub(super) async fn run_on_stock(&self, caller: &Arc<Caller>, call: StockCall) -> Result<StockReply, Refusal> {
        let store = caller.store.id;
        match call {
            StockCall::Shop => {
                let found = self.read(caller, move |e| e.store().read(|tx| stores::by_id(tx, store))).await?;
                found.map(|record| StockReply::Shop(store_view(record))).ok_or_else(mismatch)
            }
            StockCall::Locations => {
                self.open(caller).await?;
                let all = self.read(caller, move |e| stock::locations(e.store(), store)).await?;
                Ok(StockReply::Locations(all.into_iter().map(location_view).collect()))
            }
            StockCall::DefaultLocation => {
                self.open(caller).await?;
                let all = self.read(caller, move |e| stock::locations(e.store(), store)).await?;
                let default = all.into_iter().map(location_view).find(|location| location.is_default);
                default.map(StockReply::Location).ok_or_else(mismatch)
            }
            StockCall::Location(named) => {
                self.open(caller).await?;
                let place = named.clone();
                let found = self.read(caller, move |e| stock::location(e.store(), store, &place)).await?;
                let found = found.ok_or_else(|| refused(StockFault::LocationUnknown(named.text)))?;
                Ok(StockReply::Location(location_view(found)))
            }
            StockCall::Profile => self.profile(caller).await,
            StockCall::Channels => self.channels(caller).await,
            StockCall::LevelsAt(named) => {
                self.open(caller).await?;
                let place = named.clone();
                let known = self.read(caller, move |e| stock::location(e.store(), store, &place)).await?;
                if known.is_none() {
                    return Err(refused(StockFault::LocationUnknown(named.text)));
                }
                self.levels(caller, Vec::new(), vec![named]).await
            }
            StockCall::Levels { variants, locations } => {
                self.open(caller).await?;
                self.levels(caller, variants, locations).await
            }
            StockCall::Variants(named) => {
                let found = self.read(caller, move |e| stock::variants(e.store(), store, &named)).await?;
                Ok(StockReply::Variants(found.into_iter().map(variant_view).collect()))
            }
            StockCall::Variant(named) => self.variant(caller, named).await,
            StockCall::Adjust { variant, location, by } => {
                let names = (variant.text.clone(), location.text.clone());
                self.moved(caller, StockAsk::Adjust { variant, location, by }, names).await
            }
            StockCall::Set { variant, location: Some(location), units } => {
                let names = (variant.text.clone(), location.text.clone());
                self.moved(caller, StockAsk::Set { variant, location: Some(location), units }, names).await
            }
            StockCall::Set { variant, location: None, units } => {
                let names = (variant.text.clone(), String::new());
                let ask = StockAsk::Set { variant: variant.clone(), location: None, units };
                self.moved(caller, ask, names).await?;
                self.variant(caller, variant).await
            }
            StockCall::Connect { variant, location } => {
                let names = (variant.text.clone(), location.text.clone());
                self.moved(caller, StockAsk::Connect { variant, location }, names).await
            }
            StockCall::Disconnect { variant, location } => {
                let names = (variant.text.clone(), location.text.clone());
                self.moved(caller, StockAsk::Disconnect { variant, location }, names).await
            }
        }
    }

    /// The store with what SHOPLINE's API says of it.
    async fn profile(&self, caller: &Arc<Caller>) -> Result<StockReply, Refusal> {
        let store = caller.store.id;
        let read = move |e: &Engine| {
            let record = e.store().read(|tx| stores::by_id(tx, store))?;
            record.map(|record| StoreSettings::read(&record.settings).map(|says| (record, says.shopline))).transpose()
        };
        let (record, says) = self.read(caller, read).await?.ok_or_else(mismatch)?;
        Ok(StockReply::Profile(ProfileView {
            domain: says.domain(&record.handle),
            merchant_id: says.merchant_id(record.id),
            zone: says.zone().to_owned(),
            email: says.email().to_owned(),
            store: store_view(record),
        }))
    }

    /// The payment channels that the store chose something for, and the gateways that it configured beside them.
    async fn channels(&self, caller: &Arc<Caller>) -> Result<StockReply, Refusal> {
        let store = caller.store.id;
        let read = move |e: &Engine| {
            e.store().read(|tx| {
                let record = stores::by_id(tx, store)?;
                let settings = record.map(|record| StoreSettings::read(&record.settings)).transpose()?;
                Ok((settings.unwrap_or_default(), gateways::list(tx, store)?))
            })
        };
        let (settings, known) = self.read(caller, read).await?;
        let StoreSettings { routes, held, .. } = settings;
        let mut channels: BTreeMap<String, String> = routes;
        channels.remove(ANY_CHANNEL);
        for gateway in known {
            if !channels.values().any(|name| *name == gateway.name) {
                channels.entry(gateway.name.to_lowercase()).or_insert(gateway.name);
            }
        }
        // What is held waits for a person, whatever it leads to.
        channels.extend(held.into_iter().map(|channel| (channel, MANUAL.to_owned())));
        let channels = channels.into_iter().map(|(name, gateway)| ChannelView { name, gateway });
        Ok(StockReply::Channels(channels.collect()))
    }

    /// Has the default location made, the first time anybody asks about places.
    async fn open(&self, caller: &Arc<Caller>) -> Result<(), Refusal> {
        let store = caller.store.id;
        if self.read(caller, move |e| stock::is_open(e.store(), store)).await? {
            return Ok(());
        }
        match self.write(caller, Job::Stock { store, ask: Box::new(StockAsk::Open) }).await? {
            Outcome::Stock(StockDone::Done) => Ok(()),
            _ => Err(mismatch()),
        }
    }

    async fn levels(
        &self,
        caller: &Arc<Caller>,
        variants: Vec<Reference>,
        locations: Vec<Reference>,
    ) -> Result<StockReply, Refusal> {
        let store = caller.store.id;
        let found = self.read(caller, move |e| stock::levels(e.store(), store, &variants, &locations)).await?;
        Ok(StockReply::Levels(found.iter().map(level_view).collect()))
    }

    async fn variant(&self, caller: &Arc<Caller>, named: Reference) -> Result<StockReply, Refusal> {
        let (store, text) = (caller.store.id, named.text.clone());
        let found = self.read(caller, move |e| stock::variant(e.store(), store, &named)).await?;
        let (variant, units) = found.ok_or_else(|| refused(StockFault::VariantUnknown(text)))?;
        Ok(StockReply::Variant { variant: variant_view(variant), units })
    }

    /// Changes stock; `names` are those of variant and location, for refusals.
    async fn moved(&self, caller: &Arc<Caller>, ask: StockAsk, names: (String, String)) -> Result<StockReply, Refusal> {
        match self.write(caller, Job::Stock { store: caller.store.id, ask: Box::new(ask) }).await? {
            Outcome::Stock(StockDone::Level(level)) => Ok(StockReply::Level(level_view(&level))),
            Outcome::Stock(StockDone::Done) => Ok(StockReply::Disconnected),
            Outcome::Stock(StockDone::Refused(fault)) => Err(refused(match fault {
                stock::StockFault::VariantUnknown => StockFault::VariantUnknown(names.0),
                stock::StockFault::LocationUnknown => StockFault::LocationUnknown(names.1),
                stock::StockFault::TooMany => StockFault::TooMany,
            })),
            _ => Err(mismatch()),
        }
    }
}

fn refused(fault: StockFault) -> Refusal {
    Refusal::Stock(Box::new(fault))
}

fn location_view(record: LocationRecord) -> LocationView {
    let is_default = Id::try_from(record.store).is_ok_and(|store| store == record.id);
    let LocationRecord { id, external_id, name, active, address, created_ms, updated_ms, .. } = record;
    LocationView { id, external_id, name, active, is_default, address, created_ms, updated_ms }
}

fn variant_view(record: VariantRecord) -> VariantView {
    let VariantRecord { id, external_id, product_id, sku, title, price, currency, tracked, .. } = record;
    VariantView { id, external_id, product_id, sku, title, price, currency, tracked }
}

fn level_view(Shelf { level, place, variant }: &Shelf) -> LevelView {
    LevelView {
        variant: level.variant,
        variant_external_id: variant.clone(),
        location: level.location,
        location_external_id: place.external_id.clone(),
        units: level.quantity,
        updated_ms: level.updated_ms,
    }
}
