import Netfilter
import Testing

@Suite struct ConnectionLabelRows {
  @Test(arguments: [
    Row(.ipv4, "-m connlabel --label \"40\"", wire: [40, 0, 0, 0], lists: "connlabel 40"),
    Row(.ipv6, "-m connlabel ! --label \"41\" --set", wire: [41, 0, 3, 0], lists: "connlabel ! 41 set"),
    Row(.ipv4, "-m connlabel --label 0x7f", prints: "-m connlabel --label \"127\"", wire: [127, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m connlabel --label 40", .depends(on: "the connection's labels")) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m connlabel --label 40 --set", .no) { $0.connection.state = .untracked },
    PacketRow(.ipv4, "-m connlabel ! --label 40", .yes) { $0.connection.state = .invalid },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  /// Names of labels, which a numeric listing leaves out.
  @Test func namesOfLabels() throws {
    var names = Names.wellKnown
    names.numberName = { number, file in number == 40 && file == .connectionLabels ? "bulk" : nil }
    let label = try #require(ConnectionLabel(Negatable(40, inverted: true), setsLabel: true))
    for (isNumeric, listing) in [(false, " connlabel ! 'bulk' set"), (true, " connlabel ! 40 set")] {
      var out = RuleWriter(family: .ipv4, names: names)
      out.isNumeric = isNumeric
      label.list(to: &out)
      #expect(out.text.string == listing)
    }
  }

  @Test(arguments: [
    Row(.ipv4, "-m connlabel --label 128", refused: "--label: the label 128 is greater than the kernel's last, 127"),
    Row(
      .ipv4, "-m connlabel --label wrong",
      refused: "--label: 'wrong' is neither a number nor a name of /etc/xtables/connlabel.conf"),
    Row(.ipv4, "-m connlabel --set", refused: "connlabel needs --label N|NAME"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
