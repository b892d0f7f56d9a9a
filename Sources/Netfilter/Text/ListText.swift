/// Lists a table in columns, byte for byte as `iptables -L` of iptables(8) does.
package struct ListText {
  private var out: RuleWriter
  private let display: Command.Display
  private let interface: KernelInterface

  /// - Parameter interface: where the rules are. In nf_tables `-i +` is no condition, and listed as none.
  package init(family: Family, names: Names, display: Command.Display, for interface: KernelInterface = .ipTables) {
    self.interface = interface
    out = RuleWriter(family: family, names: names)
    out.isNumeric = display.isNumeric
    self.display = display
  }

  package var bytes: [UInt8] { out.text.bytes }

  /// A chain's heading and rules; with `number` that rule alone, without heading.
  /// - Parameter references: how many rules lead to a user chain.
  package mutating func print(_ chain: Chain, references: Int, number: Int? = nil) {
    guard number == nil else {
      if let number, chain.rules.indices.contains(number - 1) { print(chain.rules[number - 1], number: number) }
      return
    }
    printHeading(chain, references)
    for index in chain.rules.indices { print(chain.rules[index], number: index + 1) }
  }

  /// The blank line between chains.
  package mutating func separate() { out.text.write("\n") }

  private var showsCounters: Bool { display.verbosity > 0 }

  private mutating func printHeading(_ chain: Chain, _ references: Int) {
    out.text.write("Chain ")
    out.text.write(chain.name.text)
    if let policy = chain.policy {
      out.text.write(" (policy ")
      out.text.write(policy.verdict.label)
      if showsCounters {
        out.text.write(" ")
        count(chain.policyCounters.packets, width: 0)
        out.text.write(" packets, ")
        count(chain.policyCounters.bytes, width: 0)
        out.text.write(" bytes")
      }
      out.text.write(")\n")
    } else {
      out.text.write(" (")
      out.text.write(references)
      out.text.write(" references)\n")
    }
    if display.showsNumbers { out.text.write("num  ") }
    if showsCounters { out.text.write(display.isExact ? "    pkts      bytes " : " pkts bytes ") }
    out.text.write("target     prot opt")
    if showsCounters { out.text.write(" in     out    ") }
    out.text.write(" source               destination         \n")
  }

  /// A number of packets or bytes, in thousands and more unless exact, in at least `width` columns.
  private mutating func count(_ value: UInt64, width: Int) {
    guard !display.isExact, value > 99_999 else { return number(value, width: width) }
    var shown = value
    for unit in ["K", "M", "G", "T"] {
      shown = shown / 1000 + (shown % 1000 >= 500 ? 1 : 0)
      guard shown > 9_999, unit != "T" else {
        number(shown, width: width - 1)
        out.text.write(unit)
        return
      }
    }
  }

  private mutating func number(_ value: UInt64, width: Int) {
    pad("\(value)", width: -width)
  }

  /// To the left in a column, or to the right where `width` is negative.
  private mutating func pad(_ text: String, width: Int) {
    let blanks = max(0, abs(width) - text.utf8.count)
    if width < 0 { for _ in 0..<blanks { out.text.write(" ") } }
    out.text.write(text)
    if width > 0 { for _ in 0..<blanks { out.text.write(" ") } }
  }

  private mutating func print(_ rule: Rule, number: Int) {
    if display.showsNumbers {
      pad("\(number)", width: 4)
      out.text.write(" ")
    }
    if showsCounters {
      count(rule.counters.packets, width: display.isExact ? 8 : 5)
      out.text.write(" ")
      count(rule.counters.bytes, width: display.isExact ? 8 : 5)
      out.text.write(" ")
    }
    pad(rule.target.listedName, width: 9)
    out.text.write(rule.proto?.isInverted == true ? " !" : "  ")
    pad(listedProtocol(rule), width: 4)
    out.text.write(" ")
    printFragment(rule)
    if showsCounters {
      out.text.write(" ")
      pad(interface(rule.inInterface), width: 6)
      out.text.write(" ")
      pad(interface(rule.outInterface), width: 6)
      out.text.write(" ")
    }
    out.text.write(rule.source?.isInverted == true ? "!" : " ")
    pad(address(rule.source), width: 19)
    out.text.write(rule.destination?.isInverted == true ? " !" : "  ")
    pad(address(rule.destination), width: 19)
    out.text.write(" ")
    if case .goto = rule.target { out.text.write("[goto] ") }
    printExtensions(rule)
    out.text.write("\n")
  }

  /// One line for a rule that a command with `-v` adds, deletes or finds: no columns, numbers for addresses.
  package mutating func printCommandRule(_ rule: Rule) {
    out.isNumeric = true
    out.text.write(rule.target.listedName)
    out.text.write(rule.proto?.isInverted == true ? " !" : "  ")
    let proto = rule.proto?.value ?? IPProtocol(rawValue: 0)
    out.text.write(
      IPProtocol.wellKnown.first { $0.number == proto.rawValue }.map { "\($0.name)" } ?? "\(proto.rawValue)")
    out.text.write(" opt ")
    printFragment(rule)
    out.text.write("in ")
    out.text.write(interface(rule.inInterface))
    out.text.write(" out ")
    out.text.write(interface(rule.outInterface))
    out.text.write(rule.source?.isInverted == true ? " !" : "  ")
    out.text.write(address(rule.source))
    out.text.write(rule.destination?.isInverted == true ? " !-> " : "  -> ")
    out.text.write(address(rule.destination))
    out.text.write("  ")
    if case .goto = rule.target { out.text.write("[goto] ") }
    printExtensions(rule)
    out.text.write("\n")
    out.isNumeric = display.isNumeric
  }

  private mutating func printExtensions(_ rule: Rule) {
    out.proto = rule.proto?.value
    for match in rule.matches { match.list(to: &out) }
    if case .extension(let target) = rule.target { target.list(to: &out) }
  }

  private mutating func printFragment(_ rule: Rule) {
    out.text.write(rule.fragment?.isInverted == true ? "!" : "-")
    out.text.write(rule.fragment != nil ? "f " : "- ")
  }

  private func listedProtocol(_ rule: Rule) -> String {
    let proto = rule.proto?.value ?? IPProtocol(rawValue: 0)
    guard !out.isNumeric else { return "\(proto.rawValue)" }
    if let known = IPProtocol.wellKnown.first(where: { $0.number == proto.rawValue }) { return "\(known.name)" }
    return out.names.protocolName(proto.rawValue) ?? "\(proto.rawValue)"
  }

  private func interface(_ pattern: Negatable<InterfacePattern>?) -> String {
    let any = out.isNumeric ? "*" : "any"
    guard let pattern else { return any }
    let saysNothing = interface == .nfTables && pattern.value.mask == 0 && !pattern.isInverted
    let name = saysNothing || pattern.value.nameBytes.isEmpty ? any : "\(pattern.value)"
    return pattern.isInverted ? "!\(name)" : name
  }

  private func address(_ condition: Negatable<AddressMask>?) -> String {
    let network = condition?.value ?? .any(out.family)
    if !out.isNumeric, out.family == .ipv4 ? network.mask == 0 : network.address.bits == 0 { return "anywhere" }
    let address = out.isNumeric ? nil : out.names.reverse.host(network.address)
    return (address ?? "\(network.address)") + mask(network)
  }

  private func mask(_ network: AddressMask) -> String {
    guard let length = network.prefixLength else {
      return "/\(IPAddress(family: out.family, bits: network.mask))"
    }
    return length == out.family.addressBits ? "" : "/\(length)"
  }
}

extension RuleTarget {
  /// The name in the target column: the chain, the verdict, or the kernel's name of the target.
  fileprivate var listedName: String {
    switch self {
    case .none: ""
    case .verdict(let verdict): "\(verdict.label)"
    case .jump(let chain), .goto(let chain): chain.text
    case .extension(let target): target.kernelName
    }
  }
}

extension Table {
  /// How many rules lead to each user chain.
  package var references: [ChainName: Int] {
    var counts: [ChainName: Int] = [:]
    for chain in chains {
      for index in chain.rules.indices {
        if case .chain(let name) = chain.rules.standardLabel(of: index) { counts[name, default: 0] += 1 }
      }
    }
    return counts
  }
}

/// Prints a table's chains and rules as commands, as `iptables -S` does.
package struct RuleCommandsText {
  private var out: RuleWriter
  private let showsCounters: Bool

  package init(family: Family, names: Names, showsCounters: Bool) {
    out = RuleWriter(family: family, names: names)
    self.showsCounters = showsCounters
  }

  package var bytes: [UInt8] { out.text.bytes }

  /// `-P INPUT DROP` or `-N name`.
  package mutating func printHead(_ chain: Chain) {
    guard let policy = chain.policy else {
      out.text.write("-N ")
      out.text.write(chain.name.text)
      out.text.write("\n")
      return
    }
    out.text.write("-P ")
    out.text.write(chain.name.text)
    out.word(policy.verdict.label)
    if showsCounters { print(chain.policyCounters) }
    out.text.write("\n")
  }

  /// `-A CHAIN …` for each rule, or for the rule of one number.
  package mutating func printRules(_ chain: Chain, number: Int? = nil) {
    let prefix = "-A \(chain.name.text)"
    for index in chain.rules.indices where number == nil || index + 1 == number {
      let rule = chain.rules[index]
      out.text.write(prefix)
      out.printConditions(of: rule)
      if showsCounters { print(rule.counters) }
      out.printTarget(of: rule)
      out.text.write("\n")
    }
  }

  private mutating func print(_ counters: Counters) {
    out.option("-c")
    out.number(counters.packets)
    out.number(counters.bytes)
  }
}
