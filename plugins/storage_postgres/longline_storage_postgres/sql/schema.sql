-- The schema as it is today, for reading. The migrations make it; a test compares the two.
-- Everything stands in a schema of its own: it may share a database with other programs.
-- Ids and names compare byte by byte (COLLATE "C"), as they do in every storage. JSON is TEXT as it came: jsonb would
-- lose the order of keys and refuse NUL; `longline.jsonb_of` is what SQL looks into.

-- A float of 1e16 and more as the whole number that it is, up to where there are no whole numbers of 64 bits any more:
-- 2^63 and 9.223372036854776e18 are one number, but not one decimal.
CREATE FUNCTION longline.whole_number(number TEXT) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    half CONSTANT FLOAT8 := 9223372036854775808;
    size CONSTANT FLOAT8 := abs(number::float8);
BEGIN
    RETURN CASE
        WHEN size < half THEN (number::float8)::bigint::text
        WHEN size < 2 * half AND left(number, 1) <> '-' THEN ((size - half)::bigint::numeric + 9223372036854775808)::text
        WHEN size = half THEN '-9223372036854775808'
        ELSE number
    END;
END
$$;

CREATE FUNCTION longline.jsonb_of(document TEXT) RETURNS JSONB LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    -- jsonb has no NUL: it becomes U+E000 0, and U+E000 itself U+E000 1, so that no two documents become one.
    IF strpos(document, '\u0000') > 0 OR strpos(document, U&'\E000') > 0 OR strpos(document, '\ue000') > 0
        OR strpos(document, '\uE000') > 0 THEN
        document := regexp_replace(document, '(?<!\\)((?:\\\\)*)\\u[eE]000', '\1' || U&'\E000', 'g');
        document := replace(document, U&'\E000', U&'\E000' || '1');
        document := regexp_replace(document, '(?<!\\)((?:\\\\)*)\\u0000', '\1' || U&'\E000' || '0', 'g');
    END IF;
    -- What looks like a large float may stand within a text, which stays as it is.
    IF document ~ '[:,[][ \n\r\t]*-?[0-9.]+[eE]\+?1[6-9][ \n\r\t]*[],}]' THEN
        SELECT string_agg(
            CASE
                WHEN part[1] ~ '^-?[0-9.]+[eE]\+?1[6-9]$' THEN longline.whole_number(part[1])
                ELSE part[1]
            END, '' ORDER BY place
        )
        INTO document
        FROM regexp_matches(document, '("(?:[^"\\]|\\.)*"|-?[0-9][-+.0-9eE]*|[^"0-9-]+)', 'g')
        WITH ORDINALITY AS parts (part, place);
    END IF;
    RETURN document::jsonb;
END
$$;

-- A time as microseconds since 1970, for indexes: what Postgres itself has for this depends on the session's time zone.
CREATE FUNCTION longline.micros_of(at TIMESTAMPTZ) RETURNS BIGINT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (extract(epoch FROM at AT TIME ZONE 'UTC') * 1000000)::bigint
$$;

CREATE TABLE longline.assistants (
    assistant_id TEXT COLLATE "C" PRIMARY KEY,
    version INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- `folded_name` is what searches look into: Postgres folds letters as its locale does, or not at all.
CREATE TABLE longline.assistant_versions (
    assistant_id TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    graph_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    folded_name TEXT COLLATE "C" NOT NULL,
    description TEXT,
    config TEXT NOT NULL,
    context TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version_created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (assistant_id, version)
);

CREATE INDEX assistants_by_age ON longline.assistants (created_at, assistant_id);
CREATE INDEX assistant_versions_by_metadata
ON longline.assistant_versions USING gin (longline.jsonb_of(metadata) jsonb_path_ops);

-- `rest_status` is what the last run left behind; a thread with an unfinished run is busy whatever it says. Its time is
-- up `ttl` after `updated_at`; one that was pruned (`keep_latest`) waits for its next activity. `turns` is
-- the newest turn that was taken. Until `watched_until` the process `watched_by` reads the thread, or several ('*').
CREATE TABLE longline.threads (
    thread_id TEXT COLLATE "C" PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    state_updated_at TIMESTAMPTZ NOT NULL,
    metadata TEXT NOT NULL,
    rest_status TEXT NOT NULL DEFAULT 'idle',
    "values" BYTEA,
    interrupts BYTEA,
    error TEXT,
    has_run BOOLEAN NOT NULL DEFAULT FALSE,
    ttl_micros BIGINT,
    ttl_strategy TEXT,
    pruned_at TIMESTAMPTZ,
    turns INTEGER NOT NULL DEFAULT 0,
    watched_by TEXT,
    watched_until TIMESTAMPTZ
) WITH (fillfactor = 80);

CREATE INDEX threads_by_age ON longline.threads (created_at, thread_id);
CREATE INDEX threads_by_activity ON longline.threads (updated_at, thread_id);
CREATE INDEX threads_by_metadata ON longline.threads USING gin (longline.jsonb_of(metadata) jsonb_path_ops);
CREATE INDEX threads_expiring ON longline.threads ((longline.micros_of(updated_at) + ttl_micros))
WHERE ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at);

-- `position` is the order of insertion, which is the order of waiting on a thread. `lease_began_at` is when the lease was
-- given or last renewed. `watched_by` is the process that reads the run, or several ('*'), wherever it is executed.
-- `token` is the sealed one of the caller, until the run ends. `chain_id` is the first of the runs that are one piece of
-- work together.
CREATE TABLE longline.runs (
    position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id TEXT COLLATE "C" NOT NULL UNIQUE,
    thread_id TEXT COLLATE "C" NOT NULL,
    assistant_id TEXT COLLATE "C" NOT NULL,
    metadata TEXT NOT NULL,
    status TEXT NOT NULL,
    spec TEXT NOT NULL,
    temporary BOOLEAN NOT NULL,
    multitask_strategy TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    not_before TIMESTAMPTZ NOT NULL,
    attempt INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_expires_at TIMESTAMPTZ,
    lease_began_at TIMESTAMPTZ,
    cancel_action TEXT,
    cancel_reason TEXT,
    failure TEXT,
    turn INTEGER NOT NULL DEFAULT 0,
    resumable BOOLEAN NOT NULL DEFAULT FALSE,
    watched_by TEXT,
    token TEXT,
    chain_id TEXT COLLATE "C",
    verdict TEXT
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX runs_of_thread ON longline.runs (thread_id, created_at);
CREATE UNIQUE INDEX runs_one_running ON longline.runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_leases ON longline.runs (position) WHERE status = 'running';
CREATE INDEX runs_waiting_on_thread ON longline.runs (thread_id, position, not_before) WHERE status = 'pending';
CREATE INDEX runs_waiting ON longline.runs (position, thread_id, not_before, created_at) WHERE status = 'pending';
CREATE INDEX runs_kept_by_turn ON longline.runs (thread_id, turn) WHERE resumable AND turn > 0;
CREATE INDEX runs_of_chain ON longline.runs (chain_id, position) WHERE chain_id IS NOT NULL;
CREATE INDEX runs_chained ON longline.runs (assistant_id, updated_at, run_id) WHERE chain_id IS NOT NULL;

-- The order of a thread: each claim of a run, the end of a run that never started and each state update take the next
-- turn. Only turns whose events are kept have rows here.
CREATE TABLE longline.turns (
    thread_id TEXT COLLATE "C" NOT NULL,
    turn INTEGER NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (thread_id, turn)
);

CREATE INDEX turns_of_run ON longline.turns (run_id);

-- Threads as they are seen: busy from the moment a run is created until none is unfinished.
CREATE VIEW longline.thread_rows AS
SELECT
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", interrupts, error, has_run,
    ttl_micros, ttl_strategy,
    CASE
        WHEN EXISTS (
            SELECT 1 FROM longline.runs
            WHERE runs.thread_id = threads.thread_id AND runs.status = 'running'
        ) OR EXISTS (
            SELECT 1 FROM longline.runs
            WHERE runs.thread_id = threads.thread_id AND runs.status = 'pending'
        ) THEN 'busy'
        ELSE rest_status
    END COLLATE "C" AS status
FROM longline.threads;

CREATE TABLE longline.events (
    run_id TEXT COLLATE "C" NOT NULL,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mode TEXT NOT NULL,
    namespace TEXT NOT NULL,
    data BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, attempt, seq)
);

-- What runs say whose events are not kept, for readers in other processes; and how watched runs ended, also those that
-- left nothing else. Both go a while later, whatever happens to the run.
CREATE TABLE longline.relayed_events (
    run_id TEXT COLLATE "C" NOT NULL,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mode TEXT NOT NULL,
    namespace TEXT NOT NULL,
    data BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    turn INTEGER NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, attempt, seq)
);

CREATE INDEX relayed_events_by_age ON longline.relayed_events (stored_at);

CREATE TABLE longline.run_ends (
    run_id TEXT COLLATE "C" PRIMARY KEY,
    thread_id TEXT COLLATE "C" NOT NULL,
    turn INTEGER NOT NULL,
    status TEXT,
    result BYTEA,
    failure TEXT,
    is_kept BOOLEAN NOT NULL,
    at_ms BIGINT NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX run_ends_by_age ON longline.run_ends (stored_at);

-- LangGraph's three tables, as its Postgres saver makes them, plus who wrote a row, so that a rollback finds it.
CREATE TABLE longline.checkpoints (
    thread_id TEXT COLLATE "C" NOT NULL,
    checkpoint_ns TEXT COLLATE "C" NOT NULL DEFAULT '',
    checkpoint_id TEXT COLLATE "C" NOT NULL,
    parent_checkpoint_id TEXT COLLATE "C",
    type TEXT,
    checkpoint JSONB NOT NULL,
    metadata JSONB NOT NULL DEFAULT '{}',
    run_id TEXT COLLATE "C",
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);

CREATE INDEX checkpoints_of_run ON longline.checkpoints (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE longline.checkpoint_blobs (
    thread_id TEXT COLLATE "C" NOT NULL,
    checkpoint_ns TEXT COLLATE "C" NOT NULL DEFAULT '',
    channel TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    type TEXT NOT NULL,
    blob BYTEA,
    PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
);

CREATE TABLE longline.checkpoint_writes (
    thread_id TEXT COLLATE "C" NOT NULL,
    checkpoint_ns TEXT COLLATE "C" NOT NULL DEFAULT '',
    checkpoint_id TEXT COLLATE "C" NOT NULL,
    task_id TEXT COLLATE "C" NOT NULL,
    task_path TEXT COLLATE "C" NOT NULL DEFAULT '',
    idx INTEGER NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    type TEXT,
    blob BYTEA NOT NULL,
    run_id TEXT COLLATE "C",
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- LangGraph's long-term memory: `prefix` is a namespace, its parts joined by dots. (What makes items found by meaning is
-- made where that is configured: it needs an extension.)
CREATE TABLE longline.items (
    prefix TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    ttl_minutes DOUBLE PRECISION,
    PRIMARY KEY (prefix, key)
);

CREATE INDEX items_by_activity ON longline.items (updated_at);
CREATE INDEX items_expiring ON longline.items (expires_at) WHERE expires_at IS NOT NULL;

-- `creator` and `spec` hold sealed secrets. `last_run_id` is the run of the newest tick that made one.
CREATE TABLE longline.crons (
    cron_id TEXT COLLATE "C" PRIMARY KEY,
    assistant_id TEXT COLLATE "C" NOT NULL,
    thread_id TEXT COLLATE "C",
    schedule TEXT NOT NULL,
    timezone TEXT,
    end_at TIMESTAMPTZ,
    enabled BOOLEAN NOT NULL,
    keeps_threads BOOLEAN NOT NULL,
    spec TEXT NOT NULL,
    metadata TEXT NOT NULL,
    creator TEXT NOT NULL,
    next_tick TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    lease_owner TEXT,
    lease_expires_at TIMESTAMPTZ,
    last_run_id TEXT COLLATE "C"
);

CREATE INDEX crons_by_age ON longline.crons (created_at, cron_id);
CREATE INDEX crons_due ON longline.crons (next_tick) WHERE enabled AND next_tick IS NOT NULL;
CREATE INDEX crons_of_assistant ON longline.crons (assistant_id);
CREATE INDEX crons_of_thread ON longline.crons (thread_id) WHERE thread_id IS NOT NULL;

-- What plugins keep. `due_at` of a document that is taken is the end of that lease; a position is never used again. Each
-- new document has a block of versions of its own, so that none is used again for its key.
CREATE SEQUENCE longline.document_versions;

CREATE TABLE longline.documents (
    collection TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    due_at TIMESTAMPTZ,
    takes INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    PRIMARY KEY (collection, owner, key)
);

CREATE INDEX documents_by_age ON longline.documents (collection, created_at, owner, key);
CREATE INDEX documents_due ON longline.documents (collection, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX documents_expiring ON longline.documents (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE longline.log_entries (
    position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    log TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ
);

CREATE INDEX log_entries_of_log ON longline.log_entries (collection, owner, log, position);
CREATE INDEX log_entries_expiring ON longline.log_entries (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE longline.counters (
    collection TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (collection, owner, key)
);

CREATE INDEX counters_expiring ON longline.counters (expires_at);

-- What belongs to a row goes with it, in the same transaction, for all rows of a statement at once.
CREATE FUNCTION longline.after_assistants_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longline.assistant_versions AS v USING gone WHERE v.assistant_id = gone.assistant_id;
    DELETE FROM longline.crons AS c USING gone WHERE c.assistant_id = gone.assistant_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER assistants_deleted AFTER DELETE ON longline.assistants
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION longline.after_assistants_deleted();

CREATE FUNCTION longline.after_threads_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longline.runs AS r USING gone WHERE r.thread_id = gone.thread_id;
    DELETE FROM longline.checkpoints AS c USING gone WHERE c.thread_id = gone.thread_id;
    DELETE FROM longline.checkpoint_blobs AS b USING gone WHERE b.thread_id = gone.thread_id;
    DELETE FROM longline.checkpoint_writes AS w USING gone WHERE w.thread_id = gone.thread_id;
    DELETE FROM longline.crons AS c USING gone WHERE c.thread_id = gone.thread_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER threads_deleted AFTER DELETE ON longline.threads
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION longline.after_threads_deleted();

CREATE FUNCTION longline.after_runs_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longline.events AS e USING gone WHERE e.run_id = gone.run_id;
    DELETE FROM longline.turns AS t USING gone WHERE t.run_id = gone.run_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER runs_deleted AFTER DELETE ON longline.runs
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION longline.after_runs_deleted();

-- Runs that servers of the version before end lose their token too.
CREATE FUNCTION longline.without_token() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.token := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER runs_ended BEFORE UPDATE OF status ON longline.runs
FOR EACH ROW WHEN (NEW.token IS NOT NULL AND NEW.status NOT IN ('pending', 'running'))
EXECUTE FUNCTION longline.without_token();
