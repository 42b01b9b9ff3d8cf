-- A run that had been given up and went on after all: its longer journal replaces it whole.

DELETE FROM runs WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM params WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM steps WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM epochs WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM metrics WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM run_metrics WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM evaluations WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces) AND judgement_id IS NULL;
DELETE FROM confusion WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces) AND judgement_id IS NULL;
DELETE FROM curves_points WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces) AND judgement_id IS NULL;
DELETE FROM artifacts WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM predictions WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM layers WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM tensors WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM components WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM parents WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM weights WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM replays WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
DELETE FROM failures WHERE run_id IN (SELECT run_id FROM staged_journal WHERE replaces);
