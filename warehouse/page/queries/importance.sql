-- What mattered in the sweep $sweep, or among all runs.
FROM sweep_effects($sweep::VARCHAR);
