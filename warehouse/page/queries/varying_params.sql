-- Params that differ between runs, of all or of $runs, the less varied first.
SELECT name, count(DISTINCT value) AS variety, count(number) = count(value) AS is_number
FROM params ANTI JOIN deleted USING (run_id)
WHERE $runs::VARCHAR[] IS NULL OR run_id IN (SELECT unnest($runs::VARCHAR[]))
GROUP BY name
HAVING count(DISTINCT value) > 1
ORDER BY variety, name;
