-- Why: lists stay quick over millions of refunds, and a refund writes to fewer pages.
-- Phase: expand and move; order_skus stays, because it tells under which names an order's lines were ever sold.
--
-- What a refund writes should land near what the one before it wrote, where the page is in memory and already in the
-- log: that is why keys here begin with what grows.

-- subject is the refund's number for entries of a refund, else the order's: numbers of one series that grow with time,
-- so entries are added near the end of the table, not somewhere in the middle.
CREATE TABLE journal_entries (
    store BIGINT NOT NULL,
    subject BIGINT NOT NULL,
    id BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    refund_id BIGINT,
    happened_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    postings TEXT NOT NULL,
    CONSTRAINT journal_store_subject_id PRIMARY KEY (store, subject, id)
) {without_rowid};
INSERT INTO journal_entries (store, subject, id, order_id, refund_id, happened_ms, kind, postings)
    SELECT store, COALESCE(refund_id, order_id), id, order_id, refund_id, happened_ms, kind, postings
    FROM journal ORDER BY store, COALESCE(refund_id, order_id), id;
DROP TABLE journal;
ALTER TABLE journal_entries RENAME TO journal;

-- Which refunds concern goods of a stock keeping unit, in the order of lists. created_ms is the refund's and never
-- changes. Until now each refund held the names in a column, each between two line breaks.
CREATE TABLE refund_skus (
    store BIGINT NOT NULL,
    sku TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    refund_id BIGINT NOT NULL,
    CONSTRAINT refund_skus_store_sku_created_ms_refund_id PRIMARY KEY (store, sku, created_ms, refund_id)
) {without_rowid};
-- Also for the audit, which asks under which names the refunds of an order may be listed.
CREATE INDEX order_skus_store_order ON order_skus (store, order_id);
INSERT INTO refund_skus (store, sku, created_ms, refund_id)
    SELECT r.store, s.sku, r.created_ms, r.id
    FROM refunds r CROSS JOIN order_skus s
    WHERE s.store = r.store AND s.order_id = r.order_id AND REPLACE(r.skus, '
' || s.sku || '
', '') <> r.skus;
ALTER TABLE refunds DROP COLUMN skus;

-- An index by amount alone would be written to at a random place by every refund. So refunds come in blocks of some
-- thousands, each block with its own run of amounts, and a search looks into every block. Older refunds are one block.
ALTER TABLE refunds ADD COLUMN block BIGINT NOT NULL DEFAULT 0;
CREATE TABLE refund_blocks (
    store BIGINT NOT NULL,
    block BIGINT NOT NULL,
    CONSTRAINT refund_blocks_store_block PRIMARY KEY (store, block)
) {without_rowid};
INSERT INTO refund_blocks (store, block) SELECT DISTINCT store, 0 FROM refunds;
CREATE INDEX refunds_store_block_amount ON refunds (store, block, amount_milli, created_ms, id);

-- Lists read these without touching the refunds themselves, also where they look for amounts.
DROP INDEX refunds_store_created;
DROP INDEX refunds_store_updated;
CREATE INDEX refunds_store_created ON refunds (store, created_ms, id, amount_milli);
CREATE INDEX refunds_store_updated ON refunds (store, updated_ms, id, amount_milli);

-- Exceptions, so that the rule needs no index: what was refunded is the amount, or nothing yet; and a refund is done within a day.
CREATE INDEX refunds_store_partly ON refunds (store, refunded_milli, id)
    WHERE refunded_milli <> amount_milli AND (refunded_milli <> 0 OR state = 'succeeded');
CREATE INDEX refunds_store_slow ON refunds (store, created_ms, id, updated_ms)
    WHERE updated_ms - created_ms NOT BETWEEN 0 AND 86400000;
