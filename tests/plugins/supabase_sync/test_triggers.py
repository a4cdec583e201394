"""The triggers: installed as often as one likes, at no cost to who changes agents."""

import subprocess
import sys

import psycopg
import pytest
from tests.plugins.supabase_sync.listening import install_in
from tests.plugins.supabase_sync.readers import Reader
from tests.supabase.project import VARIANTS, Project, Variant, fresh_project

from longline.errors import SourceAwayError
from longline_supabase_sync.places import Place
from longline_supabase_sync.triggers import install, script

_NOTED = "SELECT agent_id::text FROM longline_sync.agent_changes ORDER BY id"


def noted(project: Project) -> list[str]:
    return [row["agent_id"] for row in project.rows(_NOTED)]


def objects(project: Project) -> list[str]:
    """What there is of ours, with what it is made of."""
    return [
        row["what"]
        for row in project.rows(
            "SELECT pg_get_triggerdef(oid) AS what FROM pg_trigger WHERE tgname = 'longline_sync'"
            " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'longline_sync'::regnamespace"
            " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'longline_sync' ORDER BY what"
        )
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_they_may_be_installed_again(variant: Variant) -> None:
    with fresh_project(variant) as project:
        install_in(project)
        agent_id = project.add_agent(project.add_organization("x"), "a")
        before = objects(project)
        assert len(before) == 5 + 3 + 3
        install_in(project)
        assert objects(project) == before
        assert noted(project) == [agent_id], "what is noted stays"


def test_what_is_printed_is_what_is_applied(project: Project, organization: str) -> None:
    with psycopg.connect(project.url, autocommit=True) as connection:
        connection.execute(script(None).encode())
    printed = objects(project)
    install_in(project)
    assert objects(project) == printed
    assert noted(project) == []
    project.add_agent(organization, "a")
    assert len(noted(project)) == 1


def test_servers_that_install_at_once_all_succeed(project: Project) -> None:
    program = (
        "import sys; from tests.plugins.supabase_sync.listening import install_in;"
        "from tests.supabase.project import Project; install_in(Project(sys.argv[1]))"
    )
    started = [subprocess.Popen([sys.executable, "-c", program, project.url]) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]


def test_nothing_is_left_where_a_part_fails(project: Project) -> None:
    project.rows("DROP TABLE public.ai_models CASCADE")
    with pytest.raises(SourceAwayError, match=r'relation "public\.ai_models" does not exist'):
        install_in(project)
    assert project.value("SELECT to_regnamespace('longline_sync') IS NULL")


@pytest.fixture
def member(project: Project, organization: str) -> dict[str, object]:
    """The claims of a user who may name agents of the organisation."""
    user = project.add_user("anna@kanzlei.example", organization)
    return {"sub": user.id, "role": "authenticated"}


def test_who_changes_an_agent_needs_no_rights_here(
    project: Project, organization: str, member: dict[str, object]
) -> None:
    install_in(project)
    agent_id = project.add_agent(organization, "a")
    project.rows_as(member, "UPDATE public.agents SET name = 'neu'")
    assert noted(project) == [agent_id, agent_id]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        project.rows_as(member, _NOTED)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        project.rows_as(member, "SELECT longline_sync.note(ARRAY[%s]::uuid[])", agent_id)


def test_what_goes_wrong_here_keeps_nobody_from_changing_an_agent(
    project: Project, organization: str, member: dict[str, object]
) -> None:
    install_in(project)
    agent_id = project.add_agent(organization, "a")
    project.rows("DROP TABLE longline_sync.agent_changes")
    project.rows_as(member, "UPDATE public.agents SET name = 'neu'")
    assert project.value("SELECT name FROM public.agents WHERE id = %s", agent_id) == "neu"


def test_a_change_that_is_taken_back_was_none(project: Project, organization: str) -> None:
    install_in(project)
    with psycopg.connect(project.url) as connection:
        connection.execute("INSERT INTO agents (organization_id, name) VALUES (%s, 'a')", (organization,))
        connection.rollback()
    assert noted(project) == []


def test_a_role_may_be_given_what_it_needs(project: Project, organization: str, reader: Reader) -> None:
    install_in(project, reader.name)
    agent_id = project.add_agent(organization, "a")
    with psycopg.connect(reader.url) as connection:
        assert connection.execute(_NOTED.encode()).fetchall() == [(agent_id,)]
        connection.execute("DELETE FROM longline_sync.agent_changes")
    assert f'TO "{reader.name}";' in script(reader.name)
    assert 'TO "x""; DROP TABLE y";' in script('x"; DROP TABLE y')


def test_a_database_that_is_away_is_said() -> None:
    with pytest.raises(SourceAwayError, match="nothing listens where its database should be"):
        install(Place("postgresql://u:p@127.0.0.1:1/x", "supabase_sync.database", 2), None)
