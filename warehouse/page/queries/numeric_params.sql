-- Those of the params called $names that are a number wherever they are anything.
SELECT name
FROM params
WHERE name IN (SELECT unnest($names::VARCHAR[]))
GROUP BY name
HAVING count(number) > 0 AND count(number) = count(value);
