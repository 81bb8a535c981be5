"""The words of mail servers, by what they are about. Their use and order are in `answers`."""

from __future__ import annotations

import re

# ── words about us, and about what passes ───────────────────────────────────────────────────

SENDER_STATUS = re.compile(
    r"5\.1\.[78]$|5\.7\.(?:50\d|51[12]|60\d|70[58]|75\d)$"
)  # the latter: Microsoft 365
PERIOD = re.compile(
    r"\b(?:dai|hour|week|month)ly|(?:per|an?|this|each|every|last|past|/) ?(?:hour|day|week|month)\b"
    r"|\b\d+ ?(?:hours?|h|days?)\b|\btoday\b",
    re.IGNORECASE,
)
ALLOWANCE = re.compile(
    r"quota|\blimit|allowance|allotment|exceed|too many|maximum|\bmax\b|threshold|used up", re.IGNORECASE
)
_ACCOUNT = (
    r"(?:submission|sending|outgoing|outbound|sender(?:'s)?|relay(?:ing)?|account(?:'s)?|plan(?:'s)?|tenant"
    r"|subscription(?:'s)?|messages?|e-?mails?|recipients?)"
)
_QUOTA = r"(?:quota|limits?|allowance|allotment)\b"
ACCOUNT_QUOTA = re.compile(
    rf"submission ?quota|\b{_ACCOUNT}\W+(?:\w+\W+){{0,2}}?{_QUOTA}(?! of (?:the|this) (?:mailbox|user))"
    rf"|{_QUOTA} (?:of|for|on) (?:\w+ ){{0,2}}(?:{_ACCOUNT}|your)|your (?:\w+ ){{0,3}}{_QUOTA}"
    r"|(?:out of|no|not enough|insufficient) (?:\w+ ){0,2}credits?\b",
    re.IGNORECASE,
)
SIZE = re.compile(r"\bsizes?\b|too (?:large|big|long)|\bbytes\b|storage", re.IGNORECASE)
CONNECTIONS = re.compile(
    r"too many (?:\w+ ){0,3}(?:connections|sessions|clients)\b|\bconcurren|simultaneous|\bthread limit"
    r"|parallel (?:connections|sessions)|\bconnections?\W+(?:\w+\W+){0,2}(?:limit|exceeded)"
    r"|(?:limit|maximum|max\.?|number) (?:\w+ ){0,3}(?:connections|sessions)\b",
    re.IGNORECASE,
)
CONNECTION_RATE = re.compile(
    r"(?:connection|session)s? rate|connections? (?:per (?:second|minute)|too fast)", re.IGNORECASE
)
SESSION = re.compile(
    r"\b(?:per|in (?:this|one|a|the same)|this|single|for this) (?:\w+ )?(?:session|connection|channel)\b"
    r"|\b(?:session|connection) (?:\w+ )?(?:limit|lifetime|expired|over\b|too long)",
    re.IGNORECASE,
)
OUR_RATE = re.compile(
    r"throttl|(?:sending|send|message|mail|e-?mail|submission|connection|sender|outgoing) rates?\b"
    r"|\brate[ -]?(?:limit|control|exceed)|too (?:fast|quickly|frequently|much mail)|slow(?:er)? down"
    r"|(?:per|a|each|every|/) ?(?:\d+ )?(?:seconds?|minutes?)\b|maximum sending",
    re.IGNORECASE,
)
TOO_MUCH = re.compile(
    r"too (?:many|much)|exceed|\blimit|\bquota|maximum number|enough for now|\brate\b", re.IGNORECASE
)
GREYLISTED = re.compile(r"gr[ae]y-?\s?list", re.IGNORECASE)
INCOMING = re.compile(
    r"\breceiv(?:es|ing|ed)\b|\bincoming\b|\binbound\b|trying to (?:contact|reach)|over ?quota"
    r"|(?:mailbox|inbox|recipient|user)(?:'s)?\W+(?:\w+\W+){0,3}(?:full|over (?:its )?quota)"
    r"|(?:mailbox|inbox|disk) (?:\w+ ){0,2}quota",
    re.IGNORECASE,
)
_REPUTATION = (
    r"\b(?:black|block|deny)[ -]?list|(?<!not )\blisted (?:in|by|at|on)\b|dnsbl|\brbl\b|spamhaus|reputation"
    r"|\bblocked\b|\bbanned\b|client host|\bptr\b|reverse dns|unusual sending|suspicious (?:activity|login)"
    r"|your (?:ip|host|server|network|account|domain|mail server|sending)\b"
    r"|no (?:smtp )?service (?:here|for you)"
)
_PERMISSION = (
    r"permissions? to send|(?:not|n't) (?:allowed|permitted|authori[sz]ed|able) to (?:relay|send|use)"
    r"|\brelay(?:ing)?\b[^.;]{0,30}(?:denied|prohibit|not (?:allow|permit))"
    r"|unable to relay|(?:denied|no) relay"
    r"|authenticat(?:ion|e)\b[^.;]{0,30}(?:required|first|needed)|must (?:log ?in|authenticate|issue)"
    r"|access denied(?!.*recipient)"
)
_OUR_SENDER = (
    r"sender (?:\w+ ){0,3}(?:rejected|refused|denied|not (?:allowed|permitted|verified|owned|authori[sz]ed))"
    r"|(?:address|identit\w+|domain|from) (?:is |are )?not verified|not owned by user|bad outbound sender"
    r"|(?:account|user|tenant|service|sending|you)\b[^.;]{0,40}\b(?:suspended|restricted|paused)"
    r"|(?:disabled|deactivated) for sending"
)
REFUSES_US = re.compile("|".join((_REPUTATION, _PERMISSION, _OUR_SENDER)), re.IGNORECASE)

# ── words about the mailbox ─────────────────────────────────────────────────────────────────

TOO_LARGE = re.compile(r"[45]\.(?:2\.3|3\.4)$")
FULL = re.compile(
    r"quota|(?:mailbox|account|inbox|folder|maildir)[^.;]{0,30} full\b|(?:exceeded|out of) storage",
    re.IGNORECASE,
)
UNKNOWN = re.compile(
    r"(?:user|mailbox|recipient|account|address|alias|domain)\b[^.;]{0,60}?"
    r"\b(?:unknown|not found|not exist|n[o']t exist|doesn't exist|unavailable|not available|disabled|inactive"
    r"|deactivated|closed|invalid|not known|no longer)"
    r"|(?:unknown|no such|invalid|bad|nonexistent|non-existent|inactive) "
    r"(?:\w+ )?(?:user|mailbox|recipient|account|address|person|alias|domain)"
    r"|(?:doesn't|does not) have an? (?:\S+ )?account|(?:host|domain)(?: name)? not found"
    r"|no mailbox (?:here )?by that name|null mx|unrouteable (?:address|mail domain)",
    re.IGNORECASE,
)
ABOUT_US = re.compile(
    r"spam|junk|unsolicited|bulk|block|black|deny|dnsbl|\brbl\b|polic|reputation|dmarc|\bspf\b|dkim|complain"
    r"|authenticat|banned|virus|malware|sender|\bhelo\b|\behlo\b|\bfrom address|originator|\brelay|verif"
    r"|your (?:account|domain|ip|server|host)|\brate\b|too (?:many|much|fast|quickly)|temporar",
    re.IGNORECASE,
)
OUR_STATUS = re.compile(r"[45]\.(?:7\.\d+|1\.[78])$")  # policy; the sender's address
OUR_QUOTA = re.compile(
    r"\b(?:sending|hourly|daily|rate|sender(?:'s)?|messages?|connections?)\W+(?:\w+\W+)?quota", re.IGNORECASE
)
NO_RECIPIENT = re.compile(r"recipient address rejected: access denied", re.IGNORECASE)
# Words for other causes than the mailbox. They count more than 5.1.1 or "user", which servers add to many
# refusals: "550 5.1.1 the user's server is busy".
_THE_TEXT = r"phish|suspicious|\bcontent|attachment|filter|\bheaders?\b"
_ACCESS = (
    r"\bdenied|forbidden|prohibit|permission|not (?:allowed|permitted|authori[sz]ed)|unauthori[sz]ed"
    r"|\baccess\b|restrict|(?<!not )\blisted (?:in|by|at|on)\b"
)
_THE_SENDER = (
    r"client host|\bptr\b|\brdns\b|reverse (?:dns|lookup)|\bfrom:? (?:header|field|domain)|\bmail from\b"
    r"|\b(?:return|reverse|envelope)[ -](?:address|path)|your (?:e-?mail )?address|your network"
)
_THE_RATE = (
    r"too often|throttl|excessive|flood|gr[ea]ylist|frequen|\blimits?\b|\blater\b|at this time"
    r"|currently (?:un|not )|not found,? try again"
)
_CHOSEN = (
    r"accept\w*\b[^.;]{0,40}\bfrom\b|(?:not|n't|no longer) (?:want|wish)|unwanted|unwelcome|declin|opted"
    r"|refuses (?:your|this|any|mail|messages?|e-?mails?)|unsubscrib|preference|\bsettings\b|moderat|vacation"
    r"|out of office|(?:allow|white|safe)[ -]?list|contact list|contacts\b|members only"
    r"|only (?:accept|known|approved|members)"
)
_A_FAULT = (
    r"(?:server|(?<!name )service|system|database|store|backend|directory|ldap|network|connection|disk"
    r"|internal|lookup|configuration|resolver|dns)"
    r"(?: (?:is|was|are|has|had|an?|currently|too|internal|lookup|query|service)){0,4}"
    r" (?:unavailable|not available|not respond|unreachable|error\b(?!.*nxdomain)|fail|fault|down\b|offline"
    r"|busy|problem|trouble|full\b)"
    r"|servfail|overload|maintenance|\bloop|\bhops?\b|misconfigur|malfunction|time[d -]*out|out of memory"
    r"|insufficient (?:system|disk|memory|resource)"
    r"|(?:unable|failed) to (?:look|resolve|connect|contact|reach)"
)
ANOTHER_CAUSE = re.compile(
    "|".join((_THE_TEXT, _ACCESS, _THE_SENDER, _THE_RATE, _CHOSEN, _A_FAULT)), re.IGNORECASE
)
OWN_CHOICE = re.compile(rf"{_CHOSEN}|blocked you", re.IGNORECASE)
