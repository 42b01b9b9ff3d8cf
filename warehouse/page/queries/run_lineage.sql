-- All that a run comes from, and what was made of it.
SELECT 'comes from' AS direction, generation, relation, ancestor_id AS run_id
FROM lineage
WHERE run_id = $run
UNION ALL
SELECT 'led to', generation, relation, run_id FROM lineage WHERE ancestor_id = $run
ORDER BY direction, generation, run_id;
