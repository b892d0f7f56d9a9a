import KernelTestSupport
import Synchronization
import Testing

/// Scripts as people have them, run by `firebreak run` with the real iptables: what ends with 0 leaves what the script itself
/// leaves, and what does not leaves everything as it was.
@Suite(
  .requires(
    .corpus, .legacyTables, .tool("unshare"), .tool("mount"), .tool("iptables-legacy-save"),
    .tool("ip6tables-legacy-save")))
struct RunCorpusTests {
  @Test(arguments: Script.all) func theCommitIsWhatTheScriptMakes(_ script: Script) throws {
    let end = try Stage(script.path, loading: "")
    #expect(end.status == 0, "\(end.output)")
    for (family, expected) in script.states {
      #expect(difference(comparable(end.saved[family] ?? ""), comparable(expected)) == [], "\(end.output)")
    }
    CorpusTally.note("committed", of: Script.all.count)
  }

  /// The scripts that left nothing, or did not end with 0, where the corpus was made.
  @Test(arguments: Script.others) func whatFailsChangesNothing(_ path: String) throws {
    let end = try Stage(path, loading: Self.given)
    if end.status != 0 {
      #expect(end.status == 1, "\(end.output)")
      #expect(difference(comparable(end.saved["v4"] ?? ""), comparable(Self.given)) == [], "\(end.output)")
      #expect(end.saved["v6"] == "", "\(end.output)")
      #expect(end.output.contains("the rules are as before"), "\(end.output)")
    }
    CorpusTally.note(end.status == 0 ? "ended with 0 and left nothing or little" : "failed", of: Script.others.count)
  }

  private static let given = """
    *filter
    :INPUT DROP [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :kept - [0:0]
    -A INPUT -p tcp -m tcp --dport 22 -j kept
    -A kept -s 192.0.2.0/24 -j ACCEPT
    COMMIT

    """
}

/// Counts ends of scripts, and prints the counts when the last has ended.
private enum CorpusTally {
  private static let counts = Mutex<[String: Int]>([:])

  static func note(_ kind: String, of total: Int) {
    counts.withLock { counts in
      counts[kind, default: 0] += 1
      counts["all \(total)", default: 0] += 1
      if counts["all \(total)"] == total { print("firebreak run over the corpus' scripts so far: \(counts)") }
    }
  }
}

/// A machine as the corpus' README describes it, on which a script is run by `firebreak run`.
private struct Stage {
  let status: Int32
  let output: String
  /// What iptables-legacy-save and ip6tables-legacy-save print then.
  let saved: [String: String]

  init(_ script: String, loading rules: String) throws {
    let site = try TestNamespace()
    let given = try site.file("given", rules)
    let result = try runProcess(
      ["unshare", "-n", "-m", "-u", "-p", "-f", "--mount-proc", "bash", "-e", "-c", Self.stage, "stage"],
      environment: [
        "PROGRAM": Built.firebreak, "SITE": site.directory, "SCRIPT": script, "GIVEN": given,
        "XTABLES_LOCKFILE": site.lockPath, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
      ], timeout: 150)
    guard result.status == 0 else { throw ProcessFailure("the stage failed: \(result)") }
    func text(_ name: String) throws -> String {
      String(decoding: try readFile(site.directory + "/" + name), as: UTF8.self)
    }
    status = Int32(try text("status").split(separator: "\n").first ?? "") ?? -1
    output = String(try text("output").suffix(4000))
    saved = ["v4": try text("v4"), "v6": try text("v6")]
  }

  private static let stage = #"""
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/real /mnt/sbin /mnt/etc
    mount --bind /usr/sbin /mnt/real
    ln -s /mnt/real/* /mnt/sbin/
    cp -a /etc/. /mnt/etc
    cd /mnt/sbin
    for family in iptables ip6tables; do
      for ending in '' -save -restore; do ln -sf /mnt/real/xtables-legacy-multi $family$ending; done
    done
    for name in modprobe insmod rmmod depmod systemctl service rc-service chkconfig update-rc.d invoke-rc.d initctl \
      apt apt-get yum dnf pacman sleep logger; do
      rm -f $name
      printf '#!/bin/sh\nexit 0\n' > $name
    done
    for name in curl wget dig host nslookup; do
      rm -f $name
      printf '#!/bin/sh\nexit 1\n' > $name
    done
    rm -f sudo
    printf '#!/bin/sh\nexec "$@"\n' > sudo
    chmod +x $(find . -type f)
    mount --bind /mnt/sbin /usr/sbin
    mount --bind /mnt/etc /etc
    for folder in /root /home /opt; do mount --bind -o ro $folder $folder; done
    mount -t tmpfs tmpfs /var
    mkdir -p /var/lib /var/log /var/run /var/tmp
    : > /etc/resolv.conf
    hostname fw
    /mnt/real/ip link set lo up
    while read device address; do
      ip link add $device type bridge
      ip addr add $address dev $device
      ip link set $device up
    done <<'DEVICES'
    eth0 192.0.2.10/24
    eth1 10.0.0.1/24
    eth2 172.16.0.1/24
    wlan0 192.168.50.1/24
    ppp0 198.51.100.2/24
    tun0 10.8.0.1/24
    br0 192.168.60.1/24
    eth3 172.17.0.1/24
    wlan1 192.168.51.1/24
    bridge0 172.18.0.1/24
    DEVICES
    ip addr add 2001:db8::10/64 dev eth0
    ip route add default via 192.0.2.1
    cp "$SCRIPT" /mnt/script
    mkdir /mnt/work
    cd /mnt/work
    if [ -s "$GIVEN" ]; then /mnt/real/iptables-legacy-restore "$GIVEN"; fi
    status=0
    "$PROGRAM" run --timeout 100s --state-dir "$SITE/state" -- bash /mnt/script start \
      < /dev/null > "$SITE/output" 2>&1 || status=$?
    echo $status > "$SITE/status"
    /mnt/real/iptables-legacy-save > "$SITE/v4"
    /mnt/real/ip6tables-legacy-save > "$SITE/v6"
    """#
}
