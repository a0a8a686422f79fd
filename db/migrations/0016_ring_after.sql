-- No ring before this instant: a cell that was rung answers by a step, and one that was stepped rests in proportion (docs/adr/0035).
-- Null: at once. `rung_at` stays what it was, for workers of the release before.
alter table cells add column ring_after timestamptz;
