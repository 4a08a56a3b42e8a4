"""Tables of English: months, abbreviations, currencies, states, and words for other rules."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

SHORT_MONTHS = {month[:3]: month for month in MONTHS if month != "May"} | {"Sept": "September"}

WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

STARTERS = frozenset(
    "A After All Also Although An And Another As At Because Before But By During Each Even Every "
    "For From He Her Here His How However I If In It Its Let Many Most My Next No Not Now On Once "
    "One Only Or Our She Since So Some Such That The Their Then There These They This Those "
    "Though Thus To Two Under Until We What When Where While Who Why With Yes Yet You Your".split()
)
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
    "rm": "room", "hwy": "highway", "rte": "route", "bk": "book", "ver": "version", "op": "opus", "al": "al", "v": "volume",
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
    "e.g.": "for example", "i.e.": "that is", "a.k.a.": "also known as", "OK": "okay", "O.K.": "okay", "w/o": "without",
    "w/": "with ", "b/c": "because", "c/o": "care of", "n/a": "not applicable", "&c.": "et cetera",
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

NUMBERED = frozenset(
    "act annex apollo appendix article battalion book canto category chapter class clause corps "
    "division episode exhibit figure form game gate generation grade group key level lesson line "
    "mark model module movement note number page panel paragraph part phase plate point problem "
    "quest room round scene schedule season section series session sonnet stage step symphony "
    "table tier title tome type unit vatican version volume war zone bowl".split()
)
"""Nouns that a Roman numeral numbers: Chapter IV is chapter four."""

REIGNS = frozenset(
    "Adrian Albert Alexander Alexandra Alfonso Alfred Amenhotep Andrew Anne Arthur Augustus "
    "Baldwin Basil Benedict Boniface Callixtus Carl Carol Catherine Charles Christian Christina "
    "Clement Cleopatra Constantine Darius David Edmund Edward Elizabeth Eric Ferdinand Francis "
    "Francois Frederick George Gregory Gustav Haakon Harald Harold Henri Henry Hussein Innocent "
    "Isabella Ivan James John Josef Joseph Juan Julius Justinian Karl Leo Leopold Louis Ludwig "
    "Mahmud Manuel Margaret Mary Maximilian Mehmed Michael Mohammed Murad Napoleon "
    "Nicholas Olav Oscar Otto Paul Pedro Peter Philip Philippe Pius Ptolemy Ramesses Ramses "
    "Richard Robert Rudolf Selim Sigismund Sixtus Stephen Suleiman Thutmose Umberto Urban "
    "Victoria Victor Vittorio Wilhelm William Xerxes Emmanuel Rama Farouk Alexios".split()
)
"""Names of rulers: Henry VIII is Henry the eighth."""

RULERS = frozenset("King Queen Pope Emperor Empress Tsar Czar Kaiser Prince Shah Sultan".split())
"""Titles before the name of a ruler."""

NO_NOUNS = frozenset(
    "a about after ago also among an and any are as at away back based because before between "
    "but by can could down due during each extra for from had has have he he's i if in instead "
    "into is it just less may more most must no not now of off on only or out over per plus she "
    "should since so than that the then they this through to today too under until up was we "
    "well were what when where which while who will with within without would yesterday you".split()
)
"""Words after an amount that do not make it an adjective: a $5 bill, but $5 in cash."""
