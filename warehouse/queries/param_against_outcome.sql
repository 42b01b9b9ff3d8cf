-- What a param did to the outcome: one row for each value of the learning rate.
SELECT p.number AS learning_rate, count(*) AS runs, min(l.best) AS best, median(l.best) AS median
FROM leaderboard AS l
JOIN params AS p ON p.run_id = l.run_id AND p.name = 'optimizer.learning_rate'
GROUP BY p.number
ORDER BY p.number;
