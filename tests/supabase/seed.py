"""What stands in a project at the start of a test: two organisations, their members, and agents good and bad."""

from dataclasses import dataclass

from tests.supabase.project import McpTool, Project, User

KANZLEI = "Kanzlei Müller & Söhne"
STADTWERKE = "Stadtwerke Köln"
RECHT = "Rechts-Assistent"
PROMPT = (
    "Du bist der Rechts-Assistent der Kanzlei Müller & Söhne. Prüfe jede Antwort mit gesetz_suchen; zitiere §§ genau."
)
PROMPT_STADTWERKE = "Du bist der Rechts-Assistent der Stadtwerke Köln. Antworte kurz und höflich."
MODEL = "openai:gpt-4o-mini"
UNKNOWN_MODEL = "nirgendwo:gibt-es-nicht"
BROKEN_ENDPOINT = "http://[kaputt/mcp"
MANY_TOOLS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """Ids of what was put in. Each agent's name stands beside it."""

    kanzlei: str
    stadtwerke: str
    anna: User
    """A member of the Kanzlei."""
    bjoern: User
    """A member of the Stadtwerke."""
    carla: User
    """A member of both."""
    dieter: User
    """A member of nothing."""
    recht: str
    """Rechts-Assistent of the Kanzlei: gesetz_suchen."""
    recht_stadtwerke: str
    """Rechts-Assistent of the Stadtwerke: gesetz_suchen."""
    fristen: str
    """Fristen-Prüfer of the Kanzlei: gesetz_suchen, urteil_lesen; and fristen_berechnen with the user's token."""
    rechner: str
    """Rechner of the Kanzlei: the built-in `calculate`."""
    zaehler: str
    """Zähler-Assistent of the Stadtwerke: no tools, no parameters, no engine."""
    inactive: str
    deleted: str
    broken_endpoint: str
    without_prompt: str
    unknown_model: str
    many_tools: str

    @property
    def of_kanzlei(self) -> set[str]:
        """The Kanzlei's agents that may be used, whatever is wrong with them."""
        sound = {self.recht, self.fristen, self.rechner}
        return sound | {self.broken_endpoint, self.without_prompt, self.unknown_model, self.many_tools}

    @property
    def of_stadtwerke(self) -> set[str]:
        return {self.recht_stadtwerke, self.zaehler}


def seed(project: Project, legal_url: str, deadlines_url: str) -> Seed:
    """Fill a project. The URLs are the MCP endpoints."""
    kanzlei, stadtwerke = project.add_organization(KANZLEI), project.add_organization(STADTWERKE)
    engine, nowhere = project.add_engine(MODEL), project.add_engine(UNKNOWN_MODEL)
    law, verdict = McpTool("gesetz_suchen", legal_url), McpTool("urteil_lesen", legal_url)
    deadline = McpTool("fristen_berechnen", deadlines_url, auth_required=True)
    sampling = {"temperature": 0.2, "max_tokens": 800}
    many = [McpTool(f"werkzeug_{number:03}", legal_url) for number in range(MANY_TOOLS)]

    def agent(organization_id: str, name: str, *tools: McpTool, prompt: str | None = "Hilf.", **columns: object) -> str:
        known = {"system_prompt": prompt, "engine_id": engine, **columns}
        return project.add_agent(organization_id, name, tools=tools, sampling=sampling, **known)

    return Seed(
        kanzlei=kanzlei,
        stadtwerke=stadtwerke,
        anna=project.add_user("anna@kanzlei.example", kanzlei),
        bjoern=project.add_user("björn@stadtwerke.example", stadtwerke),
        carla=project.add_user("carla@beide.example", kanzlei, stadtwerke),
        dieter=project.add_user("dieter@nirgends.example"),
        recht=agent(kanzlei, RECHT, law, prompt=PROMPT),
        recht_stadtwerke=agent(stadtwerke, RECHT, law, prompt=PROMPT_STADTWERKE),
        fristen=agent(kanzlei, "Fristen-Prüfer", law, verdict, deadline, prompt="Du prüfst Fristen."),
        rechner=agent(kanzlei, "Rechner", McpTool("calculate"), prompt="Du rechnest."),
        zaehler=project.add_agent(stadtwerke, "Zähler-Assistent", system_prompt="Du erklärst Zählerstände."),
        inactive=agent(kanzlei, "Ruhende Assistentin", law, status="inactive"),
        deleted=agent(kanzlei, "Gelöschter Assistent", law, deleted_at="2025-01-31T12:00:00Z"),
        broken_endpoint=agent(kanzlei, "Kaputter Endpunkt", McpTool("gesetz_suchen", BROKEN_ENDPOINT), law),
        without_prompt=agent(kanzlei, "Ohne Anweisung", prompt=None),
        unknown_model=agent(kanzlei, "Unbekanntes Modell", engine_id=nowhere),
        many_tools=agent(kanzlei, "Werkzeugkasten", *many, law),
    )
