"""Settings: one source, and a wrong value names its variable and what it takes."""

from __future__ import annotations

import pytest

from shared.settings import (
    Settings,
    SettingsError,
    database_name,
    derived,
    load,
    role_name,
    role_url,
)
from tests.instances import SECRET

GOOD = {
    "DATABASE_URL": "postgresql://owner:pa%20ss@db:5433/muster?sslmode=require",
    "KAFKA_BOOTSTRAP": "broker:9092",
    "MUSTER_SECRET_KEY": SECRET,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_three_variables_are_enough() -> None:
    settings = load(Settings)
    assert settings.kafka_bootstrap == "broker:9092"
    assert settings.secret == SECRET.encode()
    assert str(settings.zone) == "UTC"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"^{name}: Field required"):
        load(Settings)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI", "'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
        ("KAFKA_NAMESPACE", "Test", "a prefix such as 'test.' or nothing"),
        ("KAFKA_SESSION_TIMEOUT_MS", "10", "greater than or equal to 1000"),
        ("MUSTER_SECRET_KEY", "short", "at least 16 characters"),
        ("MUSTER_ZONE", "Mars/Base", "is no IANA time zone (such as Europe/Paris)"),
        ("MUSTER_LANGUAGE", "de", "'en' or 'fr'"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("HTTP_BASE_PORT", "70000", "less than or equal to 65000"),
        ("RELAY_LEASE_SECONDS", "soon", "valid number"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_it_takes(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as found:
        load(Settings)
    (line,) = str(found.value).splitlines()
    assert line.startswith(f"{name}: ")
    assert allowed in line


def test_every_wrong_variable_has_a_line_and_no_secret_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MUSTER_SECRET_KEY", "hush")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as found:
        load(Settings)
    assert len(str(found.value).splitlines()) == 2
    assert "hush" not in str(found.value)


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "kafka-secret")
    shown = repr(load(Settings))
    assert SECRET not in shown
    assert "kafka-secret" not in shown


def test_each_service_logs_in_as_its_own_role_with_a_password_of_the_secret() -> None:
    settings = load(Settings)
    assert database_name(settings.database_url) == "muster"
    assert role_name(settings.database_url, "stock") == "muster_stock"
    password = derived(settings.secret, "role:muster_stock")
    expected = f"postgresql://muster_stock:{password}@db:5433/muster?sslmode=require"
    assert role_url(settings, "stock") == expected
    assert role_url(settings, "budget") != expected.replace("stock", "budget")


def test_purposes_and_secrets_derive_different_keys() -> None:
    assert (
        len({derived(SECRET.encode(), "a"), derived(SECRET.encode(), "b"), derived(b"x", "a")}) == 3
    )
