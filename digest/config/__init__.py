"""Read config.toml once into frozen values: `load(path, environ) -> Config`."""

from digest.config.read import load
from digest.config.values import Config, MailSettings, Setting, StaffSettings, WebSettings

__all__ = ["Config", "MailSettings", "Setting", "StaffSettings", "WebSettings", "load"]
