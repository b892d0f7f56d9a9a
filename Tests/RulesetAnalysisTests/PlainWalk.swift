import Netfilter
import RulesetAnalysis

/// The walk rule by rule, as it stands in the kernel's source and without anything that makes it fast: what the
/// simulator's answers are held against. A place is a number in one list of all chains, as it is an offset there.
struct PlainWalk {
  private struct Entry {
    let place: RulePlace
    let rule: Rule
  }

  private let table: Table
  private var entries: [Entry?] = []
  /// Where each chain begins; behind its rules stands nil for its end.
  private var heads: [ChainName: Int] = [:]

  init(_ table: Table) {
    self.table = table
    for (index, chain) in table.chains.enumerated() {
      heads[chain.name] = entries.count
      for (number, rule) in chain.rules.enumerated() {
        entries.append(Entry(place: RulePlace(chain: index, rule: number), rule: rule))
      }
      entries.append(nil)
    }
  }

  func decide(_ packet: Packet, at hook: Hook) -> Decision {
    var packet = packet
    packet.hook = hook
    var decision = Decision()
    let start = table.chains.firstIndex { $0.hook == hook }!
    let policy = table.chains[start].policy!
    var stack: [Int] = []
    var place = heads[hook.chainName]!
    while true {
      guard let entry = entries[place] else {
        guard let back = stack.popLast() else {
          decision.verdict = policy == .accept ? .accept : .drop
          decision.by = .policy(chain: start)
          return decision
        }
        place = back + 1
        continue
      }
      var open = 0
      guard let isMatch = answer(entry, packet, &decision, &open) else {
        (decision.verdict, decision.by) = (.drop, .header)
        return decision
      }
      guard isMatch else {
        place += 1
        continue
      }
      if open == 0 { decision.trace.append(entry.place) }
      switch entry.rule.target {
      case .none: place += 1
      case .verdict(.return) where open == 0:
        place = stack.popLast().map { $0 + 1 } ?? heads[hook.chainName]! + table.chains[start].rules.count
      case .jump(let name) where open == 0:
        stack.append(place)
        place = heads[name]!
      case .goto(let name) where open == 0: place = heads[name]!
      case .verdict(.accept) where open == 0:
        (decision.verdict, decision.by) = (.accept, .rule(entry.place))
        return decision
      case .verdict(.drop) where open == 0:
        (decision.verdict, decision.by) = (.drop, .rule(entry.place))
        return decision
      case .extension(let target):
        var changed = packet
        switch (target.act(on: &changed), open == 0) {
        case (.proceed, true): packet = changed
        case (.proceed, false):
          // What the tests' targets change is the mark.
          if changed.mark != packet.mark { packet.mark = nil }
        case (.accept, true): (decision.verdict, decision.by) = (.accept, .rule(entry.place))
        case (.drop, true): (decision.verdict, decision.by) = (.drop, .rule(entry.place))
        case (.reject, true): (decision.verdict, decision.by) = (.reject, .rule(entry.place))
        default: return decision
        }
        if decision.by != nil { return decision }
        place += 1
      default: return decision
      }
    }
  }

  /// nil where the packet is dropped on the spot; `open` counts the matches without an answer.
  private func answer(_ entry: Entry, _ packet: Packet, _ decision: inout Decision, _ open: inout Int) -> Bool? {
    let rule = entry.rule
    func holds<Value>(_ condition: Negatable<Value>?, _ test: (Value) -> Bool) -> Bool {
      condition.map { test($0.value) != $0.isInverted } ?? true
    }
    guard holds(rule.source, { $0.contains(packet.source) }),
      holds(rule.destination, { $0.contains(packet.destination) }),
      holds(rule.inInterface, { $0.matches(packet.inInterface) }),
      holds(rule.outInterface, { $0.matches(packet.outInterface) })
    else { return false }
    if let proto = rule.proto {
      let isSame = proto.value == packet.proto
      switch packet.family {
      case .ipv4: if proto.value.rawValue != 0, isSame == proto.isInverted { return false }
      case .ipv6:
        if packet.isLaterFragment, [0, 43, 44, 51, 60].contains(packet.proto.rawValue) { return nil }
        if isSame, proto.isInverted { return false }
        if !isSame, proto.value.rawValue != 0, !proto.isInverted { return false }
      }
    }
    guard holds(rule.fragment, { _ in packet.isLaterFragment }) else { return false }
    let answers = rule.matches.map { $0.matches(packet) }
    if answers.contains(.no) { return false }
    open = answers.count { $0 != .yes }
    return true
  }
}
