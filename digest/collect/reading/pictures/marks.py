"""The marks by which pictures are recognised that are not of a story: words, addresses, sizes, links."""

from __future__ import annotations

import re

# The formats of the Interactive Advertising Bureau, and older ones. The first are shaped like no photograph.
_FORMATS = """728x90 468x60 160x600 120x600 300x600 970x250 970x90 320x50 320x100 300x50 234x60 120x240
    120x90 88x31 300x1050 980x120 930x180 300x250 336x280 1456x180 1940x500 1940x180 936x120 640x100
    640x200"""
_PERHAPS_FORMATS = "250x250 200x200 180x150 125x125 240x400 580x400 300x300 600x500 672x560 320x480"
_NETWORKS = """facebook fb twitter tweet x linkedin pinterest pin pinit whatsapp reddit instagram mastodon
    bluesky telegram tumblr digg stumbleupon delicious googleplus gplus google mail email print printer rss
    feed atom youtube threads flipboard pocket instapaper evernote vk xing line buffer skype messenger flattr
    technorati slashdot newsvine permalink share sharethis addthis addtoany"""
_ICON = """icon icons ico logo logos button buttons btn badge badges img image follow us on like sharing
    social add to sm small square round circle color colour black white blue red grey gray flat new the f save
    mini it this type plus"""
_FILES = """pdf doc docx xls xlsx ppt pptx zip word excel powerpoint mp3 mp4 csv txt epub ods odt file
    document download acrobat"""
_PHOTOS = """flickr.com staticflickr.com ytimg.com youtube.com youtu.be vimeo.com vimeocdn.com wikimedia.org
    wikipedia.org unsplash.com imgur.com instagram.com 500px.com pexels.com"""
_NO_VERB = frozenset(["x", "line", "pin", "google", "share"])  # too common in descriptions

AD_FORMATS = frozenset(_FORMATS.split())
PERHAPS_AD_FORMATS = frozenset(_PERHAPS_FORMATS.split())  # of advertisements, but also of photographs
NETWORKS = frozenset(_NETWORKS.split())
ICON_WORDS = frozenset(_ICON.split())
FILE_KINDS = frozenset(_FILES.split())
PHOTO_SITES = frozenset(_PHOTOS.split())  # pictures are linked to them to name their source
_NETWORK = "|".join(sorted(NETWORKS - _NO_VERB))
_TRACKING_FILE = "pixel|spacer|blank|clear|transparent|1x1|beacon|track(er|ing)?"


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(patterns)})", re.IGNORECASE)


BEACON = _any_of(
    r"feeds\.feedburner\.com/~|pixel\.(wp\.com|quantserve)|stats\.wordpress\.com|feeds\.wordpress\.com/1\.0/",
    r"doubleclick\.net|google-analytics\.com|googlesyndication|amazon-adsystem|assoc-amazon|adnxs\.com",
    r"adsrvr\.org|feedsportal\.com|statcounter\.com|scorecardresearch|facebook\.com/tr\b|rss\.buysellads",
    r"quantserve\.com|(matomo|piwik|owa|awstats)\.(php|js|gif)|[?&](idsite|action_name|piwik_\w+)=",
    r"/(matomo|piwik)/|/b/ss/|/__utm\.gif|/__ptq\.gif|[?&](utmac|tid)=UA-|medium\.com/_/stat",
    r"feedpress\.(me|com)/|feedblitz\.com|/(wf|track)/open\b|/open\.(php|aspx|gif)|list-manage\.com/track",
    r"/o\.gif|/imp(ression)?\.(gif|php)|/impression[?/]|/rss/pixel|/(collect|beacon|pixel|tracking)(/|\?|$)",
    r"^https?://(stats?|pixels?|beacons?|counters?|hits?|track(er|ing)?|analytics|metrics|telemetry|clicks?)\.",
    r"/(b|mf|open|count(er)?|hit|stats?|log|ping|collect|tr)\.(gif|php)\b",
    rf"/({_TRACKING_FILE})([-_]\w{{1,12}})?\.(gif|png|jpe?g|php)",
)
SHARE_ALT = _any_of(
    r"(add|share|post|save|submit|send|follow|like|tweet|pin|find|join)( us| me| this| it)?"
    rf"( (to|on|via|by|with|at))? (\w+ )?({_NETWORK}|x)\W*",
    rf"({_NETWORK})( (icon|logo|button))?|tweet( this)?|share( this)?|pin it|like this",
    r"e?mail this|print this|(rss|atom)( feed)?|share\W.{0,20}|subscribe( .{0,20})?|follow (us|me)\b.{0,20}",
)
SHARE_LINK = _any_of(
    r"facebook\.com/(sharer|share\.php|dialog)|(twitter|x)\.com/(intent|share|home\?status)|addtoany\.com",
    r"linkedin\.com/(shareArticle|sharing)|pinterest\.\w+/pin/create|reddit\.com/submit|addthis\.com|wa\.me/",
    r"whatsapp\.com/send|whatsapp:|t\.me/share|tumblr\.com/share|digg\.com/submit|stumbleupon\.com/submit",
    r"del\.icio\.us|delicious\.com/(save|post)|getpocket\.com/save|feeds\.wordpress\.com/1\.0/go|mailto:",
    r"plus\.google\.com/share|feeds\.feedburner\.com/~ff|bsky\.app/intent",
)
# Pages on which readers subscribe, join or give. A picture that leads there is a button, whatever its size.
CALL_LINK = _any_of(
    r"^https?://([\w-]+\.)*(patreon|ko-fi|buymeacoffee|liberapay|steadyhq|opencollective|tipeee|memberful)\.com?\b",
    r"//(play\.google|apps\.apple)\.com",
    r"[/.](subscribe|subscriptions?|sign-?up|newsletters?|donate|donations?|membership|become-a-\w+|support-us|join(-us)?"
    r"|abo|abonnieren|abonnements?|spenden?|s-abonner|soutenir|faire-un-don|dons?|infolettre|suscri\w+|bolet[ií]n"
    r"|hazte-\w+|dona|abbonati|sostienici|assine|apoie|doneer|steun-ons)/?([?#]|$)",
)
FILE_ICONS = _any_of(r"/(file-?icons?|mime-?(types?|icons?)?|file-?types?|crystal)/")
AVATAR = _any_of(
    r"gravatar\.com|avatars?/|/avatars?[./]|\s(\S+-)?avatar\b|/profile_images/|/userpics?/",
    r"/(profile|author|user|member)[-_]?(pics?|images?|photos?|pictures?)(/|[-_.])",
    r"profile[-_]?(pic|image|photo)|\bauthor[-_](image|photo|pic|img)\b|[-_/]headshots?[-_./]",
)
AVATAR_NAME = _any_of("avatar")
EMOJI = _any_of(r"smil(ey|ies)|emoji|emoticon|twemoji|s\.w\.org/images/core")
LOGO = _any_of(r"(?:^|[-_./\s])(favicon|logo|logotype|icon|apple-touch|wordmark)s?(?=$|[-_.\s/\d])")
LOGO_PART = _any_of(r"logos?(?=$|[-_.\s\d])")  # but also of photographs: "catalogo.jpg"
LOGO_FOLDER = _any_of(r"/(icons?|logos?)/")
BADGE = _any_of(
    r"shields\.io|badge(?!r)|88x31|creativecommons\.org|[-_/.]cc[-_]by|buy[-_]?me[-_]?a[-_]?coffee|ko-?fi\b",
    r"donate|paypal|patreon|become-a-(patron|member|supporter)|subscribe-?(now|today|here|button)|google[-_]?play|app[-_]?store",
    r"(?:^|[-_./])(btn|buttons?|award-seal|arrows?|bullets?|divider|separator|ribbon)s?(?=$|[-_.\d])",
)
AD_WORD = _any_of(
    r"(?:^|[-_./\s=%+])(banners?|ads?|advert\w{0,12}|adserver|adimages?|sponsor(ed|s|ship)?|affiliates?"
    r"|leaderboard|skyscraper|728x90|468x60|300x250|970x250|160x600|300x600|336x280|320x50)"
    r"(?=$|[-_./\s]|\d{1,2}(?![a-z\d]))",
)
AD_LINK = _any_of(
    r"[?&](aff\w{0,10}|affiliate\w*|partner\w*|tag|ref|clickid|subid|coupon|promo\w*)=|doubleclick|amzn\.to",
    r"utm_medium=(banner|cpc|ad|display|affiliate)|/(aff|affiliates?|go|click|ads?|sponsor)/|clickbank|adclick",
    r"awin1\.com|shareasale|anrdoezrs|jdoqocy|tkqlhce|dpbolvw|kqzyfj|linksynergy|prf\.hn|a8\.net|valuecommerce",
)
IMAGE_KIND = re.compile(r"image/(jpe?g|jfif|pjpeg|x-png|png|gif|webp|avif|\*)?$", re.IGNORECASE)
WRONG_KIND = re.compile(
    r"\.(svgz?|ico|bmp|tiff?|heic|heif|psd|eps|mp4|m4v|mov|webm|mp3|m4a|ogg|pdf|html?|js|css)$", re.IGNORECASE
)
