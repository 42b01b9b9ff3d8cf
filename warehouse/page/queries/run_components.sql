-- Which component of which package took part.
SELECT kind, name, distribution, version FROM components WHERE run_id = $run ORDER BY kind, name;
