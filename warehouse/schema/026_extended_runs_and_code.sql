-- Runs that go on from a finished one, and what the code was.

ALTER TABLE runs ADD COLUMN extended_from VARCHAR;
COMMENT ON COLUMN runs.extended_from IS 'The run that this one goes on from for more epochs (`extend`); its epochs are the first ones.';
ALTER TABLE runs ADD COLUMN extension VARCHAR;
COMMENT ON COLUMN runs.extension IS 'Of an extended run: exact where it is what a run of so many epochs from the start would be, else why it may differ.';
ALTER TABLE runs ADD COLUMN git_diff VARCHAR;
COMMENT ON COLUMN runs.git_diff IS 'The place, below the results folder, of what was changed and not committed: an artifact of kind diff; `show --diff` prints it. Empty where nothing was, and for journals of before.';
ALTER TABLE components ADD COLUMN source VARCHAR;
COMMENT ON COLUMN components.source IS 'Hash of the source that made it: its module and what that imports of its own package; empty in older journals.';

COMMENT ON COLUMN runs.reason IS 'Of a stopped run, who stopped it: user (Ctrl-C), pruned (by the pruner of its sweep: hopeless), max_seconds (the time that its sweep had) or own_max_seconds (the time that it had itself); error says more. Empty for all others.';
COMMENT ON COLUMN artifacts.kind IS 'picture (the model, SVG), predictions (Parquet, a file a split), diff (what was changed and not committed), packages (what was installed), or of a script or a component: source, figure, table, file, or what it says.';
COMMENT ON COLUMN care.action IS 'tag, untag, note, delete, undelete, alias, unalias, collect (weights removed by gc) or purge (the run is gone for good).';
