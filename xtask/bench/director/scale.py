#!/usr/bin/python3
"""Many TCP checkers: what they cost, and how punctual they are. Needs root, cc, ip and taskset.

  scale.py 'evenkeel=evenkeel director --dry-run -f {conf}' 'keepalived=keepalived -C -n -l -G -f {conf} -p {pid} -c {pid}.c'

Each argument is NAME=COMMAND; the command stays in the foreground and reads {conf}. A command whose first word is keepalived
is given a library that stands for the kernel's table, so that it runs where there is none (noipvs.c).

The servers are addresses of 127.1.0.0/16 in a network namespace, all of them one process that accepts and closes (acceptd.c);
a hundred to a virtual server, a check every 2 s. Programs are interleaved (A B A B ...). The checking program has the last
processor, the servers have the first. CPU time is what the scheduler counted for its process tree (schedstat); RSS and
PSS are sums over the tree. A check is late by its distance from the one before beyond 2 s.

Prints a table of medians, with the range over the rounds, and a line of JSON.
"""
import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PORT = 8000


def configuration(servers):
    out = ["global_defs {\n  router_id scale\n}\n"]
    for first in range(0, servers, 100):
        out.append(f"virtual_server 10.99.{first // 100 % 250}.1 80 {{\n  delay_loop 2\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n")
        for k in range(first, min(first + 100, servers)):
            out.append(f"  real_server 127.1.{k // 250}.{k % 250 + 1} {PORT} {{\n    weight 1\n    TCP_CHECK {{\n      connect_timeout 3\n    }}\n  }}\n")
        out.append("}\n")
    return "".join(out)


def tree(root):
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu(root):
    """Seconds of all threads of a process tree."""
    total = 0
    for pid in tree(root):
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(task.read_text().split()[0])
    return total / 1e9


def memory(root, file, key):
    """KiB over the tree."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError, TypeError):
            total += int(re.search(key + r":\s+(\d+)", Path(f"/proc/{pid}/{file}").read_text())[1])
    return total


def build(folder):
    for source, target, flags in [("acceptd.c", "acceptd", []), ("noipvs.c", "noipvs.so", ["-shared", "-fPIC"])]:
        subprocess.run(["cc", "-O2", *flags, "-o", folder / target, HERE / source], check=True)


def stop(process):
    """Ends it with all it has started."""
    pids = tree(process.pid) if process.poll() is None else []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for pid in pids:
        if pid != process.pid or process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def measure(command, servers, options, folder):
    conf, log = folder / "scale.conf", folder / "scale.log"
    conf.write_text(configuration(servers))
    for old in folder.glob("scale.pid*"):
        old.unlink()
    cpus = sorted(os.sched_getaffinity(0))
    space = f"ekscale{os.getpid()}"
    inside = ["ip", "netns", "exec", space, "taskset", "-c"]
    words = shlex.split(command.format(conf=conf, pid=folder / "scale.pid"))
    environment = dict(os.environ)
    if Path(words[0]).name == "keepalived":
        environment["LD_PRELOAD"] = str(folder / "noipvs.so")
    started = []
    subprocess.run(["ip", "netns", "add", space], check=True)
    try:
        subprocess.run(["ip", "-n", space, "link", "set", "lo", "up"], check=True)
        target = subprocess.Popen([*inside, str(cpus[0]), folder / "acceptd", str(PORT)], stdout=subprocess.PIPE, text=True)
        started.append(target)
        target.stdout.readline()
        with open(log, "wb") as out:
            program = subprocess.Popen([*inside, str(cpus[-1]), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment)
        started.append(program)
        # Until the work of the start is over: two seconds in a row with less than three quarters of the processor.
        before, quiet, begun = 0.0, 0, time.monotonic()
        while quiet < 2 and time.monotonic() - begun < 100:
            time.sleep(1)
            used = cpu(program.pid)
            quiet = quiet + 1 if used - before < 0.75 else 0
            before = used
        time.sleep(options.settle)
        if program.poll() is not None:
            sys.exit(f"{words[0]} ended: {log.read_text(errors='replace')[-800:]}")
        target.send_signal(signal.SIGUSR1)
        first, begun = cpu(program.pid), time.monotonic()
        time.sleep(options.window)
        used, window = cpu(program.pid) - first, time.monotonic() - begun
        target.terminate()
        seen = json.loads(target.stdout.readline())
        if seen["servers"] != servers:
            sys.exit(f"{words[0]} checked {seen['servers']} servers of {servers}: {log.read_text(errors='replace')[-800:]}")
        return {
            "cpu_us": used * 1e6 / max(seen["checks"], 1),
            "checks_s": seen["checks"] / window,
            "rss_mb": memory(program.pid, "status", "VmRSS") / 1024,
            "pss_mb": memory(program.pid, "smaps_rollup", "Pss") / 1024,
            **{f"{part}_s": seen[part] for part in ["p1", "p50", "p99", "max"]},
        }
    finally:
        for process in reversed(started):
            stop(process)
        subprocess.run(["ip", "netns", "del", space], check=False)


COLUMNS = [
    ("cpu_us", "CPU per check, µs", 1),
    ("checks_s", "checks per second", 0),
    ("rss_mb", "RSS, MB", 1),
    ("pss_mb", "PSS, MB", 1),
    ("p1_s", "interval p1, s", 4),
    ("p50_s", "p50", 4),
    ("p99_s", "p99", 4),
    ("max_s", "max", 4),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--sizes", default="1000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=float, default=10, help="seconds measured (10)")
    parser.add_argument("--settle", type=float, default=4, help="seconds before that (4)")
    options = parser.parse_args()
    programs = [program.split("=", 1) for program in options.programs]
    result = {}
    with tempfile.TemporaryDirectory(prefix="ek-scale.") as folder:
        folder = Path(folder)
        build(folder)
        for servers in map(int, options.sizes.split(",")):
            rows = {name: [] for name, _ in programs}
            for turn in range(options.rounds):
                for name, command in programs:
                    rows[name].append(measure(command, servers, options, folder))
                    print(f"# {servers} {name} {turn + 1}: {json.dumps(rows[name][-1])}", file=sys.stderr, flush=True)
            result[servers] = rows
    print("| servers | program | " + " | ".join(title for _, title, _ in COLUMNS) + " |")
    print("|---|---|" + "---|" * len(COLUMNS))
    for servers, rows in result.items():
        for name, runs in rows.items():
            cells = []
            for key, _, digits in COLUMNS:
                values = [run[key] for run in runs]
                cell = f"{statistics.median(values):.{digits}f}"
                if len(values) > 1:
                    cell += f" ({min(values):.{digits}f}–{max(values):.{digits}f})"
                cells.append(cell)
            print(f"| {servers} | {name} | " + " | ".join(cells) + " |")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
