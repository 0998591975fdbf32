"""The Go programs that this package stands on: ``billc``, the compiler, and ``billrun``, the runtime."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Optional, Sequence, Union


class ToolError(RuntimeError):
    """A Go program failed; the text is what it printed."""

    def __init__(self, command: Sequence[str], code: int, text: str) -> None:
        super().__init__(f"{Path(command[0]).name} {command[1] if len(command) > 1 else ''} ended with exit code {code}:\n{text.strip()}")
        self.code, self.text = code, text


def find(name: str) -> str:
    """The path of ``billc`` or ``billrun``: from the folder BILLNET_BIN, from the wheel, or on PATH."""
    file = name + (".exe" if sys.platform == "win32" else "")
    folder = os.environ.get("BILLNET_BIN")
    if folder:
        path = Path(folder) / file
        if path.is_file():
            return str(path)
        raise FileNotFoundError(f"BILLNET_BIN={folder} has no {file}: build it there with `go build -o {folder} ./cmd/{name}`, or unset the variable")
    packed = Path(__file__).parent / "bin" / (file + ".xz")
    if packed.is_file():
        return str(_unpacked(packed, file))
    found = shutil.which(name)
    if found:
        return found
    raise FileNotFoundError(
        f"there is no program {name}: this billnet was installed from source without Go. Install Go (https://go.dev/dl) and then billnet "
        f"again, or install its wheel, or build the program and name its folder in BILLNET_BIN"
    )


@lru_cache(maxsize=None)
def _unpacked(packed: Path, file: str) -> Path:
    """The program in a folder of the user's cache that is named after its contents; unpacked there when it is first wanted."""
    data = packed.read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None) or Path.home() / ".cache")
    path = cache / "billnet" / hashlib.sha256(data).hexdigest()[:16] / file
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as f:
            f.write(lzma.decompress(data))
        os.chmod(f.name, 0o755)
        os.replace(f.name, path)
    return path


def run(name: str, *args: Union[str, os.PathLike[str]], stdin: Optional[bytes] = None) -> bytes:
    """Runs a program and returns what it prints to standard output."""
    command = [find(name), *(os.fspath(a) for a in args)]
    done = subprocess.run(command, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True)
    if done.returncode:
        raise ToolError(command, done.returncode, done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace"))
    return done.stdout
