"""Where the daemon is, and how to prove to it who we are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(".config/polycube/polycubectl_config.yaml")
URL = "http://localhost:9000/polycube/v1/"


class SettingsError(ValueError):
    """The settings make no sense; the message says why."""


@dataclass(frozen=True)
class Settings:
    """`url` ends with a slash, or is `unix:` and the path of a socket. The files are for https only; cert and key
    go together."""

    url: str = URL
    cacert: str = ""
    cert: str = ""
    key: str = ""

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain http. Raises SettingsError."""
        if not self.url.startswith("https:"):
            return None
        if not self.cacert:
            raise SettingsError("https needs cacert")
        if bool(self.cert) != bool(self.key):
            raise SettingsError("cert and key go together")
        try:
            context = ssl.create_default_context(cafile=self.cacert)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except OSError as e:
            raise SettingsError(f"cannot set up TLS: {e}") from None
        return context


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from polycubectl's file, if there is one, and its environment variables, which win."""
    environ = os.environ if environ is None else environ
    found = _file(Path(environ.get("HOME", "/")) / FILE)
    for name in Settings.__dataclass_fields__:
        found[name] = environ.get(f"POLYCUBECTL_{name.upper()}") or found.get(name) or getattr(Settings, name)
    url = str(found["url"])
    if not url.startswith(("http://", "https://", "unix:/")):
        raise SettingsError(f"url {url} is neither http:// nor https:// nor unix:/")
    if not url.startswith("unix:"):
        url = f"{url.rstrip('/')}/"
    return Settings(url, str(found["cacert"]), str(found["cert"]), str(found["key"]))


def _file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise SettingsError(f"cannot read {path}: {e}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: `name: value` lines are expected")
    return content
