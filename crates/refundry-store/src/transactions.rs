//! Transactions: what happened to the payments of an order, as it was told.

use refundry_core::order::Id;
use refundry_core::paying::Transaction;

use crate::codec;
use crate::orders::id;
use crate::{Row, StoreError, Tx, Value, number};

/// Adds transactions.
pub fn insert(tx: &mut Tx<'_>, store: i64, rows: &[Transaction]) -> Result<(), StoreError> {
    write(tx, INSERT, store, rows)
}

/// Rewrites transactions.
pub fn update(tx: &mut Tx<'_>, store: i64, rows: &[Transaction]) -> Result<(), StoreError> {
    write(tx, UPDATE, store, rows)
}

fn write(tx: &mut Tx<'_>, sql: &str, store: i64, rows: &[Transaction]) -> Result<(), StoreError> {
    let mut params: Vec<[Value<'_>; 10]> = Vec::with_capacity(rows.len());
    for row in rows {
        params.push([
            store.into(),
            number(row.order)?,
            number(row.id)?,
            row.payment.map(number).transpose()?.into(),
            row.kind.code().into(),
            row.state.code().into(),
            row.amount.get().into(),
            row.currency.code().into(),
            row.created_ms.into(),
            codec::pack_transaction(row).into(),
        ]);
    }
    tx.write_many(sql, &params)
}

/// The transactions of an order, oldest first.
pub fn of_order(tx: &mut Tx<'_>, store: i64, order: Id) -> Result<Vec<Transaction>, StoreError> {
    tx.query(OF_ORDER, &[store.into(), number(order)?], |row| transaction(order, row))
}

/// The transactions of each order, oldest first.
pub fn of_orders(tx: &mut Tx<'_>, store: i64, orders: &[Id]) -> Result<Vec<Vec<Transaction>>, StoreError> {
    let mut params: Vec<[Value<'_>; 2]> = Vec::with_capacity(orders.len());
    for order in orders {
        params.push([store.into(), number(*order)?]);
    }
    let mut found = vec![Vec::new(); orders.len()];
    tx.each_many(OF_ORDER, &params, |place, row| {
        found[place].push(transaction(orders[place], row)?);
        Ok(())
    })?;
    for transactions in &mut found {
        transactions.sort_by_key(|transaction| transaction.id);
    }
    Ok(found)
}

fn transaction(order: Id, row: &Row<'_>) -> Result<Transaction, StoreError> {
    let payment = row.opt_int(1)?.map(|_| id(row, 1)).transpose()?;
    let (kind, state, amount, currency) = (row.string(2)?, row.string(3)?, row.int(4)?, row.string(5)?);
    codec::transaction_of(order, (id(row, 0)?, payment, kind, state, amount, currency, row.int(6)?, row.string(7)?))
}

const INSERT: &str = "
    INSERT INTO transactions (store, order_id, id, payment_id, kind, state, amount, currency, created_ms, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const UPDATE: &str = "
    UPDATE transactions
    SET payment_id = ?4, kind = ?5, state = ?6, amount = ?7, currency = ?8, created_ms = ?9, body = ?10
    WHERE store = ?1 AND order_id = ?2 AND id = ?3";
const OF_ORDER: &str = "
    SELECT id, payment_id, kind, state, amount, currency, created_ms, body FROM transactions
    WHERE store = ?1 AND order_id = ?2 ORDER BY id";
