import Netfilter

/// The bytes of a packet that its properties describe.
struct CraftedPacket {
  let packet: Packet
  /// From the IP header on.
  let bytes: [UInt8]
  /// The last bytes, by which it is told from all others.
  let ending: [UInt8]

  /// - Parameters:
  ///   - data: bytes behind the headers, at least 8 for the number.
  ///   - isFirstFragment: more fragments follow.
  ///   - hasOptions: IPv6 headers of options before the protocol's.
  init(_ description: Packet, number: UInt64, data: Int, isFirstFragment: Bool = false, hasOptions: Bool = false) {
    var packet = description
    ending = withUnsafeBytes(of: number.bigEndian) { Array($0) }
    let payload = Array(repeating: UInt8(0), count: max(0, data - 8)) + ending
    var body = packet.isLaterFragment ? payload : Self.transport(packet, payload)
    switch packet.family {
    case .ipv4:
      packet.length = 20 + body.count
      bytes = Self.ipv4(packet, number, isFirstFragment) + body
    case .ipv6:
      var next = packet.proto.rawValue
      if packet.isLaterFragment || isFirstFragment {
        let place: UInt16 = packet.isLaterFragment ? 184 * 8 : 1
        body = [next, 0] + Self.big(place) + Self.big(UInt32(truncatingIfNeeded: number)) + body
        next = 44
      }
      if hasOptions {
        body = [next, 0, 1, 4, 0, 0, 0, 0] + body  // PadN
        next = 60
        body = [next, 0, 1, 4, 0, 0, 0, 0] + body
        next = 0
      }
      packet.length = 40 + body.count
      bytes =
        [0x60 | (packet.trafficClass ?? 0) >> 4, (packet.trafficClass ?? 0) << 4, 0, 0]
        + Self.big(UInt16(body.count)) + [next, packet.hopLimit ?? 64] + Self.address(packet.source)
        + Self.address(packet.destination) + body
    }
    if packet.proto == .tcp, !packet.isLaterFragment {
      packet.maximumSegmentSize = packet.tcpOptions?.contains(2) == true ? 1460 : 0
    }
    packet.bytes = bytes
    self.packet = packet
  }

  /// The bytes behind a router.
  static func afterOneHop(_ bytes: [UInt8], _ family: Family) -> [UInt8] {
    var bytes = bytes
    switch family {
    case .ipv4:
      bytes[8] -= 1
      (bytes[10], bytes[11]) = (0, 0)
      bytes.replaceSubrange(10..<12, with: big(checksum(Array(bytes[..<20]))))
    case .ipv6: bytes[7] -= 1
    }
    return bytes
  }

  private static func ipv4(_ packet: Packet, _ number: UInt64, _ isFirstFragment: Bool) -> [UInt8] {
    let place: UInt16 = packet.isLaterFragment ? 184 : isFirstFragment ? 0x2000 : 0
    var header: [UInt8] = [0x45, packet.trafficClass ?? 0] + big(UInt16(packet.length ?? 0))
    header += big(UInt16(truncatingIfNeeded: number)) + big(place)
    header += [packet.hopLimit ?? 64, packet.proto.rawValue, 0, 0]
    header += address(packet.source) + address(packet.destination)
    header.replaceSubrange(10..<12, with: big(checksum(header)))
    return header
  }

  private static func transport(_ packet: Packet, _ payload: [UInt8]) -> [UInt8] {
    var segment: [UInt8]
    let checksumPlace: Int
    switch packet.proto {
    case .tcp:
      var options: [UInt8] = []
      if packet.tcpOptions?.contains(2) == true { options += [2, 4] + big(UInt16(1460)) }
      if packet.tcpOptions?.contains(4) == true { options += [4, 2, 1, 1] }
      let flags = packet.tcpFlags ?? []
      let isReply = flags.contains([.syn, .ack])
      segment = big(packet.sourcePort ?? 0) + big(packet.destinationPort ?? 0)
      // Numbers that connection tracking takes for one connection: SYN, SYN and ACK, ACK.
      segment += big(UInt32(isReply ? 5000 : flags.contains(.syn) ? 1000 : 1001))
      segment += big(UInt32(flags.contains(.ack) ? (isReply ? 1001 : 5001) : 0))
      segment += [UInt8(20 + options.count) << 2, flags.rawValue] + big(UInt16(1024)) + [0, 0, 0, 0] + options
      checksumPlace = 16
    case .udp:
      segment =
        big(packet.sourcePort ?? 0) + big(packet.destinationPort ?? 0) + big(UInt16(8 + payload.count)) + [0, 0]
      checksumPlace = 6
    case .icmp, .icmpv6:
      segment = [packet.icmpType ?? 0, packet.icmpCode ?? 0, 0, 0] + payload.suffix(2) + [0, 1]
      checksumPlace = 2
    default: return payload
    }
    segment += payload
    var pseudo: [UInt8] = []
    if packet.proto != .icmp {
      pseudo = address(packet.source) + address(packet.destination)
      pseudo += big(UInt32(segment.count)) + big(UInt32(packet.proto.rawValue))
    }
    segment.replaceSubrange(checksumPlace..<checksumPlace + 2, with: big(checksum(pseudo + segment)))
    return segment
  }

  private static func address(_ address: IPAddress) -> [UInt8] {
    withUnsafeBytes(of: address.bits.bigEndian) { Array($0.suffix(address.family.addressBytes)) }
  }

  private static func big(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  /// RFC 1071.
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for place in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt32(bytes[place]) << 8 + UInt32(place + 1 < bytes.count ? bytes[place + 1] : 0)
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }
}
