internal import Netfilter

/// How deep chains call each other. nf_tables has no room for more than 16 chains on the way, counting the built-in one
/// (`NFT_JUMP_STACK_SIZE`); it says so when a transaction ends, and a trial has no end.
enum CallDepth {
  static let limit = 16

  /// The first rule found that leads deeper.
  static func firstTooDeep(in table: Table, limit: Int = limit) -> (chain: Chain, rule: Int)? {
    var deepest: [ChainName: Int] = [:]
    var pending = table.chains.filter { $0.hook != nil }.map { ($0, 1) }
    // Each chain is looked at once for each greater depth at which it is met, and no depth passes the limit.
    while let (chain, depth) = pending.popLast() {
      guard deepest[chain.name] ?? 0 < depth else { continue }
      deepest[chain.name] = depth
      for index in chain.rules.indices {
        guard case .chain(let name) = chain.rules.standardLabel(of: index), let next = table[name] else { continue }
        if depth == limit { return (chain, index) }
        pending.append((next, depth + 1))
      }
    }
    return nil
  }
}
