CREATE OR REPLACE VIEW curves AS
SELECT c.run_id, c.epoch, c.split, c.name, c.value
FROM (
    SELECT run_id, epoch, 'train' AS split, 'loss' AS name, loss AS value FROM epochs
    UNION ALL
    SELECT run_id, epoch, 'val', 'loss', val_loss FROM epochs WHERE val_loss IS NOT NULL
    UNION ALL
    SELECT run_id, epoch, split, name, value FROM metrics
) AS c
ANTI JOIN deleted USING (run_id);
COMMENT ON VIEW curves IS 'Every metric of every epoch in one long table, losses included as `loss`; deleted runs are left out.';
COMMENT ON COLUMN curves.run_id IS 'The run.';
COMMENT ON COLUMN curves.epoch IS 'Counted from 1.';
COMMENT ON COLUMN curves.split IS 'train or val.';
COMMENT ON COLUMN curves.name IS 'The metric, without its split.';
COMMENT ON COLUMN curves.value IS 'Its value.';
