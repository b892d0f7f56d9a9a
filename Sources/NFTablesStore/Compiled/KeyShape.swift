package import Netfilter

/// Which fields of a packet's headers the rules of one map state, and how much of each: what the map's key is made of.
package struct KeyShape: Hashable, Sendable {
  package struct Fields: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let sourcePort = Fields(rawValue: 0x01)
    package static let destinationPort = Fields(rawValue: 0x02)
    package static let icmpType = Fields(rawValue: 0x04)
    package static let icmpCode = Fields(rawValue: 0x08)
    package static let inInterface = Fields(rawValue: 0x10)
    package static let outInterface = Fields(rawValue: 0x20)
    /// With ``sourcePort``: the key has the first and the last port of a range.
    package static let sourceRange = Fields(rawValue: 0x40)
    /// With ``destinationPort``, likewise.
    package static let destinationRange = Fields(rawValue: 0x80)
    package static let ranges: Fields = [.sourceRange, .destinationRange]
  }

  /// Compared before the lookup, 0 for any: packets of other protocols pay for one comparison.
  package var proto: UInt8 = 0
  /// Bits of a prefix, 0 where the address does not matter.
  package var sourceBits: UInt8 = 0
  package var destinationBits: UInt8 = 0
  package var fields: Fields = []

  package init() {}

  /// Whether keys have ranges of ports.
  package var isRanged: Bool { !fields.isDisjoint(with: .ranges) }

  /// Whether there is anything to look up.
  package var hasKey: Bool { sourceBits > 0 || destinationBits > 0 || !fields.isEmpty }

  /// What both state; nil where no packet can meet both.
  package func common(with other: KeyShape) -> KeyShape? {
    guard proto == 0 || other.proto == 0 || proto == other.proto else { return nil }
    var result = KeyShape()
    result.proto = proto == other.proto ? proto : 0
    result.sourceBits = min(sourceBits, other.sourceBits)
    result.destinationBits = min(destinationBits, other.destinationBits)
    result.fields = fields.intersection(other.fields).subtracting(.ranges)
    // One port lies in a range or not.
    let ranges = fields.union(other.fields)
    if result.fields.contains(.sourcePort) { result.fields.formUnion(ranges.intersection(.sourceRange)) }
    if result.fields.contains(.destinationPort) { result.fields.formUnion(ranges.intersection(.destinationRange)) }
    return result
  }
}

/// The values of the fields that a shape names; those that it does not name are zero.
package struct HeaderKey: Hashable, Sendable {
  package var source: UInt128 = 0
  package var destination: UInt128 = 0
  /// 16 bytes of name, first byte highest.
  package var inInterface: UInt128 = 0
  package var outInterface: UInt128 = 0
  package var sourcePort: UInt16 = 0
  package var destinationPort: UInt16 = 0
  /// The last port of a range; 0 where the shape has one port.
  package var sourcePortEnd: UInt16 = 0
  package var destinationPortEnd: UInt16 = 0

  package init() {}

  /// A message's type and code stand where a packet with ports would have the end of a range: there are many keys.
  package var icmpType: UInt8 {
    get { UInt8(sourcePortEnd >> 8) }
    set { sourcePortEnd = UInt16(newValue) << 8 | sourcePortEnd & 0xff }
  }
  package var icmpCode: UInt8 {
    get { UInt8(sourcePortEnd & 0xff) }
    set { sourcePortEnd = sourcePortEnd & 0xff00 | UInt16(newValue) }
  }

  var sourcePorts: ClosedRange<UInt16> { sourcePort...max(sourcePort, sourcePortEnd) }
  var destinationPorts: ClosedRange<UInt16> { destinationPort...max(destinationPort, destinationPortEnd) }

  /// Whether some packet has both keys, as far as both shapes say.
  package func overlaps(_ shape: KeyShape, _ other: HeaderKey, _ otherShape: KeyShape, _ family: Family) -> Bool {
    guard let common = shape.common(with: otherShape) else { return false }
    let sourceMask = AddressMask.prefixMask(Int(common.sourceBits), family)
    let destinationMask = AddressMask.prefixMask(Int(common.destinationBits), family)
    if (source ^ other.source) & sourceMask != 0 { return false }
    if (destination ^ other.destination) & destinationMask != 0 { return false }
    let fields = common.fields
    if fields.contains(.sourcePort), !sourcePorts.overlaps(other.sourcePorts) { return false }
    if fields.contains(.destinationPort), !destinationPorts.overlaps(other.destinationPorts) { return false }
    if fields.contains(.icmpType), icmpType != other.icmpType { return false }
    if fields.contains(.icmpCode), icmpCode != other.icmpCode { return false }
    if fields.contains(.inInterface), inInterface != other.inInterface { return false }
    if fields.contains(.outInterface), outInterface != other.outInterface { return false }
    return true
  }
}

// MARK: The key in the kernel

/// One field of a key: how it is loaded, and its place among the registers.
struct KeyField {
  enum Source {
    case meta(NFTMetaKey)
    case payload(NFTPayloadBase, offset: Int)
  }

  let source: Source
  let length: Int
  /// Bits of a prefix that count; nil for all.
  let prefix: Int?
  /// nft's number for the type, by which `nft list` prints the key (`enum datatypes`, nftables' datatype.h).
  let type: UInt32

  /// Fields begin on multiples of 4.
  var room: Int { (length + 3) & ~3 }
}

extension KeyShape {
  /// The kernel takes no longer keys (`NFT_DATA_VALUE_MAXLEN`).
  static let maxKeyLength = 64

  /// In a chain of both families the key has the packet's family, first where there are no ranges, so that each counts for
  /// itself.
  func keyFields(_ family: Family, _ form: TableForm) -> [KeyField] {
    if isRanged { return rangedFields(family) }
    var result: [KeyField] = []
    if form == .shared { result.append(KeyField(source: .meta(.family), length: 1, prefix: nil, type: 2)) }
    let bytes = family.addressBits / 8
    func address(_ offset: Int, _ bits: UInt8) {
      guard bits > 0 else { return }
      result.append(
        KeyField(
          source: .payload(.network, offset: offset), length: bytes,
          prefix: Int(bits) < family.addressBits ? Int(bits) : nil, type: family == .ipv4 ? 7 : 8))
    }
    func field(_ field: Fields, _ source: KeyField.Source, _ length: Int, _ type: UInt32) {
      if fields.contains(field) { result.append(KeyField(source: source, length: length, prefix: nil, type: type)) }
    }
    address(family == .ipv4 ? 12 : 8, sourceBits)
    address(family == .ipv4 ? 16 : 24, destinationBits)
    field(.sourcePort, .payload(.transport, offset: 0), 2, 13)
    field(.destinationPort, .payload(.transport, offset: 2), 2, 13)
    field(.icmpType, .payload(.transport, offset: 0), 1, family == .ipv4 ? 14 : 29)
    field(.icmpCode, .payload(.transport, offset: 1), 1, family == .ipv4 ? 32 : 33)
    field(.inInterface, .meta(.inInterfaceName), 16, 41)
    field(.outInterface, .meta(.outInterfaceName), 16, 41)
    return result
  }

  func keyLength(_ family: Family, _ form: TableForm = .compiled) -> Int {
    keyFields(family, form).reduce(0) { $0 + $1.room }
  }

  /// Every field's type in 6 bits, as nft counts types of concatenations.
  func keyType(_ family: Family, _ form: TableForm) -> UInt32 {
    keyFields(family, form).reduce(0) { $0 << 6 | $1.type }
  }

  /// Loads the key into registers from the first on.
  func loads(_ family: Family, _ form: TableForm) -> [NFTExpression] {
    var result = fragmentConditions(family)
    var place = 0
    for field in keyFields(family, form) {
      let register = Self.register(place)
      switch field.source {
      case .meta(let key): result.append(.meta(key, into: register))
      case .payload(let base, let offset):
        result.append(.payload(base, offset: offset, length: field.length, into: register))
      }
      if let prefix = field.prefix {
        let mask = (0..<field.length).map { UInt8(truncatingIfNeeded: 0xff00 >> min(8, max(0, prefix - 8 * $0))) }
        let none = [UInt8](repeating: 0, count: field.length)
        result.append(.bitwise(register, mask: mask, flip: none, into: register))
      }
      place += field.room / 4
    }
    return result
  }

  /// A register of 4 bytes under the name that the kernel gives back: where one of 16 begins, it is that one.
  private static func register(_ place: Int) -> NFTRegister {
    NFTRegister(rawValue: UInt32(place % 4 == 0 ? place / 4 + 1 : place + 8))
  }

  static let firstRegister: NFTRegister = 1

  func write(_ key: HeaderKey, _ family: Family, _ form: TableForm, to out: inout ByteWriter) {
    if isRanged { return writeRanged(key, isEnd: false, family, to: &out) }
    if form == .shared {
      out.write(family.rawValue)
      out.zeros(3)
    }
    if sourceBits > 0 { out.write(address: key.source, family) }
    if destinationBits > 0 { out.write(address: key.destination, family) }
    if fields.contains(.sourcePort) {
      out.write(big: key.sourcePort)
      out.zeros(2)
    }
    if fields.contains(.destinationPort) {
      out.write(big: key.destinationPort)
      out.zeros(2)
    }
    if fields.contains(.icmpType) {
      out.write(key.icmpType)
      out.zeros(3)
    }
    if fields.contains(.icmpCode) {
      out.write(key.icmpCode)
      out.zeros(3)
    }
    if fields.contains(.inInterface) { out.write(big: key.inInterface) }
    if fields.contains(.outInterface) { out.write(big: key.outInterface) }
  }

  /// The family of which a key of a map of both families is; nil where it is of none.
  func family(of key: UnsafeRawBufferPointer) -> Family? {
    if isRanged { return key.count < 4 ? nil : Family(rawValue: key[key.count - 4]) }
    return key.first.flatMap { Family(rawValue: $0) }
  }

  /// nil where the bytes are no key of this shape.
  func key(_ bytes: UnsafeRawBufferPointer, _ family: Family, _ form: TableForm) -> HeaderKey? {
    guard bytes.count == keyLength(family, form) else { return nil }
    var key = HeaderKey()
    var offset = form == .shared ? 4 : 0
    func address() -> UInt128 {
      defer { offset += family.addressBits / 8 }
      if family == .ipv4 {
        return UInt128(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      }
      return UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt128.self))
    }
    func number<T: FixedWidthInteger & BitwiseCopyable>(_ room: Int, as: T.Type = T.self) -> T {
      defer { offset += room }
      return T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    if sourceBits > 0 { key.source = address() }
    if destinationBits > 0 { key.destination = address() }
    if fields.contains(.sourcePort) { key.sourcePort = number(4) }
    if fields.contains(.destinationPort) { key.destinationPort = number(4) }
    if fields.contains(.icmpType) { key.icmpType = number(4) }
    if fields.contains(.icmpCode) { key.icmpCode = number(4) }
    if fields.contains(.inInterface) { key.inInterface = number(16) }
    if fields.contains(.outInterface) { key.outInterface = number(16) }
    return key
  }

  /// For a map's user data.
  var packed: [UInt8] { [proto, sourceBits, destinationBits, fields.rawValue] }

  init?(packed: UnsafeRawBufferPointer) {
    guard packed.count == 4 else { return nil }
    (proto, sourceBits, destinationBits) = (packed[0], packed[1], packed[2])
    fields = Fields(rawValue: packed[3])
  }
}
