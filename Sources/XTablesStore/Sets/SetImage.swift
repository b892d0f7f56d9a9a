package import Netfilter

/// A set (ipset(8)) with its entries, as the kernel lists it and takes it back.
package struct SetImage: Hashable, Sendable {
  package private(set) var name: String
  /// `hash:ip`, `list:set`, …
  package let type: String
  /// Revision and family, each an attribute as the kernel gave it.
  private let kind: [UInt8]
  /// What the set was made with.
  private let header: [UInt8]
  /// The header without what changes as the set grows.
  private let shape: [UInt8]
  package var entries: [Entry] = []

  /// A member of a set.
  package struct Entry: Hashable, Sendable {
    /// What it is: addresses, ports, names.
    let identity: [UInt8]
    /// What is said about it: comment, marks.
    let remarks: [UInt8]
    /// How often it was seen.
    let counters: [UInt8]
    /// Seconds until it goes; nil where it stays.
    let timeout: UInt32?

    /// Whether no time takes it out.
    var stays: Bool { timeout ?? 0 == 0 }

    var attributes: [UInt8] {
      identity + remarks + counters
        + (timeout.map { seconds in
          SetSocket.attribute((0..<4).map { UInt8(truncatingIfNeeded: seconds >> (24 - 8 * $0)) }, 6 | 0x4000)
        } ?? [])
    }
  }

  /// Whether a set of this shape can take the other's entries.
  func hasShape(of other: SetImage) -> Bool { type == other.type && kind == other.kind && shape == other.shape }

  // MARK: Reading

  /// All sets of the calling thread's network namespace, those first that others may hold.
  /// - Throws: ``KernelSets/Refusal``. A kernel without sets has none.
  package static func all() throws(KernelSets.Refusal) -> [SetImage] { try read(nil) }

  /// The set of a name; nil where there is none.
  static func find(_ name: String) throws(KernelSets.Refusal) -> SetImage? { try read(name).first }

  private static func read(_ name: String?) throws(KernelSets.Refusal) -> [SetImage] {
    let socket = try SetSocket()
    var sets: [SetImage] = []
    do throws(KernelSets.Refusal) {
      try socket.list(name) { bytes, range in read(bytes, range, into: &sets) }
    } catch {
      guard error.isMissing else { throw error }
    }
    return sets
  }

  /// A message is the beginning of a set, or more entries of the one before.
  private static func read(_ bytes: [UInt8], _ range: Range<Int>, into sets: inout [SetImage]) {
    let found = SetSocket.attributes(bytes, range)
    func first(_ type: UInt16) -> Range<Int>? {
      found.first { $0.type & SetSocket.Attribute.kindMask == type }?.payload
    }
    func text(_ type: UInt16) -> String {
      String(decoding: bytes[first(type) ?? 0..<0].prefix { $0 != 0 }, as: UTF8.self)
    }
    if first(SetSocket.Attribute.type) != nil, let data = first(SetSocket.Attribute.data) {
      var kind: [UInt8] = []
      for type in [SetSocket.Attribute.revision, SetSocket.Attribute.family] {
        if let payload = first(type) { kind += SetSocket.attribute(Array(bytes[payload]), type) }
      }
      let parts = SetSocket.attributes(bytes, data).filter { !isReport($0.type & SetSocket.Attribute.kindMask) }
      let header = parts.flatMap { SetSocket.attribute(bytes, $0) }
      let shape = parts.filter { !isSize($0.type & SetSocket.Attribute.kindMask) }
        .flatMap { SetSocket.attribute(bytes, $0) }
      sets.append(
        SetImage(
          name: text(SetSocket.Attribute.name), type: text(SetSocket.Attribute.type), kind: kind, header: header,
          shape: shape))
    }
    guard let list = first(SetSocket.Attribute.entries), !sets.isEmpty else { return }
    for data in SetSocket.attributes(bytes, list) { sets[sets.count - 1].entries.append(Entry(bytes, data.payload)) }
  }

  /// Size in memory, uses, number of entries: told, never taken.
  private static func isReport(_ type: UInt16) -> Bool { (24...26).contains(type) }

  /// `IPSET_ATTR_HASHSIZE` and `IPSET_ATTR_INITVAL`
  private static func isSize(_ type: UInt16) -> Bool { type == 17 || type == 18 }

  // MARK: Writing

  private static func attribute(name: String) -> [UInt8] { SetSocket.text(name, SetSocket.Attribute.name) }
  private var nameAttribute: [UInt8] { Self.attribute(name: name) }

  /// Makes the set, without entries.
  package func create() throws(KernelSets.Refusal) {
    let data = SetSocket.attribute(header, SetSocket.Attribute.data | SetSocket.Attribute.nested)
    try SetSocket().perform(.create, nameAttribute + SetSocket.text(type, SetSocket.Attribute.type) + kind + data)
  }

  package func destroy() throws(KernelSets.Refusal) { try Self.destroy(name) }

  static func destroy(_ name: String) throws(KernelSets.Refusal) {
    try SetSocket().perform(.destroy, attribute(name: name))
  }

  /// Gives the set the other's name and the other this one's; what looks into one of them looks into the other then. The
  /// kernel takes that of sets that hold the same kind of thing, whatever their options.
  func swap(with other: String) throws(KernelSets.Refusal) {
    try SetSocket().perform(.swap, nameAttribute + SetSocket.text(other, SetSocket.Attribute.otherName))
  }

  /// The same under another name.
  func named(_ name: String) -> SetImage {
    var result = self
    result.name = name
    return result
  }

  /// Puts entries in; those that are there already take the new remarks and times.
  package func add(_ entries: [Entry]) throws(KernelSets.Refusal) {
    try perform(.add, entries.map(\.attributes))
  }

  /// Takes entries out; those that are not there are no matter.
  package func remove(_ entries: [Entry]) throws(KernelSets.Refusal) {
    try perform(.delete, entries.map(\.identity))
  }

  private static let mostBytes = 8 << 10

  private func perform(_ command: SetSocket.Command, _ entries: [[UInt8]]) throws(KernelSets.Refusal) {
    let socket = try SetSocket()
    var chunk: [UInt8] = []
    for (place, entry) in entries.enumerated() {
      chunk += SetSocket.attribute(entry, SetSocket.Attribute.data | SetSocket.Attribute.nested)
      guard chunk.count > Self.mostBytes || place == entries.count - 1 else { continue }
      let line = SetSocket.attribute([0, 0, 0, 1], SetSocket.Attribute.line)
      let list = SetSocket.attribute(chunk, SetSocket.Attribute.entries | SetSocket.Attribute.nested)
      try socket.perform(command, nameAttribute + line + list)
      chunk = []
    }
  }
}

// MARK: Bytes of a file

extension SetImage {
  /// Its parts one after the other, each with its length (4 bytes) before it; then the entries, with their number.
  package var encoded: [UInt8] {
    var out = ByteWriter()
    for part in [Array(name.utf8), Array(type.utf8), kind, header, shape] { out.write(part: part) }
    out.write(UInt32(entries.count))
    for entry in entries {
      for part in [entry.identity, entry.remarks, entry.counters] { out.write(part: part) }
      out.write(UInt8(entry.timeout == nil ? 0 : 1))
      out.write(entry.timeout ?? 0)
    }
    return out.bytes
  }

  package init(encoded bytes: [UInt8]) throws(WireError) {
    var reader = ByteReader(bytes.span.bytes)
    name = String(decoding: try reader.part("name"), as: UTF8.self)
    type = String(decoding: try reader.part("type"), as: UTF8.self)
    kind = try reader.part("kind")
    header = try reader.part("header")
    shape = try reader.part("shape")
    for _ in 0..<(try reader.uint32("entries")) {
      let (identity, remarks) = (try reader.part("identity"), try reader.part("remarks"))
      let counters = try reader.part("counters")
      let hasTimeout = try reader.uint8("timeout") != 0
      let timeout = try reader.uint32("timeout")
      entries.append(
        Entry(identity: identity, remarks: remarks, counters: counters, timeout: hasTimeout ? timeout : nil))
    }
    try reader.finish()
  }
}

extension ByteWriter {
  fileprivate mutating func write(part bytes: [UInt8]) {
    write(UInt32(bytes.count))
    write(bytes)
  }
}

extension ByteReader {
  fileprivate mutating func part(_ field: StaticString) throws(WireError) -> [UInt8] {
    let count = Int(try uint32(field))
    return try raw(field, count: count)
  }
}

extension SetImage.Entry {
  fileprivate init(_ bytes: [UInt8], _ range: Range<Int>) {
    var parts: (identity: [UInt8], remarks: [UInt8], counters: [UInt8]) = ([], [], [])
    var timeout: UInt32?
    for attribute in SetSocket.attributes(bytes, range) {
      let whole = SetSocket.attribute(bytes, attribute)
      switch attribute.type & SetSocket.Attribute.kindMask {
      case 6: timeout = bytes[attribute.payload].reduce(0) { $0 << 8 | UInt32($1) }
      case 24, 25: parts.counters += whole
      case 26...29: parts.remarks += whole
      case 30: break  // padding
      default: parts.identity += whole
      }
    }
    (identity, remarks, counters) = parts
    self.timeout = timeout
  }
}

extension KernelSets.Refusal {
  /// The kernel has no sets, or has not loaded them: ENOENT, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP.
  var isMissing: Bool { [2, 22, 93, 95].contains(code) }

  /// A rule or another set holds on to it: IPSET_ERR_BUSY, IPSET_ERR_REFERENCED.
  var isInUse: Bool { code == 4100 || code == 4108 }

  /// What the kernel said, in words.
  package var reason: String {
    switch code {
    case 4098: "the kernel does not know this type of set"
    case 4100: "it is in use"
    case 4102: "it is of another type"
    case 4108: "it is in use by a rule or another set"
    case 4352: "the set is full"
    default: code < 4096 ? describe(code) : "ipset error \(code)"
    }
  }
}
