"""Every route of the extension, as listed from the live application, is closed to who has no token."""

from __future__ import annotations

import re

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.routing import PathMatches
from tornado.websocket import WebSocketHandler, websocket_connect


def lepton_rules(app) -> list:
    """The extension's rules in the running application."""
    found = []
    for group in app.wildcard_router.rules + [rule for router in app.default_router.rules for rule in _inner(router)]:
        if isinstance(group.matcher, PathMatches) and "lepton" in group.matcher.regex.pattern:
            found.append(group)
    return found


def _inner(rule) -> list:
    return getattr(rule.target, "rules", [])


def path_of(rule, run_id: str) -> str:
    """A path that the rule matches."""
    pattern = rule.matcher.regex.pattern.removesuffix("$").removesuffix("/?")
    return re.sub(r"\([^)]*\)", run_id, pattern.replace("\\", ""))


@pytest.fixture
def rules(jp_serverapp, jp_web_app) -> list:
    found = lepton_rules(jp_web_app)
    assert len(found) >= 11
    return found


async def test_no_http_route_answers_without_a_token(rules, jp_web_app, http_server_client, run):
    asked = 0
    for rule in rules:
        if issubclass(rule.target, WebSocketHandler):
            continue
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
            body = "{}" if method in ("POST", "PUT", "PATCH") else None
            with pytest.raises(HTTPClientError) as caught:
                await http_server_client.fetch(path_of(rule, run.run_id), method=method, body=body)
            allowed = method in _methods_of(rule.target)
            assert caught.value.code in ((401, 403) if allowed else (401, 403, 405)), (rule, method)
            asked += 1
    assert asked >= 9 * 6


async def test_a_wrong_token_is_no_token(rules, http_server_client, run):
    for rule in rules:
        if not issubclass(rule.target, WebSocketHandler) and "GET" in _methods_of(rule.target):
            with pytest.raises(HTTPClientError) as caught:
                path = path_of(rule, run.run_id)
                await http_server_client.fetch(path, headers={"Authorization": "token not-the-token"})
            assert caught.value.code in (401, 403)


async def test_no_websocket_opens_without_a_token(rules, http_server, http_server_port, run):
    sockets = [rule for rule in rules if issubclass(rule.target, WebSocketHandler)]
    assert len(sockets) == 2
    for rule in sockets:
        with pytest.raises(HTTPClientError) as caught:
            await websocket_connect(f"ws://127.0.0.1:{http_server_port[-1]}{path_of(rule, run.run_id)}")
        assert caught.value.code in (401, 403)


@pytest.fixture
def signed_in(jp_fetch):
    """The login cookie that a browser keeps, without the XSRF one."""

    async def sign_in() -> str:
        answer = await jp_fetch("api", "me")
        cookies = [part.split(";")[0] for part in answer.headers.get_list("Set-Cookie")]
        return next(each for each in cookies if each.startswith("username"))

    return sign_in


async def test_a_page_of_another_origin_gets_no_websocket(rules, http_server, http_server_port, signed_in, run):
    """A browser sends the login cookie along, whoever opens the socket; origins are compared whole."""
    cookie, port = await signed_in(), http_server_port[-1]
    here = f"http://127.0.0.1:{port}"
    for rule in rules:
        if not issubclass(rule.target, WebSocketHandler):
            continue
        url = f"ws://127.0.0.1:{port}{path_of(rule, run.run_id)}"
        for origin in ("https://evil.example", f"{here}.evil.example", f"http://evil127.0.0.1:{port}", "null"):
            with pytest.raises(HTTPClientError) as caught:
                await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie, "Origin": origin}))
            assert caught.value.code == 403
        (await websocket_connect(HTTPRequest(url, headers={"Cookie": cookie, "Origin": here}))).close()


async def test_a_post_with_a_cookie_alone_needs_the_xsrf_token(http_server_client, jp_base_url, signed_in, run):
    """A form of another site carries the login cookie, but not the XSRF token: no command is taken from it."""
    path = f"{jp_base_url}lepton-lab/api/runs/{run.run_id}"
    cookie = {"Cookie": await signed_in()}
    assert (await http_server_client.fetch(path, headers=cookie)).code == 200
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"{path}/commands", method="POST", body='{"command": "stop"}', headers=cookie)
    assert caught.value.code == 403
    assert run.summary().state == "queued"


async def test_an_answer_hands_out_the_xsrf_cookie_that_a_post_needs(http_server_client, jp_base_url, signed_in, run):
    """As a page does that the server did not render itself: read once, then command."""
    path = f"{jp_base_url}lepton-lab/api/runs/{run.run_id}"
    login = await signed_in()
    answer = await http_server_client.fetch(path, headers={"Cookie": login})
    xsrf = next(part.split(";")[0] for part in answer.headers.get_list("Set-Cookie") if part.startswith("_xsrf="))
    headers = {"Cookie": f"{login}; {xsrf}", "X-XSRFToken": xsrf.removeprefix("_xsrf=")}
    sent = await http_server_client.fetch(
        f"{path}/commands", method="POST", body='{"command": "stop"}', headers=headers
    )
    assert sent.code == 202
    assert run.summary().state == "stopped"


def _methods_of(handler) -> set[str]:
    return {name.upper() for name in ("get", "post", "put", "patch", "delete") if name in vars(handler)}
