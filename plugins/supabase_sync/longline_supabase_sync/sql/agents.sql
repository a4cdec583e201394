-- Agents that may be used, one row for each tool of each; an agent without tools has one row without a tool.
--
-- Parameters: agents (only these ids; NULL: any), organizations (only of these; NULL: any), is_batch (whether nobody
-- asked for a certain agent: then global agents come only with include_global). A file that replaces this one has the
-- same parameters and result columns; a literal percent sign is written twice.
--
-- Of an agent's rows the first counts for everything but its tools, and only that has the prompt: it may be long, and
-- the tools many.
-- Columns that an older or newer schema may not have are read out of the row as JSON, where a missing one is NULL. They
-- come as text, for their types may be others too: a cast would fail for all agents where one cannot be cast.
SELECT
    a.id::text AS agent_id,
    a.organization_id::text AS organization_id,
    a.name,
    CASE WHEN lag(a.id) OVER rows_in_order IS DISTINCT FROM a.id THEN a.system_prompt END AS system_prompt,
    agent.columns ->> 'graph_id' AS graph_id,
    am.runtime_model_name AS model_name,
    agent.columns ->> 'temperature' AS temperature,
    agent.columns ->> 'max_tokens' AS max_tokens,
    (agent.columns -> 'sampling_params')::text AS sampling_params,
    agent.columns ->> 'engine_id' AS engine_id,
    agent.columns ->> 'is_global' AS is_global,
    agent.columns ->> 'langgraph_assistant_id' AS langgraph_assistant_id,
    mt.tool_name,
    mt.endpoint_url,
    tool.columns ->> 'is_builtin' AS is_builtin,
    tool.columns ->> 'auth_required' AS auth_required
FROM public.agents AS a
CROSS JOIN LATERAL (SELECT to_jsonb(a) - 'system_prompt' AS columns OFFSET 0) AS agent
LEFT JOIN public.global_ai_engines AS gae ON lower(gae.id::text) = lower(agent.columns ->> 'engine_id')
LEFT JOIN public.ai_models AS am ON am.id = gae.language_model_id
LEFT JOIN public.agent_mcp_tools AS amt ON amt.agent_id = a.id
LEFT JOIN public.mcp_tools AS mt ON mt.id = amt.mcp_tool_id
LEFT JOIN LATERAL (SELECT to_jsonb(mt) AS columns OFFSET 0) AS tool ON TRUE
WHERE
    a.status::text = 'active'
    AND (agent.columns ->> 'deleted_at') IS NULL
    AND (%(agents)s::uuid[] IS NULL OR a.id = ANY (%(agents)s::uuid[]))
    AND CASE
        WHEN NOT %(is_batch)s::boolean THEN TRUE
        WHEN lower(trim(agent.columns ->> 'is_global')) IN ('true', 't', 'yes', 'y', 'on', '1')
            THEN %(include_global)s::boolean
        ELSE %(organizations)s::uuid[] IS NULL OR a.organization_id = ANY (%(organizations)s::uuid[])
    END
WINDOW rows_in_order AS (ORDER BY a.organization_id, a.name, a.id, mt.endpoint_url, mt.tool_name, mt.id)
ORDER BY a.organization_id, a.name, a.id, mt.endpoint_url, mt.tool_name, mt.id
