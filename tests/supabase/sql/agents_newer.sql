-- Agents as the platform has them now: sampling parameters in one object, global agents, tools that want the user.
CREATE TYPE public.agent_status AS ENUM ('draft', 'active', 'inactive', 'archived');
CREATE TABLE public.agents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES public.organizations ON DELETE CASCADE,
    name text NOT NULL,
    system_prompt text,
    status public.agent_status NOT NULL DEFAULT 'draft',
    deleted_at timestamptz,
    engine_id uuid REFERENCES public.global_ai_engines,
    graph_id text,
    langgraph_assistant_id uuid,
    sampling_params jsonb,
    is_global boolean NOT NULL DEFAULT false,
    assistant_tool_ids uuid[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.mcp_tools (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    endpoint_url text,
    tool_name text NOT NULL,
    is_builtin boolean NOT NULL DEFAULT false,
    auth_required boolean NOT NULL DEFAULT false
);
CREATE TABLE public.agent_mcp_tools (
    agent_id uuid NOT NULL REFERENCES public.agents ON DELETE CASCADE,
    mcp_tool_id uuid NOT NULL REFERENCES public.mcp_tools ON DELETE CASCADE,
    PRIMARY KEY (agent_id, mcp_tool_id)
);
