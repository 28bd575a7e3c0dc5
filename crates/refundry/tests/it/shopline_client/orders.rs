//! Orders: as they are listed and read, and as the answer to making one differs.

use super::parcels::Fulfillment;
use super::refunds::{Fulfilled, OrderRefund, sold_line};
use super::wire::{
    Amount, Currency, Decimal, Digits, Double, Free, LineId, Money, MoneySet, Nullable, OrderId, Perhaps, Since,
    SlipId, Time, TimeOrEmpty, wire, words,
};

words! {
    /// With one l here; filters have two.
    enum OrderStatus { Open = "open", Canceled = "canceled", }
    /// How far an order is paid.
    enum FinancialStatus {
        Unpaid = "unpaid",
        Authorized = "authorized",
        Pending = "pending",
        PartiallyPaid = "partially_paid",
        Paid = "paid",
        PartiallyRefunded = "partially_refunded",
        Refunded = "refunded",
    }
    /// Of what a tax is.
    enum TaxType { Product = "product_tax", Shipping = "shipping_tax", }
    /// How far a payment is.
    enum PayStatus {
        Unpaid = "unpaid",
        Pending = "pending",
        Risking = "risking",
        Paid = "paid",
        PaidOvertime = "paid_overtime",
        PaidFailed = "paid_failed",
    }
    /// What a place is to an order.
    enum PlaceType { Pos = "posLocation", Pickup = "pickupLocation", Product = "productLocation", }
}

/// An order; three keys have another type in the answer to `POST orders.json`.
macro_rules! order {
    ($(#[$about:meta])* struct $name:ident of $weight:ty, $codes:ty, $payment:ty) => {
        wire! {
            $(#[$about])*
            struct $name {
                id: OrderId,
                name: String,
                status: OrderStatus,
                financial_status: FinancialStatus,
                fulfillment_status: Nullable<Fulfilled>,
                currency: Currency,
                presentment_currency: Currency,
                created_at: Time,
                updated_at: Time,
                order_at: Time,
                processed_at: TimeOrEmpty,
                cancelled_at: TimeOrEmpty,
                cancel_reason: String,
                note: String,
                buyer_note: String,
                email: String,
                phone: String,
                tags: String,
                store_id: Digits,
                user_id: String,
                customer: Customer,
                shipping_address: Address,
                billing_address: Address,
                taxes_included: bool,
                tax_type: TaxType,
                subtotal_price: Amount,
                subtotal_price_set: MoneySet,
                total_tax: Amount,
                total_tax_set: MoneySet,
                total_discounts: Amount,
                total_discounts_set: MoneySet,
                total_line_items_price: Amount,
                total_line_items_price_set: MoneySet,
                current_subtotal_price: Amount,
                current_subtotal_price_set: MoneySet,
                current_total_price: Amount,
                current_total_price_set: MoneySet,
                current_total_tax: Amount,
                current_total_tax_set: MoneySet,
                current_total_discounts: Amount,
                current_total_discounts_set: MoneySet,
                total_outstanding: Amount,
                total_outstanding_set: MoneySet,
                total_tip_received: Amount,
                total_tip_received_set: MoneySet,
                adjust_price: Amount,
                adjust_price_set: MoneySet,
                deduct_member_point_amount: Amount,
                deduct_member_point_amount_set: MoneySet,
                total_shipping_price_set: MoneySet,
                current_total_duties_set: MoneySet,
                total_weight: $weight,
                line_items: Vec<LineItem>,
                shipping_lines: Vec<ShippingLine>,
                tax_lines: Vec<Tax>,
                discount_codes: $codes,
                discount_applications: Vec<Free>,
                payment_details: Vec<$payment>,
                payment_gateway_names: Vec<String>,
                fulfillments: Vec<Fulfillment>,
                refunds: Vec<OrderRefund>,
                locations: Vec<Place>,
            }
        }
    };
}

order! {
    /// An order as every answer but one has it, and every delivery.
    struct Order of Double, Vec<DiscountCode>, Payment
}

order! {
    /// An order that was just made.
    struct MadeOrder of Decimal, MadeDiscountCode, MadePayment
}

/// A payment of an order.
macro_rules! payment {
    ($(#[$about:meta])* struct $name:ident of $amount:ty) => {
        wire! {
            $(#[$about])*
            struct $name {
                pay_seq: SlipId,
                pay_amount: $amount,
                settle_currency: Currency,
                settle_pay_amount: Double,
                pay_status: PayStatus,
                gateway: String,
                pay_channel: String,
                pay_channel_deal_id: String,
                payment_method: String,
                status_code: String,
                status_msg: String,
                create_time: TimeOrEmpty,
                processed_at: TimeOrEmpty,
                giftcard_presentment_money: Money,
            }
        }
    };
}

payment! {
    /// As it is read.
    struct Payment of Double
}

payment! {
    /// As it is answered where its order is made.
    struct MadePayment of Amount
}

sold_line! {
    /// In an order.
    struct LineItem {
        tags: String,
        image_url: String,
        location_id: String,
        gift_card: bool,
        is_bundle: bool,
        is_bundle_component: bool,
        discount_allocations: Vec<DiscountAllocation>,
        duties: Vec<Free>,
        properties: Vec<Property>,
    }
}

wire! {
    /// A tax of a line, of shipping or of an order.
    struct Tax {
        title: String,
        name: String,
        price: Amount,
        price_set: MoneySet,
        rate: Double,
        r#type: TaxType,
    }

    /// A share of a discount.
    struct DiscountAllocation {
        amount: Amount,
        amount_set: MoneySet,
        discount_application_index: i64,
    }

    /// What a buyer said of a line.
    struct Property {
        name: String,
        value: String,
        show: bool,
        r#type: String,
        urls: Vec<String>,
    }

    /// What sending the goods cost.
    struct ShippingLine {
        title: String,
        code: String,
        source: String,
        price: Amount,
        price_set: MoneySet,
        shipping_price: Amount,
        shipping_price_set: MoneySet,
        discounted_price: Amount,
        discounted_price_set: MoneySet,
        discount_allocations: Vec<DiscountAllocation>,
        tax_lines: Vec<Tax>,
    }

    /// A code that a buyer had.
    struct DiscountCode {
        code: String,
        amount: Amount,
        amount_set: MoneySet,
        r#type: String,
    }

    /// One object where an order is made; without keys where there was no code.
    struct MadeDiscountCode {
        code: Perhaps<String>,
        amount: Perhaps<Amount>,
        amount_set: Perhaps<MoneySet>,
        r#type: Perhaps<String>,
    }

    /// Who bought.
    struct Customer {
        id: String,
        email: String,
        phone: String,
        first_name: String,
        last_name: String,
        created_at: TimeOrEmpty,
        updated_at: TimeOrEmpty,
    }

    /// Where it goes, and who pays.
    struct Address {
        first_name: String,
        last_name: String,
        company: String,
        email: String,
        phone: String,
        address1: String,
        address2: String,
        area: String,
        area_code: String,
        city: String,
        city_code: String,
        province: String,
        province_code: String,
        standard_province_code: Since<20_250_601, String>,
        country: String,
        country_code: String,
        zip: String,
    }

    /// A place that has to do with an order.
    struct Place {
        location_id: Digits,
        name: String,
        r#type: PlaceType,
        address1: String,
        address2: String,
        city: String,
        country: String,
        country_code: String,
        province: String,
        province_code: String,
        zip: String,
    }
}
