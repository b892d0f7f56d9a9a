internal import Firebreak

/// Lays a table out in columns, or as JSON.
struct ListRenderer {
  private let isVerbose: Bool
  private let isNumbered: Bool
  private let onlyChain: String?

  init(_ command: List) {
    isVerbose = command.verbose
    isNumbered = command.lineNumbers
    onlyChain = command.chain
  }

  private func chains(_ table: Table) -> [Chain] {
    table.chains.filter { onlyChain == nil || $0.name.text == onlyChain }
  }

  func text(_ table: Table) -> String {
    var text = "\(table.family) table \(table.name)\n"
    for chain in chains(table) {
      text += "\n\(heading(chain))\n"
      let rows = chain.rules.indices.map { row(chain.rules[$0], number: $0 + 1, chain.family) }
      if !rows.isEmpty { text += columns([titles] + rows) }
    }
    return text + "\n"
  }

  private func heading(_ chain: Chain) -> String {
    guard let policy = chain.policy else { return "Chain \(chain.name)" }
    let counters = chain.policyCounters
    let seen = isVerbose ? " \(counters.packets) packets, \(counters.bytes) bytes" : ""
    return "Chain \(chain.name) (policy \(policy.verdict.label)\(seen))"
  }

  private var titles: [String] {
    var titles = isNumbered ? ["num"] : []
    if isVerbose { titles += ["packets", "bytes"] }
    titles += ["target", "prot"]
    if isVerbose { titles += ["in", "out"] }
    return titles + ["source", "destination", ""]
  }

  private func row(_ rule: Rule, number: Int, _ family: Family) -> [String] {
    var row = isNumbered ? ["\(number)"] : []
    if isVerbose { row += ["\(rule.counters.packets)", "\(rule.counters.bytes)"] }
    row += [
      rule.targetName,
      rule.proto.map { mark($0) { $0.rawValue == 0 ? "all" : Names.system.displayName(of: $0) } } ?? "all",
    ]
    if isVerbose {
      row += [
        rule.inInterface.map { mark($0) { "\($0)" } } ?? "any", rule.outInterface.map { mark($0) { "\($0)" } } ?? "any",
      ]
    }
    row += [
      rule.source.map { mark($0, address) } ?? "anywhere", rule.destination.map { mark($0, address) } ?? "anywhere",
    ]
    var rest = rule
    (rest.source, rest.destination, rest.proto) = (nil, nil, nil)
    if isVerbose { (rest.inInterface, rest.outInterface) = (nil, nil) }
    switch rest.target {
    case .extension: break
    default: rest.target = .none
    }
    return row + [String(SaveText.rule(rest, family: family, names: .system).drop { $0 == " " })]
  }

  private func mark<T>(_ condition: Negatable<T>, _ text: (T) -> String) -> String {
    (condition.isInverted ? "!" : "") + text(condition.value)
  }

  private func address(_ network: AddressMask) -> String {
    network.prefixLength == network.address.family.addressBits ? "\(network.address)" : "\(network)"
  }

  /// Left-aligned columns, two blanks between.
  func json(_ table: Table) -> JSON {
    .object([
      ("family", .number(table.family == .ipv4 ? 4 : 6)), ("table", .string(table.name.rawValue)),
      ("chains", .array(chains(table).map(json))),
    ])
  }

  private func json(_ chain: Chain) -> JSON {
    .object([
      ("chain", .string(chain.name.text)),
      ("policy", chain.policy.map { .string("\($0.verdict.label)") } ?? .null),
      ("packets", .number(Int(clamping: chain.policyCounters.packets))),
      ("bytes", .number(Int(clamping: chain.policyCounters.bytes))),
      (
        "rules",
        .array(
          chain.rules.indices.map { index in
            let rule = chain.rules[index]
            return .object([
              ("number", .number(index + 1)), ("packets", .number(Int(clamping: rule.counters.packets))),
              ("bytes", .number(Int(clamping: rule.counters.bytes))), ("target", .string(rule.targetName)),
              ("rule", .string("-A \(chain.name)" + SaveText.rule(rule, family: chain.family, names: .system))),
            ])
          })
      ),
    ])
  }
}

extension Rule {
  fileprivate var targetName: String {
    switch target {
    case .none: "-"
    case .verdict(let verdict): "\(verdict.label)"
    case .jump(let chain): chain.text
    case .goto(let chain): "\(chain) (goto)"
    case .extension(let target): target.name
    }
  }
}

/// Rows as columns, each as wide as its widest cell; the first row is the titles.
func columns(_ rows: [[String]]) -> String {
  let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
  var text = ""
  for row in rows {
    var line = ""
    for (cell, width) in zip(row, widths) { line += cell + String(repeating: " ", count: width - cell.count + 2) }
    while line.last == " " { line.removeLast() }
    text += line + "\n"
  }
  return text
}
