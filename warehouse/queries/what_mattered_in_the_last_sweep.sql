-- What mattered in the newest sweep: the share of the outcome's variance that each param explains.
SELECT param, effect, share_by_chance, levels, runs, fewest, best_level, best_mean
FROM sweep_effects((SELECT arg_max(sweep_id, started_at) FROM sweeps))
ORDER BY effect DESC NULLS LAST, param;
