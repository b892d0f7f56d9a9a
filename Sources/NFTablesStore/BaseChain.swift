internal import Netfilter

/// How iptables-nft 1.8 lays a built-in chain out: the chain's type, and its place among other chains at the same hook.
struct BaseChain: Hashable {
  let type: String
  /// `NF_IP_PRI_*` (linux/netfilter_ipv4.h); both families have the same.
  let priority: Int32

  init(type: String, priority: Int32) {
    self.type = type
    self.priority = priority
  }

  init(_ table: TableName, _ hook: Hook) {
    switch table {
    case .raw: (type, priority) = ("filter", -300)
    case .mangle: (type, priority) = (hook == .output ? "route" : "filter", -150)
    case .nat: (type, priority) = ("nat", hook == .prerouting || hook == .output ? -100 : 100)
    case .filter: (type, priority) = ("filter", 0)
    case .security: (type, priority) = ("filter", 150)
    }
  }
}

extension TableName {
  /// The order in which iptables-nft-save prints tables, whichever was made first.
  static let printOrder: [TableName] = [.mangle, .security, .raw, .filter, .nat]
}
