-- Files that came of a run, in an order by which they can be numbered.
SELECT concat_ws(' ', kind, name, 'of epoch ' || epoch) AS kind, uri, bytes FROM artifacts
WHERE run_id = $run
ORDER BY kind, name, uri, epoch;
