-- Where gc has removed a file of predictions, the rows that were read from it go too.
DELETE FROM predictions
WHERE run_id IN (
    SELECT a.run_id
    FROM artifacts AS a
    JOIN care AS c ON c.text = a.uri AND c.action = 'collect'
    JOIN runs AS r ON r.run_id = a.run_id AND c.entered_at > coalesce(r.ended_at, r.started_at)
    WHERE a.kind = 'predictions'
);
