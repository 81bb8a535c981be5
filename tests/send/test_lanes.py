from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from digest.send.lanes import Lanes, share_out
from digest.send.limits import Limits, Meter, Rules, domain_rules, parse_limit, take
from digest.send.message import Addressee

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
GMAIL = domain_rules("gmail.com", "googlemail.com", limits=(parse_limit("10 per second"),))
SERVER = Rules(scope="server smtp.example.org", limits=(parse_limit("100 per second"),))


def readers(count: int, domain: str, start: int = 0) -> list[Addressee]:
    return [Addressee(start + n, f"reader{n}@{domain}") for n in range(count)]


def domains(group: list[Addressee]) -> list[str]:
    return [reader.address.rpartition("@")[2] for reader in group]


def test_without_limits_readers_go_in_the_order_they_came() -> None:
    lanes = Lanes(Limits())
    lanes.add(readers(5, "gmail.com"))
    assert [reader.subscriber_id for reader in lanes.next_group(3, NOW)] == [0, 1, 2]
    assert [reader.subscriber_id for reader in lanes.next_group(3, NOW)] == [3, 4]
    assert lanes.empty
    assert lanes.scopes(readers(1, "gmail.com")) == []


def test_a_limited_domain_delays_nobody_else() -> None:
    lanes = Lanes(Limits(domains=(GMAIL,)))
    lanes.add([*readers(50, "gmail.com"), *readers(50, "example.org", 50)])
    first = lanes.admit(lanes.next_group(20, NOW), NOW)
    lanes.spend(first, NOW)
    assert domains(first).count("gmail.com") == 3, "what the small bucket holds"
    second = lanes.next_group(40, NOW)
    assert set(domains(second)) == {"example.org"}
    assert len(second) == 33, "all who are left"


def test_domains_of_a_group_count_as_one() -> None:
    lanes = Lanes(Limits(domains=(GMAIL,)))
    lanes.add([*readers(5, "gmail.com"), *readers(5, "GoogleMail.com", 5)])
    group = lanes.admit(lanes.next_group(20, NOW), NOW)
    assert len(group) == 3
    assert list(lanes.spend(group, NOW)) == [GMAIL.scope]


def test_whoever_is_not_admitted_waits_in_front_of_the_others() -> None:
    lanes = Lanes(Limits(server=SERVER))
    lanes.add(readers(60, "example.org"))
    hopeful = lanes.next_group(26, NOW)
    lanes.see({SERVER.scope: take(SERVER, Meter(), 20, NOW)})
    assert [reader.subscriber_id for reader in lanes.admit(hopeful, NOW)] == [0, 1, 2, 3, 4, 5]
    later = lanes.next_group(50, NOW + timedelta(seconds=1))
    assert [reader.subscriber_id for reader in later][:3] == [6, 7, 8]


def seconds(late: list[tuple[Addressee, datetime]]) -> list[float]:
    return [(due_at - NOW).total_seconds() for _, due_at in late]


def test_who_must_wait_long_is_given_back_with_the_time_to_come_again() -> None:
    lanes = Lanes(Limits(domains=(GMAIL,)))
    lanes.add(readers(1_000, "gmail.com"))
    late = list(lanes.late(NOW))
    assert [reader.subscriber_id for reader, _ in late] == list(range(303, 1_000))
    assert seconds(late)[:3] == [15.05, 15.15, 15.25], "half a minute before its turn is half of it"
    assert len(lanes.next_group(50, NOW)) == 3
    lanes.add(readers(400, "gmail.com", 1_000))
    assert seconds(list(lanes.late(NOW)))[0] == 84.75, "behind those of before"


def test_a_quota_that_is_used_up_gives_everybody_back_until_it_opens() -> None:
    daily = domain_rules("gmail.com", limits=(parse_limit("5 per day"),))
    lanes = Lanes(Limits(domains=(daily,)))
    lanes.see({daily.scope: take(daily, Meter(), 5, NOW)})
    lanes.add(readers(300, "gmail.com"))
    assert lanes.next_group(50, NOW) == []
    assert {due_at for _, due_at in lanes.late(NOW)} == {NOW + timedelta(days=1)}
    assert lanes.empty


def test_no_more_readers_are_claimed_than_the_server_lets_go_before_long() -> None:
    slowly = Rules(scope="server", limits=(parse_limit("2 per second"),))
    lanes = Lanes(Limits(server=slowly))
    assert lanes.reach(1_000, NOW) == 61
    closed = Rules(scope="server", limits=(parse_limit("5 per day"),))
    lanes = Lanes(Limits(server=closed))
    lanes.see({"server": take(closed, Meter(), 5, NOW)})
    assert lanes.reach(1_000, NOW) == 0
    assert lanes.server_at(NOW) == NOW + timedelta(days=1)


@given(wants=st.dictionaries(st.text(max_size=2), st.integers(1, 50), max_size=6), total=st.integers(0, 200))
def test_what_there_is_is_shared_evenly(wants: dict[str, int], total: int) -> None:
    total = min(total, sum(wants.values()))
    shares = share_out(wants, total)
    assert sum(shares.values()) == total
    unsatisfied = [shares[name] for name in wants if shares[name] < wants[name]]
    assert all(shares[name] <= wants[name] for name in wants)
    assert not unsatisfied or max(unsatisfied) - min(unsatisfied) <= 1
    assert not unsatisfied or max(shares.values()) <= max(unsatisfied) + 1
