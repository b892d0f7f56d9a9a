"""The rows of scripts/bench for nf_tables: `firebreak apply` and `save` beside iptables-nft-restore, -save and `-A`, and
what packets pay for rules.

The two programs work in turn, each in a network namespace of its own, for what one of them changes the other would have to
read anew. Rows that say "compiled" are there when `firebreak apply` has --compile.
"""

import ctypes
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

import bench

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace by its name; what is started after enter() is inside."""

    def __init__(self, name):
        self.name = name
        self.file = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)

    def enter(self):
        if libc.setns(self.file, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def run(self, argv, stdin=None):
        self.enter()
        return bench.run(argv, stdin)


def added(name):
    subprocess.run(["ip", "netns", "add", name], check=True)
    return Namespace(name)


def has_compiled_form(firebreak):
    text = subprocess.run([firebreak, "apply", "--help"], capture_output=True, text=True).stdout
    return "--compile" in text


def measure_all(sizes, rounds, firebreak, directory, name):
    """In two namespaces: the one with the given name, and one more."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    names = [name + "-o", name + "-s", name + "-r"]
    try:
        ours, theirs = Namespace(name), added(names[0])
        forms = [("", [])] + ([(", compiled", ["--compile"])] if has_compiled_form(firebreak) else [])
        bench.print_head()
        for size in sizes:
            turns = rounds or (31 if size <= 1000 else 11 if size <= 10000 else 3)
            for label, options in forms:
                measure(size, turns, firebreak, directory, ours, theirs, label, options)
        libc.setns(own, CLONE_NEWNET)
        measure_packets(firebreak, directory, names[1], names[2], forms)
        return 0
    finally:
        libc.setns(own, CLONE_NEWNET)
        for extra in names:
            subprocess.run(["ip", "netns", "delete", extra], stderr=subprocess.DEVNULL)


def measure(count, rounds, firebreak, directory, ours, theirs, label, options):
    files = [os.path.join(directory, name) for name in ("a.v4", "b.v4", "c.v4")]
    for variant, file in enumerate(files[:2]):
        bench.write_rules(file, count, variant)
    change_one_rule(files[0], files[2])
    tools = {word: shutil.which(f"iptables-nft{word}") for word in ("", "-restore", "-save")}
    nft = shutil.which("nft")
    state = os.path.join(directory, "state")
    apply = [firebreak, "apply", "-q", "--backend", "nft", "--state-dir", state] + options
    save = [firebreak, "save", "-q", "--backend", "nft", "--state-dir", state]

    def both(what, work, other, prepare=lambda turn: None, prepare_other=lambda turn: None):
        """Takes turns, and who begins takes turns too. The first turn is not counted."""
        sides = bench.Side(), bench.Side()
        for turn in range(rounds + 1):
            works = [(sides[0], ours, prepare, work), (sides[1], theirs, prepare_other, other)]
            for side, place, before, timed in works if turn % 2 == 0 else reversed(works):
                place.enter()
                before(turn)
                result = place.run(*timed(turn))
                if turn > 0:
                    side.take(result)
        bench.report(count, what + label, *sides)

    def clear(_):
        bench.run([nft, "flush", "ruleset"])

    def forget(_):
        for file in os.listdir(state):
            if file.endswith(".rules"):
                os.remove(os.path.join(state, file))

    restore = lambda file: ([tools["-restore"]], file)
    both("from empty", lambda _: (apply + [files[0]],), lambda _: restore(files[0]), clear, clear)
    both("nothing new", lambda _: (apply + [files[0]],), lambda _: restore(files[0]))
    both("one in a hundred new", lambda turn: (apply + [files[1 - turn % 2]],), lambda turn: restore(files[1 - turn % 2]))
    ours.run(apply + [files[0]])
    theirs.run(*restore(files[0]))
    both("one rule / nft -A", lambda turn: (apply + [files[2 if turn % 2 == 0 else 0]],),
         lambda turn: ([tools[""], "-A", "guests", "-s", "192.0.2.77/32", "-j", "DROP"],))
    for command in ("-A", "-D"):
        rule = [command, "guests", "-s", "192.0.2.77/32", "-j", "DROP"]
        both(f"iptables {command}", lambda _: ([firebreak, "iptables-nft"] + rule,), lambda _: ([tools[""]] + rule,))
    both("save", lambda _: (save,), lambda _: ([tools["-save"]],))
    both("save, read anew", lambda _: (save,), lambda _: ([tools["-save"]],), forget)
    for place in ours, theirs:
        place.enter()
        clear(0)


def change_one_rule(source, target):
    """One rule in the middle asks for another port."""
    with open(source) as lines:
        lines = lines.readlines()
    places = [place for place, line in enumerate(lines) if "--dport" in line]
    place = places[len(places) // 2] if places else len(lines) - 3
    lines[place] = lines[place].replace("-j ACCEPT", "-j DROP") if "-j ACCEPT" in lines[place] else "-A guests -j RETURN\n"
    with open(target, "w") as out:
        out.writelines(lines)


# Packets


class Message(ctypes.Structure):
    """`struct mmsghdr`."""

    _fields_ = [
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("count", ctypes.c_uint32)]


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def nanoseconds_per_packet(place, address, seconds):
    """Sends bursts of UDP to a port behind a veth pair: the other side's kernel walks its rules inside the call that sends,
    so the time of a burst is that of sending and of the rules. The median of the bursts."""
    place.enter()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((address, 9))
    burst = 32
    payload = ctypes.create_string_buffer(b"firebreak", 18)
    vector = Vector(ctypes.addressof(payload), len(payload))
    messages = (Message * burst)()
    for message in messages:
        message.iov = ctypes.addressof(vector)
        message.iovlen = 1
    times = []
    end = time.perf_counter() + seconds
    while True:
        start = time.perf_counter_ns()
        sent = libc.sendmmsg(sender.fileno(), messages, burst, 0)
        stop = time.perf_counter_ns()
        if sent > 0:
            times.append((stop - start) / sent)
        if time.perf_counter() > end:
            break
    sender.close()
    return statistics.median(times)


def measure_packets(firebreak, directory, sender_name, router_name, forms):
    """Packets that no rule but the last one of all decides."""
    sender, router = added(sender_name), added(router_name)
    ip = lambda *words: subprocess.run(["ip", *words], check=True)
    ip("-n", sender.name, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", router.name)
    for place, address in ((sender, "198.18.0.1/24"), (router, "198.18.0.2/24")):
        ip("-n", place.name, "link", "set", "lo", "up")
        ip("-n", place.name, "addr", "add", address, "dev", "v0")
        ip("-n", place.name, "link", "set", "v0", "up")
    router.enter()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    sink.bind(("198.18.0.2", 9))
    sender.run(["/bin/sh", "-c", "ping -q -c 1 -W 2 198.18.0.2 || true"])  # so that the neighbour is known
    print("\n  rules  form              ns a packet   packets/s   to no rules")
    state = os.path.join(directory, "packets")
    rows = [(0, "none", [])] + [(size, "linear" + label, options) for size in (10, 1000, 10000) for label, options in forms]
    times = {row[:2]: [] for row in rows}
    for turn in range(5):
        for size, form, options in rows:
            router.run([shutil.which("nft"), "flush", "ruleset"])
            if size:
                file = os.path.join(directory, "packets.v4")
                write_open_rules(file, size)
                router.run([firebreak, "apply", "-q", "--backend", "nft", "--state-dir", state] + options + [file])
            times[size, form].append(nanoseconds_per_packet(sender, "198.18.0.2", 0.3))
    none = statistics.median(times[0, "none"])
    for size, form, _ in rows:
        median = statistics.median(times[size, form])
        name = "compiled" if "compiled" in form else form
        print(f"{size:>7}  {name:<16} {median:>12.0f} {1e9 / median:>11.0f} {none / median:>13.2f}", flush=True)
    sink.close()


def write_open_rules(path, count):
    """As bench.write_rules, all in INPUT, and without conntrack; what no rule wants is accepted."""
    bench.write_rules(path + ".all", count, 0)
    with open(path + ".all") as lines, open(path, "w") as out:
        out.write("*filter\n:INPUT DROP [0:0]\n")
        for line in lines:
            if line.startswith("-A guests -s 10.") and "conntrack" not in line:
                out.write(line.replace("-A guests", "-A INPUT"))
        for number in range(count // 5):
            out.write(f"-A INPUT -s 10.200.{number >> 8 & 255}.{number & 255}/32 -p tcp -m tcp --dport 25 -j DROP\n")
        out.write("-A INPUT -s 198.18.0.1/32 -p udp -m udp --dport 9 -j ACCEPT\nCOMMIT\n")


if __name__ == "__main__":
    sys.exit("run scripts/bench --backend nft")
