-- Users see what belongs to organisations that they are members of, and change nothing but their agents' names.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO authenticated;
GRANT UPDATE (name) ON public.agents TO authenticated;
GRANT ALL ON ALL TABLES IN SCHEMA public TO service_role;

ALTER TABLE public.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.organization_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agent_mcp_tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.mcp_tools ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ai_models ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.global_ai_engines ENABLE ROW LEVEL SECURITY;

CREATE POLICY "own memberships" ON public.organization_members FOR SELECT TO authenticated
    USING (user_id = auth.uid());
CREATE POLICY "organizations of members" ON public.organizations FOR SELECT TO authenticated
    USING (id IN (SELECT organization_id FROM public.organization_members WHERE user_id = auth.uid()));
CREATE POLICY "agents of members" ON public.agents FOR SELECT TO authenticated
    USING (organization_id IN (SELECT organization_id FROM public.organization_members WHERE user_id = auth.uid()));
CREATE POLICY "members name agents" ON public.agents FOR UPDATE TO authenticated
    USING (organization_id IN (SELECT organization_id FROM public.organization_members WHERE user_id = auth.uid()));
CREATE POLICY "tools of seen agents" ON public.agent_mcp_tools FOR SELECT TO authenticated
    USING (agent_id IN (SELECT id FROM public.agents));
CREATE POLICY "tools" ON public.mcp_tools FOR SELECT TO authenticated
    USING (id IN (SELECT mcp_tool_id FROM public.agent_mcp_tools));
CREATE POLICY "models" ON public.ai_models FOR SELECT TO authenticated USING (true);
CREATE POLICY "engines" ON public.global_ai_engines FOR SELECT TO authenticated USING (true);
