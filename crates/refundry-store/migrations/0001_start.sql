-- Why: the first schema. Who the tenants are, which tokens open them, and which process makes ids under which number.
-- Phase: expand (nothing existed before).
--
-- Portable between SQLite and PostgreSQL: BIGINT and TEXT only, times in epoch milliseconds. Constraints that code may
-- meet are named after table and columns, because that is the name a conflict is reported under on either database.

-- A store is a tenant; test and live mode are two stores. settings is a JSON object.
CREATE TABLE stores (
    id BIGINT NOT NULL,
    handle TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    CONSTRAINT stores_id PRIMARY KEY (id),
    CONSTRAINT stores_handle UNIQUE (handle)
);

-- Only the hash of a token is kept. revoked_ms is NULL while the token is good; a revoked one stays, for the record.
CREATE TABLE tokens (
    store BIGINT NOT NULL,
    hash TEXT NOT NULL,
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    CONSTRAINT tokens_store_hash PRIMARY KEY (store, hash)
) {without_rowid};

-- A caller shows a token before anybody knows its store, so a hash must name one store only.
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);

-- Ids carry the number of the node that made them. high_ms is the latest time used in an id under this number: whoever
-- leases it next starts above, even with a clock that is behind.
CREATE TABLE nodes (
    node BIGINT NOT NULL,
    holder TEXT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    high_ms BIGINT NOT NULL,
    CONSTRAINT nodes_node PRIMARY KEY (node)
);
