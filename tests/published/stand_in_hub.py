"""A Hub for tests: kernel repositories in memory, as the real clients ask for them.

`StandInHub()` serves on a free port of this machine; set `HF_ENDPOINT` to its `endpoint`. It knows
what `kernels` and `huggingface_hub` ask when they load a kernel, and what `hf-hub` sends when it
publishes one: repositories, branches, tags, commits. Every file is a regular one (no LFS, no Xet).
`python stand_in_hub.py ORG/NAME FOLDER [VERSION]` serves one folder until it is stopped.
"""

import base64
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

EMPTY = "0" * 40


def blob_id(content):
    """The id that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Repository:
    """Branches and tags, each a commit; a commit is all files of the repository."""

    def __init__(self):
        self.commits = {EMPTY: {}}
        self.titles = {EMPTY: "initial commit"}
        self.branches = {"main": EMPTY}
        self.tags = {}

    def find(self, revision):
        """The commit of a branch, tag or commit; None where there is none."""
        commit = self.branches.get(revision) or self.tags.get(revision) or revision
        return commit if commit in self.commits else None

    def commit(self, branch, files, title):
        """Makes `files` the content of a branch, and returns the commit's id."""
        parent = self.branches[branch]
        names = "".join(f"{path} {blob_id(files[path])}\n" for path in sorted(files))
        commit = hashlib.sha1(f"{parent}\n{title}\n{names}".encode()).hexdigest()
        self.commits[commit] = files
        self.titles[commit] = title
        self.branches[branch] = commit
        return commit

    def tree(self, commit, below, recursive):
        """The entries of a folder, as the Hub lists them."""
        prefix = f"{below}/" if below else ""
        entries, folders = [], set()
        for path, content in sorted(self.commits[commit].items()):
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts)):
                folders.add((prefix + "/".join(parts[:depth]), depth))
            if recursive or len(parts) == 1:
                size = len(content)
                entries.append(
                    {"type": "file", "oid": blob_id(content), "size": size, "path": path}
                )
        for folder, depth in sorted(folders):
            if recursive or depth == 1:
                oid = blob_id(folder.encode())
                entries.append({"type": "directory", "oid": oid, "size": 0, "path": folder})
        return entries


class StandInHub:
    """The server, in a thread of its own."""

    def __init__(self, port=0, trusted=()):
        """trusted: organizations whose kernels load without `trust_remote_code`."""
        self.repositories = {}
        self.requests = []
        self.trusted = set(trusted)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.hub = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, name, folder, version=1):
        """A repository with a folder's files on branch `v<version>` and its card on `main`."""
        repository = self.repositories.setdefault(name, Repository())
        folder = Path(folder)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        repository.branches[f"v{version}"] = repository.branches["main"]
        repository.commit(f"v{version}", files, "publish")
        card = files.get("CARD.md", b"---\nlibrary_name: kernels\n---\n")
        repository.commit("main", {"README.md": card}, "card")
        return repository

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class _Missing(Exception):
    """404, with the words that clients tell errors apart by."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    def do_HEAD(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def log_message(self, *_):
        pass

    def _answer(self):
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        self.server.hub.requests.append((self.command, self.path))
        try:
            self._route(parts, parse_qs(url.query), body)
        except _Missing as missing:
            headers = {"X-Error-Code": str(missing), "X-Error-Message": "not here"}
            self._send(404, json.dumps({"error": "not here"}).encode(), headers)

    def _route(self, parts, query, body):
        hub = self.server.hub
        match parts:
            case ["api", "agent-harnesses"]:
                self._json({"standardEnvVars": [], "harnesses": {}})
            case ["api", "whoami-v2"]:
                self._json({"type": "user", "id": "1", "name": "tester", "orgs": [], "auth": {}})
            case ["api", "validate-yaml"]:
                self._json({"errors": [], "warnings": []})
            case ["api", "organizations", name, "overview"]:
                self._json({"name": name, "trustedKernelPublisher": name in hub.trusted})
            case ["api", "repos", "create"]:
                self._create(json.loads(body))
            case ["api", "kernels"]:
                self._json([self._about(name) for name in sorted(hub.repositories)])
            case ["api", "kernels", organization, name, *rest]:
                self._repository(f"{organization}/{name}", rest, query, body)
            case ["kernels", organization, name, "resolve", revision, *path]:
                self._file(f"{organization}/{name}", revision, "/".join(path))
            case _:
                raise _Missing("EntryNotFound")

    def _repository(self, name, rest, query, body):
        repository = self._find(name)
        match rest:
            case [] | ["revision", _]:
                self._json(self._about(name, rest[-1] if rest else "main"))
            case ["refs"]:
                self._json(
                    {
                        "branches": _references(repository.branches, "heads"),
                        "tags": _references(repository.tags, "tags"),
                        "converts": [],
                    }
                )
            case ["commits", revision]:
                commit = self._commit(repository, revision)
                title = repository.titles[commit]
                self._json([{"id": commit, "title": title, "message": "", "authors": []}])
            case ["tree", revision, *below]:
                commit = self._commit(repository, revision.removeprefix("refs/heads/"))
                recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
                self._json(repository.tree(commit, "/".join(below), recursive))
            case ["branch", branch]:
                start = json.loads(body or b"{}").get("startingPoint") or "main"
                taken = branch in repository.branches
                repository.branches.setdefault(branch, repository.find(start))
                self._json({}, 409 if taken else 201)
            case ["tag", revision]:
                tag = json.loads(body)["tag"]
                taken = tag in repository.tags
                repository.tags.setdefault(tag, self._commit(repository, revision))
                self._json({}, 409 if taken else 201)
            case ["preupload", revision]:
                self._preupload(repository, revision, json.loads(body))
            case ["commit", branch]:
                self._take_commit(name, repository, branch, body)
            case _:
                raise _Missing("EntryNotFound")

    def _create(self, wanted):
        name = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
        url = f"{self.server.hub.endpoint}/kernels/{name}"
        if name in self.server.hub.repositories:
            self._json({"error": "You already created this repo", "url": url}, 409)
            return
        self.server.hub.repositories[name] = Repository()
        self._json({"url": url, "name": name, "id": name})

    def _preupload(self, repository, revision, wanted):
        files = repository.commits[self._commit(repository, revision)]
        answers = []
        for file in wanted["files"]:
            answer = {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
            if file["path"] in files:
                answer["oid"] = blob_id(files[file["path"]])
            answers.append(answer)
        self._json({"files": answers, "commitOid": repository.find(revision)})

    def _take_commit(self, name, repository, branch, body):
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repository.find(branch)):
            self._json({"error": "A commit has happened since"}, 412)
            return
        files = dict(repository.commits[self._commit(repository, branch)])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                files.pop(value["path"], None)
            elif line["key"] == "deletedFolder":
                files = {k: v for k, v in files.items() if not k.startswith(value["path"])}
        commit = repository.commit(branch, files, header["summary"])
        url = f"{self.server.hub.endpoint}/kernels/{name}/commit/{commit}"
        self._json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _file(self, name, revision, path):
        repository = self._find(name)
        commit = self._commit(repository, revision)
        content = repository.commits[commit].get(path)
        if content is None:
            raise _Missing("EntryNotFound")
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_id(content)}"'}
        self._send(200, content, headers, "application/octet-stream")

    def _about(self, name, revision="main"):
        repository = self._find(name)
        commit = self._commit(repository, revision)
        files = [{"rfilename": path} for path in sorted(repository.commits[commit])]
        about = {"_id": "1", "id": name, "author": name.split("/")[0], "sha": commit}
        about |= {"private": False, "gated": False, "disabled": False, "siblings": files}
        return about | {"downloads": 0, "likes": 0, "tags": [], "trustedPublisher": False}

    def _find(self, name):
        if name not in self.server.hub.repositories:
            raise _Missing("RepoNotFound")
        return self.server.hub.repositories[name]

    def _commit(self, repository, revision):
        commit = repository.find(revision)
        if commit is None:
            raise _Missing("RevisionNotFound")
        return commit

    def _json(self, value, status=200):
        self._send(status, json.dumps(value).encode(), {})

    def _send(self, status, body, headers, kind="application/json"):
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _references(names, kind):
    return [
        {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}
        for name, commit in sorted(names.items())
    ]


def main():
    name, folder, *version = sys.argv[1:]
    hub = StandInHub()
    hub.add(name, folder, int(version[0]) if version else 1)
    print(hub.endpoint, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
