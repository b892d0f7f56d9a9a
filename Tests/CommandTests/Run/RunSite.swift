import KernelTestSupport

/// A namespace with rules, in which scripts are run by `firebreak run`.
struct RunSite {
  let space: TestNamespace

  /// What is live before each script.
  static let given = """
    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :kept - [0:0]
    [5:500] -A INPUT -p tcp -m tcp --dport 22 -j kept
    [4:400] -A kept -s 192.0.2.0/24 -j ACCEPT
    COMMIT

    """

  init(loading rules: String = Self.given) throws {
    space = try TestNamespace()
    if !rules.isEmpty { try space.require(["iptables-legacy-restore", "-c"], input: rules) }
  }

  /// Writes an executable file.
  func script(_ text: String, _ name: String = "script.sh", shell: String? = "#!/bin/bash") throws -> String {
    let path = try space.file(name, (shell.map { $0 + "\n" } ?? "") + text + "\n")
    try runProcess(["chmod", "755", path])
    return path
  }

  /// Runs a script that exists.
  func run(
    _ words: [String], options: [String] = [], environment: [String: String?] = [:], input: String = "",
    timeout: Double = 60
  ) throws -> ProcessResult {
    try space.run(
      [Built.firebreak, "run", "--state-dir", space.stateDirectory] + options + ["--"] + words, input: input,
      environment: environment, timeout: timeout)
  }

  func run(_ text: String, options: [String] = [], environment: [String: String?] = [:]) throws -> ProcessResult {
    try run([try script(text)], options: options, environment: environment)
  }

  /// Runs a script that waits in its middle, and does something to the live rules meanwhile.
  func run(_ text: String, meanwhile: String, options: String = "") throws -> ProcessResult {
    let path = try script(
      text.replacing("WAIT", with: "touch \"$HERE/there\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done"))
    let driver = """
      rm -f "$HERE/there" "$HERE/go"
      "$FIREBREAK" run --state-dir "$HERE/state" \(options) -- "$1" & p=$!
      for i in {1..500}; do [ -e "$HERE/there" ] && break; sleep 0.02; done
      \(meanwhile)
      touch "$HERE/go"; wait $p
      """
    return try space.run(
      ["bash", "-c", driver, "driver", path], environment: ["HERE": space.directory, "FIREBREAK": Built.firebreak])
  }

  /// The live IPv4 rules of iptables-legacy with counters, without comments.
  func live() throws -> [String] {
    try space.require(["iptables-legacy-save", "-c"]).stdout.split(separator: "\n").filter { !$0.hasPrefix("#") }
      .map(String.init)
  }

  func rules(_ tool: String = "iptables-legacy-save") throws -> [String] {
    try space.require([tool]).stdout.split(separator: "\n").filter { $0.hasPrefix("-A") }.map(String.init)
  }

  func sets() throws -> [String] {
    try space.require(["ipset", "save"]).stdout.split(separator: "\n").map { line in
      // The kernel's own numbers are other ones each time.
      line.split(separator: " ").prefix { $0 != "hashsize" && $0 != "bucketsize" && $0 != "initval" }
        .joined(separator: " ")
    }
  }
}
