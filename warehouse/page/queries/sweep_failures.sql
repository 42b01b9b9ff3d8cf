-- Why runs of a sweep failed, the most frequent first.
SELECT coalesce(f.error, r.error, r.status) AS reason, count(*) AS runs, max(r.run_id) AS latest
FROM runs AS r
ANTI JOIN deleted AS d ON d.run_id = r.run_id
LEFT JOIN failures AS f ON f.run_id = r.run_id
WHERE r.sweep_id = $sweep AND r.status IN ('failed', 'lost')
GROUP BY ALL
ORDER BY runs DESC, reason;
