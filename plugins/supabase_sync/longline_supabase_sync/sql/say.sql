-- A word on the channel of changes, to learn whether it is heard.
SELECT pg_notify('agents_changed', %(word)s)
