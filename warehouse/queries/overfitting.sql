-- How far validation has fallen behind training at the end of each run.
SELECT run_id, train_last AS train_loss, val_last AS val_loss, gap_last AS gap, best_epoch, lost_after
FROM overfitting
WHERE metric = 'loss'
ORDER BY gap DESC, run_id;
