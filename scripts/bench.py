"""Times `firebreak apply` and `save` beside iptables-legacy-restore and -save, or beside iptables-nft's.

Both work in turn on the same rules in a network namespace made for it, so that what disturbs one disturbs the other.
Printed are medians, ratios (below 1: Firebreak is faster) and peak memory.

    sudo scripts/bench                     10, 1000, 10000 and 100000 rules
    sudo scripts/bench 1000 --rounds 21    other sizes, another number of rounds
    sudo scripts/bench --backend nft       nf_tables; see bench_nft.py
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import bench_nft


def write_rules(path, count, variant):
    """A filter table as machines have it: a few rules for everybody, then one after another for somebody. The second
    variant has one rule in a hundred changed."""
    with open(path, "w") as out:
        out.write("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:guests - [0:0]\n")
        out.write("-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -j guests\n")
        for number in range(max(0, count - 5)):
            host = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32"
            port = 1024 + number % 40000 + (1 if variant and number % 100 == 50 else 0)
            out.write("-A guests " + [
                f"-s {host} -p tcp -m tcp --dport {port} -j ACCEPT",
                f"-s {host} -p udp -m udp --dport {port} -j ACCEPT",
                f"-s {host} -p tcp -m multiport --dports 80,443,{port} -j ACCEPT",
                f"-s {host} -p tcp -m conntrack --ctstate NEW -m tcp --dport {port} -j ACCEPT",
                f"-s {host} -p tcp -m tcp --dport {port} -j REJECT --reject-with tcp-reset",
                f"-s {host} -m limit --limit 6/min -j LOG --log-prefix \"guest {number % 1000}: \"",
            ][number % 6] + "\n")
        if variant and count <= 10:
            out.write("-A guests -s 192.0.2.1/32 -j DROP\n")
        else:
            out.write("-A guests -s 192.0.2.2/32 -j DROP\n")
        out.write("-A guests -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n")


def run(argv, stdin=None):
    """Seconds and peak memory in KiB. The latter is at least this script's own, which a child begins with."""
    source = os.open(stdin or os.devnull, os.O_RDONLY)
    sink = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawn(
        argv[0], argv, os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, sink, 1)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(source)
    os.close(sink)
    if status != 0:
        sys.exit(f"{' '.join(argv)}: status {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss


class Side:
    """One of the two programs: its times and its peak of one kind of work."""

    def __init__(self):
        self.times = []
        self.peak = 0

    def take(self, result):
        self.times.append(result[0])
        self.peak = max(self.peak, result[1])

    @property
    def median(self):
        return statistics.median(self.times)


def print_head():
    print("  rules  what                    firebreak      iptables   ratio     peak       peak      ratio")


def report(count, what, ours, theirs):
    print(
        f"{count:>7}  {what:<20} {ours.median * 1000:>9.2f} ms {theirs.median * 1000:>9.2f} ms   x{ours.median / theirs.median:<6.2f}"
        f" {ours.peak / 1024:>7.1f} MB {theirs.peak / 1024:>7.1f} MB   x{ours.peak / theirs.peak:.2f}", flush=True)


def measure(count, rounds, firebreak, directory):
    files = [os.path.join(directory, name) for name in ("a.v4", "b.v4")]
    for variant, file in enumerate(files):
        write_rules(file, count, variant)
    restore, save = shutil.which("iptables-legacy-restore"), shutil.which("iptables-legacy-save")
    apply = [firebreak, "apply", "-q", "--backend", "legacy", "--state-dir", os.path.join(directory, "state")]
    clear = os.path.join(directory, "clear.v4")
    with open(clear, "w") as out:
        out.write("*filter\nCOMMIT\n")

    def both(what, prepare, ours, theirs):
        """Takes turns, and who begins takes turns too."""
        sides = Side(), Side()
        for turn in range(rounds):
            works = [(sides[0], ours), (sides[1], theirs)]
            for side, work in works if turn % 2 == 0 else reversed(works):
                prepare(turn)
                side.take(run(*work(turn)))
        report(count, what, *sides)

    put = lambda file: run([restore], file)
    both("into an empty table", lambda _: put(clear), lambda _: (apply + [files[0]],), lambda _: ([restore], files[0]))
    # Put there by Firebreak, over all that the other one left: what somebody else changed it would keep.
    own = lambda file: run(apply + ["--exclusive", file])
    both("one in a hundred new", lambda turn: own(files[turn % 2]),
         lambda turn: (apply + [files[1 - turn % 2]],), lambda turn: ([restore], files[1 - turn % 2]))
    own(files[0])
    both("nothing new", lambda _: None, lambda _: (apply + [files[0]],), lambda _: ([restore], files[0]))
    both("save", lambda _: None, lambda _: ([firebreak, "save", "-q", "--backend", "legacy"],), lambda _: ([save],))


def outside(arguments):
    """Makes the namespace, and starts this script again inside it."""
    program = os.path.abspath(arguments.program)
    name = f"fbb-{random.randrange(1 << 40):x}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as directory:
            if arguments.backend == "nft":
                return bench_nft.measure_all(arguments.sizes, arguments.rounds, program, directory, name)
            inside = [sys.executable, __file__, "--inside", directory, "--program", program, "--rounds", str(arguments.rounds)]
            environment = dict(os.environ, XTABLES_LOCKFILE=os.path.join(directory, "lock"))
            return subprocess.run(
                ["ip", "netns", "exec", name] + inside + [str(size) for size in arguments.sizes], env=environment).returncode
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[10, 1000, 10000, 100000], help="numbers of rules")
    parser.add_argument("--backend", choices=["legacy", "nft"], default="legacy", help="which kernel interface")
    parser.add_argument("--rounds", type=int, default=0, help="measurements of each kind; by size if not given")
    parser.add_argument("--program", required=True, help="the firebreak to time")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        sys.exit(outside(arguments))
    floor = run(["/bin/true"])[1]
    print_head()
    for size in arguments.sizes:
        rounds = arguments.rounds or (41 if size <= 1000 else 15 if size <= 10000 else 7)
        measure(size, rounds, arguments.program, arguments.inside)
    print(f"(peaks below {floor / 1024:.0f} MB cannot be told apart)")


if __name__ == "__main__":
    main()
