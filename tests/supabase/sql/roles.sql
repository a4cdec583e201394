-- Roles belong to the whole server: only whoever holds the lock of `project.py` makes them.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
        END IF;
    END LOOP;
    ALTER ROLE service_role BYPASSRLS;
    GRANT anon, authenticated, service_role TO CURRENT_USER;
END
$$;
