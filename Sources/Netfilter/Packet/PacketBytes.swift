/// Headers in the bytes of a packet.
extension Packet {
  /// What stands behind the IP header and, for IPv6, behind all extension headers; nil where the packet's bytes are not
  /// known. It is empty where the packet ends before, and for a later fragment of IPv6.
  package var transportHeader: [UInt8]? {
    guard let bytes, let first = bytes.first else { return nil }
    let start = family == .ipv4 ? 4 * Int(first & 0xf) : Self.transportOffset(in: bytes)
    guard let start, start <= bytes.count else { return [] }
    return Array(bytes[start...])
  }

  /// Where the first IPv6 extension header of a type begins in ``bytes``, looked for as the kernel does
  /// (`ipv6_find_hdr`, net/ipv6/exthdrs_core.c): nothing is found behind the header of a later fragment, nor where the
  /// packet ends early. nil where there is none.
  package static func extensionHeader(_ type: IPv6ExtensionType, in bytes: [UInt8]) -> Int? {
    var headers = IPv6HeaderChain(bytes)
    while let header = headers.next() {
      guard header.type != type.rawValue else { return header.start }
    }
    return nil
  }

  private static func transportOffset(in bytes: [UInt8]) -> Int? {
    var headers = IPv6HeaderChain(bytes)
    while headers.next() != nil {}
    return headers.isAtTransport ? headers.start : nil
  }
}

/// Extension headers of IPv6 by their protocol numbers (RFC 8200 section 4).
package enum IPv6ExtensionType: UInt8 {
  case hopByHop = 0
  case routing = 43
  case fragment = 44
  case authentication = 51
  case none = 59
  case destination = 60
}

/// The extension headers of a packet, one after the other. ESP is none here: what stands behind it cannot be read.
package struct IPv6HeaderChain {
  private let bytes: [UInt8]
  private var type: UInt8
  /// Where the next header begins.
  package private(set) var start = 40
  private var isBroken: Bool

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    isBroken = bytes.count < 40
    type = isBroken ? IPv6ExtensionType.none.rawValue : bytes[6]
  }

  /// Whether what is next is no extension header any more, and can be reached.
  package var isAtTransport: Bool { !isBroken && !isExtension }

  private var isExtension: Bool { IPv6ExtensionType(rawValue: type).map { $0 != .none } ?? false }

  /// The next extension header, which has at least two bytes, a fragment header four; nil behind the last one.
  package mutating func next() -> (type: UInt8, start: Int)? {
    guard !isBroken, isExtension else { return nil }
    let found = (type, start)
    let isFragment = type == IPv6ExtensionType.fragment.rawValue
    guard start + (isFragment ? 4 : 2) <= bytes.count else {
      isBroken = true
      return nil
    }
    let length = Int(bytes[start + 1])
    if isFragment {
      isBroken = (bytes.bigUInt16(at: start + 2) ?? 0) & 0xfff8 != 0
      start += 8
    } else if type == IPv6ExtensionType.authentication.rawValue {
      start += 4 * (length + 2)
    } else {
      start += 8 * (length + 1)
    }
    type = bytes[found.1]
    return found
  }
}

extension [UInt8] {
  /// A number in network order; nil where the bytes end before.
  package func bigUInt16(at offset: Int) -> UInt16? {
    guard offset >= 0, offset + 2 <= count else { return nil }
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  /// See ``bigUInt16(at:)``.
  package func bigUInt32(at offset: Int) -> UInt32? {
    guard let high = bigUInt16(at: offset), let low = bigUInt16(at: offset + 2) else { return nil }
    return UInt32(high) << 16 | UInt32(low)
  }
}
