/// A network interface by name, or all whose names begin alike (`eth+`).
///
/// The kernel compares 16 bytes of name under a 16-byte mask (`struct ipt_ip`, linux/netfilter_ipv4/ip_tables.h);
/// both are kept, so a mask that iptables could not have written survives too.
public struct InterfacePattern: Hashable, Sendable {
  /// The name as the kernel keeps it: 16 bytes, first byte in the highest bits, zero-padded.
  package let name: UInt128
  /// Which bits of the name are compared.
  package let mask: UInt128

  package init(name: UInt128, mask: UInt128) {
    self.name = name
    self.mask = mask
  }

  /// An interface name of 1 to 15 bytes; a trailing `+` stands for any ending. nil for any other length.
  public init?(_ text: String) {
    var copy = text
    guard let pattern = copy.withUTF8({ InterfacePattern(bytes: $0) }) else { return nil }
    self = pattern
  }

  package init?(bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.count >= 1, bytes.count <= 15 else { return nil }
    var name: UInt128 = 0
    for byte in bytes {
      guard byte != 0 else { return nil }
      name = name << 8 | UInt128(byte)
    }
    self.name = name << UInt128(8 * (16 - bytes.count))
    let compared = bytes[bytes.count - 1] == UInt8(ascii: "+") ? bytes.count - 1 : bytes.count + 1
    self.mask = compared == 0 ? 0 : UInt128.max << UInt128(8 * (16 - compared))
  }

  /// The name's bytes up to the first zero, with the `+` of a wildcard.
  package var nameBytes: [UInt8] {
    var bytes: [UInt8] = []
    for place in (0..<16).reversed() {
      let byte = UInt8(truncatingIfNeeded: name >> UInt128(8 * place))
      guard byte != 0 else { break }
      bytes.append(byte)
    }
    return bytes
  }

  /// Whether rules text may hold the name.
  package var isPrintable: Bool { nameBytes.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\"") } }

  /// Whether an interface of this name is meant.
  public func matches(_ interface: InterfaceName) -> Bool { (interface.bits ^ name) & mask == 0 }
}

extension InterfacePattern: CustomStringConvertible {
  public var description: String { String(decoding: nameBytes, as: UTF8.self) }
}
