internal import CNFTables
internal import Netfilter

/// The protocol that a rule is for (`NFTA_RULE_COMPAT`). The kernel asks for it where a rule has a match or target of
/// xtables, and does not tell it; it is what the rule's expressions before those compare the protocol with.
struct RuleProtocol {
  let number: UInt32
  let isInverted: Bool

  /// nil for a rule without extensions of xtables, or for any protocol.
  init?(_ list: UnsafeRawBufferPointer, _ family: NFTFamily) {
    guard Self.usesXTables(list) else { return nil }
    var loaded: NFTRegister?
    for element in AttributeWalk(list) {
      guard let expression = try? ExpressionAttributes.read(element.data) else { continue }
      switch expression {
      case .meta(.transportProtocol, let register) where family != .bridge: loaded = register
      case .payload(.network, 9, 1, let register) where family == .ip: loaded = register
      case .payload(.network, 6, 1, let register) where family == .ip6: loaded = register
      case .payload(.link, 12, 2, let register) where family == .bridge: loaded = register
      case .meta(_, let register), .payload(_, _, _, let register), .bitwise(_, _, _, let register):
        if register == loaded { loaded = nil }
      case .compare(let comparison, let register, let data)
      where register == loaded && (comparison == .equal || comparison == .notEqual):
        guard let number = Self.number(data) else { continue }
        self.number = number
        isInverted = comparison == .notEqual
        return
      case .match, .target: return nil
      default: continue
      }
    }
    return nil
  }

  private static func usesXTables(_ list: UnsafeRawBufferPointer) -> Bool {
    AttributeWalk(list).contains { element in
      guard let name = AttributeWalk(element.data).first(where: { $0.type == UInt16(NFTA_EXPR_NAME.rawValue) })?.data
      else { return false }
      return name.spells("match") || name.spells("target")
    }
  }

  /// A protocol of IP, or one of Ethernet as it stands in packets.
  private static func number(_ data: [UInt8]) -> UInt32? {
    switch data.count {
    case 1: UInt32(data[0])
    case 2: UInt32(data.withUnsafeBytes { $0.loadUnaligned(as: UInt16.self) })
    default: nil
    }
  }

  func write(to out: inout ByteWriter) {
    out.nest(NFTA_RULE_COMPAT) { out in
      out.put(NFTA_RULE_COMPAT_PROTO, big: number)
      out.put(NFTA_RULE_COMPAT_FLAGS, big: isInverted ? UInt32(NFT_RULE_COMPAT_F_INV.rawValue) : 0)
    }
  }
}
