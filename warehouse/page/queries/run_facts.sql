-- What a run says of itself.
SELECT
    status, error, experiment, sweep_id, started_at, ended_at, seconds, epochs, best_epoch, monitor,
    mode, seed, engine, device, host, pid, git_commit, git_dirty, fingerprint, resumed_from,
    replay_of, overrides, data, versions, run_id
FROM runs
WHERE run_id = $run;
