from __future__ import annotations

from pathlib import Path

import pytest

from digest.message.folder import FolderTransport, file_name
from digest.model.errors import TransportError
from digest.model.messages import Message, Outcome

DATA = b"To: reader@example.org\r\nMessage-ID: <daily-2026-11-22.abc@news.example.org>\r\n\r\nHello\r\n"
MESSAGE = Message.whole(1, "daily@news.example.org", "reader@example.org", DATA)


def test_a_message_is_one_file_with_its_exact_bytes(tmp_path: Path) -> None:
    (receipts,) = FolderTransport(tmp_path / "out" / "box").carry(iter([[MESSAGE]]))
    (path,) = (tmp_path / "out" / "box").iterdir()
    assert path.name == "daily-2026-11-22.abc.eml"
    assert path.read_bytes() == DATA
    assert [(receipt.key, receipt.outcome, receipt.code) for receipt in receipts] == [
        (1, Outcome.ACCEPTED, 250)
    ]


def test_a_message_written_twice_is_the_same_file(tmp_path: Path) -> None:
    list(FolderTransport(tmp_path).carry(iter([[MESSAGE], [MESSAGE]])))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("evil", [b"../../up", b"..", b"a/b\\c", b"\x00", b"\xff" * 400, b".hidden"])
def test_no_message_id_leads_out_of_the_folder(evil: bytes, tmp_path: Path) -> None:
    message = MESSAGE._replace(parts=(b"Message-ID: <" + evil + b"@x>\r\n\r\n",))
    list(FolderTransport(tmp_path / "box").carry(iter([[message]])))
    (path,) = tmp_path.rglob("*.eml")
    assert path.parent == tmp_path / "box"
    assert not path.name.startswith(".")
    assert len(path.name) < 200


def test_only_the_headers_name_the_file() -> None:
    message = MESSAGE._replace(parts=(b"To: a\r\n\r\nMessage-ID: <b@x>\r\n",))
    assert file_name(message) == "message-1.eml"


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TransportError, match="cannot be made"):
        list(FolderTransport(tmp_path / "file").carry(iter([[MESSAGE]])))


def test_a_message_that_cannot_be_written_is_unsent_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "daily-2026-11-22.abc.eml").mkdir()
    other = Message.whole(2, MESSAGE.sender, MESSAGE.recipient, DATA.replace(b"abc", b"def"))
    (receipts,) = FolderTransport(tmp_path).carry(iter([[MESSAGE, other]]))
    assert [receipt.outcome for receipt in receipts] == [Outcome.UNSENT, Outcome.ACCEPTED]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "daily-2026-11-22.abc.eml",
        "daily-2026-11-22.def.eml",
    ]
