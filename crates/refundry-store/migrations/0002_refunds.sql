-- Why: orders, their balances and refunds; the work that refunds leave behind; the journal that explains it all.
-- Phase: expand (nothing existed before).
--
-- Facts that refunds never change (orders) are apart from what every refund rewrites (balances): the hot path reads the
-- first and rewrites only the second, one small row an order.
--
-- Small rows are kept in the order of their key ({without_rowid}); wide ones are not, because a key lookup would then
-- walk through pages full of them.

-- facts is the packed order. external_id is the platform's id; a platform's order is known once per store.
CREATE TABLE orders (
    store BIGINT NOT NULL,
    id BIGINT NOT NULL,
    external_id TEXT,
    number TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    facts TEXT NOT NULL,
    CONSTRAINT orders_store_id PRIMARY KEY (store, id)
);
CREATE UNIQUE INDEX orders_store_external_id ON orders (store, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX orders_store_number ON orders (store, number);
CREATE INDEX orders_store_created ON orders (store, created_ms, id);

-- The document an order was read from, echoed by its own dialect; apart, because no refund is decided on it.
CREATE TABLE order_documents (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    document TEXT NOT NULL,
    CONSTRAINT order_documents_store_order_id PRIMARY KEY (store, order_id)
);

-- Which orders hold a stock keeping unit: refunds are listed by it.
CREATE TABLE order_skus (
    store BIGINT NOT NULL,
    sku TEXT NOT NULL,
    order_id BIGINT NOT NULL,
    CONSTRAINT order_skus_store_sku_order_id PRIMARY KEY (store, sku, order_id)
) {without_rowid};

-- The one row an order that every refund rewrites.
CREATE TABLE balances (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    sums TEXT NOT NULL,
    CONSTRAINT balances_store_order_id PRIMARY KEY (store, order_id)
) {without_rowid};

-- body never changes; legs holds what providers made of it. amount_milli and refunded_milli are thousandths of the major
-- unit, so that refunds in several currencies can be filtered by amount. skus is the list of the units' SKUs, each
-- between two line breaks.
CREATE TABLE refunds (
    store BIGINT NOT NULL,
    id BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    external_id TEXT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    failure TEXT NOT NULL,
    skus TEXT NOT NULL,
    amount_milli BIGINT NOT NULL,
    refunded_milli BIGINT NOT NULL,
    metadata TEXT NOT NULL,
    body TEXT NOT NULL,
    legs TEXT NOT NULL,
    CONSTRAINT refunds_store_id PRIMARY KEY (store, id)
);
CREATE INDEX refunds_store_order ON refunds (store, order_id, created_ms, id);
CREATE INDEX refunds_store_created ON refunds (store, created_ms, id);
CREATE INDEX refunds_store_updated ON refunds (store, updated_ms, id);
CREATE UNIQUE INDEX refunds_store_external_id ON refunds (store, external_id, order_id) WHERE external_id IS NOT NULL;
CREATE INDEX refunds_store_reason ON refunds (store, reason, created_ms, id) WHERE reason <> '';
CREATE INDEX refunds_store_failure ON refunds (store, failure, created_ms, id) WHERE failure <> '';
CREATE INDEX refunds_store_state ON refunds (store, state, created_ms, id) WHERE state <> 'succeeded';

-- A request that was accepted under a key: the same key and hash again gets the same refund.
CREATE TABLE keys (
    store BIGINT NOT NULL,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    refund_id BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    CONSTRAINT keys_store_key PRIMARY KEY (store, key)
) {without_rowid};

-- A leg that somebody must send or look up. due_ms is when the next worker may take it: taking it moves due_ms on, which
-- is the lease. attempts counts how often it was taken; from the second time on it is looked up before it is sent.
CREATE TABLE outbox (
    store BIGINT NOT NULL,
    leg_id BIGINT NOT NULL,
    refund_id BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    due_ms BIGINT NOT NULL,
    holder TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    CONSTRAINT outbox_store_leg_id PRIMARY KEY (store, leg_id)
) {without_rowid};
CREATE INDEX outbox_store_due ON outbox (store, due_ms);

-- Every movement, as postings that sum to zero. refund_id is NULL for an order that opened or changed.
CREATE TABLE journal (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    refund_id BIGINT,
    happened_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    postings TEXT NOT NULL,
    CONSTRAINT journal_store_order_id_id PRIMARY KEY (store, order_id, id)
) {without_rowid};
