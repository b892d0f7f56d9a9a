/// Rules between their form in a kernel's table, where a jump is a number, and their form here, where it is a name.
extension RuleList {
  /// Adds a rule as the kernel gave it, whose standard target stands for `label`: a verdict, a chain, or nothing. What
  /// only the kernel uses is cleared, and so are the bytes behind names, which nobody sets.
  package mutating func append(kernelEntry entry: UnsafeRawBufferPointer, label: UnsafePointer<CChar>?) {
    let start = bytes.count
    note(0)
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
      if rule[target + 2] == 0, let label {
        Self.setLabel(rule, target, label)
      } else {
        Self.clearNameTail(rule, target)
      }
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
    clearNameTail(rule, target)
    let isChain = place > 0 && !Verdict.allCases.contains { isLabel(label, $0.label) }
    rule.storeBytes(
      of: isChain ? jumpMarkers(UnsafeRawBufferPointer(rule), target) : 0,
      toByteOffset: target + RuleCodec.extensionHeaderSize, as: UInt64.self)
  }

  /// For the chain that a target names.
  private static func jumpMarkers(_ all: UnsafeRawBufferPointer, _ target: Int) -> UInt64 {
    let name = all.loadUnaligned(fromByteOffset: target + 2, as: UInt128.self).bigEndian
    return RuleCodec.jumpMarkers(for: NameKey(padded: name))
  }

  /// Adds rules that lie one behind the other in a kernel's table, in zeroed memory, from `base` on. Jumps, which are
  /// offsets in that table, become names.
  /// - Precondition: ``RuleCodec/check(_:family:)`` has passed each.
  /// - Throws: ``WireError`` for a jump into the middle of a chain, and for a verdict that is none.
  package mutating func append(
    kernelEntries entries: UnsafeRawBufferPointer, at base: Int, chainAt: (Int32) -> ChainName?
  ) throws(WireError) {
    let first = bytes.count
    bytes.append(contentsOf: entries)
    let layout = RuleCodec.Layout.of(family)
    let isNoted = !positions.isEmpty
    var found: [UInt32] = []
    var failure: WireError?
    bytes.withUnsafeMutableBytes { all in
      var rule = first
      while rule < all.count {
        found.append(UInt32(rule))
        all.storeBytes(of: 0, toByteOffset: rule + layout.cache, as: UInt32.self)
        all.storeBytes(of: 0, toByteOffset: rule + layout.comeFrom, as: UInt32.self)
        let next = rule + Int(all.loadUnaligned(fromByteOffset: rule + layout.nextOffset, as: UInt16.self))
        let target = rule + Int(all.loadUnaligned(fromByteOffset: rule + layout.targetOffset, as: UInt16.self))
        if all[target + 2] == 0 {
          guard next - target == RuleCodec.standardTargetSize,
            Self.nameVerdict(all, target, fallsTo: Int32(base + next - first), chainAt)
          else {
            failure = WireError(offset: base + target - first, field: "verdict", reason: .invalid)
            return
          }
        } else if next - target == RuleCodec.standardTargetSize, Self.isLabelled(all, target) {
          failure = WireError(offset: base + target + 2 - first, field: "name", reason: .invalid)
          return
        }
        rule = next
      }
    }
    if let failure { throw failure }
    starts.append(contentsOf: found)
    if isNoted { positions.append(contentsOf: repeatElement(0, count: found.count)) }
  }

  /// Whether a target has the name of a verdict, which means something else here than in the kernel.
  private static func isLabelled(_ all: UnsafeMutableRawBufferPointer, _ target: Int) -> Bool {
    let name = all.loadUnaligned(fromByteOffset: target + 2, as: UInt64.self)
    return all[target + RuleCodec.extensionHeaderSize - 1] == 0 && verdictKeys.contains { $0.0 == name }
  }

  /// Puts a verdict's label or a chain's name in place of the kernel's number.
  /// - Returns: false when the number stands for neither.
  private static func nameVerdict(
    _ all: UnsafeMutableRawBufferPointer, _ target: Int, fallsTo next: Int32, _ chainAt: (Int32) -> ChainName?
  ) -> Bool {
    let place = target + RuleCodec.extensionHeaderSize
    let number = all.loadUnaligned(fromByteOffset: place, as: Int32.self)
    var marker: UInt64 = 0
    switch number {
    case next: break
    case ..<0:
      guard let name = verdictKeys.first(where: { $0.1.kernelNumber == number })?.0 else { return false }
      all.storeBytes(of: name, toByteOffset: target + 2, as: UInt64.self)
    default:
      guard let chain = chainAt(number) else { return false }
      for (offset, byte) in chain.text.utf8.prefix(RuleCodec.extensionNameSize - 1).enumerated() {
        all[target + 2 + offset] = byte
      }
      marker = jumpMarkers(UnsafeRawBufferPointer(all), target)
    }
    all.storeBytes(of: marker, toByteOffset: place, as: UInt64.self)
    return true
  }

  /// A rule's target as far as the kernel's standard target serves for it.
  package enum StandardLabel {
    case none
    case verdict(Verdict)
    case chain(ChainName)
    case `extension`
  }

  /// Where the target of a rule begins.
  private func target(of index: Int, _ all: UnsafeRawBufferPointer) -> Int {
    let start = Int(starts[index])
    let offset = start + RuleCodec.Layout.of(family).targetOffset
    return start + Int(all.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  package func standardLabel(of index: Int) -> StandardLabel {
    bytes.withUnsafeBytes { all in
      let target = target(of: index, all)
      guard Int(all.loadUnaligned(fromByteOffset: target, as: UInt16.self)) == RuleCodec.standardTargetSize,
        all[target + RuleCodec.extensionHeaderSize - 1] == 0
      else { return .extension }
      if all[target + 2] == 0 { return .none }
      let name = all.loadUnaligned(fromByteOffset: target + 2, as: UInt64.self)
      for (label, verdict) in Self.verdictKeys where label == name { return .verdict(verdict) }
      let marker = all.loadUnaligned(fromByteOffset: target + RuleCodec.extensionHeaderSize, as: UInt64.self)
      guard UInt32(truncatingIfNeeded: marker) == RuleCodec.jumpMarker, marker == Self.jumpMarkers(all, target)
      else { return .extension }
      let text = all[target + 2..<target + 2 + RuleCodec.extensionNameSize].prefix { $0 != 0 }
      return .chain(ChainName(unchecked: String(decoding: text, as: UTF8.self)))
    }
  }

  private static let verdictKeys = Verdict.allCases.map { (nameKey("\($0.label)"), $0) }

  /// The name of the rule's target in the kernel's own form; empty for a verdict or a jump.
  package func targetName(of index: Int) -> String {
    bytes.withUnsafeBytes { all in
      let target = target(of: index, all)
      let text = all[target + 2..<target + 2 + RuleCodec.extensionNameSize].prefix { $0 != 0 }
      return String(decoding: text, as: UTF8.self)
    }
  }

  /// Whether the rule has any match, or a target other than a verdict or a jump: a look at the bytes.
  package func holdsExtension(at index: Int) -> Bool {
    let size = bytes.withUnsafeBytes { target(of: index, $0) } - Int(starts[index])
    if size != RuleCodec.Layout.of(family).size { return true }
    if case .extension = standardLabel(of: index) { return true }
    return false
  }

  /// Whether the rule jumps by name, or holds an extension of which `isSought` is true by the beginning of its name (see
  /// ``nameKey(_:)``). A look at the bytes, which saves decoding the rules of which neither is true.
  package func jumpsOrHolds(at index: Int, _ isSought: (UInt64) -> Bool) -> Bool {
    holds(orJumps: true, at: index, isSought)
  }

  /// Whether the rule asks for an interface by name.
  package func namesInterface(at index: Int) -> Bool {
    let start = Int(starts[index]) + RuleCodec.Layout.of(family).interfaces
    return bytes.withUnsafeBytes { all in
      stride(from: start, to: start + 32, by: 8).contains {
        all.loadUnaligned(fromByteOffset: $0, as: UInt64.self) != 0
      }
    }
  }

  /// Whether the rule holds an extension of which `isSought` is true by the beginning of its name.
  func holds(at index: Int, _ isSought: (UInt64) -> Bool) -> Bool { holds(orJumps: false, at: index, isSought) }

  private func holds(orJumps: Bool, at index: Int, _ isSought: (UInt64) -> Bool) -> Bool {
    let layout = RuleCodec.Layout.of(family)
    return bytes.withUnsafeBytes { Self.holds($0, at: Int(starts[index]), layout, orJumps: orJumps, isSought) }
  }

  /// The rules that jump by name, or hold an extension of which `isSought` is true.
  func indicesOfJumpsAndHolders(_ isSought: (UInt64) -> Bool) -> [Int] {
    let layout = RuleCodec.Layout.of(family)
    var found: [Int] = []
    bytes.withUnsafeBytes { all in
      starts.withUnsafeBufferPointer { starts in
        for index in starts.indices where Self.holds(all, at: Int(starts[index]), layout, orJumps: true, isSought) {
          found.append(index)
        }
      }
    }
    return found
  }

  @inline(__always)
  private static func holds(
    _ all: UnsafeRawBufferPointer, at start: Int, _ layout: RuleCodec.Layout, orJumps: Bool,
    _ isSought: (UInt64) -> Bool
  ) -> Bool {
    let target = start + Int(all.loadUnaligned(fromByteOffset: start + layout.targetOffset, as: UInt16.self))
    var offset = start + layout.size
    while offset <= target {
      let size = Int(all.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      if orJumps, offset == target, size == RuleCodec.standardTargetSize,
        all.loadUnaligned(fromByteOffset: offset + RuleCodec.extensionHeaderSize, as: UInt32.self)
          == RuleCodec.jumpMarker
      {
        return true
      }
      if isSought(all.loadUnaligned(fromByteOffset: offset + 2, as: UInt64.self)) { return true }
      offset += size
    }
    return false
  }

  /// Calls `body` with every extension that has a revision above 0: its rule, its name's field and revision as two
  /// overlapping numbers, its revision, and whether it is the target.
  package func forEachRevised(_ body: (Int, _ key: RevisedName) -> Void) {
    let layout = RuleCodec.Layout.of(family)
    bytes.withUnsafeBytes { all in
      for index in indices {
        let start = Int(starts[index])
        let target = start + Int(all.loadUnaligned(fromByteOffset: start + layout.targetOffset, as: UInt16.self))
        var offset = start + layout.size
        while offset <= target {
          if all[offset + RuleCodec.extensionHeaderSize - 1] > 0 {
            body(
              index,
              RevisedName(
                first: all.loadUnaligned(fromByteOffset: offset + 2, as: UInt128.self),
                last: all.loadUnaligned(fromByteOffset: offset + RuleCodec.extensionHeaderSize - 16, as: UInt128.self),
                isTarget: offset == target))
          }
          offset += Int(all.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
      }
    }
  }

  /// The name and revision of an extension, cheap to compare.
  package struct RevisedName: Equatable {
    fileprivate let first: UInt128
    fileprivate let last: UInt128
    package let isTarget: Bool

    package var revision: UInt8 { UInt8(truncatingIfNeeded: last.bigEndian) }

    /// nil for a name that no known extension has, since it is too long.
    package var name: String? {
      let bytes = (0..<16).map { UInt8(truncatingIfNeeded: first.bigEndian >> UInt128(120 - 8 * $0)) }
      guard let end = bytes.firstIndex(of: 0) else { return nil }
      return String(decoding: bytes[..<end], as: UTF8.self)
    }
  }

  /// The same list where some rules are replaced, each by the one that `other` holds at the index given for it. Positions
  /// and counters stay.
  package func replacing(_ sources: [Int: Int], from other: RuleList) -> RuleList {
    var result = RuleList(family: family)
    result.reserve(rules: count, bytes: bytes.count)
    for index in indices {
      guard let source = sources[index] else {
        result.copy(index, from: self)
        continue
      }
      result.note(position(of: index)?.packed ?? 0)
      result.starts.append(UInt32(result.bytes.count))
      result.bytes.append(contentsOf: other.bytes[other.range(of: source)])
      result.setCounters(counters(of: index), of: index)
    }
    return result
  }

  /// The first eight bytes of a kernel name, zero-padded.
  static func nameKey(_ name: String) -> UInt64 {
    var key: UInt64 = 0
    withUnsafeMutableBytes(of: &key) { for (place, byte) in name.utf8.prefix(8).enumerated() { $0[place] = byte } }
    return key
  }

  package static func nameKey(_ name: StaticString) -> UInt64 {
    var key: UInt64 = 0
    withUnsafeMutableBytes(of: &key) {
      for place in 0..<Swift.min(8, name.utf8CodeUnitCount) { $0[place] = name.utf8Start[place] }
    }
    return key
  }

  /// Puts the bytes of a rule of another list in place of the one at `index`, whose position stays.
  /// - Returns: false, and nothing has changed, when they have another size.
  package mutating func overwrite(_ index: Int, with other: RuleList, _ otherIndex: Int) -> Bool {
    let mine = range(of: index)
    let theirs = other.range(of: otherIndex)
    guard mine.count == theirs.count else { return false }
    bytes.replaceSubrange(mine, with: other.bytes[theirs])
    return true
  }
}

/// Whether a C string is the label.
private func isLabel(_ text: UnsafePointer<CChar>, _ label: StaticString) -> Bool {
  for place in 0..<label.utf8CodeUnitCount where UInt8(bitPattern: text[place]) != label.utf8Start[place] {
    return false
  }
  return text[label.utf8CodeUnitCount] == 0
}
