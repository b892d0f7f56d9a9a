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

@Suite struct HeaderSearchTests {
  /// Hop-by-hop options, a routing header and an authentication header before UDP.
  static let chain = ipv6Bytes(0, [43, 0, 1, 4] + zeros(4) + [51, 0] + zeros(6) + [17, 1] + zeros(10) + [1, 2, 3])
  static let laterFragment = ipv6Bytes(44, [60, 0, 0, 8, 0, 0, 0, 7] + [17, 0] + zeros(6))

  private static func search(_ bytes: [UInt8], _ kind: IPv6Extension?) -> HeaderSearch? {
    var packet = Packet.example(.ipv6)
    packet.bytes = bytes
    return kind.map { packet.ipv6Header($0.rawValue) } ?? packet.transportHeader
  }

  @Test func transportHeader() {
    #expect(Packet.example(.ipv6).transportHeader == nil)
    #expect(Self.search(Self.chain, nil) == .at(68))
    #expect(Self.search(ipv6Bytes(44, [17, 0, 0, 1, 0, 0, 0, 7, 9]), nil) == .at(48))
    #expect(Self.search(Self.laterFragment, nil) == .absent)
    #expect(Self.search(ipv6Bytes(0, [17]), nil) == .broken)
    var packet = Packet.example(.ipv4)
    packet.bytes = [0x46] + zeros(23) + [7]
    #expect(packet.transportHeader == .at(24))
  }

  @Test func extensionHeader() {
    #expect(Self.search(Self.chain, .hopByHop) == .at(40))
    #expect(Self.search(Self.chain, .routing) == .at(48))
    #expect(Self.search(Self.chain, .authentication) == .at(56))
    #expect(Self.search(Self.chain, .destinationOptions) == .absent)
    #expect(Self.search(Self.laterFragment, .fragment) == .at(40))
    #expect(Self.search(Self.laterFragment, .destinationOptions) == .absent)
    #expect(Self.search(ipv6Bytes(44, [17, 0, 0]), .fragment) == .broken)
  }
}
