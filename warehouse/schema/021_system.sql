-- What the process and its machine used while a run trained.

CREATE TABLE system (
    run_id VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL,
    runs_together BIGINT,
    cpu_cores DOUBLE,
    memory_bytes BIGINT,
    machine_cpu_share DOUBLE,
    machine_free_bytes BIGINT,
    gpu_share DOUBLE,
    gpu_memory_bytes BIGINT
);
COMMENT ON TABLE system IS 'Samples of what the process of a run and its machine used: one a second in its first minute, then fewer; none of a run below a second, or with record_system=false. Runs that train in one process at a time have the same values: those of the process, not shares of it.';
COMMENT ON COLUMN system.run_id IS 'The run.';
COMMENT ON COLUMN system.seconds IS 'Seconds since the run began.';
COMMENT ON COLUMN system.runs_together IS 'How many runs were training in the process at that moment: more than 1 in a pack.';
COMMENT ON COLUMN system.cpu_cores IS 'Cores that the process kept busy since the sample before, all its threads together: 1.0 is one whole core.';
COMMENT ON COLUMN system.memory_bytes IS 'Resident memory of the process, in bytes.';
COMMENT ON COLUMN system.machine_cpu_share IS 'Share of the machine''s cores that were busy since the sample before, by whatever process, 0 to 1; empty in the first sample.';
COMMENT ON COLUMN system.machine_free_bytes IS 'Memory of the machine that could still be taken without swapping, in bytes.';
COMMENT ON COLUMN system.gpu_share IS 'Share of the time in which the busiest NVIDIA GPU of the machine worked, 0 to 1; empty where there is none, or nvidia-ml-py is not installed.';
COMMENT ON COLUMN system.gpu_memory_bytes IS 'Memory in use on all NVIDIA GPUs of the machine, by whatever process, in bytes.';
