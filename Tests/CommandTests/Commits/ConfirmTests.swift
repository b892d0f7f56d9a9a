import Glibc
import KernelTestSupport
import Testing

/// Commits that have to be confirmed, and what becomes of them when something dies.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-legacy-save")))
struct ConfirmTests {
  private static let first = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 192.0.2.1/32 -j ACCEPT\nCOMMIT\n"
  private static let second =
    "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 192.0.2.2/32 -j ACCEPT\nCOMMIT\n*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n"

  /// A namespace with the first rules in it, and how to commit the second ones.
  private final class Stage {
    let space: TestNamespace
    let backend: String
    let before: [String]
    let file: String

    init(_ backend: String) throws {
      space = try TestNamespace()
      self.backend = backend
      let first = try space.file("first.v4", ConfirmTests.first)
      file = try space.file("second.v4", ConfirmTests.second)
      #expect(try space.firebreak(["apply", "-q", first, "--backend", backend]).status == 0)
      before = try Self.rules(space, backend)
    }

    static func rules(_ space: TestNamespace, _ backend: String) throws -> [String] {
      comparable(try space.require(["iptables-\(backend)-save"]).stdout).filter { line in
        line.hasPrefix("-A") || line.hasSuffix(" DROP")
      }
    }

    var isBefore: Bool { get throws { try Self.rules(space, backend) == before } }

    func firebreak(_ arguments: String...) throws -> ProcessResult {
      try space.firebreak(arguments + ["--backend", backend])
    }

    func becomesBefore(within seconds: Int = 20) throws -> Bool {
      for _ in 0..<seconds * 10 {
        if try isBefore { return true }
        usleep(100_000)
      }
      return false
    }

    /// Ends the guard and waits until it is gone with its lock.
    func killGuard() throws {
      let watcher = try #require(try guardProcess())
      kill(watcher, SIGKILL)
      for _ in 0..<500 where try guardProcess() != nil { usleep(10_000) }
    }

    /// The guard's number, from the lock that it holds.
    func guardProcess() throws -> pid_t? {
      let text = try space.run(["sh", "-c", "pgrep -f '[g]uard .*\(space.stateDirectory)'"]).stdout
      return text.split(separator: "\n").compactMap { pid_t($0) }.first { pid in
        (try? readFile("/proc/\(pid)/comm")).map { String(decoding: $0, as: UTF8.self) } == "firebreak\n"
      }
    }
  }

  @Test(arguments: ["legacy", "nft"]) func confirmedItStays(_ backend: String) throws {
    let stage = try Stage(backend)
    let applied = try stage.firebreak("apply", "--confirm", "60s", "--no-wait", "--json", stage.file)
    #expect(applied.status == 0 && applied.stdout.contains("\"status\":\"awaiting confirmation\""), "\(applied)")
    #expect(try !stage.isBefore)
    let other = try stage.firebreak("apply", stage.file)
    #expect(other.status == 75 && other.stderr.contains("firebreak confirm"), "\(other)")
    let confirmed = try stage.firebreak("confirm")
    #expect(confirmed.status == 0 && confirmed.stdout.contains("generation 2"), "\(confirmed)")
    let again = try stage.firebreak("confirm")
    #expect(again.status == 1 && again.stderr.contains("no commit waits"), "\(again)")
    for _ in 0..<50 where try stage.guardProcess() != nil { usleep(100_000) }
    #expect(try stage.guardProcess() == nil, "the guard goes")
    #expect(try !stage.isBefore)
    #expect(try stage.firebreak("log").stdout.split(separator: "\n").count == 2)
  }

  @Test(arguments: ["legacy", "nft"]) func unconfirmedItIsTakenBack(_ backend: String) throws {
    let stage = try Stage(backend)
    let applied = try stage.firebreak("apply", "--confirm", "1s", stage.file)
    #expect(applied.status == 81, "\(applied)")
    #expect(try stage.isBefore)
    #expect(try stage.firebreak("confirm").status == 1)
    #expect(try stage.firebreak("recover").stdout == "nothing to recover\n")
    #expect(try stage.firebreak("log").stdout.split(separator: "\n").count == 1)
    let json = try stage.firebreak("apply", "--json", "--confirm", "1s", stage.file)
    #expect(json.status == 81 && json.stdout.contains("\"rolled_back\":true"), "\(json)")
  }

  @Test func rollbackTakesItBackAtOnce() throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "60s", "--no-wait", stage.file).status == 0)
    #expect(try stage.firebreak("rollback").status == 0)
    #expect(try stage.isBefore)
    #expect(try stage.firebreak("confirm").status == 1)
  }

  /// A way to somewhere else would end where the commit that waits would take its guard along.
  @Test func rollbackToAGenerationWaitsForTheWord() throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "60s", "--no-wait", stage.file).status == 0)
    let result = try stage.firebreak("rollback", "0")
    #expect(result.status == 75 && result.stderr.contains("waits to be confirmed"), "\(result)")
    #expect(try !stage.isBefore)
    #expect(try stage.firebreak("rollback").status == 0)
    #expect(try stage.isBefore)
  }

  /// Somebody changes rules between plan and transaction: the guard of the first attempt leaves the second one alone.
  @Test(.requires(.tool("strace"), .tool("nft"))) func plannedAgainItHasOneGuard() throws {
    let stage = try Stage("nft")
    let result = try stage.space.run([
      "sh", "-c",
      "(sleep 1; nft add table ip other) & strace -qq -o /dev/null -e inject=rename:delay_enter=2000000:when=2 "
        + "\(Built.firebreak) apply -q --backend nft --state-dir \(stage.space.stateDirectory) --confirm 60s --no-wait \(stage.file)",
    ])
    #expect(result.status == 0, "\(result)")
    #expect(try stage.space.require(["nft", "list", "tables"]).stdout.contains("table ip other"))
    usleep(1_500_000)
    #expect(try !stage.isBefore)
    #expect(try stage.firebreak("confirm").status == 0)
    #expect(try !stage.isBefore)
    #expect(try stage.firebreak("log").stdout.split(separator: "\n").count == 2)
  }

  /// Whether the machine has started anew cannot be told: nothing is forgotten for that.
  @Test(.requires(.tool("strace")), arguments: ["EIO", "EINTR"]) func theBootIDCannotBeRead(_ error: String) throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "2s", "--no-wait", stage.file).status == 0)
    kill(try #require(try stage.guardProcess()), SIGKILL)
    usleep(2_300_000)
    let recovered = try stage.space.run([
      "strace", "-qq", "-o", "/dev/null", "-P", "/proc/sys/kernel/random/boot_id", "-e",
      "inject=read:error=\(error):when=1", Built.firebreak, "recover", "--backend", "legacy", "--state-dir",
      stage.space.stateDirectory,
    ])
    #expect(recovered.status == 0 && recovered.stdout.contains("was not confirmed"), "\(recovered)")
    #expect(try stage.isBefore)
  }

  /// That no tables can be seen does not say that there are none: what is left undone waits for the next command.
  @Test(
    .requires(.tool("strace")),
    arguments: ["openat:error=ENOMEM", "openat:error=ENFILE", "read:error=ENOMEM", "read:error=EIO"])
  func theListOfTablesCannotBeRead(_ fault: String) throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "2s", "--no-wait", stage.file).status == 0)
    kill(try #require(try stage.guardProcess()), SIGKILL)
    usleep(2_300_000)
    // Files that are read are known by the process's number, files that are opened by their name.
    let program = """
      exec strace -D -qq -o /dev/null -P /proc/$$/task/$$/net/ip_tables_names -P /proc/thread-self/net/ip_tables_names \
      -e inject=\(fault) "$@"
      """
    let blind = try stage.space.run([
      "sh", "-c", program, "sh", Built.firebreak, "recover", "--backend", "legacy", "--state-dir",
      stage.space.stateDirectory,
    ])
    #expect(blind.status != 0 && blind.stderr.contains("does not tell which IPv4 tables it has"), "\(blind)")
    #expect(try !stage.isBefore)
    #expect(try stage.firebreak("recover").stdout.contains("was not confirmed"))
    #expect(try stage.isBefore)
  }

  /// A transaction is whole, also where somebody has changed one of its tables before the next command sees it.
  @Test(.requires(.tool("strace"))) func aTransactionIsNotTornByOthers() throws {
    let stage = try Stage("nft")
    let state = ["--backend", "nft", "--state-dir", stage.space.stateDirectory]
    let killed = try stage.space.run(
      ["strace", "-qq", "-o", "/dev/null", "-e", "inject=rename:signal=SIGKILL:when=3", Built.firebreak, "apply", "-q"]
        + state + [stage.file])
    #expect(killed.status == 128 + SIGKILL, "\(killed)")
    try stage.space.require(["iptables-nft", "-A", "INPUT", "-s", "192.0.2.9", "-j", "DROP"])
    let there = try Stage.rules(stage.space, "nft")
    #expect(try stage.firebreak("recover").status == 0)
    #expect(try Stage.rules(stage.space, "nft") == there)
    #expect(try stage.firebreak("log").stdout.split(separator: "\n").count == 2)
  }

  /// The time is up before the confirmation comes, and the guard is gone: whoever comes next does its work.
  @Test(arguments: [["confirm"], ["recover"], ["apply"], ["rollback"]])
  func withoutAGuardTheNextCommandDoesIt(_ next: [String]) throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "2s", "--no-wait", stage.file).status == 0)
    try stage.killGuard()
    usleep(2_300_000)
    #expect(try !stage.isBefore)
    let result = try stage.space.firebreak(next + (next == ["apply"] ? [stage.space.directory + "/first.v4"] : []))
    #expect(result.status == (next == ["confirm"] ? 81 : 0), "\(result)")
    if next != ["confirm"], next != ["rollback"] {
      #expect((result.stderr + result.stdout).contains("was not confirmed and its guard was gone"), "\(result)")
    }
    if next == ["rollback"] {
      #expect(try Stage.rules(stage.space, "legacy") == [], "and then one step more")
    } else {
      #expect(try stage.isBefore)
    }
  }

  /// A guard that is killed too early is replaced by the next command.
  @Test func anotherGuardTakesOver() throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "30s", "--no-wait", stage.file).status == 0)
    try stage.killGuard()
    let result = try stage.firebreak("recover")
    #expect(result.stdout.contains("another one watches now"), "\(result)")
    #expect(try !stage.isBefore)
    #expect(try stage.becomesBefore(within: 60))
  }

  /// What ends sessions does not end the guard, nor does the death of the command, nor the loss of the state directory.
  @Test(arguments: [
    "signals", "kill -9 of the command", "a state directory that is gone", "an emptied state directory", "a full disk",
    "a read-only disk",
  ])
  func theGuardHolds(_ event: String) throws {
    let stage = try Stage("legacy")
    let state = stage.space.directory + "/small"
    let command =
      "mkdir -p \(state) && mount -t tmpfs -o size=400k,mode=700 none \(state) && \(Built.firebreak) apply -q --backend legacy"
      + " --state-dir \(state) --confirm 3s \(stage.file) & child=$!; sleep 1.5; "
    let what =
      switch event {
      case "signals":
        "for s in HUP INT QUIT TERM USR1 PIPE; do pkill -$s -f '[g]uard .*\(state)'; done; wait $child; echo $?"
      case "kill -9 of the command": "pkill -9 -f '[a]pply .*\(state)'; sleep 4"
      case "a state directory that is gone":
        "rm -rf \(state)/*; pkill -9 -f '[a]pply .*\(state)'; sleep 1; umount -l \(state); rmdir \(state); sleep 4"
      case "an emptied state directory": "rm -rf \(state)/*; pkill -9 -f '[a]pply .*\(state)'; sleep 4"
      case "a full disk": "cat /dev/zero > \(state)/zeros; wait $child; echo $?"
      default: "mount -o remount,ro \(state); pkill -9 -f '[a]pply .*\(state)'; sleep 4"
      }
    // A mount namespace of its own, which goes away with the command and the guard in it.
    let result = try stage.space.run(["unshare", "-m", "sh", "-c", command + what])
    if event == "signals" || event == "a full disk" { #expect(result.stdout.hasSuffix("81\n"), "\(result)") }
    #expect(try stage.becomesBefore(), "\(result)")
  }

  /// Where systemd runs, the guard is a unit of its own: a program in place of systemd-run writes down how it is called,
  /// and starts what it is told to in another network namespace than the commit's, as systemd would.
  @Test func underSystemdTheGuardIsAUnit() throws {
    let stage = try Stage("legacy")
    let directory = stage.space.directory
    let fake = try stage.space.file(
      "systemd-run",
      """
      #!/bin/sh
      echo "$@" > \(directory)/called
      while [ "$1" != -- ]; do shift; done
      shift
      setsid ip netns exec \(stage.space.name)-other "$@" < /dev/null > /dev/null 2>&1 &

      """)
    try runProcess(["ip", "netns", "add", stage.space.name + "-other"])
    defer { _ = try? runProcess(["ip", "netns", "delete", stage.space.name + "-other"]) }
    let script = """
      set -e
      mkdir -p \(directory)/up \(directory)/work /run/systemd
      mount -t tmpfs none /run/systemd && mkdir /run/systemd/system
      mount -t tmpfs none \(directory)/up && mkdir \(directory)/up/u \(directory)/up/w
      mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=\(directory)/up/u,workdir=\(directory)/up/w /usr/bin
      install -m 755 \(fake) /usr/bin/systemd-run
      \(Built.firebreak) apply -q --backend legacy --state-dir \(stage.space.stateDirectory) --confirm 2s --no-wait \(stage.file)
      sleep 4
      """
    let result = try stage.space.run(["unshare", "-m", "sh", "-c", script])
    #expect(result.status == 0, "\(result)")
    let called = String(decoding: try readFile(directory + "/called"), as: UTF8.self)
    #expect(called.contains("--unit firebreak-guard-") && called.contains("--netns /proc/"), "\(called)")
    #expect(try stage.becomesBefore())
  }

  /// The command dies between the write to the kernel and the end of its verification.
  @Test func killedWhileItVerifies() throws {
    let stage = try Stage("legacy")
    let result = try stage.space.run(
      [
        "sh", "-c",
        "\(Built.firebreak) apply -q --backend legacy --state-dir \(stage.space.stateDirectory) --verify 'kill -9 $PPID' \(stage.file)",
      ])
    #expect(result.status != 0)
    #expect(try stage.becomesBefore())
    #expect(try stage.firebreak("recover").status == 0)
    #expect(try stage.isBefore)
  }

  @Test func verificationDecides() throws {
    let stage = try Stage("legacy")
    for options in [
      ["--verify", "exit 3"], ["--probe", "tcp:127.0.0.1:9"], ["--verify", "true", "--verify", "false"],
    ] {
      let result = try stage.space.firebreak(["apply"] + options + [stage.file])
      #expect(result.status == 82, "\(result)")
      #expect(try stage.isBefore)
    }
    let odd = try stage.firebreak("apply", "--probe", "udp:1.2.3.4:5", stage.file)
    #expect(odd.status == 64, "\(odd)")
    #expect(
      try stage.firebreak("apply", "--verify", "iptables-legacy-save | grep -q 192.0.2.2", stage.file).status == 0)
    #expect(try !stage.isBefore)
  }

  /// The machine starts anew in the window: the tables are empty, and the last confirmed generation is loaded.
  @Test func aRestartInTheWindow() throws {
    let stage = try Stage("legacy")
    #expect(try stage.firebreak("apply", "--confirm", "60s", "--no-wait", stage.file).status == 0)
    try stage.killGuard()  // with the machine
    let boot = try stage.space.file("boot", "11111111-2222-3333-4444-555555555555\n")
    let script =
      "iptables-legacy -P INPUT ACCEPT; iptables-legacy -F; iptables-legacy -t nat -F; mount --bind \(boot) /proc/sys/kernel/random/boot_id && "
      + "\(Built.firebreak) recover --backend legacy --state-dir \(stage.space.stateDirectory)"
    let result = try stage.space.run(["unshare", "-m", "sh", "-c", script])
    #expect(result.status == 0 && result.stdout.contains("loaded generation 1"), "\(result)")
    #expect(try stage.isBefore)
    #expect(try stage.firebreak("confirm").status == 1)
  }
}
