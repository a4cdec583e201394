"""The document and its page on servers of all sorts: below a prefix, with authentication, with an app of its own."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import counting
from tests.plugins.protocol_langgraph.served import PLUGINS

from longline_protocol_langgraph.app import PUBLIC_PATHS

pytestmark = pytest.mark.anyio

TOKEN = "anna-has-a-token-of-32-characters"


async def test_where_it_is_served_is_where_it_was_asked_for(serve: Serve) -> None:
    settings = {"protocol_langgraph": {"http": {"mount_prefix": "/api"}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/api/openapi.json")).json()["servers"] == [{"url": "/api"}]


async def test_without_authentication_it_asks_for_no_credentials(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    assert "security" not in described
    assert "securitySchemes" not in described["components"]


async def test_with_authentication_it_says_how_callers_show_who_they_are(serve: Serve) -> None:
    settings = {"static_tokens": {"tokens": {"anna": TOKEN}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/docs")).status_code == 200
        assert (await http.get("/threads")).status_code == 401
        found = (await http.get("/openapi.json")).json()
    assert found["security"] == [{"bearer": []}, {"api_key": []}]
    assert set(found["components"]["securitySchemes"]) == {"bearer", "api_key"}
    for path, operation in [(path, one) for path, methods in found["paths"].items() for one in methods.values()]:
        assert (operation.get("security") == []) == (path in PUBLIC_PATHS)
        assert ("401" in operation["responses"]) == (path not in PUBLIC_PATHS)


OWN_APP = """
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Thread(BaseModel):
    strands: int


class Knot(BaseModel):
    name: str


@app.get("/own/thread")
async def own_thread() -> Thread:
    return Thread(strands=3)


@app.post("/own/knots")
async def tie(knot: Knot) -> Knot:
    return knot
"""


async def test_paths_of_the_projects_own_app_are_among_the_others(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "own_app.py").write_text(OWN_APP)
    settings = {"protocol_langgraph": {"http": {"app": f"{tmp_path}/own_app.py:app"}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        assert (await http.get("/own/thread")).json() == {"strands": 3}
        found = (await http.get("/openapi.json")).json()
        assert "content-security-policy" in (await http.get("/docs")).headers
    assert {"/own/thread", "/own/knots", "/threads"} <= found["paths"].keys()
    schemas = found["components"]["schemas"]
    assert {"Thread", "OwnThread", "Knot"} <= schemas.keys()
    assert "strands" in schemas["OwnThread"]["properties"]
    answer = found["paths"]["/own/thread"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/OwnThread"}
    body = found["paths"]["/own/knots"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Knot"}


FASTAPI = "from fastapi import FastAPI\n"
PAGE, DOCUMENT = "<title>API</title>", "Longline"
OWN_DOCUMENTS = {
    "its own page": (
        "app = FastAPI(docs_url=None)\n@app.get('/docs')\nasync def docs():\n    return 'mine'\n",
        {"/docs": "mine", "/openapi.json": DOCUMENT},
    ),
    "its own document": (
        "app = FastAPI(openapi_url=None)\n@app.get('/openapi.json')\nasync def told():\n    return 'mine'\n",
        {"/docs": PAGE, "/openapi.json": "mine"},
    ),
    "other places": (
        "app = FastAPI(docs_url='/', openapi_url='/own.json')\n",
        {"/": "swagger", "/own.json": "FastAPI", "/docs": PAGE, "/openapi.json": DOCUMENT},
    ),
    "one that breaks": (
        "app = FastAPI()\ndef broken():\n    raise RuntimeError('no')\napp.openapi = broken\n",
        {"/docs": PAGE, "/openapi.json": DOCUMENT},
    ),
}


@pytest.mark.parametrize("kind", OWN_DOCUMENTS)
async def test_documents_of_the_projects_own_app_are_where_it_put_them(serve: Serve, tmp_path: Path, kind: str) -> None:
    text, expected = OWN_DOCUMENTS[kind]
    (tmp_path / "own_app.py").write_text(FASTAPI + text)
    settings = {"protocol_langgraph": {"http": {"app": f"{tmp_path}/own_app.py:app"}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        for path, word in expected.items():
            answer = await http.get(path)
            assert (answer.status_code, word in answer.text) == (200, True), path


async def test_what_is_switched_off_is_not_described(serve: Serve) -> None:
    settings = {"protocol_langgraph": {"http": {"disable_store": True, "disable_runs": True}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        found = (await http.get("/openapi.json")).json()
    assert not [path for path in found["paths"] if path.startswith(("/store", "/runs")) or "/runs" in path]
    assert {"Assistants", "Threads", "Streaming", "System"} == {tag["name"] for tag in found["tags"]}


async def test_metrics_are_described_where_a_plugin_serves_them(serve: Serve) -> None:
    plugins = (*PLUGINS, "metrics_prometheus")
    async with serve({"count": counting()}, plugins=plugins) as served, httpx.AsyncClient(base_url=served.url) as http:
        answer = (await http.get("/openapi.json")).json()["paths"]["/metrics"]["get"]["responses"]["200"]
        for form in ("prometheus", "json"):
            shown = await http.get("/metrics", params={"format": form})
            assert shown.headers["content-type"].partition(";")[0] in answer["content"]


OWN_AUTH = """
from langgraph_sdk import Auth

auth = Auth()


@auth.authenticate
async def who() -> str:
    return "ann"
"""


async def test_what_a_project_says_of_its_credentials_is_said(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "own_auth.py").write_text(OWN_AUTH)
    said = {
        "securitySchemes": {"oauth": {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/"}},
        "security": [{"oauth": ["read"]}],
        "paths": {"/threads": {"post": [{"oauth": ["write"]}]}},
    }
    settings = {"protocol_langgraph": {"auth": {"path": f"{tmp_path}/own_auth.py:auth", "openapi": said}}}
    async with serve({"count": counting()}, settings) as served, httpx.AsyncClient(base_url=served.url) as http:
        found = (await http.get("/openapi.json")).json()
    assert found["components"]["securitySchemes"] == said["securitySchemes"]
    assert found["security"] == said["security"]
    assert found["paths"]["/threads"]["post"]["security"] == [{"oauth": ["write"]}]
    assert "security" not in found["paths"]["/threads/search"]["post"]


async def test_the_page_has_nothing_from_elsewhere_and_runs_no_script_but_its_own(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", answer.text)
    assert not re.findall(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(", answer.text)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert policy["script-src"].count("sha256-") == answer.text.count("<script>") == 1


def test_nothing_of_it_is_loaded_before_it_is_asked_for() -> None:
    program = (
        "import sys, longline_protocol_langgraph\n"
        "print([name for name in sys.modules if name.startswith('longline_protocol_langgraph.openapi')])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
