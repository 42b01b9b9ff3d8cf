-- What a fair comparison needs: runs that differ in their seed alone are known as such, and a
-- metric is taken at the epoch whose weights were kept, not at its own luckiest.

-- All changes of a table's shape come before those of its rows, which DuckDB asks for.

ALTER TABLE runs ADD COLUMN sweep_jobs BIGINT;
COMMENT ON COLUMN runs.sweep_jobs IS 'How many jobs its sweep has, those that an earlier command had trained among them; empty where that was not known: a launcher with a process for each job, and older journals.';

ALTER TABLE runs ADD COLUMN config_hash VARCHAR;
COMMENT ON COLUMN runs.config_hash IS 'Hash of the config without its seed and without what says where and how to train, and of what the data are: runs of one configuration share it.';

-- As in ingest/insert.sql.
UPDATE runs SET config_hash = c.config_hash
FROM (
    SELECT r.run_id, sha256(to_json([any_value(json_extract_string(r.data, '$.identity')), to_json(list([
        p.name, CASE WHEN p.number = trunc(p.number) AND abs(p.number) < 1e15 THEN p.number::BIGINT::VARCHAR ELSE p.value END
    ] ORDER BY p.name))::VARCHAR])) AS config_hash
    FROM runs AS r
    JOIN params AS p ON p.run_id = r.run_id
    WHERE split_part(p.name, '.', 1) NOT IN (
        'seed', 'checkpoint', 'print_every', 'record_steps', 'record_system', 'evaluate', 'keep_predictions',
        'engine', 'strict', 'xla', 'kernels', 'device', 'results', 'skip', 'retry', 'sweep', 'search',
        'max_artifact', 'evaluator', 'max_seconds', 'on_end', 'lake'
    )
    GROUP BY r.run_id
) AS c
WHERE c.run_id = runs.run_id;

ALTER TABLE run_metrics ADD COLUMN at_best DOUBLE;
COMMENT ON COLUMN run_metrics.at_best IS 'Its value at the best epoch of the run, by what the run monitors.';

UPDATE run_metrics SET at_best = v.value
FROM (
    SELECT m.run_id, m.split, m.name, m.value, m.epoch FROM metrics AS m
    UNION ALL
    SELECT run_id, 'train', 'loss', loss, epoch FROM epochs
    UNION ALL
    SELECT run_id, 'val', 'loss', val_loss, epoch FROM epochs
) AS v
JOIN runs AS r ON r.run_id = v.run_id AND r.best_epoch = v.epoch
WHERE v.run_id = run_metrics.run_id AND v.split = run_metrics.split AND v.name = run_metrics.name;
