"""Webhooks that may not be called are refused when the run is asked for, by the settings of this plugin."""

import httpx
import pytest
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.conftest import Serve

pytestmark = pytest.mark.anyio

RUN = {"assistant_id": "count", "input": {"x": 1}}


@pytest.mark.parametrize(
    ("url", "webhook", "reason"),
    [
        ({}, "http://127.0.0.1:2999/hook", "loopback IP range"),
        ({}, "/ok", "relative URLs are not allowed"),
        ({}, "ftp://x", "scheme 'ftp' not allowed"),
        ({}, "http://10.1.2.3/", "private IP range"),
        ({}, "http://169.254.169.254/latest", "link-local IP range"),
        ({"disable_loopback": False}, "http://10.1.2.3/", "private IP range"),
        ({"require_https": True}, "http://hooks.example/", "scheme 'http' not allowed"),
        ({"allowed_domains": ["*.hooks.example"]}, "https://hooks.example/", "domain not allowed"),
        ({"allowed_ports": [443]}, "https://hooks.example:8443/", "port 8443 not allowed"),
        ({"max_url_length": 30}, "https://hooks.example/0123456789", "longer than 30 characters"),
    ],
)
async def test_a_webhook_that_the_settings_do_not_allow_is_refused(
    serve: Serve, url: dict[str, object], webhook: str, reason: str
) -> None:
    async with serve({"count": graphs.counting()}, url=url) as served, httpx.AsyncClient() as client:
        for path in ("/runs", "/runs/wait", "/runs/stream"):
            answer = await client.post(f"{served.url}{path}", json={**RUN, "webhook": webhook})
            assert (answer.status_code, answer.json()["detail"]) == (422, f"Webhook host blocked: {reason}")
        batch = await client.post(f"{served.url}/runs/batch", json=[RUN, {**RUN, "webhook": webhook}])
        assert batch.status_code == 422
        assert (await client.post(f"{served.url}/threads/search", json={})).json() == []


async def test_networks_that_the_operator_names_are_allowed(serve: Serve) -> None:
    url = {"allowed_networks": ["10.0.0.0/8"]}
    async with serve({"count": graphs.counting()}, url=url, attempts=1) as served, httpx.AsyncClient() as client:
        answer = await client.post(f"{served.url}/runs", json=RUN)
        assert answer.status_code == 200
        served.server.urls.check("webhook", "http://10.1.2.3/")
