"""The kind of a refusal, and the bounces after which an address is not mailed any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.model import SuppressionReason
from subscribers.rules.answers import status_in
from subscribers.rules.bounces import (
    MAIL,
    SERVER,
    SOFT_DAYS,
    SPAN,
    Bounce,
    BounceKind,
    judge,
    kind_of,
    plain_reason,
    short_reason,
)

NOW = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)
HARD, SOFT, OTHER, COMPLAINT = BounceKind


def bounce(kind: BounceKind, days_ago: float = 0) -> Bounce:
    return Bounce(kind=kind, at=NOW - timedelta(days=days_ago), source="mail")


# As servers word it, without the address: what it is, the code, the words.
REFUSALS = [
    (HARD, 550, "5.1.1 The email account that you tried to reach does not exist."),
    (HARD, 550, "5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table"),
    (HARD, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (HARD, 550, "5.4.1 Recipient address rejected: Access denied."),
    (HARD, 550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
    (HARD, 554, "delivery error: dd This user doesn't have an example.org account"),
    (HARD, 550, "No such user here"),
    (HARD, 550, "Unrouteable address: unknown user"),
    (HARD, 550, "5.2.1 The email account that you tried to reach is disabled."),
    (HARD, 550, "5.4.4 Host or domain name not found. Name service error for name=gone.test type=MX"),
    (HARD, 556, "5.1.10 Recipient address has null MX"),
    (HARD, None, "5.1.2 Bad destination mailbox address"),
    (HARD, 511, "sorry, no mailbox here by that name"),
    (HARD, 554, "30 Sorry, your message cannot be delivered. This mailbox is disabled (554.30)."),
    (SOFT, 552, "5.2.2 The email account that you tried to reach is over quota."),
    (SOFT, 550, "5.0.0 mailbox is full: retry timeout exceeded"),
    (SOFT, 554, "5.7.1 mailbox is full"),
    (SOFT, 452, "4.2.2 mailbox full"),
    (SOFT, 552, "Requested mail action aborted: exceeded storage allocation"),
    (OTHER, 550, "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more"),
    (OTHER, 450, "4.2.0 greylisted, please try again"),
    (OTHER, None, "4.4.7 Message expired"),
    (OTHER, None, "4.4.1 connect to mx.gone.test: Connection timed out"),
    (OTHER, 550, "Something that nobody has ever said before"),
    (OTHER, None, ""),
    (OTHER, 550, "5.7.1 Our system has detected that this message is likely unsolicited mail."),
    (OTHER, 550, "5.7.26 Unauthenticated email from example.org is not accepted due to its DMARC policy"),
    (OTHER, 554, "5.7.1 Service unavailable; Client host blocked using a list"),
    (OTHER, 550, "5.7.1 this user does not exist for senders like you"),
    (OTHER, 550, "Message rejected as spam"),
    (OTHER, 552, "5.7.0 This message was blocked because its content presents a security issue"),
    (OTHER, 552, "5.2.0 Message contains suspected spam"),
    (OTHER, 421, "4.7.0 [TSS04] Messages temporarily deferred due to user complaints"),
    (OTHER, 554, "5.7.1 temporarily blocked, too many spam complaints"),
    (OTHER, 550, "5.1.8 Sender address rejected: Domain not found"),
    (OTHER, 550, "Sender address rejected: Domain not found"),
    (OTHER, 550, "Verification failed: No Such User Here: Sender verify failed"),
    (OTHER, 550, "Helo command rejected: Host not found"),
    (OTHER, 550, "SPF check failed: invalid domain"),
    (OTHER, 550, "5.4.1 Message blocked: relay access denied"),
    (OTHER, 550, "Your account has been suspended for sending spam"),
    (OTHER, 554, "5.6.3 the message needs 8BITMIME, which the server does not offer"),
    (OTHER, 552, "5.3.4 the message has 90000 bytes, the server takes 50000"),
    (OTHER, 552, "5.3.4 message size exceeds quota"),
]


# Invented answers that name another cause than the mailbox, whatever number stands before it.
WORKING = [
    # policy, filters and access
    "550 5.1.1 rejected by policy",
    "550 5.1.1 Recipient rejected by our policy: user unknown to the gateway",
    "554 5.1.1 message content refused for this mailbox",
    "550 5.1.1 an attachment is not welcome in this account",
    "550 5.1.1 the user's filter has refused this",
    "550 5.1.1 access denied",
    "550 5.1.1 Recipient address rejected: Access denied",
    "550 5.1.2 you have no permission to write to this address",
    "550 5.1.1 not authorized to send to this recipient",
    "550 5.2.1 delivery to this group is restricted",
    "550 5.1.1 mail to this user is not permitted",
    "550 5.1.3 your network is listed by a block list",
    "554 5.1.1 suspicious links in the message to this user",
    "550 5.1.1 missing To header: invalid address",
    # the sender
    "550 5.1.1 sender address rejected",
    "550 5.1.1 sender address rejected: user unknown",
    "550 5.1.7 invalid address",
    "550 5.1.7 user unknown",
    "550 5.1.8 domain does not exist",
    "553 5.1.7 The address is unknown",
    "550 5.1.1 the return address does not exist",
    "550 5.1.1 return path: no such user",
    "550 5.1.1 MAIL FROM domain not found",
    "550 5.1.2 reverse lookup of the host not found",
    "550 5.1.1 your address is unknown here",
    "550 5.1.1 client host has no PTR: unknown user",
    # the rate
    "550 5.1.1 too many messages, try later",
    "550 5.1.1 too many messages to unknown users, slow down",
    "550 5.2.1 the account is over its hourly limit",
    "550 5.1.1 limit exceeded",
    "550 5.1.1 you write to this mailbox too often",
    "550 5.1.1 greylisted: unknown address pair",
    "550 5.1.1 mailbox unavailable at this time",
    "550 mailbox currently unavailable",
    "550 5.1.1 come back later",
    "550 5.2.2 daily message quota used up",
    "550 5.7.1 sending quota of this hour is used up",
    "552 5.2.2 sender quota reached",
    # the recipient's own choice
    "554 5.1.1 user has blocked you",
    "550 5.1.1 user does not want mail from lists",
    "550 5.1.1 the recipient no longer wishes to hear from you",
    "550 5.1.1 this user accepts mail only from friends",
    "550 5.2.1 the user isn't accepting mail from you",
    "550 5.1.1 recipient declined this message",
    "550 5.1.1 not on the recipient's allow list",
    "550 5.1.1 you are not among the user's contacts",
    "550 5.1.1 this address only accepts known people",
    "550 5.2.1 the account is on vacation",
    "550 5.1.1 recipient refuses your message",
    "550 5.2.1 held back by the user's settings",
    # a fault of a machine or of DNS
    "550 5.1.1 user database unavailable",
    "550 5.1.1 user lookup failed",
    "550 5.1.1 the recipient's server is not available",
    "550 5.1.1 mailbox store is offline",
    "550 5.1.1 internal error, recipient unknown",
    "550 5.1.1 LDAP server is down: no such user",
    "550 5.1.2 domain: DNS lookup failed",
    "550 5.4.4 DNS error: SERVFAIL for the domain",
    "550 5.1.2 Host not found, try again",
    "550 5.1.1 unable to contact the user database",
    "550 5.4.1 connection to the recipient timed out",
    "550 5.1.1 mail loop: account unavailable",
    "550 5.1.1 mailbox disabled for maintenance",
    "550 5.2.1 system is too busy for this mailbox",
    "550 5.1.1 insufficient system resources for this user",
    "550 5.1.1 configuration error: invalid mailbox",
]
# Invented answers that say that there is no mailbox.
DEAD = [
    "550 5.1.1 no such user",
    "550 5.1.1 sorry",
    "550 5.1.1",
    "550 5.1.0 user unknown",
    "550 user unknown",
    "550 Unknown user",
    "550 5.1.1 User unknown in local recipient table",
    "550 5.1.1 Recipient address rejected: user unknown in recipient table",
    "550 5.1.1 no mailbox here by that name",
    "550 5.1.1 mailbox not found",
    "550 5.1.1 address does not exist",
    "550 5.1.1 The account you want to reach does not exist. Check the address and try again.",
    "550 5.1.1 User is not listed in the directory of this host",
    "550 5.1.1 we do not know this person; write to postmaster for help",
    "550 5.1.1 no such user on this server",
    "550 5.1.1 the user has left and no longer has an account in this system",
    "550 5.1.1 Invalid recipient",
    "550 invalid mailbox",
    "550 5.1.6 the mailbox has moved",
    "550 5.2.1 mailbox disabled, not accepting messages",
    "550 5.2.1 this account has been closed",
    "550 account has been deactivated",
    "550 account is inactive",
    "550 5.1.2 domain does not exist",
    "550 5.1.2 Host unknown (Name server: gone.test: host not found)",
    "550 5.4.310 the DNS domain does not exist",
    "550 5.4.4 Host or domain name not found. Name service error for name=gone.test: Host not found",
    "550 5.1.2 DNS Error: DNS type 'mx' lookup responded with code NXDOMAIN Domain name not found",
    "550 5.4.1 Recipient address rejected: Access denied.",
    "550 5.1.10 Recipient not found by address lookup",
    "553 5.3.0 user unknown",
    "550 5.5.0 Requested action not taken: mailbox unavailable",
    "554 delivery error: this user doesn't have an account here",
    "550 5.1.1 Your message could not be delivered: no such mailbox",
]


@pytest.mark.parametrize("said", WORKING)
def test_no_working_address_is_given_up(said: str) -> None:
    code, words = int(said[:3]), said[4:]
    assert kind_of(code, status_in(words), words) is OTHER


@pytest.mark.parametrize("said", DEAD)
def test_a_mailbox_that_does_not_exist_is_recognised(said: str) -> None:
    code, words = int(said[:3]), said[4:]
    assert kind_of(code, status_in(words), words) is HARD


@given(
    st.sampled_from(WORKING),
    st.sampled_from(["5.0.0", "5.1.1", "5.1.2", "5.1.6", "5.1.10", "5.2.1", "5.5.0"]),
)
def test_no_number_turns_another_cause_into_a_missing_mailbox(said: str, number: str) -> None:
    before = status_in(said)
    words = said[4:].replace(before, number) if before else said[4:]
    assert kind_of(550, number, words) is OTHER or before in ("5.1.7", "5.1.8")  # these are the cause itself


@given(st.sampled_from(WORKING), st.sampled_from(DEAD))
def test_another_cause_counts_also_beside_the_words_for_a_missing_mailbox(cause: str, dead: str) -> None:
    words = f"{cause[4:]} ({dead[4:].replace('NXDOMAIN', '')})"
    assert kind_of(int(cause[:3]), status_in(words), words) is OTHER


@pytest.mark.parametrize(("kind", "code", "words"), REFUSALS)
def test_the_kind_of_a_refusal_depends_on_its_code_status_and_text(
    kind: BounceKind, code: int | None, words: str
) -> None:
    assert kind_of(code, status_in(words), words) is kind


@pytest.mark.parametrize(
    ("words", "status"),
    [("5.1.1 x", "5.1.1"), ("smtp; 550-5.7.26 x", "5.7.26"), ("at 10.5.1.1", ""), ("5.1", "")],
)
def test_a_status_is_found_in_a_text(words: str, status: str) -> None:
    assert status_in(words) == status


def test_one_hard_bounce_or_complaint_is_enough_and_no_other_ever_is() -> None:
    assert judge(bounce(HARD), []) is SuppressionReason.BOUNCE
    assert judge(bounce(COMPLAINT), []) is SuppressionReason.COMPLAINT
    assert judge(bounce(OTHER), [bounce(OTHER, day) for day in range(30)]) is None


def test_a_server_must_say_it_of_two_editions_within_thirty_days() -> None:
    def said(days_ago: float, edition: str, kind: BounceKind = HARD) -> Bounce:
        return replace(bounce(kind, days_ago), source=SERVER, edition=edition)

    now = said(0, "daily-23")
    assert judge(now, []) is None
    assert judge(now, [said(1, "daily-23"), said(1, "daily-22", SOFT), said(30, "daily-1")]) is None
    assert judge(now, [said(0.1, "weekly-23")]) is None
    assert judge(now, [said(1, "daily-22")]) is SuppressionReason.BOUNCE
    assert judge(replace(now, source=MAIL), []) is SuppressionReason.BOUNCE


def test_soft_bounces_are_enough_on_five_days_within_thirty() -> None:
    days = [1.0, 9.0, 17.0, 29.9]
    assert judge(bounce(SOFT), [bounce(SOFT, day) for day in days]) is SuppressionReason.BOUNCE
    assert judge(bounce(SOFT), [bounce(SOFT, day) for day in days[:-1]]) is None
    assert judge(bounce(SOFT), [bounce(SOFT, day) for day in (*days[:-1], 30.1)]) is None


def test_many_soft_bounces_on_one_day_are_one_and_other_kinds_none() -> None:
    before = [bounce(SOFT, 1 + hour / 100) for hour in range(20)]
    before += [bounce(OTHER, day) for day in range(2, 12)]
    assert judge(bounce(SOFT), before) is None


@given(st.lists(st.tuples(st.sampled_from([SOFT, OTHER]), st.floats(0, 60)), max_size=40))
def test_bounces_that_are_not_hard_never_suppress_on_too_few_days(
    before: list[tuple[BounceKind, float]],
) -> None:
    earlier = [bounce(kind, days) for kind, days in before]
    days = {each.at.date() for each in earlier if each.kind is SOFT and each.at > NOW - SPAN}
    enough = len(days | {NOW.date()}) >= SOFT_DAYS
    assert (judge(bounce(SOFT), earlier) is not None) is enough


def test_of_a_reason_code_and_status_can_be_had_alone() -> None:
    assert short_reason("550 5.1.1 <…>: user unknown") == "550 5.1.1"
    assert short_reason("reported as abuse") == ""
    assert short_reason("said by ada450") == ""


def test_a_reason_is_one_short_line_without_addresses() -> None:
    said = "550 5.1.1 <ada@example.org>:\r\n user\x07 unknown " + "x" * 9_000
    assert plain_reason(said).startswith("550 5.1.1 … user unknown xxx")
    assert len(plain_reason(said)) <= 300
