-- Who stopped a run: a person, a pruner, or the time that its sweep had.

ALTER TABLE runs ADD COLUMN reason VARCHAR;
COMMENT ON COLUMN runs.reason IS 'Of a stopped run, who stopped it: user (Ctrl-C), pruned (by the pruner of its sweep: hopeless) or max_seconds (the time that its sweep had); error says more. Empty for all others.';
-- As in ingest/insert.sql.
UPDATE runs SET reason = 'user' WHERE status = 'stopped' AND regexp_matches(error, '^stopped (by the user|twice)');
