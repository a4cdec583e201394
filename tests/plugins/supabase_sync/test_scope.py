"""The grammar of scopes: what is forgiven, and what stops the start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longline.errors import SettingsError
from longline.settings import SettingsSection, parse_settings
from longline_supabase_sync.scope import BadScopeError, Scope, parse_scope
from longline_supabase_sync.settings import SyncSettings

_SPACES = st.sampled_from(["", " ", "\t", "  \n"])
_IDS = st.lists(st.uuids().map(str), min_size=1, max_size=6)


@st.composite
def _spellings(draw: st.DrawFn) -> tuple[list[str], str]:
    """Organisations, and one of the ways to write them: with spaces, in capitals, some of them twice."""
    ids = draw(_IDS)
    written = draw(st.lists(st.sampled_from(ids), max_size=4)) + ids
    parts = [
        f"{draw(_SPACES)}org:{draw(_SPACES)}{draw(st.sampled_from([one, one.upper()]))}{draw(_SPACES)}"
        for one in written
    ]
    return ids, ",".join(parts)


@given(_spellings())
def test_organizations_are_read_however_they_are_spelled(case: tuple[list[str], str]) -> None:
    ids, text = case
    assert parse_scope(text) == Scope(tuple(sorted(set(ids))))


@given(_IDS)
def test_a_scope_is_written_as_it_is_read(ids: list[str]) -> None:
    scope = parse_scope(",".join(f"org:{one}" for one in ids))
    assert parse_scope(str(scope)) == scope


@pytest.mark.parametrize(("text", "organizations"), [("none", ()), ("all", None), ("  all\n", None), (" none", ())])
def test_the_words(text: str, organizations: tuple[str, ...] | None) -> None:
    assert parse_scope(text) == Scope(organizations)
    assert str(parse_scope(text)) == text.strip()
    assert parse_scope(text).is_empty == (organizations == ())


_ID = "0190a0a0-0000-7000-8000-00000000dead"


@pytest.mark.parametrize(
    "text",
    ["", " ", "All", "everything", "org:", "org:x", "org", _ID, f"org:{_ID},", f"org:{_ID},,org:{_ID}",
     f"org:{_ID} all", f"all,org:{_ID}", "all,none", f"org:{{{_ID}}}", f"org:{_ID.replace('-', '')}",
     f"org:urn:uuid:{_ID}", f"ORG:{_ID}", f"org:{_ID};org:{_ID}"],
)  # fmt: skip
def test_anything_else_stops_the_start_with_the_grammar(text: str) -> None:
    with pytest.raises(BadScopeError, match="org:<uuid>"):
        parse_scope(text)
    section = SettingsSection("supabase_sync", SyncSettings)
    with pytest.raises(SettingsError, match=r"supabase_sync\.scope: .* write none, all, or org:<uuid>\[,org:<uuid>…\]"):
        parse_settings({"supabase_sync": {"scope": text}}, [section])
