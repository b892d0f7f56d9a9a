/// What is wrong with a table as a whole, before any kernel sees it.
public struct TableProblem: Error, Hashable, Sendable {
  public let table: TableName
  public let family: Family
  public let chain: ChainName
  /// From 1.
  public let ruleNumber: Int
  /// Where the rule was written, where that is known.
  public let position: SourcePosition?
  /// The word of the rule that is at fault: the name of a chain, a match or a target.
  public let word: String
  public let message: String
  public let hint: String?
}

extension Table {
  /// Jumps to chains that are not there, loops, and extensions that a packet can reach from a hook or in a table where
  /// the kernel refuses them, or that stand in rules that it refuses with them. The kernel would refuse each with nothing
  /// but EINVAL or ELOOP.
  /// - Parameter interface: by which the kernel gets the table. What nf_tables refuses ip_tables refuses too.
  public func problems(for interface: KernelInterface = .ipTables, registry: Registry = .standard) -> [TableProblem] {
    var graph = JumpGraph(self, interface, registry)
    var found = graph.missing
    found += graph.loops()
    guard found.isEmpty else { return found }
    found = graph.objections
    let reached = graph.hooksReaching()
    for (index, chain) in chains.enumerated() {
      for (place, rule) in graph.restricted[index] {
        for part in rule {
          if let problem = placeProblem(part, chain, place, reached[index], interface) { found.append(problem) }
        }
      }
    }
    return found
  }

  private func placeProblem(
    _ part: any Extension, _ chain: Chain, _ place: Int, _ reached: HookSet, _ interface: KernelInterface
  ) -> TableProblem? {
    let definition = type(of: part).definition
    if interface.limitsTables(of: definition), let tables = part.tables, !tables.contains(name) {
      let options = tables == definition.tables ? "" : " with these options"
      return problem(
        chain, place, definition.name, "\(definition.name)\(options) cannot stand in table \(name)",
        hint: "it belongs to table \(tables.sorted().map(\.rawValue).joined(separator: " or "))")
    }
    let wrong = interface.refusedHooks(of: part, in: chain, reachedFrom: reached)
    guard !wrong.isEmpty else { return nil }
    let hooks = wrong.hooks.map(\.chainName.text).joined(separator: ", ")
    let allowed = part.hooks.hooks.map(\.chainName.text).joined(separator: ", ")
    let options = part.hooks == definition.hooks ? "" : " with these options"
    let path = chain.hook == nil ? "packets reach chain \(chain.name) from \(hooks): " : ""
    return problem(
      chain, place, definition.name, "\(path)\(definition.name)\(options) cannot be used in \(hooks)",
      hint: "it may be reached from \(allowed) only")
  }

  fileprivate func problem(
    _ chain: Chain, _ place: Int, _ word: String, _ message: String, hint: String? = nil
  ) -> TableProblem {
    TableProblem(
      table: name, family: family, chain: chain.name, ruleNumber: place + 1, position: chain.rules.position(of: place),
      word: word, message: message, hint: hint)
  }
}

/// Which chain leads to which, and where extensions stand that not every hook may reach.
private struct JumpGraph {
  let table: Table
  let interface: KernelInterface
  /// For each chain: where its jumps stand and where they lead.
  var jumps: [[(rule: Int, chain: Int)]]
  var missing: [TableProblem] = []
  /// Rules that their own extensions do not stand in.
  var objections: [TableProblem] = []
  /// For each chain: rules with extensions that are restricted to tables or hooks.
  var restricted: [[(rule: Int, parts: [any Extension])]]

  init(_ table: Table, _ interface: KernelInterface, _ registry: Registry) {
    self.table = table
    self.interface = interface
    var restrictions = Restrictions(registry: registry)
    jumps = Array(repeating: [], count: table.chains.count)
    restricted = Array(repeating: [], count: table.chains.count)
    for (index, chain) in table.chains.enumerated() {
      for place in chain.rules.indicesOfJumpsAndHolders({ restrictions.contain($0) }) {
        note(chain.rules.rule(at: place, registry: registry), chain, index, place)
      }
    }
  }

  private mutating func note(_ rule: Rule, _ chain: Chain, _ index: Int, _ place: Int) {
    var parts: [any Extension] = []
    for match in rule.matches where type(of: match).definition.isRestricted { parts.append(match) }
    if case .extension(let target) = rule.target, type(of: target).definition.isRestricted { parts.append(target) }
    if !parts.isEmpty { restricted[index].append((place, parts)) }
    for part in parts where interface.showsRules && type(of: part).definition.checksRule {
      guard let objection = part.objection(to: rule) else { continue }
      objections.append(
        table.problem(chain, place, type(of: part).definition.name, objection.message, hint: objection.hint))
    }
    guard let name = rule.target.chain else { return }
    if let target = table.index(of: name) {
      jumps[index].append((place, target))
    } else {
      missing.append(table.problem(chain, place, name.text, "there is no chain '\(name)' in table \(table.name)"))
    }
  }

  /// A problem for each jump that closes a loop. The walk keeps its own stack, so a long chain of jumps is no danger.
  mutating func loops() -> [TableProblem] {
    enum Colour { case white, grey, black }
    var colour = [Colour](repeating: .white, count: jumps.count)
    var found: [TableProblem] = []
    for start in jumps.indices where table.chains[start].hook != nil && colour[start] == .white {
      var stack = [(chain: start, next: 0)]
      colour[start] = .grey
      while let (chain, next) = stack.last {
        guard next < jumps[chain].count else {
          colour[chain] = .black
          stack.removeLast()
          continue
        }
        stack[stack.count - 1].next += 1
        let jump = jumps[chain][next]
        switch colour[jump.chain] {
        case .white:
          colour[jump.chain] = .grey
          stack.append((jump.chain, 0))
        case .grey:
          let from = stack.firstIndex { $0.chain == jump.chain }!
          let path = (stack[from...].map(\.chain) + [jump.chain]).map { table.chains[$0].name.text }
          found.append(
            table.problem(
              table.chains[chain], jump.rule, table.chains[jump.chain].name.text,
              "the jump closes a loop: \(path.joined(separator: " -> "))"))
        case .black: break
        }
      }
    }
    return found
  }

  /// For each chain the hooks from which a packet can come to it.
  func hooksReaching() -> [HookSet] {
    var reached = table.chains.map { chain in chain.hook.map { HookSet($0) } ?? [] }
    var work = Array(reached.indices.filter { !reached[$0].isEmpty })
    while let chain = work.popLast() {
      for jump in jumps[chain] where !reached[jump.chain].isSuperset(of: reached[chain]) {
        reached[jump.chain].formUnion(reached[chain])
        work.append(jump.chain)
      }
    }
    return reached
  }
}

/// Which extensions are restricted, asked by the beginning of their kernel names. The answers are kept: a table holds few
/// extensions, and the definitions of all others are not made.
private struct Restrictions {
  let registry: Registry
  private var answers: [(key: UInt64, isRestricted: Bool)] = []

  init(registry: Registry) { self.registry = registry }

  mutating func contain(_ key: UInt64) -> Bool {
    for index in 0..<answers.count where answers[index].key == key { return answers[index].isRestricted }
    let isRestricted = registry.definitions(beginning: key).contains { $0.isRestricted }
    answers.append((key, isRestricted))
    return isRestricted
  }
}

extension ExtensionDefinition {
  fileprivate var isRestricted: Bool { tables != nil || hooks != .all || narrowsHooks || checksRule }
}
