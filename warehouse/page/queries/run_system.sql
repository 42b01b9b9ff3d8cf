-- What the process and its machine used while the run trained.
SELECT
    seconds,
    runs_together,
    cpu_cores,
    machine_cpu_share,
    memory_bytes / 1e6 AS memory_mb,
    machine_free_bytes / 1e6 AS machine_free_mb,
    gpu_share,
    gpu_memory_bytes / 1e6 AS gpu_memory_mb
FROM system WHERE run_id = $run ORDER BY seconds;
