"""A person's path through every tab of the studio, in headless Chromium."""

import json
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
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    # Of selenium's own connections and of libraries of the studio; the code under test runs apart.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

WAIT_S = int(os.environ.get("STUDIO_WAIT_S", "300"))
"""Longest wait for a result; the machine may be busy."""

SCORE = Path(__file__).parents[3] / "examples" / "sakura.musicxml"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a studio that runs in a process of its own."""
    for module in ("gradio", "gymnasium_robotics", "pyopenjtalk", "mido", "pyworld", "imageio"):
        pytest.importorskip(module)
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
        end = time.monotonic() + WAIT_S
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs Debian's packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1240,1000"):
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(driver)
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


class Person:
    """Someone at the browser.

    Args:
        browser: Selenium's driver.
        pictures: Folder for screenshots.
    """

    def __init__(self, browser: Any, pictures: Path) -> None:
        self.browser, self.pictures = browser, pictures

    def find(self, xpath: str) -> Any:
        """The first visible element of a path, as soon as there is one."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            found = [e for e in self.browser.find_elements("xpath", xpath) if e.is_displayed()]
            if found:
                return found[0]
            time.sleep(0.2)
        raise AssertionError(f"no {xpath} in: {self.text}")

    @property
    def text(self) -> str:
        """All visible text."""
        shown: str = self.browser.find_element("tag name", "body").text
        return shown

    def click(self, xpath: str) -> None:
        """Click at an element of a path; those that others cover are left out."""
        from selenium.common.exceptions import WebDriverException

        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for element in self.browser.find_elements("xpath", xpath):
                try:
                    if element.is_displayed():
                        element.click()
                        return
                except WebDriverException:  # covered, or replaced just now
                    continue
            time.sleep(0.3)
        raise AssertionError(f"cannot click {xpath} in: {self.text}")

    def open_tab(self, name: str) -> None:
        self.click(f"//button[@role='tab'][normalize-space()='{name}']")

    def press(self, name: str) -> None:
        self.click(f"//button[not(@role='tab')][normalize-space()='{name}']")

    def field(self, label: str, tag: str = "input") -> Any:
        """The field beside or below a label."""
        inside = f"//label[.//span[normalize-space()='{label}']]//{tag}"
        return self.find(f"{inside} | //*[@aria-label='{label}']")

    def write(self, label: str, text: str, tag: str = "input") -> None:
        from selenium.webdriver.common.keys import Keys

        field = self.field(label, tag)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text or Keys.DELETE)
        field.send_keys(Keys.TAB)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the visible text matches a pattern."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if found := re.search(pattern, self.text):
                return found
            time.sleep(0.3)
        raise AssertionError(f"no {pattern} in: {self.text}")

    def wait_until_gone(self, pattern: str) -> None:
        """Wait until no visible text matches a pattern."""
        end = time.monotonic() + WAIT_S
        while re.search(pattern, self.text):
            assert time.monotonic() < end, self.text
            time.sleep(0.3)

    def complaint(self) -> str:
        """The text of the message about a mistake, which is then closed."""
        message: str = self.find("//*[contains(@class, 'toast-message-text')]").text
        self.click("//*[contains(@class, 'toast-close')]")
        time.sleep(0.5)
        return message

    def length(self, label: str) -> str:
        """The duration that the player of a sound shows."""
        end = time.monotonic() + WAIT_S
        path = f"//*[@id='{label}']//*[@id='duration']"
        while time.monotonic() < end:
            if re.match(r"0:(0[1-9]|[1-5]\d)", shown := str(self.find(path).text)):
                return shown
            time.sleep(0.3)
        raise AssertionError(f"{label}: has no duration")

    def photograph(self, name: str) -> None:
        """Save a picture of the whole page."""
        time.sleep(1.5)  # players draw their waves
        size = self.browser.execute_script("return document.documentElement.scrollHeight")
        self.browser.set_window_size(1240, max(700, min(size + 150, 2000)))
        time.sleep(1)
        self.browser.save_screenshot(str(self.pictures / f"studio-{name}.png"))
        self.browser.set_window_size(1240, 1000)


@pytest.fixture(scope="module")
def person(browser: Any, url: str, tmp_path_factory: pytest.TempPathFactory) -> Person:
    folder = os.environ.get("STUDIO_PICTURES")
    pictures = Path(folder) if folder else tmp_path_factory.mktemp("pictures")
    browser.get(url)
    someone = Person(browser, pictures)
    someone.wait_for("oneleap studio")
    return someone


def test_speak(person: Person) -> None:
    person.open_tab("Speak")
    person.press("Speak")
    person.wait_for(r"\d+\.\d s of speech in \d")
    assert "three dollars and fifty cents" in person.field(
        "Text in words", "textarea"
    ).get_property("value")
    assert "ˈ" in person.field("Phonemes", "textarea").get_property("value")
    assert person.length("speech")
    person.photograph("speak")
    person.write("Text", "?!", "textarea")
    person.press("Speak")
    assert person.complaint() == "text: nothing to say: there is no word in '?!'"
    person.wait_until_gone(r"s of speech in")  # no older result stands beside the mistake
    person.write("Text", "Hello.", "textarea")
    person.write("Seed of the noise", "-1")
    person.press("Speak")
    assert person.complaint() == "seed: -1 is negative"


def test_sing(person: Person, tmp_path: Path) -> None:
    person.open_tab("Sing")
    upload = person.browser.find_element("xpath", "//*[@id='score']//input[@type='file']")
    if "sakura.musicxml" not in person.text:
        upload.send_keys(str(SCORE))
    person.press("Sing")
    person.wait_for(r"\d+\.\d s of song in \d")
    assert person.length("song")
    assert person.find("//*[@id='roll']//img").get_property("naturalWidth") > 500
    person.photograph("sing")
    large, torn = tmp_path / "large.mid", tmp_path / "torn.musicxml"
    large.write_bytes(bytes(2**20 + 1))
    torn.write_text(SCORE.read_text()[:2000])
    for file, message in ((large, "score: large.mid has 1.0 MiB"), (torn, "torn.musicxml: ")):
        person.click("//*[@id='score']//button[@aria-label='Clear' or @title='Clear']")
        person.wait_until_gone(r"sakura\.musicxml\s+1|large\.mid")
        person.browser.find_element("xpath", "//*[@id='score']//input[@type='file']").send_keys(
            str(file)
        )
        complaint = person.complaint()
        assert complaint.startswith(message)
        assert "\n" not in complaint
        assert "/" not in complaint.split(": ")[0]
    person.wait_until_gone(r"s of song in")


def test_compose(person: Person) -> None:
    from selenium.webdriver import ActionChains

    person.open_tab("Compose")
    canvas = person.find("//*[@id='curve']//canvas")
    drag = ActionChains(person.browser).move_to_element_with_offset(canvas, -150, 60)
    drag = drag.click_and_hold().move_by_offset(130, -110).move_by_offset(130, 80).release()
    drag.perform()
    end = time.monotonic() + WAIT_S
    while person.field("Loudness over time").get_property("value") != "drawn":
        assert time.monotonic() < end
        time.sleep(0.3)
    person.press("Compose")
    found = person.wait_for(r"(\d+\.\d) s of music in [\d.]+ s: intensity [\d.e+-]+ dB²")
    assert float(found[1]) == pytest.approx(6.0, abs=0.1)
    assert person.length("music")
    person.photograph("compose")
    person.write("Structure", "A1")
    person.press("Compose")
    assert person.complaint().startswith("structure: expected 2 to 8 letters")


def test_policies(person: Person) -> None:
    person.open_tab("Policies")
    person.press("Run an episode")
    found = person.wait_for(r"Step 300: return ([\d.]+), (\d+) network calls .*Score (-?\d+)")
    assert found[2] == "300"
    assert int(found[3]) > 0
    video = person.find("//video")
    end = time.monotonic() + WAIT_S
    while not video.get_property("videoWidth"):  # Chromium can play it
        assert time.monotonic() < end
        time.sleep(0.3)
    person.photograph("policies")
    person.write("Seed of the start and of the actions", "-1")
    person.press("Run an episode")
    assert person.complaint() == "seed: -1 is negative"


def test_compare(person: Person) -> None:
    person.open_tab("Compare")
    person.press("Compare")
    person.wait_for(r"teacher, 16 steps\s+32\s+\d+\s+\d+\s+student, 1 step\s+1\s+\d+\s+\d+")
    assert person.length("several") == person.length("one")
    person.photograph("compare")
    person.click("//label[normalize-space()='a voice']")
    person.wait_for("The same weights twice")
    person.press("Compare")
    person.wait_for(r"heart, 16 steps\s+16\s+\d+\s+\d+\s+heart, 1 step\s+1\s+\d+\s+\d+")


def test_nothing_was_asked_of_another_server(person: Person, url: str) -> None:
    asked = set()
    for entry in person.browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    assert any(address.startswith(url) for address in asked)
    others = {a for a in asked if not a.startswith((url, "data:", "blob:"))}
    assert not others
    severe = [e for e in person.browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not severe
