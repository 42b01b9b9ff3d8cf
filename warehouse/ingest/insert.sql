-- Whole runs only, and none twice: everything below joins `fresh`.

CREATE OR REPLACE TEMP TABLE fresh AS
FROM staged_journal ANTI JOIN runs USING (run_id);

INSERT INTO params
SELECT run_id, p.name, p.value, p.number
FROM (SELECT run_id, unnest(params) AS p FROM staged_run_start SEMI JOIN fresh USING (run_id));

INSERT INTO components
SELECT run_id, c.kind, c.name, c.distribution, c.version, c.source
FROM (SELECT run_id, unnest(components) AS c FROM staged_run_start SEMI JOIN fresh USING (run_id));

INSERT INTO steps
SELECT run_id, epoch, unnest(step), unnest(loss)
FROM staged_steps SEMI JOIN fresh USING (run_id)
WHERE len(step) = len(loss);

INSERT INTO system
SELECT
    run_id,
    unnest(seconds),
    unnest(runs_together),
    unnest(cpu_cores),
    unnest(memory_bytes),
    unnest(machine_cpu_share),
    unnest(machine_free_bytes),
    unnest(gpu_share),
    unnest(gpu_memory_bytes)
FROM staged_system SEMI JOIN fresh USING (run_id)
WHERE len(seconds) = ALL (
    SELECT unnest([
        len(runs_together), len(cpu_cores), len(memory_bytes), len(machine_cpu_share),
        len(machine_free_bytes), len(gpu_share), len(gpu_memory_bytes)
    ])
);

INSERT INTO epochs
SELECT run_id, epoch, loss, val_loss, learning_rate, seconds, coalesce(wall_seconds, seconds)
FROM staged_epoch_end SEMI JOIN fresh USING (run_id);

CREATE OR REPLACE TEMP TABLE staged_metric AS
SELECT run_id, epoch, split, unnest(map_keys(named)) AS name, unnest(map_values(named)) AS value
FROM (
    SELECT run_id, epoch, unnest(map_keys(metrics)) AS split, unnest(map_values(metrics)) AS named
    FROM staged_epoch_end SEMI JOIN fresh USING (run_id)
);

CREATE OR REPLACE TEMP TABLE staged_finding AS
SELECT
    run_id, epoch, training, judgement_id, split,
    evaluator || '.' || unnest(map_keys(named)) AS name, unnest(map_values(named)) AS value
FROM (
    SELECT
        run_id, epoch, training, judgement_id, evaluator,
        unnest(map_keys(metrics)) AS split, unnest(map_values(metrics)) AS named
    FROM staged_evaluator
);

INSERT INTO staged_metric
SELECT run_id, epoch, split, name, value
FROM staged_finding SEMI JOIN fresh USING (run_id)
WHERE training AND judgement_id IS NULL;

-- An engine may repeat the losses among the metrics; they have columns of their own. That of a test
-- split has none.
INSERT INTO metrics
SELECT run_id, epoch, split, name, value FROM staged_metric
WHERE name <> 'loss' OR split NOT IN ('train', 'val');

-- A judgement that is there already, from a journal that was left behind, is not fresh either.
CREATE OR REPLACE TEMP TABLE fresh_judgement AS
SELECT s.* FROM staged_judgement AS s
ANTI JOIN judgements AS j ON j.judgement_id = s.entry_id;

INSERT INTO judgements
SELECT entry_id, run_id, entered_at, host, weights_id, source, data
FROM fresh_judgement;

CREATE OR REPLACE TEMP TABLE fresh_outputs AS
SELECT run_id, NULL::VARCHAR AS judgement_id FROM fresh
UNION ALL
SELECT run_id, entry_id FROM fresh_judgement;

INSERT INTO evaluations
SELECT e.run_id, e.split, unnest(map_keys(e.metrics)), unnest(map_values(e.metrics)), e.judgement_id
FROM staged_evaluation AS e
JOIN fresh_outputs AS f ON f.run_id = e.run_id AND f.judgement_id IS NOT DISTINCT FROM e.judgement_id;

INSERT INTO evaluations
SELECT e.run_id, e.split, e.name, e.value, e.judgement_id
FROM staged_finding AS e
JOIN fresh_outputs AS f ON f.run_id = e.run_id AND f.judgement_id IS NOT DISTINCT FROM e.judgement_id
WHERE NOT e.training;

INSERT INTO evaluator_calls
SELECT
    e.run_id, e.evaluator, e.epoch, e.training, e.seconds, e.artifacts, e.error, e.traceback, e.judgement_id
FROM staged_evaluator AS e
JOIN fresh_outputs AS f ON f.run_id = e.run_id AND f.judgement_id IS NOT DISTINCT FROM e.judgement_id;

INSERT INTO confusion
SELECT run_id, split, classes[actual + 1], classes[predicted + 1], rows, judgement_id
FROM (
    SELECT
        c.run_id,
        c.split,
        c.classes,
        unnest(c.actual) AS actual,
        unnest(c.predicted) AS predicted,
        unnest(c.rows) AS rows,
        c.judgement_id
    FROM staged_confusion AS c
    JOIN fresh_outputs AS f ON f.run_id = c.run_id AND f.judgement_id IS NOT DISTINCT FROM c.judgement_id
);

INSERT INTO curves_points
SELECT
    run_id,
    split,
    curve,
    class_name,
    unnest(range(1, len(x) + 1)),
    unnest(x),
    unnest(y),
    unnest(threshold),
    judgement_id
FROM (
    SELECT
        c.run_id,
        c.split,
        unnest(c.curve) AS curve,
        unnest(c.class_name) AS class_name,
        unnest(c.x) AS x,
        unnest(c.y) AS y,
        unnest(c.threshold) AS threshold,
        c.judgement_id
    FROM staged_curves AS c
    JOIN fresh_outputs AS f ON f.run_id = c.run_id AND f.judgement_id IS NOT DISTINCT FROM c.judgement_id
)
WHERE curve IS NOT NULL AND len(x) = len(y) AND len(x) = len(threshold);

INSERT INTO artifacts
SELECT a.run_id, a.kind, a.uri, a.sha256, a.bytes, a.name, a.epoch, a.judgement_id
FROM staged_artifact AS a
JOIN fresh_outputs AS f ON f.run_id = a.run_id AND f.judgement_id IS NOT DISTINCT FROM a.judgement_id;

INSERT INTO files_elsewhere
SELECT run_id, path, address, bytes
FROM staged_file_elsewhere SEMI JOIN fresh USING (run_id);

INSERT INTO predictions BY NAME
SELECT * FROM staged_prediction SEMI JOIN fresh USING (run_id);

INSERT INTO layers
SELECT
    run_id,
    unnest(range(1, len(name) + 1)),
    unnest(name),
    unnest(class_name),
    unnest(output_shape),
    unnest(parameters),
    unnest(inputs),
    unnest(config)
FROM staged_layers SEMI JOIN fresh USING (run_id)
WHERE len(name) = greatest(len(class_name), len(output_shape), len(parameters), len(inputs), len(config));

INSERT INTO tensors
SELECT
    run_id,
    weights_id,
    unnest(layer),
    unnest(name),
    unnest(shape),
    unnest(dtype),
    unnest(parameters),
    unnest(mean),
    unnest(std),
    unnest(l2),
    unnest(zero_share),
    unnest(dead_units)
FROM staged_tensors SEMI JOIN fresh USING (run_id);

INSERT INTO weights
SELECT weights_id, run_id, epoch, role, uri, sha256, bytes, format
FROM staged_weights SEMI JOIN fresh USING (run_id);

INSERT INTO parents
SELECT run_id, p.param, p.run_id, p.weights_id, p.sha256
FROM (SELECT run_id, unnest(parents) AS p FROM staged_run_start SEMI JOIN fresh USING (run_id));

INSERT INTO replays
SELECT run_id, replay_of, equal, epochs, epoch, name, expected, actual
FROM staged_replay SEMI JOIN fresh USING (run_id);

-- Of several runs that tell of one dataset, the first to start is kept, in whatever order they come.
CREATE OR REPLACE TEMP TABLE fresh_dataset AS
SELECT d.*, s.started_at AS first_seen
FROM staged_dataset AS d
-- Or of one that is there already, which says it in the place of a run that is purged.
JOIN (
    SELECT run_id, started_at FROM staged_run_start SEMI JOIN fresh USING (run_id)
    UNION ALL
    SELECT run_id, started_at FROM runs
) AS s USING (run_id)
WHERE NOT EXISTS (
    SELECT 1 FROM datasets AS k
    WHERE k.identity = d.identity AND (k.first_seen, k.run_id) <= (s.started_at, d.run_id)
)
QUALIFY row_number() OVER (PARTITION BY d.identity ORDER BY s.started_at, d.run_id) = 1;

DELETE FROM datasets WHERE identity IN (SELECT identity FROM fresh_dataset);
DELETE FROM dataset_columns WHERE identity IN (SELECT identity FROM fresh_dataset);

INSERT INTO datasets
SELECT identity, name, source, query, rows, first_seen, run_id FROM fresh_dataset;

INSERT INTO dataset_columns
SELECT
    identity,
    unnest(range(1, len(columns) + 1)),
    unnest(columns),
    unnest(types),
    unnest(missing),
    unnest(distinct_values),
    unnest(min),
    unnest(max),
    unnest(mean),
    unnest(std),
    unnest(q25),
    unnest(q50),
    unnest(q75),
    run_id
FROM fresh_dataset;

-- A config without its seed: as in schema/020_comparison.sql, and the names are those of the
-- runner's settings that bear upon no outcome.
CREATE OR REPLACE TEMP TABLE fresh_config AS
SELECT s.run_id, sha256(to_json([any_value(json_extract_string(s.data, '$.identity')), to_json(list([
    p.name, CASE WHEN p.number = trunc(p.number) AND abs(p.number) < 1e15 THEN p.number::BIGINT::VARCHAR ELSE p.value END
] ORDER BY p.name))::VARCHAR])) AS config_hash
FROM staged_run_start AS s
SEMI JOIN fresh USING (run_id)
JOIN params AS p ON p.run_id = s.run_id
WHERE split_part(p.name, '.', 1) NOT IN (
    'seed', 'checkpoint', 'print_every', 'record_steps', 'record_system', 'evaluate', 'keep_predictions',
    'engine', 'strict', 'xla', 'kernels', 'device', 'results', 'skip', 'retry', 'sweep', 'search',
    'max_artifact', 'evaluator', 'max_seconds', 'on_end', 'lake'
)
GROUP BY s.run_id;

INSERT INTO run_metrics
WITH value_of AS (
    SELECT run_id, epoch, 'train' AS split, 'loss' AS name, loss AS value
    FROM staged_epoch_end SEMI JOIN fresh USING (run_id)
    UNION ALL
    SELECT run_id, epoch, 'val', 'loss', val_loss
    FROM staged_epoch_end SEMI JOIN fresh USING (run_id)
    WHERE val_loss IS NOT NULL
    UNION ALL
    SELECT run_id, epoch, split, name, value FROM staged_metric
    WHERE name <> 'loss' OR split NOT IN ('train', 'val')
),

summary AS (
    SELECT
        run_id,
        split,
        name,
        arg_min(value, epoch) AS first,
        arg_max(value, epoch) AS last,
        min(value) FILTER (WHERE NOT isnan(value)) AS min,
        max(value) FILTER (WHERE NOT isnan(value)) AS max
    FROM value_of
    GROUP BY run_id, split, name
),

judged AS (
    SELECT
        s.*,
        CASE
            WHEN s.name = CASE WHEN starts_with(r.monitor, 'val_') THEN substr(r.monitor, 5) ELSE r.monitor END
                THEN r.mode
            WHEN r.modes[s.name] IS NOT NULL THEN r.modes[s.name]
            -- Journals from before `modes`, and metrics that the recipe does not know.
            WHEN regexp_matches(s.name, 'accuracy|auc|precision|recall|f1|f_?score|r2|iou|dice|bleu|cosine_similarity|explained|mean_reward')
                THEN 'max'
            ELSE 'min'
        END AS mode
    FROM summary AS s
    JOIN staged_run_start AS r USING (run_id)
),

reached AS (
    SELECT j.run_id, j.split, j.name, min(v.epoch) AS best_epoch
    FROM judged AS j
    JOIN value_of AS v
        ON v.run_id = j.run_id
        AND v.split = j.split
        AND v.name = j.name
        AND v.value = CASE j.mode WHEN 'max' THEN j.max ELSE j.min END
    GROUP BY j.run_id, j.split, j.name
),

-- As `runs` has it below.
kept AS (
    SELECT s.run_id, coalesce(e.best_epoch, b.best_epoch) AS epoch
    FROM staged_run_start AS s
    LEFT JOIN staged_run_end AS e USING (run_id)
    LEFT JOIN reached AS b
        ON b.run_id = s.run_id
        AND b.split = CASE WHEN starts_with(s.monitor, 'val_') THEN 'val' ELSE 'train' END
        AND b.name = CASE WHEN starts_with(s.monitor, 'val_') THEN substr(s.monitor, 5) ELSE s.monitor END
),

at_best AS (
    SELECT v.run_id, v.split, v.name, v.value
    FROM value_of AS v
    JOIN kept AS k ON k.run_id = v.run_id AND k.epoch = v.epoch
)

SELECT
    j.run_id, j.split, j.name, j.first, j.last, j.min, j.max, b.best_epoch, j.mode, a.value
FROM judged AS j
LEFT JOIN reached AS b USING (run_id, split, name)
LEFT JOIN at_best AS a USING (run_id, split, name);

INSERT INTO failures
SELECT
    e.run_id,
    e.error,
    e.traceback,
    (
        SELECT max(p.epoch) FROM staged_epoch_end AS p
        WHERE p.run_id = e.run_id AND isfinite(p.loss) AND coalesce(isfinite(p.val_loss), true)
    )
FROM staged_run_end AS e SEMI JOIN fresh USING (run_id)
WHERE e.status = 'failed' OR e.traceback IS NOT NULL;

-- Last, so that `fresh` above still means what it says.
INSERT INTO runs
SELECT
    s.run_id,
    s.sweep_id,
    s.experiment,
    coalesce(e.status, j.status),
    s.fingerprint,
    s.seed,
    -- Up to version 2.0 the reason stood in brackets behind the name.
    CASE WHEN s.engine_in_brackets THEN regexp_extract(s.engine, '^[^ (]+') ELSE s.engine END,
    s.device,
    s.host,
    s.started_at,
    e.ended_at,
    coalesce(e.seconds, p.seconds),
    coalesce(e.epochs, p.epochs, 0),
    coalesce(e.best_epoch, m.best_epoch),
    s.overrides,
    s.config,
    s.git_commit,
    s.git_dirty,
    s.versions,
    e.error,
    s.monitor,
    s.mode,
    s.pid,
    s.data,
    s.version,
    j.bytes,
    j.sha256,
    s.resumed_from,
    s.replay_of,
    CASE
        WHEN s.engine_in_brackets THEN nullif(regexp_extract(s.engine, '^[^ (]+ \((.*)\)$', 1), '')
        ELSE s.engine_reason
    END,
    coalesce(e.wall_seconds, e.seconds, p.wall_seconds),
    d.dataset,
    s.sweep_jobs,
    -- Such a run is not one more of those of its config.
    CASE WHEN s.extension IS NULL OR s.extension = 'exact' THEN c.config_hash END,
    -- Up to version 2.1 the sentence alone said so.
    CASE
        WHEN e.reason IS NULL AND e.status = 'stopped' AND regexp_matches(e.error, '^stopped (by the user|twice)') THEN 'user'
        ELSE e.reason
    END,
    s.extended_from,
    s.extension,
    g.uri,
    s.imported_from
FROM (
    SELECT
        *,
        engine_reason IS NULL AND regexp_matches(engine, '^[^ (]+ \(.*\)$') AS engine_in_brackets
    FROM staged_run_start
) AS s
JOIN fresh AS j USING (run_id)
LEFT JOIN fresh_config AS c USING (run_id)
LEFT JOIN (SELECT run_id, min(uri) AS uri FROM staged_artifact WHERE kind = 'diff' AND judgement_id IS NULL GROUP BY run_id) AS g USING (run_id)
LEFT JOIN staged_run_end AS e USING (run_id)
LEFT JOIN (
    SELECT
        run_id,
        count(*) AS epochs,
        fsum(seconds ORDER BY epoch) AS seconds,
        fsum(coalesce(wall_seconds, seconds) ORDER BY epoch) AS wall_seconds
    FROM staged_epoch_end
    GROUP BY run_id
) AS p USING (run_id)
LEFT JOIN (
    SELECT
        c.run_id,
        any_value(c.name) || coalesce(
            '(' || string_agg(
                CASE WHEN p.name IN ('dataset.path', 'dataset.source') THEN p.value ELSE substr(p.name, 9) || '=' || p.value END,
                ', ' ORDER BY p.name NOT IN ('dataset.path', 'dataset.source'), p.name
            ) || ')',
            ''
        ) AS dataset
    FROM components AS c
    SEMI JOIN fresh ON fresh.run_id = c.run_id
    LEFT JOIN params AS p
        ON p.run_id = c.run_id
        AND p.value <> 'null'
        AND regexp_matches(p.name, '^dataset\.(path|source|query|which|labels?|targets?)(\.|$)')
    WHERE c.kind = 'dataset'
    GROUP BY c.run_id
) AS d USING (run_id)
LEFT JOIN run_metrics AS m
    ON m.run_id = s.run_id
    AND m.split = CASE WHEN starts_with(s.monitor, 'val_') THEN 'val' ELSE 'train' END
    AND m.name = CASE WHEN starts_with(s.monitor, 'val_') THEN substr(s.monitor, 5) ELSE s.monitor END;

INSERT INTO skipped_runs
SELECT sweep_id, unnest(run_id), unnest(job), skipped_at, entry_id
FROM staged_skipped_runs ANTI JOIN skipped_runs USING (entry_id)
WHERE len(run_id) = len(job);

INSERT INTO searches
SELECT search_id, sweep_id, begun_at, sampler, objectives, space, settings, entry_id
FROM staged_search ANTI JOIN searches USING (entry_id);

INSERT INTO suggestions
SELECT
    search_id,
    unnest(number),
    batch,
    sampler,
    unnest(slot),
    unnest(mean),
    unnest(deviation),
    unnest(prior),
    unnest(evidence),
    unnest(job),
    unnest(params),
    suggested_at,
    sweep_id,
    entry_id
FROM staged_suggestions ANTI JOIN suggestions USING (entry_id)
WHERE
    len(number) = greatest(len(job), len(params), len(slot), len(mean), len(deviation), len(prior), len(evidence))
    AND len(number) = least(len(job), len(params), len(slot), len(mean), len(deviation), len(prior), len(evidence));

INSERT INTO care
SELECT entry_id, action, entered_at, run_id, text
FROM staged_care ANTI JOIN care USING (entry_id);
