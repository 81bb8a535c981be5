from __future__ import annotations

from digest.model import Mail


def uncut(mail: Mail) -> Mail:
    """Forget where a mail is cut."""
    return Mail.whole(subject=mail.subject, preheader=mail.preheader, html=mail.html, text=mail.text)
