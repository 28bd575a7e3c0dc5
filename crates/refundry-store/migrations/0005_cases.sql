-- Why: after-sales cases are listed and counted by how far a refund has come, over hundreds of thousands of refunds.
-- Phase: expand.

-- 0 as long as every leg waits and no money of the refund moved or was asked for, else 1. Only the packed legs say so
-- of older refunds, so those are looked at afterwards.
ALTER TABLE refunds ADD COLUMN begun BIGINT NOT NULL DEFAULT 1;

-- The index of refunds under way tells it too, so that counting reads nothing else.
DROP INDEX refunds_store_state;
CREATE INDEX refunds_store_state ON refunds (store, state, created_ms, id, begun) WHERE state <> 'succeeded';
