"""Machines are slow at times: a property is false where an example fails, not where it takes long."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
