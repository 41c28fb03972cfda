#!/usr/bin/python3
"""What a request costs: CPU time and memory of proxies that read the same haproxy.cfg, on the loopback interface.

  proxy.py 'evenkeel=evenkeel proxy -db -f {cfg}' 'haproxy=haproxy -db -f {cfg}'

Each argument is NAME=COMMAND; the command stays in the foreground and reads {cfg}. Ratios are the first one's figure
divided by each other one's.

A proxy runs on one thread and has a processor to itself when there are two; server (nginx), clients (wrk) and the log's
receiver share another. Runs are interleaved (A B A B ...), so that a ratio is taken between neighbours in time: the
figures of a busy machine wander, their ratios hardly do. CPU time is what the scheduler counted for the proxy's threads
(schedstat), divided by the responses that wrk saw; its split into user and system is sampled by the kernel's clock.

Every request is logged to a UDP socket that is read. A line that does not arrive is reported as lost, with the share
of the losses that were the receiver's own (its queue was full).

Prints a table and one line of JSON. Exits with 1 when a run had errors; a slow run is no error.
"""
import argparse
import http.client
import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Iterable, NoReturn, Optional

PROXY_CFG = """\
global
  nbthread 1
  maxconn {maxconn}
  log 127.0.0.1:{log_port} local0
defaults
  log global
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  mode http
  option httplog
  option http-keep-alive
  http-reuse always
listen http
  bind 127.0.0.1:{http}
  server s1 127.0.0.1:{server_port}
listen bulk
  bind 127.0.0.1:{bulk}
  option splice-auto
  server s1 127.0.0.1:{server_port}
listen tcp
  mode tcp
  option tcplog
  bind 127.0.0.1:{tcp}
  server s1 127.0.0.1:{server_port}
"""
SERVER_CONF = """\
{user}daemon off; worker_processes 1; worker_rlimit_nofile {files}; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections {files}; }}
http {{
  access_log off; sendfile on; keepalive_timeout 600s; keepalive_requests 1000000000;
  open_file_cache max=16; open_file_cache_valid 600s; root {dir}/html;
  client_body_temp_path {dir}/t; proxy_temp_path {dir}/t; fastcgi_temp_path {dir}/t; uwsgi_temp_path {dir}/t;
  scgi_temp_path {dir}/t;
  server {{ listen 127.0.0.1:{server_port} backlog=4096; }}
}}
"""
OBJECTS = {"small": 128, "16k": 16 << 10, "1m": 1 << 20}


@dataclass(frozen=True)
class Mode:
    title: str
    listener: str
    path: str
    target: Optional[float] = None
    wrk: tuple[str, ...] = ()


MODES = {
    "keepalive": Mode("128 bytes, keep-alive", "http", "small", 0.60),
    "close": Mode("128 bytes, a connection each", "http", "small", 0.75, ("-H", "Connection: close")),
    "16k": Mode("16 KB, keep-alive", "http", "16k", 0.55),
    "1m": Mode("1 MB, `option splice-auto`", "bulk", "1m", 0.40),
    "tcp": Mode("128 bytes, `mode tcp`", "tcp", "small"),
}
IDLE_TARGET_KB = 1.5
PORTS = ("http", "bulk", "tcp")


@dataclass
class Run:
    """One run of wrk against one proxy."""
    us: float           # of CPU per request
    user: float         # microseconds of it in user space
    rate: float         # requests per second
    p50_ms: float
    p99_ms: float
    requests: int
    lines: int          # log lines that came
    expected: int       # log lines that had to come
    error: Optional[str]


@dataclass
class Proxy:
    name: str
    command: str
    ports: dict[str, int] = field(default_factory=dict)
    process: Optional[subprocess.Popen[bytes]] = None
    idle_kb: Optional[float] = None
    runs: dict[str, list[Run]] = field(default_factory=dict)
    syscalls: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid


def die(text: str) -> NoReturn:
    sys.exit(f"proxy.py: {text}")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Sink:
    """Receives log lines on a thread of its own and counts them."""

    def __init__(self, cpu: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        size = 64 << 20
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, 33, size)     # SO_RCVBUFFORCE, for root
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.bind(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.lines = 0
        self.last = b""
        threading.Thread(target=self.receive, args=(cpu,), daemon=True).start()

    def receive(self, cpu: int) -> None:
        os.sched_setaffinity(threading.get_native_id(), {cpu})
        buffer = bytearray(65536)
        while length := self.socket.recv_into(buffer):
            self.lines += 1
            self.last = bytes(buffer[:length]) if self.lines % 1000 == 1 else self.last

    def settled(self) -> int:
        """The count once nothing more comes."""
        quiet, before = 0, -1
        for _ in range(100):
            time.sleep(0.05)
            quiet, before = (quiet + 1 if self.lines == before else 0), self.lines
            if quiet == 3:
                break
        return self.lines

    def overflows(self) -> int:
        """Lines that found the queue full."""
        inode = str(os.fstat(self.socket.fileno()).st_ino)
        rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
        return sum(int(row[-1]) for row in rows if row[9] == inode)


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    parents: dict[int, int] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu(root: int) -> dict[str, tuple[int, int, int]]:
    """Of each thread of a process tree: nanoseconds on a CPU, and clock ticks in user space and in the kernel."""
    result = {}
    for pid in tree(root):
        for task in Path(f"/proc/{pid}/task").glob("*"):
            try:
                user, system = (task / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
                result[str(task)] = (int((task / "schedstat").read_text().split()[0]), int(user), int(system))
            except OSError:
                continue
    return result


def rss_kb(root: int) -> int:
    texts = (Path(f"/proc/{pid}/status").read_text() for pid in tree(root))
    return sum(int(match[1]) for text in texts if (match := re.search(r"VmRSS:\s+(\d+)", text)))


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all its descendants, by their ids."""
    pids = tree(process.pid) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        pass
    for pid in pids:
        if pid != process.pid or process.poll() is None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    process.wait()


def fetch(port: int, name: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/{name}")
    answer = connection.getresponse()
    length = len(answer.read())
    connection.close()
    return length if answer.status == 200 else -answer.status


def wait_ready(ports: Iterable[int], process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    """Wait for the listeners, then check every object's length."""
    problem = "no listener"
    for _ in range(100):
        if process.poll() is not None:
            die(f"{what} ended with status {process.returncode}: {log.read_text()[-800:]}")
        try:
            wrong = {(port, name): got for port in ports for name, size in OBJECTS.items()
                     if (got := fetch(port, name)) != size}
            if not wrong:
                return
            problem = f"wrong lengths or statuses {wrong}"
        except (OSError, http.client.HTTPException) as error:
            problem = str(error)
        time.sleep(0.05)
    die(f"{what} does not answer: {problem}")


class Bench:
    def __init__(self, opts: argparse.Namespace, folder: Path) -> None:
        self.opts, self.folder = opts, folder
        cpus = sorted(os.sched_getaffinity(0))
        self.proxy_cpu, self.server_cpu, self.client_cpu = cpus[-1], cpus[0], cpus[1 if len(cpus) > 2 else 0]
        self.files = opts.idle + 2000
        wanted = 2 * self.files + 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
        except (ValueError, OSError):
            die(f"{opts.idle} idle connections need {wanted} files; the limit is {hard}")
        self.processes: list[subprocess.Popen[bytes]] = []
        self.server_port = free_port()
        self.sink = Sink(self.client_cpu)

    def spawn(self, on: int, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as out:
            process = subprocess.Popen(["taskset", "-c", str(on), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.processes.append(process)
        return process

    def start_server(self) -> None:
        (self.folder / "html").mkdir()
        for name, size in OBJECTS.items():
            (self.folder / "html" / name).write_bytes(b"x" * size)
        conf, log = self.folder / "nginx.conf", self.folder / "nginx.out"
        conf.write_text(SERVER_CONF.format(dir=self.folder, files=self.files, server_port=self.server_port,
                                           user="user root; " if os.geteuid() == 0 else ""))
        nginx = self.spawn(self.server_cpu, ["nginx", "-e", str(self.folder / "nginx.log"), "-c", str(conf)], log)
        wait_ready([self.server_port], nginx, "nginx", log)

    def start(self, proxy: Proxy) -> None:
        proxy.ports = {name: free_port() for name in PORTS}
        cfg, log = self.folder / f"{proxy.name}.cfg", self.folder / f"{proxy.name}.log"
        cfg.write_text(PROXY_CFG.format(maxconn=self.files, log_port=self.sink.port, server_port=self.server_port,
                                        **proxy.ports))
        proxy.process = self.spawn(self.proxy_cpu, shlex.split(proxy.command.replace("{cfg}", str(cfg))), log)
        wait_ready(proxy.ports.values(), proxy.process, proxy.name, log)

    def measure_idle(self, proxy: Proxy) -> None:
        """Memory for each idle keep-alive connection, in a fresh proxy."""
        self.start(proxy)
        before = rss_kb(proxy.pid)
        sockets: list[socket.socket] = []
        try:
            for _ in range(self.opts.idle):
                sock = socket.create_connection(("127.0.0.1", proxy.ports["http"]), timeout=5)
                sock.sendall(b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n")
                sockets.append(sock)
                answer = b""
                while not answer.endswith(b"\r\n\r\n" + b"x" * OBJECTS["small"]):
                    if not (part := sock.recv(4096)):
                        die(f"{proxy.name} closed idle connection {len(sockets)}")
                    answer += part
            time.sleep(1)
            proxy.idle_kb = (rss_kb(proxy.pid) - before) / self.opts.idle
        finally:
            for sock in sockets:
                sock.close()
        assert proxy.process
        stop(proxy.process)

    def load(self, proxy: Proxy, mode: Mode) -> str:
        """Runs wrk; returns what it says."""
        return subprocess.run(
            ["taskset", "-c", str(self.client_cpu), "wrk", "-t1", f"-c{self.opts.connections}",
             f"-d{self.opts.duration}", "--latency", *mode.wrk, f"http://127.0.0.1:{proxy.ports[mode.listener]}/{mode.path}"],
            capture_output=True, text=True, timeout=self.opts.duration + 10).stdout

    def measure(self, proxy: Proxy, name: str) -> Run:
        mode = MODES[name]
        lines, before = self.sink.settled(), cpu(proxy.pid)
        text = self.load(proxy, mode)
        after = cpu(proxy.pid)
        lines = self.sink.settled() - lines
        spent = [tuple(b - a for a, b in zip(before.get(task, (0, 0, 0)), now)) for task, now in after.items()]
        ns, user, system = (sum(column) for column in zip(*spent))
        requests, rate = re.search(r"(\d+) requests in", text), re.search(r"Requests/sec:\s+([\d.]+)", text)
        if not (requests and rate and int(requests[1])):
            die(f"{proxy.name}, {name}: wrk saw no answer: {text[-400:]}")

        def percentile(label: str) -> float:
            match = re.search(label + r"%\s+([\d.]+)(us|ms|s|m)\b", text)
            return float(match[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[match[2]] if match else 0.0

        error = re.search(r"Socket errors.*|Non-2xx.*", text)
        count = int(requests[1])
        us = ns / count / 1000
        return Run(us, us * user / max(user + system, 1), float(rate[1]), percentile("50"), percentile("99"), count, lines,
                   self.opts.connections if mode.listener == "tcp" else count, error[0] if error else None)

    def trace(self, proxy: Proxy, name: str) -> dict[str, float]:
        """System calls per request, by strace."""
        out = self.folder / "strace"
        tracer = self.spawn(self.client_cpu, ["strace", "-cfq", "-o", str(out), "-p", str(proxy.pid)], self.folder / "strace.log")
        time.sleep(0.3)
        text = self.load(proxy, MODES[name])
        tracer.send_signal(signal.SIGINT)
        tracer.wait(5)
        requests = re.search(r"(\d+) requests in", text)
        rows = (line.split() for line in out.read_text().splitlines())
        calls = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}
        return {call: n / int(requests[1]) for call, n in calls.items()} if requests else {}


def spread(values: Iterable[float]) -> dict[str, float]:
    values = list(values)
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(first: Proxy, other: Proxy, mode: str) -> dict[str, float]:
    return spread(a.us / b.us for a, b in zip(first.runs[mode], other.runs[mode]))


def lost(runs: list[Run]) -> int:
    return sum(max(run.expected - run.lines, 0) for run in runs)


def table(proxies: list[Proxy], modes: list[str]) -> None:
    first, width = proxies[0], max(len(proxy.name) for proxy in proxies)
    print(f"{'mode':9} {'proxy':{width}} {'us/req':>7} {'min':>7} {'max':>7} {'user':>6} {'system':>6} {'req/s':>7} "
          f"{'p50 ms':>7} {'p99 ms':>7} {'lines':>8} {'lost':>6}")
    for mode in modes:
        for proxy in proxies:
            runs = proxy.runs[mode]
            us, user = spread(run.us for run in runs), statistics.fmean(run.user / run.us for run in runs)
            errors = [run.error for run in runs if run.error]
            middle = {key: statistics.median(getattr(run, key) for run in runs) for key in ("rate", "p50_ms", "p99_ms")}
            print(f"{mode:9} {proxy.name:{width}} {us['median']:7.2f} {us['min']:7.2f} {us['max']:7.2f} "
                  f"{us['median'] * user:6.2f} {us['median'] * (1 - user):6.2f} {middle['rate']:7.0f} {middle['p50_ms']:7.2f} "
                  f"{middle['p99_ms']:7.2f} {sum(run.lines for run in runs):8} {lost(runs):6}" + (f"  {errors[0]}" if errors else ""))
        for other in proxies[1:]:
            ratio, target = ratios(first, other, mode), MODES[mode].target
            print(f"{mode:9} {first.name}/{other.name}: median {ratio['median']:.3f}  min {ratio['min']:.3f}  max {ratio['max']:.3f}"
                  + (f"  (target {target:.2f})" if target else ""))
        for proxy in proxies:
            if calls := proxy.syscalls.get(mode):
                shown = sorted(calls.items(), key=lambda item: -item[1])
                print(f"{mode:9} {proxy.name}: {sum(calls.values()):.2f} system calls per request: "
                      + ", ".join(f"{call} {n:.2f}" for call, n in shown if n >= 0.01))
    if first.idle_kb is not None:
        print(f"idle      KB per keep-alive connection (target {IDLE_TARGET_KB}): "
              + "  ".join(f"{proxy.name} {proxy.idle_kb:.2f}" for proxy in proxies))


def markdown(proxies: list[Proxy], modes: list[str]) -> None:
    """The same for docs/performance.md."""
    first, others = proxies[0], proxies[1:]
    print("| | " + " | ".join(f"{proxy.name} µs (user)" for proxy in proxies) + " | "
          + " | ".join(f"ratio to {proxy.name} (min–max)" for proxy in others) + " | target |")
    print("|---" * (2 + len(proxies) + len(others)) + "|")
    for mode in modes:
        cells = [MODES[mode].title]
        for proxy in proxies:
            runs = proxy.runs[mode]
            us, user = statistics.median(run.us for run in runs), statistics.fmean(run.user / run.us for run in runs)
            cells.append(f"{us:.1f} ({us * user:.1f})")
        for other in others:
            ratio = ratios(first, other, mode)
            cells.append(f"**{ratio['median']:.2f}** ({ratio['min']:.2f}–{ratio['max']:.2f})")
        target = MODES[mode].target
        cells.append(f"≤ {target:.2f}" if target else "–")
        print("| " + " | ".join(cells) + " |")
    if first.idle_kb is not None:
        cells = ["idle connection"] + [f"{proxy.idle_kb:.2f} KB" for proxy in proxies]
        cells += [f"{first.idle_kb / proxy.idle_kb:.2f}" if proxy.idle_kb else "–" for proxy in others]
        print("| " + " | ".join(cells) + f" | ≤ {IDLE_TARGET_KB} KB |")


def summary(proxies: list[Proxy], modes: list[str], opts: argparse.Namespace) -> dict[str, object]:
    result: dict[str, object] = {"duration_s": opts.duration, "rounds": opts.rounds, "connections": opts.connections}
    for mode in modes:
        entry: dict[str, object] = {}
        for proxy in proxies:
            entry[proxy.name] = {"us": spread(run.us for run in proxy.runs[mode]), "lost": lost(proxy.runs[mode]),
                                 "syscalls": proxy.syscalls.get(mode, {}), "runs": [asdict(run) for run in proxy.runs[mode]]}
        for other in proxies[1:]:
            entry[f"{proxies[0].name}/{other.name}"] = ratios(proxies[0], other, mode)
        result[mode] = entry
    if opts.idle:
        result["idle_kb"] = {proxy.name: proxy.idle_kb for proxy in proxies}
    return result


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("proxy", nargs="+", help="NAME=COMMAND")
    cli.add_argument("--rounds", type=int, default=7, help="default 7")
    cli.add_argument("--duration", type=int, default=1, help="seconds of one run (default 1)")
    cli.add_argument("--connections", type=int, default=64, help="default 64")
    cli.add_argument("--modes", default=",".join(MODES), help=f"default {','.join(MODES)}")
    cli.add_argument("--idle", type=int, default=5000, help="idle connections; 0 leaves that measurement out (default 5000)")
    cli.add_argument("--syscalls", action="store_true", help="count system calls per request, in runs of their own")
    cli.add_argument("--markdown", action="store_true", help="print the table of docs/performance.md, too")
    cli.add_argument("--json", type=Path, help="file for the line of JSON instead of standard output")
    opts = cli.parse_args()
    modes = opts.modes.split(",")
    if unknown := [mode for mode in modes if mode not in MODES]:
        cli.error(f"unknown mode {unknown[0]}")
    if opts.rounds < 1 or opts.duration < 1 or opts.connections < 1 or opts.idle < 0:
        cli.error("counts must be positive")
    tools = ["wrk", "nginx", "taskset"] + (["strace"] if opts.syscalls else [])
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        die(f"{missing[0]} not found")
    proxies = []
    for text in opts.proxy:
        if not (match := re.fullmatch(r"([A-Za-z0-9_.-]+)=(.+)", text)):
            cli.error(f"'{text}' is not NAME=COMMAND")
        proxies.append(Proxy(match[1], match[2]))
    if len({proxy.name for proxy in proxies}) < len(proxies):
        cli.error("names must differ")

    def out_of_time(_number: int, _frame: object) -> NoReturn:
        die("stopped: out of time or terminated")

    signal.signal(signal.SIGTERM, out_of_time)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(60 + len(proxies) * (30 + (opts.rounds + 2) * len(modes) * (opts.duration + 3)))

    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)     # other work on the machine disturbs less
    except OSError:
        pass
    with tempfile.TemporaryDirectory(prefix="bench-proxy.") as folder:
        bench = Bench(opts, Path(folder))
        try:
            bench.start_server()
            if opts.idle:
                for proxy in proxies:
                    bench.measure_idle(proxy)
            for proxy in proxies:
                bench.start(proxy)
                bench.measure(proxy, modes[0])      # warm-up, not counted
            for _ in range(opts.rounds):
                for mode in modes:
                    for proxy in proxies:
                        proxy.runs.setdefault(mode, []).append(bench.measure(proxy, mode))
            if opts.syscalls:
                for proxy in proxies:
                    proxy.syscalls = {mode: bench.trace(proxy, mode) for mode in modes}
            overflows = bench.sink.overflows()
        finally:
            for process in reversed(bench.processes):
                stop(process)
    table(proxies, modes)
    print(f"log       last line: {bench.sink.last.decode(errors='replace').strip()}")
    if overflows:
        print(f"log       {overflows} lines found the receiver's queue full")
    if opts.markdown:
        markdown(proxies, modes)
    line = json.dumps(summary(proxies, modes, opts) | {"receiver_overflows": overflows})
    if opts.json:
        opts.json.write_text(line + "\n")
    else:
        print(line)
    return 1 if any(run.error for proxy in proxies for runs in proxy.runs.values() for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
