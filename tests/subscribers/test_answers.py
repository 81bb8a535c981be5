"""Why a message was not accepted, by answers as servers and providers give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.rules.answers import (
    NOT_KNOWN,
    OURS,
    PASSING,
    Answer,
    Answered,
    Cause,
    Others,
    answered_in,
    cause_of,
    status_in,
)

CONNECTION, LOGIN, SENDER = Answered.CONNECTION, Answered.LOGIN, Answered.SENDER
RECIPIENT, TEXT = Answered.RECIPIENT, Answered.TEXT
QUOTA, RATE, SESSION, CONNECTIONS, US = (
    Cause.QUOTA,
    Cause.RATE,
    Cause.SESSION,
    Cause.CONNECTIONS,
    Cause.US,
)

# the cause, the step, messages accepted on the connection before, the answer
REAL = [
    # Amazon SES, "Troubleshooting SMTP issues": no enhanced codes
    (RATE, TEXT, 0, "454 Throttling failure: Maximum sending rate exceeded."),
    (RATE, TEXT, 9, "454 Throttling failure: Maximum sending rate exceeded."),
    (QUOTA, TEXT, 9, "454 Throttling failure: Daily message quota exceeded."),
    (US, TEXT, 0, "554 Message rejected: Email address is not verified."),
    (US, TEXT, 0, "554 Message rejected: Sending paused for this account."),
    (Cause.LOGIN, SENDER, 0, "530 Authentication required"),
    (Cause.LOGIN, LOGIN, 0, "535 Authentication Credentials Invalid"),
    # Microsoft 365, "Non-delivery report codes" and "Exchange Online limits"
    (CONNECTIONS, TEXT, 5, "432 4.3.2 Concurrent connections limit exceeded"),
    (
        CONNECTIONS,
        TEXT,
        0,
        "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded [Hostname=X.OUTLOOK.COM]",
    ),
    (QUOTA, TEXT, 9, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"),
    (
        QUOTA,
        RECIPIENT,
        9,
        "550 5.1.90 Your message can't be sent: you've reached your daily limit for message recipients",
    ),
    (
        QUOTA,
        TEXT,
        9,
        "550 5.7.233 Your message can't be sent: your tenant exceeded its daily limit for recipients",
    ),
    (US, TEXT, 9, "550 5.1.8 Access denied, bad outbound sender AS(42003)"),
    (US, TEXT, 9, "550 5.7.501 Access denied, spam abuse detected from your account"),
    (US, RECIPIENT, 0, "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
    (US, CONNECTION, 0, "550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using Spamhaus"),
    (RATE, CONNECTION, 0, "451 4.7.500 Server busy. Please try again later from [192.0.2.7]"),
    (Cause.MAILBOX, RECIPIENT, 3, "550 5.4.1 Recipient address rejected: Access denied."),
    (Cause.MAILBOX, RECIPIENT, 3, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found"),
    # Google Workspace, "SMTP error reference"
    (QUOTA, TEXT, 9, "550 5.4.5 Daily SMTP relay sending limit exceeded for customer."),
    (QUOTA, SENDER, 0, "550 5.4.5 Daily user sending quota exceeded."),
    (RATE, CONNECTION, 0, "421 4.7.0 Try again later, closing connection."),
    (RATE, SENDER, 0, "421 4.7.0 Too many messages, please slow down"),
    (CONNECTIONS, CONNECTION, 0, "421 4.7.0 Too many concurrent SMTP connections; please try again later"),
    (
        Cause.MESSAGE,
        RECIPIENT,
        3,
        "450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend later",
    ),
    (
        Cause.MESSAGE,
        RECIPIENT,
        3,
        "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more",
    ),
    (
        US,
        RECIPIENT,
        0,
        "550 5.7.1 Invalid credentials for relay [192.0.2.7]. The IP address is not allowed to relay",
    ),
    (Cause.FULL, RECIPIENT, 3, "552 5.2.2 The email account that you tried to reach is over quota."),
    (Cause.FULL, RECIPIENT, 3, "452 4.2.2 The recipient's inbox is out of storage space"),
    (Cause.MESSAGE, TEXT, 3, "552 5.3.4 Your message exceeded Google's message size limits."),
    # Yahoo, "SMTP error codes"
    (
        RATE,
        CONNECTION,
        0,
        "421 4.7.0 [TSS04] Messages from 192.0.2.7 temporarily deferred due to user complaints",
    ),
    (Cause.MAILBOX, RECIPIENT, 1, "554 delivery error: dd This user doesn't have an account here"),
    # OpenSMTPD, smtp_session.c
    (SESSION, SENDER, 100, "452 4.5.3 Too many recipients: Too many messages sent"),
    (SESSION, SENDER, 100, "452 4.5.3 Too many messages sent"),
    # Stalwart, crates/smtp
    (SESSION, SENDER, 10, "452 4.4.5 Maximum number of messages per session exceeded."),
    (SESSION, SENDER, 10, "452 4.4.5 Rate limit exceeded, try again later."),
    (CONNECTIONS, CONNECTION, 0, "421 4.4.5 Too many connections, try again later."),
    # IONOS, "Mailserver error codes"
    (SESSION, SENDER, 50, "451 Mails per session limit exceeded."),
    (QUOTA, SENDER, 50, "450 Mails per hour limit exceeded, try again later"),
    # Postfix, smtpd.c and anvil
    (SESSION, SENDER, 7, "450 4.7.1 Error: too much mail from 192.0.2.7"),
    (RATE, SENDER, 0, "450 4.7.1 Error: too much mail from 192.0.2.7"),
    (CONNECTIONS, CONNECTION, 0, "421 4.7.0 mail.example.org Error: too many connections from 192.0.2.7"),
    (RATE, CONNECTION, 0, "421 4.7.0 Connection rate limit exceeded for 192.0.2.7"),
    (SESSION, SENDER, 7, "421 4.7.0 mail.example.org Error: too many errors"),
    (US, RECIPIENT, 0, "554 5.7.1 <…>: Relay access denied"),
    (US, RECIPIENT, 0, "553 5.7.1 <…>: Sender address rejected: not owned by user daily"),
    (Cause.MESSAGE, RECIPIENT, 4, "450 4.2.0 <…>: Recipient address rejected: Greylisted, see help page"),
    (Cause.MESSAGE, TEXT, 4, "451 4.3.0 Error: queue file write error"),
    (Cause.MAILBOX, RECIPIENT, 4, "550 5.1.1 <…>: Recipient address rejected: User unknown in virtual table"),
    # Exim, smtp_in.c, and as cPanel ships it
    (SESSION, SENDER, 1000, "421 too many messages in this connection"),
    (US, RECIPIENT, 0, "550 relay not permitted"),
    (RATE, CONNECTION, 0, "421 Unexpected failure, please try later"),
    (CONNECTIONS, CONNECTION, 0, "421 Too many concurrent SMTP connections; please try again later."),
    (QUOTA, TEXT, 9, "550 Domain example.org has exceeded the max emails per hour (150/150 (100%)) allowed."),
    (Cause.MAILBOX, RECIPIENT, 0, "550 Unrouteable address"),
    # Proofpoint, Barracuda, Mimecast, Zoho, OVH, Mailjet, Sendgrid
    (US, CONNECTION, 0, "554 Blocked - see https://ipcheck.example.org/?ip=192.0.2.7"),
    (US, RECIPIENT, 0, "550 5.7.1 Service unavailable; client host blocked using Barracuda Reputation"),
    (US, RECIPIENT, 0, "550 Rejected by header based Anti-Spoofing policy: your domain is not verified"),
    (RATE, CONNECTION, 0, "451 IP temporarily blacklisted - see the knowledge base"),
    (US, TEXT, 4, "550 5.4.6 Unusual sending activity detected. Please try after sometime"),
    (QUOTA, TEXT, 4, "550 5.7.1 You have sent too many messages in the last hour"),
    (QUOTA, SENDER, 0, "550 5.7.1 Your plan limit is reached"),
    (QUOTA, TEXT, 4, "451 You have exceeded your messaging limits for today"),
    (QUOTA, TEXT, 4, "552 5.7.1 not enough credits to send this message"),
    # of nobody in particular
    (SESSION, TEXT, 3, "421 4.3.2 service shutting down"),
    (SESSION, RECIPIENT, 3, "452 4.5.3 too many recipients in this session"),
    (SESSION, SENDER, 3, "554 5.7.0 only 3 messages per connection, please"),
    (RATE, SENDER, 0, "452 4.5.3 Too many messages sent"),
    (RATE, TEXT, 3, "550 5.7.1 at most 10 messages per second"),
    (Cause.MESSAGE, TEXT, 3, "550 5.1.1 user unknown"),
    (Cause.MESSAGE, SENDER, 3, "550 5.1.1 user unknown"),
    (Cause.MESSAGE, TEXT, 3, "554 5.7.1 this looks like unsolicited bulk mail"),
    (Cause.MESSAGE, RECIPIENT, 3, "451 4.3.0 try later"),
    (Cause.FULL, RECIPIENT, 3, "452 4.2.2 Quota exceeded"),
    (Cause.MESSAGE, TEXT, 3, "452 4.3.4 the size limit is exceeded"),
    (Cause.MESSAGE, SENDER, 0, "452 4.3.1 Insufficient system storage"),
]


def answer(step: Answered | None, said: str, accepted: int = 0, others: Others = NOT_KNOWN) -> Answer:
    text = said[4:]
    return Answer(
        step=step, code=int(said[:3]), status=status_in(text), text=text, accepted=accepted, others=others
    )


@pytest.mark.parametrize(("cause", "step", "accepted", "said"), REAL)
def test_the_cause_of_an_answer(cause: Cause, step: Answered, accepted: int, said: str) -> None:
    assert cause_of(answer(step, said, accepted)) is cause


OUR_QUOTAS = (
    "daily sending quota exceeded",
    "the hourly limit of 500 messages is exceeded",
    "you have reached your sending limit, 2000 recipients per day",
    "monthly e-mail allowance used up",
)


@given(
    st.sampled_from(OUR_QUOTAS),
    st.sampled_from(["550 5.1.1", "552 5.2.2", "554 5.2.0", "550 5.7.1", "550", "451 4.7.0", "452 4.2.2"]),
    st.sampled_from([SENDER, RECIPIENT, TEXT]),
)
def test_a_quota_of_ours_is_one_whatever_its_digits(words: str, digits: str, step: Answered) -> None:
    assert cause_of(answer(step, f"{digits} {words}")) is QUOTA


@given(st.sampled_from(["454 4.7.0", "451", "450 4.2.1", "432 4.3.2", "421 4.7.0"]), st.integers(0, 9))
def test_too_much_in_a_time_never_costs_a_message_a_try(digits: str, accepted: int) -> None:
    assert cause_of(answer(TEXT, f"{digits} sending rate exceeded", accepted)) in PASSING


LATER = "450 4.7.0 try again later"


def test_an_answer_about_too_much_is_about_the_domain_only_if_others_get_another() -> None:
    assert cause_of(answer(RECIPIENT, LATER)) is Cause.UNSURE
    assert cause_of(answer(RECIPIENT, LATER, others=Others(alike=1, accepted=9))) is Cause.UNSURE
    assert cause_of(answer(RECIPIENT, LATER, others=Others(alike=3, accepted=1))) is RATE
    assert cause_of(answer(RECIPIENT, LATER, others=Others(alike=3, accepted=6))) is Cause.DOMAIN
    assert cause_of(answer(RECIPIENT, LATER, others=Others(alike=3, accepted=6, domains=3))) is RATE


def test_a_server_that_has_accepted_nothing_refuses_us_if_another_is_there() -> None:
    for said in ("550 5.1.1 no such user", "550 no", "554 5.7.1 command rejected"):
        assert cause_of(answer(RECIPIENT, said, others=Others(ever=False, elsewhere=True))) is US
        assert cause_of(answer(RECIPIENT, said, others=Others(ever=True, elsewhere=True))) is not US
        assert cause_of(answer(RECIPIENT, said, others=Others(ever=False))) is not US


def test_the_part_that_a_kept_reply_names_is_found_again() -> None:
    assert [answered_in(f"{part}: 5.7.1 no") for part in Answered] == list(Answered)
    assert answered_in("5.7.1 no") is None


def test_no_cause_is_ours_and_passes_by_itself() -> None:
    assert not OURS & PASSING
