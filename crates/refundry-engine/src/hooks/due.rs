//! What is to be posted now, with all that a body is written from.

use refundry_core::event::refunds_then;
use refundry_core::limits::{DELIVERY_LEASE_MS, REFUNDS_LISTED_MAX};
use refundry_core::money::Amount;
use refundry_core::order::{Dialect, Id, Reference};
use refundry_core::parcels::Parcel;
use refundry_core::paying::Transaction;
use refundry_core::query::RefundQuery;
use refundry_core::refund::Refund;
use refundry_store::deliveries::{self, Delivery, DeliveryKey};
use refundry_store::events::{self, Detail, Event};
use refundry_store::locations::{self, LocationRecord};
use refundry_store::stock::Level;
use refundry_store::stores::{self, StoreRecord};
use refundry_store::subscriptions::{self, Subscription};
use refundry_store::variants::{self, VariantRecord};
use refundry_store::{Store, StoreError, Tx, orders, parcels, refunds, transactions};

/// What is to be posted now in a store.
#[derive(Debug)]
pub struct DueNow {
    /// The store.
    pub store: StoreRecord,
    /// What is to be posted.
    pub due: Vec<Due>,
    /// What waits for an older one, and until when.
    pub wait: Vec<(DeliveryKey, i64)>,
    /// What leads nowhere: its subscription or its event is gone.
    pub drop: Vec<DeliveryKey>,
}

/// Something to be posted.
#[derive(Clone, Debug)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// To whom.
    pub subscription: Subscription,
    /// What happened, with the order right after it.
    pub event: Event,
    /// What is shown beside that; only read while there is no body.
    pub beside: Beside,
}

/// What is shown beside an event.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The document that the order was read from, as it is now.
    pub document: String,
    /// The order's parcels, newest first, as they are now; for an API that shows refunds, those that it had by then.
    pub parcels: Vec<Parcel>,
    /// What was asked for last of the order by then.
    pub asked_last: Amount,
    /// For an API that shows refunds: those that the order had by then, as they were, oldest first, at most
    /// [`REFUNDS_LISTED_MAX`].
    pub refunds: Vec<Refund>,
    /// For the same: the transactions that were told of by then, oldest first.
    pub transactions: Vec<Transaction>,
    /// The variant and the location that an event is about, where it is about goods.
    pub goods: Option<(VariantRecord, LocationRecord)>,
}

/// What is to be posted now, at most `limit` deliveries, fairly shared between stores.
pub fn due(store: &Store, now_ms: i64, limit: usize) -> Result<Vec<DueNow>, StoreError> {
    store.read(|tx| {
        let all = stores::list(tx)?;
        let ids: Vec<i64> = all.iter().map(|store| store.id).collect();
        let due = if store.is_distributed() {
            // A statement names one store there.
            let due = ids.iter().map(|id| deliveries::due_stores(tx, &[*id], now_ms));
            due.collect::<Result<Vec<_>, _>>()?.concat()
        } else {
            deliveries::due_stores(tx, &ids, now_ms)?
        };
        let share = i64::try_from(limit / due.len().max(1)).unwrap_or(i64::MAX).max(1);
        let with_due = all.into_iter().filter(|store| due.contains(&store.id));
        with_due.map(|store| due_in(tx, store, now_ms, share)).collect()
    })
}

fn due_in(tx: &mut Tx<'_>, store: StoreRecord, now_ms: i64, limit: i64) -> Result<DueNow, StoreError> {
    let found = deliveries::due(tx, store.id, now_ms, limit)?;
    let keys: Vec<DeliveryKey> = found.iter().map(|delivery| delivery.key).collect();
    let heads = deliveries::heads(tx, &keys)?;
    let events = events::get_many(tx, store.id, &keys.iter().map(|key| (key.order, key.seq)).collect::<Vec<_>>())?;
    let subscribers = subscriptions::list(tx, store.id)?;
    let mut now = DueNow { store, due: Vec::new(), wait: Vec::new(), drop: Vec::new() };
    for delivery in found {
        let key = delivery.key;
        let subscription = subscribers.iter().find(|known| known.id == key.subscription);
        let (Some(subscription), Some(event)) = (subscription, events.get(&(key.order, key.seq))) else {
            now.drop.push(key);
            continue;
        };
        match heads.get(&key) {
            Some((head, due_ms)) if *head < key.seq => {
                // It is due at once when that one got through; this only keeps it from being looked at until then.
                now.wait.push((key, (*due_ms).max(now_ms + DELIVERY_LEASE_MS)));
                continue;
            }
            _ => {}
        }
        let beside = if delivery.body.is_empty() {
            beside(tx, now.store.id, key.order, (event, subscription))?
        } else {
            Beside::default()
        };
        now.due.push(Due { delivery, subscription: subscription.clone(), event: event.clone(), beside });
    }
    Ok(now)
}

/// What is shown beside an event of an order, or of a variant.
fn beside(
    tx: &mut Tx<'_>,
    store: i64,
    of: Id,
    (event, subscription): (&Event, &Subscription),
) -> Result<Beside, StoreError> {
    if let Some(Detail::Level(Level { variant, location, .. })) = &event.detail {
        let goods = variants::get(tx, store, *variant)?.zip(locations::get(tx, store, *location)?);
        return Ok(Beside { goods, ..Beside::default() });
    }
    let Some(facts) = &event.facts else { return Ok(Beside::default()) };
    let (document, parcels) = (orders::document(tx, store, of)?, parcels::all(tx, store, of)?);
    if subscription.dialect != Dialect::Shopline.code() {
        let asked_last = asked_last(tx, store, of, facts.balances.refunds)?;
        return Ok(Beside { document, parcels, asked_last, ..Beside::default() });
    }
    // Numbers of one order ascend, whatever times callers state.
    let by_then = |number: Id| number < event.id;
    let parcels = parcels.into_iter().filter(|parcel| by_then(parcel.id)).map(|parcel| match &event.detail {
        Some(Detail::Parcel(then)) if then.id == parcel.id => then.clone(),
        _ => parcel,
    });
    let had = |told: &Transaction| told.payment.is_none_or(|id| facts.order.payments.iter().any(|p| p.id == id));
    let transactions = transactions::of_order(tx, store, of)?.into_iter().map(|told| match &event.detail {
        Some(Detail::Transaction(then)) if then.id == told.id => Transaction::clone(then),
        _ => told,
    });
    Ok(Beside {
        document,
        parcels: parcels.collect(),
        refunds: refunds_then(facts, refunds::first_of_order(tx, store, of, i64::from(REFUNDS_LISTED_MAX))?),
        transactions: transactions.filter(|told| by_then(told.id) && had(told)).collect(),
        ..Beside::default()
    })
}

/// The amount of the last refund of an order that had so many.
fn asked_last(tx: &mut Tx<'_>, store: i64, order: Id, had: u32) -> Result<Amount, StoreError> {
    const LOOKED_AT: u32 = 50;
    if had == 0 {
        return Ok(Amount::ZERO);
    }
    let orders = Some(vec![Reference { text: String::new(), ours: Some(order) }]);
    let query = RefundQuery { orders, limit: LOOKED_AT, ..RefundQuery::default() };
    let found = refunds::list(tx, store, &query)?.map_or_else(|_| Vec::new(), |(found, _)| found);
    let last = found.into_iter().filter(|refund| refund.number <= had).max_by_key(|refund| refund.number);
    Ok(last.map_or(Amount::ZERO, |refund| refund.amount))
}
