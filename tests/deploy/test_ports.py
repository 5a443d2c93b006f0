"""Servers that start at once get ports of their own."""

from __future__ import annotations

from collections import deque

import pytest

from deploy.local import ports

pytestmark = pytest.mark.pure


def test_a_port_that_nobody_listens_on_yet_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "OURS", range(15_000, 15_003))
    monkeypatch.setattr(ports, "_given", deque(maxlen=1_000))
    monkeypatch.setattr(ports, "is_free", lambda _port: True)

    assert {ports.free_port() for _ in range(3)} == {15_000, 15_001, 15_002}
