-- Why: what there is of each variant, and where; refunds put returned units back.
-- Phase: expand. Refunds from before moved no stock, and their units are not taken back when they fail.
--
-- Everything here is beside the books of money: no refund is decided on it.

-- A place where goods are. The store's default one bears the store's own number, so that it is known without asking;
-- others are named by platforms. active is 0 or 1.
CREATE TABLE locations (
    store BIGINT NOT NULL,
    id BIGINT NOT NULL,
    external_id TEXT,
    name TEXT NOT NULL,
    active BIGINT NOT NULL,
    address TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT locations_store_id PRIMARY KEY (store, id),
    CONSTRAINT locations_store_external_id UNIQUE (store, external_id)
);

-- Goods that can be sold, born from the first order line that named them. external_id is the platform's id of the
-- variant, else the stock keeping unit. price_minor is what that line asked for one, in its order's currency. tracked is
-- 0 or 1.
CREATE TABLE variants (
    store BIGINT NOT NULL,
    id BIGINT NOT NULL,
    external_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    title TEXT NOT NULL,
    price_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    tracked BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT variants_store_id PRIMARY KEY (store, id),
    CONSTRAINT variants_store_external_id UNIQUE (store, external_id)
);

-- How many units of a variant are at a location: the sum of its moves. Below zero, more were taken than there were. A
-- variant with no row at all is at the default location, with none.
CREATE TABLE stock (
    store BIGINT NOT NULL,
    variant_id BIGINT NOT NULL,
    location_id BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    CONSTRAINT stock_store_variant_id_location_id PRIMARY KEY (store, variant_id, location_id)
) {without_rowid};
CREATE INDEX stock_store_location ON stock (store, location_id, variant_id);

-- Every change of stock, in units. why is refund, reopened (the refund failed), set or adjusted. refund_id is NULL where
-- no refund moved it.
CREATE TABLE stock_moves (
    store BIGINT NOT NULL,
    variant_id BIGINT NOT NULL,
    location_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    why TEXT NOT NULL,
    refund_id BIGINT,
    at_ms BIGINT NOT NULL,
    CONSTRAINT stock_moves_store_variant_id_location_id_id PRIMARY KEY (store, variant_id, location_id, id)
) {without_rowid};
CREATE INDEX stock_moves_store_refund ON stock_moves (store, refund_id, variant_id, location_id)
    WHERE refund_id IS NOT NULL;
