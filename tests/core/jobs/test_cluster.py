"""Jobs on a Ray cluster of two nodes on this machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from oneleap.core.errors import InputError
from oneleap.core.jobs.cluster import on_node, require_answer, require_room
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job


def node(cpus: float, gpus: float = 0.0, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus}}


def test_jobs_that_no_node_can_hold_are_refused() -> None:
    require_room([node(1), node(4, 1)], {"CPU": 4, "GPU": 0.5})
    with pytest.raises(InputError, match=r"--threads 5 of at most 4, --gpus 0 of at most 1"):
        require_room([node(1), node(4, 1)], {"CPU": 5, "GPU": 0})
    with pytest.raises(InputError, match="no node has room"):  # each has one of them
        require_room([node(4), node(1, 1)], {"CPU": 4, "GPU": 1})
    with pytest.raises(InputError, match="no node has room"):
        require_room([node(8, alive=False)], {"CPU": 1})


def test_a_job_on_a_node_sees_no_gpu_unless_it_takes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    job = Job(("-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"), tmp_path / "a.log")
    for gpu, seen in ((False, "\n"), (True, "3\n")):
        assert on_node(job, str(tmp_path), gpu) is None
        assert job.log.read_text() == seen


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_job_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from oneleap.core.jobs.cluster import on_node\n"
        "from oneleap.core.jobs.processes import Job\n"
        "inner = 'import os, pathlib, time; "
        'pathlib.Path("pid").write_text(str(os.getpid())); time.sleep(600)\'\n'
        "on_node(Job(('-c', inner), Path('a.log').absolute()), os.getcwd())\n"
    )
    outer = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    wait_for((tmp_path / "pid").is_file)
    time.sleep(0.2)
    inner = Path("/proc", (tmp_path / "pid").read_text(), "cwd")
    assert inner.exists()
    outer.kill()
    outer.wait()
    wait_for(lambda: not inner.exists())


def wait_for(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_folder_that_a_node_does_not_see_is_named(tmp_path: Path) -> None:
    job = Job(("-c", "pass"), tmp_path / "logs" / "a.log")
    assert "logs is missing: all nodes must see this folder" in str(on_node(job, str(tmp_path)))
    job.log.parent.mkdir()
    assert on_node(job, str(tmp_path)) is None
    assert "nowhere is missing" in str(on_node(job, str(tmp_path / "nowhere")))


def test_an_address_where_nothing_answers_is_noticed_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "auto", "local"):
            require_answer(address)
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(OSError, match="refused"):
            require_answer(address)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each."""
    pytest.importorskip("ray")
    utils = pytest.importorskip("ray.cluster_utils")
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    found = utils.Cluster()
    try:
        for options in ({"include_dashboard": False}, {}):
            found.add_node(num_cpus=1, **options)
        found.wait_for_nodes()
        yield found
    finally:
        found.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_jobs_run_on_both_nodes(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs wait for each other, so each needs a node."""
    monkeypatch.chdir(tmp_path)
    meet = (
        "import pathlib, sys, time, os\n"
        "me, other = map(pathlib.Path, sys.argv[1:])\n"
        "me.touch()\n"
        "end = time.time() + 60\n"
        "while not other.exists() and time.time() < end: time.sleep(0.05)\n"
        "print(os.environ['OMP_NUM_THREADS'])\n"
        "sys.exit(not other.exists())\n"
    )
    code = {
        "a": ("-c", meet, "a.here", "b.here"),
        "b": ("-c", meet, "b.here", "a.here"),
        "bad": ("-c", "raise SystemExit('no such value')"),
        "crashed": ("-c", "import os; os.abort()"),
    }
    jobs = {name: Job(argv, tmp_path / "logs" / f"{name}.log") for name, argv in code.items()}
    done: list[str] = []
    failed = Place(ray=cluster.address).run(jobs, done.append)
    assert sorted(done) == ["a", "b"]
    assert failed["bad"] == "no such value"
    assert failed.keys() == {"bad", "crashed"}
    assert (tmp_path / "logs" / "a.log").read_text() == "1\n"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_jobs_of_a_node_that_dies_start_again(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psutil = pytest.importorskip("psutil")
    monkeypatch.chdir(tmp_path)
    large = [cluster.add_node(num_cpus=4) for _ in range(2)]
    cluster.wait_for_nodes()
    code = (
        "import os, pathlib, sys, time\n"
        "first = pathlib.Path('first')\n"
        "if not first.exists():\n"
        "    first.write_text(str(os.getpid()))\n"
        "    time.sleep(120)\n"
        "    sys.exit('its node did not die')\n"
    )
    job = Job(("-c", code), tmp_path / "logs" / "a.log", threads=4)  # fits on the large nodes alone

    def kill_its_node() -> None:
        wait_for(lambda: Path("first").exists() and bool(Path("first").read_text()))
        above = {parent.pid for parent in psutil.Process(int(Path("first").read_text())).parents()}
        for node in large:
            if above & {process.process.pid for process in node.all_processes["raylet"]}:
                cluster.remove_node(node, allow_graceful=False)

    thread = Thread(target=kill_its_node)
    thread.start()
    done: list[str] = []
    assert Place(ray=cluster.address, threads=4).run({"a": job}, done.append) == {}
    thread.join()
    assert done == ["a"]
    pid = Path("first").read_text()
    assert not Path("/proc", pid, "cwd").exists()  # it did not outlive its node


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_without_a_cluster_there_is_one_line(cluster: Any, tmp_path: Path) -> None:
    jobs = {"a": Job(("-c", "pass"), tmp_path / "a.log")}
    with pytest.raises(InputError, match=r"ray: no node has room for a job: --threads 64"):
        Place(ray=cluster.address, threads=64).run(jobs, lambda name: None)
    for address in ("127.0.0.1:1", f"127.0.0.1:{10**30}"):
        with pytest.raises(InputError, match=rf"ray: no cluster at {address} .*ray start") as e:
            Place(ray=address).run(jobs, lambda name: None)
        assert "\n" not in str(e.value)
