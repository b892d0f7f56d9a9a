internal import Netfilter

/// Who wrote the chains and rules of one table. What a rule tells by itself is not always enough: the bridges of Docker
/// and the networks of libvirt are named by their other rules.
struct OwnerDirectory {
  private let table: TableName
  private let hasFirewalld: Bool
  private let chains: Set<ChainName>
  /// Names of Docker's bridges that its own chains speak of.
  private var dockerBridges: Set<InterfacePattern> = []
  /// Networks that libvirt keeps multicast of from translation.
  private var libvirtNetworks: Set<AddressMask> = []

  init(_ table: Table) {
    self.table = table.name
    chains = Set(table.chains.map(\.name))
    hasFirewalld = table.chains.contains { Self.isFirewalldAnchor($0.name.text) }
    for chain in table.chains where RuleOwner(chain: chain.name.text) == .docker {
      guard !RuleOwner.sharedChains.contains(chain.name.text) else { continue }
      for rule in chain.rules {
        for interface in [rule.inInterface, rule.outInterface] {
          if let interface { dockerBridges.insert(interface.value) }
        }
      }
    }
    guard table.name == .nat, let last = table[.postrouting] else { return }
    for rule in last.rules where rule.target == .return && rule.destination?.value == Self.multicast {
      if let source = rule.source, !source.isInverted { libvirtNetworks.insert(source.value) }
    }
  }

  private static let multicast = AddressMask("224.0.0.0/24")

  // MARK: Chains

  /// nil for a chain whose name does not tell, and for a built-in one.
  func owner(of chain: ChainName) -> RuleOwner? {
    if let owner = RuleOwner(chain: chain.text) { return owner }
    return hasFirewalld && Self.isFirewalld(chain.text) ? .firewalld : nil
  }

  private static let hookNames = ["INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"]

  /// A name that firewalld alone uses.
  private static func isFirewalldAnchor(_ name: String) -> Bool {
    hookNames.contains { hook in
      guard name.hasPrefix(hook + "_") else { return false }
      let rest = name.dropFirst(hook.count + 1)
      return ["direct", "ZONES", "IN_ZONES", "OUT_ZONES"].contains(String(rest))
    }
  }

  private static func isFirewalld(_ name: String) -> Bool {
    if hookNames.contains(where: { hook in
      name.hasPrefix(hook + "_")
        && ["direct", "ZONES", "POLICIES"].contains { name.dropFirst(hook.count + 1).contains($0) }
    }) {
      return true
    }
    return ["IN_", "OUT_", "FWD_", "FWDI_", "FWDO_", "PRE_", "POST_"].contains { name.hasPrefix($0) }
  }

  // MARK: Rules

  /// Whether ``owner(of:in:)`` can know the rule: a look at its bytes, which saves decoding most rules of a large chain.
  func mayKnow(_ index: Int, of rules: RuleList) -> Bool {
    table == .nat || rules.namesInterface(at: index) || rules.jumpsOrHolds(at: index) { $0 == Self.commentKey }
  }

  private static let commentKey = RuleList.nameKey("comment")

  /// Whose a rule is that stands in a built-in chain or in one that is nobody's.
  func owner(of rule: Rule, in chain: ChainName) -> RuleOwner? {
    if let target = rule.target.chain, let owner = owner(of: target) { return owner }
    for case let comment as Comment in rule.matches {
      if let owner = RuleOwner(comment: comment.text) { return owner }
    }
    if RuleOwner.sharedChains.contains(chain.text), rule.isBareReturn { return owner(of: chain) }
    if isDocker(rule, in: chain) { return .docker }
    return isLibvirt(rule, in: chain) ? .libvirt : nil
  }
}

// MARK: Docker

extension OwnerDirectory {
  private func isDockerBridge(_ interface: Negatable<InterfacePattern>?) -> Bool {
    guard let interface else { return false }
    let name = interface.value.description
    if name == "docker0" || name == "docker_gwbridge" || dockerBridges.contains(interface.value) { return true }
    return name.hasPrefix("br-") && name.utf8.count == 15
      && name.utf8.dropFirst(3).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  /// The rules that Docker puts outside its own chains: for its bridges in FORWARD (until version 27), masquerading, and
  /// what keeps others from containers' addresses (since version 28).
  private func isDocker(_ rule: Rule, in chain: ChainName) -> Bool {
    switch (table, chain) {
    case (.filter, .forward):
      let isPlain = rule.source == nil && rule.destination == nil && rule.proto == nil
      let isState = rule.matches.allSatisfy { $0 is Conntrack }
      guard isPlain, isState, rule.target == .accept || rule.target == .drop else { return false }
      return isDockerBridge(rule.inInterface) || isDockerBridge(rule.outInterface)
    case (.nat, .postrouting):
      guard rule.translatesSource else { return false }
      if isDockerBridge(rule.outInterface) {
        return rule.outInterface?.isInverted == true ? rule.source != nil : rule.matches.contains { $0 is AddrType }
      }
      // A container that reaches its own published port.
      return chains.contains("DOCKER") && rule.proto != nil && rule.source != nil && rule.source == rule.destination
        && rule.outInterface == nil
    case (.raw, .prerouting):
      return rule.target == .drop && rule.destination != nil && rule.inInterface?.isInverted == true
        && isDockerBridge(rule.inInterface)
    default: return false
    }
  }
}

// MARK: libvirt

extension OwnerDirectory {
  private func isVirtualBridge(_ interface: Negatable<InterfacePattern>?) -> Bool {
    guard let name = interface?.value.description, name.hasPrefix("virbr") else { return false }
    return name.utf8.count > 5 && name.utf8.dropFirst(5).allSatisfy { (0x30...0x39).contains($0) }
  }

  /// What libvirt before version 5.1, which had no chains of its own, puts into built-in ones for each network: DNS and
  /// DHCP, forwarding to and from the bridge, masquerading.
  private func isLibvirt(_ rule: Rule, in chain: ChainName) -> Bool {
    switch (table, chain) {
    case (.filter, .input):
      isVirtualBridge(rule.inInterface) && rule.target == .accept && rule.asks(for: [53, 67, 547])
    case (.filter, .output):
      isVirtualBridge(rule.outInterface) && rule.target == .accept && rule.asks(for: [53, 68, 546])
    case (.filter, .forward):
      rule.proto == nil && (isVirtualBridge(rule.inInterface) || isVirtualBridge(rule.outInterface))
        && rule.matches.allSatisfy { $0 is Conntrack || $0 is State }
    case (.mangle, .postrouting): isVirtualBridge(rule.outInterface) && rule.asks(for: [68])
    case (.nat, .postrouting):
      rule.source.map { !$0.isInverted && libvirtNetworks.contains($0.value) } ?? false
        && (rule.target == .return || rule.translatesSource)
    default: false
    }
  }
}

extension Rule {
  fileprivate var translatesSource: Bool {
    guard case .extension(let target) = target else { return false }
    return target is Masquerade || target is SourceNAT
  }

  /// Whether it is for one of these destination ports alone.
  fileprivate func asks(for ports: Set<UInt16>) -> Bool {
    guard matches.count == 1 else { return false }
    switch matches[0] {
    case let tcp as TCP:
      guard let asked = tcp.destinationPorts, !asked.isInverted else { return false }
      return asked.value.first == asked.value.last && ports.contains(asked.value.first)
    case let udp as UDP:
      guard let asked = udp.destinationPorts, !asked.isInverted else { return false }
      return asked.value.first == asked.value.last && ports.contains(asked.value.first)
    default: return false
    }
  }
}
