"""Who and what is in a workspace when the stub starts; a JSON file in this shape may replace it."""

from pathlib import Path

from pydantic import Field, ValidationError

from deploy.embedded.slack.wire import Wire


class BadSeed(ValueError):
    """The seed file is missing, is not JSON, or lacks a field; the message says which."""


class Person(Wire):
    """A member of the workspace."""

    id: str = Field(pattern=r"^[UW][A-Z0-9]{7,}$")
    name: str
    real_name: str
    email: str = ""
    tz: str = "Europe/Paris"
    locale: str = "en-US"
    deleted: bool = False
    snoozed: bool = False


class Channel(Wire):
    """A channel and who is in it; the app posts only where ``app_is_member``."""

    id: str = Field(pattern=r"^[CGD][A-Z0-9]{7,}$")
    name: str
    members: list[str] = Field(default_factory=list)
    app_is_member: bool = True
    private: bool = False
    archived: bool = False
    direct: bool = False


class App(Wire):
    """The installed app: its ids, tokens and signing secret."""

    app_id: str = "A0MUSTER01"
    bot_id: str = "B0MUSTER01"
    bot_user_id: str = "U0MUSTERBOT"
    bot_name: str = "muster"
    bot_token: str = "xoxb-stub-bot-token"  # noqa: S105 - known to this stub alone
    app_token: str = "xapp-stub-app-token"  # noqa: S105 - known to this stub alone
    signing_secret: str = "stub-signing-secret"  # noqa: S105 - known to this stub alone
    verification_token: str = "stub-verification-token"  # noqa: S105 - known to this stub alone


_PEOPLE = [
    Person(
        id="U0MANAGER01",
        name="manager",
        real_name="Camille Martin",
        email="camille.martin@muster.example",
        locale="en-GB",
    ),
    Person(
        id="U0REVIEWER1",
        name="reviewer",
        real_name="Robin Clarke",
        email="robin.clarke@muster.example",
        tz="Europe/London",
        locale="en-GB",
    ),
    Person(
        id="U0SUPERVIS1",
        name="supervisor",
        real_name="Dominique Leroy",
        email="dominique.leroy@muster.example",
        locale="fr-FR",
    ),
    Person(
        id="U0STRANGER1",
        name="stranger",
        real_name="Sam Doe",
        email="sam.doe@elsewhere.example",
        tz="America/New_York",
    ),
]
_EVERYBODY = [person.id for person in _PEOPLE]
_CHANNELS = [
    Channel(id="C0CAMPAIGNS", name="campaigns", members=_EVERYBODY),
    Channel(id="C0ALERTS001", name="alerts", members=_EVERYBODY),
    Channel(id="C0GENERAL01", name="general", members=_EVERYBODY, app_is_member=False),
]


class Seed(Wire):
    """A workspace as it starts."""

    team_id: str = "T0MUSTER01"
    team_domain: str = "muster-stub"
    team_name: str = "Muster (stub workspace)"
    app: App = Field(default_factory=App)
    people: list[Person] = Field(default_factory=lambda: list(_PEOPLE))
    channels: list[Channel] = Field(default_factory=lambda: list(_CHANNELS))

    @classmethod
    def read(cls, path: Path) -> "Seed":
        """Return the seed in ``path``; raise ``BadSeed`` naming what is wrong with it."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as fault:
            raise BadSeed(f"cannot read the seed file {path}: {fault.strerror}") from fault
        except ValidationError as fault:
            wrong = "; ".join(
                f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors()
            )
            raise BadSeed(f"the seed file {path} is not a workspace: {wrong}") from fault
