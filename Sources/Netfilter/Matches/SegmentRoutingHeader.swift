/// The segment routing header of an IPv6 packet (`struct ip6t_srh1`, linux/netfilter_ipv6/ip6t_srh.h; RFC 8754).
public struct SegmentRoutingHeader: Match {
  public var nextHeader: Negatable<UInt8>?
  /// The header's length in units of 8 bytes, without the first.
  public var length: ByteComparison?
  public var segmentsLeft: ByteComparison?
  public var lastEntry: ByteComparison?
  public var tag: Negatable<UInt16>?
  public var previousSegment: Negatable<ConntrackAddress>?
  public var nextSegment: Negatable<ConntrackAddress>?
  public var lastSegment: Negatable<ConntrackAddress>?

  /// One number, and how a field is compared with it.
  public struct ByteComparison: Hashable, Sendable {
    public enum Relation: UInt16, Hashable, Sendable, CaseIterable, Comparable {
      case equal = 0
      case greater = 1
      case less = 2

      public static func < (a: Relation, b: Relation) -> Bool { a.rawValue < b.rawValue }
    }

    public let value: UInt8
    /// All of them have to hold; each stands once.
    public let relations: [Negatable<Relation>]

    /// nil for no relation, or one that stands twice.
    public init?(_ value: UInt8, _ relations: [Negatable<Relation>]) {
      guard !relations.isEmpty, Set(relations.map(\.value)).count == relations.count else { return nil }
      self.value = value
      self.relations = relations.sorted { $0.value < $1.value }
    }
  }

  public init() {}
}

// MARK: Syntax

extension SegmentRoutingHeader {
  /// Fields that are compared by relations, with the options of each.
  private static let fields: [(options: [StaticString], field: Field)] = [
    (["--srh-hdr-len-eq", "--srh-hdr-len-gt", "--srh-hdr-len-lt"], .length),
    (["--srh-segs-left-eq", "--srh-segs-left-gt", "--srh-segs-left-lt"], .segmentsLeft),
    (["--srh-last-entry-eq", "--srh-last-entry-gt", "--srh-last-entry-lt"], .lastEntry),
  ]

  private enum Field { case length, segmentsLeft, lastEntry }

  private subscript(field: Field) -> ByteComparison? {
    get {
      switch field {
      case .length: length
      case .segmentsLeft: segmentsLeft
      case .lastEntry: lastEntry
      }
    }
    set {
      switch field {
      case .length: length = newValue
      case .segmentsLeft: segmentsLeft = newValue
      case .lastEntry: lastEntry = newValue
      }
    }
  }

  public static let definition = ExtensionDefinition(
    "srh", summary: "IPv6 segment routing header", families: [.ipv6], revisions: [0, 1],
    options: [
      OptionSpec("--srh-next-hdr", .number(0...255), negatable: true, "number of the next header"),
      OptionSpec("--srh-hdr-len-eq", .number(0...255), negatable: true, "length in units of 8 bytes"),
      OptionSpec("--srh-hdr-len-gt", .number(0...255), negatable: true, "length is greater"),
      OptionSpec("--srh-hdr-len-lt", .number(0...255), negatable: true, "length is less"),
      OptionSpec("--srh-segs-left-eq", .number(0...255), negatable: true, "segments left"),
      OptionSpec("--srh-segs-left-gt", .number(0...255), negatable: true, "more segments are left"),
      OptionSpec("--srh-segs-left-lt", .number(0...255), negatable: true, "fewer segments are left"),
      OptionSpec("--srh-last-entry-eq", .number(0...255), negatable: true, "place of the last segment"),
      OptionSpec("--srh-last-entry-gt", .number(0...255), negatable: true, "place of the last segment is greater"),
      OptionSpec("--srh-last-entry-lt", .number(0...255), negatable: true, "place of the last segment is less"),
      OptionSpec("--srh-tag", .number(0...65_535), negatable: true, "tag"),
      OptionSpec("--srh-psid", .address, negatable: true, "previous segment"),
      OptionSpec("--srh-nsid", .address, negatable: true, "next segment"),
      OptionSpec("--srh-lsid", .address, negatable: true, "last segment"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let number = try options.number("--srh-next-hdr") {
      nextHeader = Negatable(UInt8(number), inverted: options.isInverted("--srh-next-hdr"))
    }
    for field in Self.fields { self[field.field] = try Self.comparison(field.options, options) }
    if let number = try options.number("--srh-tag") {
      tag = Negatable(UInt16(number), inverted: options.isInverted("--srh-tag"))
    }
    previousSegment = try Self.segment("--srh-psid", options)
    nextSegment = try Self.segment("--srh-nsid", options)
    lastSegment = try Self.segment("--srh-lsid", options)
  }

  /// The kernel has one number for the three options of a field.
  private static func comparison(_ names: [StaticString], _ options: OptionValues) throws(SyntaxError)
    -> ByteComparison?
  {
    var value: UInt8?
    var relations: [Negatable<ByteComparison.Relation>] = []
    for (name, relation) in zip(names, ByteComparison.Relation.allCases) {
      guard let number = try options.number(name) else { continue }
      guard value == nil || value == UInt8(number) else {
        throw options.error(name, "the kernel compares the field with one number only, here \(value ?? 0)")
      }
      value = UInt8(number)
      relations.append(Negatable(relation, inverted: options.isInverted(name)))
    }
    return value.flatMap { ByteComparison($0, relations) }
  }

  private static func segment(_ name: StaticString, _ options: OptionValues) throws(SyntaxError)
    -> Negatable<ConntrackAddress>?
  {
    guard let token = options.token(name) else { return nil }
    return Negatable(try options.maskedAddress(token, of: name), inverted: options.isInverted(name))
  }

  public func print(to out: inout RuleWriter) {
    if let nextHeader {
      out.option("--srh-next-hdr", inverted: nextHeader.isInverted)
      out.number(nextHeader.value)
    }
    for field in Self.fields {
      guard let comparison = self[field.field] else { continue }
      for relation in comparison.relations {
        out.option(field.options[Int(relation.value.rawValue)], inverted: relation.isInverted)
        out.number(comparison.value)
      }
    }
    if let tag {
      out.option("--srh-tag", inverted: tag.isInverted)
      out.number(tag.value)
    }
    out.segment("--srh-psid", previousSegment)
    out.segment("--srh-nsid", nextSegment)
    out.segment("--srh-lsid", lastSegment)
  }

  public func list(to out: inout RuleWriter) {
    out.word("srh")
    func field(_ name: StaticString, _ value: some FixedWidthInteger, _ isInverted: Bool) {
      out.word(name, dropping: 6)
      out.text.write(isInverted ? ":!" : ":")
      out.text.write(value)
    }
    if let nextHeader { field("--srh-next-hdr", nextHeader.value, nextHeader.isInverted) }
    for known in Self.fields {
      guard let comparison = self[known.field] else { continue }
      for relation in comparison.relations {
        field(known.options[Int(relation.value.rawValue)], comparison.value, relation.isInverted)
      }
    }
    if let tag { field("--srh-tag", tag.value, tag.isInverted) }
    for (label, segment) in [
      ("psid " as StaticString, previousSegment), ("nsid ", nextSegment), ("lsid ", lastSegment),
    ] {
      guard let segment else { continue }
      out.word(label)
      if segment.isInverted { out.text.write("!") }
      out.segment(segment.value)
    }
  }
}

extension RuleWriter {
  /// With the prefix length even where it is all 128 bits.
  fileprivate mutating func segment(_ name: StaticString, _ segment: Negatable<ConntrackAddress>?) {
    guard let segment else { return }
    option(name, inverted: segment.isInverted)
    self.segment(segment.value)
  }

  fileprivate mutating func segment(_ segment: ConntrackAddress) {
    text.write(byte: UInt8(ascii: " "))
    text.write(segment.address)
    text.write(byte: UInt8(ascii: "/"))
    text.write(segment.network.prefixLength ?? 0)
  }
}

// MARK: Kernel bytes

extension SegmentRoutingHeader {
  private enum Flag {
    static let nextHeader: UInt16 = 0x0001
    /// The first of nine, three for each field.
    static let firstField: UInt16 = 0x0002
    static let tag: UInt16 = 0x0400
    static let previousSegment: UInt16 = 0x0800
    static let nextSegment: UInt16 = 0x1000
    static let lastSegment: UInt16 = 0x2000
    static let all: UInt16 = 0x3fff
    static let allOfRevision0: UInt16 = 0x07ff
  }

  private var flags: (match: UInt16, invert: UInt16) {
    var flags: (match: UInt16, invert: UInt16) = (0, 0)
    func note(_ flag: UInt16, _ isInverted: Bool?) {
      guard let isInverted else { return }
      flags.match |= flag
      if isInverted { flags.invert |= flag }
    }
    note(Flag.nextHeader, nextHeader?.isInverted)
    for (index, field) in Self.fields.enumerated() {
      for relation in self[field.field]?.relations ?? [] {
        note(Flag.firstField << (UInt16(3 * index) + relation.value.rawValue), relation.isInverted)
      }
    }
    note(Flag.tag, tag?.isInverted)
    note(Flag.previousSegment, previousSegment?.isInverted)
    note(Flag.nextSegment, nextSegment?.isInverted)
    note(Flag.lastSegment, lastSegment?.isInverted)
    return flags
  }

  private func encodeNumbers(to out: inout ByteWriter) {
    out.write(nextHeader?.value ?? 0)
    out.write(length?.value ?? 0)
    out.write(segmentsLeft?.value ?? 0)
    out.write(lastEntry?.value ?? 0)
    out.write(tag?.value ?? 0)
  }

  /// Revision 0 has no segments.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    let flags = flags
    guard revision == 0, flags.match & ~Flag.allOfRevision0 == 0 else { return false }
    encodeNumbers(to: &out)
    out.write(flags.match)
    out.write(flags.invert)
    return true
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    encodeNumbers(to: &out)
    out.zeros(2)
    let segments = [previousSegment, nextSegment, lastSegment]
    for segment in segments { out.write(big: segment?.value.address.bits ?? 0) }
    for segment in segments { out.write(big: segment?.value.unionMask ?? 0) }
    let flags = flags
    out.write(flags.match)
    out.write(flags.invert)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let nextHeader = try bytes.uint8("next_hdr")
    let fields = [try bytes.uint8("hdr_len"), try bytes.uint8("segs_left"), try bytes.uint8("last_entry")]
    let tag = try bytes.uint16("tag")
    var segments: [(address: UInt128, mask: UInt128)] = Array(repeating: (0, 0), count: 3)
    if revision > 0 {
      try bytes.zeros("padding", 2)
      for index in 0..<3 { segments[index].address = try bytes.uint128("sid_addr") }
      for index in 0..<3 { segments[index].mask = try bytes.uint128("sid_msk") }
    }
    let flags = try bytes.uint16("mt_flags")
    let inverted = try bytes.uint16("mt_invflags")
    guard flags & ~(revision > 0 ? Flag.all : Flag.allOfRevision0) == 0, inverted & ~flags == 0 else {
      throw bytes.invalid("mt_flags")
    }

    func condition<Value>(_ value: Value, _ flag: UInt16) -> Negatable<Value>? {
      flags & flag == 0 ? nil : Negatable(value, inverted: inverted & flag != 0)
    }
    func segment(_ place: Int, _ flag: UInt16) throws(WireError) -> Negatable<ConntrackAddress>? {
      let address = ConntrackAddress(IPAddress(ipv6: segments[place].address), unionMask: segments[place].mask)
      guard address.network.prefixLength != nil else { throw bytes.invalid("sid_msk") }
      guard flags & flag != 0 || segments[place] == (0, 0) else { throw bytes.invalid("mt_flags") }
      return condition(address, flag)
    }
    guard flags & Flag.nextHeader != 0 || nextHeader == 0, flags & Flag.tag != 0 || tag == 0 else {
      throw bytes.invalid("mt_flags")
    }
    self.nextHeader = condition(nextHeader, Flag.nextHeader)
    self.tag = condition(tag, Flag.tag)
    previousSegment = try segment(0, Flag.previousSegment)
    nextSegment = try segment(1, Flag.nextSegment)
    lastSegment = try segment(2, Flag.lastSegment)
    for (index, field) in Self.fields.enumerated() {
      let relations = ByteComparison.Relation.allCases.compactMap {
        condition($0, Flag.firstField << (UInt16(3 * index) + $0.rawValue))
      }
      let comparison = ByteComparison(fields[index], relations)
      guard comparison != nil || fields[index] == 0 else { throw bytes.invalid("mt_flags") }
      self[field.field] = comparison
    }
  }
}

// MARK: Meaning

extension SegmentRoutingHeader {
  /// A packet without the header, with less of it than it says, or without the segment that is asked for does not
  /// match, inverted or not.
  public func matches(_ packet: Packet) -> Answer {
    guard let bytes = packet.bytes, let found = packet.ipv6Header(IPv6Extension.routing.rawValue) else {
      return .depends(on: "the packet's bytes")
    }
    guard case .at(let start) = found, let header = Header(bytes[start...]) else { return .no }
    return Answer(meets(header) && meetsSegments(header))
  }

  private func meets(_ header: Header) -> Bool {
    func meets(_ comparison: ByteComparison?, _ value: UInt8) -> Bool {
      comparison.map { comparison in
        comparison.relations.allSatisfy { $0.value.holds(value, comparison.value) != $0.isInverted }
      } ?? true
    }
    return nextHeader.map { ($0.value == header.nextHeader) != $0.isInverted } ?? true
      && meets(length, header.length) && meets(segmentsLeft, header.segmentsLeft)
      && meets(lastEntry, header.lastEntry)
      && tag.map { ($0.value == header.tag) != $0.isInverted } ?? true
  }

  /// The list of segments begins with the last.
  private func meetsSegments(_ header: Header) -> Bool {
    func meets(_ segment: Negatable<ConntrackAddress>?, _ exists: Bool, at place: Int) -> Bool {
      guard let segment else { return true }
      guard exists, let address = header.segment(place) else { return false }
      return segment.value.network.contains(address) != segment.isInverted
    }
    let left = Int(header.segmentsLeft)
    return meets(previousSegment, left != header.lastEntry, at: left + 1) && meets(nextSegment, left != 0, at: left - 1)
      && meets(lastSegment, true, at: 0)
  }

  /// A routing header of type 4 and what follows it.
  private struct Header {
    let bytes: [UInt8]

    init?(_ bytes: ArraySlice<UInt8>) {
      guard bytes.count >= 8 else { return nil }
      self.bytes = Array(bytes)
      guard IPv6Extension.routing.length(length) <= bytes.count, self.bytes[2] == 4, segmentsLeft <= lastEntry else {
        return nil
      }
    }

    var nextHeader: UInt8 { bytes[0] }
    var length: UInt8 { bytes[1] }
    var segmentsLeft: UInt8 { bytes[3] }
    var lastEntry: UInt8 { bytes[4] }

    /// In this machine's byte order, not the network's: the kernel compares it with the rule's number as it stands.
    var tag: UInt16 { UInt16(littleEndian: UInt16(bytes[6]) | UInt16(bytes[7]) << 8) }

    /// nil where the packet ends before.
    func segment(_ place: Int) -> IPAddress? {
      let start = 8 + 16 * place
      guard start + 16 <= bytes.count else { return nil }
      return IPAddress(ipv6: bytes[start..<start + 16].reduce(0) { $0 << 8 | UInt128($1) })
    }
  }
}

extension SegmentRoutingHeader.ByteComparison.Relation {
  fileprivate func holds(_ field: UInt8, _ number: UInt8) -> Bool {
    switch self {
    case .equal: field == number
    case .greater: field > number
    case .less: field < number
    }
  }
}
