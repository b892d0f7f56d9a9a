import Testing

@testable import Netfilter

@Suite struct LogTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j LOG", revision: 0, wire: "0400" + String(repeating: "00", count: 30),
      lists: Listing("LOG flags 0 level 4", named: "LOG level warn")),
    .reads("-j LOG", in: .filter, "FORWARD", .ipv6),
    .reads("-j LOG", in: .raw, "PREROUTING"),
    .reads(#"-j LOG --log-prefix "test: ""#),
    .reads("-j LOG --log-prefix plain_-9"),
    .reads(
      #"-j LOG --log-prefix "it\"s \\ é""#,
      lists: Listing(#"LOG flags 0 level 4 prefix "it"s \ é""#, named: #"LOG level warn prefix "it"s \ é""#)),
    .reads("-j LOG --log-level 4", prints: "-j LOG"),
    .reads("-j LOG --log-level warning", prints: "-j LOG"),
    .reads("-j LOG --log-level 0x2", prints: "-j LOG --log-level 2"),
    .reads("-j LOG --log-level panic", prints: "-j LOG --log-level 0"),
    .reads("-j LOG --log-level debug", prints: "-j LOG --log-level 7"),
    .reads(
      #"-j LOG --log-macdecode --log-uid --log-ip-options --log-tcp-options --log-tcp-sequence --log-level alert --log-prefix "test: ""#,
      prints:
        #"-j LOG --log-prefix "test: " --log-level 1 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid --log-macdecode"#,
      wire: "012f746573743a20" + String(repeating: "00", count: 24),
      lists: Listing(
        #"LOG flags 47 level 1 prefix "test: ""#,
        named: #"LOG level alert tcp-sequence tcp-options ip-options uid macdecode prefix "test: ""#)),
    .reads(
      "-j LOG --log-prefix aaaaaaaaaaaaaaaaaaaaaaaaaaaaabc", prints: "-j LOG --log-prefix aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    ),
    .refuses(#"-j LOG --log-prefix """#, "empty"),
    .refuses("-j LOG --log-prefix", "--log-prefix needs a value"),
    .refuses("-j LOG --log-level 8", "'8' is not a level"),
    .refuses("-j LOG --log-level err", "emerg, alert, crit, error"),
    .refuses("-j LOG --log-uid --log-uid", "given twice"),
    .refuses("-j LOG ! --log-uid", "'!' cannot stand before"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Log.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j LOG", .proceed),
    ActionRow(.ipv6, "-j LOG --log-prefix seen", .proceed, from: { $0.isLaterFragment = true }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func aPrefixThatIsCutIsWarnedOf() {
    let text = "*filter\n-A INPUT -j LOG --log-prefix \(String(repeating: "x", count: 30))\nCOMMIT\n"
    let warning = RulesText.read(text).diagnostics.first
    #expect(warning?.severity == .warning)
    #expect(warning?.line == 2 && warning?.column == 30)
    #expect(warning?.message.contains("30 bytes") == true)
  }

  @Test func bytesThatAreNotUTF8AreKept() throws {
    let bytes: [UInt8] = [4, 0, 0xe9, 0xff] + Array(repeating: 0, count: 28)
    let log = try #require(decodeTarget("LOG", revision: 0, .ipv4, bytes) as? Log)
    var out = ByteWriter()
    log.encode(to: &out, family: .ipv4)
    #expect(out.bytes == bytes)
  }

  @Test func whatTextCannotSayStaysOpaque() {
    let zeros = [UInt8](repeating: 0, count: 30)
    #expect(decodeTarget("LOG", revision: 0, .ipv4, [8, 0] + zeros) is OpaqueTarget)
    #expect(decodeTarget("LOG", revision: 0, .ipv4, [4, 0x10] + zeros) is OpaqueTarget)
    #expect(decodeTarget("LOG", revision: 0, .ipv4, [4, 0, 0x61, 0, 0x62] + zeros.dropFirst(3)) is OpaqueTarget)
    #expect(decodeTarget("LOG", revision: 0, .ipv4, [4, 0] + zeros.dropFirst()) is OpaqueTarget)
    #expect(LogPrefix("") == nil)
    #expect(LogPrefix("two\nlines") == nil)
    #expect(LogPrefix(String(repeating: "x", count: 30)) == nil)
  }
}
