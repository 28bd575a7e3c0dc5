//! Returns: as they are read, and under other names as they are delivered.

use super::parcels::Tracking;
use super::refunds::SoldLine;
use super::wire::{Digits, LineId, OrderId, ReturnId, Time, wire, words};

words! {
    /// Two words, and a third in small letters since December 2025.
    enum ReturnStatus { Open = "OPEN", Closed = "CLOSED", Cancelled = "cancelled" since 20_251_201, }
    /// Why a line comes back, where anybody said so.
    enum ReturnReason {
        Unsaid = "",
        Color = "COLOR",
        Defective = "DEFECTIVE",
        NotAsDescribed = "NOT_AS_DESCRIBED",
        Other = "OTHER",
        TooLarge = "SIZE_TOO_LARGE",
        TooSmall = "SIZE_TOO_SMALL",
        Style = "STYLE",
        Unwanted = "UNWANTED",
        WrongItem = "WRONG_ITEM",
    }
    /// As it is delivered.
    enum ToldReturnStatus {
        Requested = "REQUESTED",
        Open = "OPEN",
        Closed = "CLOSED",
        Declined = "DECLINED",
        Canceled = "CANCELED",
    }
}

wire! {
    /// `POST return/create.json` and `GET return.json`
    struct Return {
        id: ReturnId,
        order_id: OrderId,
        status: ReturnStatus,
        return_reason: String,
        created_at: Time,
        return_line_items: Vec<ReturnLine>,
    }

    /// Its keys are not documented one by one: what was asked for, and an id.
    struct ReturnLine {
        id: Digits,
        fulfillment_id: String,
        line_item_id: LineId,
        quantity: i64,
        return_reason: ReturnReason,
        return_reason_note: String,
    }

    /// `return/*`
    struct ToldReturn {
        after_sale_order_seq: ReturnId,
        order_seq: OrderId,
        status: ToldReturnStatus,
        return_reason: String,
        created_at: Time,
        return_line_items: Vec<ToldReturnLine>,
    }

    /// See [`ToldReturn`].
    struct ToldReturnLine {
        refund_detail_seq: Digits,
        order_package_seq: String,
        quantity: i64,
        line_item: SoldLine,
    }

    /// `return_package/create`
    struct MadeReturnPackage {
        create_at: Time,
        return_id: ReturnId,
        reverse_delivery_id: String,
        tracking_information: Tracking,
    }

    /// `return_package/update`
    struct ChangedReturnPackage {
        return_id: ReturnId,
        reverse_delivery_id: String,
        tracking_information: Tracking,
    }
}
