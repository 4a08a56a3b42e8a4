"""``oneleap voices``: the voices that ship with oneleap."""

import sys


def voices() -> None:
    """List the voices that ship with oneleap: size, sample rate, language, license, and whose.

    Example: oneleap voices
    """
    from oneleap.domains.speech.text.voices import DEFAULT_VOICE
    from oneleap.domains.speech.voice.about import shipped_entries

    rows, more = [], []
    for entry in shipped_entries():
        rate, about = f"{entry.sample_rate / 1000:g} kHz", entry.about
        license = about.license or "see its card"
        rows.append((entry.name, f"{entry.mib:.1f} MiB", rate, entry.language, license))
        default = " (the default)" if entry.name == DEFAULT_VOICE else ""
        speakers = f"speakers: {', '.join(entry.speakers)}" if len(entry.speakers) > 1 else ""
        sentence = f'"{about.sentence}"' if about.sentence else ""
        more.append((f"{about.description}{default}", [s for s in (speakers, sentence) if s]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, (description, lines) in zip(rows, more, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(*cells, description, sep="  ")
        print(*(f"{'':<{widths[0]}}  {line}\n" for line in lines), sep="", end="")
    print("to hear one: oneleap speak 'Hello.' --voice NAME -o hello.wav", file=sys.stderr)
