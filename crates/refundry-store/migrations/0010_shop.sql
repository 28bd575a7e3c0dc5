-- Why: lists of orders by everything that the platforms' lists of orders filter by.
-- Phase: expand. What the facts of orders say is filled in for orders that are there. What only their documents say
-- (customers, e-mail and other addresses, phones, tags) the platform's API must read: it comes with the next change of
-- an order, or when it is taken in anew by `refundry import`.

-- What an order is listed by, a row each that is not deleted, derived from its facts and balances and kept in the order
-- of lists. Nearly no refund writes here: money is how it stands without what is on its way back, which refunds tell.
-- Codes are numbers, because lists compare very many of them:
-- stage: 0 opened, 1 placed, 2 finished, 3 cancelled;
-- money: 0 waiting, 1 cancelled, 2 partly paid, 3 paid, 5 refund failed, 6 partly refunded, 7 refunded;
-- goods: 0 initialled, 1 waiting, 2 partly shipped, 3 shipped, 4 partly finished, 5 finished, 6 cancelled.
-- total_milli is thousandths of the major unit. placed_ms, fulfilled_ms and finished_ms are NULL until it came so far.
CREATE TABLE order_index (
    store BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    stage BIGINT NOT NULL,
    money BIGINT NOT NULL,
    goods BIGINT NOT NULL,
    total_milli BIGINT NOT NULL,
    placed_ms BIGINT,
    fulfilled_ms BIGINT,
    finished_ms BIGINT,
    CONSTRAINT order_index_store_created_ms_order_id PRIMARY KEY (store, created_ms, order_id)
) {without_rowid};
CREATE UNIQUE INDEX order_index_store_order_id ON order_index (store, order_id);
CREATE INDEX order_index_store_stage ON order_index (store, stage, created_ms, order_id);
CREATE INDEX order_index_store_money ON order_index (store, money, created_ms, order_id);
CREATE INDEX order_index_store_goods ON order_index (store, goods, created_ms, order_id);
CREATE INDEX order_index_store_total ON order_index (store, total_milli, created_ms, order_id);
CREATE INDEX order_index_store_placed ON order_index (store, placed_ms, created_ms, order_id)
    WHERE placed_ms IS NOT NULL;
CREATE INDEX order_index_store_fulfilled ON order_index (store, fulfilled_ms, created_ms, order_id)
    WHERE fulfilled_ms IS NOT NULL;
CREATE INDEX order_index_store_finished ON order_index (store, finished_ms, created_ms, order_id)
    WHERE finished_ms IS NOT NULL;

-- Texts that an order is found by, folded, in the order of lists; created_ms is the order's. Compared by their bytes,
-- so that those which begin alike lie together. kind:
-- 0 number, 1 SKU, 2 product, 3 title, 4 location, 5 customer, 6 customer's e-mail, 7 e-mail and 8 phone of the address
-- that goods go to, 9 browser's IP, 10 SPU, 11 tag, 12 sales platform, 13 recovery, 14 name of a person, 15 the platform's
-- place, 16 customer's phone.
CREATE TABLE order_terms (
    store BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    term TEXT {binary} NOT NULL,
    created_ms BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    CONSTRAINT order_terms_store_kind_term_created_ms_order_id PRIMARY KEY (store, kind, term, created_ms, order_id)
) {without_rowid};
CREATE INDEX order_terms_store_order ON order_terms (store, order_id, kind, term);

-- When an order, a refund of it or a leg last changed. Here, because every refund rewrites the row anyway.
ALTER TABLE balances ADD COLUMN updated_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX balances_store_updated ON balances (store, updated_ms, order_id);

-- Which orders have money on its way back, without touching the refunds themselves.
DROP INDEX refunds_store_state;
CREATE INDEX refunds_store_state ON refunds (store, state, created_ms, id, begun, order_id)
    WHERE state <> 'succeeded';
