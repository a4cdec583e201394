-- Tells Longline of agents that change: each change is written down, and a notification wakes who listens.
-- May be run again at any time. It needs the right to create a schema and triggers on the five tables.

SET LOCAL lock_timeout = '5s';
SELECT pg_advisory_xact_lock(7302917744120581);

CREATE SCHEMA IF NOT EXISTS longline_sync;
REVOKE ALL ON SCHEMA longline_sync FROM PUBLIC;

-- Transactions do not end in the order of their rows' numbers: readers go by the transaction.
CREATE TABLE IF NOT EXISTS longline_sync.agent_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agent_id UUID NOT NULL,
    transaction_id XID8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS agent_changes_by_transaction ON longline_sync.agent_changes (transaction_id);
CREATE INDEX IF NOT EXISTS agent_changes_by_age ON longline_sync.agent_changes (changed_at);

-- Runs as its owner: who changes an agent needs no rights here.
CREATE OR REPLACE FUNCTION longline_sync.note(agent_ids UUID[]) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed UUID;
BEGIN
    FOR changed IN SELECT DISTINCT one FROM unnest(agent_ids) AS one WHERE one IS NOT NULL LOOP
        INSERT INTO longline_sync.agent_changes (agent_id) VALUES (changed);
        PERFORM pg_notify('agents_changed', changed::text);
    END LOOP;
END
$$;

-- The columns that an assistant is made of. What is written back, and what says when, are not among them.
CREATE OR REPLACE FUNCTION longline_sync.what_counts(changed JSONB) RETURNS JSONB
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(key, value) FROM jsonb_each(changed)
    WHERE key IN (
        'id', 'organization_id', 'name', 'system_prompt', 'status', 'deleted_at', 'engine_id', 'graph_id',
        'temperature', 'max_tokens', 'sampling_params', 'is_global',
        'agent_id', 'mcp_tool_id', 'endpoint_url', 'tool_name', 'is_builtin', 'auth_required',
        'language_model_id', 'runtime_model_name'
    )
$$;

-- One for all tables. Whatever goes wrong here must not keep anybody from changing an agent: it is looked at from time
-- to time anyway.
CREATE OR REPLACE FUNCTION longline_sync.on_change() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before CONSTANT JSONB := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after CONSTANT JSONB := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    concerned UUID[];
BEGIN
    IF longline_sync.what_counts(before) IS NOT DISTINCT FROM longline_sync.what_counts(after) THEN
        RETURN NULL;
    END IF;
    CASE TG_TABLE_NAME
        WHEN 'agents' THEN
            concerned := ARRAY[before ->> 'id', after ->> 'id']::uuid[];
        WHEN 'agent_mcp_tools' THEN
            concerned := ARRAY[before ->> 'agent_id', after ->> 'agent_id']::uuid[];
        WHEN 'mcp_tools' THEN
            SELECT array_agg(agent_id) INTO concerned FROM public.agent_mcp_tools
            WHERE mcp_tool_id = (coalesce(after, before) ->> 'id')::uuid;
        WHEN 'global_ai_engines' THEN
            SELECT array_agg(a.id) INTO concerned FROM public.agents AS a
            WHERE lower(to_jsonb(a) ->> 'engine_id') = lower(coalesce(after, before) ->> 'id');
        WHEN 'ai_models' THEN
            SELECT array_agg(a.id) INTO concerned FROM public.agents AS a
            INNER JOIN public.global_ai_engines AS gae ON lower(gae.id::text) = lower(to_jsonb(a) ->> 'engine_id')
            WHERE gae.language_model_id = (coalesce(after, before) ->> 'id')::uuid;
    END CASE;
    PERFORM longline_sync.note(concerned);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'longline_sync did not note a change of %: %', TG_TABLE_NAME, SQLERRM;
    RETURN NULL;
END
$$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA longline_sync FROM PUBLIC;

CREATE OR REPLACE TRIGGER longline_sync AFTER INSERT OR UPDATE OR DELETE ON public.agents
FOR EACH ROW EXECUTE FUNCTION longline_sync.on_change();
CREATE OR REPLACE TRIGGER longline_sync AFTER INSERT OR UPDATE OR DELETE ON public.agent_mcp_tools
FOR EACH ROW EXECUTE FUNCTION longline_sync.on_change();
CREATE OR REPLACE TRIGGER longline_sync AFTER UPDATE ON public.mcp_tools
FOR EACH ROW EXECUTE FUNCTION longline_sync.on_change();
CREATE OR REPLACE TRIGGER longline_sync AFTER UPDATE ON public.global_ai_engines
FOR EACH ROW EXECUTE FUNCTION longline_sync.on_change();
CREATE OR REPLACE TRIGGER longline_sync AFTER UPDATE ON public.ai_models
FOR EACH ROW EXECUTE FUNCTION longline_sync.on_change();

-- Who listens already looks whether there is something to read now.
SELECT pg_notify('agents_changed', 'installed');
