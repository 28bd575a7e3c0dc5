//! `refundry store` and `refundry token`: stores and tokens from the shell, beside a running server.

use anyhow::{Context as _, bail, ensure};
use refundry_core::money::Currency;
use refundry_core::payouts::Strategy;
use refundry_dialects::Scope;
use refundry_engine::Engine;
use refundry_engine::accept::{Job, Outcome};
use refundry_engine::cases::{CaseAsk, CaseDone};
use refundry_engine::settings::{ShoplineAsk, ShoplineFault, SignatureText};
use refundry_engine::stock::{StockAsk, StockDone};
use refundry_engine::store::stores::StoreRecord;
use refundry_engine::store::tokens::TokenRecord;
use refundry_engine::store::{stores, tokens};
use refundry_engine::tenants;

use crate::cli::{DataArgs, StoreCommand, TokenCommand};
use crate::database::idle_engine;
use crate::serve::say;

/// Runs a store command.
pub(crate) fn run_store(command: StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Add { data, handle, name, currency } => {
            let engine = idle_engine(&data)?;
            let name = name.unwrap_or_else(|| handle.clone());
            ensure!(add_store(&engine, &handle, &name, &currency)?, "a store is called {handle} already");
            say(&format!("store {handle} added"))
        }
        StoreCommand::List { data } => {
            let engine = idle_engine(&data)?;
            for store in engine.store().read(stores::list)? {
                say(&format!("{}\t{}\t{}", store.handle, store.currency, store.name))?;
            }
            Ok(())
        }
        StoreCommand::Strategy { data, store, strategy } => choose(&data, &store, &strategy),
        StoreCommand::Hold { data, store, off, channel } => hold(&data, &store, &channel, !off),
        StoreCommand::Shopline { data, store, domain, merchant_id, zone, email, signature } => {
            let code = signature.as_deref().filter(|code| !code.is_empty());
            let known =
                |code: &str| SignatureText::parse(code).with_context(|| format!("{code:?} is neither hex nor base64"));
            let chosen = code.map(known).transpose()?;
            let signature = signature.map(|_| chosen.unwrap_or_default());
            let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
            let (domain, merchant_id) = (trimmed(domain), trimmed(merchant_id));
            let (zone, email) = (trimmed(zone), trimmed(email));
            present(&data, &store, ShoplineAsk { domain, merchant_id, zone, email, signature })
        }
    }
}

/// Changes what SHOPLINE's API tells of a store, and says all of it.
fn present(data: &DataArgs, store: &str, ask: ShoplineAsk) -> anyhow::Result<()> {
    match ask.check() {
        Ok(()) => {}
        Err(ShoplineFault::Domain) => bail!("a domain is a host name, e.g. open001.myshopline.com"),
        Err(ShoplineFault::MerchantId) => bail!("a merchant has a number of 1 to 20 digits"),
        Err(ShoplineFault::Zone) => bail!("a time zone has a name, e.g. Asia/Shanghai"),
        Err(ShoplineFault::Email) => bail!("an e-mail address has an @ and a host name behind it"),
    }
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    let ask = Box::new(StockAsk::Present(ask));
    match engine.call(Job::Stock { store: store.id, ask })? {
        Outcome::Stock(StockDone::Presented(says)) => {
            say(&format!("domain\t{}", says.domain(&store.handle)))?;
            say(&format!("merchant\t{}", says.merchant_id(store.id)))?;
            say(&format!("zone\t{}", says.zone()))?;
            say(&format!("email\t{}", says.email()))?;
            say(&format!("signature\t{}", says.signature().code()))
        }
        _ => bail!("the writer answered something else than was asked"),
    }
}

fn hold(data: &DataArgs, store: &str, channel: &str, held: bool) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let channel = channel.trim();
    ensure!(!channel.is_empty(), "a channel has a name");
    let store = store_called(&engine, store)?;
    let ask = Box::new(CaseAsk::Hold { channel: channel.to_owned(), held });
    match engine.call(Job::Cases { store: store.id, ask })? {
        Outcome::Cases(CaseDone::Held(settings)) if settings.held.is_empty() => {
            say(&format!("no channel of {} is held", store.handle))
        }
        Outcome::Cases(CaseDone::Held(settings)) => {
            let channels: Vec<&str> = settings.held.iter().map(String::as_str).collect();
            say(&format!("refunds of {} wait for a person over: {}", store.handle, channels.join(", ")))
        }
        _ => bail!("the writer answered something else than was asked"),
    }
}

fn choose(data: &DataArgs, store: &str, code: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let known = || Strategy::ALL.map(Strategy::code).join(", ");
    let strategy = Strategy::parse(code).with_context(|| format!("{code:?} is no strategy; there are {}", known()))?;
    let store = store_called(&engine, store)?;
    match engine.call(Job::Choose { store: store.id, strategy })? {
        Outcome::Chosen(settings) => {
            say(&format!("refunds of {} are spread {}", store.handle, settings.strategy.code()))
        }
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// Runs a token command.
pub(crate) fn run_token(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Add { data, store, label, scopes, live, secret } => {
            let engine = idle_engine(&data)?;
            let scopes = check_scopes(&scopes)?;
            let secret = match secret {
                Some(secret) if is_secret(&secret) => secret,
                Some(_) => bail!("a token has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} visible characters of ASCII"),
                None => tenants::new_secret(live)?,
            };
            let store = store_called(&engine, &store)?;
            if !add_token(&engine, store.id, &secret, &label, &scopes)? {
                bail!("this token is known already");
            }
            say(&secret)
        }
        TokenCommand::List { data, store } => {
            let engine = idle_engine(&data)?;
            let store = store_called(&engine, &store)?;
            let listed = engine.store().read(|tx| tokens::list(tx, store.id))?;
            for token in listed.iter().filter(|token| token.revoked_ms.is_none()) {
                let id: String = token.hash.chars().take(16).collect();
                say(&format!("{id}\t{}\t{}", token.scopes, token.label))?;
            }
            Ok(())
        }
        TokenCommand::Revoke { data, store, id } => revoke(&data, &store, &id),
    }
}

/// Characters of a token that somebody brings along: enough that nobody guesses it, and no more than a header takes.
const SECRET_CHARS_MIN: usize = 20;
const SECRET_CHARS_MAX: usize = 4_096;

fn is_secret(text: &str) -> bool {
    let fits = (SECRET_CHARS_MIN..=SECRET_CHARS_MAX).contains(&text.len());
    fits && text.bytes().all(|b| b.is_ascii_graphic())
}

fn revoke(data: &DataArgs, store: &str, id: &str) -> anyhow::Result<()> {
    let engine = idle_engine(data)?;
    let store = store_called(&engine, store)?;
    match engine.call(Job::RevokeToken { store: store.id, id: id.to_owned() })? {
        Outcome::Revoked(true) => say(&format!("token {id} revoked")),
        _ => bail!("the store {} has no working token {id}", store.handle),
    }
}

/// The store with this handle.
pub(crate) fn store_called(engine: &Engine, handle: &str) -> anyhow::Result<StoreRecord> {
    let found = engine.store().read(|tx| stores::by_handle(tx, handle))?;
    found.with_context(|| format!("no store is called {handle}; `refundry store list` shows all"))
}

/// Adds a store; `false` if its handle is taken.
pub(crate) fn add_store(engine: &Engine, handle: &str, name: &str, currency: &str) -> anyhow::Result<bool> {
    let well_formed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    ensure!(
        !handle.is_empty() && handle.len() <= 64 && handle.bytes().all(well_formed),
        "a handle is 1 to 64 letters, digits and hyphens, not {handle:?}"
    );
    let currency = Currency::parse(currency).with_context(|| format!("{currency:?} is no ISO 4217 currency"))?;
    let record = StoreRecord {
        id: 0,
        handle: handle.to_owned(),
        name: name.to_owned(),
        currency: currency.code().to_owned(),
        settings: "{}".to_owned(),
        created_ms: engine.clock().now_ms(),
    };
    match engine.call(Job::AddStore(record))? {
        Outcome::Added(added) => Ok(added),
        _ => bail!("the writer answered something else than was asked"),
    }
}

/// Adds a token; `false` if it is known.
pub(crate) fn add_token(engine: &Engine, store: i64, secret: &str, label: &str, scopes: &str) -> anyhow::Result<bool> {
    let record = TokenRecord {
        store,
        hash: tenants::hash(secret.as_bytes()),
        label: label.to_owned(),
        scopes: scopes.to_owned(),
        created_ms: engine.clock().now_ms(),
        revoked_ms: None,
    };
    match engine.call(Job::AddToken(record))? {
        Outcome::Added(added) => Ok(added),
        _ => bail!("the writer answered something else than was asked"),
    }
}

fn check_scopes(scopes: &[String]) -> anyhow::Result<String> {
    let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.code()).collect();
    for scope in scopes {
        ensure!(known.contains(&scope.as_str()), "{scope:?} is no scope; there are {}", known.join(", "));
    }
    Ok(scopes.join(" "))
}
