-- The sweeps whose id is $sweep, or begins or ends with it.
SELECT sweep_id
FROM sweeps
WHERE sweep_id = $sweep OR starts_with(sweep_id, $sweep) OR ends_with(sweep_id, $sweep)
ORDER BY sweep_id <> $sweep
LIMIT 2;
