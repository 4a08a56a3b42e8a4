"""The folder of a collected voice: recordings, texts, phonemes, durations, pitch and parts."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.audio.synthetic.teachers import Spoken
from oneleap.domains.audio.wave import write_wave

SETTINGS, TABLE, ALIGNMENT = "settings.json", "metadata.csv", "alignment.jsonl"


class Collection:
    """A folder that grows by one utterance at a time and survives an interruption.

    ``alignment.jsonl`` is the record of what is complete: an utterance is added to it last.

    Args:
        folder: The folder.
        settings: What the utterances depend on. A folder that exists must have the same.

    Raises:
        InputError: The folder holds something else.
    """

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self.folder = folder
        file = folder / SETTINGS
        if file.exists():
            if json.loads(file.read_text(encoding="utf-8")) != settings:
                raise InputError(
                    f"{folder} holds a collection with other settings: name another folder with "
                    "--out"
                )
            print(f"continuing {folder}", file=sys.stderr)
        elif (folder / TABLE).exists():
            raise InputError(f"{folder} holds other recordings: name another folder with --out")
        else:
            with atomic_write(file) as path:
                path.write_text(json.dumps(settings) + "\n", encoding="utf-8")
        self.lines = list(_whole_lines(folder / ALIGNMENT))
        self.seconds = sum(float(line["seconds"]) for line in self.lines)
        with atomic_write(folder / ALIGNMENT) as path:
            path.write_text("".join(map(_line, self.lines)), encoding="utf-8")

    @property
    def next(self) -> int:
        """Number of the first text that has not been tried."""
        return int(self.lines[-1]["number"]) + 1 if self.lines else 0

    def add(self, number: int, name: str, text: str, spoken: Spoken) -> None:
        """Write an utterance."""
        write_wave(self.folder / "wavs" / f"{name}.flac", spoken.wave)
        self._save("f0", name, spoken.f0)
        if spoken.parts is not None:
            self._save("parts", name, spoken.parts)
        about = {
            "name": name,
            "number": number,
            "seconds": round(spoken.wave.seconds, 4),
            "text": text,
            "phonemes": list(spoken.phonemes),
            "durations_s": [round(x, 4) for x in spoken.durations_s],
        }
        with (self.folder / ALIGNMENT).open("a", encoding="utf-8") as file:
            file.write(_line(about))
        self.lines.append(about)
        self.seconds += spoken.wave.seconds

    def _save(
        self, kind: str, name: str, values: NDArray[np.float16] | NDArray[np.float32]
    ) -> None:
        with atomic_write(self.folder / kind / f"{name}.npy") as path:
            np.save(path, values, allow_pickle=False)

    def finish(self, card: str) -> None:
        """Write the table of the transcripts and the card."""
        rows = "".join(f"{line['name']}|{line['text']}\n" for line in self.lines)
        for name, content in ((TABLE, rows), ("README.md", card)):
            with atomic_write(self.folder / name) as path:
                path.write_text(content, encoding="utf-8")


def _line(about: dict[str, Any]) -> str:
    return json.dumps(about, ensure_ascii=False) + "\n"


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of the record; a last line that was cut off by an interruption is dropped."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
