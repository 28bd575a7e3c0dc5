-- Why: whoever wants to hear what happens to orders subscribes, and is told until the receiver has it.
-- Phase: expand.

-- A subscription. topic is the words of the public API that it was made with, kind our code of the events that it wants,
-- empty for a topic that nothing here ever happens under. failing_ms is since when nothing got through, NULL while it does.
CREATE TABLE subscriptions (
    store BIGINT NOT NULL,
    id BIGINT NOT NULL,
    dialect TEXT NOT NULL,
    version TEXT NOT NULL,
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    format TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    failing_ms BIGINT,
    CONSTRAINT subscriptions_store_id PRIMARY KEY (store, id)
) {without_rowid};

-- Something that happened, if anybody wanted to hear it. seq counts the events of one order; snapshot is the order and its
-- sums right after it; subject is what else it is about, such as a parcel.
CREATE TABLE events (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject BIGINT,
    happened_ms BIGINT NOT NULL,
    snapshot TEXT NOT NULL,
    CONSTRAINT events_store_order_id_seq PRIMARY KEY (store, order_id, seq)
);
CREATE INDEX events_store_happened_ms ON events (store, happened_ms);

-- An event that a subscriber does not have yet; gone when it has. holder is who posts it at the moment, takes counts how
-- often somebody took it, failures how often it did not get through, failed_ms when that was first. body is what is posted, made once: every attempt sends the
-- same bytes. Those of one subscription and order are posted one after the other.
CREATE TABLE deliveries (
    store BIGINT NOT NULL,
    subscription BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    made_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    holder TEXT NOT NULL,
    takes BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    failed_ms BIGINT,
    body TEXT NOT NULL,
    CONSTRAINT deliveries_store_subscription_order_id_seq PRIMARY KEY (store, subscription, order_id, seq)
);
CREATE INDEX deliveries_store_due_ms ON deliveries (store, due_ms);

-- What a store signs deliveries of one public API with; encrypted, in hexadecimal digits.
CREATE TABLE signing (
    store BIGINT NOT NULL,
    dialect TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT signing_store_dialect PRIMARY KEY (store, dialect)
) {without_rowid};
