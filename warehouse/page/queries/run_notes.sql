-- Aliases, tags and notes.
SELECT tagged_at AS moment, 'tag' AS kind, tag AS text FROM tags WHERE run_id = $run
UNION ALL
SELECT since, 'alias', '@' || alias FROM aliases WHERE run_id = $run
UNION ALL
SELECT noted_at, 'note', note FROM notes WHERE run_id = $run
ORDER BY moment;
