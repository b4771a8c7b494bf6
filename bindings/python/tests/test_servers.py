# SPDX-License-Identifier: MIT
"""Application servers: their workers follow a rollback of canaryctl while they serve. A server that
is not installed is skipped by its name."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

import libcanary

pytestmark = [pytest.mark.servers]

# Opened when the module is loaded: before the fork with --preload, after it without.
APP = """
import os
import libcanary

skills = libcanary.open(os.environ["TEST_DB"], rollout="skills")


def application(environ, start_response):
    user = environ["PATH_INFO"].rpartition("/")[2]
    with skills.request(user) as request:
        path = request.cohort
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{path} {os.getpid()}".encode()]
"""

CELERY = """
import os
from celery import Celery
import libcanary

app = Celery(broker="filesystem://", backend="file://" + os.environ["TEST_DIR"] + "/results")
app.conf.broker_transport_options = {
    "data_folder_in": os.environ["TEST_DIR"] + "/queue",
    "data_folder_out": os.environ["TEST_DIR"] + "/queue",
    "control_folder": os.environ["TEST_DIR"] + "/control",
}
app.conf.broker_connection_retry_on_startup = True
skills = libcanary.open(os.environ["TEST_DB"], rollout="skills")


@app.task
def decide(user):
    with skills.request(user) as request:
        return [request.cohort, os.getpid()]
"""


def program(name: str) -> str:
    path = os.path.join(sysconfig.get_path("scripts"), name)
    if not os.path.exists(path):
        pytest.skip(f"{name} is not installed here")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


asked = 0  # requests that were answered


def ask(port: int) -> tuple[str, int]:
    global asked
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/alice")
    path, pid = connection.getresponse().read().decode().split()
    connection.close()
    asked += 1
    return path, int(pid)


class Server(NamedTuple):
    process: subprocess.Popen[bytes]
    log: pathlib.Path


@contextlib.contextmanager
def running(
    command: list[str], folder: pathlib.Path, db: pathlib.Path, **variables: str
) -> Iterator[Server]:
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"TEST_DB": str(db), "TEST_DIR": str(folder), "PYTHONPATH": str(folder),
                              "PYTHONUNBUFFERED": "1"} | variables,
        )
    try:
        yield Server(server, log)
    except BaseException:
        print(log.read_text(errors="replace"))
        raise
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(90)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            raise AssertionError("the server did not end") from None


def until(answer: Callable[[], bool], what: str, server: Server, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.process.poll() is None, "the server ended"
        with contextlib.suppress(OSError, http.client.HTTPException):
            if answer():
                return
        time.sleep(0.02)
    raise AssertionError(what)


def both_workers_answer(port: int, path: str, count: int = 2) -> Callable[[], bool]:
    """True once `count` workers were seen, each one on this path."""
    seen: dict[int, str] = {}

    def look() -> bool:
        for _ in range(8):
            answered, pid = ask(port)
            seen[pid] = answered
        return len(seen) >= count and set(seen.values()) == {path}

    return look


def recorded(db: pathlib.Path) -> int:
    with libcanary.open_store(db, watcher=False) as store:
        row = store.metrics("skills")["error"]
        return row.new.n + row.old.n


def follows_a_rollback(
    command: list[str], port: int, folder: pathlib.Path, db: pathlib.Path,
    canaryctl: Callable[..., str],
) -> None:
    """And what its workers recorded is there when they have ended: nothing lost, nothing twice."""
    global asked
    asked = 0
    (folder / "app.py").write_text(APP)
    with running(command, folder, db) as server:
        until(both_workers_answer(port, "new"), "not every worker began on the new path", server)
        canaryctl(db, "rollback")
        until(both_workers_answer(port, "old"), "a worker did not follow the rollback", server)
        canaryctl(db, "set", "--percent", "100")
        until(both_workers_answer(port, "new"), "a worker did not follow the way back", server)
    assert recorded(db) == asked > 0


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["plain", "preload"])
@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn(
    preload: list[str], kind: str, db: pathlib.Path, tmp_path: pathlib.Path,
    canaryctl: Callable[..., str],
) -> None:
    gunicorn, port = program("gunicorn"), free_port()
    command = [gunicorn, "--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", kind,
               *preload, "app:application"]
    follows_a_rollback(command, port, tmp_path, db, canaryctl)


def test_the_example_under_gunicorn(
    tmp_path: pathlib.Path, canaryctl: Callable[..., str]
) -> None:
    """examples/python/service.py, which starts before its store is there."""
    pytest.importorskip("flask", reason="flask is not installed here")
    example = pathlib.Path(__file__).resolve().parents[3] / "examples/python"
    if not example.exists():
        pytest.skip("the examples are not here")
    gunicorn, port, db = program("gunicorn"), free_port(), tmp_path / "canary.db"
    command = [gunicorn, "--bind", f"127.0.0.1:{port}", "--workers", "2", "--preload",
               "--chdir", str(example), "service:app"]

    def get(path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return text if response.status == 200 else f"status {response.status}"

    def every_worker(path: str, percentage: float) -> Callable[[], bool]:
        seen: dict[int, tuple[str, float]] = {}

        def look() -> bool:
            for _ in range(8):
                health = json.loads(get("/health"))
                seen[health["worker"]] = (get("/checkout/alice"), health["percentage"])
            return len(seen) == 2 and set(seen.values()) == {(path, percentage)}

        return look

    with running(command, tmp_path, db, CANARY_DB=str(db)) as server:
        until(lambda: get("/checkout/alice") == "old checkout\n", "it does not serve yet", server)
        assert "there is no store" in json.loads(get("/health"))["error"]
        canaryctl(db, "create", "checkout")
        for step, path, percentage in (
            (["advance"], "new checkout\n", 5), (["rollback"], "old checkout\n", 0),
            (["set", "--percent", "50"], "new checkout\n", 50),
            (["flag", "off", "checkout"], "old checkout\n", 0),
        ):
            canaryctl(db, *step)
            until(every_worker(path, percentage), f"a worker did not follow {step}", server)
        text = get("/metrics")
        assert 'rollout="checkout",cohort="old"' in text and text.endswith("# EOF\n")
    with libcanary.open_store(db) as store:
        found = store.metrics("checkout")
        assert found["error"].old.n > 0 < found["error"].new.n and found["error"].new.k == 0


@pytest.mark.parametrize("threads", [[], ["--enable-threads", "--threads", "2"]],
                         ids=["plain", "threads"])
@pytest.mark.parametrize("lazy", [[], ["--lazy-apps"]], ids=["prefork", "lazy"])
def test_uwsgi(
    threads: list[str], lazy: list[str], db: pathlib.Path, tmp_path: pathlib.Path,
    canaryctl: Callable[..., str],
) -> None:
    uwsgi, port = program("uwsgi"), free_port()
    command = [uwsgi, "--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "2",
               "--die-on-term", "--need-app", "--virtualenv", sys.prefix, *threads, *lazy,
               "--wsgi-file", "app.py"]
    follows_a_rollback(command, port, tmp_path, db, canaryctl)


def test_celery(
    db: pathlib.Path, tmp_path: pathlib.Path, canaryctl: Callable[..., str],
) -> None:
    celery = program("celery")
    (tmp_path / "celery_app.py").write_text(CELERY)
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    # Sends tasks and prints answers, in a process that has no store open for long.
    client = tmp_path / "client.py"
    client.write_text(
        "import sys\nfrom celery_app import decide, skills\n"
        "asked = [decide.delay('alice') for _ in range(6)]\n"
        "for one in asked: print(*one.get(timeout=120))\nskills.close()\n"
    )

    tasks: list[int] = []

    def answers() -> list[list[str]]:
        done = subprocess.run(
            [sys.executable, str(client)], cwd=tmp_path, capture_output=True, text=True, timeout=180,
            env=os.environ | {"TEST_DB": str(db), "TEST_DIR": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
        tasks.append(len(done.stdout.splitlines()))
        return [line.split() for line in done.stdout.splitlines()]

    command = [celery, "-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", "2",
               "--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", "INFO"]
    with running(command, tmp_path, db) as server:
        until(lambda: "ready" in server.log.read_text(errors="replace"), "it did not start", server)
        assert {path for path, _ in answers()} == {"new"}
        canaryctl(db, "rollback")
        until(lambda: {path for path, _ in answers()} == {"old"}, "a worker did not follow", server)
        # Just after a tick, so that only the end of the workers can merge what they do now.
        time.sleep(10.2 - time.time() % 10)
        answers()
    assert recorded(db) == sum(tasks) > 0

