-- Serves code from 0001 on.
-- The token that a run's caller showed, sealed, until the run ends. Servers of the version before end runs too, and know
-- nothing of it: what they end loses it by the trigger.

ALTER TABLE longline.runs ADD COLUMN token TEXT;

CREATE FUNCTION longline.without_token() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.token := NULL;
    RETURN NEW;
END
$$;

CREATE TRIGGER runs_ended BEFORE UPDATE OF status ON longline.runs
FOR EACH ROW WHEN (NEW.token IS NOT NULL AND NEW.status NOT IN ('pending', 'running'))
EXECUTE FUNCTION longline.without_token();
