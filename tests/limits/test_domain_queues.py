from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.limits.allowances import take_ahead
from digest.limits.domain_queues import DomainQueues, share_out
from digest.limits.limits import Limits, Meter, Rules, domain_rules, parse_limit, take
from digest.model.deliveries import Recipient

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
GMAIL = domain_rules("gmail.com", "googlemail.com", limits=(parse_limit("10 per second"),))
SERVER = Rules(scope="server smtp.example.org", limits=(parse_limit("100 per second"),))


def readers(count: int, domain: str, start: int = 0) -> list[Recipient]:
    return [Recipient(start + n, f"reader{n}@{domain}") for n in range(count)]


def take_tokens(queues: DomainQueues, now: datetime, most: int = 10_000) -> None:
    """Take the tokens that a run would take, from meters that nobody else uses."""
    for scope, wish in queues.wishes(now).items():
        allowance, _ = take_ahead(queues.rules(scope), queues.meter(scope), min(wish, most), now)
        queues.hold({scope: allowance})


def domains(group: list[Recipient]) -> list[str]:
    return [reader.address.rpartition("@")[2] for reader in group]


def test_without_limits_readers_go_in_the_order_they_came() -> None:
    queues = DomainQueues(Limits())
    queues.add(readers(5, "gmail.com"))
    assert [reader.subscriber_id for reader in queues.next_group(3, NOW)] == [0, 1, 2]
    assert [reader.subscriber_id for reader in queues.next_group(3, NOW)] == [3, 4]
    assert queues.empty
    assert queues.scopes(readers(1, "gmail.com")) == []


def test_a_limited_domain_delays_nobody_else() -> None:
    queues = DomainQueues(Limits(domains=(GMAIL,)))
    queues.add([*readers(50, "gmail.com"), *readers(50, "example.org", 50)])
    take_tokens(queues, NOW)
    first = queues.next_group(20, NOW)
    queues.spend(first, NOW)
    assert domains(first).count("gmail.com") == 3, "what the small bucket holds"
    second = queues.next_group(40, NOW)
    assert set(domains(second)) == {"example.org"}
    assert len(second) == 33, "all who are left"


def test_domains_of_a_group_count_as_one() -> None:
    queues = DomainQueues(Limits(domains=(GMAIL,)))
    queues.add([*readers(5, "gmail.com"), *readers(5, "GoogleMail.com", 5)])
    take_tokens(queues, NOW)
    group = queues.next_group(20, NOW)
    assert len(group) == 3
    queues.spend(group, NOW)
    assert {scope: each.used for scope, each in queues.allowances.items()} == {GMAIL.scope: 3}


def test_readers_without_tokens_wait_in_their_order() -> None:
    queues = DomainQueues(Limits(server=SERVER))
    queues.add(readers(60, "example.org"))
    assert queues.next_group(26, NOW) == [], "before any were taken"
    take_tokens(queues, NOW)
    first = queues.next_group(50, NOW)
    queues.spend(first, NOW)
    assert [reader.subscriber_id for reader in first] == list(range(26))
    later = queues.next_group(50, NOW + timedelta(milliseconds=200))
    assert [reader.subscriber_id for reader in later] == list(range(26, 46))


def test_tokens_of_messages_that_did_not_go_can_be_used_by_others() -> None:
    queues = DomainQueues(Limits(server=SERVER))
    queues.add(readers(60, "example.org"))
    take_tokens(queues, NOW)
    group = queues.next_group(26, NOW)
    queues.spend(group[:20], NOW)
    assert len(queues.next_group(50, NOW + timedelta(milliseconds=100))) == 6 + 10


def test_no_tokens_of_a_domain_are_asked_for_while_the_server_gives_none() -> None:
    daily = Rules(scope="server", limits=(parse_limit("5 per day"),))
    queues = DomainQueues(Limits(server=daily, domains=(GMAIL,)))
    queues.add(readers(60, "gmail.com"))
    assert queues.wishes(NOW).keys() == {"server", GMAIL.scope}
    queues.see({"server": take(daily, Meter(), 5, NOW)})
    assert queues.wishes(NOW) == {}


def seconds(late: list[tuple[Recipient, datetime]]) -> list[float]:
    return [(due_at - NOW).total_seconds() for _, due_at in late]


def test_readers_who_must_wait_long_are_given_back_with_a_time() -> None:
    queues = DomainQueues(Limits(domains=(GMAIL,)))
    queues.add(readers(1_000, "gmail.com"))
    late = list(queues.late(NOW))
    assert [reader.subscriber_id for reader, _ in late] == list(range(303, 1_000))
    assert seconds(late)[:3] == [15.05, 15.15, 15.25], "half a minute before its turn is half of it"
    take_tokens(queues, NOW)
    assert len(queues.next_group(50, NOW)) == 3
    queues.add(readers(400, "gmail.com", 1_000))
    assert seconds(list(queues.late(NOW)))[0] == 84.75, "behind those of before"


def test_when_a_quota_is_used_up_all_readers_are_given_back_until_it_is_free() -> None:
    daily = domain_rules("gmail.com", limits=(parse_limit("5 per day"),))
    queues = DomainQueues(Limits(domains=(daily,)))
    queues.see({daily.scope: take(daily, Meter(), 5, NOW)})
    queues.add(readers(300, "gmail.com"))
    assert queues.next_group(50, NOW) == []
    assert {due_at for _, due_at in queues.late(NOW)} == {NOW + timedelta(days=1)}
    assert queues.empty


def test_no_more_readers_are_claimed_than_the_server_lets_go_soon() -> None:
    slowly = Rules(scope="server", limits=(parse_limit("2 per second"),))
    queues = DomainQueues(Limits(server=slowly))
    assert queues.reach(1_000, NOW) == 61
    closed = Rules(scope="server", limits=(parse_limit("5 per day"),))
    queues = DomainQueues(Limits(server=closed))
    queues.see({"server": take(closed, Meter(), 5, NOW)})
    assert queues.reach(1_000, NOW) == 0
    assert queues.server_at(NOW) == NOW + timedelta(days=1)


@given(wants=st.dictionaries(st.text(max_size=2), st.integers(1, 50), max_size=6), total=st.integers(0, 200))
def test_a_total_is_shared_evenly(wants: dict[str, int], total: int) -> None:
    total = min(total, sum(wants.values()))
    shares = share_out(wants, total)
    assert sum(shares.values()) == total
    unsatisfied = [shares[name] for name in wants if shares[name] < wants[name]]
    assert all(shares[name] <= wants[name] for name in wants)
    assert not unsatisfied or max(unsatisfied) - min(unsatisfied) <= 1
    assert not unsatisfied or max(shares.values()) <= max(unsatisfied) + 1
