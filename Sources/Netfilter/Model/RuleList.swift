/// The rules of one chain, in order.
///
/// The list keeps the kernel's bytes of each rule (``RuleCodec``), one rule behind the other, and makes a typed
/// ``Rule`` of them when asked: a hundred thousand rules then cost what the kernel itself needs for them, equality is a
/// comparison of bytes, and what no type understands is kept by nature.
public struct RuleList: Sendable {
  public let family: Family
  package private(set) var bytes: [UInt8]
  /// Where each rule begins in `bytes`.
  package private(set) var starts: [UInt32]
  /// The source line of each rule, 0 where it has none; empty when no rule has one.
  package private(set) var lines: [UInt32]

  public init(family: Family) {
    self.family = family
    bytes = []
    starts = []
    lines = []
  }

  public init(_ rules: some Sequence<Rule>, family: Family) {
    self.init(family: family)
    for rule in rules { append(rule) }
  }

  /// Adds a rule at the end. `line` is where it stood in its source, from 1.
  public mutating func append(_ rule: Rule, line: Int = 0) {
    note(line: line)
    starts.append(UInt32(bytes.count))
    var writer = ByteWriter()
    RuleCodec.encode(rule, family: family, to: &writer)
    bytes.append(contentsOf: writer.written)
  }

  /// Adds the rules of another list of the same family.
  package mutating func append(_ other: RuleList) {
    precondition(family == other.family, "rules of two families in one list")
    if !lines.isEmpty || !other.lines.isEmpty {
      lines.append(contentsOf: repeatElement(0, count: starts.count - lines.count))
      lines.append(contentsOf: other.lines)
      lines.append(contentsOf: repeatElement(0, count: other.count - other.lines.count))
    }
    let shift = UInt32(bytes.count)
    starts.reserveCapacity(starts.count + other.starts.count)
    for start in other.starts { starts.append(start + shift) }
    bytes.append(contentsOf: other.bytes)
  }

  /// Adds a rule in the kernel's form.
  /// - Throws: ``WireError`` when the bytes are not one whole rule.
  package mutating func append(bytes rule: RawSpan, line: Int = 0) throws(WireError) {
    try RuleCodec.check(rule, family: family)
    note(line: line)
    starts.append(UInt32(bytes.count))
    rule.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// Adds a rule as the kernel gave it, whose standard target stands for `label`: a verdict, a chain, or nothing. What
  /// only the kernel uses is cleared, and so are the bytes behind names, which nobody sets.
  package mutating func append(kernelEntry entry: UnsafeRawBufferPointer, label: UnsafePointer<CChar>?) {
    let start = bytes.count
    note(line: 0)
    starts.append(UInt32(start))
    bytes.append(contentsOf: entry)
    let layout = RuleCodec.Layout.of(family)
    bytes.withUnsafeMutableBytes { all in
      let rule = UnsafeMutableRawBufferPointer(rebasing: all[start...])
      rule.storeBytes(of: 0, toByteOffset: layout.cache, as: UInt32.self)
      rule.storeBytes(of: 0, toByteOffset: layout.comeFrom, as: UInt32.self)
      let target = Int(rule.loadUnaligned(fromByteOffset: layout.targetOffset, as: UInt16.self))
      var offset = layout.size
      while offset < target {
        Self.clearNameTail(rule, offset)
        offset += Int(rule.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      }
      if rule[target + 2] == 0, let label { Self.setLabel(rule, target, label) }
      Self.clearNameTail(rule, target)
    }
  }

  private static func clearNameTail(_ rule: UnsafeMutableRawBufferPointer, _ header: Int) {
    let end = header + 2 + RuleCodec.extensionNameSize
    var place = header + 2
    while place < end, rule[place] != 0 { place += 1 }
    while place < end {
      rule[place] = 0
      place += 1
    }
  }

  private static func setLabel(_ rule: UnsafeMutableRawBufferPointer, _ target: Int, _ label: UnsafePointer<CChar>) {
    var place = 0
    while place < RuleCodec.extensionNameSize - 1, label[place] != 0 {
      rule[target + 2 + place] = UInt8(bitPattern: label[place])
      place += 1
    }
    rule[target + 2 + place] = 0
    let isChain = place > 0 && !Verdict.allCases.contains { isLabel(label, $0.label) }
    rule.storeBytes(
      of: isChain ? RuleCodec.jumpMarker : 0, toByteOffset: target + RuleCodec.extensionHeaderSize, as: UInt32.self)
  }

  /// Adds rules that lie one behind the other in a kernel's table, in zeroed memory, from `base` on. Jumps, which are
  /// offsets in that table, become names.
  package mutating func append(
    kernelEntries entries: UnsafeRawBufferPointer, at base: Int, chainAt: (Int32) -> ChainName?
  ) {
    let first = bytes.count
    bytes.append(contentsOf: entries)
    let layout = RuleCodec.Layout.of(family)
    let isNoted = !lines.isEmpty
    var found: [UInt32] = []
    bytes.withUnsafeMutableBytes { all in
      var rule = first
      while rule < all.count {
        found.append(UInt32(rule))
        all.storeBytes(of: 0, toByteOffset: rule + layout.cache, as: UInt32.self)
        all.storeBytes(of: 0, toByteOffset: rule + layout.comeFrom, as: UInt32.self)
        let next = rule + Int(all.loadUnaligned(fromByteOffset: rule + layout.nextOffset, as: UInt16.self))
        let target = rule + Int(all.loadUnaligned(fromByteOffset: rule + layout.targetOffset, as: UInt16.self))
        if all[target + 2] == 0, next - target == RuleCodec.standardTargetSize {
          Self.nameVerdict(all, target, fallsTo: Int32(base + next - first), chainAt)
        }
        rule = next
      }
    }
    starts.append(contentsOf: found)
    if isNoted { lines.append(contentsOf: repeatElement(0, count: found.count)) }
  }

  /// Puts a verdict's label or a chain's name in place of the kernel's number.
  private static func nameVerdict(
    _ all: UnsafeMutableRawBufferPointer, _ target: Int, fallsTo next: Int32, _ chainAt: (Int32) -> ChainName?
  ) {
    let place = target + RuleCodec.extensionHeaderSize
    let number = all.loadUnaligned(fromByteOffset: place, as: Int32.self)
    var marker: UInt32 = 0
    func write(_ bytes: some Sequence<UInt8>) {
      for (offset, byte) in bytes.prefix(RuleCodec.extensionNameSize - 1).enumerated() {
        all[target + 2 + offset] = byte
      }
    }
    switch number {
    case -1: write("DROP".utf8)
    case -2: write("ACCEPT".utf8)
    case -4: write("QUEUE".utf8)
    case -5: write("RETURN".utf8)
    case next: break
    default:
      guard let chain = chainAt(number) else { return }
      write(chain.text.utf8)
      marker = RuleCodec.jumpMarker
    }
    all.storeBytes(of: marker, toByteOffset: place, as: UInt32.self)
  }

  /// A rule's target as far as the kernel's standard target serves for it.
  package enum StandardLabel {
    case none
    case verdict(Verdict)
    case chain(ChainName)
    case `extension`
  }

  package func standardLabel(of index: Int) -> StandardLabel {
    let start = Int(starts[index])
    return bytes.withUnsafeBytes { all in
      let target =
        start
        + Int(all.loadUnaligned(fromByteOffset: start + RuleCodec.Layout.of(family).targetOffset, as: UInt16.self))
      guard Int(all.loadUnaligned(fromByteOffset: target, as: UInt16.self)) == RuleCodec.standardTargetSize else {
        return .extension
      }
      if all[target + 2] == 0 { return .none }
      let name = all.loadUnaligned(fromByteOffset: target + 2, as: UInt64.self)
      for (label, verdict) in Self.verdictKeys where label == name { return .verdict(verdict) }
      guard
        all.loadUnaligned(fromByteOffset: target + RuleCodec.extensionHeaderSize, as: UInt32.self)
          == RuleCodec.jumpMarker
      else { return .extension }
      let text = all[target + 2..<target + 2 + RuleCodec.extensionNameSize].prefix { $0 != 0 }
      return .chain(ChainName(unchecked: String(decoding: text, as: UTF8.self)))
    }
  }

  private static let verdictKeys = Verdict.allCases.map { (nameKey("\($0.label)"), $0) }

  /// Rules one behind the other, as `bytes` gives them.
  /// - Throws: ``WireError`` where they are not whole rules.
  package init(decoding bytes: [UInt8], family: Family) throws(WireError) {
    self.init(family: family)
    let next = RuleCodec.Layout.of(family).nextOffset
    var start = 0
    while start < bytes.count {
      guard start + next + 2 <= bytes.count else {
        throw WireError(offset: start, field: "next_offset", reason: .truncated)
      }
      let size = Int(bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: start + next, as: UInt16.self))
      guard size > 0, start + size <= bytes.count else {
        throw WireError(offset: start + next, field: "next_offset", reason: .invalid)
      }
      try RuleCodec.check(bytes.span.bytes.extracting(start..<start + size), family: family)
      starts.append(UInt32(start))
      start += size
    }
    self.bytes = bytes
  }

  /// Calls `body` with the bytes of all rules but their counters.
  package func forEachPartOutsideCounters(_ body: (UnsafeRawBufferPointer) -> Void) {
    let counters = RuleCodec.Layout.of(family).counters
    bytes.withUnsafeBytes { all in
      for index in indices {
        let range = range(of: index)
        body(UnsafeRawBufferPointer(rebasing: all[range.prefix(counters)]))
        body(UnsafeRawBufferPointer(rebasing: all[range.dropFirst(counters + 16)]))
      }
    }
  }

  /// Calls `body` with the kernel's bytes of the rule at `index`.
  package func withEntry<R, E: Error>(_ index: Int, _ body: (UnsafeRawPointer) throws(E) -> R) throws(E) -> R {
    try bytes.span.withUnsafeBytes { all throws(E) in try body(all.baseAddress! + Int(starts[index])) }
  }

  private mutating func note(line: Int) {
    if line > 0 {
      lines.append(contentsOf: repeatElement(0, count: starts.count - lines.count))
      lines.append(UInt32(line))
    } else if !lines.isEmpty {
      lines.append(0)
    }
  }

  /// The source line of the rule at `index`, nil when it came from elsewhere.
  public func line(of index: Int) -> Int? {
    guard index < lines.count, lines[index] > 0 else { return nil }
    return Int(lines[index])
  }

  /// The bytes of the rule at `index`.
  package func range(of index: Int) -> Range<Int> {
    Int(starts[index])..<(index + 1 < starts.count ? Int(starts[index + 1]) : bytes.count)
  }

  /// Whether the rule jumps by name, or holds an extension whose name begins with one of `keys` (see ``nameKey(_:)``).
  /// A look at the bytes, which saves decoding the rules of which neither is true.
  func jumpsOrHolds(_ keys: [UInt64], at index: Int) -> Bool {
    let start = Int(starts[index])
    let layout = RuleCodec.Layout.of(family)
    return bytes.withUnsafeBytes { all in
      let target = start + Int(all.loadUnaligned(fromByteOffset: start + layout.targetOffset, as: UInt16.self))
      var offset = start + layout.size
      while offset <= target {
        let size = Int(all.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        if keys.contains(all.loadUnaligned(fromByteOffset: offset + 2, as: UInt64.self)) { return true }
        if offset == target, size == RuleCodec.standardTargetSize {
          return all.loadUnaligned(fromByteOffset: offset + RuleCodec.extensionHeaderSize, as: UInt32.self)
            == RuleCodec.jumpMarker
        }
        offset += size
      }
      return false
    }
  }

  /// The first eight bytes of a kernel name, zero-padded.
  static func nameKey(_ name: String) -> UInt64 {
    var key: UInt64 = 0
    withUnsafeMutableBytes(of: &key) { for (place, byte) in name.utf8.prefix(8).enumerated() { $0[place] = byte } }
    return key
  }

  /// Puts the bytes of a rule of another list in place of the one at `index`, whose line stays.
  /// - Returns: false, and nothing has changed, when they have another size.
  package mutating func overwrite(_ index: Int, with other: RuleList, _ otherIndex: Int) -> Bool {
    let mine = range(of: index)
    let theirs = other.range(of: otherIndex)
    guard mine.count == theirs.count else { return false }
    bytes.replaceSubrange(mine, with: other.bytes[theirs])
    return true
  }

  /// Makes room at once for what is to come; room that is not used costs no memory.
  package mutating func reserve(rules: Int, bytes count: Int) {
    lines.reserveCapacity(lines.isEmpty ? 0 : rules)
    starts.reserveCapacity(rules)
    bytes.reserveCapacity(count)
  }
}

extension RuleList: RandomAccessCollection, MutableCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { starts.count }

  public subscript(index: Int) -> Rule {
    get { rule(at: index, registry: .standard) }
    set { replaceSubrange(index..<index + 1, with: CollectionOfOne(newValue)) }
  }

  /// The rule at `index`, read with the extensions of `registry`.
  package func rule(at index: Int, registry: Registry) -> Rule {
    do throws(WireError) {
      return try RuleCodec.decode(bytes.span.bytes.extracting(range(of: index)), family: family, registry: registry)
    } catch {
      preconditionFailure("a rule list holds checked rules only: \(error)")
    }
  }
}

extension RuleList: RangeReplaceableCollection {
  /// An empty IPv4 list; give the family where it matters with ``init(family:)``.
  public init() { self.init(family: .ipv4) }

  public mutating func replaceSubrange(_ range: Range<Int>, with rules: some Collection<Rule>) {
    var result = RuleList(family: family)
    result.reserve(rules: starts.count, bytes: bytes.count)
    for index in 0..<range.lowerBound { result.copy(index, from: self) }
    for rule in rules { result.append(rule) }
    for index in range.upperBound..<count { result.copy(index, from: self) }
    self = result
  }

  package mutating func copy(_ index: Int, from other: RuleList) {
    note(line: other.line(of: index) ?? 0)
    starts.append(UInt32(bytes.count))
    bytes.append(contentsOf: other.bytes[other.range(of: index)])
  }
}

// MARK: Counters

extension RuleList {
  private func counterOffset(of index: Int) -> Int {
    Int(starts[index]) + RuleCodec.Layout.of(family).counters
  }

  package func counters(of index: Int) -> Counters {
    let offset = counterOffset(of: index)
    return bytes.withUnsafeBytes {
      Counters(
        packets: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
        bytes: $0.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
    }
  }

  package mutating func setCounters(_ counters: Counters, of index: Int) {
    let offset = counterOffset(of: index)
    bytes.withUnsafeMutableBytes {
      $0.storeBytes(of: counters.packets, toByteOffset: offset, as: UInt64.self)
      $0.storeBytes(of: counters.bytes, toByteOffset: offset + 8, as: UInt64.self)
    }
  }

  /// Whether the rule at `index` and the one at `otherIndex` of another list are the same but for counters.
  package func sameRule(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    let mine = range(of: index)
    let theirs = other.range(of: otherIndex)
    guard mine.count == theirs.count else { return false }
    let counters = RuleCodec.Layout.of(family).counters
    return bytes.withUnsafeBytes { a in
      other.bytes.withUnsafeBytes { b in
        let after = counters + 16
        return equalBytes(a[mine.prefix(counters)], b[theirs.prefix(counters)])
          && equalBytes(a[mine.dropFirst(after)], b[theirs.dropFirst(after)])
      }
    }
  }

  /// Whether both lists hold the same rules in the same order, whatever their counters.
  public func sameRules(as other: RuleList) -> Bool {
    family == other.family && starts == other.starts && bytes.count == other.bytes.count
      && indices.allSatisfy { sameRule($0, other, $0) }
  }

  /// A number that is equal for rules that are the same but for counters.
  package func fingerprint(of index: Int) -> Int {
    let range = range(of: index)
    let counters = RuleCodec.Layout.of(family).counters
    return bytes.withUnsafeBytes { all in
      var hasher = Hasher()
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: all[range.prefix(counters)]))
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: all[range.dropFirst(counters + 16)]))
      return hasher.finalize()
    }
  }
}

/// Whether a C string is the label.
private func isLabel(_ text: UnsafePointer<CChar>, _ label: StaticString) -> Bool {
  for place in 0..<label.utf8CodeUnitCount where UInt8(bitPattern: text[place]) != label.utf8Start[place] {
    return false
  }
  return text[label.utf8CodeUnitCount] == 0
}

private func equalBytes(_ a: Slice<UnsafeRawBufferPointer>, _ b: Slice<UnsafeRawBufferPointer>) -> Bool {
  a.count == b.count
    && (a.isEmpty || compareMemory(UnsafeRawBufferPointer(rebasing: a), UnsafeRawBufferPointer(rebasing: b)))
}

/// Compares eight bytes at a time.
private func compareMemory(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  var offset = 0
  while offset + 8 <= a.count {
    if a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      != b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    {
      return false
    }
    offset += 8
  }
  while offset < a.count {
    if a[offset] != b[offset] { return false }
    offset += 1
  }
  return true
}

extension RuleList: Hashable {
  /// Equal rules with equal counters; source lines do not matter.
  public static func == (a: RuleList, b: RuleList) -> Bool {
    a.family == b.family && a.starts == b.starts && a.bytes == b.bytes
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(family)
    hasher.combine(bytes)
  }
}
