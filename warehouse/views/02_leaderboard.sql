CREATE OR REPLACE VIEW leaderboard AS
-- One name to join by is quicker than a split and a name.
WITH monitored AS (
    SELECT
        run_id,
        CASE WHEN split = 'val' THEN 'val_' || name WHEN NOT starts_with(name, 'val_') THEN name END AS monitor,
        at_best,
        min,
        max
    FROM run_metrics
),

judged AS (
    SELECT
        r.run_id,
        r.dataset,
        r.monitor,
        r.mode,
        -- The value that goes with `best_epoch`; another only where the journal lacks that epoch.
        CASE
            WHEN NOT isnan(m.at_best) THEN m.at_best
            WHEN r.mode = 'max' THEN m.max
            ELSE m.min
        END AS best
    FROM runs AS r
    ANTI JOIN deleted AS d ON d.run_id = r.run_id
    LEFT JOIN monitored AS m ON m.run_id = r.run_id AND m.monitor = r.monitor
),

-- Only what ranks is sorted; a run's other columns come afterwards. One number sorts faster than
-- two texts, so the parts are told apart by a hash of both.
ranked AS (
    SELECT
        run_id,
        best,
        CASE WHEN best IS NOT NULL THEN rank() OVER (
            PARTITION BY hash(dataset, monitor)
            ORDER BY CASE mode WHEN 'max' THEN -best ELSE best END NULLS LAST
        ) END AS rank
    FROM judged
)
SELECT
    k.rank,
    r.run_id,
    r.experiment,
    r.dataset,
    r.status,
    r.monitor,
    r.mode,
    k.best,
    r.best_epoch,
    r.epochs,
    r.seconds,
    r.seed,
    r.sweep_id,
    r.started_at,
    r.overrides,
    r.reason
FROM ranked AS k
JOIN runs AS r ON r.run_id = k.run_id;
COMMENT ON VIEW leaderboard IS 'Runs ranked, within a dataset, by the best value of what they monitor; deleted runs are left out. A run that a pruner stopped (reason) has the best of the epochs that it was given, and might have done better.';
COMMENT ON COLUMN leaderboard.rank IS 'The place among the runs that monitor the same on the same dataset, 1 is best; equal values share it, and a run without a value has none.';
COMMENT ON COLUMN leaderboard.run_id IS 'The run.';
COMMENT ON COLUMN leaderboard.experiment IS 'Its preset.';
COMMENT ON COLUMN leaderboard.dataset IS 'What it learnt from.';
COMMENT ON COLUMN leaderboard.status IS 'running, finished, stopped, failed or lost.';
COMMENT ON COLUMN leaderboard.monitor IS 'The metric that decides.';
COMMENT ON COLUMN leaderboard.mode IS 'min or max: which end is better.';
COMMENT ON COLUMN leaderboard.best IS 'The value of `monitor` at the best epoch; empty where it never was a number.';
COMMENT ON COLUMN leaderboard.best_epoch IS 'The epoch of that value.';
COMMENT ON COLUMN leaderboard.epochs IS 'How many epochs it trained.';
COMMENT ON COLUMN leaderboard.seconds IS 'How long it took.';
COMMENT ON COLUMN leaderboard.seed IS 'Its seed.';
COMMENT ON COLUMN leaderboard.sweep_id IS 'Its sweep.';
COMMENT ON COLUMN leaderboard.started_at IS 'When it started.';
COMMENT ON COLUMN leaderboard.overrides IS 'The overrides of its command line.';
COMMENT ON COLUMN leaderboard.reason IS 'Of a stopped run, who stopped it, as `runs` has it: user, pruned, max_seconds or own_max_seconds.';
