/// The rules of one chain, in order.
///
/// The list keeps the kernel's bytes of each rule (``RuleCodec``), one rule behind the other, and makes a typed
/// ``Rule`` of them when asked: a hundred thousand rules then cost what the kernel itself needs for them, equality is a
/// comparison of bytes, and what no type understands is kept by nature.
public struct RuleList: Sendable {
  public let family: Family
  package internal(set) var bytes: [UInt8]
  /// Where each rule begins in `bytes`.
  package internal(set) var starts: [UInt32]
  /// Where each rule was written (``SourcePosition``), 0 where that is not known; empty when it is for no rule.
  var positions: [UInt32]

  public init(family: Family) {
    self.family = family
    bytes = []
    starts = []
    positions = []
  }

  public init(_ rules: some Sequence<Rule>, family: Family) {
    self.init(family: family)
    for rule in rules { append(rule) }
  }

  /// Adds a rule at the end.
  public mutating func append(_ rule: Rule, at position: SourcePosition? = nil) {
    note(position?.packed ?? 0)
    starts.append(UInt32(bytes.count))
    var writer = ByteWriter()
    RuleCodec.encode(rule, family: family, to: &writer)
    bytes.append(contentsOf: writer.written)
  }

  /// Adds the rules of another list of the same family.
  package mutating func append(_ other: RuleList) {
    precondition(family == other.family, "rules of two families in one list")
    if !positions.isEmpty || !other.positions.isEmpty {
      positions.append(contentsOf: repeatElement(0, count: starts.count - positions.count))
      positions.append(contentsOf: other.positions)
      positions.append(contentsOf: repeatElement(0, count: other.count - other.positions.count))
    }
    let shift = UInt32(bytes.count)
    starts.reserveCapacity(starts.count + other.starts.count)
    for start in other.starts { starts.append(start + shift) }
    bytes.append(contentsOf: other.bytes)
  }

  /// Adds a rule in the kernel's form.
  /// - Throws: ``WireError`` when the bytes are not one whole rule.
  package mutating func append(bytes rule: RawSpan) throws(WireError) {
    try RuleCodec.check(rule, family: family)
    note(0)
    starts.append(UInt32(bytes.count))
    rule.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

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

  /// Calls `body` with the kernel's bytes of the rule at `index`.
  package func withEntry<R, E: Error>(_ index: Int, _ body: (UnsafeRawPointer) throws(E) -> R) throws(E) -> R {
    try bytes.span.withUnsafeBytes { all throws(E) in try body(all.baseAddress! + Int(starts[index])) }
  }

  mutating func note(_ position: UInt32) {
    if position > 0 {
      positions.append(contentsOf: repeatElement(0, count: starts.count - positions.count))
      positions.append(position)
    } else if !positions.isEmpty {
      positions.append(0)
    }
  }

  /// Where the rule at `index` was written, nil when it came from elsewhere.
  public func position(of index: Int) -> SourcePosition? {
    index < positions.count ? SourcePosition(packed: positions[index]) : nil
  }

  /// The bytes of the rule at `index`.
  package func range(of index: Int) -> Range<Int> {
    Int(starts[index])..<(index + 1 < starts.count ? Int(starts[index + 1]) : bytes.count)
  }

  /// Makes room at once for what is to come; room that is not used costs no memory.
  package mutating func reserve(rules: Int, bytes count: Int) {
    positions.reserveCapacity(positions.isEmpty ? 0 : rules)
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
    replaceSubrange(range, with: rules, at: nil)
  }

  /// The new rules were all written at `position`.
  mutating func replaceSubrange(_ range: Range<Int>, with rules: some Collection<Rule>, at position: SourcePosition?) {
    var result = RuleList(family: family)
    result.reserve(rules: starts.count, bytes: bytes.count)
    for index in 0..<range.lowerBound { result.copy(index, from: self) }
    for rule in rules { result.append(rule, at: position) }
    for index in range.upperBound..<count { result.copy(index, from: self) }
    self = result
  }

  package mutating func copy(_ index: Int, from other: RuleList) {
    copy(index, from: other, at: other.position(of: index))
  }

  /// The same, as if written at `position`.
  package mutating func copy(_ index: Int, from other: RuleList, at position: SourcePosition?) {
    note(position?.packed ?? 0)
    starts.append(UInt32(bytes.count))
    bytes.append(contentsOf: other.bytes[other.range(of: index)])
  }
}

extension RuleList: Hashable {
  /// Equal rules with equal counters; where they were written does not matter.
  public static func == (a: RuleList, b: RuleList) -> Bool {
    a.family == b.family && a.starts == b.starts && a.bytes == b.bytes
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(family)
    hasher.combine(bytes)
  }
}
