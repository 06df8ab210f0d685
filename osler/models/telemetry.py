"""OpenVINO's telemetry, which would report every use of it and of nncf from a forked process. Knows its name only."""

from __future__ import annotations

import sys


def leave_out_telemetry() -> None:
    """Make the import of openvino_telemetry fail, for which both are prepared; before they are imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
