import Firebreak
import KernelTestSupport
import Testing

/// How a script is started, watched and ended.
@Suite(.requires(.legacyTables, .tool("iptables-legacy"), .tool("iptables-legacy-save"), .tool("bash"), .tool("ip")))
struct RunScriptTests {
  private static let add = "iptables-legacy -A INPUT -s 192.0.2.77"

  // MARK: Failures

  /// Rows: a script that fails, and the line that is named.
  @Test(arguments: [
    (
      "set -e\niptables-legacy -A INPUT -j nowhere\necho not here",
      "script.sh:3: iptables-legacy -A INPUT -j nowhere (status 2): "
        + "iptables v1.8.9 (legacy): Couldn't load target `nowhere'"
    ),
    (
      "set -e\nchain=nowhere\niptables-legacy -A INPUT -j $chain",
      "script.sh:4: iptables-legacy -A INPUT -j $chain (status 2)\n"
        + "    last failed call: iptables-legacy -A INPUT -j nowhere (status 2): "
    ),
    ("set -e\nf() {\n  iptables-legacy -A INPUT -j nowhere\n}\nf", "script.sh:4: iptables-legacy -A INPUT -j nowhere"),
    ("set -e\nfalse", "script.sh:3: false (status 1)"),
    (
      "iptables-legacy -A INPUT -j nowhere || exit 3",
      "last failed call: iptables-legacy -A INPUT -j nowhere (status 2): "
        + "iptables v1.8.9 (legacy): Couldn't load target `nowhere'"
    ),
    ("set -eu\necho \"$MISSING\"", "ended with status 1"),
    ("kill -9 $$", "was ended by signal 9"),
    ("exit 200", "ended with status 200"),
  ]) func aFailureIsNamedAndChangesNothing(_ text: String, _ told: String) throws {
    let site = try RunSite()
    let before = try site.live()
    let result = try site.run(Self.add + "; " + text)
    #expect(result.status == 1)
    #expect(result.stderr.contains(told), "\(result)")
    #expect(try site.live() == before)
    #expect(try site.space.firebreak(["log"]).stdout == "no commits yet\n")
  }

  @Test func aCallThatFailedInAScriptThatWentOnIsTold() throws {
    let site = try RunSite()
    let result = try site.run(
      "iptables-legacy -A INPUT -j fail2ban-ssh\niptables-legacy -C INPUT -s 192.0.2.9 || \(Self.add)\nexit 0")
    #expect(result.status == 0, "\(result)")
    #expect(
      result.stderr.contains("note: a call failed and the script went on: iptables-legacy -A INPUT -j fail2ban-ssh"))
    #expect(!result.stderr.contains("went on: iptables-legacy -C"), "\(result)")
    #expect(try site.rules().count == 3)
  }

  // MARK: Its output and surroundings

  /// Output, errors and what a script sees of itself are as without us.
  @Test(arguments: [
    "echo one; echo two >&2; printf '\\0\\377'; cat",
    "set -x; f() { false; true; }; f; set -E; f",
    "trap 'echo trapped $LINENO >&2' ERR; f() { false; true; }; f; false; true",
    "set -Eu; trap 'echo trapped >&2' ERR; f() { false; true; }; f; trap -p",
    "echo \"[$BASH_ENV][$0][$#][$*][$PPID]\" | sed 's/\\[[0-9]*]$//'; env | grep -c FIREBREAK_; true",
    "BASH_ENV=x env | grep BASH_ENV; exec 2>&1; iptables-legacy -L nowhere; true",
  ]) func whatItSaysIsUnchanged(_ text: String) throws {
    let site = try RunSite()
    let script = try site.script("exec 5>&1\n" + text + "\nexit 9")
    let plain = try site.space.run([script, "a b", ""], input: "in\n")
    let run = try site.run([script, "a b", ""], options: ["-q"], input: "in\n")
    #expect(run.status == 1 && plain.status == 9)
    #expect(run.output == plain.output, "\(run) \(plain)")
    let told = run.stderr
    #expect(told.hasPrefix(plain.stderr), "\(run) \(plain)")
    #expect(told.dropFirst(plain.stderr.count).hasPrefix("firebreak: error: \(script) ended with status 9"), "\(run)")
  }

  @Test func theUsersOwnStartUpFileIsRead() throws {
    let site = try RunSite()
    let own = try site.space.file("own.bash", "OWN=read\n")
    let result = try site.run("echo \"$OWN $BASH_ENV\"", environment: ["BASH_ENV": own])
    #expect(result.stdout.hasPrefix("read \(own)\n"), "\(result)")
  }

  /// Neither names nor arguments are ever read by a shell.
  @Test(arguments: [
    "two words.sh", "$(touch owned).sh", "a'b\"c.sh", "-dash.sh", "semi;touch owned;.sh", "new\nline.sh",
  ])
  func namesAndArgumentsStayWhatTheyAre(_ name: String) throws {
    let site = try RunSite()
    let script = try site.script("printf '%s|' \"$@\"\n" + Self.add, name)
    let words = [script, "$(touch owned)", "`touch owned`", "a  b", "", "--diff", "--", "\n", "*"]
    let result = try site.run(words)
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout.hasPrefix(words.dropFirst().map { $0 + "|" }.joined()), "\(result)")
    #expect(try site.rules().count == 3)
    #expect(try runProcess(["find", site.space.directory, "-name", "owned"]).stdout.isEmpty)
  }

  @Test func aScriptWithoutFirstLineIsRunByAShell() throws {
    let site = try RunSite()
    let path = try site.script("\(Self.add)\necho \"$1\"", "plain", shell: nil)
    let result = try site.run([path, "word"])
    #expect(result.status == 0 && result.stdout.hasPrefix("word\n"), "\(result)")
    #expect(try site.rules().count == 3)
  }

  @Test func whatCannotBeRunIsSaid() throws {
    let site = try RunSite()
    let missing = try site.run(["/nowhere/script.sh"])
    #expect(missing.status == 66 && missing.stderr.contains("there is no such file"), "\(missing)")
    let path = try site.space.file("plain.sh", "#!/bin/bash\n\(Self.add)\n")
    let refused = try site.run([path])
    #expect(refused.status == 66 && refused.stderr.contains("bash \(path)"), "\(refused)")
    #expect(try site.run(["bash", path]).status == 0)
    #expect(try site.space.run([Built.firebreak, "run"]).status == 64)
  }

  // MARK: Its end

  @Test func aScriptThatNeverEndsIsKilledWithAllThatItStarted() throws {
    let site = try RunSite()
    let before = try site.live()
    let result = try site.run(
      """
      \(Self.add)
      echo $$ > "$HERE/pids"
      trap '' TERM
      setsid bash -c 'trap "" TERM HUP; echo $$ >> "$HERE/pids"; while :; do sleep 0.1; done' &
      (trap '' TERM; while :; do sleep 0.1; done) & echo $! >> "$HERE/pids"
      while :; do sleep 0.1; done
      """, options: ["--timeout", "1s"], environment: ["HERE": site.space.directory])
    #expect(result.status == 1 && result.stderr.contains("did not end within 1 s and was killed"), "\(result)")
    #expect(try site.live() == before)
    let pids = String(decoding: try readFile(site.space.directory + "/pids"), as: UTF8.self).split(separator: "\n")
    #expect(pids.count == 3)
    for pid in pids { #expect(try runProcess(["kill", "-0", String(pid)]).status != 0, "\(pid) lives") }
  }

  @Test func whatItLeftRunningInItsGroupIsWaitedFor() throws {
    let site = try RunSite()
    let good = try site.run("(sleep 0.5; \(Self.add)) &")
    #expect(good.status == 0, "\(good)")
    #expect(try site.rules().count == 3)
    let bad = try site.run("\(Self.add)\nsleep 50 &", options: ["--timeout", "1s"])
    #expect(bad.status == 1 && bad.stderr.contains("what it had started did not end within 1 s"), "\(bad)")
    #expect(try site.rules().count == 3)
  }

  /// Rows: a signal, and whether the script takes it for a reason to end well.
  @Test(arguments: [("INT", true), ("TERM", true), ("TERM", false), ("HUP", false)])
  func aSignalIsPassedOnAndNothingIsCommitted(_ signal: String, _ isCaught: Bool) throws {
    let site = try RunSite()
    let before = try site.live()
    let trap = isCaught ? "trap 'echo caught; exit 0' \(signal)" : ":"
    let script = try site.script("\(Self.add)\n\(trap)\ntouch \"$HERE/there\"\nfor i in {1..300}; do sleep 0.05; done")
    let driver = """
      set -m
      "$@" & p=$!
      for i in {1..200}; do [ -e "$HERE/there" ] && break; sleep 0.05; done
      kill -\(signal) $p; wait $p
      """
    let result = try site.space.run(
      ["bash", "-c", driver, "driver", Built.firebreak, "run", "--state-dir", site.space.stateDirectory, "--", script],
      environment: ["HERE": site.space.directory])
    #expect(result.status == 1 && result.stderr.contains("was interrupted by signal"), "\(result)")
    #expect(result.stdout.contains("caught") == isCaught)
    #expect(try site.live() == before)
  }

  /// Without its owner a script cannot do anything to the live rules.
  @Test func aScriptWhoseOwnerWasKilledChangesNothing() throws {
    let site = try RunSite()
    let before = try site.live()
    let script = try site.script(
      """
      touch "$HERE/there"
      while [ ! -e "$HERE/go" ]; do sleep 0.05; done
      \(Self.add) 2> "$HERE/said"
      echo $? > "$HERE/done.part"; mv "$HERE/done.part" "$HERE/done"
      """)
    let driver = """
      "$@" & p=$!
      for i in {1..200}; do [ -e "$HERE/there" ] && break; sleep 0.05; done
      kill -9 $p; wait $p; touch "$HERE/go"
      for i in {1..200}; do [ -e "$HERE/done" ] && break; sleep 0.05; done
      cat "$HERE/done" "$HERE/said"
      """
    let result = try site.space.run(
      ["bash", "-c", driver, "driver", Built.firebreak, "run", "--state-dir", site.space.stateDirectory, "--", script],
      environment: ["HERE": site.space.directory])
    #expect(
      result.stdout.contains("1\niptables-legacy: the `firebreak run` that this script belonged to has ended"),
      "\(result)")
    #expect(try site.live() == before)
  }

  /// Programs are stood in for in every folder of PATH; scripts there are left alone.
  @Test func systemctlIsStoppedWhereItWouldLoadRules() throws {
    let site = try RunSite()
    let here = site.space.directory
    try runProcess(["cp", "/bin/true", here + "/systemctl"])
    try runProcess(["cp", "/bin/false", here + "/iptables"])
    let environment = ["PATH": here + ":/usr/sbin:/usr/bin:/sbin:/bin"]
    let good = try site.run(
      "systemctl restart sshd && systemctl enable iptables && \(Self.add)", environment: environment)
    #expect(good.status == 0, "\(good)")
    let bad = try site.run("set -e\nsystemctl restart iptables.service", environment: environment)
    #expect(bad.status == 1 && bad.stderr.contains("iptables.service would change the live rules at once"), "\(bad)")
    let failed = try site.run("set -e\niptables -A INPUT", environment: environment)
    #expect(failed.status == 1 && failed.stderr.contains(":3: iptables -A INPUT (status 1)"), "\(failed)")
  }

  /// Rows: words of systemctl, and the unit that would load rules at once.
  @Test(arguments: [
    ("restart iptables", "iptables"), ("-q start netfilter-persistent.service", "netfilter-persistent.service"),
    ("enable --now nftables", "nftables"), ("enable nftables", nil), ("status iptables", nil), ("restart sshd", nil),
    ("reload sshd ufw", "ufw"), ("", nil),
  ]) func servicesThatLoadRulesAreKnown(_ words: String, _ unit: String?) {
    #expect(ServiceCall.reload(words.split(separator: " ").map(String.init)[...]) == unit)
  }
}
