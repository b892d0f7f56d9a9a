import Firebreak
import KernelTestSupport
import Testing

/// Rulesets as people have them, to nf_tables: iptables-nft-save has to print what it printed for iptables-nft-restore.
@Suite(.requires(.corpus, .nfTables, .tool("iptables-nft-save"), .tool("ip6tables-nft-save"), .tool("ipset")))
struct CorpusNFTTests {
  /// Files that name a table and put nothing into it: iptables-nft makes none then, Firebreak does.
  static let withEmptyTables: Set<String> = [
    "save/diekmann-net-network__vpn-vpn.sh-L150.v4",
    "save/k8snetworkplumbingwg-multi-networkpolicy-iptables__server-policyrules-test.go-L1948.v4",
    "save/k8snetworkplumbingwg-multi-networkpolicy-iptables__server-policyrules-test.go-L2051.v4",
  ]

  @Test func howMany() {
    print("corpus: \(Corpus.Entry.acceptedByNFT.count) files go through nf_tables")
    #expect(Corpus.Entry.acceptedByNFT.count > 50)
  }

  @Test(arguments: Corpus.Entry.acceptedByNFT)
  func nfTablesHoldsWhatTheFileSays(_ entry: Corpus.Entry) throws {
    var expected = comparable(String(decoding: try readFile(entry.expectedNFTPath), as: UTF8.self))
    let space = try TestNamespace()
    try entry.makeSets(in: space)
    let applied = try space.firebreak(["apply", "-q", "--backend", "nft", entry.path])
    #expect(applied.status == 0, "\(applied)")
    var saved = comparable(try space.require([entry.family.toolName + "-nft-save"]).stdout)
    var own = comparable(try space.firebreak(["save", "--backend", "nft"] + familyOption(entry)).stdout)
    let counted = try space.firebreak(["save", "-c", "--backend", "nft"] + familyOption(entry)).stdout
    #expect(try uncommented(counted) == uncommented(space.require([entry.family.toolName + "-nft-save", "-c"]).stdout))
    if Self.withEmptyTables.contains(entry.file) {
      expected = withoutEmptyTables(expected)
      saved = withoutEmptyTables(saved)
      own = withoutEmptyTables(own)
    }
    #expect(difference(saved, expected) == [])
    #expect(difference(own, expected) == [])

    let again = try space.firebreak(
      ["apply", "--json", "--backend", "nft", entry.isIPv6 ? "-6" : "-4", "-"], input: counted)
    #expect(again.stdout.contains("\"status\":\"unchanged\""), "\(again)")
    let back = try space.firebreak(["rollback", "--backend", "nft"])
    #expect(back.status == 0, "\(back)")
    let left = comparable(try space.require([entry.family.toolName + "-nft-save"]).stdout)
    #expect(!left.contains { $0.hasPrefix("-A") || $0.hasSuffix("DROP") }, "\(left)")
  }

  private func familyOption(_ entry: Corpus.Entry) -> [String] { entry.isIPv6 ? ["-6"] : ["-4"] }

  private func withoutEmptyTables(_ lines: [String]) -> [String] {
    lines.split(separator: "COMMIT").filter { table in table.contains { $0.hasPrefix("-A") } }.flatMap { $0 }
  }
}
