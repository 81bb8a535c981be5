"""Write the styles of a mail into its elements, for clients that drop what stands in the head."""

from __future__ import annotations

import logging
import re
from threading import Lock

import cssutils
from premailer import Premailer

from digest.errors import TemplateError

# cssutils warns about every property of Outlook's ("mso-…"); none of it is news to an operator.
cssutils.log.setLevel(logging.CRITICAL + 1)

_IMPORT = re.compile(r"<style[^>]*>[^<]*@import", re.IGNORECASE)
# premailer's own cache (128 entries) holds what our templates need (about 80): no setting for it.
_ONE_AT_A_TIME = Lock()  # cssutils keeps its parser's state in its module


def inline(html: str) -> str:
    """Return `html` with the rules of its plain <style> written into style attributes.

    A <style data-premailer="ignore"> stays byte for byte, as do comments and the doctype. A link's
    placeholder survives when it is made of letters, digits and underscores. The same input gives the
    same output. Raises TemplateError for @import, which would be fetched.
    """
    if _IMPORT.search(html):
        raise TemplateError("mail", "@import is refused: write the styles into the template")
    with _ONE_AT_A_TIME:
        return str(
            Premailer(
                html,
                # The default strips "!important" from kept media queries too, and dark mode with it.
                strip_important=False,
                keep_style_tags=False,
                remove_classes=False,
                disable_leftover_css=True,
                disable_validation=True,
                # Sizes and sides are attributes of the template already, where Outlook wants them.
                disable_basic_attributes=["width", "height", "align", "valign"],
                align_floating_images=False,
                allow_network=False,
                allow_loading_external_files=False,
            ).transform(pretty_print=False)
        )
