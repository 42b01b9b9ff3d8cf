-- Moments are instants: a column without zone is compared with now() by the clock of wherever one
-- lives. What is there was written in UTC.

ALTER TABLE migrations ALTER applied_at TYPE TIMESTAMPTZ USING timezone('UTC', applied_at);
ALTER TABLE runs ALTER started_at TYPE TIMESTAMPTZ USING timezone('UTC', started_at);
ALTER TABLE runs ALTER ended_at TYPE TIMESTAMPTZ USING timezone('UTC', ended_at);
ALTER TABLE care ALTER entered_at TYPE TIMESTAMPTZ USING timezone('UTC', entered_at);
ALTER TABLE judgements ALTER judged_at TYPE TIMESTAMPTZ USING timezone('UTC', judged_at);
ALTER TABLE datasets ALTER first_seen TYPE TIMESTAMPTZ USING timezone('UTC', first_seen);
COMMENT ON COLUMN migrations.applied_at IS 'When it ran.';
COMMENT ON COLUMN runs.started_at IS 'When it started.';
COMMENT ON COLUMN runs.ended_at IS 'When it ended; empty while it runs and where it was lost.';
COMMENT ON COLUMN care.entered_at IS 'When.';
COMMENT ON COLUMN judgements.judged_at IS 'When.';
COMMENT ON COLUMN datasets.first_seen IS 'When the first run on them started.';
