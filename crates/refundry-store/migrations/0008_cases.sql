-- Why: after-sales cases are listed and counted by how far a refund has come, over hundreds of thousands of refunds.
-- Phase: expand.

-- 0 as long as every leg waits and no money of the refund moved or was asked for, else 1. Only the packed legs say so
-- of older refunds, so those are looked at afterwards.
ALTER TABLE refunds ADD COLUMN begun BIGINT NOT NULL DEFAULT 1;

-- The index of refunds under way tells it too, so that counting reads nothing else.
DROP INDEX refunds_store_state;
CREATE INDEX refunds_store_state ON refunds (store, state, created_ms, id, begun) WHERE state <> 'succeeded';

-- How many refunds a store has, so that nobody has to count them. node is that in the refunds' numbers, whose one holder
-- adds to the row, so writers never wait for each other here.
CREATE TABLE refund_counts (
    store BIGINT NOT NULL,
    node BIGINT NOT NULL,
    made BIGINT NOT NULL,
    CONSTRAINT refund_counts_store_node PRIMARY KEY (store, node)
) {without_rowid};
INSERT INTO refund_counts (store, node, made)
    SELECT store, (id / 1000) % 100, COUNT(*) FROM refunds GROUP BY store, (id / 1000) % 100;
