-- The platform's tenants and its catalogue of models: the same in every state of its schema.
CREATE TABLE public.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE public.organization_members (
    user_id uuid NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES public.organizations ON DELETE CASCADE,
    role text NOT NULL DEFAULT 'member',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, organization_id)
);
CREATE TABLE public.ai_models (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    display_name text NOT NULL,
    runtime_model_name text
);
CREATE TABLE public.global_ai_engines (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    language_model_id uuid REFERENCES public.ai_models
);
