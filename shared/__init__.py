"""The messaging core every service is built on: one transaction, one relay, one consumer loop."""

import os
import zoneinfo

# Zones follow the pinned tzdata package, not each machine's own: replicas on different systems
# would disagree on the instant of an occurrence, and pages on what they show of it.
if "PYTHONTZPATH" not in os.environ:
    zoneinfo.reset_tzpath(to=())
