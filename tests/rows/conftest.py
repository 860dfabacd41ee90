"""Projects whose migrations the tests write."""

from ..apply.conftest import lab, open_lab

__all__ = ["lab", "open_lab"]
