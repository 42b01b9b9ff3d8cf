-- What differs between the five best runs of what most runs monitor; values stand in their order.
SELECT kind, name, "values"
FROM compare_runs((
    SELECT list(run_id ORDER BY rank, run_id)
    FROM (
        SELECT run_id, rank
        FROM leaderboard
        WHERE rank IS NOT NULL AND monitor = (SELECT mode(monitor) FROM leaderboard)
        ORDER BY rank, run_id
        LIMIT 5
    )
));
