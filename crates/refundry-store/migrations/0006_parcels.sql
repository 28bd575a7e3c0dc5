-- Why: what happens to an order after it was made. Which parcels left with it, and which transactions brought its money.
-- Phase: expand.

-- number is the running number within the order. body packs the units of each line, the tracks and a telephone number.
CREATE TABLE parcels (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    external_id TEXT,
    number BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT parcels_store_order_id_id PRIMARY KEY (store, order_id, id)
) {without_rowid};

-- payment_id is a number of the order's own payments. What refunds do to a transaction is worked out, never kept. body
-- packs channel, name, the provider's words, and what is known of the card.
CREATE TABLE transactions (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    payment_id BIGINT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT transactions_store_order_id_id PRIMARY KEY (store, order_id, id)
) {without_rowid};
