from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.limits.domain_queues import DomainQueues, share_out
from digest.limits.limits import Limits, Meter, Rules, domain_rules, parse_limit, take
from digest.model.deliveries import Recipient

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
GMAIL = domain_rules("gmail.com", "googlemail.com", limits=(parse_limit("10 per second"),))
SERVER = Rules(scope="server smtp.example.org", limits=(parse_limit("100 per second"),))


def readers(count: int, domain: str, start: int = 0) -> list[Recipient]:
    return [Recipient(start + n, f"reader{n}@{domain}") for n in range(count)]


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
    first = queues.admit(queues.next_group(20, NOW), NOW)
    queues.spend(first, NOW)
    assert domains(first).count("gmail.com") == 3, "what the small bucket holds"
    second = queues.next_group(40, NOW)
    assert set(domains(second)) == {"example.org"}
    assert len(second) == 33, "all who are left"


def test_domains_of_a_group_count_as_one() -> None:
    queues = DomainQueues(Limits(domains=(GMAIL,)))
    queues.add([*readers(5, "gmail.com"), *readers(5, "GoogleMail.com", 5)])
    group = queues.admit(queues.next_group(20, NOW), NOW)
    assert len(group) == 3
    assert list(queues.spend(group, NOW)) == [GMAIL.scope]


def test_readers_who_are_not_admitted_wait_in_front_of_the_others() -> None:
    queues = DomainQueues(Limits(server=SERVER))
    queues.add(readers(60, "example.org"))
    hopeful = queues.next_group(26, NOW)
    queues.see({SERVER.scope: take(SERVER, Meter(), 20, NOW)})
    assert [reader.subscriber_id for reader in queues.admit(hopeful, NOW)] == [0, 1, 2, 3, 4, 5]
    later = queues.next_group(50, NOW + timedelta(seconds=1))
    assert [reader.subscriber_id for reader in later][:3] == [6, 7, 8]


def seconds(late: list[tuple[Recipient, datetime]]) -> list[float]:
    return [(due_at - NOW).total_seconds() for _, due_at in late]


def test_readers_who_must_wait_long_are_given_back_with_a_time() -> None:
    queues = DomainQueues(Limits(domains=(GMAIL,)))
    queues.add(readers(1_000, "gmail.com"))
    late = list(queues.late(NOW))
    assert [reader.subscriber_id for reader, _ in late] == list(range(303, 1_000))
    assert seconds(late)[:3] == [15.05, 15.15, 15.25], "half a minute before its turn is half of it"
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
