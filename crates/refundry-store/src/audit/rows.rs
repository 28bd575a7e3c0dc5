//! What the audit reads: its own statements, and its own reading of the packed columns.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::sums::{Rate, exponent};
use crate::{Row, StoreError, Tx, Value};

/// A packed column that is not what it should be: which, and what is wrong.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

type Read<T> = Result<T, Unreadable>;

/// What was sold and captured.
pub(super) struct Facts {
    pub(super) number: String,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) cancelled: bool,
    pub(super) life: Life,
    pub(super) exponent: u32,
    pub(super) currency: String,
    /// The shop's exponent, and the rate.
    pub(super) shop: Option<(u32, Rate)>,
    pub(super) taxes_included: bool,
    pub(super) by_fulfilment: bool,
    pub(super) lines: Vec<Line>,
    pub(super) components: Vec<Component>,
    pub(super) payments: Vec<Payment>,
}

/// What lists know of the life of an order.
#[derive(Default)]
pub(super) struct Life {
    pub(super) placed_ms: Option<i64>,
    pub(super) fulfilled_ms: Option<i64>,
    pub(super) finished_ms: Option<i64>,
    pub(super) closed_ms: Option<i64>,
    pub(super) deleted_ms: Option<i64>,
    pub(super) delivered: Vec<i128>,
    pub(super) location: Option<i64>,
}

pub(super) struct Line {
    pub(super) id: i64,
    pub(super) sku: String,
    pub(super) title: String,
    pub(super) product_id: String,
    pub(super) quantity: i128,
    pub(super) shipped: i128,
    pub(super) cancelled: i128,
    pub(super) price: i128,
    pub(super) discount: i128,
}

pub(super) struct Component {
    pub(super) kind: String,
    pub(super) line: Option<usize>,
    pub(super) net: i128,
    pub(super) tax: i128,
}

pub(super) struct Payment {
    pub(super) id: i64,
    pub(super) gateway: String,
    pub(super) reference: String,
    pub(super) captured: i128,
    pub(super) own_currency: String,
    pub(super) own_captured: i128,
}

/// The balances row.
pub(super) struct Sums {
    pub(super) refunds: i128,
    pub(super) components: Vec<(i128, i128)>,
    pub(super) lines: Vec<(i128, i128)>,
    /// Pending, succeeded, and both in the payment's own currency.
    pub(super) payments: Vec<[i128; 4]>,
    /// Held by disputes: payment, in the order's currency, in the payment's own.
    pub(super) held: Vec<(usize, i128, i128)>,
    pub(super) discrepancy: i128,
    pub(super) customized: bool,
    pub(super) updated_ms: i64,
    /// The newest number that the order knows of; balances from before that was noted know none.
    pub(super) newest: Option<i64>,
}

pub(super) struct Refund {
    pub(super) id: i64,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) state: String,
    pub(super) failure: String,
    /// Under which names the refund is listed.
    pub(super) skus: Vec<String>,
    /// Whether lists by amount know its block.
    pub(super) has_block: bool,
    pub(super) amount_milli: i64,
    pub(super) refunded_milli: i64,
    /// 0 as long as every leg waits.
    pub(super) begun: i64,
    pub(super) number: i128,
    pub(super) shape: String,
    pub(super) amount: i128,
    pub(super) discrepancy: i128,
    pub(super) allocations: Vec<Allocation>,
    pub(super) units: Vec<Units>,
    pub(super) legs: Vec<Leg>,
    /// By a payment (else a component), which, and the room left.
    pub(super) cap: (bool, usize, i128),
    /// Returned by failed legs, per allocation; empty where nothing was.
    pub(super) returned: Vec<(i128, i128)>,
    pub(super) reopened: bool,
}

impl Refund {
    pub(super) fn is_imported(&self) -> bool {
        self.shape == "imported"
    }
}

pub(super) struct Allocation {
    pub(super) component: usize,
    pub(super) net: i128,
    pub(super) tax: i128,
    pub(super) shop: (i128, i128),
    pub(super) quantity: Option<i128>,
    pub(super) why: String,
    pub(super) why_taken: i128,
    pub(super) why_units: i128,
    pub(super) odd: i128,
}

pub(super) struct Units {
    pub(super) line: usize,
    pub(super) shipped: bool,
    pub(super) quantity: i128,
    pub(super) net: i128,
    pub(super) tax: i128,
    pub(super) discount: i128,
    pub(super) shop: (i128, i128),
}

pub(super) struct Leg {
    pub(super) id: i64,
    pub(super) payment: usize,
    pub(super) amount: i128,
    pub(super) own: i128,
    pub(super) outside: bool,
    /// Empty where it is that of the payment.
    pub(super) gateway: String,
    pub(super) state: String,
    pub(super) at_ms: i64,
    /// The provider's reference, or its code for a failure.
    pub(super) said: String,
}

impl Leg {
    pub(super) fn is_final(&self) -> bool {
        self.state == "succeeded" || self.state == "failed"
    }
}

pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) refund: Option<i64>,
    pub(super) happened_ms: i64,
    pub(super) kind: String,
    /// One sum per account.
    pub(super) postings: BTreeMap<Account, i128>,
}

/// An account of an order's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Account {
    Net(usize),
    Tax(usize),
    Paid(usize),
    Flight(usize),
    Difference,
    Open,
    OwnPaid(usize),
    OwnFlight(usize),
    OwnOpen(usize),
    Held(usize),
    OwnHeld(usize),
}

pub(super) fn facts(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Read<Facts>, StoreError> {
    let decode = |row: &Row<'_>| Ok((row.string(0)?, row.string(1)?, row.int(2)?, row.int(3)?));
    let found = tx.query_one(FACTS, &[store.into(), order.into()], decode)?;
    Ok(found.ok_or_else(|| Unreadable("the order is gone".to_owned())).and_then(|(text, number, created, updated)| {
        Ok(Facts { number, created_ms: created, updated_ms: updated, ..read_facts(&text)? })
    }))
}

/// The balances row; `None` where there is none.
pub(super) fn sums(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Option<Read<Sums>>, StoreError> {
    let text = tx.query_one(SUMS, &[store.into(), order.into()], |row| row.string(0))?;
    Ok(text.map(|text| read_sums(&text)))
}

pub(super) fn refunds(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<Read<Refund>>, StoreError> {
    let mut listed: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    tx.each(REFUND_SKUS, &[store.into(), order.into()], |row| {
        listed.entry(row.int(0)?).or_default().push(row.string(1)?);
        Ok(())
    })?;
    tx.query(REFUNDS, &[store.into(), order.into()], |row| {
        let metadata = row.text(8)?;
        if !metadata.is_empty() && !parse("refunds.metadata", &metadata).is_ok_and(|m| m.is_object()) {
            return Ok(Err(Unreadable(format!("refunds.metadata of refund {} is no JSON object", row.int(0)?))));
        }
        let body = parse("refunds.body", &row.text(9)?);
        let legs = parse("refunds.legs", &row.text(10)?);
        let (body, legs) = match (body, legs) {
            (Ok(body), Ok(legs)) => (body, legs),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        let empty = Refund {
            id: row.int(0)?,
            created_ms: row.int(1)?,
            updated_ms: row.int(2)?,
            state: row.string(3)?,
            failure: row.string(4)?,
            skus: listed.remove(&row.int(0)?).unwrap_or_default(),
            has_block: row.opt_int(5)?.is_some(),
            amount_milli: row.int(6)?,
            refunded_milli: row.int(7)?,
            begun: row.int(11)?,
            number: 0,
            shape: String::new(),
            amount: 0,
            discrepancy: 0,
            allocations: Vec::new(),
            units: Vec::new(),
            legs: Vec::new(),
            cap: (false, 0, 0),
            returned: Vec::new(),
            reopened: false,
        };
        Ok(read_refund(empty, &body, &legs))
    })
}

pub(super) fn entries(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<Read<Entry>>, StoreError> {
    tx.query(ENTRIES, &[store.into(), order.into()], |row| {
        let (id, refund, happened_ms, kind) = (row.int(0)?, row.opt_int(1)?, row.int(2)?, row.string(3)?);
        Ok(read_postings(&row.text(4)?).map(|postings| Entry { id, refund, happened_ms, kind, postings }))
    })
}

/// A row of the outbox.
pub(super) struct Outgoing {
    pub(super) refund: i64,
    pub(super) order: i64,
    pub(super) holder: String,
    pub(super) attempts: i64,
    pub(super) stage: String,
}

/// The row of the outbox that sees to a leg.
pub(super) fn outbox(tx: &mut Tx<'_>, store: i64, leg: i64) -> Result<Option<Outgoing>, StoreError> {
    tx.query_one(OUTBOX, &[store.into(), leg.into()], |row| {
        Ok(Outgoing {
            refund: row.int(0)?,
            order: row.int(1)?,
            holder: row.string(2)?,
            attempts: row.int(3)?,
            stage: row.string(4)?,
        })
    })
}

/// Names of the gateways of a store behind which a person pays.
pub(super) fn gateways_by_person(tx: &mut Tx<'_>, store: i64) -> Result<Vec<String>, StoreError> {
    tx.query(BY_PERSON, &[store.into()], |row| row.string(0))
}

/// What disputes of an order hold: payment by its number, in the order's currency, in the payment's own.
pub(super) fn disputes(tx: &mut Tx<'_>, store: i64, order: i64) -> Result<Vec<(i64, i128, i128)>, StoreError> {
    tx.query(DISPUTES, &[store.into(), order.into()], |row| {
        Ok((row.int(0)?, i128::from(row.int(1)?), i128::from(row.int(2)?)))
    })
}

/// Whether an order is found by what a provider calls a payment of it.
pub(super) fn has_reference(tx: &mut Tx<'_>, store: i64, order: i64, reference: &str) -> Result<bool, StoreError> {
    let params: [Value<'_>; 3] = [store.into(), reference.into(), order.into()];
    Ok(tx.query_one(REFERENCE, &params, |row| row.int(0))?.is_some())
}

/// Whether an order is listed under a stock keeping unit.
pub(super) fn has_sku(tx: &mut Tx<'_>, store: i64, order: i64, sku: &str) -> Result<bool, StoreError> {
    let params: [Value<'_>; 3] = [store.into(), sku.into(), order.into()];
    Ok(tx.query_one(SKU, &params, |row| row.int(0))?.is_some())
}

const FACTS: &str = "SELECT facts, number, created_ms, updated_ms FROM orders WHERE store = ?1 AND id = ?2";
const SUMS: &str = "SELECT sums FROM balances WHERE store = ?1 AND order_id = ?2";
const REFUNDS: &str = "
    SELECT r.id, r.created_ms, r.updated_ms, r.state, r.failure, b.block, r.amount_milli, r.refunded_milli, r.metadata,
        r.body, r.legs, r.begun
    FROM refunds r LEFT JOIN refund_blocks b ON b.store = r.store AND b.block = r.block
    WHERE r.store = ?1 AND r.order_id = ?2 ORDER BY +r.id";
// By the names that the order's lines ever had, since refund_skus is kept by name.
const REFUND_SKUS: &str = "
    SELECT r.id, s.sku FROM refunds r CROSS JOIN order_skus o CROSS JOIN refund_skus s
    WHERE r.store = ?1 AND r.order_id = ?2 AND o.store = ?1 AND o.order_id = ?2
        AND s.store = ?1 AND s.sku = o.sku AND s.created_ms = r.created_ms AND s.refund_id = r.id
    ORDER BY +r.id, s.sku";
const ENTRIES: &str = "
    SELECT id, refund_id, happened_ms, kind, postings FROM journal
    WHERE store = ?1 AND subject IN (
        SELECT CAST(?2 AS BIGINT) UNION ALL SELECT id FROM refunds WHERE store = ?1 AND order_id = ?2)
    ORDER BY +id";
const OUTBOX: &str = "
    SELECT refund_id, order_id, holder, attempts, stage FROM outbox WHERE store = ?1 AND leg_id = ?2";
const BY_PERSON: &str = "SELECT name FROM gateways WHERE store = ?1 AND driver = 'manual'";
const DISPUTES: &str = "SELECT payment_id, amount, own_amount FROM disputes WHERE store = ?1 AND order_id = ?2";
const REFERENCE: &str = "
    SELECT order_id FROM payment_references WHERE store = ?1 AND reference = ?2 AND order_id = ?3";
const SKU: &str = "SELECT order_id FROM order_skus WHERE store = ?1 AND sku = ?2 AND order_id = ?3";

fn read_facts(text: &str) -> Read<Facts> {
    let json = parse("orders.facts", text)?;
    let at = Spot { json: &json, column: "orders.facts" };
    let currency = at.field("currency")?.text()?;
    let shop = match at.field("shop")?.opt() {
        None => None,
        Some(shop) => {
            let rate = Rate::parse(&shop.item(1)?.text()?).ok_or_else(|| shop.not("a currency and a rate"))?;
            Some((known_exponent(&shop.item(0)?)?, rate))
        }
    };
    let life = match json.get("life") {
        None | Some(Json::Null) => Life::default(),
        Some(_) => read_life(&at.field("life")?)?,
    };
    Ok(Facts {
        number: String::new(),
        created_ms: 0,
        updated_ms: 0,
        cancelled: at.field("cancelled")?.flag()?,
        life,
        exponent: known_exponent(&at.field("currency")?)?,
        currency,
        shop,
        taxes_included: at.field("included")?.flag()?,
        by_fulfilment: at.field("by_fulfilment")?.flag()?,
        lines: at.field("lines")?.each(read_line)?,
        components: at.field("components")?.each(read_component)?,
        payments: at.field("payments")?.each(read_payment)?,
    })
}

fn known_exponent(code: &Spot<'_>) -> Read<u32> {
    exponent(&code.text()?).ok_or_else(|| code.not("a currency"))
}

fn read_life(at: &Spot<'_>) -> Read<Life> {
    at.tuple(9)?;
    let opt = |place: usize| at.item(place)?.opt().map(|at| at.int()).transpose();
    Ok(Life {
        placed_ms: opt(0)?,
        fulfilled_ms: opt(1)?,
        finished_ms: opt(2)?,
        closed_ms: opt(5)?,
        deleted_ms: opt(6)?,
        delivered: at.item(7)?.each(Spot::wide)?,
        location: opt(8)?,
    })
}

fn read_line(at: &Spot<'_>) -> Read<Line> {
    at.tuple(13)?;
    Ok(Line {
        id: at.item(0)?.int()?,
        sku: at.item(2)?.text()?,
        title: at.item(3)?.text()?,
        product_id: at.item(5)?.text()?,
        quantity: at.item(8)?.wide()?,
        shipped: at.item(9)?.wide()?,
        cancelled: at.item(10)?.wide()?,
        price: at.item(11)?.wide()?,
        discount: at.item(12)?.wide()?,
    })
}

fn read_component(at: &Spot<'_>) -> Read<Component> {
    at.tuple(5)?;
    let line = at.item(1)?.opt().map(|line| line.index()).transpose()?;
    Ok(Component { kind: at.item(0)?.text()?, line, net: at.item(3)?.wide()?, tax: at.item(4)?.wide()? })
}

fn read_payment(at: &Spot<'_>) -> Read<Payment> {
    at.tuple(11)?;
    known_exponent(&at.item(9)?)?;
    Ok(Payment {
        id: at.item(0)?.int()?,
        gateway: at.item(5)?.text()?,
        reference: at.item(6)?.text()?,
        captured: at.item(8)?.wide()?,
        own_currency: at.item(9)?.text()?,
        own_captured: at.item(10)?.wide()?,
    })
}

fn read_sums(text: &str) -> Read<Sums> {
    let json = parse("balances.sums", text)?;
    let at = Spot { json: &json, column: "balances.sums" };
    let newest = if at.tuple(7).is_ok() { None } else { Some(at.item(7)?.int()?) };
    let is_disputed = at.tuple(9).is_ok();
    if newest.is_some() && !is_disputed {
        at.tuple(8)?;
    }
    let held = |at: &Spot<'_>| {
        at.tuple(3)?;
        Ok((at.item(0)?.index()?, at.item(1)?.wide()?, at.item(2)?.wide()?))
    };
    let pair = |at: &Spot<'_>| Ok((at.item(0)?.wide()?, at.item(1)?.wide()?));
    Ok(Sums {
        refunds: at.item(0)?.wide()?,
        components: at.item(1)?.each(pair)?,
        lines: at.item(2)?.each(pair)?,
        payments: at.item(3)?.each(|at| {
            at.tuple(4)?;
            Ok([at.item(0)?.wide()?, at.item(1)?.wide()?, at.item(2)?.wide()?, at.item(3)?.wide()?])
        })?,
        discrepancy: at.item(4)?.wide()?,
        customized: at.item(5)?.flag()?,
        updated_ms: at.item(6)?.int()?,
        newest,
        held: if is_disputed { at.item(8)?.each(held)? } else { Vec::new() },
    })
}

fn read_refund(empty: Refund, body: &Json, progress: &Json) -> Read<Refund> {
    let at = Spot { json: body, column: "refunds.body" };
    let now = Spot { json: progress, column: "refunds.legs" };
    let states = now.field("l")?.each(|at| {
        at.tuple(4)?;
        Ok((at.item(0)?.text()?, at.item(1)?.int()?, at.item(2)?.text()?))
    })?;
    let mut legs = at.field("legs")?.each(read_leg)?;
    if states.len() != legs.len() {
        return Err(now.not("one state a leg"));
    }
    for (leg, (state, at_ms, said)) in legs.iter_mut().zip(states) {
        (leg.state, leg.at_ms, leg.said) = (state, at_ms, said);
    }
    if at.json.get("by").is_some() {
        let gateways = at.field("by")?.each(Spot::text)?;
        if gateways.len() != legs.len() {
            return Err(at.not("one gateway a leg"));
        }
        for (leg, gateway) in legs.iter_mut().zip(gateways) {
            leg.gateway = gateway;
        }
    }
    let returned = match now.json.get("r") {
        None => Vec::new(),
        Some(_) => now.field("r")?.each(|at| Ok((at.item(0)?.wide()?, at.item(1)?.wide()?)))?,
    };
    let cap = at.field("cap")?;
    Ok(Refund {
        number: at.field("n")?.wide()?,
        shape: at.field("shape")?.item(0)?.text()?,
        amount: at.field("amount")?.wide()?,
        discrepancy: at.field("discrepancy")?.wide()?,
        allocations: at.field("allocations")?.each(read_allocation)?,
        units: at.field("units")?.each(read_units)?,
        legs,
        cap: (cap.item(0)?.flag()?, cap.item(1)?.index()?, cap.item(2)?.wide()?),
        returned,
        reopened: now.json.get("o").is_some_and(|o| o == &Json::Bool(true)),
        ..empty
    })
}

fn read_leg(at: &Spot<'_>) -> Read<Leg> {
    at.tuple(6)?;
    Ok(Leg {
        id: at.item(0)?.int()?,
        payment: at.item(1)?.index()?,
        amount: at.item(2)?.wide()?,
        own: at.item(3)?.wide()?,
        outside: at.item(4)?.flag()?,
        gateway: String::new(),
        state: String::new(),
        at_ms: 0,
        said: String::new(),
    })
}

fn read_allocation(at: &Spot<'_>) -> Read<Allocation> {
    at.tuple(10)?;
    Ok(Allocation {
        component: at.item(0)?.index()?,
        net: at.item(1)?.wide()?,
        tax: at.item(2)?.wide()?,
        shop: (at.item(3)?.wide()?, at.item(4)?.wide()?),
        quantity: at.item(5)?.opt().map(|quantity| quantity.wide()).transpose()?,
        why: at.item(6)?.text()?,
        why_taken: at.item(7)?.wide()?,
        why_units: at.item(8)?.wide()?,
        odd: at.item(9)?.wide()?,
    })
}

fn read_units(at: &Spot<'_>) -> Read<Units> {
    at.tuple(11)?;
    Ok(Units {
        line: at.item(0)?.index()?,
        shipped: at.item(1)?.flag()?,
        quantity: at.item(3)?.wide()?,
        net: at.item(4)?.wide()?,
        tax: at.item(5)?.wide()?,
        discount: at.item(6)?.wide()?,
        shop: (at.item(7)?.wide()?, at.item(8)?.wide()?),
    })
}

fn read_postings(text: &str) -> Read<BTreeMap<Account, i128>> {
    let json = parse("journal.postings", text)?;
    let at = Spot { json: &json, column: "journal.postings" };
    let mut sums = BTreeMap::new();
    for (account, amount) in at.each(|at| Ok((read_account(&at.item(0)?)?, at.item(1)?.wide()?)))? {
        *sums.entry(account).or_insert(0) += amount;
    }
    sums.retain(|_, sum| *sum != 0);
    Ok(sums)
}

fn read_account(at: &Spot<'_>) -> Read<Account> {
    let text = at.text()?;
    let (kind, index) = text.split_once(':').unwrap_or((&text, ""));
    let index: Option<usize> = index.parse().ok();
    let account = match (kind, index) {
        ("difference", None) => Some(Account::Difference),
        ("open", None) => Some(Account::Open),
        ("net", Some(index)) => Some(Account::Net(index)),
        ("tax", Some(index)) => Some(Account::Tax(index)),
        ("paid", Some(index)) => Some(Account::Paid(index)),
        ("flight", Some(index)) => Some(Account::Flight(index)),
        ("own_paid", Some(index)) => Some(Account::OwnPaid(index)),
        ("own_flight", Some(index)) => Some(Account::OwnFlight(index)),
        ("own_open", Some(index)) => Some(Account::OwnOpen(index)),
        ("held", Some(index)) => Some(Account::Held(index)),
        ("own_held", Some(index)) => Some(Account::OwnHeld(index)),
        _ => None,
    };
    account.ok_or_else(|| at.not("an account"))
}

pub(super) fn parse(column: &'static str, text: &str) -> Read<Json> {
    serde_json::from_str(text).map_err(|error| Unreadable(format!("{column} is no JSON: {error}")))
}

/// A value inside a packed column.
struct Spot<'j> {
    json: &'j Json,
    column: &'static str,
}

impl<'j> Spot<'j> {
    fn not(&self, wanted: &str) -> Unreadable {
        Unreadable(format!("{} holds {} where {wanted} should be", self.column, self.json))
    }

    fn inside(&self, json: Option<&'j Json>, name: &str) -> Read<Spot<'j>> {
        match json {
            Some(json) => Ok(Spot { json, column: self.column }),
            None => Err(Unreadable(format!("{} lacks {name}", self.column))),
        }
    }

    fn field(&self, name: &str) -> Read<Spot<'j>> {
        self.inside(self.json.get(name), name)
    }

    fn item(&self, index: usize) -> Read<Spot<'j>> {
        self.inside(self.json.get(index), &format!("value {index}"))
    }

    fn opt(self) -> Option<Self> {
        (!self.json.is_null()).then_some(self)
    }

    fn tuple(&self, length: usize) -> Read<()> {
        let fits = self.json.as_array().is_some_and(|items| items.len() == length);
        if fits { Ok(()) } else { Err(self.not(&format!("a list of {length}"))) }
    }

    fn each<T>(&self, read: impl Fn(&Spot<'j>) -> Read<T>) -> Read<Vec<T>> {
        let items = self.json.as_array().ok_or_else(|| self.not("a list"))?;
        items.iter().map(|json| read(&Spot { json, column: self.column })).collect()
    }

    fn int(&self) -> Read<i64> {
        self.json.as_i64().ok_or_else(|| self.not("a whole number"))
    }

    fn wide(&self) -> Read<i128> {
        self.int().map(i128::from)
    }

    fn index(&self) -> Read<usize> {
        usize::try_from(self.int()?).map_err(|_| self.not("a position"))
    }

    fn flag(&self) -> Read<bool> {
        self.json.as_bool().ok_or_else(|| self.not("true or false"))
    }

    fn text(&self) -> Read<String> {
        self.json.as_str().map(str::to_owned).ok_or_else(|| self.not("a text"))
    }
}
