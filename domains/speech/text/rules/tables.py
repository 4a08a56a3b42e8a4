"""Tables of English: months, abbreviations, currencies, states, and words for other rules."""

from oneleap.domains.audio.english.word_lists import word_list

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

SHORT_MONTHS = {month[:3]: month for month in MONTHS if month != "May"} | {"Sept": "September"}

WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

STARTERS = word_list("sentence starters")
"""Words that often begin a sentence."""

TITLES = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "dr": "Doctor", "prof": "Professor",
    "capt": "Captain", "gen": "General", "col": "Colonel", "lt": "Lieutenant", "sgt": "Sergeant",
    "cpl": "Corporal", "maj": "Major", "adm": "Admiral", "cmdr": "Commander", "rev": "Reverend",
    "hon": "Honorable", "gov": "Governor", "sen": "Senator", "rep": "Representative",
    "pres": "President", "st": "Saint", "ste": "Saint", "mt": "Mount", "ft": "Fort",
    "msgr": "Monsignor", "fr": "Father", "supt": "Superintendent", "insp": "Inspector",
}  # fmt: skip
"""Short forms before a name."""

STREETS = {
    "st": "Street", "ave": "Avenue", "blvd": "Boulevard", "rd": "Road", "dr": "Drive",
    "ln": "Lane", "ct": "Court", "pl": "Place", "sq": "Square", "hwy": "Highway",
    "pkwy": "Parkway", "ter": "Terrace", "apt": "Apartment", "ste": "Suite", "bldg": "Building",
}  # fmt: skip
"""Short forms after the name of a street."""

BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "nr": "number", "fig": "figure", "figs": "figures",
    "vol": "volume", "vols": "volumes", "p": "page", "pp": "pages", "pg": "page", "ch": "chapter",
    "chap": "chapter", "sec": "section", "sect": "section", "art": "article", "eq": "equation",
    "eqs": "equations", "ref": "reference", "refs": "references", "tab": "table", "pt": "part",
    "vs": "versus", "ca": "circa", "c": "circa", "ext": "extension", "par": "paragraph",
    "rm": "room", "hwy": "highway", "rte": "route", "bk": "book", "ver": "version",
    "op": "opus", "al": "al", "v": "volume", "apt": "apartment", "bldg": "building",
}  # fmt: skip
"""Short forms before a number. Many are also words or ends of sentences elsewhere."""

ALWAYS = {
    "vs": "versus", "dept": "department", "approx": "approximately", "govt": "government",
    "esp": "especially", "incl": "including", "misc": "miscellaneous", "viz": "namely",
    "cf": "compare", "tel": "telephone", "asst": "assistant", "assoc": "associate",
    "attn": "attention", "bros": "brothers", "natl": "national", "intl": "international",
    "univ": "university", "temp": "temperature", "appt": "appointment", "admin": "administration",
    "abbr": "abbreviation", "resp": "respectively", "vol": "volume", "fig": "figure",
    "max": "maximum", "min": "minimum", "avg": "average", "qty": "quantity", "orig": "original",
    "blvd": "boulevard", "ave": "avenue", "mfg": "manufacturing", "mgmt": "management",
    "lieut": "lieutenant", "prof": "professor", "capt": "captain", "sgt": "sergeant",
    "messrs": "messieurs", "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor",
}  # fmt: skip
"""Short forms that end in a full stop and hardly ever end a sentence."""

MAY_END = {
    "etc": "et cetera", "inc": "Incorporated", "corp": "Corporation", "co": "Company",
    "ltd": "Limited", "jr": "Junior", "sr": "Senior", "esq": "Esquire", "bros": "Brothers",
    "est": "established", "ed": "edition", "yrs": "years", "hrs": "hours", "mins": "minutes",
    "secs": "seconds", "wk": "week", "yr": "year", "hr": "hour", "mo": "month", "al": "al",
}  # fmt: skip
"""Short forms that end in a full stop and may end a sentence."""

PHRASES = {
    "e.g.": "for example", "i.e.": "that is", "a.k.a.": "also known as", "OK": "okay",
    "O.K.": "okay", "w/o": "without", "w/": "with ", "b/c": "because", "c/o": "care of",
    "n/a": "not applicable", "&c.": "et cetera",
    "et al.": "et al", "C++": "C plus plus", "C#": "C sharp", "F#": "F sharp", "AC/DC": "A C D C",
    "24/7": "twenty four seven", "9/11": "nine eleven", "TCP/IP": "T C P I P",
    "y'all": "y'all", ".NET": "dot net", "Ph.D.": "P H D", "PhD": "P H D", "km/h": "km/h",
}  # fmt: skip
"""Short forms with signs inside."""

STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
    "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa",
    "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland",
    "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee",
    "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "DC": "D C",
}  # fmt: skip

NUMBERED = word_list("numbered nouns")
"""Nouns that a Roman numeral numbers: Chapter IV is chapter four."""

REIGNS = word_list("names of rulers")
"""Names of rulers: Henry VIII is Henry the eighth."""

RULERS = word_list("titles of rulers")
"""Titles before the name of a ruler."""

NO_NOUNS = word_list("no nouns after an amount")
"""Words after an amount that do not make it an adjective: a $5 bill, but $5 in cash."""
