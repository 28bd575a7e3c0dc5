-- Why: lists of orders that leave out those which were put away as done with.
-- Phase: expand. It is filled in for orders that are there.

-- 1 for an order that was put away, else 0. No index: what is wanted are nearly always the others, which lie in the
-- order of lists as they are.
ALTER TABLE order_index ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
