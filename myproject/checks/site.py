"""What the checks look at: the settings of the application and of the server, and where they are written."""

import configparser
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyramid.paster import get_config_loader

from ..settings import read_settings


@dataclass(frozen=True)
class Site:
    """A site as its ini file and the environment describe it."""

    path: Path
    # As they are in the file, and as the application reads them.
    written: Mapping[str, str]
    settings: Mapping[str, Any]
    # Of the section [server:main].
    server: Mapping[str, str]
    ini: configparser.RawConfigParser

    @property
    def is_public(self) -> bool:
        """Whether the site has a name by which others can ask for it."""
        return not all(is_local(host) for host in self.settings["myproject.hosts"])


def read_site(ini: str, written: Mapping[str, str]) -> Site:
    """Return the Site of the file `ini`, whose settings the application accepts."""
    path = Path(ini.partition("#")[0]).absolute()
    parser = configparser.RawConfigParser()
    parser.read(path, encoding="utf-8")
    settings = {**read_settings(written), "ini": ini}
    return Site(path, written, settings, get_config_loader(ini).get_settings("server:main"), parser)


def is_local(host: str) -> bool:
    """Return whether only this machine can be meant by a host name or an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
