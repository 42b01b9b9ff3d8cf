-- What comes of a model beside its losses: confusion, curves, predictions, layers, tensors, files;
-- and judgements of kept weights on other data.

ALTER TABLE evaluations ADD COLUMN judgement_id VARCHAR;
COMMENT ON COLUMN evaluations.split IS 'train, val or test; all where a judgement divided nothing.';
COMMENT ON COLUMN evaluations.name IS 'The metric, or loss; recall[setosa] is that of one class, label or value.';
COMMENT ON COLUMN evaluations.judgement_id IS 'The later judgement that it is of; empty for the run''s own, at its end.';

CREATE TABLE confusion (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    actual VARCHAR,
    predicted VARCHAR,
    rows BIGINT,
    judgement_id VARCHAR
);
COMMENT ON TABLE confusion IS 'How often the kept weights take one class for another; pairs that never occur are left out.';
COMMENT ON COLUMN confusion.run_id IS 'The run.';
COMMENT ON COLUMN confusion.split IS 'train, val, test or all.';
COMMENT ON COLUMN confusion.actual IS 'The class that it is; of several labels, "label" or "not label".';
COMMENT ON COLUMN confusion.predicted IS 'The class that it was taken for.';
COMMENT ON COLUMN confusion.rows IS 'How many rows.';
COMMENT ON COLUMN confusion.judgement_id IS 'As in `evaluations`.';

CREATE TABLE curves_points (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    curve VARCHAR NOT NULL,
    class VARCHAR,
    point BIGINT,
    x DOUBLE,
    y DOUBLE,
    threshold DOUBLE,
    judgement_id VARCHAR
);
COMMENT ON TABLE curves_points IS 'ROC, precision-recall and calibration curves of the kept weights, at most 200 points each.';
COMMENT ON COLUMN curves_points.run_id IS 'The run.';
COMMENT ON COLUMN curves_points.split IS 'train, val, test or all.';
COMMENT ON COLUMN curves_points.curve IS 'roc (x false, y true positive rate), pr (x recall, y precision) or calibration (x mean probability in a tenth of [0, 1], y share of positives).';
COMMENT ON COLUMN curves_points.class IS 'The class, against all others; of a binary task, the second one; or the label.';
COMMENT ON COLUMN curves_points.point IS 'The place on the curve, counted from 1.';
COMMENT ON COLUMN curves_points.x IS 'See `curve`.';
COMMENT ON COLUMN curves_points.y IS 'See `curve`.';
COMMENT ON COLUMN curves_points.threshold IS 'Probability from which on a row counts as positive; infinity where none does.';
COMMENT ON COLUMN curves_points.judgement_id IS 'As in `evaluations`.';

CREATE TABLE artifacts (
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    uri VARCHAR,
    sha256 VARCHAR,
    bytes BIGINT
);
COMMENT ON TABLE artifacts IS 'Files that came of a run, other than weights; equal files are stored once.';
COMMENT ON COLUMN artifacts.run_id IS 'The run.';
COMMENT ON COLUMN artifacts.kind IS 'picture (the model, SVG) or predictions (Parquet, a file a split).';
COMMENT ON COLUMN artifacts.uri IS 'The file, relative to the results folder.';
COMMENT ON COLUMN artifacts.sha256 IS 'The hash of the file.';
COMMENT ON COLUMN artifacts.bytes IS 'The length of the file.';

CREATE TABLE predictions (
    run_id VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    row BIGINT NOT NULL,
    output VARCHAR,
    target DOUBLE,
    predicted DOUBLE,
    target_name VARCHAR,
    predicted_name VARCHAR,
    error DOUBLE,
    outputs FLOAT[]
);
COMMENT ON TABLE predictions IS 'What the kept weights say of every row, where `keep_predictions` asked; taken in from the artifact that holds the same.';
COMMENT ON COLUMN predictions.run_id IS 'The run.';
COMMENT ON COLUMN predictions.split IS 'val or test.';
COMMENT ON COLUMN predictions.row IS 'The row''s place in its split, counted from 0.';
COMMENT ON COLUMN predictions.output IS 'The label, or the value, where a row has several; else empty.';
COMMENT ON COLUMN predictions.target IS 'What it is: a class by its number, 0 or 1, or a value.';
COMMENT ON COLUMN predictions.predicted IS 'What the model says.';
COMMENT ON COLUMN predictions.target_name IS 'What the class is called.';
COMMENT ON COLUMN predictions.predicted_name IS 'What the predicted class is called.';
COMMENT ON COLUMN predictions.error IS 'How wrong: 1 less the probability of what it is, or the distance of a value from the target.';
COMMENT ON COLUMN predictions.outputs IS 'The model''s outputs: a probability for every class, or the one of this row.';

CREATE TABLE layers (
    run_id VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    name VARCHAR,
    class VARCHAR,
    output_shape BIGINT[],
    parameters BIGINT,
    inputs VARCHAR[],
    config VARCHAR
);
COMMENT ON TABLE layers IS 'The layers of a run''s model, preprocessing included.';
COMMENT ON COLUMN layers.run_id IS 'The run.';
COMMENT ON COLUMN layers.position IS 'The place in the model, counted from 1.';
COMMENT ON COLUMN layers.name IS 'Its name; with the whole path where it is inside of a nested model or of the preprocessing.';
COMMENT ON COLUMN layers.class IS 'Its class.';
COMMENT ON COLUMN layers.output_shape IS 'The shape of its first output for one row; empty where Keras does not know.';
COMMENT ON COLUMN layers.parameters IS 'How many numbers its weights have.';
COMMENT ON COLUMN layers.inputs IS 'The layers that feed it; empty where the model is no graph.';
COMMENT ON COLUMN layers.config IS 'Its config as JSON text.';

CREATE TABLE tensors (
    run_id VARCHAR NOT NULL,
    weights_id VARCHAR NOT NULL,
    layer VARCHAR,
    name VARCHAR,
    shape BIGINT[],
    dtype VARCHAR,
    parameters BIGINT,
    mean DOUBLE,
    std DOUBLE,
    l2 DOUBLE,
    zero_share DOUBLE,
    dead_units BIGINT
);
COMMENT ON TABLE tensors IS 'Every tensor of all kept weights in figures; those of a checkpoint without the optimizer''s.';
COMMENT ON COLUMN tensors.run_id IS 'The run.';
COMMENT ON COLUMN tensors.weights_id IS 'The weights that it is part of: `weights` says of which epoch.';
COMMENT ON COLUMN tensors.layer IS 'Its layer, as `layers` names it.';
COMMENT ON COLUMN tensors.name IS 'Its name in the layer.';
COMMENT ON COLUMN tensors.shape IS 'Its shape.';
COMMENT ON COLUMN tensors.dtype IS 'The type of its numbers.';
COMMENT ON COLUMN tensors.parameters IS 'How many numbers it has.';
COMMENT ON COLUMN tensors.mean IS 'Their mean.';
COMMENT ON COLUMN tensors.std IS 'Their standard deviation.';
COMMENT ON COLUMN tensors.l2 IS 'Their Euclidean norm.';
COMMENT ON COLUMN tensors.zero_share IS 'The share of them that is exactly zero.';
COMMENT ON COLUMN tensors.dead_units IS 'Units (places of the last axis) whose numbers are all zero; empty for fewer than two axes.';

CREATE TABLE judgements (
    judgement_id VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    judged_at TIMESTAMP,
    host VARCHAR,
    weights_id VARCHAR,
    source VARCHAR,
    data VARCHAR
);
COMMENT ON TABLE judgements IS 'Kept weights judged again, later and on other data (`python -m runner evaluate`).';
COMMENT ON COLUMN judgements.judgement_id IS 'The judgement.';
COMMENT ON COLUMN judgements.run_id IS 'The run.';
COMMENT ON COLUMN judgements.judged_at IS 'When, UTC.';
COMMENT ON COLUMN judgements.host IS 'The machine it was done on.';
COMMENT ON COLUMN judgements.weights_id IS 'The weights.';
COMMENT ON COLUMN judgements.source IS 'The overrides of the run''s dataset, as typed.';
COMMENT ON COLUMN judgements.data IS 'What the data were, as JSON text: identity, rows of each part.';
