internal import CNFTables
package import Netfilter
package import RuleStore

/// Writes the expressions of common rules straight from their bytes: what ``NFTRuleCodec`` and ``ExpressionAttributes``
/// say together, several times faster. Interfaces, protocol, addresses, ports, and verdicts are read here; any other
/// match or target is asked for once and remembered by its bytes.
///
/// A rule that is written here comes back from the kernel as it went there. All others are left to the codec.
package final class CommonRules {
  private let family: Family
  private let layout: RuleCodec.Layout
  private let addressSize: Int
  private let templates: ExpressionTemplates
  private var known: [PartKey: Part] = [:]

  /// What a match or a target is in nf_tables.
  private struct Part {
    /// nil where only the codec can tell.
    let attributes: [UInt8]?
    let isOfXTables: Bool
  }

  /// Parts with a text or a number of their own are many.
  private static let longestMemory = 4096

  /// Which revision of an extension to write; nil for the newest.
  private let revisions: KernelRevisions?

  package init(family: Family, revisions: KernelRevisions? = nil) {
    self.family = family
    self.revisions = revisions
    layout = .of(family)
    addressSize = family.addressBits / 8
    templates = ExpressionTemplates(family)
  }

  /// What the kernel asks besides of a rule that was written.
  package struct Written {
    /// Which protocol the rule's extensions of xtables are for; nil where there are none or it names none.
    package let proto: Negatable<IPProtocol>?
  }

  /// Writes the expressions of a rule of this family, each as `NFTA_LIST_ELEM`.
  /// - Returns: nil for a rule that is not a common one; nothing is then written.
  package func write(_ index: Int, of rules: RuleList, to out: inout ByteWriter) -> Written? {
    let start = out.count
    let size = rules.range(of: index).count
    let written = rules.withEntry(index) { entry in
      write(UnsafeRawBufferPointer(start: entry, count: size), index, rules, to: &out)
    }
    if written == nil { out.truncate(to: start) }
    return written
  }

  private func write(
    _ entry: UnsafeRawBufferPointer, _ index: Int, _ rules: RuleList, to out: inout ByteWriter
  ) -> Written? {
    let flags = entry[layout.flags]
    let inverts = entry[layout.invertFlags]
    let proto = entry[layout.proto]
    guard inverts & ~(Invert.source | Invert.destination | Invert.proto | Invert.interfaces) == 0,
      entry[layout.proto + 1] == 0, flags & ~(Flag.proto6(family) | Flag.goto(family)) == 0
    else { return nil }
    if family == .ipv6 {
      guard entry[layout.proto + 2] == 0, (flags & Flag.proto6(family) != 0) == (proto != 0) else { return nil }
    }
    guard proto != 0 || inverts & Invert.proto == 0 else { return nil }

    let interfaces = layout.interfaces
    guard
      writeInterface(
        entry, interfaces, templates.inInterface, isInverted: inverts & Invert.inInterface != 0, to: &out),
      writeInterface(
        entry, interfaces + 16, templates.outInterface, isInverted: inverts & Invert.outInterface != 0, to: &out)
    else { return nil }
    if proto != 0 {
      out.write(templates.proto)
      compare(
        UnsafeRawBufferPointer(rebasing: entry[layout.proto..<layout.proto + 1]),
        isInverted: inverts & Invert.proto != 0, to: &out)
    }
    let condition = proto != 0 ? Negatable(IPProtocol(rawValue: proto), inverted: inverts & Invert.proto != 0) : nil
    guard
      writeNetwork(entry, 0, templates.source, isInverted: inverts & Invert.source != 0, to: &out),
      writeNetwork(
        entry, addressSize, templates.destination, isInverted: inverts & Invert.destination != 0, to: &out)
    else { return nil }

    var usesXTables = false
    var hasPorts = false
    var offset = layout.size
    let target = Int(entry.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
    while offset < target {
      let size = Int(entry.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let match = UnsafeRawBufferPointer(rebasing: entry[offset..<offset + size])
      if let isTCP = Self.isTransport(match) {
        guard !hasPorts, condition == Negatable(isTCP ? .tcp : .udp), writePorts(match, isTCP, to: &out) else {
          return nil
        }
        hasPorts = true
      } else {
        guard let part = part(match, index, rules, .match), let attributes = part.attributes else {
          return nil
        }
        out.write(attributes)
        usesXTables = usesXTables || part.isOfXTables
      }
      offset += size
    }

    let counters = rules.counters(of: index)
    if counters == .zero {
      out.write(templates.counter)
    } else {
      ExpressionAttributes.write(.counter(counters), to: &out)
    }
    let bytes = UnsafeRawBufferPointer(rebasing: entry[target...])
    let isGoto = flags & Flag.goto(family) != 0
    switch rules.standardLabel(of: index) {
    case .verdict(.accept) where !isGoto: out.write(templates.accept)
    case .verdict(.drop) where !isGoto: out.write(templates.drop)
    case .verdict(.return) where !isGoto: out.write(templates.return)
    default:
      guard let part = part(bytes, index, rules, isGoto ? .goto : .target), let attributes = part.attributes else {
        return nil
      }
      out.write(attributes)
      usesXTables = usesXTables || part.isOfXTables
    }
    return Written(proto: usesXTables ? condition : nil)
  }

  private enum Flag {
    static func proto6(_ family: Family) -> UInt8 { family == .ipv6 ? 0x01 : 0 }
    static func goto(_ family: Family) -> UInt8 { family == .ipv6 ? 0x04 : 0x02 }
  }

  /// `IPT_INV_*`, the same numbers for both families.
  private enum Invert {
    static let inInterface: UInt8 = 0x01
    static let outInterface: UInt8 = 0x02
    static let interfaces: UInt8 = 0x03
    static let source: UInt8 = 0x08
    static let destination: UInt8 = 0x10
    static let proto: UInt8 = 0x40
  }

  // MARK: The head

  private func compare(_ data: UnsafeRawBufferPointer, isInverted: Bool, to out: inout ByteWriter) {
    out.write(isInverted ? templates.notEqual[data.count] : templates.equal[data.count])
    out.write(data)
    out.align(4)
  }

  /// A whole name, or none.
  private func writeInterface(
    _ entry: UnsafeRawBufferPointer, _ place: Int, _ load: [UInt8], isInverted: Bool, to out: inout ByteWriter
  ) -> Bool {
    let name = UnsafeRawBufferPointer(rebasing: entry[place..<place + 16])
    let mask = UnsafeRawBufferPointer(rebasing: entry[place + 32..<place + 48])
    guard name[0] != 0 else {
      return !isInverted && name.loadUnaligned(as: UInt128.self) == 0 && mask.loadUnaligned(as: UInt128.self) == 0
    }
    guard let length = name.firstIndex(of: 0), name[length - 1] != UInt8(ascii: "+"),
      name[length...].allSatisfy({ $0 == 0 }), mask[...length].allSatisfy({ $0 == 0xff }),
      mask[(length + 1)...].allSatisfy({ $0 == 0 })
    else { return false }
    out.write(load)
    compare(UnsafeRawBufferPointer(rebasing: name[...length]), isInverted: isInverted, to: &out)
    return true
  }

  private func writeNetwork(
    _ entry: UnsafeRawBufferPointer, _ place: Int, _ loads: [[UInt8]], isInverted: Bool, to out: inout ByteWriter
  ) -> Bool {
    let address = UnsafeRawBufferPointer(rebasing: entry[place..<place + addressSize])
    let maskPlace = place + 2 * addressSize
    let mask = UnsafeRawBufferPointer(rebasing: entry[maskPlace..<maskPlace + addressSize])
    let under = bits(mask)
    guard under != 0 else { return !isInverted && bits(address) == 0 }
    let length = (~under).leadingZeroBitCount
    guard bits(address) & ~under == 0, length == 128 || under << UInt128(length) == 0 else { return false }
    if NFTRuleCodec.loadsPrefixAlone(length, family) {
      out.write(loads[length / 8])
      compare(UnsafeRawBufferPointer(rebasing: address[..<(length / 8)]), isInverted: isInverted, to: &out)
    } else {
      out.write(loads[addressSize])
      out.write(templates.maskHead)
      out.write(mask)
      out.write(templates.maskTail)
      compare(address, isInverted: isInverted, to: &out)
    }
    return true
  }

  /// The highest bits of a number.
  private func bits(_ address: UnsafeRawBufferPointer) -> UInt128 {
    switch family {
    case .ipv4: UInt128(UInt32(bigEndian: address.loadUnaligned(as: UInt32.self))) << 96
    case .ipv6: UInt128(bigEndian: address.loadUnaligned(as: UInt128.self))
    }
  }

  // MARK: Ports

  /// Whether a match is `tcp` or else `udp`, in the first revision; nil for any other.
  private static func isTransport(_ match: UnsafeRawBufferPointer) -> Bool? {
    guard match[RuleCodec.extensionHeaderSize - 1] == 0, match[4] == UInt8(ascii: "p"), match[5] == 0 else {
      return nil
    }
    switch (match[2], match[3]) {
    case (UInt8(ascii: "t"), UInt8(ascii: "c")): return true
    case (UInt8(ascii: "u"), UInt8(ascii: "d")): return false
    default: return nil
    }
  }

  /// `struct xt_tcp` and `struct xt_udp` (linux/netfilter/xt_tcpudp.h) that ask for ports only, and not for others than.
  private func writePorts(_ match: UnsafeRawBufferPointer, _ isTCP: Bool, to out: inout ByteWriter) -> Bool {
    let data = UnsafeRawBufferPointer(rebasing: match[RuleCodec.extensionHeaderSize...])
    // Behind the ports: option, flags' mask, flags, inversions; or inversions alone.
    let tail = isTCP ? 8..<12 : 8..<9
    guard data.count >= tail.upperBound, data[tail].allSatisfy({ $0 == 0 }) else { return false }
    let ports = data.loadUnaligned(as: SIMD4<UInt16>.self)
    let asksSource = ports[0] != 0 || ports[1] != .max
    let asksDestination = ports[2] != 0 || ports[3] != .max
    guard asksSource || asksDestination, ports[0] <= ports[1], ports[2] <= ports[3] else { return false }
    if ports[0] == ports[1], ports[2] == ports[3], ports[0] != 0, ports[2] != 0 {
      out.write(templates.bothPorts)
      var pair = (ports[0].bigEndian, ports[2].bigEndian)
      withUnsafeBytes(of: &pair) { compare($0, isInverted: false, to: &out) }
      return true
    }
    if asksSource { writePorts(ports[0], ports[1], templates.sourcePort, to: &out) }
    if asksDestination { writePorts(ports[2], ports[3], templates.destinationPort, to: &out) }
    return true
  }

  private func writePorts(_ first: UInt16, _ last: UInt16, _ load: [UInt8], to out: inout ByteWriter) {
    out.write(load)
    var first = first.bigEndian
    var last = last.bigEndian
    if first == last {
      withUnsafeBytes(of: &first) { compare($0, isInverted: false, to: &out) }
    } else if first == 0 {
      out.write(templates.portAtMost)
      withUnsafeBytes(of: &last) { out.write($0) }
      out.align(4)
    } else {
      out.write(templates.portRangeHead)
      withUnsafeBytes(of: &first) { out.write($0) }
      out.align(4)
      out.write(templates.portRangeMiddle)
      withUnsafeBytes(of: &last) { out.write($0) }
      out.align(4)
    }
  }

  // MARK: Other matches and targets

  private enum Role {
    case match
    case target
    case goto
  }

  private struct PartKey: Hashable {
    let role: Role
    let bytes: [UInt8]

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
  }

  private func part(
    _ bytes: UnsafeRawBufferPointer, _ index: Int, _ rules: RuleList, _ role: Role
  ) -> Part? {
    let key = PartKey(role: role, bytes: Array(bytes))
    if let part = known[key] { return part }
    if known.count >= Self.longestMemory { known.removeAll(keepingCapacity: true) }
    let part = read(bytes, rules[index], isTarget: role != .match)
    known[key] = part
    return part
  }

  /// Asks the codec about one match or target alone.
  private func read(_ bytes: UnsafeRawBufferPointer, _ rule: Rule, isTarget: Bool) -> Part {
    let candidates =
      isTarget
      ? [Self.alone { $0.target = rule.target }] : rule.matches.map { match in Self.alone { $0.matches = [match] } }
    for candidate in candidates {
      let list = RuleList(CollectionOfOne(candidate), family: family)
      guard Self.holds(list, bytes, isTarget: isTarget), let expressions = try? expressions(of: candidate),
        let back = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard),
        RuleList(CollectionOfOne(back), family: family) == list
      else { continue }
      var out = ByteWriter()
      // The rule's own counter stands between matches and target.
      for expression in expressions where expression != .counter(.zero) {
        ExpressionAttributes.write(expression, to: &out)
      }
      return Part(attributes: out.bytes, isOfXTables: expressions.contains(where: \.isOfXTables))
    }
    return Part(attributes: nil, isOfXTables: false)
  }

  private func expressions(of rule: Rule) throws(NFTRuleCodec.Unsupported) -> [NFTExpression] {
    try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard) { part in
      revisions?.revision(of: part, family) ?? part.revision(for: family)
    }
  }

  /// Whether the one rule's matches, or its target, are these bytes.
  private static func holds(_ list: RuleList, _ bytes: UnsafeRawBufferPointer, isTarget: Bool) -> Bool {
    let layout = RuleCodec.Layout.of(list.family)
    return list.withEntry(0) { start in
      let entry = UnsafeRawBufferPointer(start: start, count: list.bytes.count)
      let target = Int(entry.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
      return entry[isTarget ? target..<entry.count : layout.size..<target].elementsEqual(bytes)
    }
  }

  private static func alone(_ fill: (inout Rule) -> Void) -> Rule {
    var rule = Rule()
    fill(&rule)
    return rule
  }
}

/// The attributes of expressions as far as they are always the same.
struct ExpressionTemplates {
  let inInterface: [UInt8]
  let outInterface: [UInt8]
  let proto: [UInt8]
  /// By the number of bytes that are loaded.
  let source: [[UInt8]]
  let destination: [[UInt8]]
  let sourcePort: [UInt8]
  let destinationPort: [UInt8]
  let bothPorts: [UInt8]
  /// By the number of bytes, which follow.
  let equal: [[UInt8]]
  let notEqual: [[UInt8]]
  /// The port follows.
  let portAtMost: [UInt8]
  /// The first port follows, and the last one behind the middle.
  let portRangeHead: [UInt8]
  let portRangeMiddle: [UInt8]
  /// Between them comes a mask as long as an address.
  let maskHead: [UInt8]
  let maskTail: [UInt8]
  let counter: [UInt8]
  let accept: [UInt8]
  let drop: [UInt8]
  let `return`: [UInt8]

  private static let register: NFTRegister = 1

  init(_ family: Family) {
    let register = Self.register
    func bytes(_ expression: NFTExpression) -> [UInt8] {
      var out = ByteWriter()
      ExpressionAttributes.write(expression, to: &out)
      return out.bytes
    }
    /// Without constants at the end.
    func head(_ expression: NFTExpression, without count: Int) -> [UInt8] {
      Array(bytes(expression).dropLast((count + 3) & ~3))
    }
    func load(_ base: NFTPayloadBase, _ offset: Int, _ length: Int) -> [UInt8] {
      bytes(.payload(base, offset: offset, length: length, into: register))
    }
    func compare(_ comparison: NFTComparison, _ count: Int) -> [UInt8] {
      head(.compare(comparison, register, [UInt8](repeating: 0, count: count)), without: count)
    }
    inInterface = bytes(.meta(.inInterfaceName, into: register))
    outInterface = bytes(.meta(.outInterfaceName, into: register))
    proto = bytes(.meta(.transportProtocol, into: register))
    let addressSize = family.addressBits / 8
    source = (0...addressSize).map { load(.network, NFTRuleCodec.sourceOffset(family), $0) }
    destination = (0...addressSize).map { load(.network, NFTRuleCodec.destinationOffset(family), $0) }
    sourcePort = load(.transport, 0, 2)
    destinationPort = load(.transport, 2, 2)
    bothPorts = load(.transport, 0, 4)
    equal = (0...16).map { compare(.equal, $0) }
    notEqual = (0...16).map { compare(.notEqual, $0) }
    portAtMost = compare(.lessOrEqual, 2)
    let range = bytes(.range(register, from: [0, 0], to: [0, 0], inverted: false))
    // Each port stands in 4 bytes, behind two attribute heads.
    portRangeHead = Array(range.dropLast(4 + 8 + 4))
    portRangeMiddle = Array(range.dropLast(4).suffix(8))
    let none = [UInt8](repeating: 0, count: addressSize)
    let mask = bytes(.bitwise(register, mask: none, flip: none, into: register))
    maskHead = Array(mask.dropLast(addressSize + 8 + addressSize))
    maskTail = Array(mask.suffix(8 + addressSize))
    counter = bytes(.counter(.zero))
    accept = bytes(.verdict(.accept))
    drop = bytes(.verdict(.drop))
    `return` = bytes(.verdict(.return))
  }
}
