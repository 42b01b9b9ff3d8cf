CREATE OR REPLACE VIEW tags AS
SELECT run_id, text AS tag, max(entered_at) AS tagged_at
FROM care
WHERE action IN ('tag', 'untag') AND run_id IS NOT NULL AND text IS NOT NULL
GROUP BY run_id, text
HAVING arg_max(action, (entered_at, entry_id)) = 'tag';
COMMENT ON VIEW tags IS 'The tags that runs carry now.';
COMMENT ON COLUMN tags.run_id IS 'The run.';
COMMENT ON COLUMN tags.tag IS 'The tag.';
COMMENT ON COLUMN tags.tagged_at IS 'When it was set.';

CREATE OR REPLACE VIEW notes AS
SELECT run_id, entered_at AS noted_at, text AS note
FROM care
WHERE action = 'note' AND run_id IS NOT NULL AND text IS NOT NULL;
COMMENT ON VIEW notes IS 'What people wrote about runs.';
COMMENT ON COLUMN notes.run_id IS 'The run.';
COMMENT ON COLUMN notes.noted_at IS 'When.';
COMMENT ON COLUMN notes.note IS 'The note.';

CREATE OR REPLACE VIEW deleted AS
SELECT run_id, max(entered_at) AS deleted_at
FROM care
WHERE action IN ('delete', 'undelete') AND run_id IS NOT NULL
GROUP BY run_id
HAVING arg_max(action, (entered_at, entry_id)) = 'delete';
COMMENT ON VIEW deleted IS 'The runs that are deleted now; their rows stay, the other views leave them out.';
COMMENT ON COLUMN deleted.run_id IS 'The run.';
COMMENT ON COLUMN deleted.deleted_at IS 'When.';

CREATE OR REPLACE VIEW alias_history AS
SELECT
    text AS alias,
    CASE action WHEN 'alias' THEN run_id END AS run_id,
    entered_at AS since,
    lead(entered_at) OVER (PARTITION BY text ORDER BY entered_at, entry_id) AS until
FROM care
WHERE action IN ('alias', 'unalias') AND run_id IS NOT NULL AND text IS NOT NULL;
COMMENT ON VIEW alias_history IS 'Which run each alias has named, and when.';
COMMENT ON COLUMN alias_history.alias IS 'The name, such as production.';
COMMENT ON COLUMN alias_history.run_id IS 'The run that it named; empty while it named none.';
COMMENT ON COLUMN alias_history.since IS 'From when, UTC.';
COMMENT ON COLUMN alias_history.until IS 'Until when; empty if it does still.';

CREATE OR REPLACE VIEW aliases AS
SELECT alias, run_id, since
FROM alias_history
WHERE until IS NULL AND run_id IS NOT NULL;
COMMENT ON VIEW aliases IS 'Names in use for runs: commands take @production where they take a run.';
COMMENT ON COLUMN aliases.alias IS 'The name, such as production.';
COMMENT ON COLUMN aliases.run_id IS 'The run.';
COMMENT ON COLUMN aliases.since IS 'Since when, UTC.';
