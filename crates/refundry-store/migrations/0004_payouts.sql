-- Why: real payment providers. What a store configured, where each leg stands on its way out, what providers say unasked.
-- Phase: expand.

-- Where the leg of a row stands, so that what is in doubt is counted and listed without reading refunds: waiting (surely
-- not sent), calling (handed to a worker, who may have sent it), sent, in_doubt, parked (a person decides; never due).
-- taken_ms is when a worker took it last, before_ms when one did the time before: what was sent then may still be on its
-- way for a while. rung counts the answers that settled nothing: how far up its gateway's ladder the leg is.
ALTER TABLE outbox ADD COLUMN stage TEXT NOT NULL DEFAULT 'waiting';
ALTER TABLE outbox ADD COLUMN taken_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN before_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN rung BIGINT NOT NULL DEFAULT 0;
UPDATE outbox SET stage = 'calling', rung = attempts - 1 WHERE attempts > 0;
CREATE INDEX outbox_store_stage ON outbox (store, stage, due_ms) WHERE stage IN ('in_doubt', 'parked');

-- A gateway that a store configured. settings is a JSON object that may be shown; secrets is one that is encrypted, in
-- hexadecimal digits.
CREATE TABLE gateways (
    store BIGINT NOT NULL,
    name TEXT NOT NULL,
    driver TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT gateways_store_name PRIMARY KEY (store, name)
) {without_rowid};

-- What was heard of a leg that did not settle at once: for the person who has to decide. id is a number of ours.
CREATE TABLE evidence (
    store BIGINT NOT NULL,
    leg_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    heard_ms BIGINT NOT NULL,
    source TEXT NOT NULL,
    heard TEXT NOT NULL,
    detail TEXT NOT NULL,
    CONSTRAINT evidence_store_leg_id_id PRIMARY KEY (store, leg_id, id)
) {without_rowid};

-- Every event that a provider told of, once, by its own id of it. outcome says what it did here: settled, stale, external,
-- disputed, or waiting for a person because nothing here fits.
CREATE TABLE inbox (
    store BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    event TEXT NOT NULL,
    id BIGINT NOT NULL,
    heard_ms BIGINT NOT NULL,
    happened_ms BIGINT,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    refund_id BIGINT,
    notice TEXT NOT NULL,
    CONSTRAINT inbox_store_gateway_event PRIMARY KEY (store, gateway, event)
) {without_rowid};
CREATE INDEX inbox_store_waiting ON inbox (store, id) WHERE outcome = 'waiting';

-- Which orders a provider's payment belongs to: events name payments, never orders.
CREATE TABLE payment_references (
    store BIGINT NOT NULL,
    reference TEXT NOT NULL,
    order_id BIGINT NOT NULL,
    CONSTRAINT payment_references_store_reference_order_id PRIMARY KEY (store, reference, order_id)
) {without_rowid};

-- Disputes, by the provider's id. amount and own_amount are what is held of the payment now, in minor units of the
-- order's currency and of the payment's own.
CREATE TABLE disputes (
    store BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    reference TEXT NOT NULL,
    order_id BIGINT NOT NULL,
    payment_id BIGINT NOT NULL,
    stage TEXT NOT NULL,
    amount BIGINT NOT NULL,
    own_amount BIGINT NOT NULL,
    opened_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT disputes_store_gateway_reference PRIMARY KEY (store, gateway, reference)
) {without_rowid};
CREATE INDEX disputes_store_order ON disputes (store, order_id);
