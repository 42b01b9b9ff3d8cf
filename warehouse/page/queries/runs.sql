-- The rows of the grid: every run that is not deleted, or of those only $runs.
SELECT
    r.run_id,
    r.experiment,
    r.status,
    r.monitor,
    b.best,
    r.best_epoch,
    r.epochs,
    r.seconds,
    -- A moment as the grid shows it: making 100,000 of them into text elsewhere takes seconds.
    strftime(r.started_at, '%Y-%m-%d %H:%M:%S+00:00') AS started_at,
    t.tags,
    n.note,
    r.seed,
    r.engine,
    r.sweep_id,
    array_to_string(r.overrides, ', ') AS overrides,
    r.error
FROM (
    FROM runs
    WHERE $runs::VARCHAR[] IS NULL OR list_contains($runs::VARCHAR[], run_id)
) AS r
JOIN leaderboard AS b ON b.run_id = r.run_id
-- Aliases stand before the tags.
LEFT JOIN (
    SELECT run_id, string_agg(word, ', ' ORDER BY word NOT LIKE '@%', word) AS tags
    FROM (
        SELECT run_id, tag AS word FROM tags
        UNION ALL
        SELECT run_id, '@' || alias FROM aliases
    )
    GROUP BY run_id
) AS t
    ON t.run_id = r.run_id
LEFT JOIN (SELECT run_id, arg_max(note, noted_at) AS note FROM notes GROUP BY run_id) AS n
    ON n.run_id = r.run_id
ORDER BY r.started_at DESC, r.run_id DESC;
