"""Where the services are, and where web may listen."""

from __future__ import annotations

import pytest

from services.cli.catalogue import NAMES, port_of
from services.web.settings import UPSTREAMS, WebSettings
from shared.settings import SettingsError, load

NEEDED = {
    "DATABASE_URL": "postgresql://owner:pw@127.0.0.1/muster",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "MUSTER_SECRET_KEY": "0123456789abcdef",
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def settings(environment: pytest.MonkeyPatch, **variables: str) -> WebSettings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return load(WebSettings)


def test_the_ports_are_those_the_command_line_gives(read: pytest.MonkeyPatch) -> None:
    urls = settings(read, HTTP_BASE_PORT="9100").upstream_urls
    assert urls == {name: f"http://127.0.0.1:{port_of(name, 9100)}" for name in UPSTREAMS}
    assert {*UPSTREAMS, "web", "bot"} == set(NAMES)


def test_a_service_elsewhere_is_named_by_its_address(read: pytest.MonkeyPatch) -> None:
    found = settings(read, SERVICE_URLS="campaign=http://campaign:8080/, stock=http://stock:8080")
    assert found.upstream_urls["campaign"] == "http://campaign:8080"
    assert found.upstream_urls["budget"] == "http://127.0.0.1:8086"


@pytest.mark.parametrize(
    "text", ["campaign", "nobody=http://x", "campaign=ftp://x", "web=http://x"]
)
def test_a_wrong_address_names_the_variable(read: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(SettingsError, match=r"SERVICE_URLS.*name=http"):
        settings(read, SERVICE_URLS=text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "muster.example.org"])
def test_a_public_address_without_tls_is_refused_with_the_ways_out(
    read: pytest.MonkeyPatch, host: str
) -> None:
    with pytest.raises(SettingsError, match=r"WEB_TLS_CERTIFICATE.*WEB_TLS_KEY.*BEHIND_PROXY=1"):
        settings(read, HTTP_HOST=host)


@pytest.mark.parametrize(
    "more",
    [
        {"BEHIND_PROXY": "1"},
        {"WEB_TLS_CERTIFICATE": "/tls/full.pem", "WEB_TLS_KEY": "/tls/key.pem"},
    ],
)
def test_a_public_address_is_taken_with_tls_or_behind_a_proxy(
    read: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    assert settings(read, HTTP_HOST="0.0.0.0", **more).http_host == "0.0.0.0"


def test_a_certificate_without_its_key_is_no_tls(read: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="WEB_TLS_KEY"):
        settings(read, HTTP_HOST="0.0.0.0", WEB_TLS_CERTIFICATE="/tls/full.pem")


@pytest.mark.parametrize(
    ("variables", "is_open"),
    [
        ({}, False),
        ({"MUSTER_DEMO": "1"}, True),
        ({"MUSTER_DEMO": "1", "HTTP_HOST": "0.0.0.0", "BEHIND_PROXY": "1"}, False),
        ({"WEB_OPEN_START_PAGE": "1", "HTTP_HOST": "0.0.0.0", "BEHIND_PROXY": "1"}, True),
    ],
)
def test_the_start_page_is_open_only_where_it_was_said(
    read: pytest.MonkeyPatch, variables: dict[str, str], *, is_open: bool
) -> None:
    assert settings(read, **variables).start_page_is_open is is_open
