//! Refunds: as they are made, tried, read, found inside an order and delivered. The tables agree on little.

use super::orders::Tax;
use super::wire::{
    AdjustmentId, Amount, Currency, Digits, Double, DoubleMoneySet, LineId, Millis, MoneySet, Nullable, OrderId,
    Perhaps, RefundId, RefundTransactionId, Since, SlipId, Time, TimeOrEmpty, wire, words,
};

words! {
    /// Where units come from.
    enum UnitType { Unshipped = "Unshipped", Shipped = "Shipped", Returned = "Returned", }
    /// What becomes of goods.
    enum RestockType { No = "no_restock", Cancel = "cancel", Return = "return", }
    /// How far a refund's transaction is.
    enum RefundStatus { Pending = "pending", Failure = "failure", Success = "success", Error = "error", }
    /// What a refund's transactions are.
    enum RefundKind { Refund = "refund", }
    /// What a trial's transactions are.
    enum TrialKind { SuggestedRefund = "suggested_refund", }
    /// What a refund has beside its lines.
    enum AdjustmentKind { Discrepancy = "refund_discrepancy", Shipping = "shipping_refund", }
    /// Why, where the refund is made.
    enum ReasonMade { Discrepancy = "refund_discrepancy", Shipping = "shipping_refund", }
    /// Why, where it is read.
    enum ReasonRead { Discrepancy = "Refund discrepancy", Shipping = "shipping_refund", }
    /// What any transaction is.
    enum TransactionKind {
        Sale = "sale",
        Authorization = "authorization",
        Capture = "capture",
        Void = "void",
        Refund = "refund",
    }
    /// How far any transaction is.
    enum TransactionStatus { Created = "created", Pending = "pending", Success = "success", Fail = "fail", }
    /// How much of a line or an order is on its way; `null` stands for none.
    enum Fulfilled { All = "fulfilled", Partial = "partial", }
}

// `POST order/refund.json`, under `data`.
wire! {
    /// A refund that was just made.
    struct MadeRefund {
        id: RefundId,
        order_id: OrderId,
        create_at: Millis,
        note: String,
        order_adjustments: Vec<MadeAdjustment>,
        refund_line_items: Vec<MadeRow>,
        transactions: Vec<MadeTransaction>,
        total_duties_set: Since<20_230_901, MoneySet>,
    }

    /// Texts throughout.
    struct MadeAdjustment {
        id: AdjustmentId,
        refund_id: RefundId,
        order_id: OrderId,
        kind: AdjustmentKind,
        reason: ReasonMade,
        amount: Amount,
        amount_set: MoneySet,
        tax_amount: Amount,
        tax_amount_set: MoneySet,
    }

    /// Ids are longs here, and amounts texts.
    struct MadeRow {
        id: i64,
        line_item_id: i64,
        quantity: i64,
        restock_type: RestockType,
        subtotal: Amount,
        subtotal_set: MoneySet,
        total_tax: Amount,
        total_tax_set: MoneySet,
    }

    /// Named by the slip that it pays back to; its amount is a long without a point.
    struct MadeTransaction {
        id: SlipId,
        order_id: OrderId,
        amount: i64,
        currency: Currency,
        kind: RefundKind,
        status: RefundStatus,
        create_at: Millis,
        processed_at: Millis,
    }
}

// `POST orders/{order_id}/refunds/calculate.json`, under `refund`.
wire! {
    /// What a refund would come to.
    struct Trial {
        currency: Currency,
        refund_line_items: Perhaps<Vec<TrialRow>>,
        shipping: Perhaps<TrialShipping>,
        total_duties_set: MoneySet,
        // So on the wire.
        transactons: Perhaps<Vec<TrialTransaction>>,
    }

    /// Units that can be refunded.
    struct TrialRow {
        line_item_id: LineId,
        quantity: i64,
        r#type: UnitType,
        price: Amount,
        discount_total_amount: Amount,
        subtotal: Amount,
        total_tax: Amount,
    }

    /// Shipping that can be.
    struct TrialShipping {
        amount: Amount,
        tax: Amount,
        maximum_refundable: Amount,
    }

    /// How the money would be split over the slips.
    struct TrialTransaction {
        parent_id: SlipId,
        order_id: OrderId,
        gateway: String,
        kind: TrialKind,
        amount: Amount,
        maximum_refundable: Amount,
        currency: Currency,
    }
}

/// A refund as it is read, with rows and transactions of some kind, and the keys that only one form has.
macro_rules! read_refund {
    ($(#[$about:meta])* struct $name:ident of $row:ident, $transaction:ident { $($more:tt)* }) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: RefundId,
                order_id: OrderId,
                note: String,
                user_id: String,
                created_at: Time,
                processed_at: Time,
                order_adjustments: Vec<ReadAdjustment>,
                refund_line_items: Vec<$row>,
                transactions: Vec<$transaction>,
                $($more)*
            }
        }
    };
}

read_refund! {
    /// `GET orders/{order_id}/refunds.json` and one of them.
    struct Refund of ReadRow, ReadTransaction {
        total_duties_set: MoneySet,
    }
}

read_refund! {
    /// Inside an order: without the duties.
    struct OrderRefund of ReadRow, OrderTransaction {}
}

read_refund! {
    /// In webhooks.
    struct ToldRefund of ToldRow, ReadTransaction {
        total_duties_set: MoneySet,
        transactions_v2: Since<20_260_301, Vec<ToldTransaction>>,
    }
}

/// A row of a refund that is read: ids are texts here, and amounts doubles, but those in sets.
macro_rules! read_row {
    ($(#[$about:meta])* struct $name:ident of $line:ident) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: Digits,
                line_item_id: LineId,
                quantity: i64,
                restock_type: RestockType,
                subtotal: Double,
                subtotal_set: MoneySet,
                total_tax: Double,
                total_tax_set: MoneySet,
                line_item: $line,
            }
        }
    };
}

read_row! {
    /// As it is read.
    struct ReadRow of SoldLine
}

read_row! {
    /// As it is delivered.
    struct ToldRow of ToldLine
}

/// A transaction of a refund that is read: it has an id of its own, and its amount is a text with its point.
macro_rules! read_transaction {
    ($(#[$about:meta])* struct $name:ident { $($more:tt)* }) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: RefundTransactionId,
                order_id: OrderId,
                amount: Amount,
                currency: Currency,
                kind: RefundKind,
                status: RefundStatus,
                user_id: String,
                created_at: Time,
                processed_at: Time,
                $($more)*
            }
        }
    };
}

read_transaction! {
    /// As it is read and delivered.
    struct ReadTransaction {}
}

read_transaction! {
    /// Inside an order.
    struct OrderTransaction {
        gateway: String,
        settle_amount: Amount,
        settle_currency: Currency,
        channel_refund_id: String,
        status_update_at: TimeOrEmpty,
    }
}

wire! {
    /// The sets have doubles where a refund is read.
    struct ReadAdjustment {
        id: AdjustmentId,
        refund_id: RefundId,
        order_id: OrderId,
        kind: AdjustmentKind,
        reason: ReasonRead,
        amount: Amount,
        amount_set: DoubleMoneySet,
        tax_amount: Amount,
        tax_amount_set: DoubleMoneySet,
    }

    /// Of a delivered refund, from v20260301 on.
    struct ToldTransaction {
        id: Digits,
        kind: TransactionKind,
        status: TransactionStatus,
        amount: Amount,
        currency: Currency,
        gateway: String,
        payment_method: String,
        create_at: Time,
        error_code: String,
        error_msg: String,
        payment_details: PaymentDetails,
    }

    /// How somebody paid.
    struct PaymentDetails {
        credit_card: CreditCard,
        pay_channel_deal_id: String,
        receipt_json: String,
    }

    /// All "" for what is no card.
    struct CreditCard {
        credit_card_number: String,
        credit_card_bin: String,
        credit_card_brand: String,
        credit_card_expire_month: String,
        credit_card_expire_year: String,
    }
}

/// A line that was sold, as refunds, parcels and orders have it, with the keys that only one of them has.
macro_rules! sold_line {
    ($(#[$about:meta])* struct $name:ident { $($more:tt)* }) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: LineId,
                name: String,
                title: String,
                variant_title: String,
                attribute: String,
                price: Amount,
                price_set: MoneySet,
                quantity: i64,
                fulfillable_quantity: i64,
                fulfillment_status: Nullable<Fulfilled>,
                fulfillment_service: String,
                product_id: String,
                variant_id: String,
                sku: String,
                vendor: String,
                grams: Double,
                requires_shipping: bool,
                taxable: bool,
                tax_lines: Vec<Tax>,
                $($more)*
            }
        }
    };
}
pub(super) use sold_line;

sold_line! {
    /// In a refund.
    struct SoldLine {}
}

sold_line! {
    /// In a delivered refund.
    struct ToldLine {
        fulfillment_quantity: i64,
    }
}
