/// The addresses that agree with `address` in every bit that is set in `mask`.
///
/// A prefix (`192.0.2.0/24`) is the common case; iptables also takes masks with holes
/// (`10.0.0.1/255.0.0.255`), so the mask is kept as it is. Host bits of the address are always zero.
public struct AddressMask: Hashable, Sendable {
  public let address: IPAddress
  /// Set bits are compared, in host order; an IPv4 mask takes the low 32 bits.
  public let mask: UInt128

  package init(address: IPAddress, mask: UInt128) {
    self.address = IPAddress(family: address.family, bits: address.bits & mask)
    self.mask = mask
  }

  /// The network `address/length`; nil when the family has fewer than `length` bits.
  public init?(_ address: IPAddress, prefixLength length: Int) {
    guard length >= 0, length <= address.family.addressBits else { return nil }
    self.init(address: address, mask: Self.prefixMask(length, address.family))
  }

  /// One address.
  public init(_ address: IPAddress) {
    self.init(address: address, mask: Self.prefixMask(address.family.addressBits, address.family))
  }

  /// Reads `192.0.2.0/24`, `2001:db8::/32` or a bare address; nil when it is none of them.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(parts[0]) else { return nil }
    guard parts.count == 2 else {
      self.init(address)
      return
    }
    guard let length = Int(parts[1]) else { return nil }
    self.init(address, prefixLength: length)
  }

  /// Reads an address and a prefix length in digits, the form that iptables-save writes; nil for any other, which
  /// ``Names/addresses(_:_:)`` may know.
  package init?(family: Family, token: Token) {
    let slash = token.bytes.lastIndex(of: UInt8(ascii: "/"))
    guard let address = IPAddress(family: family, token: token.part(0..<(slash ?? token.count))) else { return nil }
    guard let slash else {
      self.init(address)
      return
    }
    guard let length = token.part(slash + 1..<token.count).number(in: 0...UInt8(family.addressBits)) else { return nil }
    self.init(address: address, mask: Self.prefixMask(Int(length), family))
  }

  /// Every address of a family.
  public static func any(_ family: Family) -> AddressMask {
    AddressMask(address: .any(family), mask: 0)
  }

  /// The number of leading set bits, or nil when the mask has holes.
  public var prefixLength: Int? {
    let width = address.family.addressBits
    let shifted = mask << UInt128(128 - width)
    let ones = (~shifted).leadingZeroBitCount
    return Self.prefixMask(ones, address.family) == mask ? ones : nil
  }

  package static func prefixMask(_ length: Int, _ family: Family) -> UInt128 {
    guard length > 0 else { return 0 }
    let width = family.addressBits
    let all = UInt128.max >> UInt128(128 - width)
    return all & ~(all >> UInt128(length))
  }

  public func contains(_ other: IPAddress) -> Bool {
    other.family == address.family && other.bits & mask == address.bits
  }
}

extension AddressMask: CustomStringConvertible {
  public var description: String {
    var out = TextWriter()
    out.write(self)
    return out.string
  }
}
