import Netfilter
import Testing

/// An IPv4 packet with 20 bytes of header.
func ipv4Bytes(_ proto: UInt8, _ payload: [UInt8]) -> [UInt8] {
  [0x45, 0, 0, UInt8(20 + payload.count), 0, 0, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2] + payload
}

/// An IPv6 packet.
func ipv6Bytes(_ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
  [0x60, 0, 0, 0, 0, UInt8(payload.count), next, 64, 0x20, 1, 0xd, 0xb8] + zeros(11) + [1, 0x20, 1, 0xd, 0xb8]
    + zeros(11)
    + [2] + payload
}

@Suite struct HeaderBytesTests {
  /// Hop-by-hop options, a routing header and an authentication header before UDP.
  static let chain = ipv6Bytes(0, [43, 0, 1, 4] + zeros(4) + [51, 0] + zeros(6) + [17, 1] + zeros(10) + [1, 2, 3])

  @Test func transportHeader() {
    var packet = Packet.example(.ipv6)
    #expect(packet.transportHeader == nil)
    packet.bytes = Self.chain
    #expect(packet.transportHeader == [1, 2, 3])
    packet.bytes = ipv6Bytes(44, [17, 0, 0, 1, 0, 0, 0, 7, 9])
    #expect(packet.transportHeader == [9])
    packet.bytes = ipv6Bytes(44, [17, 0, 0, 8, 0, 0, 0, 7, 9])
    #expect(packet.transportHeader == [])
    packet.bytes = ipv6Bytes(0, [17])
    #expect(packet.transportHeader == [])
    packet = .example(.ipv4)
    packet.bytes = [0x46] + zeros(23) + [7]
    #expect(packet.transportHeader == [7])
  }

  @Test func extensionHeader() {
    #expect(Packet.extensionHeader(.hopByHop, in: Self.chain) == 40)
    #expect(Packet.extensionHeader(.routing, in: Self.chain) == 48)
    #expect(Packet.extensionHeader(.authentication, in: Self.chain) == 56)
    #expect(Packet.extensionHeader(.destination, in: Self.chain) == nil)
    let laterFragment = ipv6Bytes(44, [60, 0, 0, 8, 0, 0, 0, 7] + [17, 0] + zeros(6))
    #expect(Packet.extensionHeader(.fragment, in: laterFragment) == 40)
    #expect(Packet.extensionHeader(.destination, in: laterFragment) == nil)
    #expect(Packet.extensionHeader(.fragment, in: ipv6Bytes(44, [17, 0, 0])) == nil)
  }
}
