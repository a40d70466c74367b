"""The web service, plugged together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.web import keyed, linking
from services.web.api import router
from services.web.edge import make_app
from services.web.handlers import VIEWS, registry
from services.web.settings import WebSettings
from services.web.troubles.posting import mail_supervisors
from shared.service import Service

registry.include(linking.registry)

SERVICE: Final = Service(
    "web",
    registry,
    Path(__file__).parent / "migrations",
    settings=WebSettings,
    router=router,
    tasks=(keyed.prune, mail_supervisors),
    views=VIEWS,
    make_app=make_app,
)
