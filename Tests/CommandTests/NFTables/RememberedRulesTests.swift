import Glibc
import KernelTestSupport
import Testing

/// What commands remember of nf_tables, beside the state.
@Suite(.requires(.nfTables, .tool("iptables-nft"), .tool("iptables-nft-save"), .tool("ping")))
struct RememberedRulesTests {
  private static let rules =
    "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -i lo -p icmp -m icmp --icmp-type 8 -j ACCEPT\n"
    + (1...150).map { "-A FORWARD -s 192.0.2.\($0)/32 -j DROP\n" }.joined() + "COMMIT\n"

  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { $0.contains("-A ") }
  }

  private func files(_ space: TestNamespace) throws -> [String] {
    try space.run(["sh", "-c", "ls \(space.stateDirectory)/*.rules"]).stdout.split(separator: "\n").map(String.init)
  }

  private func saved(_ space: TestNamespace, _ options: [String] = []) throws -> [String] {
    lines(try space.firebreak(["save", "--backend", "nft"] + options).stdout)
  }

  @Test func commandsSeeWhatTheKernelHolds() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rules)
    #expect(try space.firebreak(["apply", "-q", "--backend", "nft", file]).status == 0)
    let remembered = try #require(files(space).first)
    var info = stat()
    #expect(stat(remembered, &info) == 0)
    #expect(info.st_mode & 0o777 == 0o600)

    #expect(try saved(space) == lines(Self.rules))
    try space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
    #expect(try saved(space, ["-c"]) == lines(space.require(["iptables-nft-save", "-c"]).stdout))
    #expect(try space.firebreak(["apply", "--json", "--backend", "nft", file]).stdout.contains("\"unchanged\""))

    try space.require(["iptables-nft", "-D", "FORWARD", "-s", "192.0.2.75", "-j", "DROP"])
    #expect(try saved(space) == lines(space.require(["iptables-nft-save"]).stdout))
    #expect(try space.firebreak(["apply", "-q", "--backend", "nft", file]).status == 0)
    #expect(try saved(space) == lines(Self.rules))
    #expect(try lines(space.require(["iptables-nft-save"]).stdout) == lines(Self.rules))
  }

  /// One rule of many goes, with what it has counted since anybody looked, and comes back with it.
  @Test func rollbackBringsCountersBack() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rules)
    #expect(try space.firebreak(["apply", "-q", "--backend", "nft", file]).status == 0)
    try space.require(["ping", "-c", "2", "-i", "0.2", "-W", "2", "127.0.0.1"])
    let rest = Self.rules.split(separator: "\n").filter { !$0.contains("icmp") }.joined(separator: "\n") + "\n"
    #expect(try space.firebreak(["apply", "-q", "--backend", "nft", "-4", "-"], input: rest).status == 0)
    #expect(try space.firebreak(["rollback", "-q", "--backend", "nft"]).status == 0)
    let first = try lines(space.require(["iptables-nft-save", "-c"]).stdout).first
    #expect(first?.hasPrefix("[2:168] -A INPUT -i lo") == true, "\(first ?? "")")
  }

  /// Looking changes nothing but in the place that is made for it.
  @Test func noDirectoryIsMadeToLook() throws {
    let space = try TestNamespace()
    try space.require(["iptables-nft-restore"], input: Self.rules)
    #expect(try saved(space).count == 151)
    #expect(access(space.stateDirectory, F_OK) != 0)
  }
}
