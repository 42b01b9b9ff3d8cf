-- Which params differ between runs at all, and how many values each takes.
SELECT name, count(DISTINCT value) AS "values", min(value) AS least, max(value) AS greatest
FROM params ANTI JOIN deleted USING (run_id)
GROUP BY name
HAVING count(DISTINCT value) > 1
ORDER BY name;
