//! Subscriptions, and what a subscriber does with a delivery: it looks at seven headers, checks the signature over the
//! raw body, and reads the body in the version that the subscription names.

use std::collections::BTreeMap;

use ring::hmac;

use super::orders::{Order, PayStatus};
use super::parcels::Fulfillment;
use super::refunds::ToldRefund;
use super::returns::{ChangedReturnPackage, MadeReturnPackage, ToldReturn};
use super::stock::ToldLevel;
use super::wire::{Asked, Double, SlipId, Time, TimeOrEmpty, Version, date_of, decode, is_digits, wire, words};

words! {
    /// What can be heard of.
    enum Topic {
        RefundsCreate = "refunds/create",
        RefundsUpdate = "refunds/update",
        OrdersCreate = "orders/create",
        OrdersUpdated = "orders/updated",
        OrdersPaid = "orders/paid",
        OrdersCancelled = "orders/cancelled",
        OrdersEdited = "orders/edited",
        OrdersFulfilled = "orders/fulfilled",
        OrdersPartiallyFulfilled = "orders/partially_fulfilled",
        OrdersDelete = "orders/delete",
        OrderTransactionsCreate = "order_transactions/create",
        FulfillmentsCreate = "fulfillments/create",
        FulfillmentsUpdate = "fulfillments/update",
        ReturnCreate = "return/create",
        ReturnUpdate = "return/update",
        ReturnPackageCreate = "return_package/create",
        ReturnPackageUpdate = "return_package/update",
        InventoryLevelsUpdate = "inventory_levels/update",
    }
}

wire! {
    /// A subscription. Its id is a number.
    struct Webhook {
        id: i64,
        address: String,
        topic: Topic,
        api_version: Version,
        created_at: Time,
        updated_at: Time,
    }

    /// `order_transactions/create`
    struct ToldPayment {
        pay_seq: SlipId,
        pay_amount: Double,
        pay_status: PayStatus,
        pay_channel_deal_id: String,
        create_time: TimeOrEmpty,
        status_code: String,
        status_msg: String,
    }
}

/// A delivery whose headers, signature and body are in order.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The same over all attempts of a message, and nobody else's.
    pub(crate) webhook_id: String,
    /// `open001.myshopline.com`
    pub(crate) shop_domain: String,
    pub(crate) shop_id: String,
    pub(crate) merchant_id: String,
    /// The subscription's.
    pub(crate) api_version: String,
    pub(crate) topic: Topic,
    pub(crate) body: Told,
}

/// What was told, by topic.
#[derive(Debug)]
pub(crate) enum Told {
    Refund(Box<ToldRefund>),
    Order(Box<Order>),
    Payment(ToldPayment),
    Fulfillment(Box<Fulfillment>),
    Return(ToldReturn),
    MadeReturnPackage(MadeReturnPackage),
    ChangedReturnPackage(ChangedReturnPackage),
    Level(ToldLevel),
}

impl Delivery {
    /// Opens a delivery as a subscriber does who knows the app's secret; header names are in lower case.
    ///
    /// `minted`: whether every id in it must be the server's own.
    pub(crate) fn open(
        headers: &BTreeMap<String, String>,
        body: &[u8],
        secret: &str,
        minted: bool,
    ) -> Result<Self, String> {
        let header = |name: &str| match headers.get(name) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => Err(format!("no {name}")),
        };
        let media_type = header("content-type")?;
        if media_type.split(';').next() != Some("application/json") {
            return Err(format!("a body of {media_type}"));
        }
        let signature = from_hex(&header("x-shopline-hmac-sha256")?)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, body, &signature).map_err(|_| "another signature".to_owned())?;
        let topic = Topic::try_from(header("x-shopline-topic")?)?;
        let api_version = header("x-shopline-api-version")?;
        let version = date_of(&api_version).ok_or_else(|| format!("{api_version} is no version"))?;
        let shop_id = header("x-shopline-shop-id")?;
        if !is_digits(&shop_id) {
            return Err(format!("{shop_id} is no id of a shop"));
        }
        let webhook_id = header("x-shopline-webhook-id")?;
        if webhook_id.len() != 24 || !is_hex(&webhook_id) {
            return Err(format!("{webhook_id} is no id of a message"));
        }
        let body = Told::read(topic, Asked { version, minted }, body)
            .map_err(|fault| format!("{topic:?} in {api_version}: {fault}"))?;
        Ok(Self {
            webhook_id,
            shop_domain: header("x-shopline-shop-domain")?,
            shop_id,
            merchant_id: header("x-shopline-merchant-id")?,
            api_version,
            topic,
            body,
        })
    }
}

impl Told {
    /// Reads the body of a delivery, which has no wrapper.
    pub(super) fn read(topic: Topic, asked: Asked, body: &[u8]) -> Result<Self, String> {
        match topic {
            Topic::RefundsCreate | Topic::RefundsUpdate => decode("", asked, body).map(Box::new).map(Self::Refund),
            Topic::OrdersCreate
            | Topic::OrdersUpdated
            | Topic::OrdersPaid
            | Topic::OrdersCancelled
            | Topic::OrdersEdited
            | Topic::OrdersFulfilled
            | Topic::OrdersPartiallyFulfilled
            | Topic::OrdersDelete => decode("", asked, body).map(Box::new).map(Self::Order),
            Topic::OrderTransactionsCreate => decode("", asked, body).map(Self::Payment),
            Topic::FulfillmentsCreate | Topic::FulfillmentsUpdate => {
                decode("", asked, body).map(Box::new).map(Self::Fulfillment)
            }
            Topic::ReturnCreate | Topic::ReturnUpdate => decode("", asked, body).map(Self::Return),
            Topic::ReturnPackageCreate => decode("", asked, body).map(Self::MadeReturnPackage),
            Topic::ReturnPackageUpdate => decode("", asked, body).map(Self::ChangedReturnPackage),
            Topic::InventoryLevelsUpdate => decode("", asked, body).map(Self::Level),
        }
    }
}

impl Told {
    /// The id of what it is about: of the refund, the order, the slip, the parcel, the return, the goods.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Refund(refund) => &refund.id,
            Self::Order(order) => &order.id,
            Self::Payment(payment) => &payment.pay_seq,
            Self::Fulfillment(parcel) => &parcel.id,
            Self::Return(back) => &back.after_sale_order_seq,
            Self::MadeReturnPackage(package) => &package.return_id,
            Self::ChangedReturnPackage(package) => &package.return_id,
            Self::Level(level) => &level.inventory_item_id,
        }
    }
}

/// Lower-case hex, as the vendor's sample code and its clients compare it.
fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    if text.len() != 64 || !is_hex(text) {
        return Err(format!("the signature is not in lower-case hex: {text}"));
    }
    let pairs = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().map_err(|fault| fault.to_string())
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
