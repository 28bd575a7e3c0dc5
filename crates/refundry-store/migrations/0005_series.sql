-- Why: orders made here get numbers that count up, as their platform gives them.
-- Phase: expand.

-- The last number given out, by name of the series.
CREATE TABLE series (
    store BIGINT NOT NULL,
    name TEXT NOT NULL,
    last BIGINT NOT NULL,
    CONSTRAINT series_store_name PRIMARY KEY (store, name)
) {without_rowid};
