-- What went wrong, the most frequent first.
SELECT f.error, count(*) AS runs, max(r.started_at) AS latest
FROM failures AS f
JOIN runs AS r ON r.run_id = f.run_id
GROUP BY f.error
ORDER BY runs DESC, f.error;
