-- How much history helped a search: what came of the trials that other tasks chose, beside the others.
SELECT
    t.search_id,
    any_value(t.sampler) AS sampler,
    CASE WHEN t.prior > 0.5 THEN 'history' ELSE 'its own trials' END AS chosen_by,
    count(*) AS trials,
    avg(t.came) AS mean_quantile,
    count(*) FILTER (t.value = t.best_so_far) AS was_best_so_far,
    corr(t.mean, t.came) AS foretold,
    avg(t.evidence) AS evidence
FROM trials AS t
WHERE t.came IS NOT NULL
GROUP BY t.search_id, chosen_by
ORDER BY t.search_id, chosen_by;
