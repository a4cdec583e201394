-- Agents as the platform had them first: two columns for the model's parameters, assistants' ids as text.
CREATE TABLE public.agents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES public.organizations ON DELETE CASCADE,
    name text NOT NULL,
    system_prompt text,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'inactive')),
    deleted_at timestamptz,
    engine_id uuid REFERENCES public.global_ai_engines,
    graph_id text,
    langgraph_assistant_id text,
    temperature numeric(3, 2),
    max_tokens integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.mcp_tools (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    endpoint_url text,
    tool_name text NOT NULL,
    is_builtin boolean NOT NULL DEFAULT false
);
CREATE TABLE public.agent_mcp_tools (
    agent_id uuid NOT NULL REFERENCES public.agents ON DELETE CASCADE,
    mcp_tool_id uuid NOT NULL REFERENCES public.mcp_tools ON DELETE CASCADE,
    PRIMARY KEY (agent_id, mcp_tool_id)
);
