#!/usr/bin/env python3
"""Counts the instructions of what is done per message, in callgrind, and holds them against baseline.json.

run.py             every case, as a table; ends with 1 where one takes more than 3 % more than in the baseline
run.py accept      writes the baseline anew
ONLY=echo,client   only the cases with one of these in their names
KEEP=folder        leaves what callgrind has written there, for profile.py

Instructions are the same on a busy machine as on an idle one, to within 0.3 %. They do depend on the compiler, on libc and on
what the processor can do: where those are not the baseline's, both are shown, and nothing fails.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import cases  # noqa: E402
from cases import CASES, Case  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = Path(os.environ.get("TARGET", ROOT / "target/release"))
BUILD = ROOT / "target/counts"
BASELINE = HERE / "baseline.json"
TOLERANCE = 0.03
# What valgrind lets a program see of the processor, as far as libraries choose their code by it.
FEATURES = {"sse4_2", "pclmulqdq", "aes", "avx", "avx2", "bmi1", "bmi2", "abm", "f16c", "rdrand", "rdseed", "erms", "fsrm", "fma", "asimd", "sha2"}


def machine() -> dict[str, str]:
    """What counts depend on besides the sources."""
    said = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: E731
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "rustc": said("rustc", "--version"),
        "libc": said("getconf", "GNU_LIBC_VERSION"),
        "valgrind": said("valgrind", "--version"),
        "processor": " ".join([os.uname().machine, *sorted(FEATURES & set(flags[1].split() if flags else []))]),
    }


def prepare() -> None:
    """Makes what is run: the program, and a certificate for it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    library = RELEASE / "libsockline.so"
    soname = BUILD / "libsockline.so.0"
    soname.unlink(missing_ok=True)
    soname.symlink_to(library.resolve(strict=True))
    flags = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include"]
    subprocess.run(["gcc", *flags, HERE / "program.c", "-o", BUILD / "program", soname, f"-Wl,-rpath,{BUILD}"], check=True)
    if not (BUILD / "key.pem").exists():
        how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost"
        files = ["-keyout", BUILD / "key.pem", "-out", BUILD / "certificate.pem"]
        subprocess.run(["openssl", *how.split(), *files], check=True, capture_output=True)


def command(case: Case, port: int | None) -> list[str | Path]:
    if case.is_rust:
        return [RELEASE / "examples" / case.program[0], "0"]
    known = {"TLS": [BUILD / "certificate.pem", BUILD / "key.pem"], "PORT": [str(port)]}
    return [BUILD / "program", *(word for given in case.program for word in known.get(given, [given]))]


@contextmanager
def counted(case: Case, out: Path):
    """The process in callgrind, and the other side of it."""
    with ExitStack() as stack:
        listener = stack.enter_context(cases.listening()) if case.is_client else None
        port = listener.getsockname()[1] if listener else None
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}"]
        process = subprocess.Popen([*valgrind, *command(case, port)], stdout=subprocess.PIPE, text=True)
        stack.callback(process.stdout.close)
        stack.callback(process.wait)
        stack.callback(process.kill)
        if listener is None:
            line = process.stdout.readline()
            if not (found := re.search(r"(\d+)\s*$", line)):
                raise RuntimeError(f"{case.name}: the process has not begun: {line!r}")
            port = int(found[1])
        yield process, case.drive(listener or port)


def total(out: Path) -> int:
    found = re.search(r"^totals: (\d+)$", out.read_text(), re.M)
    if not found:
        raise RuntimeError(f"callgrind has written no count into {out}")
    return int(found[1])


def count_marked(case: Case, out: Path) -> float:
    """Between two marks that the process is told of."""
    with counted(case, out) as (_, driven):
        for _ in range(1 + case.times // 10):
            driven.once()
        driven.mark(b"zero")
        for _ in range(case.times):
            driven.once()
        driven.mark(b"dump")
    return total(out.with_name(f"{out.name}.1")) / (case.times * case.messages)


def count_all(case: Case, out: Path, times: int) -> int:
    """From beginning to end."""
    with counted(case, out) as (process, driven):
        for _ in range(times):
            driven.once()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return total(out)


def count(case: Case, folder: Path) -> float:
    """Instructions per message."""
    out = folder / (re.sub(r"\W+", "-", case.name) + ".callgrind")
    if not case.is_rust:
        return count_marked(case, out)
    once, thrice = (count_all(case, out, times) for times in (case.times, 3 * case.times))
    return (thrice - once) / (2 * case.times * case.messages)


def count_everything(wanted: list[Case]) -> dict[str, float]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    kept = os.environ.get("KEEP")
    folder = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="sockline-counts-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with ThreadPoolExecutor(2) as pool:
            return dict(zip((case.name for case in wanted), pool.map(lambda case: count(case, folder), wanted)))
    finally:
        if not kept:
            shutil.rmtree(folder)


def compare(baseline: dict[str, float], now: dict[str, float]) -> tuple[list[str], list[str]]:
    """Prints the table; returns the names of what takes more, and of what takes less."""
    more, less = [], []
    print(f"{'instructions per message':46} {'baseline':>10} {'now':>10} {'':>7}")
    for name, instructions in now.items():
        before = baseline.get(name)
        if before is None:
            more.append(name)
            print(f"{name:46} {'none':>10} {instructions:>10.0f}")
            continue
        difference = instructions / before - 1
        mark = " !" if abs(difference) > TOLERANCE else ""
        (more if difference > TOLERANCE else less if difference < -TOLERANCE else []).append(name)
        print(f"{name:46} {before:>10.0f} {instructions:>10.0f} {difference:>+7.1%}{mark}")
    return more, less


def accept(now: dict[str, float]) -> None:
    known = json.loads(BASELINE.read_text())["instructions"] if BASELINE.exists() else {}
    merged = {case.name: round(now.get(case.name, known.get(case.name, 0)), 1) for case in CASES}
    BASELINE.write_text(json.dumps({"machine": machine(), "instructions": merged}, indent=2) + "\n")


def main() -> int:
    only = os.environ.get("ONLY", "").split(",")
    wanted = [case for case in CASES if any(part in case.name for part in only)]
    prepare()
    now = count_everything(wanted)
    if sys.argv[1:] == ["accept"]:
        accept(now)
        print(json.dumps(now, indent=2))
        return 0
    baseline = json.loads(BASELINE.read_text())
    more, less = compare(baseline["instructions"], now)
    if less:
        print("Less than the baseline: make counts-accept takes what has been gained.")
    differing = {key: (baseline["machine"].get(key), value) for key, value in machine().items()}
    differing = {key: values for key, values in differing.items() if values[0] != values[1]}
    for key, (before, value) in differing.items():
        print(f"{key}: the baseline was counted with {before}, this is {value}")
    if differing:
        print("So nothing fails here.")
    elif more:
        print(f"More than {TOLERANCE:.0%} over the baseline: {'; '.join(more)}")
        print("See where: KEEP=/tmp/counts make counts, then tests/counts/profile.py. If it has to be: make counts-accept.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
