internal import CNFTables
internal import Netfilter

/// REJECT in the words of nf_tables (`enum nft_reject_attributes`). The structure of xtables is taken in a table called
/// `filter` alone.
struct NativeReject {
  private let isReset: Bool
  /// `ICMP_*` or `ICMPV6_*`
  private let code: UInt8

  /// xtables' number of an answer and the code in the message; the resets have none.
  private static func codes(_ family: Family) -> [(number: UInt32, code: UInt8)] {
    family == .ipv4
      ? [(0, 0), (1, 1), (2, 2), (3, 3), (5, 9), (6, 10), (8, 13)]
      : [(0, 0), (1, 1), (3, 3), (4, 4), (7, 5), (8, 6)]
  }

  private static func reset(_ family: Family) -> UInt32 { family == .ipv4 ? 7 : 6 }

  init?(xtables bytes: [UInt8], _ family: Family) {
    guard bytes.count >= 4 else { return nil }
    let number = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    isReset = number == Self.reset(family)
    guard let code = isReset ? 0 : Self.codes(family).first(where: { $0.number == number })?.code else { return nil }
    self.code = code
  }

  var expression: NFTExpression {
    var out = ByteWriter(capacity: 16)
    out.put(NFTA_REJECT_TYPE, big: UInt32(isReset ? NFT_REJECT_TCP_RST.rawValue : NFT_REJECT_ICMP_UNREACH.rawValue))
    if !isReset { out.put(NFTA_REJECT_ICMP_CODE, big: code) }
    return .opaque(name: "reject", attributes: out.bytes)
  }

  init?(attributes: [UInt8]) {
    let read: (type: UInt32, code: UInt8?)? = attributes.withUnsafeBytes { bytes in
      do throws(WireError) {
        var fields = try AttributeReader(bytes)
        let type: UInt32 = try fields.big(NFTA_REJECT_TYPE)
        let code: UInt8? = try fields.bigIfPresent(NFTA_REJECT_ICMP_CODE)
        try fields.finish()
        return (type, code)
      } catch {
        return nil
      }
    }
    switch read {
    case (UInt32(NFT_REJECT_TCP_RST.rawValue), _)?: (isReset, code) = (true, 0)
    case (UInt32(NFT_REJECT_ICMP_UNREACH.rawValue), let code?)?: (isReset, self.code) = (false, code)
    default: return nil
    }
  }

  /// nil for a code that REJECT has no name for.
  func target(_ family: Family) -> NFTExpression? {
    guard
      let number = isReset ? Self.reset(family) : Self.codes(family).first(where: { $0.code == code })?.number
    else { return nil }
    let bytes = withUnsafeBytes(of: number) { Array($0) } + [0, 0, 0, 0]
    return .target(name: "REJECT", revision: 0, bytes: bytes)
  }
}
