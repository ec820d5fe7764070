"""Plug-ins that are files: the template of a dialect, and a target."""

from pathlib import Path

SMARTSPICE = Path(__file__).parent / "smartspice.in.j2"
COARSE_64 = Path(__file__).parent / "coarse-64.toml"
