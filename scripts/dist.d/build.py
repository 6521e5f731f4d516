"""The binaries. They contain no path of the builder, so they are the same on every machine."""

import os
import pathlib
import platform
import subprocess

from release import ROOT, die, run, say

LINUX = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]
WINDOWS = ["x86_64-pc-windows-gnu"]
# These need Apple's SDK, so a Mac builds them, and `--binary TARGET=PATH` adds them.
DARWIN = ["aarch64-apple-darwin", "x86_64-apple-darwin"]


def binary_of(release, target):
    """Builds the binary for a target, and returns its path."""
    say(f"building for {target}")
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "dist"
    if not (sysroot() / "lib/rustlib" / target / "lib").is_dir():
        die(f"the Rust target {target} is not installed: run `rustup target add {target}`")
    env = {
        **os.environ,
        "CARGO_TARGET_DIR": str(folder),
        "CARGO_INCREMENTAL": "0",
        "DIGESTIF_COMMIT": release.commit,
        "SOURCE_DATE_EPOCH": str(release.epoch),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join([*remapped(folder), *linked(target)]),
        f"CC_{target.replace('-', '_')}": compiler(target),
        # Only ring has C code. It needs no C library, except for the hardening of glibc's headers.
        f"CFLAGS_{target.replace('-', '_')}": f"-ffile-prefix-map={cargo_home()}=/cargo -U_FORTIFY_SOURCE",
    }
    env.pop("RUSTFLAGS", None)
    command = ["cargo", "build", "--locked", "--release", "--bin", "digestif", "--target", target]
    if subprocess.run(command, cwd=ROOT, env=env, check=False).returncode != 0:
        die(f"the binary for {target} could not be built")
    return folder / target / "release" / ("digestif.exe" if target in WINDOWS else "digestif")


def remapped(target_folder):
    """Names for the folders of this machine. If two match, rustc uses the later one."""
    commit = next(line for line in run("rustc", "-vV").splitlines() if line.startswith("commit-hash: "))
    names = {
        ROOT: "/digestif",
        target_folder: "/target",
        cargo_home(): "/cargo",
        # The name of the standard library if its source is not installed.
        sysroot() / "lib/rustlib/src/rust": f"/rustc/{commit.split()[1]}",
    }
    return [f"--remap-path-prefix={folder}={name}" for folder, name in names.items()]


def linked(target):
    if target in LINUX:
        return ["-Clinker=rust-lld"]
    return ["-Clink-arg=-Wl,--no-insert-timestamp"] if target in WINDOWS else []


def compiler(target):
    processor = target.split("-")[0]
    if target in WINDOWS:
        return f"{processor}-w64-mingw32-gcc"
    is_native = processor == platform.machine() or target in DARWIN
    return "cc" if is_native else f"{processor}-linux-gnu-gcc"


def cargo_home():
    return pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")


def sysroot():
    return pathlib.Path(run("rustc", "--print", "sysroot").strip())
