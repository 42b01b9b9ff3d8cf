CREATE OR REPLACE VIEW speed AS
SELECT
    e.run_id,
    e.epoch,
    t.rows,
    e.seconds,
    e.wall_seconds,
    t.rows / nullif(e.seconds, 0) AS rows_per_second,
    t.rows / nullif(e.wall_seconds, 0) AS own_rows_per_second
FROM epochs AS e
JOIN (
    SELECT
        r.run_id,
        any_value(least(
            TRY_CAST(json_extract_string(r.data, '$.train') AS BIGINT),
            limited.number * batch.number
        ))::BIGINT AS rows
    FROM runs AS r
    LEFT JOIN params AS limited ON limited.run_id = r.run_id AND limited.name = 'limit_batches'
    LEFT JOIN params AS batch ON batch.run_id = r.run_id AND batch.name = 'batch_size'
    GROUP BY r.run_id
) AS t ON t.run_id = e.run_id
WHERE NOT EXISTS (FROM deleted AS d WHERE d.run_id = e.run_id);
COMMENT ON VIEW speed IS 'How many rows of the training part were trained on in a second, by epoch; val is evaluated in that time, too. Deleted runs are left out.';
COMMENT ON COLUMN speed.run_id IS 'The run.';
COMMENT ON COLUMN speed.epoch IS 'Counted from 1.';
COMMENT ON COLUMN speed.rows IS 'Rows of the training part in an epoch, as limit_batches has it; empty where the size of a stream is not known.';
COMMENT ON COLUMN speed.seconds IS 'How long the epoch took; in a pack, the run''s share of that.';
COMMENT ON COLUMN speed.wall_seconds IS 'From its begin to its end by the clock.';
COMMENT ON COLUMN speed.rows_per_second IS 'Rows over seconds: what the process got through. In a pack, that of the pack as a whole, so it compares with a run alone.';
COMMENT ON COLUMN speed.own_rows_per_second IS 'Rows over wall_seconds: how fast this run went ahead; in a pack, less than the above by how many trained together.';
