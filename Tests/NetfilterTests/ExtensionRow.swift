import Netfilter
import Testing

/// One rule text and what has to come of it.
struct Row: Sendable, CustomTestStringConvertible {
  let family: Family
  /// What stands behind `-A X`, or behind another chain where hooks matter.
  let text: String
  let chain: ChainName
  let table: TableName
  let interface: KernelInterface
  let outcome: Outcome

  enum Outcome: Sendable {
    /// The rule prints so; the structure of its last match has these bytes, where they are given.
    case accepted(prints: String, wire: [UInt8]?, lists: Listing?)
    /// The reader refuses it with a message that contains this.
    case refused(String)
  }

  /// - Parameters:
  ///   - prints: the canonical text, nil where it is the text itself.
  ///   - lists: the last column of `iptables -L` for the last match, or the target where it is the row's subject.
  init(
    _ family: Family, _ text: String, in chain: ChainName = "X", table: TableName = .filter,
    for interface: KernelInterface = .ipTables, prints: String? = nil, wire: [UInt8]? = nil, lists: Listing? = nil
  ) {
    self.family = family
    self.text = text
    self.chain = chain
    self.table = table
    self.interface = interface
    outcome = .accepted(prints: prints ?? text, wire: wire, lists: lists)
  }

  init(
    _ family: Family, _ text: String, in chain: ChainName = "X", table: TableName = .filter,
    for interface: KernelInterface = .ipTables, refused message: String
  ) {
    self.family = family
    self.text = text
    self.chain = chain
    self.table = table
    self.interface = interface
    outcome = .refused(message)
  }

  var testDescription: String { "\(family): \(text)" }

  /// Text to rule to text, and rule to bytes to rule to bytes.
  func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let reading = read(text)
    switch outcome {
    case .refused(let message):
      let messages = reading.diagnostics.filter { $0.severity == .error }.map(\.message)
      #expect(messages.contains { $0.contains(message) }, "\(messages)", sourceLocation: sourceLocation)
    case .accepted(let prints, let wire, let lists):
      try #require(!reading.hasErrors, "\(reading.diagnostics)", sourceLocation: sourceLocation)
      let rule = try #require(self.rule(of: reading), sourceLocation: sourceLocation)
      #expect(Self.print(rule, family) == prints, sourceLocation: sourceLocation)
      try checkBytes(of: rule, wire, sourceLocation)
      if let lists, let match = rule.matches.last { lists.check(match, family, sourceLocation) }
      let again = read(prints)
      let second = try #require(self.rule(of: again), "\(again.diagnostics)", sourceLocation: sourceLocation)
      #expect(Self.print(second, family) == prints, sourceLocation: sourceLocation)
    }
  }

  private func checkBytes(of rule: Rule, _ wire: [UInt8]?, _ sourceLocation: SourceLocation) throws {
    let bytes = Self.encode(rule, family)
    try RuleCodec.check(bytes.span.bytes, family: family)
    let decoded = try RuleCodec.decode(bytes.span.bytes, family: family, registry: .standard)
    #expect(decoded == rule, sourceLocation: sourceLocation)
    #expect(!decoded.matches.contains { $0 is OpaqueMatch }, sourceLocation: sourceLocation)
    #expect(Self.encode(decoded, family) == bytes, sourceLocation: sourceLocation)
    guard let wire, let match = rule.matches.last else { return }
    var out = ByteWriter()
    match.encode(to: &out, family: family)
    #expect(out.bytes == wire, sourceLocation: sourceLocation)
  }

  private func read(_ text: String) -> RulesText.Reading {
    let target = text.contains(" -j ") ? "" : " -j ACCEPT"
    return RulesText.read(
      "*\(table)\n:X - [0:0]\n-A \(chain) \(text)\(target)\nCOMMIT\n", family: family, for: interface, names: .ofRows)
  }

  private func rule(of reading: RulesText.Reading) -> Rule? {
    reading.ruleset[table, family]?.chains.first { $0.name == chain }?.rules.first
  }

  /// The rule as it is saved, without the target that ``read(_:)`` put there.
  private static func print(_ rule: Rule, _ family: Family) -> String {
    var text = SaveText.rule(rule, family: family, names: .ofRows).dropFirst()
    if text.hasSuffix(" -j ACCEPT") { text = text.dropLast(10) }
    return String(text)
  }

  private static func encode(_ rule: Rule, _ family: Family) -> [UInt8] {
    var out = ByteWriter()
    RuleCodec.encode(rule, family: family, to: &out)
    return out.bytes
  }
}

/// What a listing shows of an extension: with `-n`, and without where that differs.
struct Listing: Sendable, ExpressibleByStringLiteral {
  let numeric: String
  let named: String

  /// What stands before it.
  private var lead = " "

  init(stringLiteral text: String) { (numeric, named) = (text, text) }
  init(_ numeric: String, named: String? = nil) { (self.numeric, self.named) = (numeric, named ?? numeric) }
  /// Without the blank that others have before them.
  init(bare text: String) { (numeric, named, lead) = (text, text, "") }

  func check(_ value: any Extension, _ family: Family, _ sourceLocation: SourceLocation = #_sourceLocation) {
    for (isNumeric, expected) in [(true, numeric), (false, named)] {
      var out = RuleWriter(family: family, names: .ofRows)
      out.isNumeric = isNumeric
      value.list(to: &out)
      #expect(out.text.string == (expected.isEmpty ? "" : lead + expected), sourceLocation: sourceLocation)
    }
  }
}

extension Names {
  /// Names for numbers that are the same wherever the tests run. There are four sets: `foo` of IPv4 and `foo6` of IPv6
  /// addresses, `both`, and one whose name has a blank.
  static let ofRows: Names = {
    var names = Names.wellKnown
    names.numberName = { number, _ in number == 42 ? "example" : nil }
    names.number = { name, _ in name == "example" ? 42 : nil }
    names.reverse = ReverseNames(
      service: { port, _ in [22: "ssh", 53: "domain", 80: "http"][port] },
      host: { "\($0)" == "192.0.2.1" || "\($0)" == "2001:db8::1" ? "host.example" : nil },
      user: { $0 == 0 ? "root" : nil }, group: { $0 == 0 ? "root" : nil })
    let sets: [(name: String, family: Family?)] = [
      ("foo", .ipv4), ("foo6", .ipv6), ("both", nil), ("a b", nil), ("blocklist", .ipv4),
    ]
    names.sets = IPSetDirectory(
      find: { name in
        guard let place = sets.firstIndex(where: { $0.name == name }) else { return .missing }
        return .found(index: UInt16(place), family: sets[place].family)
      },
      name: { index in index < sets.count ? sets[Int(index)].name : nil })
    return names
  }()
}

/// A match, a packet and the kernel's answer.
struct PacketRow: Sendable, CustomTestStringConvertible {
  let family: Family
  let text: String
  let chain: ChainName
  let table: TableName
  let packet: Packet
  let answer: Answer

  /// - Parameter change: turns a TCP packet from 192.0.2.1 port 1024 to 198.51.100.2 port 22 (2001:db8::1 and
  ///   2001:db8::2), of which nothing more is known, into the row's packet.
  init(
    _ family: Family, _ text: String, _ answer: Answer, in chain: ChainName = "INPUT", table: TableName = .filter,
    _ change: (inout Packet) -> Void = { _ in }
  ) {
    self.family = family
    self.text = text
    self.chain = chain
    self.table = table
    self.answer = answer
    var packet = Packet.example(family)
    change(&packet)
    self.packet = packet
  }

  var testDescription: String { "\(family): \(text)" }

  func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let reading = RulesText.read(
      "*\(table)\n-A \(chain) \(text) -j ACCEPT\nCOMMIT\n", family: family, names: .ofRows)
    try #require(!reading.hasErrors, "\(reading.diagnostics)", sourceLocation: sourceLocation)
    let rule = try #require(reading.ruleset[table, family]?[chain]?.rules.first, sourceLocation: sourceLocation)
    let match = try #require(rule.matches.last, sourceLocation: sourceLocation)
    #expect(match.matches(packet) == answer, sourceLocation: sourceLocation)
  }
}

extension Packet {
  static func example(_ family: Family) -> Packet {
    let (source, destination) = family == .ipv4 ? ("192.0.2.1", "198.51.100.2") : ("2001:db8::1", "2001:db8::2")
    var packet = Packet(source: IPAddress(source)!, destination: IPAddress(destination)!, proto: .tcp)
    packet.sourcePort = 1024
    packet.destinationPort = 22
    return packet
  }
}

/// Zero bytes, for the parts of a structure that a row does not set.
func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

/// Bytes with all bits set, for masks.
func ones(_ count: Int) -> [UInt8] { Array(repeating: 255, count: count) }
