"""The parent of the processes that own the GPU: one cell that fails takes neither the table nor the other cells.

A cell that fails is tried again in a new process, where every step is waited for and compared. Whoever is
found out so is left out with the reason, and the others are tried once more.
"""

import contextlib
import json
import pathlib
import queue
import subprocess
import sys
import threading

ATTEMPTS = 5
FAREWELL_SECONDS = 5


class Lost(Exception):
    """A worker that answered with a failure, ended, or was silent for too long."""

    def __init__(self, reason, step):
        super().__init__(reason)
        self.reason, self.step = reason, step


class Worker:
    """A child process, and its answers in order."""

    def __init__(self, command, silence):
        self.silence, self.step = silence, "starting"
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.facts = self._answer("ready")["ready"]
        except Lost:
            self.stop()
            raise

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(json.loads(line))
        self.answers.put(None)

    def _answer(self, wanted):
        while True:
            try:
                answer = self.answers.get(timeout=self.silence)
            except queue.Empty:
                raise Lost(f"silent for {self.silence} s", self.step) from None
            if answer is None:
                raise Lost(f"the process ended with status {self.process.wait()}", self.step)
            if "failed" in answer:
                raise Lost(answer["failed"], answer["step"])
            if wanted in answer:
                return answer
            self.step = answer.get("step", self.step)

    def run(self, job):
        """The answer to one job; `Lost` if there is none."""
        self.step = "the start"
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Lost(str(error), self.step) from None
        return self._answer("cell")

    def stop(self):
        """Ends the process: by itself, where it still listens."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs jobs, with a new worker where the last one is lost or tainted."""

    def __init__(self, command, check_each=False, fresh=False, silence=300):
        self.command, self.check_each, self.fresh, self.silence = command, check_each, fresh, silence
        self.worker, self.facts = None, None

    def _run(self, job):
        try:
            answer = self.worker.run(job)
        except Lost:
            self.close()
            raise
        if self.fresh or answer["tainted"]:
            self.close()
        return answer

    def cell(self, operation, shape, only):
        """The cell's answer, whatever happens: with `failed` in its result where nobody could be timed."""
        job = {"operation": operation, "shape": list(shape), "only": list(only)}
        exclude, notes, check_each = {}, [], self.check_each
        for _ in range(ATTEMPTS):
            # One that does not even start is no fault of the cell: `Lost` ends the run.
            if self.worker is None:
                self.worker = Worker(self.command, self.silence)
                self.facts = self.worker.facts
            try:
                answer = self._run({**job, "exclude": list(exclude), "check_each": check_each})
            except Lost as lost:
                where = f"{lost.reason}, at “{lost.step}”"
                print(f"{operation} {tuple(shape)}: {where}", file=sys.stderr, flush=True)
                notes.append(where)
                culprit = lost.step.partition(":")[0]
                if check_each and culprit in only and culprit not in exclude:
                    exclude[culprit] = where
                elif check_each:
                    break
                check_each = True
                continue
            answer["cell"]["left_out"].update(exclude)
            answer["cell"]["notes"] = notes
            return answer
        result = {"operation": operation, "shape": list(shape), "samples": {}, "left_out": exclude, "nearest": {}}
        return {"cell": {**result, "notes": notes, "failed": notes[-1]}, "missing": {}}

    def close(self):
        if self.worker is not None:
            self.worker.stop()
            self.worker = None


def command_of(arguments):
    """The command of a worker, given the parent's own arguments."""
    return [sys.executable, str(pathlib.Path(__file__).with_name("peers.py")), *arguments, "--worker"]
