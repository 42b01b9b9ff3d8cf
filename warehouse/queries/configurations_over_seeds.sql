-- Which configuration is best over its seeds, and how sure that is; the interval is of the mean.
SELECT experiment, seeds, usable, mean, deviation, low, high, best_run, overrides
FROM seeds
WHERE usable > 1
LIMIT 20;
