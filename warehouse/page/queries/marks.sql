-- A mark for each run, or of those only $runs, that changes with anything that the grid shows.
SELECT r.run_id, hash(r.status, r.journal_bytes, r.epochs, c.entries, e.scores, a.names) AS mark
FROM runs AS r
LEFT JOIN (SELECT run_id, count(*) AS entries FROM care GROUP BY run_id) AS c ON c.run_id = r.run_id
LEFT JOIN (SELECT run_id, count(*) AS scores FROM evaluations GROUP BY run_id) AS e
    ON e.run_id = r.run_id
LEFT JOIN (SELECT run_id, string_agg(alias ORDER BY alias) AS names FROM aliases GROUP BY run_id) AS a
    ON a.run_id = r.run_id
WHERE ($runs::VARCHAR[] IS NULL OR list_contains($runs::VARCHAR[], r.run_id))
    AND NOT EXISTS (FROM deleted AS d WHERE d.run_id = r.run_id);
