-- Why: subscribers hear of refunds, parcels, payments and goods as they were right after what happened, and some public
-- APIs call subscriptions by a small number.
-- Phase: expand. What was told before has no detail, and subscriptions from before have no number.

-- What else an event is about, as it was right after it: a refund, a parcel, a transaction, a return; empty where it is the order
-- alone. An event about goods has the variant's number as order_id, no snapshot, and how many there are where as its
-- detail: numbers of orders and variants come from one source, so none is both.
ALTER TABLE events ADD COLUMN detail TEXT NOT NULL DEFAULT '';

-- Counts the subscriptions of a store, from 1; 0 for those from before.
ALTER TABLE subscriptions ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
