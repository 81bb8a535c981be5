from __future__ import annotations

from digest.model.messages import Email


def uncut(email: Email) -> Email:
    """Return an email without its cuts."""
    return Email.whole(
        subject=email.subject,
        preheader=email.preheader,
        html=email.html,
        text=email.text,
        languages=email.languages,
    )
