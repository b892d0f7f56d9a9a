internal import CNFTables
internal import Netfilter

/// The form of an image in a file: a head, then every object with its attributes as bytes, lengths and counts before
/// them. Numbers are in the machine's own order, which the head tells, as netlink's are.
extension RulesetImage {
  private static let magic = Array("Firebreak nft\r\n\u{1a}".utf8)
  private static let version: UInt32 = 1
  private static let byteOrder: UInt32 = 0x0102_0304
  private static let headSize = magic.count + 4 + 4 + 8 + 8

  /// Why bytes are no image.
  package enum Damaged: Error, Hashable, Sendable, CustomStringConvertible {
    case otherKind
    case otherVersion(UInt32)
    case otherByteOrder
    case checksum
    /// The head and the checksum are right, and what they are about is not.
    case content(String)

    package var description: String {
      switch self {
      case .otherKind: "this is no snapshot of nf_tables; `firebreak snapshot` makes one"
      case .otherVersion(let version):
        "the snapshot has version \(version) of the form; this program reads version \(RulesetImage.version)"
      case .otherByteOrder: "the snapshot comes from a machine with another order of bytes"
      case .checksum: "the snapshot is damaged or not whole: its checksum is wrong"
      case .content(let what): "the snapshot cannot be read: \(what)"
      }
    }
  }

  // MARK: Writing

  /// The bytes of a file.
  package var encoded: [UInt8] {
    var out = ByteWriter(capacity: 64 << 10)
    out.write(Self.magic)
    out.write(Self.byteOrder)
    out.write(Self.version)
    let place = out.count
    out.write(UInt64(0))
    out.write(UInt64(0))
    out.write(generation)
    out.write(list: tables) { table, out in
      out.write(UInt32(table.id.family.rawValue))
      out.write(object: table.attributes)
      out.write(list: table.chains) { chain, out in
        out.write(object: chain.attributes)
        out.write(list: chain.rules) { $1.write(object: $0.attributes) }
      }
      out.write(list: table.sets) { set, out in
        out.write(object: set.attributes)
        out.write(list: set.elements) { $1.write(object: $0.attributes) }
      }
      out.write(list: table.objects) { $1.write(object: $0.attributes) }
      out.write(list: table.flowtables) { $1.write(object: $0.attributes) }
    }
    out.patch(UInt64(out.count - Self.headSize), at: place)
    out.patch(CRC64.of(UnsafeRawBufferPointer(rebasing: out.written[Self.headSize...])), at: place + 8)
    return out.bytes
  }

  // MARK: Reading

  /// - Throws: ``Damaged``
  package init(encoded bytes: UnsafeRawBufferPointer) throws(Damaged) {
    guard bytes.count >= Self.headSize, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
      throw .otherKind
    }
    var head = ImageDecoder(UnsafeRawBufferPointer(rebasing: bytes[Self.magic.count..<Self.headSize]))
    guard try head.number(UInt32.self) == Self.byteOrder else { throw .otherByteOrder }
    let version = try head.number(UInt32.self)
    guard version == Self.version else { throw .otherVersion(version) }
    let length = try head.number(UInt64.self)
    let sum = try head.number(UInt64.self)
    let content = UnsafeRawBufferPointer(rebasing: bytes[Self.headSize...])
    guard length == UInt64(content.count), CRC64.of(content) == sum else { throw .checksum }
    var body = ImageDecoder(content)
    generation = try body.number(UInt32.self)
    tables = try body.list { body throws(Damaged) in try body.table() }
    try body.finish()
  }
}

/// Reads the body of a file.
private struct ImageDecoder {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(RulesetImage.Damaged) -> T {
    guard bytes.count - offset >= MemoryLayout<T>.size else { throw .content("it ends too early") }
    defer { offset += MemoryLayout<T>.size }
    return bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
  }

  /// A count, and so many members.
  mutating func list<Member>(
    _ member: (inout ImageDecoder) throws(RulesetImage.Damaged) -> Member
  ) throws(RulesetImage.Damaged) -> [Member] {
    let count = Int(try number(UInt32.self))
    // Every member has four bytes at least.
    guard count <= (bytes.count - offset) / 4 else { throw .content("it ends too early") }
    var result: [Member] = []
    result.reserveCapacity(count)
    for _ in 0..<count { result.append(try member(&self)) }
    return result
  }

  private mutating func attributes() throws(RulesetImage.Damaged) -> Attributes {
    let count = Int(try number(UInt32.self))
    guard count <= bytes.count - offset else { throw .content("it ends too early") }
    defer { offset += count }
    do throws(WireError) {
      return try Attributes(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    } catch {
      throw .content("\(error)")
    }
  }

  private func name<A: RawRepresentable>(_ fields: Attributes, _ type: A) throws(RulesetImage.Damaged) -> ObjectName
  where A.RawValue == UInt32 {
    guard let name = fields.name(type), !name.bytes.isEmpty else { throw .content("an object has no name") }
    return name
  }

  mutating func table() throws(RulesetImage.Damaged) -> RulesetImage.Table {
    guard let family = UInt8(exactly: try number(UInt32.self)) else { throw .content("a table has no family") }
    let fields = try attributes()
    let id = RulesetImage.ID(NFTFamily(rawValue: family), try name(fields, NFTA_TABLE_NAME))
    var table = RulesetImage.Table(id: id, attributes: fields)
    table.chains = try list { body throws(RulesetImage.Damaged) in
      let fields = try body.attributes()
      var chain = RulesetImage.Chain(name: try body.name(fields, NFTA_CHAIN_NAME), attributes: fields)
      chain.rules = try body.list { body throws(RulesetImage.Damaged) in
        RulesetImage.Rule(attributes: try body.attributes())
      }
      return chain
    }
    table.sets = try list { body throws(RulesetImage.Damaged) in
      let fields = try body.attributes()
      var set = RulesetImage.ElementSet(name: try body.name(fields, NFTA_SET_NAME), attributes: fields)
      set.elements = try body.list { body throws(RulesetImage.Damaged) in
        RulesetImage.Element(attributes: try body.attributes())
      }
      return set
    }
    table.objects = try list { body throws(RulesetImage.Damaged) in
      let fields = try body.attributes()
      return RulesetImage.StatefulObject(name: try body.name(fields, NFTA_OBJ_NAME), attributes: fields)
    }
    table.flowtables = try list { body throws(RulesetImage.Damaged) in
      let fields = try body.attributes()
      return RulesetImage.Flowtable(name: try body.name(fields, NFTA_FLOWTABLE_NAME), attributes: fields)
    }
    return table
  }

  func finish() throws(RulesetImage.Damaged) {
    guard offset == bytes.count else { throw .content("bytes are left over") }
  }
}

extension ByteWriter {
  fileprivate mutating func write(object attributes: Attributes) {
    write(UInt32(attributes.bytes.count))
    write(attributes.bytes)
  }

  /// A count, and so many members.
  fileprivate mutating func write<Member>(list: [Member], _ member: (Member, inout ByteWriter) -> Void) {
    write(UInt32(list.count))
    for next in list { member(next, &self) }
  }
}
