"""Make the site of the web tests available here."""

from tests.web.conftest import quick as quick
