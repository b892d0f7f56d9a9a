import KernelTestSupport
import Testing

/// A namespace with what the kernel holds there, as iptables says.
struct CommandSite {
  let space: TestNamespace

  init() throws { space = try TestNamespace() }

  /// Applies text that has to be good.
  func load(_ text: String, _ name: String = "given.v4") throws {
    let file = try space.file(name, text)
    let result = try space.firebreak(["apply", "-q", "-c", file])
    #expect(result.status == 0, "\(result)")
  }

  /// Both families with counters, without comments.
  func kernel() throws -> [String] {
    try ["iptables-legacy-save", "ip6tables-legacy-save"].flatMap { tool in
      try space.require([tool, "-c"]).stdout.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }
  }

  /// Without counters.
  func rules() throws -> [String] {
    try ["iptables-legacy-save", "ip6tables-legacy-save"].flatMap { try comparable(space.require([$0]).stdout) }
  }

  @discardableResult
  func firebreak(_ arguments: String..., input: String = "", environment: [String: String?] = [:]) throws
    -> ProcessResult
  {
    try space.firebreak(arguments, input: input, environment: environment)
  }
}

/// Rulesets for tests that need something in the kernel.
enum Sample {
  static let web = """
    *filter
    :INPUT DROP [7:700]
    :FORWARD DROP [0:0]
    :OUTPUT ACCEPT [0:0]
    :web - [0:0]
    [1:100] -A INPUT -i lo -j ACCEPT
    [2:200] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
    [3:300] -A INPUT -p tcp -m multiport --dports 80,443 -j web
    [4:400] -A web -s 192.0.2.0/24 -j REJECT --reject-with icmp-port-unreachable
    [5:500] -A web -j ACCEPT
    COMMIT

    """

  /// `web` with one rule more and one less.
  static let changed =
    web.split(separator: "\n").flatMap { line -> [Substring] in
      if line.contains("--dport 22") { return [] }
      if line.contains("-i lo") { return [line, "-A INPUT -p udp -m udp --dport 53 -j ACCEPT"] }
      return [line]
    }.joined(separator: "\n") + "\n"
}
