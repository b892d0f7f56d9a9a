/// The name of one network interface, or of none: packets that this machine made came in by no interface.
public struct InterfaceName: Hashable, Sendable {
  /// 16 bytes, the first in the highest bits, zero-padded; zero for no interface.
  package let bits: UInt128

  /// No interface. The kernel compares patterns with an empty name then (`nulldevname`, net/ipv4/netfilter/ip_tables.c).
  public static let none = InterfaceName(bits: 0)

  private init(bits: UInt128) { self.bits = bits }

  /// nil for a name of more than 15 bytes; an empty one is ``none``.
  public init?(_ text: String) {
    var copy = text
    guard let name = copy.withUTF8({ InterfaceName(bytes: $0) }) else { return nil }
    self = name
  }

  package init?(bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.count <= 15 else { return nil }
    var bits: UInt128 = 0
    for byte in bytes { bits = bits << 8 | UInt128(byte) }
    self.bits = bits << UInt128(8 * (16 - bytes.count))
  }
}

extension InterfaceName: CustomStringConvertible {
  public var description: String {
    let bytes = (0..<16).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * (15 - $0))) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
