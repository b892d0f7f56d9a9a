import Netfilter
import Testing

/// Numbers that have names in files of the machine.
@Suite struct NumberNameTests {
  private static let names: Names = {
    let known: [NumberFile: [(String, UInt32)]] = [
      .deviceGroups: [("default", 0), ("uplinks", 3), ("7", 8), ("a\"b", 9)],
      .realms: [("cosmos", 0), ("inr.ac", 1)],
      .connectionLabels: [("from outside", 1), ("12", 13)],
    ]
    var names = Names.wellKnown
    names.number = { name, file in known[file]?.first { $0.0 == name }?.1 }
    names.numberName = { number, file in known[file]?.first { $0.1 == number }?.0 }
    return names
  }()

  @Test(arguments: [
    ("-m devgroup --src-group uplinks", "-m devgroup --src-group uplinks"),
    ("-m devgroup --src-group 0", "-m devgroup --src-group default"),
    ("-m devgroup ! --src-group 3/0xff", "-m devgroup ! --src-group 0x3/0xff"),
    ("-m devgroup --src-group 8", "-m devgroup --src-group 0x8"),
    ("-m devgroup --src-group 9", "-m devgroup --src-group 0x9"),
    ("-m realm --realm inr.ac", "-m realm --realm inr.ac"),
    ("-m realm --realm 0", "-m realm --realm cosmos"),
    ("-m connlabel --label \"from outside\"", "-m connlabel --label \"from outside\""),
    ("-m connlabel --label 1", "-m connlabel --label \"from outside\""),
    ("-m connlabel --label 13", "-m connlabel --label \"13\""),
    ("-m connlabel --label 12", "-m connlabel --label \"12\""),
  ])
  func named(_ text: String, _ prints: String) throws {
    let reading = RulesText.read(
      "*filter\n-A INPUT \(text) -j ACCEPT\nCOMMIT\n", family: .ipv4, names: Self.names)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    let rule = try #require(reading.ruleset[.filter, .ipv4]?.chains.lazy.compactMap { $0.rules.first }.first)
    #expect(SaveText.rule(rule, family: .ipv4, names: Self.names) == " \(prints) -j ACCEPT")
  }
}
