-- The weights that were kept.
SELECT role, epoch, uri, bytes, format FROM weights WHERE run_id = $run ORDER BY epoch, role;
