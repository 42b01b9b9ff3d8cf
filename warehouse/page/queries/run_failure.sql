-- Why it failed.
SELECT error, traceback, last_finite_epoch FROM failures WHERE run_id = $run;
