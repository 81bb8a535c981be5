from __future__ import annotations

import pytest

from digest.collect.reading.clean import Picture
from digest.collect.reading.images import choose
from digest.model.posts import Image

PIER = "https://harbour.example.org/pier.jpg"


def test_the_first_fitting_picture_is_chosen() -> None:
    assert choose([[], [Picture(url=PIER, alt="The pier", width=640, height=360)]]) == Image(
        url=PIER, alt="The pier", width=640, height=360
    )


def test_no_picture_is_no_picture() -> None:
    assert choose([]) is None


def test_of_several_sizes_the_widest_useful_one_is_chosen() -> None:
    sizes = [Picture(url=f"{PIER}?width={width}", width=width) for width in (140, 460, 1200, 5000)]
    chosen = choose([sizes])
    assert chosen is not None
    assert chosen.width == 1200


@pytest.mark.parametrize(
    "url",
    [
        "https://harbour.example.org/pier.svg",
        "https://harbour.example.org/pier.webp",
        "https://harbour.example.org/pier.avif?v=2",
        "https://cdn.example.org/pier?format=webp",
        "https://secure.gravatar.com/avatar/0123?s=512",
        "https://harbour.example.org/wp-includes/images/smilies/icon_smile.gif",
        "https://s.w.org/images/core/emoji/72x72/1f600.png",
        "https://harbour.example.org/logo.png",
        "http://192.168.1.1/pier.jpg",
        "http://169.254.169.254/latest/pier.jpg",
        "http://127.1/pier.jpg",
        "http://2130706433/pier.jpg",
        "http://0x7f.0x1/pier.jpg",
        "http://[::1]/pier.jpg",
        "http://[fe80::1%25eth0]:8080/pier.jpg",
        "http://localhost:8000/pier.jpg",
        "http://printer.localhost./pier.jpg",
        "https://pixel.wp.com/b.gif?blog=1",
        "https://feeds.feedburner.com/~r/harbour/~4/abc",
        "https://ad.doubleclick.net/pier.gif",
        "https://harbour.example.org/spacer.gif",
        "https://harbour.example.org/1x1.gif",
        "https://harbour.example.org/pier-150x150.jpg",
    ],
)
def test_pictures_that_emails_cannot_show_are_skipped(url: str) -> None:
    assert choose([[Picture(url=url)], [Picture(url=PIER)]]) == Image(url=PIER)


@pytest.mark.parametrize(
    "picture",
    [
        Picture(url=PIER, width=1, height=1),
        Picture(url=PIER, width=199),
        Picture(url=PIER, width=600, height=20),
        Picture(url=PIER, kind="image/webp"),
        Picture(url=PIER, kind="video/mp4"),
        Picture(url=PIER, label="wp-smiley"),
        Picture(url=PIER, label="avatar avatar-512"),
    ],
)
def test_pictures_of_an_unsuitable_size_are_skipped(picture: Picture) -> None:
    assert choose([[picture]]) is None


def test_a_folder_named_like_a_pixel_is_no_pixel() -> None:
    url = "https://space.example.org/styles/1x1_card/public/launch.jpg?itok=a"
    assert choose([[Picture(url=url, kind="image/jpeg")]]) == Image(url=url)


def test_a_size_in_the_name_is_believed() -> None:
    assert choose([[Picture(url="https://harbour.example.org/pier-1024x683.jpg")]]) == Image(
        url="https://harbour.example.org/pier-1024x683.jpg", width=1024, height=683
    )


@pytest.mark.parametrize("alt", ["IMG_2231.JPG", "pier-final.png", "DSC 0042", "image"])
def test_a_file_name_is_no_description(alt: str) -> None:
    assert choose([[Picture(url=PIER, alt=alt)]]) == Image(url=PIER)
