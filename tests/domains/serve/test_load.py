"""Fifty clients at once on a real server: none is lost, none is wrong, and memory stays."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from support.serve.client import Server

from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.wave import wav_bytes
from oneleap.domains.speech import Voice

pytestmark = pytest.mark.slow
assert Server  # the extra is installed

CLIENTS, REQUESTS, WARM_UP = 50, 500, 200
NOUNS = ("river", "engine", "window", "teacher", "candle", "market", "island", "shadow", "letter")
VERBS = ("follows", "forgets", "carries", "answers", "repairs", "finds", "paints", "leaves")


def sentence(i: int) -> str:
    """A sentence that no other number has, of 5 to 25 words."""
    words = [f"Number {i}:"]
    for k in range(1 + i % 4):
        noun, verb = NOUNS[(i + 3 * k) % 9], VERBS[(i // 9 + k) % 8]
        words.append(f"the {noun} {verb} the {NOUNS[(i // 4 + k) % 9]}")
    return f"{', '.join(words)}."


@contextmanager
def serving(*options: str) -> Iterator[str]:
    code = "from oneleap.domains.main import main; raise SystemExit(main())"
    argv = [sys.executable, "-c", code, "serve", "--port", "0", *options]
    env = {**os.environ, "ONELEAP_TOKEN": ""}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("http://"), line
        try:
            yield line.split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def resident(url: str) -> float:
    """Memory of the server in MB, when it is idle."""
    time.sleep(1.5)
    ask(url, "Hello.")
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        text = reply.read().decode()
    found = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    assert found
    return float(found[1]) / 1e6


def ask(url: str, text: str) -> tuple[bytes, float]:
    """Speak a text; the sound, and the seconds it took."""
    body = {"model": "oneleap", "voice": "heart", "input": text, "response_format": "wav"}
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/audio/speech", json.dumps(body).encode(), headers)
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=600) as reply:
        return reply.read(), time.perf_counter() - start


def test_fifty_clients_at_once() -> None:
    options = ("--queue", "64", "--seconds", "600")
    with serving(*options) as url, ThreadPoolExecutor(CLIENTS) as clients:
        first = REQUESTS
        list(clients.map(lambda i: ask(url, sentence(i)), range(first, first + WARM_UP)))
        before, start = resident(url), time.perf_counter()
        replies = list(clients.map(lambda i: ask(url, sentence(i)), range(REQUESTS)))
        took, after = time.perf_counter() - start, resident(url)
    times = sorted(seconds for _, seconds in replies)
    marks = ", ".join(f"{p} %: {times[int(p / 100 * len(times)) - 1]:.2f} s" for p in (50, 95, 99))
    print(f"\n{CLIENTS} clients, {REQUESTS} requests in {took:.1f} s: {REQUESTS / took:.1f}/s")
    print(f"latency {marks}, longest {times[-1]:.2f} s")
    print(f"memory {before:.0f} -> {after:.0f} MB ({100 * (after / before - 1):+.1f} %)")
    torch.set_num_threads(1)
    voice = Voice.load("heart", int8=True)
    sound = 0.0
    for i, (reply, _) in enumerate(replies):
        wave = level(voice.speak(sentence(i)))
        sound += wave.seconds
        assert reply == wav_bytes(wave), f"request {i} is wrong"
    print(f"{sound:.0f} s of sound, {sound / took:.1f} s per s")
    assert after < 1.05 * before
