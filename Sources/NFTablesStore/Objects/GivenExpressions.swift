internal import CNFTables
internal import Netfilter

/// Expressions as the kernel takes them back. They are the bytes that it gave, but for the little that it says and refuses
/// to be told, and for names that it makes up anew.
struct GivenExpressions {
  /// The numbers by which a batch calls the chains that belong to one rule, whose names are the kernel's.
  private(set) var chainNumbers: [ObjectName: UInt32] = [:]

  /// Gives such a chain the next number.
  @discardableResult
  mutating func number(_ chain: ObjectName) -> UInt32 {
    let number = UInt32(truncatingIfNeeded: chainNumbers.count + 1)
    chainNumbers[chain] = number
    return number
  }

  /// Expressions stand in expressions once: in `dynset`.
  private static let deepest = 2

  /// The members of a list of expressions.
  func write(list bytes: UnsafeRawBufferPointer, to out: inout ByteWriter, depth: Int = 0) {
    for element in AttributeWalk(bytes) {
      out.nest(NFTA_LIST_ELEM) { write(one: element.data, to: &$0, depth: depth) }
    }
  }

  /// One expression: name and data.
  func write(one bytes: UnsafeRawBufferPointer, to out: inout ByteWriter, depth: Int = 0) {
    let name = AttributeWalk(bytes).first { $0.type == UInt16(NFTA_EXPR_NAME.rawValue) }?.data
    guard depth < Self.deepest, let rewrite = rewrite(name) else {
      out.write(bytes)
      return out.align(4)
    }
    for attribute in AttributeWalk(bytes) {
      if attribute.type == UInt16(NFTA_EXPR_DATA.rawValue) {
        out.nest(NFTA_EXPR_DATA) { rewrite(attribute.data, &$0, depth) }
      } else {
        out.write(attribute.whole)
        out.align(4)
      }
    }
  }

  /// How an expression's data is written; nil for as it came.
  private func rewrite(
    _ name: UnsafeRawBufferPointer?
  ) -> ((UnsafeRawBufferPointer, inout ByteWriter, Int) -> Void)? {
    guard let name else { return nil }
    switch true {
    case name.spells("quota"): return { data, out, _ in Self.quota(data, &out) }
    case name.spells("dynset"): return { data, out, depth in dynset(data, &out, depth) }
    case name.spells("exthdr"): return { data, out, _ in Self.extensionHeader(data, &out) }
    case name.spells("osf"): return { data, out, _ in Self.fingerprint(data, &out) }
    case name.spells("immediate") where !chainNumbers.isEmpty: return { data, out, _ in immediate(data, &out) }
    default: return nil
    }
  }

  /// The data of a quota, in a rule or an object: that it is used up is told, and follows from what it has counted.
  static func quota(_ data: UnsafeRawBufferPointer, _ out: inout ByteWriter) {
    for attribute in AttributeWalk(data) {
      if attribute.type == UInt16(NFTA_QUOTA_FLAGS.rawValue), let flags = attribute.number {
        out.put(NFTA_QUOTA_FLAGS, big: flags & ~NFT_QUOTA_F_DEPLETED.rawValue)
      } else {
        out.write(attribute.whole)
        out.align(4)
      }
    }
  }

  /// What takes an option out or writes one has no flags and says so; taking out has no place and length either.
  private static func extensionHeader(_ data: UnsafeRawBufferPointer, _ out: inout ByteWriter) {
    let loads = AttributeWalk(data).contains { $0.type == UInt16(NFTA_EXTHDR_DREG.rawValue) }
    let writes = AttributeWalk(data).contains { $0.type == UInt16(NFTA_EXTHDR_SREG.rawValue) }
    let told: [nft_exthdr_attributes] =
      switch (loads, writes) {
      case (true, _): []
      case (false, true): [NFTA_EXTHDR_FLAGS]
      case (false, false): [NFTA_EXTHDR_FLAGS, NFTA_EXTHDR_OFFSET, NFTA_EXTHDR_LEN]
      }
    for attribute in AttributeWalk(data) where !told.contains(where: { UInt16($0.rawValue) == attribute.type }) {
      out.write(attribute.whole)
      out.align(4)
    }
  }

  /// That there are no flags is told and refused.
  private static func fingerprint(_ data: UnsafeRawBufferPointer, _ out: inout ByteWriter) {
    for attribute in AttributeWalk(data)
    where attribute.type != UInt16(NFTA_OSF_FLAGS.rawValue) || attribute.number != 0 {
      out.write(attribute.whole)
      out.align(4)
    }
  }

  /// Several expressions need a flag that the kernel does not tell; and it tells a time of nothing, which it refuses where
  /// the set has no times.
  private func dynset(_ data: UnsafeRawBufferPointer, _ out: inout ByteWriter, _ depth: Int) {
    let isSeveral = AttributeWalk(data).contains { $0.type == UInt16(NFTA_DYNSET_EXPRESSIONS.rawValue) }
    var flags: UInt32 = isSeveral ? NFT_DYNSET_F_EXPR.rawValue : 0
    for attribute in AttributeWalk(data) {
      switch attribute.type {
      case UInt16(NFTA_DYNSET_FLAGS.rawValue): flags |= attribute.number ?? 0
      case UInt16(NFTA_DYNSET_TIMEOUT.rawValue) where attribute.data.allSatisfy { $0 == 0 }: continue
      case UInt16(NFTA_DYNSET_EXPR.rawValue):
        out.nest(NFTA_DYNSET_EXPR) { write(one: attribute.data, to: &$0, depth: depth + 1) }
      case UInt16(NFTA_DYNSET_EXPRESSIONS.rawValue):
        out.nest(NFTA_DYNSET_EXPRESSIONS) { write(list: attribute.data, to: &$0, depth: depth + 1) }
      default:
        out.write(attribute.whole)
        out.align(4)
      }
    }
    if flags != 0 { out.put(NFTA_DYNSET_FLAGS, big: flags) }
  }

  /// A jump to a chain of this rule alone goes by the number that the batch gave the chain.
  private func immediate(_ data: UnsafeRawBufferPointer, _ out: inout ByteWriter) {
    guard let chain = Self.chain(ofImmediate: data), let number = chainNumbers[chain] else {
      out.write(data)
      return out.align(4)
    }
    for attribute in AttributeWalk(data) {
      guard attribute.type == UInt16(NFTA_IMMEDIATE_DATA.rawValue) else {
        out.write(attribute.whole)
        out.align(4)
        continue
      }
      out.nest(NFTA_IMMEDIATE_DATA) { out in
        out.nest(NFTA_DATA_VERDICT) { out in
          for part in AttributeWalk(attribute.data).flatMap({ Array(AttributeWalk($0.data)) }) {
            if part.type == UInt16(NFTA_VERDICT_CHAIN.rawValue) {
              out.put(NFTA_VERDICT_CHAIN_ID, big: number)
            } else {
              out.write(part.whole)
              out.align(4)
            }
          }
        }
      }
    }
  }

  /// The chains that a list of expressions leads to by name.
  static func chains(in list: UnsafeRawBufferPointer) -> [ObjectName] {
    AttributeWalk(list).compactMap { element in
      let fields = AttributeWalk(element.data)
      guard fields.first(where: { $0.type == UInt16(NFTA_EXPR_NAME.rawValue) })?.data.spells("immediate") == true,
        let data = fields.first(where: { $0.type == UInt16(NFTA_EXPR_DATA.rawValue) })?.data
      else { return nil }
      return chain(ofImmediate: data)
    }
  }

  private static func chain(ofImmediate data: UnsafeRawBufferPointer) -> ObjectName? {
    let verdict = AttributeWalk(data).first { $0.type == UInt16(NFTA_IMMEDIATE_DATA.rawValue) }
      .flatMap { AttributeWalk($0.data).first { $0.type == UInt16(NFTA_DATA_VERDICT.rawValue) } }
    return verdict.flatMap { AttributeWalk($0.data).first { $0.type == UInt16(NFTA_VERDICT_CHAIN.rawValue) } }
      .map { ObjectName(bytes: Array($0.data.prefix { $0 != 0 })) }
  }
}

extension UnsafeRawBufferPointer {
  /// Whether it is this text, with or without a zero behind it.
  func spells(_ text: StaticString) -> Bool {
    let count = last == 0 ? self.count - 1 : self.count
    return count == text.utf8CodeUnitCount
      && (0..<count).allSatisfy { self[$0] == text.utf8Start[$0] }
  }
}

extension AttributeWalk.Attribute {
  /// 32 bits in network order; nil for another length.
  var number: UInt32? { number(as: UInt32.self) }

  /// A number in network order; nil for another length.
  func number<T: FixedWidthInteger & BitwiseCopyable>(as: T.Type) -> T? {
    data.count == MemoryLayout<T>.size ? T(bigEndian: data.loadUnaligned(as: T.self)) : nil
  }
}
