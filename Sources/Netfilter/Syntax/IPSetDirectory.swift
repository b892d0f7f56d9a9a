internal import Synchronization

/// Where the numbers of sets come from, and their names.
///
/// Both belong to a network namespace and to the moment: what is asked twice may have another answer.
public struct IPSetDirectory: Sendable {
  public enum Answer: Hashable, Sendable {
    /// - Parameter family: of the addresses in it; nil where it holds none, or both.
    case found(index: UInt16, family: Family?)
    case missing
    /// There are no sets at all; why.
    case unavailable(String)
  }

  public var find: @Sendable (_ name: String) -> Answer
  public var name: @Sendable (_ index: UInt16) -> String?

  public init(find: @escaping @Sendable (String) -> Answer, name: @escaping @Sendable (UInt16) -> String?) {
    self.find = find
    self.name = name
  }

  /// Without any set.
  public static let empty = IPSetDirectory(find: { _ in .missing }, name: { _ in nil })

  /// For rules that are only read, where no kernel can be asked: every name is a set. The numbers go from 65534 down,
  /// where no kernel has sets, so that rules with them are refused and never look into another set.
  public static let imagined = IPSetDirectory(
    find: { name in ImaginedSets.shared.index(of: name).map { .found(index: $0, family: nil) } ?? .missing },
    name: { index in ImaginedSets.shared.name(of: index) })
}

/// Names in the order in which they were first asked for.
private final class ImaginedSets: Sendable {
  static let shared = ImaginedSets()
  private static let first: UInt16 = 65534
  private static let most = 32768
  private let known = Mutex<(names: [String], indices: [String: UInt16])>(([], [:]))

  func index(of name: String) -> UInt16? {
    known.withLock { known in
      if let index = known.indices[name] { return index }
      guard known.names.count < Self.most else { return nil }
      let index = Self.first - UInt16(known.names.count)
      known.names.append(name)
      known.indices[name] = index
      return index
    }
  }

  func name(of index: UInt16) -> String? {
    known.withLock { known in
      guard index <= Self.first, Int(Self.first - index) < known.names.count else { return nil }
      return known.names[Int(Self.first - index)]
    }
  }
}

// MARK: In rules

extension OptionSpec.Value {
  static let setReference = OptionSpec.Value.custom("NAME src|dst[,src|dst]…")
}

extension OptionValues {
  /// A set's name and what is looked for in it.
  func setReference(_ name: StaticString) throws(SyntaxError) -> IPSetReference? {
    guard let words = words(name) else { return nil }
    let ends = try setEnds(words[1], of: name)
    let index = try setIndex(words[0], of: name)
    guard let reference = IPSetReference(index: index, ends) else {
      throw SyntaxError(at: words[0], "\(name): set '\(words[0].string)' has no number")
    }
    return reference
  }

  private func setIndex(_ token: Token, of name: StaticString) throws(SyntaxError) -> UInt16 {
    guard (1...IPSetReference.maxNameBytes).contains(token.count) else {
      throw SyntaxError(
        at: token, "\(name): a set's name has 1 to \(IPSetReference.maxNameBytes) bytes, this one \(token.count)")
    }
    guard token.string.utf8.elementsEqual(token.bytes) else {
      throw SyntaxError(at: token, "\(name): the set's name is no UTF-8 text")
    }
    switch names.sets.find(token.string) {
    case .found(let index, let found):
      guard found == nil || found == family else {
        throw SyntaxError(
          at: token, "\(name): set '\(token.string)' is of family \(found!), the rule of \(family)",
          hint: "a set has one family: ipset create NAME hash:ip family \(family == .ipv4 ? "inet" : "inet6")")
      }
      return index
    case .missing:
      let option = family == .ipv4 ? "" : " family inet6"
      throw SyntaxError(
        at: token, "\(name): set '\(token.string)' does not exist",
        hint: "make it first, for example: ipset create \(token.string) hash:ip\(option)")
    case .unavailable(let reason):
      throw SyntaxError(at: token, "\(name): set '\(token.string)' does not exist: \(reason)")
    }
  }

  /// iptables looks at the first three letters of each word only, and so do we.
  private func setEnds(_ token: Token, of name: StaticString) throws(SyntaxError) -> [IPSetReference.End] {
    var ends: [IPSetReference.End] = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      if part.hasPrefix("src") {
        ends.append(.source)
      } else if part.hasPrefix("dst") {
        ends.append(.destination)
      } else {
        throw SyntaxError(
          at: part, "\(name): '\(part.string)' is neither src nor dst",
          hint: "for example: \(name) NAME src, or src,dst where the set's members have two parts")
      }
    }
    guard ends.count <= IPSetReference.maxEnds else {
      throw SyntaxError(at: token, "\(name): at most \(IPSetReference.maxEnds) of src and dst fit, not \(ends.count)")
    }
    return ends
  }
}

extension RuleWriter {
  /// ` --match-set blocked src,dst`. A number stands for a set that is gone.
  mutating func setReference(_ name: StaticString, _ reference: IPSetReference, dashes: Bool) {
    option(name, dashes: dashes)
    if let name = names.sets.name(reference.index) {
      bare(name)
    } else {
      word("#\(reference.index)")
    }
    var separator = UInt8(ascii: " ")
    for end in reference.ends {
      text.write(byte: separator)
      text.write(end == .source ? "src" : "dst")
      separator = UInt8(ascii: ",")
    }
  }
}

// MARK: Kernel bytes

extension ByteWriter {
  /// `struct xt_set_info`: number, count of ends, a bit for each that is the source; `flags` besides.
  mutating func write(_ reference: IPSetReference?, flags: UInt8 = 0) {
    write(reference?.index ?? IPSetReference.none)
    write(UInt8(reference?.ends.count ?? 0))
    var bits = flags
    for (place, end) in (reference?.ends ?? []).enumerated() where end == .source { bits |= 2 << UInt8(place) }
    write(bits)
  }
}

extension ByteReader {
  /// nil for no set. What stands in `flags` besides the ends is given back in `others`.
  mutating func setReference(_ field: StaticString, others: UInt8 = 0) throws(WireError) -> (
    reference: IPSetReference?, flags: UInt8
  ) {
    let index = try uint16(field)
    let count = try uint8(field)
    let flags = try uint8(field)
    guard index != IPSetReference.none else {
      guard count == 0, flags == 0 else { throw invalid(field) }
      return (nil, 0)
    }
    guard count <= IPSetReference.maxEnds else { throw invalid(field) }
    let ends = (0..<count).map { flags & 2 << $0 != 0 ? IPSetReference.End.source : .destination }
    let known = others | ((1 << (UInt16(count) + 1)) - 2 as UInt16).lowByte
    guard flags & ~known == 0, let reference = IPSetReference(index: index, ends) else { throw invalid(field) }
    return (reference, flags & others)
  }
}

extension UInt16 {
  fileprivate var lowByte: UInt8 { UInt8(truncatingIfNeeded: self) }
}
