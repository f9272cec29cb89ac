"""F23: requests made from the served OpenAPI document, right and wrong ones: never a 5xx, and a 4xx says what is wrong.

`make fuzz` sends 20,000; every test run sends a few hundred.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

pytestmark = pytest.mark.filterwarnings("ignore")
NUM_REQUESTS, NUM_LONG = 80, 20_000


@pytest.fixture(params=["served", "served_table"])
def endpoint(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def hammer(endpoint: Any, loop: asyncio.Runner, num_requests: int) -> Counter[int]:
    """Sends requests for every operation of the document; returns how they were answered."""
    document = loop.run(endpoint.client.get("/openapi.json")).json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    posts = [operation for operation in operations if operation.method == "post"]
    gets = [operation for operation in operations if operation.method == "get"]
    share = num_requests // (4 * len(posts) + len(gets))
    statuses: Counter[int] = Counter()
    for operation in operations:
        times = 4 if operation in posts else 1
        for mode in schemathesis.GenerationMode:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Exception:  # an operation that takes nothing cannot be asked wrongly
                continue
            _fuzz(endpoint, loop, strategy, max(1, times * share // 2), statuses)
    return statuses


def _fuzz(endpoint: Any, loop: asyncio.Runner, strategy: Any, count: int, statuses: Counter[int]) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Any) -> None:
        answer = loop.run(_send(endpoint, case))
        if answer is None:
            return
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, (answer.status_code, answer.text, case.body)
        if answer.status_code >= 400:
            assert answer.json()["error"], answer.text

    send()


async def _send(endpoint: Any, case: Any) -> httpx.Response | None:
    """One case as schemathesis would send it; None where it cannot be written as HTTP."""
    given_ = case.as_transport_kwargs(base_url="http://endpoint")
    try:
        request = endpoint.client.build_request(
            given_["method"],
            given_["url"],
            params=given_.get("params"),
            headers={k: v for k, v in (given_.get("headers") or {}).items()} | {"X-API-Key": endpoint.key},
            json=given_.get("json"),
            content=given_.get("data") if isinstance(given_.get("data"), str | bytes) else None,
        )
    except (httpx.InvalidURL, UnicodeEncodeError, TypeError, ValueError):
        return None
    return await endpoint.client.send(request)


def test_f23_a_few_hundred_requests_from_the_document_never_fail_inside(endpoint, loop):
    statuses = hammer(endpoint, loop, NUM_REQUESTS)
    assert statuses[200] > 0 and sum(statuses.values()) > NUM_REQUESTS // 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_f23_twenty_thousand_requests_from_the_document_never_fail_inside(served, served_table, loop, figure):
    statuses: Counter[int] = Counter()
    for endpoint in (served, served_table):
        sent: Counter[int] = Counter()
        while sum(sent.values()) < NUM_LONG // 2:  # not every case can be written as HTTP
            sent += hammer(endpoint, loop, NUM_LONG // 2 - sum(sent.values()))
        statuses += sent
    print(f"\n{sum(statuses.values())} requests, answered with {dict(statuses)}")
    figure("serve", "requests made from the OpenAPI document", [sum(statuses.values())], f">= {NUM_LONG}")
    fallen = sum(count for status, count in statuses.items() if status >= 500)
    figure("serve", "of them answered with 5xx", [fallen], "== 0")
