-- Why: orders that are made here may take their goods from stock, and what one took can be put back when it is called
-- off.
-- Phase: expand.

-- The order that a move took goods for; NULL for every other move.
ALTER TABLE stock_moves ADD COLUMN order_id BIGINT;
CREATE INDEX stock_moves_store_order ON stock_moves (store, order_id, variant_id, location_id)
    WHERE order_id IS NOT NULL;
