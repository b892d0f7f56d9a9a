import Netfilter
import RuleStore
import XTablesStore

/// What is fuzzed: bytes go in, and what has to hold of what comes out is checked.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A whole text of rules.
  case text
  /// One iptables command.
  case command
  /// One rule in the kernel's form; the first byte tells the family.
  case rule
  /// A table in the kernel's form; the first byte tells table and family, then comes `struct ipt_getinfo`.
  case image

  /// Something that does not hold.
  public struct Finding: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
  }

  /// Runs the target once.
  /// - Throws: ``Finding``. What traps ends the process.
  public func run(_ bytes: [UInt8]) throws {
    switch self {
    case .text: try Self.text(bytes)
    case .command: try Self.text(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") } + [10])
    case .rule: try Self.rule(bytes)
    case .image: try Self.image(bytes)
    }
  }
}

// MARK: Text

extension FuzzTarget {
  private static func text(_ bytes: [UInt8]) throws {
    for file in ["fuzz.v4", "fuzz.v6"] {
      let reading = bytes.withUnsafeBytes { RulesText.read($0, file: file) }
      let lines = bytes.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
      for diagnostic in reading.diagnostics {
        guard diagnostic.line >= 0, diagnostic.line <= lines, diagnostic.column >= 0, !"\(diagnostic)".isEmpty else {
          throw Finding("a message about a place that is not there: \(diagnostic)")
        }
      }
      guard !reading.hasErrors else { continue }
      for table in reading.ruleset.tables { try tableIsStable(table) }
    }
  }

  /// What was read prints as something that reads the same.
  private static func tableIsStable(_ table: Table) throws {
    var first = SaveText(family: table.family, names: .wellKnown, showsCounters: true)
    first.print(table)
    let printed = first.bytes
    let again = printed.withUnsafeBytes {
      RulesText.read($0, file: table.family == .ipv4 ? "again.v4" : "again.v6")
    }
    guard !again.hasErrors, let second = again.ruleset[table.name, table.family] else {
      throw Finding("printed and not read:\n\(String(decoding: printed, as: UTF8.self))\(again.diagnostics)")
    }
    var other = SaveText(family: table.family, names: .wellKnown, showsCounters: true)
    other.print(second)
    guard other.bytes == printed else {
      throw Finding(
        "printed and read as something else:\n\(String(decoding: printed, as: UTF8.self))"
          + String(decoding: other.bytes, as: UTF8.self))
    }
    for chain in table.chains { for rule in chain.rules { try isStable(rule, table.family) } }
  }
}

// MARK: Kernel bytes

extension FuzzTarget {
  private static func rule(_ bytes: [UInt8]) throws {
    guard let first = bytes.first else { return }
    let family: Family = first & 1 == 0 ? .ipv4 : .ipv6
    var rules = RuleList(family: family)
    let entry = Array(bytes.dropFirst())
    do throws(WireError) {
      try rules.append(bytes: entry.span.bytes)
    } catch {
      guard error.offset >= 0, error.offset <= entry.count, !error.field.isEmpty, !"\(error)".isEmpty else {
        throw Finding("an error without a place: \(error)")
      }
      return
    }
    try isStable(rules[0], family)
    try canBeRead(rules[0], family)
  }

  /// Every facet answers, and what is decoded encodes as something that decodes the same.
  private static func isStable(_ rule: Rule, _ family: Family) throws {
    var bytes = ByteWriter()
    RuleCodec.encode(rule, family: family, to: &bytes)
    guard bytes.count <= RuleCodec.maxRuleSize else { return }
    let encoded = bytes.bytes
    let again: Rule
    do throws(WireError) {
      try RuleCodec.check(encoded.span.bytes, family: family)
      again = try RuleCodec.decode(encoded.span.bytes, family: family, registry: .standard)
    } catch {
      throw Finding("encoded and not decoded: \(error): \(SaveText.rule(rule, family: family))")
    }
    guard again == rule else {
      throw Finding(
        "encoded and decoded as something else: \(SaveText.rule(rule, family: family))"
          + " -> \(SaveText.rule(again, family: family))")
    }
    try revisionsAreStable(rule, family)
    for isNumeric in [true, false] {
      var out = RuleWriter(family: family, names: .wellKnown)
      out.isNumeric = isNumeric
      for match in rule.matches { match.list(to: &out) }
      if case .extension(let target) = rule.target { target.list(to: &out) }
    }
    var packet = Packet(
      source: IPAddress(family: family, bits: 0x0a00_0001), destination: IPAddress(family: family, bits: 0xc000_0201),
      proto: .tcp)
    packet.sourcePort = 1024
    packet.destinationPort = 22
    for match in rule.matches { _ = match.matches(packet) }
    if case .extension(let target) = rule.target { _ = target.act(on: &packet) }
  }

  /// What an earlier revision can say it says.
  private static func revisionsAreStable(_ rule: Rule, _ family: Family) throws {
    var parts: [any Extension] = rule.matches
    if case .extension(let target) = rule.target { parts.append(target) }
    for part in parts where !(part is OpaqueMatch || part is OpaqueTarget) {
      for revision in type(of: part).definition.revisions where revision < part.revision(for: family) {
        var out = ByteWriter()
        guard part.encode(to: &out, family: family, earlier: revision) else {
          guard out.count == 0 else { throw Finding("refused, yet written: \(part.name) \(revision)") }
          continue
        }
        let payload = out.bytes
        let isKept =
          part is any Target
          ? Registry.standard.decodeTarget(
            kernelName: part.kernelName, revision: revision, family: family, payload: payload.span.bytes)
            is OpaqueTarget
          : Registry.standard.decodeMatch(
            kernelName: part.kernelName, revision: revision, family: family, payload: payload.span.bytes)
            is OpaqueMatch
        if isKept { throw Finding("revision \(revision) of \(part.name) is written and not read: \(payload)") }
      }
    }
  }

  /// What types understand can be said in text, and reads as the same again.
  private static func canBeRead(_ rule: Rule, _ family: Family) throws {
    // The names of the kernel's own extensions are letters and digits.
    guard rule.matches.allSatisfy({ isPlain($0.name) }) else { return }
    if case .extension(let target) = rule.target, !isPlain(target.name) { return }
    guard rule.residue == HeaderResidue(), [rule.inInterface, rule.outInterface].allSatisfy(canBePrinted) else {
      return
    }
    let text = SaveText.rule(rule, family: family)
    guard !text.unicodeScalars.contains("\u{fffd}") else { return }  // bytes that are no text
    var messages: [String] = []
    for table in TableName.allCases {
      let chain = rule.target.chain.map { ":\($0.text) - [0:0]\n" } ?? ""
      let reading = RulesText.read("*\(table)\n:X - [0:0]\n\(chain)-A X\(text)\nCOMMIT\n", family: family)
      guard !reading.hasErrors else {
        messages += reading.diagnostics.filter { $0.severity == .error }.map(\.message)
        continue
      }
      guard let again = reading.ruleset[table, family]?["X"]?.rules.first else { continue }
      let second = SaveText.rule(again, family: family)
      // A rate is rounded to what can be printed, as iptables does.
      if rule.matches.contains(where: { $0 is Limit || $0 is HashLimit }) { return }
      guard second == text else { throw Finding("printed and read as something else: \(text) -> \(second)") }
      return
    }
    let others = Set(messages.filter { !isAboutPlace($0) }).sorted()
    if !others.isEmpty { throw Finding("printed and not read: \(text): \(others)") }
  }

  private static func isPlain(_ name: String) -> Bool {
    name.utf8.allSatisfy { $0 != 0x22 && $0 != 0x27 && $0 != 0x5c && $0 < 0x80 } && !name.hasPrefix("-") && name != "!"
  }

  /// A mask that is no whole name and no beginning of one has no spelling.
  private static func canBePrinted(_ interface: Negatable<InterfacePattern>?) -> Bool {
    guard let interface else { return true }
    let name = "\(interface.value)"
    return InterfacePattern(name) == interface.value && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 }
  }

  /// What the kernel would not have held: a match without its protocol, a chain that is none.
  private static func isAboutPlace(_ message: String) -> Bool {
    message.contains("cannot stand in table") || message.contains("ports need a protocol")
      || message.contains(" needs -p ") || message.contains("has to name one protocol") || message.contains("chain")
      || message.contains("on the first segments") || message.contains("the kernel cannot count a burst")
      || message.contains("only TCP ")
  }

  private static func difference(_ a: Table, _ b: Table) -> String {
    for (one, other) in zip(a.chains, b.chains) where !one.rules.sameRules(as: other.rules) || one.name != other.name {
      let place = zip(one.rules.bytes, other.rules.bytes).enumerated().first { $1.0 != $1.1 }?.offset
      return "\(one.name) \(other.name): byte \(place ?? -1) of \(one.rules.bytes.count) and \(other.rules.bytes.count)"
    }
    return describe(b)
  }

  private static func describe(_ table: Table) -> String {
    var out = SaveText(family: table.family, names: .wellKnown, showsCounters: false)
    out.print(table)
    return String(decoding: out.bytes, as: UTF8.self)
  }

  private static func image(_ bytes: [UInt8]) throws {
    guard let first = bytes.first else { return }
    let family: Family = first & 1 == 0 ? .ipv4 : .ipv6
    let name = TableName.allCases[Int(first >> 1) % TableName.allCases.count]
    let info = bytes.dropFirst().prefix(84)
    let entries = Array(bytes.dropFirst(85))
    let table: Table
    do {
      table = try info.withUnsafeBytes { info in
        try entries.withUnsafeBytes { try TableImage.read(TableID(name, family), info: info, entries: $0) }
      }
    } catch let error as WireError {
      guard error.offset >= 0, error.offset <= max(entries.count, 84), !error.field.isEmpty else {
        throw Finding("an error without a place: \(error)")
      }
      return
    }
    for chain in table.chains { for rule in chain.rules { try isStable(rule, family) } }
    let answers = TableImage.answers(for: table)
    let again: Table? = try? answers.info.withUnsafeBytes { info in
      try answers.entries.withUnsafeBytes { try TableImage.read(table.id, info: info, entries: $0) }
    }
    guard let again else { throw Finding("written and not read: \(describe(table))") }
    guard again.sameRules(as: table) else {
      throw Finding("written and read as something else: \(describe(table)) -> \(difference(table, again))")
    }
    _ = table.problems()
  }
}
