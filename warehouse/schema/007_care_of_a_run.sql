-- What is done is done to a run; only what gc collects is of none.

CREATE TABLE care_of_a_run (
    entry_id VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    entered_at TIMESTAMP NOT NULL,
    run_id VARCHAR,
    text VARCHAR,
    CHECK (run_id IS NOT NULL OR action = 'collect')
);
INSERT INTO care_of_a_run
SELECT entry_id, action, entered_at, run_id, text
FROM care
WHERE run_id IS NOT NULL OR action = 'collect';
DROP TABLE care;
ALTER TABLE care_of_a_run RENAME TO care;
COMMENT ON TABLE care IS 'What was done to kept runs afterwards, entry by entry; `tags`, `notes` and `deleted` are views of it.';
COMMENT ON COLUMN care.entry_id IS 'The entry.';
COMMENT ON COLUMN care.action IS 'tag, untag, note, delete, undelete, or collect (weights removed by gc).';
COMMENT ON COLUMN care.entered_at IS 'When, UTC.';
COMMENT ON COLUMN care.run_id IS 'The run, but for collect.';
COMMENT ON COLUMN care.text IS 'The tag, the note, or the uri of the weights.';
