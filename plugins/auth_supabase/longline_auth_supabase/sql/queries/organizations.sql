-- The organisations of a user, one a row. What it names is there in every project that has members at all; a schema
-- that differs is asked with the setting auth_supabase.organizations_query.
SELECT organization_id::text FROM public.organization_members WHERE user_id = %(user_id)s::uuid
