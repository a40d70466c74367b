"""The HTTP routes of targeting, called as web calls them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from deploy.sample import CRM_DIR
from services.targeting.app import SERVICE
from services.targeting.sql_role import ensure_sql_role
from shared import identity
from shared.http import create_app
from shared.service import Runtime
from tests.conftest import Open
from tests.integration.targeting_world import answers, emitted, open_world, operator, sample
from topics.message import Actor
from topics.operators import Role
from topics.targeting import ConsentChanged, TargetingState

Client = httpx.AsyncClient
FRENCH = {"field": "site.country", "operator": "equals", "values": ["FR"]}


@asynccontextmanager
async def calling(runtime: Runtime, actor: Actor | None) -> AsyncIterator[Client]:
    """Yield a client that calls in somebody's name."""
    transport = httpx.ASGITransport(app=create_app(runtime))
    headers = {}
    if actor is not None:
        headers[identity.HEADER] = identity.issue(
            runtime.settings.secret, actor, audience="targeting", now=runtime.clock.now()
        )
    async with Client(
        transport=transport, base_url="http://test/api/v1/targeting", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def world(open_service: Open) -> Runtime:
    """The sample CRM."""
    return await open_world(open_service)


async def test_a_targeting_is_saved_changed_listed_and_read(world: Runtime) -> None:
    await emitted(world)
    async with calling(world, await operator(world, Role.MANAGER)) as client:
        made = await client.post("/targetings", json={"label": "France", "criteria": [FRENCH]})
        assert made.status_code == 201
        targeting_id = made.json()["state"]["targeting_id"]
        body = {"label": "France, sites", "counts": "sites", "criteria": [FRENCH]}
        changed = await client.put(f"/targetings/{targeting_id}", json=body)
        assert changed.json()["state"]["version"] == 2
        assert changed.json()["criteria"] == [FRENCH]
        for n in range(3):
            await client.post("/targetings", json={"label": f"Other {n}"})
        first = (await client.get("/targetings", params={"limit": 3})).json()
        rest = (await client.get("/targetings", params={"limit": 3, "after": first["next"]})).json()
        labels = [one["label"] for one in first["targetings"] + rest["targetings"]]
        assert labels == ["France, sites", "Other 0", "Other 1", "Other 2"]
        assert rest["next"] is None
        found = (await client.get("/targetings", params={"label": "france"})).json()
        assert len(found["targetings"]) == 1
        assert (await client.get(f"/targetings/{uuid4()}")).status_code == 404
    assert len(await answers(world, TargetingState)) == 5


async def test_a_choice_is_counted_and_sampled_before_it_is_saved(world: Runtime) -> None:
    expected = {row["site_ref"] for row in sample("sites") if row["country"] == "FR"}
    contacts = [row for row in sample("contacts") if row["site_ref"] in expected]
    async with calling(world, await operator(world, Role.MANAGER)) as client:
        counts = (await client.post("/count", json={"criteria": [FRENCH]})).json()
        assert (counts["persons"], counts["organisations"]) == (len(contacts), len(expected))
        members = (await client.post("/sample", json={"criteria": [FRENCH]})).json()
        assert len(members) == 20
        known = {row["last_name"] for row in contacts}
        assert all(member["last_name"] in known for member in members)
    async with calling(world, await operator(world, Role.REVIEWER)) as client:
        masked = (await client.post("/sample", json={"criteria": [FRENCH]})).json()
        assert [m["member_id"] for m in masked] == [m["member_id"] for m in members]
        assert masked[0]["last_name"] == f"{members[0]['last_name'][0]}…"
        assert all((m["email"] or "…").endswith("….example") or not m["email"] for m in masked)


async def test_direct_sql_over_http_needs_its_right_and_its_guard(world: Runtime) -> None:
    await ensure_sql_role(world.settings)
    query = {"kind": "sql", "sql": "select contact_id from contacts limit 7"}
    async with calling(world, await operator(world, Role.MANAGER)) as client:
        assert (await client.post("/count", json=query)).status_code == 403
    async with calling(world, await operator(world, Role.ADMINISTRATOR)) as client:
        assert (await client.post("/count", json=query)).json()["records"] == 7
        evil = query | {"sql": "select pg_sleep(10)"}
        refused = await client.post("/count", json=evil)
        assert (refused.status_code, refused.json()["field"]) == (409, "sql")
        wrong = {"criteria": [FRENCH | {"field": "site.nothing"}]}
        refused = await client.post("/count", json=wrong)
        assert refused.json()["field"] == "criteria.0"
        fields = (await client.get("/fields")).json()
        assert fields["criteria"]["deal.expected_signature"] == "date"
        assert "contact_id" in fields["views"]["contacts"]


async def test_a_csv_body_is_imported_and_its_report_can_be_read(open_service: Open) -> None:
    runtime = await open_service(SERVICE, IMPORT_BODY_MAX_BYTES="200000")
    async with calling(runtime, await operator(runtime, Role.MANAGER)) as client:
        sites = (CRM_DIR / "sites.csv").read_bytes()
        report = (await client.post("/imports/sites", content=sites)).json()
        assert report["state"]["created"] == report["state"]["rows"] == 420
        faulty = (CRM_DIR / "contacts_with_errors.csv").read_bytes()
        report = (await client.post("/imports/contacts", content=faulty)).json()
        assert (report["state"]["created"], report["state"]["rejected"]) == (12, 14)
        assert report["rejects"][0] == {"line": 8, "field": "contact_ref", "reason": "is empty"}
        again = await client.get(f"/imports/{report['state']['import_id']}")
        assert again.json() == report
        page = (await client.get("/imports")).json()
        assert [one["kind"] for one in page["imports"]] == ["contacts", "sites"]
        wrong = await client.post("/imports/deals", content=sites)
        assert (wrong.status_code, wrong.json()["field"]) == (409, "header")
        assert "deal_ref is missing" in wrong.json()["detail"]
        large = await client.post("/imports/sites", content=sites * 10)
        assert large.status_code == 413
        assert (await client.post("/imports/planets", content=b"")).status_code == 422
    async with calling(runtime, await operator(runtime, Role.REVIEWER)) as client:
        refused = await client.post("/imports/sites", content=sites)
        assert refused.status_code == 403


async def test_a_consent_is_found_and_recorded_by_address(world: Runtime) -> None:
    await emitted(world)
    address = "megan.marsh@hartley-engineering.example"
    async with calling(world, await operator(world, Role.MANAGER)) as client:
        before = (await client.post("/consents/find", json={"address": address})).json()
        assert before["opted_out"] is False
        body = {"address": f"  {address.upper()}".strip(), "opted_out": True}
        after = (await client.put("/consents", json=body)).json()
        assert (after["opted_out"], after["recipient_key"]) == (True, before["recipient_key"])
        found = (await client.post("/consents/find", json={"address": address})).json()
        assert found == after
        unknown = (await client.post("/consents/find", json={"address": "x@y.example"})).json()
        assert unknown["at"] is None
        assert (await client.put("/consents", json={"address": "x"})).status_code == 422
    [changed] = await answers(world, ConsentChanged)
    assert isinstance(changed, ConsentChanged)
    assert changed.opted_out
    async with calling(world, await operator(world, Role.REVIEWER)) as client:
        assert (await client.put("/consents", json=body)).status_code == 403


def begins(text: str, *names: str) -> Callable[[dict[str, str]], bool]:
    return lambda row: any(row[name].lower().startswith(text) for name in names)


LISTS = (
    ("sites", "transports", ("name", "site_ref")),
    ("contacts", "le", ("last_name", "contact_ref")),
    ("employees", "emp-00", ("last_name", "employee_ref")),
    ("deals", "heat", ("product", "deal_ref")),
    ("sites", "%", ("name", "site_ref")),
)


async def test_lists_are_paged_and_searched(world: Runtime) -> None:
    async with calling(world, await operator(world, Role.MANAGER)) as client:
        for kind, search, names in LISTS:
            expected = {row[names[1]] for row in sample(kind) if begins(search, *names)(row)}
            found = await paged(client, kind, search.upper(), names[1])
            assert len(found) == len(set(found))
            assert set(found) == expected, (kind, search)


async def paged(client: Client, kind: str, search: str, name: str) -> list[str]:
    """Return a column of a whole list, page by page."""
    found: list[str] = []
    params = {"search": search, "limit": "7"}
    for _ in range(200):
        page = (await client.get(f"/{kind}", params=params)).json()
        found += [row[name] for row in page[kind]]
        if page["next"] is None:
            break
        params["after"] = page["next"]
    return found


async def test_contacts_are_masked_for_those_who_do_not_manage_campaigns(world: Runtime) -> None:
    async with calling(world, await operator(world, Role.SUPERVISOR)) as client:
        page = (await client.get("/contacts", params={"search": "con-0000001"})).json()
    [contact] = page["contacts"]
    assert (contact["last_name"], contact["email"], contact["direct_line"]) == (
        "M…",
        "m…@….example",
        "…31",
    )


async def test_no_route_answers_without_an_identity(world: Runtime) -> None:
    routes = {
        (method.upper(), path)
        for path, methods in create_app(world).openapi()["paths"].items()
        for method in methods
    }
    assert len(routes) >= 14
    async with calling(world, None) as client:
        for method, path in routes:
            url = path.removeprefix("/api/v1/targeting").replace("{kind}", "sites")
            for name in ("targeting_id", "import_id"):
                url = url.replace(f"{{{name}}}", str(uuid4()))
            assert (await client.request(method, url)).status_code == 401, (method, path)


async def test_an_operator_without_roles_reads_nothing(world: Runtime) -> None:
    async with calling(world, await operator(world)) as client:
        for path in ("/targetings", "/contacts", "/sites", "/imports", "/fields"):
            assert (await client.get(path)).status_code == 403
        for path in ("/count", "/sample"):
            assert (await client.post(path, json={})).status_code == 403
