import Glibc
import KernelTestSupport
import Testing

/// Hooks that are installed and run, in namespaces, at starts of the machine that are none.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-legacy-save")))
struct BootTests {
  private static let first = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 192.0.2.1/32 -j ACCEPT\nCOMMIT\n"
  private static let second =
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.0.2.2/32 -j ACCEPT\nCOMMIT\n*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"
  private static let plugin = "/usr/share/netfilter-persistent/plugins.d/15-firebreak"
  private static let script = "/etc/network/if-pre-up.d/firebreak"

  /// A namespace in which two commits were made, and a system with hooks.
  private final class Machine {
    let space: TestNamespace
    let root: ImageRoot
    let backend: String
    private var boots = 0

    init(_ backend: String, _ hook: String) throws {
      self.backend = backend
      space = try TestNamespace()
      root = try ImageRoot()
      for (name, text) in [("first.v4", BootTests.first), ("second.v4", BootTests.second)] {
        let applied = try space.firebreak(["apply", "-q", try space.file(name, text), "--backend", backend])
        #expect(applied.status == 0, "\(applied)")
      }
      let installed = try root.hook("install", hook, "--state-dir", space.stateDirectory)
      #expect(installed.status == 0, "\(installed)")
    }

    var rules: [String] {
      get throws {
        comparable(try space.require(["iptables-\(backend)-save"]).stdout).filter {
          $0.hasPrefix("-A") || $0.hasSuffix(" DROP")
        }
      }
    }

    /// As `run`, when the machine has started once more and the kernel holds nothing.
    func start(_ words: String..., environment: [String: String?] = [:]) throws -> ProcessResult {
      boots += 1
      for table in ["filter", "nat"] {
        for words in [["-F"], ["-X"]] { try space.require(["iptables-\(backend)", "-t", table] + words) }
      }
      for chain in ["INPUT", "FORWARD", "OUTPUT"] { try space.require(["iptables-\(backend)", "-P", chain, "ACCEPT"]) }
      #expect(try rules == [])
      _ = try space.file("boot", "11111111-2222-3333-4444-55555555555\(boots)\n")
      return try again(words, environment: environment)
    }

    /// The same start of the machine.
    func again(_ words: [String], environment: [String: String?] = [:]) throws -> ProcessResult {
      let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift && exec \"$@\""
      return try space.run(
        ["unshare", "-m", "sh", "-c", script, "sh", space.directory + "/boot"] + words, environment: environment)
    }
  }

  /// The interface is not named: what was committed through ip_tables goes there again, though nothing is in use yet.
  @Test(arguments: ["legacy", "nft"]) func netfilterPersistent(_ backend: String) throws {
    let machine = try Machine(backend, "netfilter-persistent")
    let plugin = machine.root.path + Self.plugin
    #expect(try runProcess(["sh", "-n", plugin]).status == 0)
    let before = try machine.rules
    let started = try machine.start(plugin, "start")
    #expect(started.status == 0 && started.stdout.contains("loaded generation 2"), "\(started)")
    #expect(try machine.rules == before)
    let again = try machine.again([plugin, "start"])
    #expect(again.status == 0 && again.stdout == "nothing to recover\n", "\(again)")
    let saved = try machine.again([plugin, "save"])
    #expect(saved.status == 0 && saved.stdout.contains("nothing to save"), "\(saved)")
    let flushed = try machine.again([plugin, "flush"])
    #expect(flushed.status == 1 && flushed.stderr.contains("the host would be open"), "\(flushed)")
    #expect(try machine.again([plugin]).status == 64)
    #expect(try machine.rules == before)
  }

  /// As netfilter-persistent calls it, by run-parts, which leaves files with some names out.
  @Test(.requires(.tool("run-parts"))) func runPartsTakesTheScripts() throws {
    let machine = try Machine("legacy", "netfilter-persistent")
    #expect(try machine.root.hook("install", "ifupdown", "--state-dir", machine.space.stateDirectory).status == 0)
    let before = try machine.rules
    let folder = machine.root.path + Self.plugin.dropLast("/15-firebreak".count)
    let started = try machine.start("run-parts", "-v", "-a", "start", folder)
    #expect(started.status == 0 && started.stdout.contains("loaded generation 2"), "\(started)")
    #expect(try machine.rules == before)
    let listed = try runProcess(["run-parts", "--test", machine.root.path + Self.script.dropLast("/firebreak".count)])
    #expect(listed.stdout.hasSuffix("/if-pre-up.d/firebreak\n"), "\(listed)")
  }

  @Test(arguments: ["legacy", "nft"]) func ifupdown(_ backend: String) throws {
    let machine = try Machine(backend, "ifupdown")
    let script = machine.root.path + Self.script
    #expect(try runProcess(["sh", "-n", script]).status == 0)
    let before = try machine.rules
    #expect(try machine.start(script, environment: ["IFACE": "lo"]).status == 0)
    #expect(try machine.rules == [], "the loopback device does not wait for rules")
    let loaded = try machine.again([script], environment: ["IFACE": "eth0"])
    #expect(loaded.status == 0 && loaded.stdout.isEmpty && loaded.stderr.isEmpty, "\(loaded)")
    #expect(try machine.rules == before)
  }

  /// With nothing to do it is quick: the limit is 50 ms, and the programs around it get their part. The best of a few counts,
  /// since other tests run beside it.
  @Test func ifupdownIsQuickWhenThereIsNothingToDo() throws {
    let machine = try Machine("legacy", "ifupdown")
    let script = machine.root.path + Self.script
    #expect(try machine.start(script, environment: ["IFACE": "eth0"]).status == 0)
    let loop = "for i in 1 2 3 4 5 6 7 8; do s=$(date +%s%N); \"$1\" || exit; echo $(($(date +%s%N) - s)); done"
    let timed = try machine.again(["sh", "-c", loop, "sh", script], environment: ["IFACE": "eth0"])
    let times = timed.stdout.split(separator: "\n").compactMap { Int($0) }
    #expect(timed.status == 0 && times.count == 8, "\(timed)")
    let best = try #require(times.min())
    print("ifupdown hook with nothing to do: \(best / 1_000) µs at best, \(times.sorted()[4] / 1_000) µs in the middle")
    #expect(best < 50_000_000, "\(times)")
  }

  /// An interface without rules would be an open one.
  @Test func ifupdownKeepsTheInterfaceDownWithoutRules() throws {
    let machine = try Machine("legacy", "ifupdown")
    let script = machine.root.path + Self.script
    for number in ["00000001", "00000002"] { try damage(machine, number) }
    let result = try machine.start(script, environment: ["IFACE": "eth0"])
    #expect(result.status == 65 && result.stderr.contains("generation 2 is damaged"), "\(result)")
    #expect(result.stderr.contains("eth0 stays down"), "\(result)")
    let removed = try ImageRoot()
    #expect(try removed.hook("install", "ifupdown", "--program", "/nowhere/firebreak").status == 0)
    let gone = try machine.again([removed.path + Self.script], environment: ["IFACE": "eth0"])
    #expect(gone.status == 0 && gone.stderr.contains("is gone"), "\(gone)")
  }

  @Test(arguments: ["legacy", "nft"]) func theOneBeforeADamagedGenerationIsLoaded(_ backend: String) throws {
    let machine = try Machine(backend, "netfilter-persistent")
    try damage(machine, "00000002")
    let started = try machine.start(machine.root.path + Self.plugin, "start")
    #expect(started.status == 0 && started.stdout.contains("loaded generation 1"), "\(started)")
    #expect(started.stderr.contains("generation 2 is damaged and cannot be used"), "\(started)")
    #expect(try machine.rules == ["-A INPUT -s 192.0.2.1/32 -j ACCEPT"])
    let again = try machine.again([machine.root.path + Self.plugin, "start"])
    #expect(again.status == 0 && again.stdout == "nothing to recover\n", "\(again)")
  }

  /// A commit of one table that comes before the hook does not keep the others out of the kernel.
  @Test(arguments: ["legacy", "nft"]) func aCommitBeforeTheHookIsNoLoading(_ backend: String) throws {
    let machine = try Machine(backend, "netfilter-persistent")
    let filter = try machine.rules.filter { !$0.contains("POSTROUTING") }
    #expect(filter.count == 2)
    let nat = try machine.space.file("nat.v4", "*nat\n-A POSTROUTING -s 192.0.2.3/32 -j ACCEPT\nCOMMIT\n")
    let applied = try machine.start(
      Built.firebreak, "apply", nat, "--backend", backend, "--state-dir", machine.space.stateDirectory)
    #expect(applied.status == 0, "\(applied)")
    let plugin = [machine.root.path + Self.plugin, "start"]
    let started = try machine.again(plugin)
    #expect(started.status == 0 && started.stdout.contains("loaded generation 3"), "\(started)")
    let rules = try machine.rules
    #expect(rules.filter { !$0.contains("POSTROUTING") } == filter, "\(rules)")
    #expect(rules.filter { $0.contains("POSTROUTING") } == ["-A POSTROUTING -s 192.0.2.3/32 -j ACCEPT"], "\(rules)")
    #expect(try machine.again(plugin).stdout == "nothing to recover\n")
  }

  /// The command of the unit, as systemd would run it.
  @Test func theUnitLoadsTheRules() throws {
    let machine = try Machine("legacy", "systemd")
    let before = try machine.rules
    let unit = try machine.root.text("/etc/systemd/system/firebreak.service")
    let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
    let started = try machine.start("sh", "-c", String(line.dropFirst("ExecStart=".count)))
    #expect(started.status == 0 && started.stdout.contains("loaded generation 2"), "\(started)")
    #expect(try machine.rules == before)
  }

  private func damage(_ machine: Machine, _ number: String) throws {
    let path = "\(machine.space.stateDirectory)/generations/\(number)"
    var bytes = try readFile(path)
    bytes[bytes.count / 2] ^= 0x55
    _ = try machine.space.file("state/generations/\(number)", bytes)
  }
}
