-- What searches tried, and why: their commands, and each suggestion before it was trained.

CREATE TABLE searches (
    search_id VARCHAR NOT NULL,
    sweep_id VARCHAR NOT NULL,
    begun_at TIMESTAMPTZ NOT NULL,
    sampler VARCHAR,
    objectives VARCHAR[],
    space VARCHAR,
    settings VARCHAR,
    entry_id VARCHAR NOT NULL
);
COMMENT ON TABLE searches IS 'The commands that searched, a row each; those that went on with one another share `search_id`.';
COMMENT ON COLUMN searches.search_id IS 'Hash of what is searched and how: space, config, data, objectives, sampler and its seed; not how many trials.';
COMMENT ON COLUMN searches.sweep_id IS 'The sweep that the command is.';
COMMENT ON COLUMN searches.begun_at IS 'When the command began; of the first one, runs that ended before are what the search learns from.';
COMMENT ON COLUMN searches.sampler IS 'Who suggests.';
COMMENT ON COLUMN searches.objectives IS 'The metrics to be bettered, as in `outcomes`; empty: what the runs monitor.';
COMMENT ON COLUMN searches.space IS 'What is varied, as JSON text: dimension -> what it may be.';
COMMENT ON COLUMN searches.settings IS 'The settings `search.*` as JSON text, and `fixed`: the overrides that all jobs have.';
COMMENT ON COLUMN searches.entry_id IS 'The entry of the journal that says so.';

CREATE TABLE suggestions (
    search_id VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    sampler VARCHAR,
    slot VARCHAR,
    mean DOUBLE,
    deviation DOUBLE,
    prior DOUBLE,
    evidence DOUBLE,
    job VARCHAR NOT NULL,
    params VARCHAR,
    suggested_at TIMESTAMPTZ,
    sweep_id VARCHAR,
    entry_id VARCHAR NOT NULL
);
COMMENT ON TABLE suggestions IS 'What searches suggested, before it was trained; `trials` has beside each what came of it.';
COMMENT ON COLUMN suggestions.search_id IS 'The search.';
COMMENT ON COLUMN suggestions.number IS 'The trial, counted from 1.';
COMMENT ON COLUMN suggestions.batch IS 'The batch in which it was asked for, counted from 1.';
COMMENT ON COLUMN suggestions.sampler IS 'Who suggested it.';
COMMENT ON COLUMN suggestions.slot IS 'Which part of the sampler; empty where it has none.';
COMMENT ON COLUMN suggestions.mean IS 'What the sampler expected: a Gaussian quantile among the trials of the task; 0 is the middle, less is better.';
COMMENT ON COLUMN suggestions.deviation IS 'How surely: the standard deviation of that.';
COMMENT ON COLUMN suggestions.prior IS 'The share that other tasks had in choosing it, from 0 to 1.';
COMMENT ON COLUMN suggestions.evidence IS 'How much better the trials so far were foretold with other tasks than without: a difference of logarithms.';
COMMENT ON COLUMN suggestions.job IS 'The overrides of the job that tries it.';
COMMENT ON COLUMN suggestions.params IS 'The configuration as JSON text: dimension -> value, of those that count.';
COMMENT ON COLUMN suggestions.suggested_at IS 'When.';
COMMENT ON COLUMN suggestions.sweep_id IS 'The sweep whose command asked.';
COMMENT ON COLUMN suggestions.entry_id IS 'The entry of the journal that says so.';
