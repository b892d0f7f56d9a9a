/// Where a header begins in the bytes of a packet.
package enum HeaderSearch: Hashable, Sendable {
  /// So many bytes behind the beginning of the IP header.
  case at(Int)
  case absent
  /// A header on the way to it ends early.
  case broken
}

extension Answer {
  /// For packets that a match cannot look into, which the kernel drops whatever the rule is for (`hotdrop`).
  package static let broken = Answer.depends(on: "a header that is cut short, for which the kernel drops the packet")
}

extension Packet {
  /// Where the payload's protocol has its header; nil where the packet has no bytes to look into. A later fragment has
  /// none.
  package var transportHeader: HeaderSearch? {
    guard let bytes else { return nil }
    guard family == .ipv4 else { return Self.ipv6Header(nil, in: bytes) }
    guard bytes.count >= 20 else { return .broken }
    return isLaterFragment ? .absent : .at(Int(bytes[0] & 0xf) * 4)
  }

  /// Where the first IPv6 header of a protocol number is, looked for as the kernel does (`ipv6_find_hdr`,
  /// net/ipv6/exthdrs_core.c); nil where the packet has no bytes to look into.
  package func ipv6Header(_ number: UInt8) -> HeaderSearch? {
    guard family == .ipv6 else { return .absent }
    return bytes.map { Self.ipv6Header(number, in: $0) }
  }

  /// nil as the number stands for the last header: the payload's, or `No Next Header`.
  private static func ipv6Header(_ number: UInt8?, in bytes: [UInt8]) -> HeaderSearch {
    guard bytes.count >= IPv6Extension.firstOffset else { return .broken }
    var kind = bytes[IPv6Extension.firstKindOffset]
    var start = IPv6Extension.firstOffset
    while true {
      guard let known = IPv6Extension(rawValue: kind), known != .none else {
        return number == nil || kind == number ? .at(start) : .absent
      }
      let needed = known == .routing || known == .fragment ? 4 : 2
      guard start + needed <= bytes.count else { return .broken }
      if known == .fragment, bytes[start + 2] != 0 || bytes[start + 3] & 0xf8 != 0 {
        return kind == number ? .at(start) : .absent
      }
      if kind == number { return .at(start) }
      kind = bytes[start]
      start += known.length(bytes[start + 1])
    }
  }
}

/// What the search for a header brought, where at least `size` bytes of it are looked at.
package enum HeaderReading {
  case bytes([UInt8])
  /// The match is answered without it.
  case answer(Answer)
}

extension Packet {
  /// The bytes of the payload's header and what follows. A later fragment has none, so no match for it is met.
  package func readTransportHeader(atLeast size: Int, else unknown: Answer) -> HeaderReading {
    guard !isLaterFragment else { return .answer(.no) }
    return read(transportHeader, atLeast: size, else: unknown)
  }

  /// The bytes of an IPv6 extension header and what follows.
  package func readExtensionHeader(_ kind: IPv6Extension, atLeast size: Int) -> HeaderReading {
    read(ipv6Header(kind.rawValue), atLeast: size, else: .depends(on: "the packet's bytes"))
  }

  private func read(_ search: HeaderSearch?, atLeast size: Int, else unknown: Answer) -> HeaderReading {
    guard let search, let bytes else { return .answer(unknown) }
    switch search {
    case .absent: return .answer(.no)
    case .at(let start) where start + size <= bytes.count: return .bytes(Array(bytes[start...]))
    case .broken, .at: return .answer(.broken)
    }
  }
}

/// Headers that may stand between the IPv6 header and the payload. Raw values are their protocol numbers.
package enum IPv6Extension: UInt8, Hashable, Sendable {
  case hopByHop = 0
  case routing = 43
  case fragment = 44
  case authentication = 51
  case none = 59
  case destinationOptions = 60

  /// Where the first of them begins, and where its number stands.
  package static let firstOffset = 40
  package static let firstKindOffset = 6

  /// Bytes in a header with this length field, which each kind counts in its own way.
  package func length(_ field: UInt8) -> Int {
    switch self {
    case .fragment: 8
    case .authentication: (Int(field) + 2) * 4
    default: (Int(field) + 1) * 8
    }
  }
}
