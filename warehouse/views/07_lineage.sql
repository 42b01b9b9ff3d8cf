CREATE OR REPLACE VIEW lineage AS
WITH RECURSIVE edges AS (
    SELECT run_id, parent_id, 'weights' AS relation
    FROM parents
    UNION
    SELECT run_id, resumed_from, 'resumed'
    FROM runs
    WHERE resumed_from IS NOT NULL
    UNION
    SELECT run_id, extended_from, 'extended'
    FROM runs
    WHERE extended_from IS NOT NULL
    UNION
    SELECT run_id, replay_of, 'replay'
    FROM runs
    WHERE replay_of IS NOT NULL
),

ancestors AS (
    SELECT run_id, parent_id AS ancestor_id, relation, 1 AS generation
    FROM edges
    UNION
    SELECT a.run_id, e.parent_id, e.relation, a.generation + 1
    FROM ancestors AS a
    JOIN edges AS e ON e.run_id = a.ancestor_id
    -- Only a journal that is wrong makes a circle; asking for it must come to an end all the same.
    WHERE a.ancestor_id <> a.run_id AND a.generation < (SELECT count(*) FROM edges)
)

SELECT run_id, generation, relation, ancestor_id
FROM ancestors
ORDER BY run_id, generation, ancestor_id;
COMMENT ON VIEW lineage IS 'Every run with all that it comes from.';
COMMENT ON COLUMN lineage.run_id IS 'The run.';
COMMENT ON COLUMN lineage.generation IS 'How far back: 1 for what it was made from directly.';
COMMENT ON COLUMN lineage.relation IS 'How the ancestor was used at that place: weights (given as initial weights), resumed or extended (its epochs are the first ones), or replay (repeated).';
COMMENT ON COLUMN lineage.ancestor_id IS 'The run that it comes from.';
