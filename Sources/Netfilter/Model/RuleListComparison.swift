/// Counters, and comparing rules without them.
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
    guard self.counters(of: index) != counters else { return }  // a list that is shared stays so
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

  /// A number that is equal for rules with equal source and destination addresses and masks.
  package func addressFingerprint(of index: Int) -> Int {
    let range = range(of: index).prefix(RuleCodec.Layout.of(family).interfaces)
    return bytes.withUnsafeBytes { all in
      var hasher = Hasher()
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: all[range]))
      return hasher.finalize()
    }
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

extension RuleList {
  /// Whether the rule at `index` and the one of another list have the same size and the same target by name: a look at
  /// the bytes that saves decoding the rules that cannot mean the same.
  package func mayEqual(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    let mine = range(of: index)
    let theirs = other.range(of: otherIndex)
    guard mine.count == theirs.count else { return false }
    return bytes.withUnsafeBytes { a in
      other.bytes.withUnsafeBytes { b in
        let offset = RuleCodec.Layout.of(family).targetOffset
        let place = Int(a.loadUnaligned(fromByteOffset: mine.lowerBound + offset, as: UInt16.self))
        guard place == Int(b.loadUnaligned(fromByteOffset: theirs.lowerBound + offset, as: UInt16.self)) else {
          return false
        }
        let end = place + 2 + RuleCodec.extensionNameSize
        return equalBytes(
          UnsafeRawBufferPointer(rebasing: a[mine.lowerBound + place..<mine.lowerBound + end])[...],
          UnsafeRawBufferPointer(rebasing: b[theirs.lowerBound + place..<theirs.lowerBound + end])[...])
      }
    }
  }
}

extension RuleList {
  /// The place of the first rule that is this one but for counters, byte for byte or, where there is none, by its meaning:
  /// the kernel and other programs write some rules in another way.
  package func firstPlace(of rule: Rule) -> Int? {
    let wanted = RuleList(CollectionOfOne(rule), family: family)
    return indices.first { sameRule($0, wanted, 0) }
      ?? indices.first { mayEqual($0, wanted, 0) && self[$0].sameEffect(as: rule) }
  }
}

extension RuleList {
  /// Whether the heads of two rules name addresses or protocols that no packet has both of: a look at the bytes that saves
  /// decoding most rules that share no packets. false says nothing.
  package func headsDiffer(_ index: Int, _ other: Int) -> Bool {
    let layout = RuleCodec.Layout.of(family)
    let (a, b) = (Int(starts[index]), Int(starts[other]))
    return bytes.withUnsafeBytes { all in
      let inverted = all[a + layout.invertFlags] | all[b + layout.invertFlags]
      let protos = (all[a + layout.proto], all[b + layout.proto])
      if inverted & RuleCodec.Invert.proto == 0, protos.0 != 0, protos.1 != 0, protos.0 != protos.1 { return true }
      func differ<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ place: Int) -> Bool {
        let size = MemoryLayout<T>.size
        func read(_ rule: Int, _ offset: Int) -> T { all.loadUnaligned(fromByteOffset: rule + offset, as: T.self) }
        let mask = read(a, place + 2 * size) & read(b, place + 2 * size)
        return (read(a, place) ^ read(b, place)) & mask != 0
      }
      let size = family.addressBits / 8
      if inverted & RuleCodec.Invert.source == 0 {
        if family == .ipv4 ? differ(UInt32.self, 0) : differ(UInt128.self, 0) { return true }
      }
      guard inverted & RuleCodec.Invert.destination == 0 else { return false }
      return family == .ipv4 ? differ(UInt32.self, size) : differ(UInt128.self, size)
    }
  }
}
