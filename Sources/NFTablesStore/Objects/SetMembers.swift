internal import CNFTables

extension RulesetImage {
  /// What comes into a set and goes out of it as one: an element, or an interval whose ends are elements of their own.
  struct Member {
    /// What tells it from others.
    let identity: [Identity]
    let elements: [Element]

    struct Identity: Hashable {
      let key: [UInt8]?
      let keyEnd: [UInt8]?
      let flags: UInt32
    }

    fileprivate init(_ elements: [Element]) {
      self.elements = elements
      identity = elements.map { Identity(key: $0.key, keyEnd: $0.keyEnd, flags: $0.flags) }
    }

    /// What is said about it, without the time that it has left.
    var timeless: [Attributes] { elements.map(\.timeless) }

    /// Whether its time is over so many milliseconds later.
    fileprivate func isOver(after milliseconds: UInt64) -> Bool {
      elements.contains { element in element.expiration.map { $0 > 0 && $0 <= milliseconds } ?? false }
    }
  }
}

extension RulesetImage.ElementSet {
  /// Whether it holds beginnings and ends of intervals as elements.
  var hasEnds: Bool { flags & NFT_SET_INTERVAL.rawValue != 0 && elements.contains(where: \.isIntervalEnd) }

  /// Of an interval whose time is over the kernel goes on listing the end for a while.
  mutating func dropStrayEnds() {
    guard flags & NFT_SET_TIMEOUT.rawValue != 0, hasEnds else { return }
    elements = elements.inOrderOfKeys.withoutStrayEnds
  }

  var members: [RulesetImage.Member] {
    guard hasEnds else { return elements.map { RulesetImage.Member([$0]) } }
    var members: [[RulesetImage.Element]] = []
    for element in elements.inOrderOfKeys {
      if element.isIntervalEnd, let last = members.last, last.count == 1, !last[0].isIntervalEnd {
        members[members.count - 1].append(element)
      } else {
        members.append([element])
      }
    }
    return members.map { RulesetImage.Member($0) }
  }

  /// With the members back that an earlier reading had and that have run out since.
  fileprivate func regaining(_ old: RulesetImage.ElementSet, after milliseconds: UInt64) -> RulesetImage.ElementSet {
    guard flags & NFT_SET_TIMEOUT.rawValue != 0, said == old.said else { return self }
    let over = old.members.filter { $0.isOver(after: milliseconds) }
    guard !over.isEmpty else { return self }
    let present = Set(members.map(\.identity[0]))
    let back = over.filter { !present.contains($0.identity[0]) }
    let identities = Set(back.flatMap(\.identity))
    var result = self
    // The end of an interval may still be there.
    result.elements =
      members.filter { identities.isDisjoint(with: $0.identity) }.flatMap(\.elements) + back.flatMap(\.elements)
    return result
  }
}

extension RulesetImage.Table {
  /// With the elements back that an earlier reading of it had, and whose time was over before this one was made.
  package func regaining(_ old: RulesetImage.Table?, after time: Duration) -> RulesetImage.Table {
    guard let old else { return self }
    let milliseconds = UInt64(max(0, time / .milliseconds(1)))
    var result = self
    result.sets = sets.map { set in
      old.sets.first { $0.name == set.name }.map { set.regaining($0, after: milliseconds) } ?? set
    }
    return result
  }
}

extension [RulesetImage.Element] {
  /// The beginning of an interval before its end, and an end before a beginning at the same place; the kernel lists them
  /// from behind. What has no key stands for all others and comes last.
  var inOrderOfKeys: [RulesetImage.Element] {
    map { (key: $0.key, isEnd: $0.isIntervalEnd, element: $0) }.sorted { one, other in
      guard let first = one.key, let second = other.key else { return one.key != nil && other.key == nil }
      if first == second { return one.isEnd && !other.isEnd }
      return first.lexicographicallyPrecedes(second)
    }.map(\.element)
  }

  /// Without ends of intervals that do not begin, which the kernel refuses. One at zero before all others belongs to the
  /// set. They have to be in order.
  var withoutStrayEnds: [RulesetImage.Element] {
    var result: [RulesetImage.Element] = []
    result.reserveCapacity(count)
    for element in self {
      let isStray =
        element.isIntervalEnd
        && (result.last.map(\.isIntervalEnd) ?? (element.key?.contains { $0 != 0 } == true))
      if !isStray { result.append(element) }
    }
    return result
  }
}
