//! Which units of which lines a request takes, and what they are worth.

use std::collections::BTreeMap;

use crate::balances::Facts;
use crate::command::{UnitAsk, UnitMode};
use crate::money::Amount;
use crate::refund::{Bucket, Restock, UnitMove, Why};
use crate::rejection::Rejection;
use crate::spread::{Spread, shadow};

/// Turns entries into moves, bucket by bucket; the same line may be listed several times.
pub(crate) fn resolve(facts: &Facts, asks: &[UnitAsk], uniform_restock: bool) -> Result<Vec<UnitMove>, Rejection> {
    let lines = lines_of(facts, asks)?;
    check_modes(asks, &lines)?;
    if uniform_restock {
        check_restock(asks, &lines)?;
    }
    check_quantities(asks)?;
    let mut taken = Taken::new();
    let mut moves = Vec::new();
    for (entry, (ask, line)) in asks.iter().zip(&lines).enumerate() {
        let available = available(facts, ask, *line, &taken);
        let asked = ask.quantity.unwrap_or_else(|| i64::from(available.max(1)));
        let Some(quantity) = u32::try_from(asked).ok().filter(|quantity| *quantity <= available) else {
            let line = ask.line.text.clone();
            return Err(Rejection::QuantityExceeded { entry, line, asked, available });
        };
        moves.extend(take_from_buckets(facts, ask, *line, quantity, &mut taken));
    }
    Ok(value(facts, moves))
}

/// Turns entries into moves, as [`resolve`] does, but takes no more than there is: for each entry its line and its
/// moves, none of them where nothing is left or nothing was asked for.
pub(crate) fn at_most(facts: &Facts, asks: &[UnitAsk]) -> Result<Vec<(usize, Vec<UnitMove>)>, Rejection> {
    let lines = lines_of(facts, asks)?;
    check_modes(asks, &lines)?;
    for (entry, ask) in asks.iter().enumerate() {
        if let Some(quantity) = ask.quantity.filter(|quantity| *quantity < 0) {
            return Err(Rejection::QuantityInvalid { entry, line: ask.line.text.clone(), quantity });
        }
    }
    let mut taken = Taken::new();
    let (mut moves, mut counts) = (Vec::new(), Vec::new());
    for (ask, line) in asks.iter().zip(&lines) {
        let available = available(facts, ask, *line, &taken);
        let asked = ask.quantity.map_or(available, |asked| u32::try_from(asked).unwrap_or(u32::MAX));
        let of_entry = take_from_buckets(facts, ask, *line, asked.min(available), &mut taken);
        counts.push((*line, of_entry.len()));
        moves.extend(of_entry);
    }
    let mut valued = value(facts, moves).into_iter();
    Ok(counts.into_iter().map(|(line, count)| (line, valued.by_ref().take(count).collect())).collect())
}

/// Every unit that is left, without touching the stock.
pub(crate) fn all_left(facts: &Facts) -> Vec<UnitMove> {
    let mut moves = Vec::new();
    for line in 0..facts.order.lines.len() {
        for bucket in [Bucket::Waiting, Bucket::Shipped] {
            let quantity = facts.units_left(line, bucket);
            if quantity > 0 {
                moves.push(blank(line, bucket, quantity));
            }
        }
    }
    value(facts, moves)
}

/// Allocates the shares of moved units to the goods of their lines, one allocation a line.
pub(crate) fn allocate(facts: &Facts, spread: &mut Spread<'_>, moves: &[UnitMove]) {
    let mut by_line: BTreeMap<usize, (Amount, Amount, u32)> = BTreeMap::new();
    for units in moves {
        let (net, tax, quantity) = by_line.entry(units.line).or_default();
        *net += units.net;
        *tax += units.tax;
        *quantity = quantity.saturating_add(units.quantity);
    }
    for (line, (net, tax, units)) in by_line {
        let taken = facts.units_refunded(line).all();
        let sold = facts.order.lines.get(line).map_or(1, |l| l.quantity);
        let exact_floor = |total: Amount| {
            let product = i128::from(total.get()).saturating_mul(i128::from(units));
            Amount::minor(i64::try_from(product.div_euclid(i128::from(sold))).unwrap_or(i64::MAX))
        };
        let goods = facts.order.goods(line);
        let odd = net + tax - exact_floor(goods.net) - exact_floor(goods.tax);
        spread.take(line, net, tax, Why::Units { taken, units }, odd);
    }
}

/// Whether no unit of the order can be refunded after these.
pub(crate) fn are_the_last(facts: &Facts, moves: &[UnitMove]) -> bool {
    let buckets = (0..facts.order.lines.len()).flat_map(|line| [(line, Bucket::Waiting), (line, Bucket::Shipped)]);
    let left: u64 = buckets.map(|(line, bucket)| u64::from(facts.units_left(line, bucket))).sum();
    let taken: u64 = moves.iter().map(|units| u64::from(units.quantity)).sum();
    taken > 0 && taken == left
}

/// Σ of what units are worth, net and tax.
pub(crate) fn worth<'a>(moves: impl Iterator<Item = &'a UnitMove>) -> Amount {
    moves.map(|units| units.net + units.tax).sum()
}

fn lines_of(facts: &Facts, asks: &[UnitAsk]) -> Result<Vec<usize>, Rejection> {
    let find = |(entry, ask): (usize, &UnitAsk)| {
        let unknown = || Rejection::LineUnknown { entry, line: ask.line.text.clone() };
        facts.order.find_line(&ask.line).ok_or_else(unknown)
    };
    asks.iter().enumerate().map(find).collect()
}

fn check_modes(asks: &[UnitAsk], lines: &[usize]) -> Result<(), Rejection> {
    let is_automatic = |ask: &UnitAsk| ask.mode == UnitMode::Automatic;
    let mut first: BTreeMap<usize, bool> = BTreeMap::new();
    for (ask, line) in asks.iter().zip(lines) {
        if *first.entry(*line).or_insert(is_automatic(ask)) != is_automatic(ask) {
            return Err(Rejection::ModesMixed { line: ask.line.text.clone() });
        }
    }
    Ok(())
}

fn check_restock(asks: &[UnitAsk], lines: &[usize]) -> Result<(), Rejection> {
    let mut first: BTreeMap<usize, Restock> = BTreeMap::new();
    for (ask, line) in asks.iter().zip(lines) {
        if *first.entry(*line).or_insert(ask.restock) != ask.restock {
            return Err(Rejection::RestockDiffers { line: ask.line.text.clone() });
        }
    }
    Ok(())
}

fn check_quantities(asks: &[UnitAsk]) -> Result<(), Rejection> {
    for (entry, ask) in asks.iter().enumerate() {
        if let Some(quantity) = ask.quantity.filter(|q| *q < 1) {
            return Err(Rejection::QuantityInvalid { entry, line: ask.line.text.clone(), quantity });
        }
    }
    Ok(())
}

/// Units that each bucket gave to earlier entries of the request.
type Taken = BTreeMap<(usize, Bucket), u32>;

fn buckets_of(ask: &UnitAsk) -> &'static [Bucket] {
    match ask.mode {
        UnitMode::Automatic => &[Bucket::Waiting, Bucket::Shipped],
        UnitMode::Waiting => &[Bucket::Waiting],
        UnitMode::Shipped | UnitMode::Returned => &[Bucket::Shipped],
    }
}

fn left(facts: &Facts, line: usize, bucket: Bucket, taken: &Taken) -> u32 {
    let taken = taken.get(&(line, bucket)).copied().unwrap_or(0);
    facts.units_left(line, bucket).saturating_sub(taken)
}

/// Units that an entry can still get.
fn available(facts: &Facts, ask: &UnitAsk, line: usize, taken: &Taken) -> u32 {
    buckets_of(ask).iter().fold(0, |sum, bucket| left(facts, line, *bucket, taken).saturating_add(sum))
}

/// Takes so many units for an entry, of which there are enough.
fn take_from_buckets(facts: &Facts, ask: &UnitAsk, line: usize, quantity: u32, taken: &mut Taken) -> Vec<UnitMove> {
    let mut missing = quantity;
    let mut moves = Vec::new();
    for bucket in buckets_of(ask) {
        let part = missing.min(left(facts, line, *bucket, taken));
        missing = missing.saturating_sub(part);
        if part > 0 {
            let sum = taken.entry((line, *bucket)).or_default();
            *sum = sum.saturating_add(part);
            moves.push(unvalued(ask, line, *bucket, part));
        }
    }
    moves
}

fn unvalued(ask: &UnitAsk, line: usize, bucket: Bucket, quantity: u32) -> UnitMove {
    UnitMove {
        returned_goods: ask.mode == UnitMode::Returned,
        restock: ask.restock,
        location: ask.location.clone(),
        ..blank(line, bucket, quantity)
    }
}

fn blank(line: usize, bucket: Bucket, quantity: u32) -> UnitMove {
    UnitMove {
        line,
        bucket,
        returned_goods: false,
        quantity,
        net: Amount::ZERO,
        tax: Amount::ZERO,
        discount: Amount::ZERO,
        shop: (Amount::ZERO, Amount::ZERO),
        restock: Restock::No,
        location: String::new(),
        reopened: false,
    }
}

/// Gives each move its share. Several moves of one line continue each other, so together they are worth what one move
/// of all their units would be.
fn value(facts: &Facts, mut moves: Vec<UnitMove>) -> Vec<UnitMove> {
    let mut before: BTreeMap<usize, u32> = BTreeMap::new();
    for units in &mut moves {
        let first = before.get(&units.line).copied().unwrap_or(0);
        let upto = first.saturating_add(units.quantity);
        before.insert(units.line, upto);
        let (start, end) = (facts.next_units(units.line, first), facts.next_units(units.line, upto));
        units.net = end.net - start.net;
        units.tax = end.tax - start.tax;
        units.discount = facts.order.discount_share(units.line, start.taken.saturating_add(first), units.quantity);
        let held = facts.balances.components.get(units.line).copied().unwrap_or_default();
        units.shop = (shadow(facts, held.net + start.net, units.net), shadow(facts, held.tax + start.tax, units.tax));
    }
    moves
}
