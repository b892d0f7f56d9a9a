/// Prints rules as iptables-save does, byte for byte, so that iptables-restore and every tool around it reads them.
public struct SaveText: Sendable {
  private var out: RuleWriter
  private let registry: Registry
  private let showsCounters: Bool

  /// - Parameter showsCounters: print `[packets:bytes]` before each rule, as `iptables-save -c`; policies have theirs always.
  public init(family: Family, names: Names = .wellKnown, registry: Registry = .standard, showsCounters: Bool = false) {
    out = RuleWriter(family: family, names: names)
    self.registry = registry
    self.showsCounters = showsCounters
  }

  public var bytes: [UInt8] { out.text.bytes }
  public var string: String { out.text.string }

  public mutating func removeAll() { out.text.removeAll() }

  /// Tables with fewer rules are printed in one piece.
  private static let splitRules = 2000

  /// `*filter` to `COMMIT`.
  public mutating func print(_ table: Table) {
    printHead(table)
    printRules(of: table, 0..<table.ruleCount)
    out.text.write("COMMIT\n")
  }

  /// The same as pieces to write one behind the other, of which two are made at once where the table is large.
  public static func pieces(
    _ table: Table, names: Names, showsCounters: Bool, together: Together
  ) -> [[UInt8]] {
    var first = SaveText(family: table.family, names: names, showsCounters: showsCounters)
    let count = table.ruleCount
    guard count >= splitRules else {
      first.print(table)
      return [first.bytes]
    }
    var second = first
    together(
      {
        first.printHead(table)
        first.printRules(of: table, 0..<count / 2)
      },
      {
        second.printRules(of: table, count / 2..<count)
        second.out.text.write("COMMIT\n")
      })
    return [first.bytes, second.bytes]
  }

  private mutating func printHead(_ table: Table) {
    out.text.write("*")
    out.text.write(table.name.rawValue)
    out.text.write("\n")
    for chain in table.chains {
      out.text.write(":")
      out.text.write(chain.name.text)
      out.text.write(chain.policy.map { $0 == .accept ? " ACCEPT " : " DROP " } ?? " - ")
      out.text.write(chain.policyCounters)
      out.text.write("\n")
    }
  }

  /// The `-A` lines of some rules, counted over all chains.
  private mutating func printRules(of table: Table, _ part: Range<Int>) {
    var before = 0
    for chain in table.chains {
      let range = part.clamped(to: before..<before + chain.rules.count)
      if !range.isEmpty { print(chain.rules, range.lowerBound - before..<range.upperBound - before, of: chain.name) }
      before += chain.rules.count
    }
  }

  private mutating func print(_ rules: RuleList, _ range: Range<Int>, of chain: ChainName) {
    let prefix = "-A \(chain.text)"
    out.text.reserve(out.text.bytes.count + range.count * 40)
    for index in range {
      if showsCounters {
        out.text.write(rules.counters(of: index))
        out.text.write(" ")
      }
      out.text.write(prefix)
      out.print(rules.rule(at: index, registry: registry))
      out.text.write("\n")
    }
  }

  /// One rule without its chain: what stands behind `-A CHAIN`, with a blank first.
  public static func rule(_ rule: Rule, family: Family, names: Names = .wellKnown) -> String {
    var out = RuleWriter(family: family, names: names)
    out.print(rule)
    return out.text.string
  }
}

extension RuleWriter {
  /// Conditions, matches and target of a rule, each after a blank.
  package mutating func print(_ rule: Rule) {
    printConditions(of: rule)
    printTarget(of: rule)
  }

  package mutating func printConditions(of rule: Rule) {
    if let source = rule.source { address("-s", source) }
    if let destination = rule.destination { address("-d", destination) }
    if let interface = rule.inInterface { self.interface("-i", interface) }
    if let interface = rule.outInterface { self.interface("-o", interface) }
    if let proto = rule.proto, proto.value.rawValue != 0 {
      option("-p", inverted: proto.isInverted)
      printProtocol(proto.value)
    }
    if let fragment = rule.fragment { option("-f", inverted: fragment.isInverted) }
    for match in rule.matches {
      option("-m")
      word(match.name)
      match.print(to: &self)
    }
  }

  package mutating func printTarget(of rule: Rule) {
    switch rule.target {
    case .none: break
    case .verdict(let verdict):
      option("-j")
      word(verdict.label)
    case .jump(let chain):
      option("-j")
      word(chain.text)
    case .goto(let chain):
      option("-g")
      word(chain.text)
    case .extension(let target):
      option("-j")
      word(target.name)
      target.print(to: &self)
    }
  }

  private mutating func address(_ name: StaticString, _ network: Negatable<AddressMask>) {
    option(name, inverted: network.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(network.value)
  }

  /// Nothing for `-i +`, which is any interface; `! -i +`, which is none, is said.
  private mutating func interface(_ name: StaticString, _ pattern: Negatable<InterfacePattern>) {
    guard pattern.value.mask != 0 || pattern.isInverted else { return }
    option(name, inverted: pattern.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(pattern.value.nameBytes)
  }

  private mutating func printProtocol(_ proto: IPProtocol) {
    if let known = IPProtocol.wellKnown.first(where: { $0.number == proto.rawValue }) {
      word(known.name)
    } else if let name = names.protocolName(proto.rawValue) {
      word(name)
    } else {
      number(proto.rawValue)
    }
  }
}
