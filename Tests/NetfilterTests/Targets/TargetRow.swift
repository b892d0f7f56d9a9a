import Testing

@testable import Netfilter

/// One rule of a target: its text, what is printed for it, what is kept of it in the kernel's form; or why it is
/// refused.
struct TargetRow: Sendable {
  enum Expectation: Sendable {
    /// The line that is printed behind `-A CHAIN`, and the target's revision and bytes where they are stated.
    case prints(String, revision: UInt8?, hex: String?, lists: Listing?)
    /// Part of the message.
    case isRefused(String)
  }

  let rule: String
  let table: TableName
  let chain: String
  let family: Family
  let interface: KernelInterface
  let expectation: Expectation

  private init(
    _ rule: String, _ table: TableName, _ chain: String, _ family: Family, _ interface: KernelInterface,
    _ expectation: Expectation
  ) {
    (self.rule, self.table, self.chain, self.family) = (rule, table, chain, family)
    (self.interface, self.expectation) = (interface, expectation)
  }

  /// A rule that is read; `prints` is what it becomes, where that differs.
  /// - Parameter wire: the bytes of the kernel's structure as iptables writes them, without alignment padding; a word
  ///   `00*9` stands for nine zeros.
  static func reads(
    _ rule: String, prints: String? = nil, in table: TableName = .filter, _ chain: String = "INPUT",
    _ family: Family = .ipv4, for interface: KernelInterface = .ipTables, revision: UInt8? = nil, wire: String? = nil,
    lists: Listing? = nil
  ) -> TargetRow {
    TargetRow(
      rule, table, chain, family, interface, .prints(prints ?? rule, revision: revision, hex: wire, lists: lists))
  }

  static func refuses(
    _ rule: String, _ message: String, in table: TableName = .filter, _ chain: String = "INPUT",
    _ family: Family = .ipv4, for interface: KernelInterface = .ipTables
  ) -> TargetRow {
    TargetRow(rule, table, chain, family, interface, .isRefused(message))
  }
}

extension TargetRow: CustomTestStringConvertible {
  var testDescription: String { "\(family) \(table) \(chain) \(rule)" }
}

extension TargetRow {
  /// The digits of all words.
  private static func expanded(_ hex: String) -> String {
    hex.split(separator: " ").map { word in
      guard word.hasPrefix("00*"), let count = Int(word.dropFirst(3)) else { return String(word) }
      return String(repeating: "00", count: count)
    }.joined()
  }

  private func reading() -> RulesText.Reading {
    RulesText.read("*\(table)\n-A \(chain) \(rule)\nCOMMIT\n", family: family, for: interface, names: .ofRows)
  }

  /// Reads, prints, encodes, decodes and encodes again; every step has to agree with the one before.
  func check<T: Target>(_ type: T.Type) throws {
    let reading = reading()
    switch expectation {
    case .isRefused(let message):
      let error = try #require(reading.diagnostics.first { $0.severity == .error }, "it was read")
      #expect("\(error)".contains(message))
      #expect(error.line == 2 && error.column > 0)
    case .prints(let line, let revision, let hex, let lists):
      try #require(!reading.hasErrors, "\(reading.diagnostics.map { "\($0)" })")
      let rules = try #require(reading.ruleset[table, family]?[ChainName(unchecked: chain)]?.rules)
      let rule = rules[0]
      guard case .extension(let target) = rule.target, let typed = target as? T else {
        Issue.record("the target is \(rule.target)")
        return
      }
      #expect(SaveText.rule(rule, family: family, names: .ofRows) == " \(line)")
      var again = ByteWriter()
      RuleCodec.encode(rule, family: family, to: &again)
      #expect(again.bytes == rules.bytes)
      let decoded = try RuleCodec.decode(again.bytes.span.bytes, family: family, registry: .standard)
      #expect(decoded == rule)
      lists?.check(typed, family)
      if let revision { #expect(typed.revision(for: family) == revision) }
      if let hex {
        var wire = ByteWriter()
        typed.encode(to: &wire, family: family)
        var text = TextWriter()
        for byte in wire.bytes { text.write(hex: byte, width: 2) }
        #expect(text.string == Self.expanded(hex))
      }
    }
  }
}

/// What a target does with a packet.
struct ActionRow: Sendable, CustomTestStringConvertible {
  let family: Family
  let target: String
  let table: TableName
  let chain: String
  let before: Packet
  let outcome: TargetOutcome
  let after: Packet

  /// - Parameters:
  ///   - change: makes the row's packet out of ``Packet/example(_:)``.
  ///   - leaves: what the target then changes about it.
  init(
    _ family: Family, _ target: String, _ outcome: TargetOutcome, in table: TableName = .filter,
    chain: String = "INPUT", from change: (inout Packet) -> Void = { _ in }, leaves: (inout Packet) -> Void = { _ in }
  ) {
    (self.family, self.target, self.table, self.chain, self.outcome) = (family, target, table, chain, outcome)
    var packet = Packet.example(family)
    change(&packet)
    before = packet
    leaves(&packet)
    after = packet
  }

  var testDescription: String { "\(family): \(target)" }

  func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let reading = RulesText.read("*\(table)\n-A \(chain) \(target)\nCOMMIT\n", family: family, names: .ofRows)
    try #require(!reading.hasErrors, "\(reading.diagnostics)", sourceLocation: sourceLocation)
    let chain = ChainName(unchecked: chain)
    let rule = try #require(reading.ruleset[table, family]?[chain]?.rules.first, sourceLocation: sourceLocation)
    guard case .extension(let target) = rule.target else {
      Issue.record("the target is \(rule.target)", sourceLocation: sourceLocation)
      return
    }
    var packet = before
    #expect(target.act(on: &packet) == outcome, sourceLocation: sourceLocation)
    #expect(packet == after, sourceLocation: sourceLocation)
  }
}

/// Decodes bytes of a target that iptables does not write.
func decodeTarget(_ name: String, revision: UInt8, _ family: Family, _ bytes: [UInt8]) -> any Target {
  Registry.standard.decodeTarget(
    kernelName: name, revision: revision, family: family, payload: bytes.span.bytes)
}
