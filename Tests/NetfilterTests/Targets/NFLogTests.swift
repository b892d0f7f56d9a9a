import Testing

@testable import Netfilter

@Suite struct NFLogTests {
  static let rows: [TargetRow] = [
    .reads("-j NFLOG", revision: 0, wire: "00*76", lists: ""),
    .reads(
      "-j NFLOG --nflog-group 65535", in: .filter, "FORWARD", .ipv6, revision: 0, wire: "00000000ffff 00*70"),
    .reads("-j NFLOG --nflog-group 0", prints: "-j NFLOG"),
    .reads(
      #"-j NFLOG --nflog-prefix "test: " --nflog-group 3 --nflog-size 128 --nflog-threshold 5"#, in: .nat, "OUTPUT",
      revision: 0, wire: "800000000300050001000000746573743a20 00*58",
      lists: #"nflog-prefix "test: " nflog-group 3 nflog-size 128 nflog-threshold 5"#),
    .reads(
      "-j NFLOG --nflog-threshold 65535 --nflog-size 4294967295 --nflog-group 1 --nflog-prefix plain_-9",
      prints: "-j NFLOG --nflog-prefix plain_-9 --nflog-group 1 --nflog-size 4294967295 --nflog-threshold 65535"),
    .reads("-j NFLOG --nflog-size 0", revision: 0, wire: "00*8 01 00*67"),
    .reads("-j NFLOG --nflog-range 1", revision: 0, wire: "01 00*75", lists: "nflog-range 1"),
    .reads("-j NFLOG --nflog-range 0", prints: "-j NFLOG"),
    .reads("-j NFLOG --nflog-threshold 0", prints: "-j NFLOG"),
    .reads("-j NFLOG --nflog-prefix xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    .reads("-j NFLOG --nflog-prefix \(String(repeating: "x", count: 64))", for: .nfTables),
    .reads("-j NFLOG --nflog-prefix \(String(repeating: "y", count: 127)) --nflog-group 3", for: .nfTables),
    .reads(
      "-j NFLOG --nflog-prefix \(String(repeating: "x", count: 128))",
      prints: "-j NFLOG --nflog-prefix \(String(repeating: "x", count: 127))", for: .nfTables),
    .reads(
      "-j NFLOG --nflog-prefix \(String(repeating: "x", count: 64))",
      prints: "-j NFLOG --nflog-prefix \(String(repeating: "x", count: 63))"),
    .refuses(#"-j NFLOG --nflog-prefix """#, "--nflog-prefix: the text is empty or has a line end"),
    .refuses("-j NFLOG --nflog-group 65536", "--nflog-group: '65536' is not a number from 0 to 65535"),
    .refuses("-j NFLOG --nflog-size 4294967296", "--nflog-size: '4294967296' is not a number from 0 to 4294967295"),
    .refuses("-j NFLOG --nflog-range 1 --nflog-size 1", "--nflog-size cannot stand beside --nflog-range"),
    .refuses("-j NFLOG ! --nflog-group 1", "'!' cannot stand before --nflog-group"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(NFLog.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j NFLOG --nflog-group 3", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatHasNoEffectIsWarnedOf() {
    let long = String(repeating: "x", count: 64)
    for (option, message) in [("--nflog-range 1", "no effect"), ("--nflog-prefix \(long)", "64 bytes")] {
      let reading = RulesText.read("*filter\n-A INPUT -j NFLOG \(option)\nCOMMIT\n")
      #expect(!reading.hasErrors)
      #expect(reading.diagnostics.first?.severity == .warning)
      #expect(reading.diagnostics.first?.message.contains(message) == true)
    }
  }

  @Test func whatTextCannotSayStaysOpaque() {
    // A long prefix that would fit into the kernel's structure.
    #expect(
      decodeTarget(
        "NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 12) + [0x61] + Array(repeating: 0, count: 127))
        is OpaqueTarget)
    #expect(
      decodeTarget("NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 8) + [2] + Array(repeating: 0, count: 67))
        is OpaqueTarget)
    #expect(
      decodeTarget("NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 10) + [1] + Array(repeating: 0, count: 65))
        is OpaqueTarget)
    #expect(
      decodeTarget("NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 16) + Array(repeating: 0x61, count: 64))
        is OpaqueTarget)
    #expect(
      decodeTarget(
        "NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 16) + [0x61, 0, 0x61] + Array(repeating: 0, count: 61))
        is OpaqueTarget)
    #expect(decodeTarget("NFLOG", revision: 0, .ipv4, Array(repeating: 0, count: 75)) is OpaqueTarget)
  }
}
