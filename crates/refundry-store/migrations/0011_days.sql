-- Why: pages far behind and numbers of refunds within times need not walk past hundreds of thousands of refunds.
-- Phase: expand. The numbers by node alone were never released.

-- How many refunds a store has that were accepted within a day: day is created_ms / 86400000, rounded towards zero. node
-- is that in the refunds' numbers, whose one holder adds to the row, so writers never wait for each other here.
CREATE TABLE refund_days (
    store BIGINT NOT NULL,
    day BIGINT NOT NULL,
    node BIGINT NOT NULL,
    made BIGINT NOT NULL,
    CONSTRAINT refund_days_store_day_node PRIMARY KEY (store, day, node)
) {without_rowid};
INSERT INTO refund_days (store, day, node, made)
    SELECT store, created_ms / 86400000, (id / 1000) % 100, COUNT(*) FROM refunds
    GROUP BY store, created_ms / 86400000, (id / 1000) % 100;
DROP TABLE refund_counts;
