"""A person's path through every tab of the studio, in headless Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    # Of libraries of the browser's driver; the code under test runs in another process.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

START_S = 600
"""Longest wait for the server."""

WAIT_S = int(os.environ.get("STUDIO_WAIT_S", "900"))
"""Longest wait for a result; the machine may be busy."""

WIDTH, HEIGHT = 1240, 900
"""Size of the window in pixels."""

SCORE = Path(__file__).parents[3] / "examples" / "twinkle.musicxml"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a studio that runs in a process of its own."""
    for module in ("gradio", "gymnasium_robotics", "pyopenjtalk", "mido", "pyworld", "imageio"):
        if find_spec(module) is None:
            pytest.skip(f"needs {module}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from oneleap.domains.main import main; raise SystemExit(main())"
    log = tmp_path_factory.mktemp("studio") / "log"
    command = [sys.executable, "-c", code, "studio", "--port", str(port)]
    with log.open("w") as file:
        # Two threads that wait for each other are slow on a busy machine.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
    try:
        end = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).close()
                break
            except (urllib.error.URLError, TimeoutError):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/"
        assert "Traceback" not in log.read_text()
    finally:
        server.terminate()
        server.wait()


class Person:
    """Someone at the browser. Parts of the page are named by their ids.

    Args:
        page: Playwright's page.
        pictures: Folder for screenshots, or nothing.
    """

    def __init__(self, page: Any, pictures: str | None) -> None:
        self.page, self.pictures = page, pictures
        self.asked: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def press(self, name: str) -> None:
        self.page.locator(f"#{name}-button").click()

    def write(self, name: str, text: str) -> None:
        field = self.page.locator(f"#{name}").locator("input, textarea").first
        field.fill(text)
        field.blur()

    def value(self, name: str) -> str:
        """The text in a field."""
        found: str = self.page.locator(f"#{name}").locator("input, textarea").first.input_value()
        return found

    def upload(self, name: str, file: Path) -> None:
        self.page.locator(f"#{name} input[type=file]").set_input_files(file)

    def read(self, name: str, pattern: str) -> re.Match[str]:
        """The text of a part of the page, as soon as it matches a pattern."""
        from playwright.sync_api import expect

        expect(self.page.locator(f"#{name}")).to_contain_text(re.compile(pattern))
        found = re.search(pattern, " ".join(self.page.locator(f"#{name}").inner_text().split()))
        assert found
        return found

    def is_empty(self, name: str) -> bool:
        """Wait until a part of the page has no text, or is hidden."""
        from playwright.sync_api import expect

        expect(self.page.locator(f"#{name}")).not_to_contain_text(re.compile(r"\w"))
        return True

    def length(self, name: str) -> str:
        """The duration that a player shows when Chromium has decoded its sound."""
        from playwright.sync_api import expect

        shown = self.page.locator(f"#{name} #duration")
        expect(shown).to_have_text(re.compile(r"0:(0[1-9]|[1-5]\d)"))
        text: str = shown.inner_text()
        return text

    def complaint(self) -> str:
        """The message about a mistake, which is then closed; it would vanish after 10 s."""
        from playwright.sync_api import expect

        text = "document.querySelector('[data-testid=toast-text]')?.innerText"
        message: str = self.page.wait_for_function(text).json_value()
        close = "document.querySelectorAll('[data-testid=toast-close]').forEach(b => b.click())"
        self.page.evaluate(close)
        expect(self.page.get_by_test_id("toast-text")).to_have_count(0)
        return message

    def photograph(self, name: str) -> None:
        """Save a picture of the whole page, if there is a folder for it."""
        if not self.pictures:
            return
        from PIL import Image, ImageChops

        self.page.wait_for_timeout(5000)  # players draw their waves, the video begins
        self.page.mouse.move(5, 5)
        file = Path(self.pictures, f"studio-{name}.png")
        self.page.screenshot(path=file, full_page=True)
        image = Image.open(file).convert("RGB")
        empty = Image.new("RGB", image.size, image.getpixel((0, 0)))
        box = ImageChops.difference(image, empty).getbbox()
        assert box, "the page is empty"
        left, _, right, bottom = box
        image = image.crop((left - 15, 0, right + 15, min(bottom + 15, image.height)))
        image.quantize(128).save(file, optimize=True)


@pytest.fixture(scope="module")
def person(url: str) -> Iterator[Person]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Debian's package chromium")
    playwright.expect.set_options(timeout=1e3 * WAIT_S)
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = driver.chromium.launch(
            executable_path=chromium, args=options, timeout=1e3 * START_S
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(1e3 * WAIT_S)
        someone = Person(page, os.environ.get("STUDIO_PICTURES"))
        page.goto(url)
        yield someone
        browser.close()


def test_speak(person: Person) -> None:
    person.open_tab("Speak")
    person.press("speak")
    person.read("speech-cost", r"\d+\.\d s of speech in \d")
    assert "three dollars and fifty cents" in person.value("words")
    assert "ˈ" in person.value("phonemes")
    assert person.length("speech")
    person.photograph("speak")
    person.write("speak-text", "?!")
    person.press("speak")
    assert person.complaint() == "text: nothing to say: there is no word in '?!'"
    assert person.is_empty("speech-cost")  # no older result stands beside the mistake
    person.write("speak-text", "Hello.")
    person.write("speak-seed", "-1")
    person.press("speak")
    assert person.complaint() == "seed: -1 is negative"


def test_sing(person: Person, tmp_path: Path) -> None:
    person.open_tab("Sing")
    person.press("sing")  # the score that the tab begins with
    japanese = person.read("song-cost", r"\d+\.\d s of song in \d")[0]
    assert person.length("song")
    person.photograph("sing")
    clear = person.page.locator("#score").get_by_role("button", name="Clear")
    clear.click()
    person.upload("score", SCORE)
    person.read("score", "twinkle")
    person.press("sing")
    english = person.read("song-cost", r"30\.\d s of song in \d")[0]
    assert english.split()[0] != japanese.split()[0]
    assert person.length("song")
    assert person.page.locator("#roll img").evaluate("image => image.naturalWidth") > 500
    large, torn = tmp_path / "large.mid", tmp_path / "torn.musicxml"
    large.write_bytes(bytes(2**20 + 1))
    torn.write_text(SCORE.read_text()[:2000])
    for file, message in (
        (large, "score: large.mid has 1.0 MiB"),
        (torn, "torn.musicxml is not XML"),
    ):
        clear.click()
        person.upload("score", file)
        complaint = person.complaint()
        assert complaint.startswith(message)
        assert "\n" not in complaint
        assert "/" not in complaint
    person.press("sing")
    assert person.complaint().startswith("torn.musicxml is not XML")
    assert person.is_empty("song-cost")


def test_compose(person: Person, tmp_path: Path) -> None:
    import mido

    person.open_tab("Compose")
    canvas = person.page.locator("#curve canvas")
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), person.page.mouse
    shares = ((0.15, 0.9), (0.5, 0.1), (0.95, 0.6))
    first, *others = (
        (box["x"] + across * box["width"], box["y"] + down * box["height"])
        for across, down in shares
    )
    mouse.move(*first)
    mouse.down()
    for point in others:
        mouse.move(*point, steps=10)
    mouse.up()
    person.page.wait_for_function("document.querySelector('#curve-name input').value === 'drawn'")
    person.press("compose")
    found = person.read("music-cost", r"(\d+\.\d) s of music in [\d.]+ s: intensity [\d.e+-]+ dB²")
    assert float(found[1]) == pytest.approx(6.0, abs=0.1)
    assert person.length("music")
    person.photograph("compose")

    notes = tmp_path / "notes.mid"
    track = mido.MidiTrack()
    for pitch in (60, 62, 64, 65, 67, 65, 64, 62, 60):
        track.append(mido.Message("note_on", note=pitch, velocity=90))
        track.append(mido.Message("note_off", note=pitch, time=480))
    mido.MidiFile(tracks=[track]).save(notes)
    person.page.locator("#material").get_by_role("button", name="A recording or a melody").click()
    person.upload("melody", notes)
    person.read("melody", "notes")
    person.press("compose")
    person.read("music-cost", r"s of music in .* melody [\d.]+")

    person.write("structure", "A1")
    person.press("compose")
    assert person.complaint().startswith("structure: expected 2 to 8 letters")
    assert person.is_empty("music-cost")


def test_policies(person: Person) -> None:
    person.open_tab("Policies")
    person.press("policy")
    found = person.read(
        "episode", r"Step 300: return ([\d.]+), (\d+) network calls .*Score (-?\d+)"
    )
    assert found[2] == "300"
    assert int(found[3]) > 0
    # Chromium can play the video.
    person.page.wait_for_function("document.querySelector('#video video')?.videoWidth > 0")
    person.photograph("policies")
    person.write("policy-seed", "-1")
    person.press("policy")
    assert person.complaint() == "seed: -1 is negative"
    assert person.is_empty("episode")


def test_compare(person: Person) -> None:
    person.open_tab("Compare")
    person.press("compare")
    person.read("costs", r"teacher, 16 steps\s*32\s*\d+\s*\d+\s*student, 1 step\s*1\s*\d+\s*\d+")
    assert person.length("several") == person.length("one")
    person.photograph("compare")
    person.page.locator("#what").get_by_label("a voice").check()
    person.read("about", "The same weights twice")
    person.press("compare")
    person.read("costs", r"heart, 16 steps\s*16\s*\d+\s*\d+\s*heart, 1 step\s*1\s*\d+\s*\d+")


def test_nothing_was_asked_of_another_server(person: Person, url: str) -> None:
    assert any(address.startswith(url) for address in person.asked)
    assert not [a for a in person.asked if not a.startswith((url, "data:", "blob:"))]
    assert not person.errors
