"""Models on the Hub: the round trip through huggingface_hub to a stand-in for its server, and what failures say."""

from __future__ import annotations

import base64
import hashlib
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import constants

from lead import hub
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks import Schema
from lead.nn.backbone import Backbone, licence_of
from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.nn.student import Student

REPO = "someone/dots"
Files = dict[str, bytes]


class Server(ThreadingHTTPServer):
    """Keeps repositories in memory, and speaks what creating, committing and fetching need.

    Attributes:
        commits: the files of each commit, by repository; its name is its number, padded.
        asked: method and path of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, list[Files]] = {}
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        self._resolve()

    def do_POST(self) -> None:
        self.server.asked.append(("POST", self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.split("/")  # "", api, models, owner, name, verb, revision
        if self.path == "/api/repos/create":
            name = "/".join(json.loads(body)[key] for key in ("organization", "name"))
            self.server.commits.setdefault(name, [])
            self._answer({"url": f"{self.server.address}/{name}"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif parts[5] == "preupload":
            files = [file["path"] for file in json.loads(body)["files"]]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            self._answer({"files": [{"path": path, **plain} for path in files]})
        elif parts[5] == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "file"]
            commits = self.server.commits["/".join(parts[3:5])]
            commits.append({file["path"]: base64.b64decode(file["content"]) for file in files})
            name = f"{len(commits):040}"
            self._answer({"commitUrl": f"{self.server.address}/{REPO}/commit/{name}", "commitOid": name})
        else:
            self._answer({"error": "no such address"}, 404)

    def _resolve(self) -> None:
        """/owner/name/resolve/revision/file"""
        self.server.asked.append((self.command, self.path))
        _, owner, name, _, revision, file = self.path.split("/")
        commits = self.server.commits.get(f"{owner}/{name}")
        if commits is None:
            return self._fail(401, "RepoNotFound")
        number = len(commits) if revision == "main" else int(revision) if revision.isdigit() else 0
        if not 0 < number <= len(commits):
            return self._fail(404, "RevisionNotFound")
        content = commits[number - 1].get(file)
        if content is None:
            return self._fail(404, "EntryNotFound", {"X-Repo-Commit": f"{number:040}"})
        digest = hashlib.sha256(content).hexdigest()
        return self._send(200, content, {"ETag": f'"{digest}"', "X-Repo-Commit": f"{number:040}"})

    def _fail(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code} | (headers or {}))

    def _answer(self, content: Any, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The Hub, for the test."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", running.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def model(tiny: Callable[..., Settings]) -> Landmarker:
    settings = tiny()
    torch.manual_seed(0)
    head, confidence = Cascade(16, 2, fine=True), Confidence(Cascade.SIGNALS, 2)
    for part in (head.coarse, head.fine):
        assert part is not None
        part.weight.normal_(0, 0.05)
    head.shape.copy_(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    origin = {
        "labels": 7,
        "pictures": "abc123",
        "held_out_error": 0.0147,
        "start": {"weights": "efficientnet-lite0", "licence": "apache-2.0"},
        "run": {"pictures": 4558, "digest": "def456"},
        "versions": {"lead": "0.1.0", "torch": "2.6"},
        "commit": "0123abc",
    }
    network = Student(Backbone("test_resnet"), 16, 16)
    return Landmarker(Schema(("left_eye", "right_eye")), settings, network, head, confidence, origin)


def test_a_model_comes_back_as_it_was_sent(model: Landmarker, server: Server, folder: Dataset) -> None:
    address = model.push_to_hub(REPO)
    assert address == f"{server.address}/{REPO}/commit/{1:040}"
    (sent,) = server.commits[REPO]
    assert set(sent) == {"model.safetensors", "README.md"}
    before = len(server.asked)
    back = Landmarker.from_hub(REPO)
    assert {path.rpartition("/")[2] for _, path in server.asked[before:]} == {"model.safetensors"}  # nothing else
    assert (back.schema, back.settings, back.origin) == (model.schema, model.settings, model.origin)
    ours, theirs = model.predict(folder.root), back.predict(folder.root)
    for name in ("xy", "score", "px_error", "visible"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_a_revision_stays_what_it_was(model: Landmarker, server: Server) -> None:
    model.push_to_hub(REPO)
    model.origin = model.origin | {"labels": 8}
    model.push_to_hub(REPO)
    assert len(server.commits[REPO]) == 2
    first = f"{1:040}"
    assert Landmarker.from_hub(REPO, revision=first).origin["labels"] == 7
    assert Landmarker.load(f"hub:{REPO}@{first}").origin["labels"] == 7
    assert Landmarker.load(Path(f"hub:{REPO}")).origin["labels"] == 8


def test_the_card_is_one_that_the_hub_reads(model: Landmarker) -> None:
    text = hub.model_card(model.describe(), REPO)
    card = huggingface_hub.ModelCard(text)
    head = yaml.safe_load(text.split("---")[1])
    assert (head["license"], head["library_name"]) == ("apache-2.0", "lead-landmarks")
    assert card.data["pipeline_tag"] == head["pipeline_tag"] == "keypoint-detection"
    for said in ("left_eye, right_eye", "| 7 |", "abc123", "1.47 %", "0123abc", "torch 2.6", "def456"):
        assert said in card.text
    assert model.describe()["settings_hash"] in card.text
    assert "license: mit" in hub.model_card(model.describe(), REPO, licence="mit")


def test_a_card_says_what_is_not_known(model: Landmarker) -> None:
    model.origin = {}
    text = hub.model_card(model.describe(), REPO)
    assert "license" not in yaml.safe_load(text.split("---")[1])
    assert "| Mean error on held-out labels | unknown |" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("someone/else", "no repository someone/else"),
        (f"{REPO}@gone", "no such revision"),
        ("someone/empty", r"holds no model\.safetensors"),
        ("some one/dots", "is not a repository's name"),
    ],
)
def test_what_is_not_there_is_named(model: Landmarker, server: Server, asked: str, said: str) -> None:
    model.push_to_hub(REPO)
    server.commits["someone/empty"] = [{"pytorch_model.bin": b"a pickle"}]
    with pytest.raises(LeadError, match=said):
        Landmarker.load(f"hub:{asked}")


def test_a_pickle_is_never_read(server: Server) -> None:
    server.commits[REPO] = [{"model.safetensors": pickle.dumps({"weight": [1.0]}), "model.pt": b""}]
    with pytest.raises(LeadError, match="is not a landmarker file, or it is damaged"):
        Landmarker.from_hub(REPO)


def test_without_a_network_it_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(LeadError, match="cannot be reached"):
        Landmarker.from_hub(REPO)
    assert server.asked == []


def test_the_licence_of_first_weights_is_known_where_they_come_from() -> None:
    assert licence_of("tf_efficientnet_lite0", "efficientnet-lite0") == "apache-2.0"
    assert licence_of("resnet50.a1_in1k", "timm") == "apache-2.0"
    assert licence_of("resnet50", "random") is None
