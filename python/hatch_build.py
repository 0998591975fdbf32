"""Builds the Go programs into the wheel: compressed, without the demo, for this platform, with no cgo.

The Go module is the folder above this one, or ``go`` in a source distribution, which has the files of it
that the programs are built from. Without Go the wheel has no programs, and the package says so when one
is wanted; a source distribution is not made without Go.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROGRAMS = ("billc", "billrun")
PLATFORMS = {
    ("linux", "amd64"): "manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    ("linux", "arm64"): "manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    ("darwin", "arm64"): "macosx_12_0_arm64",
    ("darwin", "amd64"): "macosx_12_0_x86_64",
    ("windows", "amd64"): "win_amd64",
}


class GoPrograms(BuildHookInterface):  # type: ignore[type-arg]
    """The hook of the wheel and of the source distribution."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        module = next((m for m in (Path(self.root) / "go", Path(self.root).parent) if (m / "go.mod").is_file()), None)
        if self.target_name == "sdist":
            if module is None or shutil.which("go") is None:
                raise RuntimeError("a source distribution holds the sources of billc and billrun: it is made in the repository, with Go (https://go.dev/dl)")
            build_data["force_include"].update({str(module / f): f"go/{f}" for f in sources(module)})
            return
        if module is None or shutil.which("go") is None:
            self.app.display_warning("Go is not here: billnet is built without its programs billc and billrun, and can train but not compile")
            return
        target = json.loads(subprocess.check_output(["go", "env", "-json", "GOOS", "GOARCH"], cwd=module))
        system = (target["GOOS"], target["GOARCH"])
        if system not in PLATFORMS:
            raise RuntimeError(f"there is no wheel for {'/'.join(system)}, expected one of {', '.join('/'.join(s) for s in PLATFORMS)}")
        self.folder = tempfile.mkdtemp(prefix="billnet-go-")
        command = ["go", "build", "-trimpath", "-buildvcs=false", "-tags=nodemo", "-ldflags=-s -w", "-o", self.folder + os.sep, *(f"./cmd/{p}" for p in PROGRAMS)]
        subprocess.run(command, cwd=module, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        include = build_data["force_include_editable" if version == "editable" else "force_include"]
        for name in PROGRAMS:
            file = Path(self.folder) / (name + (".exe" if target["GOOS"] == "windows" else ""))
            packed = Path(self.folder) / (file.name + ".xz")
            packed.write_bytes(lzma.compress(file.read_bytes(), preset=9))
            include[str(packed)] = f"billnet/bin/{packed.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{PLATFORMS[system]}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)


def sources(module: Path) -> list[str]:
    """The files of the Go module that the programs are made of, on any platform, relative to it."""
    command = ["go", "list", "-tags=nodemo", "-deps", "-json=Dir,Module,GoFiles,IgnoredGoFiles,SFiles,HFiles,IgnoredOtherFiles,EmbedFiles", *(f"./cmd/{p}" for p in PROGRAMS)]
    text = subprocess.check_output(command, cwd=module, text=True)
    found, decoder = {"go.mod", "go.sum"}, json.JSONDecoder()
    while text := text.lstrip():
        package, end = decoder.raw_decode(text)
        text = text[end:]
        if package.get("Module", {}).get("Main"):
            folder = Path(package.pop("Dir")).relative_to(module.resolve())
            found.update((folder / f).as_posix() for files in package.values() if isinstance(files, list) for f in files)
    return sorted(found)
