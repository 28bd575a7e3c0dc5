//! The shop's own currency, and the order's fixed rate, out of the market settings.

use refundry_core::intake::IntakeFault;
use refundry_core::money::{Currency, Decimal};
use refundry_core::order::{Order, ShopMoney};

use super::order::{Reader, unreadable};

/// Digits of a rate after the point that count.
const RATE_SCALE: u32 = 12;
/// The largest rate's digits without its point: with an amount they stay inside `i128`.
const RATE_MANTISSA_MAX: i128 = 100_000_000_000_000_000_000;

/// The shop's money where the buyer was charged in another currency.
pub(super) fn shop_money(reader: &Reader<'_>, order: &Order) -> Result<Option<ShopMoney>, IntakeFault> {
    let Some(config) = reader.fields.object("config").map_err(unreadable)? else { return Ok(None) };
    let Some(market) = config.object("market_setting").map_err(unreadable)? else { return Ok(None) };
    let market = reader.within(market);
    let code = match market.text("primary_market_currency")? {
        code if code.is_empty() => market.text("market_base_currency")?,
        code => code,
    };
    let Some(currency) = Currency::parse(&code).filter(|currency| *currency != order.currency) else {
        return Ok(None);
    };
    let Some(setting) = market.fields.object("market_price_setting").map_err(unreadable)? else { return Ok(None) };
    let Some(rate) = rate(&reader.within(setting))? else { return Ok(None) };
    let largest = order.charged().max(order.captured());
    let (mantissa, scale) = rate.parts();
    let shadow = mantissa.saturating_mul(i128::from(largest.get())).saturating_mul(1_000);
    if shadow.div_euclid(10_i128.saturating_pow(scale)) > i128::from(i64::MAX) {
        return Err(market.wrong("market_price_setting", format!("a rate of {rate} makes the total too large")));
    }
    Ok(Some(ShopMoney { currency, rate }))
}

/// Shop units per unit of the order's currency. Legacy orders call it `local_to_base`, modern ones `local_to_rate`.
fn rate(setting: &Reader<'_>) -> Result<Option<Decimal>, IntakeFault> {
    for key in ["local_to_base", "local_to_rate", "back_rate"] {
        if let Some(rate) = positive(setting, key)? {
            return Ok(Some(rate));
        }
    }
    for key in ["base_to_local", "base_to_rate", "actual_rate", "rate"] {
        if let Some(rate) = positive(setting, key)? {
            let (mantissa, scale) = rate.parts();
            let one = 10_i128.saturating_pow(RATE_SCALE.saturating_add(scale).min(38));
            let inverse = one.saturating_add(mantissa.div_euclid(2)).div_euclid(mantissa);
            return Ok((inverse > 0).then(|| Decimal::from_parts(inverse.min(RATE_MANTISSA_MAX), RATE_SCALE)));
        }
    }
    Ok(None)
}

fn positive(setting: &Reader<'_>, key: &str) -> Result<Option<Decimal>, IntakeFault> {
    let text = setting.text(key)?;
    if text.is_empty() {
        return Ok(None);
    }
    let rate = Decimal::parse(&text).ok().map(|rate| rate.rounded_to(RATE_SCALE));
    let rate = rate.filter(|rate| (0..=RATE_MANTISSA_MAX).contains(&rate.parts().0));
    let rate = rate.ok_or_else(|| setting.wrong(key, "must be a rate above zero".to_owned()))?;
    Ok(rate.sign().is_gt().then_some(rate))
}
