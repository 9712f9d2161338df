"""Are the release's files what their names say, and what are their SHA-256: check.py FOLDER GLIBC

Each library is for the system and the architecture that its name says. One for glibc needs no newer symbols than its name or
GLIBC says, wheels also by auditwheel's list of what else a system has; and the SBOM is valid. Then SHA256SUMS is written.
"""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from elftools.elf.elffile import ELFFile

SUMS = "SHA256SUMS"
Version = tuple[int, ...]
LIBRARY = re.compile(r"\.(so|node)(\.[\d.]+)?$")
MACH_O = b"\xcf\xfa\xed\xfe"
MACH_O_MACHINES = {0x0100_0007: "x64", 0x0100_000C: "arm64"}
ELF_MACHINES = {"EM_X86_64": "x64", "EM_AARCH64": "arm64"}


def libraries(path: Path) -> Iterator[tuple[str, bytes]]:
    """The shared libraries in an archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if LIBRARY.search(name))
    elif path.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and LIBRARY.search(member.name):
                    content = archive.extractfile(member)
                    assert content
                    yield member.name, content.read()


def platform_of(library: bytes) -> str:
    """What it runs on, as the packages for npm have it, without the C library."""
    if library.startswith(MACH_O):
        return f"darwin-{MACH_O_MACHINES.get(int.from_bytes(library[4:8], 'little'))}"
    return f"linux-{ELF_MACHINES.get(ELFFile(io.BytesIO(library))['e_machine'])}"


def platform_named(name: str) -> str:
    """The same, by the name of a wheel, a package or an archive."""
    system = "darwin" if re.search("darwin|macosx", name) else "linux"
    return f"{system}-{'arm64' if re.search('arm64|aarch64', name) else 'x64'}"


def newest_glibc(library: bytes) -> Version:
    """The newest version of glibc's symbols that it needs; none: `(0,)`."""
    needed = ELFFile(io.BytesIO(library)).get_section_by_name(".gnu.version_r")
    if not needed:
        return (0,)
    names = [version.name for _, versions in needed.iter_versions() for version in versions]
    found = [tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in names if re.fullmatch(r"GLIBC_[\d.]+", name)]
    return max(found, default=(0,))


def problems(path: Path, glibc: Version) -> Iterator[str]:
    if path.name.endswith(".cyclonedx.json"):
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text())
        if error:
            yield str(error)
        return
    told = re.search(r"manylinux_(\d+)_(\d+)_", path.name)
    allowed = (int(told[1]), int(told[2])) if told else (0,) if "musl" in path.name else glibc
    for name, library in libraries(path):
        platform = platform_of(library)
        if platform != platform_named(path.name):
            yield f"{name} is for {platform}"
        if platform.startswith("darwin"):
            continue
        needed = newest_glibc(library)
        if needed > allowed:
            yield f"{name} needs glibc {needed}, and {allowed} is what is promised"
        else:
            print(f"{path.name}: {name} needs glibc {'.'.join(map(str, needed))}")
    if told:
        shown = subprocess.run([Path(sys.executable).with_name("auditwheel"), "show", path], capture_output=True, text=True, check=True).stdout
        tags = re.findall(r'"?(manylinux_\d+_\d+_\w+)"?', shown)
        if not tags or tuple(map(int, tags[0].split("_")[1:3])) > allowed:
            yield f"auditwheel finds otherwise: {shown}"


def main() -> None:
    folder, glibc = Path(sys.argv[1]), tuple(map(int, sys.argv[2].split(".")))
    paths = sorted(path for path in folder.iterdir() if path.name != SUMS)
    wrong = [f"{path.name}: {problem}" for path in paths for problem in problems(path, glibc)]
    if wrong:
        sys.exit("\n".join(wrong))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    (folder / SUMS).write_text(sums)
    print(sums, end="")


if __name__ == "__main__":
    main()
