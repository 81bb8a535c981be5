"""Read config.toml once into frozen values: `load(path, environ) -> Config`."""

from digest.config.read import load
from digest.config.values import Config, MailSettings, OidcSettings, Setting, StaffSettings, WebSettings

__all__ = ["Config", "MailSettings", "OidcSettings", "Setting", "StaffSettings", "WebSettings", "load"]
