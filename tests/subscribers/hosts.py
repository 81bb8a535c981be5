"""Hosts as people write them, and the same hosts as browsers write them (WHATWG URL Standard, UTS 46)."""

from __future__ import annotations

# A test of tests/render asks Chromium for the same answers.
IN_A_BROWSER: dict[str, str | None] = {
    # letter case, underscores and hyphens
    "Harbour.Example": "harbour.example",
    "my_host.example": "my_host.example",
    "a--b.example": "a--b.example",
    "-ü.example": "xn----eha.example",
    # letters that RFC 3490 of 2003 made into others, and their capitals
    "gruß.example": "xn--gru-7ka.example",
    "GRUẞ.example": "xn--gru-7ka.example",
    "GRUSS.example": "gruss.example",
    "ὁδός.example": "xn--pxa2a3a576w.example",
    "ὉΔΌΣ.example": "xn--pxa4a0a576w.example",
    "ΟΔΟΣ": "xn--pxavbq",
    # joiners: kept where they join, refused elsewhere
    "نامه\u200cای.example": "xn--mgba3gch31f060k.example",
    "ශ්\u200dරී.example": "xn--10cl1a0b660p.example",
    "ha\u200drbour.example": None,
    "میل\u200c.example": None,
    # names that IDNA 2008 refuses
    "i❤.example": "xn--i-7iq.example",
    "i❤\ufe0f.example": "xn--i-7iq.example",
    "⛵.example": "xn--kbi.example",
    "½.example": "xn--12-c6t.example",
    # one name, several spellings
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "bücher。example": "xn--bcher-kva.example",
    "bücher．example": "xn--bcher-kva.example",
    "bücher｡example": "xn--bcher-kva.example",
    "XN--BCHER-KVA.Example": "xn--bcher-kva.example",
    "ｈａｒｂｏｕｒ.example": "harbour.example",
    "har\u00adbour.example": "harbour.example",
    "İzmir.example": "xn--izmir-7fd.example",
    # other scripts, and both directions in one name
    "日本語.example": "xn--wgv71a119e.example",
    "नाव.example": "xn--l2b0a0a.example",
    "مرفأ.example": "xn--igb1ayco.example",
    "مرفأ1.example": "xn--1-qmc5bwdsa.example",
    "1.مرفأ.example": None,
    "boot.מעגן.example": "boot.xn--6dbxek.example",
    # DNS refuses these, browsers do not
    "ü..example": "xn--tda..example",
    "ü.example.": "xn--tda.example.",
    "ü" * 63 + ".example": f"xn--tda{'a' * 62}.example",
    # A-labels beside other letters
    "ü.xn--bcher-kva.example": "xn--tda.xn--bcher-kva.example",
    "ü.xn--ls8h.example": "xn--tda.xn--ls8h.example",
    "ü.xn--a.example": None,
    "ü.xn--.example": None,
    "ü.xn--u-ccb.example": None,
    "xn--bücher.example": None,
    # what is not a host
    "\u0301harbour.example": None,
    "ha℀bour.example": None,
    "har‥bour.example": None,
    "bü%cher.example": None,
    "bü:cher": None,
}
