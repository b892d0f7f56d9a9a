import Testing

@testable import Netfilter

/// Bytes that no iptables writes, most of them found by fuzzing: kept as they are, or refused with their place, but never
/// taken for something else.
@Suite struct HostileBytesTests {
  /// A rule from text with bytes changed.
  private static func entry(_ text: String, _ family: Family = .ipv4, _ change: (inout [UInt8]) -> Void) throws
    -> [UInt8]
  {
    let reading = RulesText.read("*filter\n:X - [0:0]\n-A X \(text)\nCOMMIT\n", family: family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    var bytes = try #require(reading.ruleset[.filter, family]?["X"]?.rules).bytes
    change(&bytes)
    return bytes
  }

  private static func fault(of bytes: [UInt8], _ family: Family = .ipv4) -> WireError? {
    do throws(WireError) {
      try RuleCodec.check(bytes.span.bytes, family: family)
      return nil
    } catch {
      return error
    }
  }

  private static let head = RuleCodec.Layout.ipv4.size

  @Test func namesAreWords() throws {
    let changes: [(String, (inout [UInt8]) -> Void)] = [
      ("bytes behind the end", { $0[Self.head + 2 + 12] = 1 }), ("a blank", { $0[Self.head + 2] = 0x20 }),
      ("a control character", { $0[Self.head + 2] = 0x07 }), ("no ASCII", { $0[Self.head + 2] = 0xe9 }),
      ("delete", { $0[Self.head + 3] = 0x7f }), ("empty", { for place in 2..<5 { $0[Self.head + place] = 0 } }),
      ("no end", { for place in 2..<31 { $0[Self.head + place] = 0x61 } }),
      ("a gap behind 16 bytes", { for place in 2..<30 { $0[Self.head + place] = place == 20 ? 0 : 0x61 } }),
    ]
    for (what, change) in changes {
      let error = Self.fault(of: try Self.entry("-m mac --mac-source 00:00:00:00:00:01 -j DROP", .ipv4, change))
      #expect(error == WireError(offset: Self.head + 2, field: "name", reason: .invalid), "\(what)")
    }
    for length in 1...28 {
      let bytes = try Self.entry("-m mac --mac-source 00:00:00:00:00:01 -j DROP") { bytes in
        for place in 0..<29 { bytes[Self.head + 2 + place] = place < length ? 0x61 : 0 }
      }
      #expect(Self.fault(of: bytes) == nil, "\(length) letters")
    }
  }

  @Test func namesOfChainsMayHoldAnyText() throws {
    let target = Self.head + 2
    let bytes = try Self.entry("-j RETURN") { bytes in
      bytes.replaceSubrange(target..<target + 8, with: [0xc3, 0xa9, 0x22, 0x61, 0, 0, 0, 0])
      bytes.replaceSubrange(Self.head + 32..<Self.head + 36, with: [0x4a, 0x55, 0x4d, 0x50])
    }
    #expect(Self.fault(of: bytes) == nil)
    let rule = try RuleCodec.decode(bytes.span.bytes, family: .ipv4, registry: .standard)
    #expect(rule.target.chain?.text == "é\"a")
    let broken = try Self.entry("-j RETURN") { $0[target] = 0xe9 }
    #expect(Self.fault(of: broken)?.field == "name")
  }

  @Test func sizesAreMultiplesOfEight() throws {
    let bytes = try Self.entry("-m mac --mac-source 00:00:00:00:00:01 -j DROP") { bytes in
      bytes[Self.head] -= 4
      bytes.removeSubrange(Self.head + 40..<Self.head + 44)
      bytes[RuleCodec.Layout.ipv4.targetOffset] -= 4
      bytes[RuleCodec.Layout.ipv4.nextOffset] -= 4
    }
    #expect(Self.fault(of: bytes) == WireError(offset: Self.head, field: "match_size", reason: .invalid))
  }

  /// Bits that make a rule match nothing, which must not become a rule that matches everything.
  @Test(arguments: Family.allCases) func bitsOutsideTheMaskStay(_ family: Family) throws {
    let layout = RuleCodec.Layout.of(family)
    let bytes = try Self.entry("-j DROP", family) { bytes in
      bytes[3] = 9  // source
      bytes[family == .ipv4 ? 4 : 16] = 8  // destination
      bytes[layout.proto + 1] = 7
    }
    let rule = try RuleCodec.decode(bytes.span.bytes, family: family, registry: .standard)
    #expect(rule.residue != HeaderResidue())
    var out = ByteWriter()
    RuleCodec.encode(rule, family: family, to: &out)
    #expect(out.bytes == bytes)
  }

  /// A value of a target that looks like the mark of a jump.
  @Test func aClassIsNoJump() throws {
    let text = "-A POSTROUTING -j CLASSIFY --set-class 504d:554a"
    let reading = RulesText.read("*mangle\n\(text)\nCOMMIT\n")
    let rules = try #require(reading.ruleset[.mangle, .ipv4]?[.postrouting]?.rules)
    #expect(rules[0].target.chain == nil)
    guard case .extension = rules.standardLabel(of: 0) else { Issue.record("taken for a jump"); return }
    #expect("-A POSTROUTING" + SaveText.rule(rules[0], family: .ipv4) == text)
    #expect(try #require(reading.ruleset[.mangle, .ipv4]).problems().isEmpty)
  }

  /// Values that rules text refuses, or cannot hold: they stay bytes.
  @Test(arguments: [
    ("-m limit --limit 5/s", 36, [0x11, 0x27]), ("-m limit --limit 5/s", 35, [0x7f]),
    ("-p tcp -m tcp --dport 1", 43, [8]), ("-m conntrack --ctorigsrc 192.0.2.0/24", 49, [0]),
    ("-m helper --helper ftp", 36, [7]), ("-m comment --comment abc", 33, [10]), ("-m nfacct --nfacct-name a", 33, [1]),
    ("-m ipvs --vaddr 192.0.2.1", 49, [0]), ("-m physdev --physdev-in eth0", 32, [3]),
    ("-m cgroup --path a", 36, [7]),
  ])
  func staysBytes(_ text: String, _ place: Int, _ change: [UInt8]) throws {
    let bytes = try Self.entry("\(text) -j ACCEPT") { bytes in
      bytes.replaceSubrange(Self.head + place..<Self.head + place + change.count, with: change)
    }
    let rule = try RuleCodec.decode(bytes.span.bytes, family: .ipv4, registry: .standard)
    let opaque = try #require(rule.matches.first as? OpaqueMatch)
    let size = Int(bytes[Self.head]) | Int(bytes[Self.head + 1]) << 8
    #expect(opaque.opaque.payload == Array(bytes[Self.head + 32..<Self.head + size]))
  }

  @Test(arguments: [
    ("-j LOG --log-prefix abc", 35, [7]), ("-p tcp --syn -j TCPMSS --set-mss 1", 32, [0xf0, 0xff]),
    ("-j NFLOG --nflog-prefix abc", 48, [7]), ("-j LED --led-trigger-id ab", 32 + 11, [7]),
  ])
  func targetStaysBytes(_ text: String, _ place: Int, _ change: [UInt8]) throws {
    let bytes = try Self.entry(text) { bytes in
      let target = Int(bytes[RuleCodec.Layout.ipv4.targetOffset])
      bytes.replaceSubrange(target + place..<target + place + change.count, with: change)
    }
    let rule = try RuleCodec.decode(bytes.span.bytes, family: .ipv4, registry: .standard)
    guard case .extension(let target) = rule.target else {
      Issue.record("\(rule.target)")
      return
    }
    #expect(target is OpaqueTarget)
  }

  // MARK: Text

  /// What stays bytes is saved so that it can be read again, whatever its name is.
  @Test(arguments: [
    "-m mac --opaque 0:0053001234560008 -j ACCEPT",
    "-p tcp -m tcp --opaque 0:0000ffff16000000 -m tcp --dport 22 -j DROP",
    "-j LOG --opaque 3:0011223344556677", "-j ACCEPT --opaque 1:0011223344556677",
    "-m x --opaque 0: -j Y --opaque 255:",
  ])
  func bytesAreReadAgain(_ text: String) throws {
    let reading = RulesText.read("*filter\n-A INPUT \(text)\nCOMMIT\n")
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    let rule = try #require(reading.ruleset[.filter, .ipv4]?[.input]?.rules.first)
    #expect(SaveText.rule(rule, family: .ipv4) == " \(text)")
  }

  /// A name that would be repaired, and so become another one.
  @Test func namesOfSetsAreText() {
    let text = Array("*filter\n-A INPUT -m set --match-set s".utf8) + [0xe9] + Array(" src -j DROP\nCOMMIT\n".utf8)
    let reading = text.withUnsafeBytes { RulesText.read($0, file: "-") }
    #expect(reading.diagnostics.first?.message.contains("the set's name is no UTF-8 text") == true)
  }

  @Test(arguments: ["\"a b\"", "\"\"", "a-name-of-more-than-28-letters", "é"])
  func namesOfBytesAreWords(_ name: String) {
    let reading = RulesText.read("*filter\n-A INPUT -m \(name) --opaque 0:00 -j ACCEPT\nCOMMIT\n")
    #expect(reading.diagnostics.first?.message.contains("cannot be the name of a match or target") == true)
  }
}
