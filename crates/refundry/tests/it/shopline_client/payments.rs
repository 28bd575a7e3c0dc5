//! Payments of an order, every transaction of one, slips, and how a shop can be paid.

use super::refunds::{CreditCard, PaymentDetails, TransactionKind, TransactionStatus};
use super::wire::{Amount, Currency, Digits, Double, OrderId, Perhaps, SlipId, Texts, Time, wire, words};

words! {
    /// What a payment is.
    enum PaymentKind { Sale = "sale", }
    /// How far it is.
    enum PaymentStatus { Create = "create", Pending = "pending", Failure = "failure", Success = "success", }
    /// How far a slip is.
    enum SlipStatus { Unpaid = "unpaid", Paid = "paid", PaidFailed = "paid_failed", }
}

wire! {
    /// `GET orders/{order_id}/transactions.json`
    struct OrderPayment {
        id: SlipId,
        order_id: OrderId,
        kind: PaymentKind,
        status: PaymentStatus,
        amount: Amount,
        currency: Currency,
        gateway: String,
        error_code: String,
        error_msg: String,
        status_code: String,
        status_msg: String,
        receipt: Texts,
        payment_details: CreditCard,
    }

    /// `POST transactions/query.json`
    struct Transaction {
        id: Digits,
        order_id: OrderId,
        parent_transaction_id: Perhaps<Digits>,
        kind: TransactionKind,
        status: TransactionStatus,
        amount: Amount,
        currency: Currency,
        gateway: String,
        payment_method: String,
        error_code: String,
        error_msg: String,
        create_at: Time,
        update_at: Time,
        payment_details: PaymentDetails,
    }

    /// `POST orders/transactions.json` and `POST orders/update_transactions.json`
    struct Slip {
        id: SlipId,
        order_id: OrderId,
        amount: Double,
        status: SlipStatus,
        create_at: Time,
        pay_channel_deal_id: String,
    }

    /// `GET checkouts/payment_settings.json`
    struct PaymentSettings {
        currency_code: Currency,
        enabled_presentment_currencies: Vec<Currency>,
        shopline_payments_account_id: String,
    }

    /// `GET orders/pay_channels.json`
    struct PayChannel {
        channel_status: String,
        pay_channel_code: String,
        pay_channel_desc: String,
        pay_channel_id: String,
        pay_channel_name: String,
    }
}
