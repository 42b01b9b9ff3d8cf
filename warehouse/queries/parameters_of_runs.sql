-- How many parameters each run's model has, beside how well it did.
SELECT b.rank, b.run_id, b.best, sum(l.parameters) AS parameters, count(*) AS layers
FROM leaderboard AS b
JOIN layers AS l ON l.run_id = b.run_id
GROUP BY b.rank, b.run_id, b.best
ORDER BY b.rank, b.run_id;
