"""Tags from a table or from folder names."""

from pathlib import Path

import pytest
from support.tiny_music import write_pieces

from oneleap.core.errors import InputError
from oneleap.domains.music.data.tags import read_tags, tag_vocabulary

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pieces(tmp_path / "songs")


def test_tags_come_from_the_table_if_there_is_one(folder: Path) -> None:
    files = sorted(folder.rglob("*.wav"))
    assert read_tags(folder, files)[0] == {"calm"}
    table = folder / "metadata.csv"
    table.write_text("file,tags,key\ncalm/calm0.wav,slow; piano,C\nfast/fast2.wav,piano|loud,\n")
    found = read_tags(folder, files)
    assert found[0] == {"slow", "piano"}
    assert found[5] == {"piano", "loud"}
    assert found[1] == frozenset()
    assert tag_vocabulary(found, least=2) == ("piano",)
    assert tag_vocabulary([frozenset("ab"), frozenset("b")], least=1) == ("a",)  # all have b
    table.write_text("file,tags\nnone.wav,slow\n")
    with pytest.raises(
        InputError, match=r"metadata\.csv, line 2: there is no sound file 'none\.wav'"
    ):
        read_tags(folder, files)
    table.write_text("name,tags\n")
    with pytest.raises(InputError, match="no column 'file'; it has name, tags"):
        read_tags(folder, files)
