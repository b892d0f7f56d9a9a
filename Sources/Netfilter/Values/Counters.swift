/// Packets and bytes that a rule or a policy has seen.
public struct Counters: Hashable, Sendable {
  public var packets: UInt64
  public var bytes: UInt64

  public init(packets: UInt64 = 0, bytes: UInt64 = 0) {
    self.packets = packets
    self.bytes = bytes
  }

  public static let zero = Counters()
}

extension TextWriter {
  /// `[packets:bytes]`, as iptables-save writes them.
  package mutating func write(_ counters: Counters) {
    write(byte: UInt8(ascii: "["))
    write(counters.packets)
    write(byte: UInt8(ascii: ":"))
    write(counters.bytes)
    write(byte: UInt8(ascii: "]"))
  }
}
