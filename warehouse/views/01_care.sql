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
