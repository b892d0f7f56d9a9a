/// The kernel's bytes of a rule: `struct ipt_entry` or `struct ip6t_entry`, its matches, its target
/// (linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, linux/netfilter/x_tables.h).
///
/// A jump is kept by name, in the place where the kernel keeps a target's name; the distance that the kernel wants is
/// put in when a table is laid out. Fields that only the kernel uses (`nfcache`, `comefrom`) are zero.
package enum RuleCodec {
  /// Where the fields of a rule's head stand.
  package struct Layout: Sendable {
    package let interfaces: Int
    package let proto: Int
    package let flags: Int
    package let invertFlags: Int
    package let cache: Int
    package let targetOffset: Int
    package let nextOffset: Int
    package let comeFrom: Int
    package let counters: Int
    package let size: Int

    package static let ipv4 = Layout(
      interfaces: 16, proto: 80, flags: 82, invertFlags: 83, cache: 84, targetOffset: 88, nextOffset: 90,
      comeFrom: 92, counters: 96, size: 112)
    package static let ipv6 = Layout(
      interfaces: 64, proto: 128, flags: 131, invertFlags: 132, cache: 136, targetOffset: 140, nextOffset: 142,
      comeFrom: 144, counters: 152, size: 168)

    package static func of(_ family: Family) -> Layout { family == .ipv4 ? .ipv4 : .ipv6 }
  }

  /// `struct xt_entry_match` and `struct xt_entry_target`: size, name, revision.
  package static let extensionHeaderSize = 32
  package static let extensionNameSize = 29
  /// `XT_ALIGN`: every structure ends on a multiple of 8.
  package static let alignment = 8
  /// A verdict or a jump: the header, a 32-bit verdict, padding.
  package static let standardTargetSize = 40
  /// Stands in the verdict field of a jump by name, so that it cannot be taken for an extension of that name.
  package static let jumpMarker: UInt32 = 0x504d_554a

  /// The verdict field and the padding of a jump by name. Where the chain has the name of a target the marker stands in
  /// both: a target as short as this leaves the padding zero.
  static func jumpMarkers(for chain: NameKey?) -> UInt64 {
    let isTarget = chain.map(targetNames.contains) ?? false
    return UInt64(jumpMarker) | (isTarget ? UInt64(jumpMarker) << 32 : 0)
  }

  private static let targetNames = Registry.standard.targetNames
  /// The largest rule: its length is a 16-bit number.
  package static let maxRuleSize = Int(UInt16.max)

  enum Flag {
    static let fragment: UInt8 = 0x01  // IPT_F_FRAG
    static let goto4: UInt8 = 0x02  // IPT_F_GOTO
    static let proto6: UInt8 = 0x01  // IP6T_F_PROTO
    static let goto6: UInt8 = 0x04  // IP6T_F_GOTO
  }

  /// `IPT_INV_*`, the same numbers for both families.
  enum Invert {
    static let inInterface: UInt8 = 0x01
    static let outInterface: UInt8 = 0x02
    static let source: UInt8 = 0x08
    static let destination: UInt8 = 0x10
    static let fragment: UInt8 = 0x20
    static let proto: UInt8 = 0x40
    static let known: UInt8 = 0x7b
  }
}

// MARK: Encoding

extension RuleCodec {
  /// Appends a rule.
  package static func encode(_ rule: Rule, family: Family, to out: inout ByteWriter) {
    let layout = Layout.of(family)
    let start = out.count
    encodeHead(rule, family, to: &out)
    for match in rule.matches {
      append(match, family, to: &out)
    }
    out.patch(UInt16(out.count - start), at: start + layout.targetOffset)
    if case .extension(let target) = rule.target {
      append(target, family, to: &out)
    } else {
      appendStandard(rule.target, to: &out)
    }
    out.patch(UInt16(truncatingIfNeeded: out.count - start), at: start + layout.nextOffset)
  }

  /// Appends a rule for a kernel that lacks the revisions which ``encode(_:family:to:)`` writes.
  /// - Parameter revision: the one to write of each extension.
  /// - Returns: the extension that cannot be said in it; the rule is then not whole. nil when all is well.
  package static func encode(
    _ rule: Rule, family: Family, to out: inout ByteWriter, revision: (any Extension) -> UInt8
  ) -> (any Extension)? {
    let layout = Layout.of(family)
    let start = out.count
    encodeHead(rule, family, to: &out)
    for match in rule.matches {
      guard append(match, family, earlier: revision(match), to: &out) else { return match }
    }
    out.patch(UInt16(out.count - start), at: start + layout.targetOffset)
    if case .extension(let target) = rule.target {
      guard append(target, family, earlier: revision(target), to: &out) else { return target }
    } else {
      appendStandard(rule.target, to: &out)
    }
    out.patch(UInt16(truncatingIfNeeded: out.count - start), at: start + layout.nextOffset)
    return nil
  }

  private static func encodeHead(_ rule: Rule, _ family: Family, to out: inout ByteWriter) {
    let any = AddressMask.any(family)
    let source = rule.source?.value ?? any
    let destination = rule.destination?.value ?? any
    out.write(address: source.address.bits | rule.residue.sourceBits, family)
    out.write(address: destination.address.bits | rule.residue.destinationBits, family)
    out.write(address: source.mask, family)
    out.write(address: destination.mask, family)
    out.write(big: rule.inInterface?.value.name ?? 0)
    out.write(big: rule.outInterface?.value.name ?? 0)
    out.write(big: rule.inInterface?.value.mask ?? 0)
    out.write(big: rule.outInterface?.value.mask ?? 0)
    out.write(UInt16(rule.proto?.value.rawValue ?? 0) | UInt16(rule.residue.protocolBits) << 8)
    var flags = rule.residue.flags
    if case .goto = rule.target { flags |= family == .ipv4 ? Flag.goto4 : Flag.goto6 }
    switch family {
    case .ipv4:
      if rule.fragment != nil { flags |= Flag.fragment }
    case .ipv6:
      out.write(rule.residue.trafficClass)
      if (rule.proto != nil) != rule.residue.protocolFlagDiffers { flags |= Flag.proto6 }
    }
    out.write(flags)
    out.write(invertFlags(of: rule))
    if family == .ipv6 { out.zeros(3) }
    out.write(UInt32(0))  // nfcache
    out.write(UInt16(0))  // target_offset, next_offset: set at the end
    out.write(UInt16(0))
    out.write(UInt32(0))  // comefrom
    if family == .ipv6 { out.zeros(4) }
    out.write(rule.counters.packets)
    out.write(rule.counters.bytes)
  }

  private static func invertFlags(of rule: Rule) -> UInt8 {
    var flags = rule.residue.invertFlags
    if rule.inInterface?.isInverted == true { flags |= Invert.inInterface }
    if rule.outInterface?.isInverted == true { flags |= Invert.outInterface }
    if rule.source?.isInverted == true { flags |= Invert.source }
    if rule.destination?.isInverted == true { flags |= Invert.destination }
    if rule.fragment?.isInverted == true { flags |= Invert.fragment }
    if rule.proto?.isInverted == true { flags |= Invert.proto }
    return flags
  }

  private static func append(_ part: some Extension, _ family: Family, to out: inout ByteWriter) {
    let start = out.count
    out.write(UInt16(0))
    out.write(text: part.kernelName, size: extensionNameSize)
    out.write(part.revision(for: family))
    part.encode(to: &out, family: family)
    out.align(alignment, from: start)
    out.patch(UInt16(truncatingIfNeeded: out.count - start), at: start)
  }

  /// - Returns: false when the extension cannot be said in this revision.
  private static func append(
    _ part: some Extension, _ family: Family, earlier revision: UInt8, to out: inout ByteWriter
  )
    -> Bool
  {
    guard revision != part.revision(for: family) else {
      append(part, family, to: &out)
      return true
    }
    let start = out.count
    out.write(UInt16(0))
    out.write(text: part.kernelName, size: extensionNameSize)
    out.write(revision)
    guard part.encode(to: &out, family: family, earlier: revision) else { return false }
    out.align(alignment, from: start)
    out.patch(UInt16(truncatingIfNeeded: out.count - start), at: start)
    return true
  }

  private static func appendStandard(_ target: RuleTarget, to out: inout ByteWriter) {
    switch target {
    case .verdict(let verdict): appendStandard("\(verdict.label)", to: &out)
    case .jump(let chain), .goto(let chain):
      appendStandard(chain.text, verdict: jumpMarkers(for: NameKey(chain.text.utf8)), to: &out)
    case .none, .extension: appendStandard("", to: &out)
    }
  }

  /// A verdict by its label, a jump by its chain, or nothing where the label is empty.
  package static func appendStandard(_ label: String, verdict: UInt64 = 0, to out: inout ByteWriter) {
    out.write(UInt16(standardTargetSize))
    out.write(text: label, size: extensionNameSize)
    out.write(UInt8(0))
    out.write(verdict)
  }
}

// MARK: Decoding

extension RuleCodec {
  /// Reads a rule whose structure ``check(_:family:)`` has passed.
  /// - Throws: ``WireError`` when it has not.
  package static func decode(_ bytes: RawSpan, family: Family, registry: Registry) throws(WireError) -> Rule {
    let layout = Layout.of(family)
    var rule = Rule()
    var reader = ByteReader(bytes)
    let flags = try decodeHead(&reader, family, into: &rule)
    var offset = layout.size
    let targetOffset = Int(bytes.unsafeLoadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
    while offset < targetOffset {
      let header = try ExtensionHeader(bytes, at: offset)
      let payload = bytes.extracting(offset + extensionHeaderSize..<offset + header.size)
      rule.matches.append(registry.decodeMatch(header, family, payload))
      offset += header.size
    }
    let header = try ExtensionHeader(bytes, at: targetOffset)
    let payload = bytes.extracting(targetOffset + extensionHeaderSize..<targetOffset + header.size)
    let isGoto = flags & (family == .ipv4 ? Flag.goto4 : Flag.goto6) != 0
    rule.target = target(header, payload, isGoto: isGoto, family: family, registry: registry)
    if isGoto, rule.target.chain == nil {
      rule.residue.flags |= family == .ipv4 ? Flag.goto4 : Flag.goto6
    }
    return rule
  }

  private static func target(
    _ header: ExtensionHeader, _ payload: RawSpan, isGoto: Bool, family: Family, registry: Registry
  ) -> RuleTarget {
    if header.size == standardTargetSize, header.revision == 0 {
      if header.isUnnamed { return .none }
      if let verdict = header.verdict { return .verdict(verdict) }
      if payload.unsafeLoadUnaligned(as: UInt64.self) == jumpMarkers(for: header.key) {
        let chain = ChainName(unchecked: header.name)
        return isGoto ? .goto(chain) : .jump(chain)
      }
    }
    return .extension(registry.decodeTarget(header, family, payload))
  }

  /// Reads the head into `rule` and returns its flags.
  private static func decodeHead(_ reader: inout ByteReader, _ family: Family, into rule: inout Rule)
    throws(WireError) -> UInt8
  {
    let source = try reader.addressBits("src", family)
    let destination = try reader.addressBits("dst", family)
    let sourceMask = try reader.addressBits("smsk", family)
    let destinationMask = try reader.addressBits("dmsk", family)
    let inName = try reader.uint128("iniface")
    let outName = try reader.uint128("outiface")
    let inMask = try reader.uint128("iniface_mask")
    let outMask = try reader.uint128("outiface_mask")
    let number = try reader.uint16("proto")
    let proto = UInt8(truncatingIfNeeded: number)
    rule.residue.sourceBits = source & ~sourceMask
    rule.residue.destinationBits = destination & ~destinationMask
    rule.residue.protocolBits = UInt8(number >> 8)
    if family == .ipv6 { rule.residue.trafficClass = try reader.uint8("tos") }
    let flags = try reader.uint8("flags")
    let inverts = try reader.uint8("invflags")
    func inverted(_ bit: UInt8) -> Bool { inverts & bit != 0 }

    if source & sourceMask != 0 || sourceMask != 0 || inverted(Invert.source) {
      let network = AddressMask(address: IPAddress(family: family, bits: source), mask: sourceMask)
      rule.source = Negatable(network, inverted: inverted(Invert.source))
    }
    if destination & destinationMask != 0 || destinationMask != 0 || inverted(Invert.destination) {
      let network = AddressMask(address: IPAddress(family: family, bits: destination), mask: destinationMask)
      rule.destination = Negatable(network, inverted: inverted(Invert.destination))
    }
    if inName != 0 || inMask != 0 || inverted(Invert.inInterface) {
      rule.inInterface = Negatable(
        InterfacePattern(name: inName, mask: inMask), inverted: inverted(Invert.inInterface))
    }
    if outName != 0 || outMask != 0 || inverted(Invert.outInterface) {
      rule.outInterface = Negatable(
        InterfacePattern(name: outName, mask: outMask), inverted: inverted(Invert.outInterface))
    }
    let namesProtocol = proto != 0 || inverted(Invert.proto)
    let hasFlag = family == .ipv6 && flags & Flag.proto6 != 0
    if namesProtocol || hasFlag {
      rule.proto = Negatable(IPProtocol(rawValue: proto), inverted: inverted(Invert.proto))
    }
    if family == .ipv6 { rule.residue.protocolFlagDiffers = namesProtocol && !hasFlag }
    if family == .ipv4, flags & Flag.fragment != 0 {
      rule.fragment = Negatable(.secondOrLater, inverted: inverted(Invert.fragment))
    }
    let knownFlags = family == .ipv4 ? Flag.fragment | Flag.goto4 : Flag.proto6 | Flag.goto6
    rule.residue.flags = flags & ~knownFlags
    rule.residue.invertFlags = inverts & ~Invert.known
    if rule.fragment == nil { rule.residue.invertFlags |= inverts & Invert.fragment }

    let layout = Layout.of(family)
    try reader.skip("nfcache", layout.counters - reader.offset)
    rule.counters.packets = try reader.uint64("pcnt")
    rule.counters.bytes = try reader.uint64("bcnt")
    return flags
  }

  /// `struct xt_entry_match` or `struct xt_entry_target` without its data.
  struct ExtensionHeader {
    let size: Int
    let revision: UInt8
    /// The name's field.
    private let field: (first: UInt128, second: UInt128)

    init(_ bytes: RawSpan, at offset: Int) throws(WireError) {
      guard offset >= 0, offset + extensionHeaderSize <= bytes.byteCount else {
        throw WireError(offset: offset, field: "match_size", reason: .truncated)
      }
      size = Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let first = bytes.unsafeLoadUnaligned(fromByteOffset: offset + 2, as: UInt128.self)
      let last = bytes.unsafeLoadUnaligned(fromByteOffset: offset + extensionHeaderSize - 16, as: UInt128.self)
      revision = UInt8(truncatingIfNeeded: last.bigEndian)
      field = (first.bigEndian, last.bigEndian)
      guard size >= extensionHeaderSize, offset + size <= bytes.byteCount else {
        throw WireError(offset: offset, field: "match_size", reason: .invalid)
      }
    }

    var isUnnamed: Bool { field.first >> 120 == 0 }

    /// The name as a number where it has at most 16 bytes.
    var key: NameKey? { NameKey(padded: field.first) }

    /// The verdict of which it is the label.
    var verdict: Verdict? {
      guard let key else { return nil }
      return verdictKeys.first { $0.0 == key }?.1
    }

    /// Up to the first zero.
    var name: String {
      var bytes: [UInt8] = []
      for place in 0..<extensionNameSize {
        // The second number repeats the bytes from the 15th on.
        let byte =
          place < 16 ? field.first >> UInt128(120 - 8 * place) : field.second >> UInt128(120 - 8 * (place - 14))
        guard UInt8(truncatingIfNeeded: byte) != 0 else { break }
        bytes.append(UInt8(truncatingIfNeeded: byte))
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  fileprivate static let verdictKeys = Verdict.allCases.map { (NameKey("\($0.label)".utf8), $0) }

  /// Whether bytes have the structure of one whole rule: offsets and sizes that stay inside, names that end.
  /// - Throws: ``WireError`` with the place.
  package static func check(_ bytes: RawSpan, family: Family) throws(WireError) {
    let layout = Layout.of(family)
    guard bytes.byteCount >= layout.size + extensionHeaderSize else {
      throw WireError(offset: bytes.byteCount, field: "entry", reason: .truncated)
    }
    let target = Int(bytes.unsafeLoadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
    let next = Int(bytes.unsafeLoadUnaligned(fromByteOffset: layout.nextOffset, as: UInt16.self))
    guard next == bytes.byteCount else {
      throw WireError(offset: layout.nextOffset, field: "next_offset", reason: .invalid)
    }
    guard target >= layout.size, target + extensionHeaderSize <= next else {
      throw WireError(offset: layout.targetOffset, field: "target_offset", reason: .invalid)
    }
    var offset = layout.size
    while offset < target {
      let size = Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
      guard size >= extensionHeaderSize, size % alignment == 0, offset + size <= target else {
        throw WireError(offset: offset, field: "match_size", reason: .invalid)
      }
      try checkName(bytes, at: offset, isLabel: false)
      offset += size
      guard offset == target || offset + extensionHeaderSize <= target else {
        throw WireError(offset: offset, field: "match_size", reason: .truncated)
      }
    }
    let size = Int(bytes.unsafeLoadUnaligned(fromByteOffset: target, as: UInt16.self))
    guard size >= extensionHeaderSize, size % alignment == 0, target + size == next else {
      throw WireError(offset: target, field: "target_size", reason: .invalid)
    }
    try checkName(bytes, at: target, isLabel: size == standardTargetSize)
  }

  /// A name ends inside its field, nothing follows it there, since names are compared as numbers, and it is one word.
  private static func checkName(_ bytes: RawSpan, at header: Int, isLabel: Bool) throws(WireError) {
    let first = bytes.unsafeLoadUnaligned(fromByteOffset: header + 2, as: UInt128.self).bigEndian
    let last = bytes.unsafeLoadUnaligned(fromByteOffset: header + extensionHeaderSize - 16, as: UInt128.self).bigEndian
    // The last 13 of the 29 bytes; those before them are in the first number.
    let rest = last << 16 & ~(.max >> 104)
    let isEnded = last >> 8 & 0xff == 0 && (first & 0xff != 0 || rest == 0)
    let isNamed = first != 0 || isLabel && last & 0xff == 0
    let high = (UInt128.max / 0xff) << 7
    let isASCII = first & high == 0 && rest & high == 0
    guard isEnded, isNamed, isWord(first), isWord(rest), isASCII || isLabel && isUTF8(bytes, at: header + 2) else {
      throw WireError(offset: header + 2, field: "name", reason: .invalid)
    }
  }

  private static func isUTF8(_ bytes: RawSpan, at name: Int) -> Bool {
    bytes.extracting(name..<name + extensionNameSize).withUnsafeBytes {
      String(validating: $0.prefix { $0 != 0 }, as: UTF8.self) != nil
    }
  }

  /// Whether bytes are those of a word with nothing but zeros behind it.
  private static func isWord(_ bytes: UInt128) -> Bool {
    guard bytes != 0 else { return true }
    let each = UInt128.max / 0xff
    // Zeros at the end count as letters.
    let filled = bytes | ~(.max << UInt128(bytes.trailingZeroBitCount / 8 * 8)) & each * UInt128(UInt8(ascii: "a"))
    let isBelowBlank = (filled &- each * 0x21) & ~filled & each << 7
    let delete = filled ^ each * 0x7f
    return isBelowBlank == 0 && (delete &- each) & ~delete & each << 7 == 0
  }
}
