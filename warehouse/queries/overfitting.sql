-- How far validation has fallen behind training at the end of each run.
SELECT t.run_id, t.last AS train_loss, v.last AS val_loss, v.last - t.last AS gap, v.best_epoch
FROM run_metrics AS t
JOIN run_metrics AS v ON v.run_id = t.run_id AND v.name = t.name AND v.split = 'val'
WHERE t.split = 'train' AND t.name = 'loss'
ORDER BY gap DESC, t.run_id;
