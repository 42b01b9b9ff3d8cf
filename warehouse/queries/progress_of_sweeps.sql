-- How far sweeps are: jobs done of those planned, and what still trains; the newest first.
SELECT
    sweep_id,
    planned,
    runs - running AS done,
    running,
    failed,
    skipped,
    round(100 * (runs - running) / planned) AS percent,
    started_at
FROM sweeps
ORDER BY started_at DESC
LIMIT 20;
