-- Why: goods come back, and shop and buyer have to agree on which.
-- Phase: expand.

-- body is a JSON object, with room for what a return may say later: its reason, whether the buyer was to be told, and for
-- each entry its number, parcel, line, units, reason and note. A return is found by its number alone, too.
CREATE TABLE returns (
    store BIGINT NOT NULL,
    order_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT returns_store_order_id_id PRIMARY KEY (store, order_id, id),
    CONSTRAINT returns_store_id UNIQUE (store, id)
) {without_rowid};
