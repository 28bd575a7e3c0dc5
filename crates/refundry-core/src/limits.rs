//! Every bound in the system, with the reason for its value.
//!
//! A limit is part of the contract: it is checked where input enters, named in the answer that refuses, and listed in
//! the documentation. It must never be checked in a second place with another number.

/// Lines of one order. Facts of an order are read and written as one row; a thousand lines keep that row below 1 MiB.
pub const LINES_PER_ORDER_MAX: usize = 1_000;
/// Units of one line. Shares of units are computed in closed form, so the bound only keeps products inside `i128`.
pub const UNITS_PER_LINE_MAX: u32 = 100_000;
/// Payments of one order. Each refund may touch each of them once.
pub const PAYMENTS_PER_ORDER_MAX: usize = 100;
/// Payment slips that one request makes or changes; SHOPLINE documents it.
pub const SLIPS_PER_REQUEST_MAX: usize = 100;
/// Components of one order: goods of every line, its duty, tax and fees, and the parts of the order as a whole.
pub const COMPONENTS_PER_ORDER_MAX: usize = 5_000;
/// Entries of one request's list (lines, items, payments, parts).
pub const ENTRIES_PER_REQUEST_MAX: usize = 2_000;
/// The largest amount of one component, payment or refund, in minor units: ten trillion with two decimals. A thousand
/// of them still sum inside `i64`.
pub const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000_000;
/// Digits of a decimal on the wire. Longer numbers cannot be an amount below [`AMOUNT_MINOR_MAX`] in any currency.
pub const DECIMAL_DIGITS_MAX: usize = 30;
/// Characters of a note; the platforms print it on slips.
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Characters of a reason (Digital River's bound, the narrowest of the three APIs).
pub const REASON_CHARS_MAX: usize = 64;
/// Characters of an id that came from a platform.
pub const EXTERNAL_ID_CHARS_MAX: usize = 64;
/// Metadata pairs of one refund (Digital River's bound).
pub const METADATA_PAIRS_MAX: usize = 20;
/// Characters of a metadata key (Digital River's bound).
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Characters of a metadata value (Digital River's bound).
pub const METADATA_VALUE_CHARS_MAX: usize = 500;
/// Bytes of a request body. An order with the most lines fits; a refund needs a hundredth of it.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of an import stream's single line.
pub const IMPORT_LINE_BYTES_MAX: usize = 4 << 20;
/// Requests decided and committed together. Beyond this the commit's own time no longer shrinks per request.
pub const BATCH_MAX: usize = 128;
/// Requests that may wait for the writer; more are answered 503 with `Retry-After`.
pub const QUEUE_MAX: usize = 10_000;
/// How long an idempotency key is remembered: 30 days.
pub const KEY_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How long a worker may keep a leg before another one may look it up: 60 s, well above a provider call's deadline.
pub const LEASE_MS: i64 = 60_000;
/// How long a gateway call may take: 30 s. One that would not end within its lease is not begun.
pub const CALL_MS: i64 = 30_000;
/// Gateway calls in flight in one process.
pub const CALLS_IN_FLIGHT_MAX: usize = 512;
/// Bytes of a provider's statement in one file; it is read whole.
pub const STATEMENT_BYTES_MAX: u64 = 256 << 20;
/// Refunds that one reconciliation takes from the provider; with our side of them they fit into a gigabyte.
pub const STATEMENT_LINES_MAX: usize = 1_000_000;
/// Refunds that one answer lists where its API has no pages: the oldest of the order. An order with more is read in the
/// list of refunds, page by page.
pub const REFUNDS_LISTED_MAX: u32 = 1_000;
/// Returns of one order, over or not: an order's returns are read and listed whole.
pub const RETURNS_PER_ORDER_MAX: usize = 1_000;
/// Characters of a note on units that come back (SHOPLINE's bound).
pub const RETURN_NOTE_CHARS_MAX: usize = 128;
/// Units of a variant that may be counted at one location, or missing there: sums over all locations stay inside `i64`.
pub const STOCK_UNITS_MAX: i64 = 1_000_000_000;
/// Places of variants that one answer lists where its API has no pages. What is asked for by id fits.
pub const STOCK_LEVELS_LISTED_MAX: i64 = 1_000;
/// Locations that one answer lists where its API has no pages: more than a shop has.
pub const LOCATIONS_LISTED_MAX: i64 = 1_000;
/// Characters of a name by which a variant or location is known; every database can index that many. Goods with longer
/// ones are sold and refunded, but not counted.
pub const STOCK_NAME_CHARS_MAX: usize = 255;
/// Variants or locations named in one query.
pub const STOCK_IDS_MAX: usize = 100;
/// Entries of one page of a list.
pub const PAGE_MAX: u32 = 100;
/// Subscriptions of one store: what a batch reads of each store whose orders it changes.
pub const SUBSCRIPTIONS_MAX: usize = 250;
/// Bytes of an address that events are posted to; longer ones do not pass every proxy.
pub const ADDRESS_BYTES_MAX: usize = 2_000;
/// How long a receiver may take to answer: 5 s, as the platforms tell theirs.
pub const DELIVERY_MS: i64 = 5_000;
/// How long a process may keep a delivery before another one posts it again: 15 s, well above a call's deadline.
pub const DELIVERY_LEASE_MS: i64 = 15_000;
/// Deliveries in flight in one process, and those of one store that are taken together.
pub const DELIVERIES_IN_FLIGHT_MAX: usize = 64;
/// Those to one receiver while nothing gets through to it, so that it cannot keep all of them from the others.
pub const DELIVERIES_TO_FAILING_MAX: usize = 8;
/// How long to wait before each further attempt at a delivery: about two days in all (Shoplazza's ladder).
pub const DELIVERY_WAITS_MS: [i64; 19] = {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    let mut waits = [4 * HOUR; 19];
    waits[0] = MINUTE;
    waits[1] = 2 * MINUTE;
    waits[2] = 2 * MINUTE;
    waits[3] = 5 * MINUTE;
    waits[4] = 20 * MINUTE;
    waits[5] = 30 * MINUTE;
    waits[6] = HOUR;
    waits[7] = 2 * HOUR;
    waits
};
/// Attempts at a delivery beyond the first that a store may choose to have.
pub const DELIVERY_WAITS_MAX: usize = 100;
/// How long those may take in all, in seconds: 14 days, well below how long events are kept.
pub const DELIVERY_WAITS_S_MAX: u64 = 14 * 24 * 60 * 60;
/// How long events are kept: 30 days, far longer than anybody tries to deliver one.
pub const EVENT_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
