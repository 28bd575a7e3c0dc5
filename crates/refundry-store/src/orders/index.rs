//! What an order is listed by: derived from its facts and balances, and written only when it differs.

use refundry_core::balances::Facts;
use refundry_core::order::Id;
use refundry_core::standing::{Goods, Money, Stage, placed_ms, settled, standing};

use crate::{StoreError, Tx, Value, number};

/// The row by which lists find an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    created_ms: i64,
    stage: Stage,
    /// Without what is on its way back.
    money: Money,
    goods: Goods,
    total_milli: i64,
    placed_ms: Option<i64>,
    fulfilled_ms: Option<i64>,
    finished_ms: Option<i64>,
    closed: bool,
}

impl Listed {
    /// What an order is listed by; `None` if it is deleted.
    pub fn of(facts: &Facts) -> Option<Self> {
        let order = &*facts.order;
        if order.life.deleted_ms.is_some() {
            return None;
        }
        let stands = standing(facts);
        Some(Self {
            created_ms: order.created_ms,
            stage: stands.stage,
            money: settled(facts),
            goods: stands.goods,
            total_milli: order.charged().to_milli(order.currency),
            placed_ms: placed_ms(order),
            fulfilled_ms: order.life.fulfilled_ms,
            finished_ms: order.life.finished_ms,
            closed: order.life.closed_ms.is_some(),
        })
    }
}

/// When an order, a refund of it or a leg last changed, epoch milliseconds.
pub fn updated_ms(facts: &Facts) -> i64 {
    facts.order.updated_ms.max(facts.balances.updated_ms)
}

/// Writes how orders are listed now, where that differs: store, order, before, after.
pub fn relist(tx: &mut Tx<'_>, rows: &[(i64, Id, Option<Listed>, Option<Listed>)]) -> Result<(), StoreError> {
    let mut gone: Vec<[Value<'_>; 3]> = Vec::new();
    let mut paid: Vec<[Value<'_>; 4]> = Vec::new();
    let mut put: Vec<[Value<'_>; 11]> = Vec::new();
    for (store, order, before, after) in rows {
        if before == after {
            continue;
        }
        let key = |listed: &Listed| Ok::<_, StoreError>([(*store).into(), listed.created_ms.into(), number(*order)?]);
        if let Some(before) = before.filter(|before| after.is_none_or(|after| after.created_ms != before.created_ms)) {
            gone.push(key(&before)?);
        }
        let Some(after) = after else { continue };
        // A refund changes the money alone, and then only one index.
        if before.is_some_and(|before| Listed { money: after.money, ..before } == *after) {
            let [key_store, key_created, key_order] = key(after)?;
            paid.push([key_store, key_created, key_order, money_code(after.money).into()]);
            continue;
        }
        put.push(after.row(*store, *order)?);
    }
    tx.write_many(REMOVE, &gone)?;
    tx.write_many(SET_MONEY, &paid)?;
    tx.write_many(PUT, &put)
}

/// Lists orders as they were listed before it was kept which are put away.
pub(super) fn list_first(tx: &mut Tx<'_>, store: i64, orders: &[Facts]) -> Result<(), StoreError> {
    let mut put: Vec<[Value<'_>; 10]> = Vec::with_capacity(orders.len());
    for facts in orders {
        let Some(listed) = Listed::of(facts) else { continue };
        let [row @ .., _] = listed.row(store, facts.order.id)?;
        put.push(row);
    }
    tx.write_many(PUT_FIRST, &put)
}

/// Notes of listed orders that they are put away, where they are.
pub(super) fn list_closed(tx: &mut Tx<'_>, store: i64, orders: &[Facts]) -> Result<(), StoreError> {
    let mut closed: Vec<[Value<'_>; 3]> = Vec::new();
    for facts in orders {
        if let Some(listed) = Listed::of(facts).filter(|listed| listed.closed) {
            closed.push([store.into(), listed.created_ms.into(), number(facts.order.id)?]);
        }
    }
    tx.write_many(SET_CLOSED, &closed)
}

impl Listed {
    fn row(&self, store: i64, order: Id) -> Result<[Value<'static>; 11], StoreError> {
        Ok([
            store.into(),
            self.created_ms.into(),
            number(order)?,
            stage_code(self.stage).into(),
            money_code(self.money).into(),
            goods_code(self.goods).into(),
            self.total_milli.into(),
            self.placed_ms.into(),
            self.fulfilled_ms.into(),
            self.finished_ms.into(),
            i64::from(self.closed).into(),
        ])
    }
}

const REMOVE: &str = "DELETE FROM order_index WHERE store = ?1 AND created_ms = ?2 AND order_id = ?3";
const SET_MONEY: &str = "
    UPDATE order_index SET money = ?4 WHERE store = ?1 AND created_ms = ?2 AND order_id = ?3";
const PUT: &str = "
    INSERT INTO order_index (store, created_ms, order_id, stage, money, goods, total_milli, placed_ms, fulfilled_ms,
        finished_ms, closed)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (store, created_ms, order_id) DO UPDATE
    SET stage = excluded.stage, money = excluded.money, goods = excluded.goods, total_milli = excluded.total_milli,
        placed_ms = excluded.placed_ms, fulfilled_ms = excluded.fulfilled_ms, finished_ms = excluded.finished_ms,
        closed = excluded.closed";
const PUT_FIRST: &str = "
    INSERT INTO order_index (store, created_ms, order_id, stage, money, goods, total_milli, placed_ms, fulfilled_ms,
        finished_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const SET_CLOSED: &str = "
    UPDATE order_index SET closed = 1 WHERE store = ?1 AND created_ms = ?2 AND order_id = ?3";

/// The number that stands for a stage in the table.
pub(super) const fn stage_code(stage: Stage) -> i64 {
    match stage {
        Stage::Opened => 0,
        Stage::Placed => 1,
        Stage::Finished => 2,
        Stage::Cancelled => 3,
    }
}

/// The number that stands for a state of money; none is stored for what is on its way.
pub(super) const fn money_code(money: Money) -> i64 {
    match money {
        Money::Waiting => 0,
        Money::Cancelled => 1,
        Money::PartlyPaid => 2,
        Money::Paid => 3,
        Money::Refunding => 4,
        Money::RefundFailed => 5,
        Money::PartlyRefunded => 6,
        Money::Refunded => 7,
    }
}

/// The number that stands for a state of goods.
pub(super) const fn goods_code(goods: Goods) -> i64 {
    match goods {
        Goods::Initialled => 0,
        Goods::Waiting => 1,
        Goods::PartlyShipped => 2,
        Goods::Shipped => 3,
        Goods::PartlyFinished => 4,
        Goods::Finished => 5,
        Goods::Cancelled => 6,
    }
}
