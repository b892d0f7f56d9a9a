internal import CNFTables
internal import Netfilter

/// Where the attributes of an object say what packets have changed: counters, and what of a quota is used up. Two objects
/// that differ there only are the same object at two times.
struct CountedState {
  /// Places in the attributes, in their order.
  let places: [Range<Int>]

  enum Kind {
    case chain
    case rule
    case element
    case object
  }

  init(_ attributes: Attributes, _ kind: Kind) {
    var walk = Walk()
    attributes.bytes.withUnsafeBytes { walk.object($0, kind) }
    places = walk.places
  }

  /// Finds the places; offsets are from the beginning of the object.
  private struct Walk {
    var places: [Range<Int>] = []

    /// The attributes of a nest, each with the place of its data.
    private func members(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> [(type: UInt16, data: Range<Int>)] {
      var walk = AttributeWalk(UnsafeRawBufferPointer(rebasing: bytes[range]))
      var result: [(type: UInt16, data: Range<Int>)] = []
      var offset = range.lowerBound
      while let next = walk.next() {
        result.append((next.type, offset + 4..<offset + next.whole.count))
        offset = range.lowerBound + walk.offset
      }
      return result
    }

    mutating func object(_ bytes: UnsafeRawBufferPointer, _ kind: Kind) {
      let all = members(bytes, in: 0..<bytes.count)
      func data<A: RawRepresentable>(_ type: A) -> Range<Int>? where A.RawValue == UInt32 {
        all.first { UInt32($0.type) == type.rawValue }?.data
      }
      switch kind {
      case .chain:
        if let counters = data(NFTA_CHAIN_COUNTERS) { counter(bytes, counters) }
      case .rule:
        if let list = data(NFTA_RULE_EXPRESSIONS) { self.list(bytes, list) }
      case .element:
        if let one = data(NFTA_SET_ELEM_EXPR) { expression(bytes, one) }
        if let list = data(NFTA_SET_ELEM_EXPRESSIONS) { self.list(bytes, list) }
      case .object:
        guard let type = data(NFTA_OBJ_TYPE), let content = data(NFTA_OBJ_DATA), type.count == 4 else { return }
        switch UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: type.lowerBound, as: UInt32.self)) {
        case UInt32(NFT_OBJECT_COUNTER): counter(bytes, content)
        case UInt32(NFT_OBJECT_QUOTA): quota(bytes, content)
        default: return
        }
      }
    }

    private mutating func list(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
      for member in members(bytes, in: range) { expression(bytes, member.data) }
    }

    private mutating func expression(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
      let fields = members(bytes, in: range)
      guard let name = fields.first(where: { UInt32($0.type) == NFTA_EXPR_NAME.rawValue })?.data,
        let data = fields.first(where: { UInt32($0.type) == NFTA_EXPR_DATA.rawValue })?.data
      else { return }
      let text = UnsafeRawBufferPointer(rebasing: bytes[name])
      if text.spells("counter") { counter(bytes, data) }
      if text.spells("quota") { quota(bytes, data) }
    }

    private mutating func counter(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
      let types = [NFTA_COUNTER_BYTES.rawValue, NFTA_COUNTER_PACKETS.rawValue]
      places += members(bytes, in: range).filter { types.contains(UInt32($0.type)) }.map(\.data)
    }

    private mutating func quota(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
      places += members(bytes, in: range).filter { UInt32($0.type) == NFTA_QUOTA_CONSUMED.rawValue }.map(\.data)
    }
  }
}

extension Attributes {
  /// The same with zeros for what packets have changed.
  func uncounted(_ kind: CountedState.Kind) -> Attributes {
    var result = self
    for place in CountedState(self, kind).places { result.zero(place) }
    return result
  }
}
