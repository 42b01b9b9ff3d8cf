-- Runs say of every metric which end is better.

COMMENT ON COLUMN run_metrics.mode IS 'min or max, which end is better: as the run says; of runs from before it did, by the name.';
